//! What makes a detector fire, changed until it is a mention: every detector must be silent then. The
//! mentions are made of all fixtures that fire and of all texts of all detectors, so that a new detector
//! is held to it without more ado.

use crate::corpus::{Healthy, LoggingFunction};
use crate::loggers::LOGGERS;
use crate::replay::{Fixture, Step, fixtures};
use crate::silence::assert_silent;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use triage_diagnosis::detectors;

/// Detectors of texts none of whose fixtures has a log record that fires by itself, and why.
const NEVER_ALONE: [(&str, &str); 0] = [];

/// A log record after which something comes out, even if it is the only one.
struct Firing {
    fixture: String,
    record: Value,
}

fn firing() -> Vec<Firing> {
    let mut function = LoggingFunction::new();
    let mut firing = Vec::new();
    for fixture in fixtures().iter().filter(|fixture| !fixture.expected.is_empty()) {
        for record in log_records(fixture) {
            if !function.invocation([record.to_string().as_str()]).is_empty() {
                firing.push(Firing { fixture: fixture.name.clone(), record });
            }
        }
    }
    firing
}

fn log_records(fixture: &Fixture) -> Vec<Value> {
    let records = fixture.steps.iter().flat_map(|step| match step {
        Step::Records(records) => records.as_slice(),
        Step::Event(_) => &[],
    });
    let mut records: Vec<Value> = records
        .map(|record| serde_json::from_str(record).unwrap())
        .filter(|record: &Value| record["type"] == "function")
        .map(|mut record| record["record"].take())
        .collect();
    // A storm's records are all the same.
    records.dedup();
    records
}

/// What the function printed, as text; None for what it logged as JSON.
fn text(record: &Value) -> Option<&str> {
    record.as_str().filter(|text| !text.trim_start().starts_with(['{', '[']) || is_marked(text))
}

/// `[ERROR] …`, which is no JSON.
fn is_marked(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_err() && text.starts_with('[')
}

/// The text without the time, the request id and the level that a logger put before it.
fn bare(text: &str) -> &str {
    let is_mark = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let levels =
            ["ERROR", "WARN", "WARNING", "SEVERE", "FATAL", "FAIL", "ERR", "CRITICAL", "E"];
        word.bytes().all(|b| b.is_ascii_digit())
            || levels.iter().any(|level| word.eq_ignore_ascii_case(level))
            || word.strip_prefix("level=").is_some()
            || word.starts_with(|c: char| c.is_ascii_digit())
                && word.contains(['-', ':', '/'])
                && !word.contains("arn")
            || word.len() == 36 && word.bytes().filter(|b| *b == b'-').count() == 4
    };
    let mut rest = text.trim_start();
    while let Some((word, after)) = rest.split_once([' ', '\t'])
        && is_mark(word)
        && !word.contains('\n')
    {
        rest = after.trim_start();
    }
    rest
}

fn mention(records: &mut Vec<Healthy>, of: &str, record: &Value) {
    let line = records.len() + 1;
    records.push(Healthy { file: of.to_owned(), line, record: record.to_string() });
}

#[test]
fn each_detector_of_texts_has_a_record_that_fires_alone() {
    let firing = firing();
    for detector in detectors().iter().filter(|detector| !detector.texts.is_empty()) {
        let folder = format!("{}/", detector.problem);
        let is_there = firing.iter().any(|firing| firing.fixture.starts_with(&folder));
        let is_excused = NEVER_ALONE.iter().any(|(problem, _)| *problem == detector.problem);
        assert!(is_there != is_excused, "{}", detector.problem);
    }
}

#[test]
fn an_error_at_a_level_below_warning_is_a_mention() {
    let mut records = Vec::new();
    for Firing { fixture, record } in firing() {
        let levels = ["INFO", "DEBUG", "TRACE"];
        if let Some(text) = text(&record) {
            let text = bare(text);
            for logger in LOGGERS.iter().filter(|logger| logger.has_level()) {
                for level in levels {
                    let record = serde_json::from_str(&logger.record(level, text)).unwrap();
                    mention(&mut records, &fixture, &record);
                }
            }
            continue;
        }
        let (json, is_text) = match &record {
            Value::String(text) => (serde_json::from_str(text).unwrap_or(Value::Null), true),
            json => (json.clone(), false),
        };
        for level in levels {
            let Some(json) = at_level(&json, level) else { continue };
            let record = if is_text { json!(json.to_string()) } else { json };
            mention(&mut records, &fixture, &record);
        }
    }
    assert_silent(&records);
}

/// The same object at another level.
fn at_level(json: &Value, level: &str) -> Option<Value> {
    let mut fields = json.as_object()?.clone();
    let keys = ["level", "levelname", "severity", "LogLevel", "log.level", "@l", "SeverityText"];
    let mut has_level = false;
    for key in keys {
        if let Some(value) = fields.get_mut(key) {
            *value = json!(level);
            has_level = true;
        }
    }
    if !has_level {
        fields.insert("level".into(), json!(level));
    }
    Some(Value::Object(fields))
}

#[test]
fn an_error_in_prose_is_a_mention() {
    const PROSE: [(&str, &str); 7] = [
        ("we saw ", " yesterday in staging"),
        ("for example: ", ""),
        ("a customer wrote: \"", "\""),
        ("the documentation says: ", " (chapter 4)"),
        ("yesterday in staging: ", ""),
        ("ticket 4711 says \"", "\" and was closed"),
        ("what is meant by it, e.g. ", "?"),
    ];
    let mut records = Vec::new();
    for Firing { fixture, record } in firing() {
        let Some(line) = text(&record).and_then(|text| bare(text).lines().next()) else { continue };
        for (before, after) in PROSE {
            let prose = format!("{before}{line}{after}");
            mention(&mut records, &fixture, &json!(prose));
            mention(&mut records, &fixture, &json!({"id": 7, "text": prose}));
        }
    }
    assert_silent(&records);
}

/// The names of errors that detectors look for.
fn names() -> BTreeSet<&'static str> {
    let texts = detectors().iter().flat_map(|detector| detector.texts);
    let names = texts.filter(|text| format!("{:?}", text.shape) == "ErrorName");
    names.map(|text| text.needle).collect()
}

#[test]
fn an_errors_name_in_a_list_or_in_documentation_is_a_mention() {
    // With a sign of KMS and of EFS, so that the names that need one have it.
    const CONTEXT: &str =
        "EFS, arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
    const MENTIONS: [&str; 27] = [
        "retryable: [\"NAME\", \"Throttling\"]",
        "retryable: ['Throttling', 'NAME']",
        "retryable: [NAME, Throttling]",
        "retryable: Throttling, NAME, Timeout",
        "retry_on=Throttling,NAME,Timeout",
        "errors:\n  - Throttling\n  - NAME\n  - Timeout\n",
        "we retry on NAME and go on",
        "retry on NAME: 3 times",
        "we catch NAME",
        "see NAME.",
        "    except NAME:",
        "    except (Throttling, NAME) as e:",
        "} catch (NAME e) {",
        "throw new NAME(message)",
        "use NAME::class",
        ":raises NAME: if it is so",
        "Raises:\n    NAME: if it is so",
        "@throws NAME if it is so",
        "\"\"\"Raised as NAME by the service.\"\"\"",
        "| `NAME` | 3 |",
        "<td>NAME</td>",
        "<option value=\"NAME\">",
        "test_NAME PASSED",
        "Test.maps_NAME_to_409 ok",
        "at com.example.NAMEHandler.handle(NAMEHandler.java:8)",
        "NAME,0",
        "NAME: 0",
    ];
    let mut records = Vec::new();
    for name in names() {
        for text in MENTIONS {
            let text = format!("{}\n{CONTEXT}\n", text.replace("NAME", name));
            mention(&mut records, name, &json!(text));
        }
        for json in [
            json!({"retryable": ["Throttling", name], "context": CONTEXT}),
            json!({"level": "ERROR", "message": "gave up", "retryable": [name], "context": CONTEXT}),
            json!({"Retry": [{"ErrorEquals": [name], "MaxAttempts": 3}], "context": CONTEXT}),
            json!({"counts": {name: 0}, "context": CONTEXT}),
            json!([name, CONTEXT]),
        ] {
            mention(&mut records, name, &json);
        }
    }
    assert_silent(&records);
}
