//! A sandbox that is watched: every line is checked as it comes, and their counts at the end.

use serde_json::Value;
use std::collections::HashMap;
use triage_diagnosis::*;

/// Lines of a problem that may be written singly within a minute.
const SINGLE_LINES: u64 = 20;
/// Folded lines of a problem: one for each stage, within ten seconds.
const STAGES: u64 = 2;
/// What a drain may give at once, however long nobody drained: 64 that wait, and two folded lines
/// for each problem.
const MAX_AT_ONCE: usize = 64 + 2 * 32;
const MAX_ID_BYTES: usize = 256;

/// The state machine with an account of what went in and what came out.
pub(crate) struct Watch {
    triage: Triage,
    now: Timestamp,
    lines: Vec<Value>,
    /// By request id: the signs of an attempt beginning or ending, each of which may be of another.
    signs: HashMap<String, usize>,
    forward_ms: u64,
    steps_back: u64,
}

impl Watch {
    pub(crate) fn new(settings: Settings, function: Function, now: Timestamp) -> Self {
        Self {
            triage: Triage::new(settings, function),
            now,
            lines: Vec::new(),
            signs: HashMap::new(),
            forward_ms: 0,
            steps_back: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The wall clock, which may also be set back.
    pub(crate) fn set_clock(&mut self, now: Timestamp) {
        self.steps_back += u64::from(now < self.now);
        self.forward_ms += now.ms_since(self.now);
        self.now = now;
    }

    pub(crate) fn invoke(&mut self, invoke: Invoke) {
        self.sign(&invoke.request_id);
        self.triage.handle_invoke(invoke, self.now);
    }

    pub(crate) fn record(&mut self, record: Record<'_>) {
        match &record.body {
            RecordBody::Start(start) => self.sign(&start.request_id),
            RecordBody::RuntimeDone(done) => self.sign(&done.request_id),
            RecordBody::Report(report) => self.sign(&report.request_id),
            _ => {}
        }
        self.triage.handle_record(record, self.now);
    }

    /// Works through a delivery as the shell does.
    pub(crate) fn deliver(&mut self, bytes: Vec<u8>) {
        let mut body = Body::new(bytes);
        while let Some(next) = body.next_record() {
            match next {
                Ok(record) => self.record(record),
                Err(malformed) => self.malformed(malformed),
            }
        }
    }

    pub(crate) fn malformed(&mut self, malformed: Malformed) {
        self.triage.handle_malformed(malformed, self.now);
    }

    pub(crate) fn dropped(&mut self, dropped: Dropped) {
        self.triage.handle_dropped(dropped, self.now);
    }

    pub(crate) fn shutdown(&mut self, reason: &str) {
        self.triage.handle_shutdown(&Shutdown { reason: reason.to_owned() }, self.now);
    }

    /// Fetches all that is to be told now.
    pub(crate) fn poll(&mut self) {
        let before = self.lines.len();
        while let Some(report) = self.triage.poll_report(self.now) {
            self.lines.push(checked_line(&report, self.now));
        }
        let fetched = self.lines.len() - before;
        assert!(fetched <= MAX_AT_ONCE, "{fetched} lines at once: what waits is not bounded");
        assert_eq!(self.triage.poll_fault(), None, "a detector panicked");
        if let Some(wake) = self.triage.poll_wake() {
            // A time that is past would have the shell spin.
            assert!(wake > self.now, "wakes at {wake}, and it is {}", self.now);
            assert!(wake.ms_since(self.now) <= 10_000, "holds back until {wake}");
        }
    }

    /// The end of the sandbox, and all lines there were.
    pub(crate) fn end(mut self) -> Vec<Value> {
        self.triage.finish(self.now);
        self.poll();
        assert_eq!(self.triage.poll_wake(), None, "all is told at the end");
        self.check_lines_of_attempts();
        self.check_storms();
        self.lines
    }

    fn sign(&mut self, id: &str) {
        *self.signs.entry(as_kept(id)).or_default() += 1;
    }

    /// One line for each attempt, problem and stage.
    fn check_lines_of_attempts(&self) {
        let mut told: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for line in &self.lines {
            let Some(id) = line["requestId"].as_str() else { continue };
            *told.entry((id, problem(line), stage(line))).or_default() += 1;
        }
        for ((id, problem, stage), lines) in told {
            let attempts = self.signs.get(id).copied().unwrap_or_default();
            assert!(
                lines <= attempts,
                "{lines} lines, {attempts} attempts: {id} {problem} {stage}"
            );
        }
    }

    /// The lines of a problem are bounded by the time, whatever happens.
    fn check_storms(&self) {
        let spans = |span_ms: u64| 1 + self.steps_back + self.forward_ms / span_ms;
        for name in problems() {
            let lines = self.lines.iter().filter(|line| problem(line) == name).count() as u64;
            let max = SINGLE_LINES * spans(60_000) + STAGES * (1 + spans(10_000));
            assert!(lines <= max, "{lines} lines of {name}, at most {max}");
        }
    }
}

/// An id as the lines show it.
pub(crate) fn as_kept(id: &str) -> String {
    let mut id: String = id.chars().filter(|c| !c.is_control()).collect();
    id.truncate(id.floor_char_boundary(MAX_ID_BYTES));
    id
}

pub(crate) fn problem(line: &Value) -> &str {
    line["diagnosis"]["problem"].as_str().unwrap()
}

fn stage(line: &Value) -> &str {
    line["diagnosis"]["stage"].as_str().unwrap()
}

/// The line of a report, if it is all that a line must be.
pub(crate) fn checked_line(report: &Report, now: Timestamp) -> Value {
    let text = report.to_line(true);
    assert!((1..=MAX_LINE_BYTES).contains(&text.len()), "{} bytes: {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line.to_string().len(), text.len(), "a field that is there twice: {text}");
    check_fields(&line);
    check_metrics(&line, report, now);
    let plain: Value = serde_json::from_str(&report.to_line(false)).unwrap();
    assert!(plain.get("_aws").is_none(), "{plain}");
    assert_eq!((problem(&plain), stage(&plain)), (problem(&line), stage(&line)));
    line
}

fn check_fields(line: &Value) {
    for name in ["timestamp", "level", "message"] {
        assert!(line[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {line}");
    }
    assert!(Timestamp::parse(line["timestamp"].as_str().unwrap()).is_some(), "{line}");
    for name in ["requestId", "functionArn", "functionVersion", "traceId", "FunctionName"] {
        if let Some(id) = line.get(name) {
            let id = id.as_str().unwrap();
            assert!(!id.is_empty() && id.len() <= MAX_ID_BYTES, "{name}: {line}");
        }
    }
    assert!(problems().any(|known| known == problem(line)), "{line}");
    assert!(["imminent", "suspected", "confirmed"].contains(&stage(line)), "{line}");
    assert!(line["diagnosis"]["occurrences"].as_u64().is_some_and(|n| n > 0), "{line}");
    assert!(!holds_null(line), "a field without a value is absent: {line}");
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

/// What CloudWatch takes out of the line is what the report counts.
fn check_metrics(line: &Value, report: &Report, now: Timestamp) {
    let metrics = report.metrics();
    if metrics.is_empty() {
        // More signs of what has been told: of no single invocation, and counted already.
        assert!(line.get("_aws").is_none() && line.get("requestId").is_none(), "{line}");
        return;
    }
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(line["_aws"]["Timestamp"], now.as_ms());
    let is_named = line.get("FunctionName").is_some();
    let dimensions = directive["Dimensions"].as_array().unwrap();
    assert_eq!(dimensions.len(), if is_named { 2 } else { 1 }, "{line}");
    let declared: Vec<&str> = directive["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["Name"].as_str().unwrap())
        .collect();
    let counted: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(declared, counted, "{line}");
    for metric in metrics {
        let values = match &line[metric.name] {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        assert!((1..=100).contains(&values.len()), "{line}");
        let values: Vec<f64> = values.iter().map(|value| value.as_f64().unwrap()).collect();
        assert_eq!(values, metric.values, "{line}");
    }
    let is_confirmed = stage(line) == "confirmed";
    assert_eq!(line.get(PROBLEMS).is_some(), is_confirmed, "{line}");
    assert_eq!(line.get(SUSPECTED_PROBLEMS).is_some(), !is_confirmed, "{line}");
    let detector = detectors().iter().find(|known| known.problem == problem(line)).unwrap();
    assert_eq!(line.get(detector.metric).is_some(), is_confirmed, "{line}");
    if is_confirmed {
        assert_eq!(line[detector.metric], line[PROBLEMS], "{line}");
    }
}

/// The sum of a metric over all lines of a problem.
pub(crate) fn sum(lines: &[Value], name: &str, metric: &str) -> u64 {
    let of_it = lines.iter().filter(|line| problem(line) == name);
    of_it.filter_map(|line| line[metric].as_u64()).sum()
}
