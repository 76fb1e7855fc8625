//! The habits of AWS's own Runtime Interface Emulator, which cannot be installed by name, as a
//! script and as settings of the local Lambda.
//!
//! Classic: no Telemetry API, reasons of its own for SHUTDOWN, and after a timeout the extension is
//! started again with the next invocation. Managed Instances: no INVOKE events, one schema version,
//! bounds on the buffering.

use crate::running::{BINARY, Running};
use crate::stand_in::{Answer, Call, PATIENCE, StandIn, now_ms};
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, InitializationType, Invocation, InvocationOutcome,
    LogEvent, LogSource, LogStream, Sandbox, ShutdownReason, Status, SubscriptionAnswer,
    cargo_example,
};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const NOT_SUPPORTED: &str =
    r#"{"errorType":"Telemetry.NotSupported","errorMessage":"Telemetry API is not supported"}"#;

/// A new extension process, as the emulator starts one, in its first invocation.
fn started_anew(request_id: &str) -> (StandIn, Running) {
    let api = StandIn::start();
    api.script(Call::Subscribe, Answer::Status(202, NOT_SUPPORTED.to_owned()));
    api.invoke(request_id);
    let extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 2);
    (api, extension)
}

/// The problems on standard output with the invocations they are about.
/// What happened, and was not merely about to.
fn problems(lines: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["diagnosis"]["stage"] != "imminent")
        .map(|line| (text(&line["diagnosis"]["problem"]), text(&line["requestId"])))
        .collect()
}

fn assert_one_complaint(stderr: &str) {
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("202") && stderr.contains("Telemetry.NotSupported"), "{stderr}");
}

#[test]
fn without_telemetry_a_timeout_is_told_by_the_shutdown_each_time_it_is_started_anew() {
    for request_id in ["first", "second", "third"] {
        let (api, mut extension) = started_anew(request_id);
        api.shutdown("Timeout");
        assert_eq!(extension.wait().0.code(), Some(0));
        let told = vec![("timeout".to_owned(), request_id.to_owned())];
        assert_eq!(problems(&extension.stdout()), told);
        assert_one_complaint(&extension.stderr());
        assert_eq!(api.seen(Call::Subscribe).len(), 1);
        assert_eq!(api.seen(Call::Other).len(), 0);
    }
}

#[test]
fn its_other_reasons_are_no_timeout() {
    for reason in ["ReleaseFail", "SandboxTerminated"] {
        let (api, mut extension) = started_anew("a");
        api.invoke("b");
        api.wait_for(Call::Next, 3);
        api.shutdown(reason);
        assert_eq!(extension.wait().0.code(), Some(0), "{reason}");
        assert_eq!(extension.stdout(), "", "{reason}");
        assert_one_complaint(&extension.stderr());
    }
}

/// It suspends a poll until there is an event, and refuses another one meanwhile; the event then
/// goes to the first, whose connection may be gone.
#[test]
fn a_second_poll_is_refused_until_the_event_that_the_first_was_for_is_lost() {
    let (api, mut extension) = started_anew("a");
    let asked = api.seen(Call::Next).len();
    let refusal = r#"{"errorType":"Extension.InvalidExtensionState"}"#;
    api.script(Call::Next, Answer::Reset);
    for _ in 0..4 {
        api.script(Call::Next, Answer::Status(403, refusal.to_owned()));
    }
    api.wait_for(Call::Next, asked + 5);
    api.invoke("c");
    api.wait_for(Call::Next, asked + 6);
    api.shutdown("Timeout");
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(problems(&extension.stdout()), [("timeout".to_owned(), "c".to_owned())]);
}

/// What it checks a subscription for in Managed Instances mode.
fn is_valid_subscription(body: &Value) -> bool {
    let within = |name: &str, least: u64, most: u64| {
        let value = &body["buffering"][name];
        value.is_null() || value.as_u64().is_some_and(|value| (least..=most).contains(&value))
    };
    let known = ["platform", "function", "extension"];
    let mut types = body["types"].as_array().unwrap().iter();
    body["schemaVersion"] == "2025-01-29"
        && types.all(|kind| known.iter().any(|known| kind == known))
        && body["destination"]["protocol"] == "HTTP"
        && within("maxItems", 1_000, 10_000)
        && within("maxBytes", 262_144, 1_048_576)
        && within("timeoutMs", 25, 30_000)
}

#[test]
fn its_managed_instances_take_the_first_subscription() {
    let api = StandIn::start();
    let kind = ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances");
    let mut extension = Running::start(&api, &[kind]);
    api.wait_for(Call::Next, 1);
    assert_eq!(api.seen(Call::Register)[0].body, r#"{"events":["SHUTDOWN"]}"#);
    let asked = api.seen(Call::Subscribe);
    assert_eq!(asked.len(), 1);
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert!(is_valid_subscription(&body), "{body}");
    let event = json!({"eventType": "SHUTDOWN", "shutdownReason": "SandboxTerminated", "deadlineMs": now_ms() + 2_000});
    api.event(event.to_string());
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(extension.stdout() + &extension.stderr(), "");
}

fn config(function: FunctionConfig) -> Config {
    let command = cargo_example("fixture_function").unwrap();
    let function = FunctionConfig {
        name: "orders".into(),
        command: vec![command.to_string_lossy().into_owned()],
        ..function
    };
    let extensions = vec![ExtensionConfig::new(BINARY)];
    Config { function, extensions, ..Config::default() }
}

async fn invoke(sandbox: &Sandbox, steps: Value) -> InvocationOutcome {
    sandbox.invoke(Invocation::new(json!({ "steps": steps }).to_string())).await.unwrap()
}

/// Ends it, and gives what its extensions told and what they complained of.
async fn end(sandbox: &Sandbox) -> (Vec<(String, String)>, Vec<String>) {
    sandbox.shutdown(ShutdownReason::Spindown).await;
    for exit in sandbox.extension_exits() {
        assert!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for event in sandbox.log() {
        match (&event.source, event.stream) {
            (LogSource::Extension(_), LogStream::Stdout) => stdout.push(event.text),
            (LogSource::Extension(_), LogStream::Stderr) => stderr.push(event.text),
            _ => {}
        }
    }
    (problems(&stdout.join("\n")), stderr)
}

/// With real processes, started anew within the next invocation.
#[tokio::test(flavor = "multi_thread")]
async fn without_telemetry_real_timeouts_are_told_once_each() {
    let timeout = Duration::from_millis(1_500);
    let mut config = config(FunctionConfig { timeout, ..FunctionConfig::default() });
    config.telemetry.answer = SubscriptionAnswer::NotSupported;
    let sandbox = Sandbox::start(config).await.unwrap();
    let mut expected = Vec::new();
    for _ in 0..2 {
        assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
        let hung = invoke(&sandbox, json!([{"sleep_ms": 60_000}])).await;
        assert_eq!(hung.status, Status::Timeout);
        expected.push(("timeout".to_owned(), hung.request_id));
    }
    let broken = invoke(&sandbox, json!([{"exit": 3}])).await;
    assert_eq!(broken.status, Status::Failure);
    // Of this SHUTDOWN alone tells.
    expected.push(("runtime-crash".to_owned(), broken.request_id));
    let (told, complaints) = end(&sandbox).await;
    assert_eq!(told, expected);
    assert_eq!(sandbox.extension_exits().len(), 3);
    assert_eq!(complaints.len(), 3, "one each: {complaints:?}");
    complaints.iter().for_each(|complaint| assert_one_complaint(complaint));
}

/// With or without being told what it is started as.
#[tokio::test(flavor = "multi_thread")]
async fn its_managed_instances_are_watched_by_the_newest_schema_alone() {
    for told in [true, false] {
        let timeout = Duration::from_secs(1);
        let initialization_type = InitializationType::ManagedInstances;
        let function = FunctionConfig { timeout, initialization_type, ..FunctionConfig::default() };
        let mut config = config(function);
        config.telemetry.schema_versions = vec!["2025-01-29".to_owned()];
        let directory = tempfile::tempdir().unwrap();
        if !told {
            let script = directory.path().join("lambda-triage");
            let without = "#!/bin/sh\nunset AWS_LAMBDA_INITIALIZATION_TYPE\nexec";
            std::fs::write(&script, format!("{without} '{BINARY}'\n")).unwrap();
            std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
            config.extensions = vec![ExtensionConfig::new(script)];
        }
        let sandbox = Sandbox::start(config).await.unwrap();
        let hung = invoke(&sandbox, json!([{"sleep_ms": 1_200}])).await;
        assert_eq!(hung.status, Status::Timeout);
        // A timeout ends nothing here: it is told by the report, while the instance runs on.
        let is_line = |event: &LogEvent| event.text.contains(r#""problem":"timeout""#);
        sandbox.wait_for_log(is_line, PATIENCE).await.unwrap();
        let (problems, complaints) = end(&sandbox).await;
        assert_eq!(problems, [("timeout".to_owned(), hung.request_id)]);
        let refused = complaints.iter().filter(|c| c.contains("Extension.InvalidEventType"));
        assert_eq!(refused.count(), usize::from(!told), "{complaints:?}");
        assert_eq!(complaints.len(), usize::from(!told), "{complaints:?}");
    }
}
