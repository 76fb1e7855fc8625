use std::time::Duration;

use lambda_sandbox::{
    Config, FunctionConfig, InitializationType, LifecycleConfig, Sandbox, ShutdownReason, Status,
};
use serde_json::{Value, json};

use crate::support::*;

fn managed(events: &str, timeout: Duration) -> Config {
    let function = FunctionConfig {
        initialization_type: InitializationType::ManagedInstances,
        timeout,
        // Two loops in one process: as many invocations at once.
        env: vec![("FIXTURE_CONCURRENCY".into(), "2".into())],
        ..function()
    };
    let variables = [("EVENTS", events), ("TYPES", "platform,function")];
    Config { function, extensions: vec![extension(&variables)], ..Config::default() }
}

async fn start_managed(timeout: Duration) -> Sandbox {
    start(managed("SHUTDOWN", timeout)).await
}

fn kinds(records: &[Value], kind: &str) -> Vec<Value> {
    records.iter().filter(|r| r["type"] == kind).map(|r| r["record"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invoke_events_are_refused() {
    let lifecycle =
        LifecycleConfig { init_timeout: Duration::from_millis(300), ..LifecycleConfig::default() };
    let sandbox = start(Config { lifecycle, ..managed("INVOKE,SHUTDOWN", PATIENCE) }).await;
    let line = seen(&sandbox, "Extension.InvalidEventType").await;
    assert!(line.contains("403"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_run_at_once_and_report_their_duration_only() {
    let sandbox = start_managed(PATIENCE).await;
    let (slow, quick) = tokio::join!(
        invoke(&sandbox, json!([{"sleep_ms": 400}])),
        invoke(&sandbox, json!([{"print": "quick"}])),
    );
    assert_eq!((slow.status, quick.status), (Status::Success, Status::Success));
    assert!(!sandbox.is_frozen());
    sandbox
        .wait_for_telemetry(
            |r| r["type"] == "platform.report" && r["record"]["requestId"] == slow.request_id,
            PATIENCE,
        )
        .await
        .unwrap();
    let records = sandbox.telemetry();
    assert_eq!(kinds(&records, "platform.start").len(), 2);
    assert!(kinds(&records, "platform.runtimeDone").is_empty());
    let reports = kinds(&records, "platform.report");
    assert_eq!(reports[0]["requestId"], quick.request_id, "the quick one did not wait");
    for report in reports {
        let metrics = report["metrics"].as_object().unwrap();
        assert_eq!(metrics.keys().collect::<Vec<_>>(), ["durationMs"]);
    }
    assert_eq!(kinds(&records, "function")[0]["message"], "quick", "JSON logs only");
    let exits = sandbox.shutdown(ShutdownReason::Spindown).await;
    assert_eq!(exits[0].code, Some(0));
    assert!(kinds(&sandbox.telemetry(), "platform.initStart").len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_neither_code_nor_environment() {
    let sandbox = start_managed(Duration::from_millis(300)).await;
    let slow = invoke(&sandbox, json!([{"sleep_ms": 600}, {"print": "still here"}])).await;
    assert_eq!(slow.status, Status::Timeout);
    seen(&sandbox, "still here").await;
    let next = invoke(&sandbox, json!([])).await;
    assert_eq!(next.status, Status::Success);
    assert!(next.init.is_none());
    assert!(sandbox.extension_exits().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_takes_every_invocation_with_it() {
    let sandbox = start_managed(PATIENCE).await;
    let (slow, crash) = tokio::join!(
        invoke(&sandbox, json!([{"sleep_ms": 20_000}])),
        invoke(&sandbox, json!([{"sleep_ms": 100}, {"exit": 1}])),
    );
    assert_eq!((slow.status, crash.status), (Status::Failure, Status::Failure));
    assert_eq!(sandbox.extension_exits()[0].reason, ShutdownReason::Failure);
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_open_invocations() {
    let sandbox = start_managed(PATIENCE).await;
    let (open, exits) = tokio::join!(invoke(&sandbox, json!([{"sleep_ms": 60_000}])), async {
        let started = |r: &Value| r["type"] == "platform.start";
        sandbox.wait_for_telemetry(started, PATIENCE).await.unwrap();
        sandbox.shutdown(ShutdownReason::Spindown).await
    });
    assert_eq!(open.status, Status::Failure);
    assert_eq!(open.error_type.as_deref(), Some("Sandbox.Failure"));
    assert_eq!(exits[0].code, Some(0));
}
