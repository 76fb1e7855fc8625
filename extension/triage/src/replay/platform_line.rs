//! Lambda's own lines in a function's log group, as the telemetry records that say the same.
//!
//! In the [text log format][1] they are `START`, `END`, `REPORT`, `INIT_START`, `INIT_REPORT`,
//! `RESTORE_START`, `RESTORE_REPORT`, `EXTENSION`, `TELEMETRY` and `LOGS` lines; in the JSON log format
//! they are the telemetry records themselves.
//!
//! [1]: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html

use super::labelled::{Labelled, is_request_id};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use triage_diagnosis::{InvocationReport, Status};

/// What an event of a log group is.
#[derive(Debug, PartialEq)]
pub(crate) enum PlatformLine<'a> {
    /// A telemetry record, as JSON. One made of text has no time.
    Record(Cow<'a, str>),
    /// `END RequestId: …`: nothing that its report does not say, but when.
    End(String),
    /// `RequestId: … Error: Runtime exited with error: …`
    Broken {
        /// The invocation's request id.
        request_id: String,
        /// The platform's name for the error.
        error_type: String,
    },
    /// What Lambda Triage wrote itself.
    Own,
    /// Anything else: the function's, or another extension's.
    Function,
}

/// Reads an event's text.
pub(crate) fn read(message: &str) -> PlatformLine<'_> {
    let message = message.trim();
    if message.starts_with('{') {
        return json_line(message);
    }
    // The extension's own log.
    if message.starts_with("lambda-triage ") || message.starts_with("lambda-triage: ") {
        return PlatformLine::Own;
    }
    let (word, rest) = message.split_once([' ', '\t', ':']).unwrap_or((message, ""));
    let fields = || Labelled::read(message);
    let record = match word {
        "START" => request(&fields(), "platform.start", |f| json!({"version": f.text("Version")})),
        "END" => {
            let is_end = rest.lines().count() == 1;
            let id = fields().request_id().filter(|_| is_end);
            return id.map_or(PlatformLine::Function, |id| PlatformLine::End(id.to_owned()));
        }
        "RequestId" => return broken(message).unwrap_or(PlatformLine::Function),
        "REPORT" => request(&fields(), "platform.report", report),
        "INIT_START" => fields().has("Runtime Version").then(|| init_start(&fields())),
        "INIT_REPORT" => fields().has("Init Duration").then(|| init_report(&fields())),
        "RESTORE_START" => fields().has("Runtime Version").then(|| {
            record(
                "platform.restoreStart",
                &json!({"runtimeVersion": fields().text("Runtime Version")}),
            )
        }),
        "RESTORE_REPORT" => fields()
            .has("Restore Duration")
            .then(|| record("platform.restoreReport", &outcome(&fields(), "Restore Duration"))),
        "EXTENSION" => subscriber(&fields(), "platform.extension", "events", "Events"),
        "TELEMETRY" => subscriber(&fields(), "platform.telemetrySubscription", "types", "Types"),
        "LOGS" => subscriber(&fields(), "platform.logsSubscription", "types", "Types"),
        // With its report on the next line.
        "XRAY" => Some(record("platform.xray", &Value::Null)).filter(|_| fields().has("SegmentId")),
        _ => None,
    };
    record.map_or(PlatformLine::Function, |record| PlatformLine::Record(Cow::Owned(record)))
}

/// The platform.runtimeDone that tells the same as a report.
pub(crate) fn runtime_done(report: &InvocationReport) -> String {
    let status = match report.status {
        Status::Success => Some("success"),
        Status::Failure => Some("failure"),
        Status::Error => Some("error"),
        Status::Timeout => Some("timeout"),
        Status::Unknown => None,
    };
    record(
        "platform.runtimeDone",
        &json!({
            "requestId": report.request_id,
            "status": status,
            "errorType": report.error_type,
            "metrics": {"durationMs": report.duration_ms},
        }),
    )
}

fn record(kind: &str, record: &Value) -> String {
    json!({"type": kind, "record": without_nulls(record)}).to_string()
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        value => value.clone(),
    }
}

/// A record of an invocation, with what else it says; None without a request id.
fn request(
    labelled: &Labelled<'_>,
    kind: &str,
    what: impl FnOnce(&Labelled<'_>) -> Value,
) -> Option<String> {
    let mut fields = what(labelled);
    fields["requestId"] = json!(labelled.request_id()?);
    Some(record(kind, &fields))
}

fn report(fields: &Labelled<'_>) -> Value {
    let mut record = outcome(fields, "Duration");
    for (name, label) in [
        ("billedDurationMs", "Billed Duration"),
        ("initDurationMs", "Init Duration"),
        ("maxMemoryUsedMB", "Max Memory Used"),
        ("memorySizeMB", "Memory Size"),
        ("restoreDurationMs", "Restore Duration"),
    ] {
        record["metrics"][name] = json!(fields.number(label));
    }
    record
}

/// How it ended, and after which time.
fn outcome(fields: &Labelled<'_>, duration: &str) -> Value {
    json!({
        "status": fields.text("Status"),
        "errorType": fields.text("Error Type"),
        "metrics": {"durationMs": fields.number(duration)},
    })
}

fn init_start(fields: &Labelled<'_>) -> String {
    let version = fields.text("Runtime Version");
    let arn = fields.text("Runtime Version ARN");
    record("platform.initStart", &json!({"runtimeVersion": version, "runtimeVersionArn": arn}))
}

fn init_report(fields: &Labelled<'_>) -> String {
    let mut outcome = outcome(fields, "Init Duration");
    outcome["phase"] = json!(fields.text("Phase"));
    record("platform.initReport", &outcome)
}

fn subscriber(fields: &Labelled<'_>, kind: &str, list: &str, label: &str) -> Option<String> {
    let name = fields.text("Name")?;
    let state = fields.text("State")?;
    let items = fields.text(label).unwrap_or_default();
    let items = items.trim_matches(['[', ']']).split(',').map(str::trim);
    let items: Vec<_> = items.filter(|item| !item.is_empty()).collect();
    let error_type = fields.text("Error Type");
    Some(record(kind, &json!({"name": name, "state": state, list: items, "errorType": error_type})))
}

/// `RequestId: ID Error: Runtime exited with error: signal: killed` and, on the next line, the
/// platform's name for it.
fn broken(message: &str) -> Option<PlatformLine<'_>> {
    let (id, error) = message.strip_prefix("RequestId: ")?.split_once(' ')?;
    let text = error.strip_prefix("Error: ").filter(|_| is_request_id(id))?;
    let named = text.split_whitespace().next_back().filter(|word| is_error_type(word));
    let is_exit = text.starts_with("Runtime exited ");
    let error_type = named.or(is_exit.then_some("Runtime.ExitError"))?.to_owned();
    Some(PlatformLine::Broken { request_id: id.to_owned(), error_type })
}

fn is_error_type(word: &str) -> bool {
    let kinds = ["Runtime", "Function", "Sandbox", "Extension"];
    word.split_once('.').is_some_and(|(kind, name)| {
        kinds.contains(&kind) && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn json_line(message: &str) -> PlatformLine<'_> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow)]
        record: &'a serde_json::value::RawValue,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        diagnosis: Diagnosis<'a>,
    }
    #[derive(Deserialize)]
    struct Diagnosis<'a> {
        #[serde(borrow)]
        problem: Cow<'a, str>,
        #[serde(borrow)]
        stage: Cow<'a, str>,
        occurrences: u64,
    }
    // Neither is looked for in every line that is JSON.
    if memchr::memmem::find(message.as_bytes(), b"\"platform.").is_some()
        && let Ok(Kind { r#type, record }) = serde_json::from_str(message)
        && r#type.starts_with("platform.")
        && record.get().starts_with('{')
    {
        return PlatformLine::Record(Cow::Borrowed(message));
    }
    if memchr::memmem::find(message.as_bytes(), b"\"diagnosis\"").is_some()
        && let Ok(Told { diagnosis }) = serde_json::from_str(message)
        && !diagnosis.problem.is_empty()
        && ["confirmed", "suspected", "imminent"].contains(&diagnosis.stage.as_ref())
        && diagnosis.occurrences > 0
    {
        return PlatformLine::Own;
    }
    PlatformLine::Function
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";

    /// The record of a line, if it has one.
    fn json_of(line: &str) -> Option<Value> {
        match read(line) {
            PlatformLine::Record(json) => Some(serde_json::from_str(&json).unwrap()),
            _ => None,
        }
    }

    #[test]
    fn a_report_says_all_that_the_record_would() {
        let line = format!(
            "REPORT RequestId: {ID}\tDuration: 3000.40 ms\tBilled Duration: 3001 ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\tInit Duration: 250.10 ms\tStatus: timeout\tError Type: Sandbox.Timedout\t\nXRAY TraceId: 1-65e1c2f0-000000000000000000000000\tSegmentId: 0000000000000001\tSampled: true\t\n"
        );
        let expected = json!({"type": "platform.report", "record": {
            "requestId": ID, "status": "timeout", "errorType": "Sandbox.Timedout",
            "metrics": {"durationMs": 3000.4, "billedDurationMs": 3001.0, "memorySizeMB": 128.0,
                "maxMemoryUsedMB": 61.0, "initDurationMs": 250.1},
        }});
        assert_eq!(json_of(&line), Some(expected.clone()));
        assert_eq!(json_of(&line.replace('\t', "  ")), Some(expected), "as it is copied");
        let least = format!("REPORT RequestId: {ID}\tDuration: 2.01 ms");
        let expected = json!({"type": "platform.report", "record": {"requestId": ID, "metrics": {"durationMs": 2.01}}});
        assert_eq!(json_of(&least), Some(expected));
    }

    #[test]
    fn the_other_lines_are_read() {
        for (line, kind, record) in [
            (
                format!("START RequestId: {ID} Version: $LATEST"),
                "start",
                json!({"requestId": ID, "version": "$LATEST"}),
            ),
            (
                "INIT_START Runtime Version: python:3.13.v31\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0ab1".to_owned(),
                "initStart",
                json!({"runtimeVersion": "python:3.13.v31", "runtimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:0ab1"}),
            ),
            (
                "INIT_REPORT Init Duration: 10008.64 ms\tPhase: init\tStatus: timeout".to_owned(),
                "initReport",
                json!({"phase": "init", "status": "timeout", "metrics": {"durationMs": 10008.64}}),
            ),
            (
                "INIT_REPORT Init Duration: 130.19 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError".to_owned(),
                "initReport",
                json!({"phase": "invoke", "status": "error", "errorType": "Runtime.ExitError", "metrics": {"durationMs": 130.19}}),
            ),
            (
                "RESTORE_REPORT Restore Duration: 1047.02 ms\tStatus: timeout".to_owned(),
                "restoreReport",
                json!({"status": "timeout", "metrics": {"durationMs": 1047.02}}),
            ),
            (
                "EXTENSION\tName: lambda-triage\tState: Ready\tEvents: [INVOKE, SHUTDOWN]".to_owned(),
                "extension",
                json!({"name": "lambda-triage", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}),
            ),
            (
                "EXTENSION\tName: other-agent\tState: InitError\tEvents: [INVOKE,SHUTDOWN]\tError Type: Extension.InitError\n".to_owned(),
                "extension",
                json!({"name": "other-agent", "state": "InitError", "events": ["INVOKE", "SHUTDOWN"], "errorType": "Extension.InitError"}),
            ),
            (
                "TELEMETRY\tName: lambda-triage\tState: Subscribed\tTypes: [Platform,Function]".to_owned(),
                "telemetrySubscription",
                json!({"name": "lambda-triage", "state": "Subscribed", "types": ["Platform", "Function"]}),
            ),
        ] {
            let expected = json!({"type": format!("platform.{kind}"), "record": record});
            assert_eq!(json_of(&line), Some(expected), "{line}");
        }
        assert_eq!(read(&format!("END RequestId: {ID}\n")), PlatformLine::End(ID.to_owned()));
    }

    #[test]
    fn a_broken_runtime_is_named() {
        for (text, error_type) in [
            (
                "Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
                "Runtime.ExitError",
            ),
            (
                "Error: Runtime exited without providing a reason\nRuntime.ExitError",
                "Runtime.ExitError",
            ),
            ("Error: Runtime exited with error: exit status 1", "Runtime.ExitError"),
            (
                "Error: fork/exec /var/task/bootstrap: no such file\nRuntime.InvalidEntrypoint",
                "Runtime.InvalidEntrypoint",
            ),
        ] {
            let line = format!("RequestId: {ID} {text}");
            let PlatformLine::Broken { request_id, error_type: found } = read(&line) else {
                panic!("{line}");
            };
            assert_eq!((request_id.as_str(), found.as_str()), (ID, error_type));
        }
    }

    #[test]
    fn what_a_function_writes_is_the_functions() {
        for line in [
            "",
            "START",
            "START RequestId: 7 Version: 1",
            "REPORT of the day: 7",
            "END",
            "INIT_START of the game",
            "EXTENSION of the deadline",
            "RequestId: not found",
            "{\"type\":\"platform.start\"}",
            "{\"message\":\"a \\\"platform.start\\\"\"}",
            "{\"diagnosis\":\"flu\",\"level\":\"ERROR\"}",
            "{not json",
        ] {
            assert_eq!(read(line), PlatformLine::Function, "{line}");
        }
    }

    #[test]
    fn the_json_log_format_has_the_records_themselves() {
        let line = format!(
            "{{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":\"platform.start\",\"record\":{{\"requestId\":\"{ID}\"}}}}"
        );
        assert_eq!(read(&line), PlatformLine::Record(Cow::Borrowed(&line)));
    }

    #[test]
    fn what_lambda_triage_wrote_is_known() {
        let told = r#"{"timestamp":"2026-03-01T12:00:00.020Z","level":"ERROR","message":"x","diagnosis":{"problem":"kms-disabled","stage":"confirmed","occurrences":1,"evidence":{"excerpt":"DisabledException: KMS"}}}"#;
        assert_eq!(read(told), PlatformLine::Own);
        assert_eq!(read("lambda-triage WARN x"), PlatformLine::Own);
    }
}
