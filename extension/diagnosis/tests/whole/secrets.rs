//! Nothing private leaves: secrets of every shape beside every error text, in every format of a log.

use crate::planted::{FRAMES, Random, SHAPES, secret};
use serde_json::{Value, json};
use std::borrow::Cow;
use triage_diagnosis::*;

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
const REQUEST_ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";

/// A line for each error text of each detector, as an SDK would write it.
fn error_lines() -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for text in detectors().iter().flat_map(|detector| detector.texts) {
        let needle = text.needle;
        lines.push((
            needle,
            match format!("{:?}", text.shape).as_str() {
                "ErrorName" if format!("{:?}", text.context).contains("Call")
                    || format!("{:?}", text.context) == "Invoke" =>
                {
                    format!(
                        "{needle}: An error occurred ({needle}) when calling the Invoke operation: {KEY} is not as it should be"
                    )
                }
                "Errno" => format!("failed to spawn thread: [Errno 1] {needle}: '/tmp/a' -> '/mnt/efs/a' {KEY}"),
                "ErrorName" => format!(
                    "{needle}: An error occurred ({needle}) when calling the Decrypt operation: EFS or {KEY} is not as it should be"
                ),
                // Go's, which name the call, and those that say what has no path of its own.
                _ if needle.starts_with(": ") => format!("lookup x{needle} {KEY}"),
                _ if needle.starts_with("java.nio") => format!("{needle}: /mnt/efs/a {KEY}"),
                _ if needle.contains(" path ") || needle.starts_with("Could not find file") => {
                    format!("{needle}'/mnt/efs/a' {KEY}")
                }
                _ if format!("{:?}", text.context) == "Invoke" => {
                    format!("E: (E) when calling the Invoke operation: a {needle} {KEY}")
                }
                _ => format!("ClientError: KMS or EFS: a {needle} and more of it {KEY}"),
            },
        ));
    }
    lines
}

/// What the platform, or a runtime that ends, writes in a form of its own, and what waits for the
/// platform's records.
const OWN_FORMS: [&str; 11] = [
    "Task timed out after ",
    "Runtime exited with",
    "Runtime exited with error: signal: killed",
    "[ERROR] MemoryError",
    "\nMemoryError",
    "JavaScript heap out of memory",
    "memory allocation of ",
    "Response payload size exceeded maximum allowed payload size (",
    "Exceeded maximum allowed payload size (",
    "Function.ResponseSizeTooLarge",
    "Error: spawn ",
];

/// How many formats there are.
const FORMATS: usize = 7;

/// The line as a function's log record.
fn formatted(format: usize, line: &str) -> String {
    let other = "a field beside it";
    match format {
        0 => format!("[ERROR] {line}"),
        1 => line.to_owned(),
        // A traceback as one record.
        2 => format!("[ERROR] {line}\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 8, in handler\n    raise E({line:?})"),
        3 => format!("2026-03-01T12:00:00.020Z\t{REQUEST_ID}\tERROR\tInvoke Error \t{}",
            json!({"errorType": "Error", "errorMessage": line, "stack": [line, "    at x"]})),
        4 => json!({"level": "ERROR", "message": line, "other": other}).to_string(),
        // As Powertools writes it.
        5 => json!({"level": "ERROR", "location": "handler:8", "message": "failed", "service": "orders", "exception": format!("Traceback:\n{line}"), "exception_name": "Error"}).to_string(),
        // JSON within JSON.
        _ => json!({"level": "ERROR", "error": json!({"errorMessage": line}).to_string()}).to_string(),
    }
}

/// One sandbox for all: a new invocation for each record, each in a minute of its own.
struct Sandbox {
    triage: Triage,
    now: Timestamp,
    invocations: u32,
}

impl Sandbox {
    fn new() -> Self {
        let function =
            Function { name: "orders".into(), version: "7".into(), ..Function::default() };
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        Self { triage: Triage::new(Settings::default(), function), now, invocations: 0 }
    }

    /// What is printed when a function logs this, but for the times, which hold any digits.
    fn printed(&mut self, log: &str) -> Vec<String> {
        self.now = self.now.plus_ms(61_000);
        self.invocations += 1;
        let invoke = Invoke {
            request_id: format!("request-{}", self.invocations),
            deadline: Some(self.now.plus_ms(3_000)),
            ..Invoke::default()
        };
        self.triage.handle_invoke(invoke.clone(), self.now);
        let body = RecordBody::Function(FunctionLog::Text(Cow::Borrowed(log)));
        self.triage.handle_record(Record { time: Some(self.now), body }, self.now);
        // What is suspected waits for a report, that does not come.
        self.triage.handle_invoke(
            Invoke { request_id: format!("next-{}", self.invocations), ..invoke },
            self.now,
        );
        self.now = self.now.plus_ms(600);
        let mut printed = Vec::new();
        while let Some(report) = self.triage.poll_report(self.now) {
            let mut line: Value = serde_json::from_str(&report.to_line(true)).unwrap();
            line["_aws"]["Timestamp"].take();
            line["timestamp"].take();
            printed.push(line.to_string());
        }
        printed
    }
}

#[test]
fn without_a_secret_each_error_is_told_in_full_in_each_format() {
    let mut sandbox = Sandbox::new();
    for (needle, line) in error_lines() {
        if OWN_FORMS.contains(&needle) {
            continue;
        }
        for format in 0..FORMATS {
            let printed = sandbox.printed(&formatted(format, &line));
            assert!(!printed.is_empty(), "{needle} in format {format}");
            for line in printed {
                let line: Value = serde_json::from_str(&line).unwrap();
                let evidence = &line["diagnosis"]["evidence"];
                assert_eq!(evidence["keyArn"], KEY, "{needle} in format {format}");
                let excerpt = evidence["excerpt"].as_str().unwrap();
                assert!(excerpt.contains(needle), "{needle} in format {format}: {excerpt}");
            }
        }
    }
}

#[test]
fn no_secret_beside_an_error_is_ever_printed() {
    let rounds =
        if std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|all| !all.is_empty()) { 10 } else { 1 };
    let mut random = Random::new(7);
    let mut sandbox = Sandbox::new();
    let (mut planted, mut told) = (0, 0);
    for _ in 0..rounds {
        for (_, line) in error_lines() {
            for shape in 0..SHAPES {
                let secret = secret(shape, &mut random);
                let (before, after) = FRAMES[random.below(FRAMES.len())];
                let gap = random.one(&[" ", " ", "=", ": ", ", ", "\t", "; ", " - ", "|"]);
                // Between any two words, at the beginning or at the end.
                let places: Vec<usize> =
                    line.match_indices(' ').map(|(at, _)| at).chain([0, line.len()]).collect();
                let at = places[random.below(places.len())];
                let text = format!(
                    "{}{gap}{before}{}{after}{gap}{}",
                    &line[..at],
                    secret.text,
                    &line[at..]
                );
                let log = formatted(random.below(FORMATS), &text);
                planted += 1;
                for line in sandbox.printed(&log) {
                    told += 1;
                    for part in &secret.parts {
                        assert!(!line.contains(part.as_str()), "{part} of\n{log}\nis in\n{line}");
                    }
                }
            }
        }
    }
    // A secret in the middle of an error's text may well hide it; most do not.
    assert!(told * 2 > planted, "{told} lines for {planted} records");
}

#[test]
fn a_callers_trace_header_is_not_printed_but_for_what_it_must_be() {
    let mut sandbox = Sandbox::new();
    for header in [
        "Root=hunter2;Parent=hunter2;Lineage=9:a87bd80c:0",
        "Root=1-x hunter2;Lineage=9:a87bd80c:0;Self=hunter2",
    ] {
        let invoke = Invoke {
            request_id: header.len().to_string(),
            trace_header: Some(header.into()),
            ..Invoke::default()
        };
        sandbox.triage.handle_invoke(invoke, sandbox.now);
        let line = sandbox.triage.poll_report(sandbox.now).unwrap().to_line(true);
        assert!(line.contains("Recursions") && !line.contains("hunter2"), "{line}");
    }
}
