//! The real binary on the local Lambda: freezes, deadlines, kills and real deliveries.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, InitializationType, Invocation, InvocationOutcome,
    LogEvent, LogFormat, LogSource, Sandbox, ShutdownReason, Status, cargo_example,
};
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "LambdaTriage";
const ORDERS: [(&str, &str); 1] = [("FunctionName", "orders")];

fn config(variables: &[(&str, &str)]) -> Config {
    let function = cargo_example("fixture_function").unwrap();
    let env = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Config {
        function: FunctionConfig {
            name: "orders".into(),
            timeout: Duration::from_secs(20),
            ..FunctionConfig::new([function.to_string_lossy()])
        },
        extensions: vec![ExtensionConfig {
            path: env!("CARGO_BIN_EXE_lambda-triage").into(),
            env,
            ..ExtensionConfig::default()
        }],
        ..Config::default()
    }
}

async fn invoke(sandbox: &Sandbox, steps: Value) -> InvocationOutcome {
    sandbox.invoke(Invocation::new(json!({ "steps": steps }).to_string())).await.unwrap()
}

/// What the extension has printed.
fn lines(sandbox: &Sandbox) -> Vec<String> {
    let own = LogSource::Extension("lambda-triage".to_owned());
    sandbox.log().into_iter().filter(|e| e.source == own).map(|e| e.text).collect()
}

/// The problems among them, in order.
/// The problems that happened, and were not merely about to.
fn problems(sandbox: &Sandbox) -> Vec<String> {
    let lines = lines(sandbox);
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["diagnosis"]["stage"] != "imminent")
        .map(|line| line["diagnosis"]["problem"].as_str().unwrap().to_owned())
        .collect()
}

/// Ends the sandbox, and sees to it that no extension ended before or otherwise than it should.
async fn end(sandbox: &Sandbox) {
    sandbox.shutdown(ShutdownReason::Spindown).await;
    for exit in sandbox.extension_exits() {
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(!exit.killed, "{exit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_function_sees_nothing_of_it() {
    let sandbox = Sandbox::start(config(&[])).await.unwrap();
    let mut post_runtime_ms = Vec::new();
    for n in 0..100 {
        let outcome = invoke(&sandbox, json!([{ "print": format!("order {n}") }])).await;
        assert_eq!(outcome.status, Status::Success);
        post_runtime_ms.push(outcome.post_runtime_ms);
    }
    end(&sandbox).await;
    assert_eq!(lines(&sandbox), Vec::<String>::new());
    assert!(sandbox.metrics().is_empty());
    post_runtime_ms.sort_by(f64::total_cmp);
    // Loose, for a busy machine: a wait for telemetry would be 25 ms at least.
    assert!(post_runtime_ms[50] < 10.0, "{post_runtime_ms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_told_once_and_the_next_extension_watches_on() {
    let mut config = config(&[]);
    config.function.timeout = Duration::from_millis(400);
    let sandbox = Sandbox::start(config).await.unwrap();
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    assert_eq!(invoke(&sandbox, json!([{"sleep_ms": 60_000}])).await.status, Status::Timeout);
    assert_eq!(problems(&sandbox), ["timeout"]);
    assert_eq!(sandbox.metrics().sum(NAMESPACE, &ORDERS, "Timeouts"), 1.0);
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    end(&sandbox).await;
    assert_eq!(problems(&sandbox), ["timeout"]);
    assert_eq!(sandbox.extension_exits().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_function_is_none_of_the_extension() {
    let sandbox = Sandbox::start(config(&[])).await.unwrap();
    for _ in 0..3 {
        let outcome = invoke(&sandbox, json!([{"exit": 3}])).await;
        assert_eq!(outcome.error_type.as_deref(), Some("Runtime.ExitError"), "{outcome:?}");
    }
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    end(&sandbox).await;
}

const KMS: &str = "KMSDisabledException: the key is disabled";

#[tokio::test(flavor = "multi_thread")]
async fn end_mode_tells_before_the_freeze() {
    let sandbox = Sandbox::start(config(&[("TRIAGE_FLUSH", "end")])).await.unwrap();
    // It learns that telemetry is prompt, and then waits for each invocation's: about as long as
    // the longest took, which is long here for the sake of a busy machine.
    for ms in [1_500, 100, 100] {
        invoke(&sandbox, json!([{ "sleep_ms": ms }])).await;
    }
    for told in 1..4 {
        let outcome = invoke(&sandbox, json!([{ "print": KMS }])).await;
        assert_eq!(outcome.status, Status::Success);
        // Frozen now: what was not written will not be, but the pipe may yet have to be read.
        let is_told = |event: &LogEvent| event.text.contains(&outcome.request_id);
        let is_line = |event: &LogEvent| is_told(event) && event.text.contains("kms-disabled");
        sandbox.wait_for_log(is_line, Duration::from_secs(5)).await.unwrap();
        assert_eq!(problems(&sandbox).len(), told, "{:?}", lines(&sandbox));
    }
    end(&sandbox).await;
    assert_eq!(sandbox.metrics().sum(NAMESPACE, &ORDERS, "KmsErrors"), 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_freeze_held_back_is_told_after_the_thaw_or_at_the_end() {
    let sandbox = Sandbox::start(config(&[("TRIAGE_FLUSH", "lazy")])).await.unwrap();
    for _ in 0..5 {
        // Apart, since a line without a request id belongs to whom its time says.
        invoke(&sandbox, json!([{"sleep_ms": 5}, { "print": KMS }, {"sleep_ms": 5}])).await;
    }
    end(&sandbox).await;
    assert_eq!(
        sandbox.metrics().sum(NAMESPACE, &ORDERS, "KmsErrors"),
        5.0,
        "{:?}",
        lines(&sandbox)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_managed_instances_it_watches_without_invoke_events() {
    let mut config = config(&[]);
    config.function.initialization_type = InitializationType::ManagedInstances;
    config.function.log_format = LogFormat::Json;
    let sandbox = Sandbox::start(config).await.unwrap();
    for _ in 0..3 {
        let line = json!({"level": "ERROR", "message": KMS}).to_string();
        assert_eq!(invoke(&sandbox, json!([{ "print": line }])).await.status, Status::Success);
    }
    end(&sandbox).await;
    assert!(sandbox.metrics().sum(NAMESPACE, &ORDERS, "KmsErrors") >= 1.0, "{:?}", lines(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_delivered_between_invocations_harms_nothing() {
    let sandbox = Sandbox::start(config(&[("TRIAGE_DISABLE", "telemetry-dropped")])).await.unwrap();
    let long = vec![b'x'; 2 * 1024 * 1024];
    for body in [&b""[..], b"{", b"[1,2,3]", b"\xff\xff", b"[{\"type\":\"function\"", &long] {
        assert_eq!(sandbox.deliver_raw(body.to_vec()).await, [Some(200)]);
        assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    }
    end(&sandbox).await;
    assert_eq!(lines(&sandbox), Vec::<String>::new());
}
