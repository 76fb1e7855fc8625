//! What can be seen in a log is found in it: the fixtures' records as CloudWatch Logs would hold them.

use crate::fixtures::told_by_records;
use crate::program::run;
use crate::replay::{Fixture, Step, holds};
use serde_json::{Value, json};
use triage_diagnosis::{Detector, Sign, Timestamp, detectors};

const STREAM: &str = "2026/03/01/orders[$LATEST]0123456789abcdef0123456789abcdef";

/// An event of the log group.
struct Event {
    at: Timestamp,
    message: String,
}

fn records(fixture: &Fixture) -> Vec<Value> {
    let records = fixture.steps.iter().filter_map(|step| match step {
        Step::Records(records) => Some(records),
        Step::Event(_) => None,
    });
    records.flatten().filter_map(|record| serde_json::from_str(record).ok()).collect()
}

/// As Lambda's text log format has it.
fn text_line(record: &Value) -> Option<String> {
    let what = &record["record"];
    let id = what["requestId"].as_str().unwrap_or_default();
    // A timeout and what has the platform's name for an error is told, a handler's own error is not.
    let outcome = |what: &Value| match (what["status"].as_str(), what["errorType"].as_str()) {
        (Some("timeout"), None) => "\tStatus: timeout".to_owned(),
        (Some("timeout"), Some(error_type)) => {
            format!("\tStatus: timeout\tError Type: {error_type}")
        }
        (Some("error" | "failure"), Some(error_type)) => {
            format!("\tStatus: error\tError Type: {error_type}")
        }
        (Some("error"), None) => "\tStatus: error".to_owned(),
        _ => String::new(),
    };
    match record["type"].as_str()? {
        "platform.start" => Some(format!("START RequestId: {id} Version: $LATEST\n")),
        "platform.runtimeDone" => Some(format!("END RequestId: {id}\n")),
        "platform.report" => {
            let metric = |name: &str, label: &str, unit: &str| {
                let value = what["metrics"].get(name);
                value.map(|value| format!("\t{label}: {value} {unit}")).unwrap_or_default()
            };
            let metrics = [
                metric("durationMs", "Duration", "ms"),
                metric("billedDurationMs", "Billed Duration", "ms"),
                metric("memorySizeMB", "Memory Size", "MB"),
                metric("maxMemoryUsedMB", "Max Memory Used", "MB"),
                metric("initDurationMs", "Init Duration", "ms"),
            ];
            Some(format!("REPORT RequestId: {id}{}{}\t\n", metrics.concat(), outcome(what)))
        }
        "platform.initStart" => {
            Some("INIT_START Runtime Version: python:3.13.v31\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0ab1\n".to_owned())
        }
        "platform.initReport" => {
            let ms = what["metrics"]["durationMs"].as_f64().unwrap_or_default();
            let phase = what["phase"].as_str().unwrap_or("init");
            let outcome = outcome(what);
            // Lambda writes this one only of an initialization that failed.
            let is_failure = !outcome.is_empty();
            is_failure.then(|| format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: {phase}{outcome}\n"))
        }
        "platform.restoreStart" => {
            Some("RESTORE_START Runtime Version: python:3.13.v31\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0ab1\n".to_owned())
        }
        "platform.restoreReport" => {
            let ms = what["metrics"]["durationMs"].as_f64().unwrap_or_default();
            Some(format!("RESTORE_REPORT Restore Duration: {ms:.2} ms{}\n", outcome(what)))
        }
        "platform.extension" => {
            let text = |name: &str| what[name].as_str().unwrap_or_default();
            let events = what["events"].as_array().into_iter().flatten();
            let events: Vec<_> = events.filter_map(Value::as_str).collect();
            let error_type = what["errorType"].as_str();
            let error_type = error_type.map(|e| format!("\tError Type: {e}")).unwrap_or_default();
            let (name, state, events) = (text("name"), text("state"), events.join(","));
            Some(format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{events}]{error_type}\n"))
        }
        "function" => Some(function_text(what)),
        _ => None,
    }
}

/// As Lambda's JSON log format has it, without the records below INFO.
fn json_line(record: &Value) -> Option<String> {
    let is_failure = record["record"]["status"] != "success";
    match record["type"].as_str()? {
        "platform.start"
        | "platform.report"
        | "platform.initStart"
        | "platform.restoreStart"
        | "platform.restoreReport"
        | "platform.extension" => Some(record.to_string()),
        // WARN if it failed, else DEBUG.
        "platform.initRuntimeDone"
        | "platform.initReport"
        | "platform.restoreRuntimeDone"
        | "platform.runtimeDone" => is_failure.then(|| record.to_string()),
        "function" => Some(function_text(&record["record"])),
        _ => None,
    }
}

fn function_text(record: &Value) -> String {
    record.as_str().map_or_else(|| record.to_string(), str::to_owned)
}

fn events(fixture: &Fixture, line: fn(&Value) -> Option<String>) -> Vec<Event> {
    let mut events: Vec<Event> = records(fixture)
        .iter()
        .filter_map(|record| {
            let at = Timestamp::parse(record["time"].as_str()?)?;
            Some(Event { at, message: line(record)? })
        })
        .collect();
    // CloudWatch Logs orders them by time.
    events.sort_by_key(|event| event.at);
    events
}

/// As `aws logs filter-log-events` prints them.
fn filtered(events: &[Event]) -> String {
    let event = |(n, event): (usize, &Event)| {
        json!({
            "logStreamName": STREAM, "timestamp": event.at.as_ms(), "message": event.message,
            "ingestionTime": event.at.as_ms() + 1_500, "eventId": n.to_string(),
        })
    };
    let events: Vec<Value> = events.iter().enumerate().map(event).collect();
    let document = json!({"events": events, "searchedLogStreams": [
        {"logStreamName": STREAM, "searchedCompletely": true}]});
    serde_json::to_string_pretty(&document).unwrap()
}

/// As `aws logs get-log-events` prints them.
fn got(events: &[Event]) -> String {
    let event = |event: &Event| {
        let at = event.at.as_ms();
        json!({"timestamp": at, "message": event.message, "ingestionTime": at + 1_500})
    };
    let events: Vec<Value> = events.iter().map(event).collect();
    json!({"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}).to_string()
}

/// As `aws logs tail` prints them.
fn tailed(events: &[Event]) -> String {
    let line = |Event { at, message }: &Event| {
        let at = at.to_string().replace('Z', "000+00:00");
        format!("{at} {STREAM} {}\n", message.trim_end_matches('\n'))
    };
    events.iter().map(line).collect()
}

/// As an export to S3 or the console has them.
fn exported(events: &[Event]) -> String {
    let line = |Event { at, message }: &Event| format!("{at} {}\n", message.trim_end_matches('\n'));
    events.iter().map(line).collect()
}

/// As a person copies them: without times but those in the function's own lines.
fn copied(events: &[Event]) -> String {
    let line = |event: &Event| format!("{}\n", event.message.trim_end_matches('\n'));
    events.iter().map(line).collect()
}

/// Whether a log shows a problem as surely as telemetry does. It holds no INVOKE with its deadline and
/// trace header, no SHUTDOWN, and nothing of lost telemetry; and as text no runtimeDone either, but
/// for the time of its END, so that the report must tell.
fn is_visible(fixture: &Fixture, expected: &Value) -> bool {
    let problem = &expected["diagnosis"]["problem"];
    let Some(Detector { signs, .. }) = detectors().iter().find(|d| problem == d.problem) else {
        return false;
    };
    let is_outside = |sign: &&Sign| matches!(sign, Sign::FailedRequest | Sign::State);
    if signs.iter().filter(|sign| !is_outside(sign)).all(|sign| *sign == Sign::Log) {
        return true;
    }
    let id = expected.get("requestId");
    records(fixture).iter().any(|record| {
        let what = &record["record"];
        match record["type"].as_str().unwrap_or_default() {
            "platform.report" => {
                signs.iter().any(|s| matches!(s, Sign::Report | Sign::RuntimeDone))
                    && id == what.get("requestId")
            }
            "platform.initReport" | "platform.restoreReport" => {
                signs.contains(&Sign::InitDone) && id.is_none() && what["status"] != "success"
            }
            "platform.extension" => {
                signs.contains(&Sign::Extension) && id.is_none() && !what["errorType"].is_null()
            }
            _ => false,
        }
    })
}

/// Whether the fixture is of the usual settings, and its runtimeDones and reports tell the same: a log
/// holds the reports alone.
fn is_of_one_account(fixture: &Fixture) -> bool {
    let records = records(fixture);
    let durations = |kind: &'static str| {
        let of_kind = records.iter().filter(move |record| record["type"] == kind);
        of_kind
            .map(|record| &record["record"])
            .map(|r| (&r["requestId"], &r["metrics"]["durationMs"]))
    };
    let differs = |(id, ms): (&Value, &Value)| {
        durations("platform.report").any(|(other, other_ms)| other == id && other_ms != ms)
    };
    fixture.given.is_null() && !durations("platform.runtimeDone").any(differs)
}

/// Causes of a timeout that a log does not tell.
fn is_of_telemetry(cause: &Value) -> bool {
    ["slow-init", "extension-overhead"].iter().any(|known| cause == *known)
}

/// What must be so however it is seen.
fn essence(line: &Value) -> Value {
    let diagnosis = &line["diagnosis"];
    let mut essence = json!({"diagnosis": {}});
    for name in ["problem", "stage", "cause"] {
        if let Some(value) = diagnosis.get(name).filter(|value| !is_of_telemetry(value)) {
            essence["diagnosis"][name] = value.clone();
        }
    }
    if let Some(id) = line.get("requestId") {
        essence["requestId"] = id.clone();
    }
    essence
}

/// Whether a line stands for just so many of those that are missing, and takes them away: where a log
/// has no times all of it is of one minute, and after 20 lines of a problem the rest becomes one.
fn tells_the_rest(line: &Value, lines: &[Value], missing: &mut Vec<Value>) -> bool {
    let problem = &line["diagnosis"]["problem"];
    let singly = lines.iter().filter(|line| line.get("requestId").is_some());
    if line.get("requestId").is_some()
        || singly.filter(|l| l["diagnosis"]["problem"] == *problem).count() < 20
    {
        return false;
    }
    let count = line["Problems"].as_u64().or(line["SuspectedProblems"].as_u64());
    let (of_it, others): (Vec<_>, Vec<_>) = missing.drain(..).partition(|part| {
        ["problem", "stage"].iter().all(|name| part["diagnosis"][name] == line["diagnosis"][name])
    });
    let is_rest = count == Some(of_it.len() as u64);
    *missing = if is_rest { others } else { of_it.into_iter().chain(others).collect() };
    is_rest
}

fn assert_seen(how: &str, line: fn(&Value) -> Option<String>, write: fn(&[Event]) -> String) {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for fixture in told_by_records().into_iter().filter(is_of_one_account) {
        let timeout = fixture.steps.iter().find_map(|step| match step {
            Step::Event(event) => {
                let at = Timestamp::parse(event["at"].as_str()?)?;
                let ms = event["next"]["deadlineMs"].as_u64()?.saturating_sub(at.as_ms());
                (event["next"]["eventType"] == "INVOKE").then(|| ms.div_ceil(1_000))
            }
            Step::Records(_) => None,
        });
        let timeout = format!("--timeout={}", timeout.unwrap_or(3).clamp(1, 900));
        let input = write(&events(&fixture, line));
        if input.is_empty() {
            continue;
        }
        let lines = run(&["replay", &timeout], input.as_bytes()).lines();
        let name = &fixture.name;
        let mut missing = Vec::new();
        for expected in fixture.expected.iter().filter(|e| is_visible(&fixture, e)) {
            let part = essence(expected);
            let is_found = lines.iter().any(|line| holds(line, &part));
            if !is_found {
                missing.push(part);
            }
            seen += 1;
        }
        let is_expected = |line: &&Value| fixture.expected.iter().any(|e| holds(line, &essence(e)));
        for line in &lines {
            if !is_expected(&line) && !tells_the_rest(line, &lines, &mut missing) {
                wrong.push(format!("{name}: not expected: {line}\nin\n{input}"));
            }
        }
        for part in missing {
            wrong.push(format!("{name}: no {part}\namong {lines:?}\nin\n{input}"));
        }
    }
    assert!(wrong.is_empty(), "{how}: {}", wrong.join("\n\n"));
    assert!(seen > 50, "{how}: only {seen} were to be seen");
}

#[test]
fn of_filter_log_events() {
    assert_seen("filter-log-events", text_line, filtered);
}

#[test]
fn of_get_log_events() {
    assert_seen("get-log-events", text_line, got);
}

#[test]
fn of_logs_tail() {
    assert_seen("logs tail", text_line, tailed);
}

#[test]
fn of_an_export() {
    assert_seen("export", text_line, exported);
}

#[test]
fn of_a_copy() {
    assert_seen("copy", text_line, copied);
}

#[test]
fn of_the_json_log_format() {
    assert_seen("JSON log format", json_line, filtered);
}

#[test]
fn of_the_json_log_format_as_text() {
    assert_seen("JSON log format, tailed", json_line, tailed);
}
