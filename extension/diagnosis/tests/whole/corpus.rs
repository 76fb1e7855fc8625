//! The healthy corpus (`tests/fixtures/healthy_corpus`): log records of functions in which nothing is
//! wrong that any detector names.

use serde_json::Value;
use std::path::{Path, PathBuf};
use triage_diagnosis::{Body, Function, Invoke, Settings, Timestamp, Triage};

/// Where a record names its invocation's request id, it names this one.
pub(crate) const REQUEST_ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";

/// One log record of the corpus.
#[derive(Clone)]
pub(crate) struct Healthy {
    /// The file's name without its ending: a logger or a theme.
    pub(crate) file: String,
    /// Its line in the file, from 1.
    pub(crate) line: usize,
    /// What the function printed, as it stands in the `record` of telemetry: a JSON string or any
    /// other JSON.
    pub(crate) record: String,
}

/// A line that must not have come out, and the record after which it did.
#[derive(Debug)]
pub(crate) struct FalseAlarm {
    /// The file and line of the corpus, or the name of the fixture.
    pub(crate) place: String,
    pub(crate) line: Value,
}

impl FalseAlarm {
    pub(crate) fn problem(&self) -> &str {
        self.line["diagnosis"]["problem"].as_str().unwrap_or("?")
    }
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/healthy_corpus")
}

/// All records, by the names of their files.
pub(crate) fn corpus() -> Vec<Healthy> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ndjson"))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Healthy> {
    let file = path.file_stem().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| Healthy {
        file: file.to_owned(),
        line: index + 1,
        record: record(line).unwrap_or_else(|e| panic!("{file}.ndjson:{}: {e}", index + 1)),
    });
    lines.collect()
}

/// Each line is a telemetry record of type `function`, or what stands in its `record`.
fn record(line: &str) -> serde_json::Result<String> {
    let value: Value = serde_json::from_str(line)?;
    let is_telemetry = value["type"] == "function" && value.get("record").is_some();
    Ok(if is_telemetry { value["record"].to_string() } else { line.to_owned() })
}

/// What comes out when each record is the only one of its invocation.
pub(crate) fn told_alone(records: &[Healthy]) -> Vec<FalseAlarm> {
    let mut function = LoggingFunction::new();
    let mut alarms = Vec::new();
    for healthy in records {
        let place = format!("{}.ndjson:{}", healthy.file, healthy.line);
        let lines = function.invocation([healthy.record.as_str()]);
        alarms.extend(lines.into_iter().map(|line| FalseAlarm { place: place.clone(), line }));
    }
    alarms
}

/// A sandbox that is invoked again and again and logs what it is told to.
pub(crate) struct LoggingFunction {
    triage: Triage,
    now: Timestamp,
    invocations: u32,
}

impl LoggingFunction {
    pub(crate) fn new() -> Self {
        let function =
            Function { name: "orders".into(), version: "7".into(), ..Function::default() };
        Self {
            triage: Triage::new(Settings::default(), function),
            now: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
            invocations: 0,
        }
    }

    /// The lines that come out when an invocation logs these records and succeeds, from its INVOKE
    /// to its report.
    pub(crate) fn invocation<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Value> {
        self.invocations += 1;
        // Each in a minute of its own, so that nothing is folded.
        self.now = self.now.plus_ms(61_000);
        let request_id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let invoke = Invoke {
            request_id: request_id.clone(),
            deadline: Some(self.now.plus_ms(3_000)),
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:orders".into(),
            trace_header: None,
        };
        self.triage.handle_invoke(invoke, self.now);
        let at = |ms: u64| self.now.plus_ms(ms).to_string();
        let mut body: Vec<String> = records
            .into_iter()
            .map(|record| {
                let record = record.replace(REQUEST_ID, &request_id);
                format!(r#"{{"time":"{}","type":"function","record":{record}}}"#, at(5))
            })
            .collect();
        let metrics =
            r#"{"durationMs":10.0,"billedDurationMs":10,"memorySizeMB":128,"maxMemoryUsedMB":61}"#;
        for kind in ["runtimeDone", "report"] {
            body.push(format!(
                r#"{{"time":"{}","type":"platform.{kind}","record":{{"requestId":"{request_id}","status":"success","metrics":{metrics}}}}}"#,
                at(10)
            ));
        }
        let mut body = Body::new(format!("[{}]", body.join(",")).into_bytes());
        self.now = self.now.plus_ms(10);
        while let Some(record) = body.next_record() {
            let record = record.expect("the corpus is JSON and so is what is put around it");
            self.triage.handle_record(record, self.now);
        }
        let mut lines = Vec::new();
        while let Some(report) = self.triage.poll_report(self.now) {
            lines.push(serde_json::from_str(&report.to_line(true)).unwrap());
        }
        assert_eq!(self.triage.poll_fault(), None);
        assert!(lines.is_empty() || self.triage.poll_wake().is_none(), "something is kept back");
        lines
    }
}
