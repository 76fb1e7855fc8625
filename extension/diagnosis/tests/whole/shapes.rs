//! Every problem that is read from the log, as every language prints it and every logger writes it.

mod failures;
mod languages;
mod loggers;
mod private;

use crate::events::{done, invoke, log};
use crate::properties::watch::checked_line;
use failures::{Failure, OF_EITHER_VIEW, failures};
use languages::{Printed, printed};
use loggers::{ID, JSON, Logger, TEXT};
use serde_json::Value;
use std::collections::BTreeMap;
use triage_diagnosis::*;

/// One sandbox for all: a new invocation for each, each in a minute of its own.
struct Sandbox {
    triage: Triage,
    now: Timestamp,
}

impl Sandbox {
    fn new() -> Self {
        let function =
            Function { name: "orders".into(), version: "7".into(), ..Function::default() };
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        Self { triage: Triage::new(Settings::default(), function), now }
    }

    /// What comes out when one invocation logs these records, each in a delivery of its own.
    fn told<R: AsRef<str>>(&mut self, records: impl IntoIterator<Item = R>) -> Vec<Value> {
        self.now = self.now.plus_ms(61_000);
        // The id that loggers write, in an attempt of its own.
        self.triage.handle_invoke(invoke(ID, self.now), self.now);
        self.now = self.now.plus_ms(20);
        let mut lines = Vec::new();
        for record in records {
            self.triage.handle_record(log(record.as_ref(), self.now), self.now);
            self.drain(&mut lines);
        }
        self.now = self.now.plus_ms(20);
        self.triage.handle_record(done(ID, Status::Success, self.now), self.now);
        let report = InvocationReport { request_id: ID.into(), ..InvocationReport::default() };
        let body = RecordBody::Report(report);
        self.triage.handle_record(Record { time: Some(self.now), body }, self.now);
        self.drain(&mut lines);
        lines
    }

    /// What was counted later, of what had been told.
    fn repeats(&mut self) -> u64 {
        self.now = self.now.plus_ms(11_000);
        let mut lines = Vec::new();
        self.drain(&mut lines);
        lines.iter().filter_map(|line| line["diagnosis"]["occurrences"].as_u64()).sum()
    }

    fn drain(&mut self, lines: &mut Vec<Value>) {
        while let Some(report) = self.triage.poll_report(self.now) {
            lines.push(checked_line(&report, self.now));
        }
    }
}

/// Whether this printing of it holds enough to know the problem by.
fn is_decided(failure: &Failure, printed: &Printed) -> bool {
    (printed.names_service || !failure.needs_service) && (printed.holds_code || !failure.needs_code)
}

/// What is wrong with the lines of a failure that was logged at this level, if anything.
fn fault(failure: &Failure, level: Level, lines: &[Value]) -> Option<String> {
    let stage = match level {
        Level::Error => "confirmed",
        Level::Warn => "suspected",
        _ => {
            return lines.first().map(|line| format!("told at {level:?}: {}", line["diagnosis"]));
        }
    };
    let [line] = lines else {
        let problems: Vec<&Value> =
            lines.iter().map(|line| &line["diagnosis"]["problem"]).collect();
        return Some(format!("{} lines: {problems:?}", lines.len()));
    };
    let diagnosis = &line["diagnosis"];
    let view = failure.view.map(View::as_str);
    if diagnosis["problem"] != failure.problem {
        return Some(format!("is {}", diagnosis["problem"]));
    }
    if diagnosis["stage"] != stage || diagnosis["view"].as_str() != view {
        return Some(format!("is {} {}", diagnosis["stage"], diagnosis["view"]));
    }
    if diagnosis["occurrences"] != 1 {
        return Some(format!("{} times", diagnosis["occurrences"]));
    }
    let (name, arn) = failure.entity()?;
    let is_named = diagnosis["evidence"][name] == arn && line["message"].as_str()?.ends_with(arn);
    (!is_named).then(|| format!("no {name} in {line}"))
}

/// Faults by where they are, so that one cause is read as one.
#[derive(Default)]
struct Faults {
    tried: usize,
    by_place: BTreeMap<String, (usize, String)>,
}

impl Faults {
    fn add(&mut self, place: String, fault: Option<String>, record: &str) {
        self.tried += 1;
        if let Some(fault) = fault {
            let fault = format!("{fault}\n    {record}");
            self.by_place.entry(place).or_insert((0, fault)).0 += 1;
        }
    }

    fn assert_none(&self, least: usize) {
        let list: Vec<String> = self
            .by_place
            .iter()
            .map(|(place, (count, first))| format!("{count} × {place}: {first}"))
            .collect();
        assert!(list.is_empty(), "{} of {} places:\n{}", list.len(), self.tried, list.join("\n"));
        assert!(self.tried >= least, "{} tried", self.tried);
    }
}

const LEVELS: [Level; 4] = [Level::Info, Level::Warn, Level::Debug, Level::Trace];

#[test]
fn each_failure_is_named_in_each_language() {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    for failure in failures() {
        for printed in printed(&failure) {
            if !is_decided(&failure, &printed) {
                continue;
            }
            // A JSON value without a level is suspected alone.
            let level = if printed.text.starts_with('{') { Level::Warn } else { Level::Error };
            let fault = fault(&failure, level, &sandbox.told([&printed.text]));
            let place = format!("{} as {}", failure.code, printed.language);
            faults.add(place, fault, &printed.text);
        }
    }
    faults.assert_none(1_000);
}

fn each_logger_tells(loggers: &[Logger]) {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    // Each language with each logger, and each failure with each of them now and then.
    let failures = failures();
    let mut next = failures.iter().cycle();
    for (logger, write) in loggers {
        let sample = printed(&failures[0]);
        // What bears a level of its own is no logger's.
        let is_logged = |language: &usize| !sample[*language].text.contains("[ERROR]");
        for language in (0..sample.len()).filter(is_logged) {
            // Each at the level of errors, and at one of the others.
            for level in [Level::Error, LEVELS[language % 4]] {
                let decided = loop {
                    let failure = next.next().unwrap();
                    let printed = printed(failure).swap_remove(language);
                    if is_decided(failure, &printed) {
                        break (failure, printed);
                    }
                };
                let (failure, printed) = decided;
                let record = write(&printed, level);
                let fault = fault(failure, level, &sandbox.told([&record]));
                let place = format!("{logger} at {level:?}");
                faults.add(
                    place,
                    fault,
                    &format!("{} as {}: {record}", failure.code, printed.language),
                );
            }
        }
    }
    faults.assert_none(1_000);
}

/// What their own runtimes write, they frame as one record, however many lines it has. The lines of
/// an answer are those of no trace.
const FRAMED: [&str; 4] = [".NET runtime", "ruby runtime", "ruby runtime in one line", "header"];

/// What came out line by line, as far as it could be told: the line that is told of an error whose name
/// several services share may come before the line that names the service.
fn without_unknown_view(failure: &Failure, mut lines: Vec<Value>) -> Vec<Value> {
    if OF_EITHER_VIEW.contains(&failure.code.as_str()) {
        for line in lines.iter_mut().filter(|line| line["diagnosis"]["view"].is_null()) {
            line["diagnosis"]["view"] = failure.view.map(View::as_str).into();
        }
    }
    lines
}

#[test]
fn a_trace_tells_the_same_line_by_line() {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    for failure in failures() {
        for printed in printed(&failure) {
            if !is_decided(&failure, &printed) || FRAMED.contains(&printed.language) {
                continue;
            }
            let level = if printed.text.starts_with('{') { Level::Warn } else { Level::Error };
            let place = format!("{} as {}", failure.code, printed.language);
            let lines = without_unknown_view(&failure, sandbox.told(printed.text.lines()));
            faults.add(place, fault(&failure, level, &lines), &printed.text);
        }
    }
    faults.assert_none(1_000);
}

/// Loggers that indent what belongs to a line.
const INDENTING: [&str; 4] =
    [".NET console", ".NET console in colours", "pino-pretty", "pino-pretty in colours"];

#[test]
fn the_level_of_the_first_line_is_that_of_the_trace() {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    let failures = failures();
    let indenting = TEXT.iter().filter(|(logger, _)| INDENTING.contains(logger));
    for (offset, (logger, write)) in indenting.enumerate() {
        for (index, failure) in failures.iter().enumerate().skip(offset).step_by(3) {
            for printed in printed(failure) {
                let has_own_level = printed.text.contains("[ERROR]");
                if has_own_level
                    || !is_decided(failure, &printed)
                    || FRAMED.contains(&printed.language)
                {
                    continue;
                }
                let level = LEVELS[index % 4];
                let record = write(&printed, level);
                let lines = without_unknown_view(failure, sandbox.told(record.lines()));
                let fault = fault(failure, level, &lines);
                let place = format!("{} as {} by {logger}", failure.code, printed.language);
                faults.add(place, fault, &record);
            }
        }
    }
    faults.assert_none(1_000);
}

#[test]
fn the_error_on_the_line_after_a_warning_is_of_the_warning() {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    let failures = failures();
    for (logger, write) in TEXT.iter().filter(|(logger, _)| ["logback", "loguru"].contains(logger))
    {
        for failure in &failures {
            let of_language = |p: &Printed| {
                ["java 1", "java 2", "java 1 caused by", "python traceback"].contains(&p.language)
            };
            for printed in printed(failure).into_iter().filter(of_language) {
                if is_decided(failure, &printed) {
                    let record = write(&printed, Level::Warn);
                    let fault = fault(failure, Level::Warn, &sandbox.told(record.lines()));
                    faults.add(format!("{} by {logger}", printed.language), fault, &record);
                }
            }
        }
    }
    faults.assert_none(400);
}

#[test]
fn what_will_be_tried_again_is_suspected_and_the_last_try_is_not() {
    let (mut sandbox, mut faults) = (Sandbox::new(), Faults::default());
    for failure in failures() {
        for printed in printed(&failure) {
            // JSON without a level is suspected in any case, and what has lines of its own says more.
            if !is_decided(&failure, &printed) || printed.text.contains(['\n', '\r', '{']) {
                continue;
            }
            let text = &printed.text;
            for (record, level) in [
                (format!("[ERROR] Retrying in 2 s after {text}"), Level::Warn),
                (format!("[ERROR] (attempt 1 of 3) {text}"), Level::Warn),
                (format!("{text} - will retry"), Level::Warn),
                (format!("[DEBUG] Retry needed: {text}"), Level::Debug),
                (format!("[ERROR] (attempt 3 of 3) {text}"), Level::Error),
                (format!("exceeded maximum number of attempts, 3, {text}"), Level::Error),
                (
                    text.replace(" operation: ", " operation (reached max retries: 4): "),
                    Level::Error,
                ),
            ] {
                let fault = fault(&failure, level, &sandbox.told([&record]));
                faults.add(format!("{} as {}", failure.code, printed.language), fault, &record);
            }
        }
    }
    faults.assert_none(1_000);
}

#[test]
fn very_many_records_of_one_error_are_one_diagnosis() {
    let mut sandbox = Sandbox::new();
    let mut problems = Vec::new();
    for failure in failures() {
        if problems.contains(&failure.problem) {
            continue;
        }
        problems.push(failure.problem);
        for printed in printed(&failure).iter().filter(|p| p.language == "python str") {
            let (text, json) = (TEXT[0].1(printed, Level::Error), JSON[0].1(printed, Level::Error));
            let indented = format!("    {}", printed.text);
            for record in [&text, &json, &printed.text, &indented] {
                let lines = sandbox.told(std::iter::repeat_n(record, 1_000));
                let metrics =
                    lines.iter().filter_map(|line| line["Problems"].as_u64()).sum::<u64>();
                let occurrences =
                    lines.iter().filter_map(|line| line["diagnosis"]["occurrences"].as_u64());
                let repeats = sandbox.repeats();
                assert_eq!((metrics, occurrences.sum::<u64>() + repeats), (1, 1_000), "{record}");
            }
        }
    }
    assert!(problems.len() >= 11);
}

#[test]
fn each_logger_of_text_tells_level_and_failure() {
    each_logger_tells(TEXT);
}

#[test]
fn each_logger_of_json_tells_level_and_failure() {
    each_logger_tells(JSON);
}
