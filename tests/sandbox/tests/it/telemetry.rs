use std::time::Duration;

use lambda_sandbox::{
    Config, LifecycleConfig, ShutdownReason, SubscriptionAnswer, TelemetryBehaviour,
};
use serde_json::{Value, json};

use crate::support::*;

const ALL: (&str, &str) = ("TYPES", "platform,function");

async fn until_delivered(sandbox: &lambda_sandbox::Sandbox, kind: &str) -> Value {
    let wanted = format!("\"type\":\"{kind}\"");
    let line = sandbox
        .wait_for_log(|e| e.text.starts_with("telemetry: ") && e.text.contains(&wanted), PATIENCE)
        .await
        .unwrap();
    let record: Value =
        serde_json::from_str(line.text.strip_prefix("telemetry: ").unwrap()).unwrap();
    record["record"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_told_the_whole_story() {
    // Stays a little at the end, to be told all.
    let sandbox = start(with_extension(&[ALL, ("ON_SHUTDOWN", "sleep 300")])).await;
    seen(&sandbox, "subscribed: 200 OK").await;
    let outcome = invoke(&sandbox, json!([{"print": "hello"}, {"sleep_ms": 60}])).await;
    sandbox.wait_for_telemetry(|r| r["type"] == "platform.report", PATIENCE).await.unwrap();
    sandbox.shutdown(ShutdownReason::Spindown).await;

    let records = delivered(&sandbox);
    let mut kinds = types(&records);
    // When the extension subscribes and asks for /next is its own affair.
    kinds.retain(|kind| !["platform.extension", "platform.telemetrySubscription"].contains(kind));
    assert_eq!(
        kinds,
        [
            // What came before the subscription is delivered too.
            "platform.initStart",
            "platform.initRuntimeDone",
            "platform.initReport",
            "platform.start",
            "function",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    assert_eq!(only(&records, "function"), "hello");
    let start = only(&records, "platform.initStart");
    assert_eq!((&start["phase"], &start["functionName"]), (&json!("init"), &json!("orders")));
    let subscription = only(&records, "platform.telemetrySubscription");
    assert_eq!(subscription["types"], json!(["platform", "function"]));
    let extension = only(&records, "platform.extension");
    assert_eq!(extension["events"], json!(["INVOKE", "SHUTDOWN"]));
    assert!(only(&records, "platform.initReport")["metrics"]["durationMs"].as_f64().unwrap() > 0.0);
    let done = only(&records, "platform.runtimeDone");
    assert_eq!(done["requestId"], outcome.request_id);
    assert_eq!(done["status"], "success");
    assert!(done["metrics"]["durationMs"].as_f64().unwrap() >= 60.0);
    assert_eq!(done["metrics"]["producedBytes"], outcome.payload.len());
    assert_eq!(done["spans"].as_array().unwrap().len(), 3);
    let report = only(&records, "platform.report");
    let metrics = &report["metrics"];
    assert_eq!(metrics["memorySizeMB"], 128);
    assert!(metrics["initDurationMs"].as_f64().unwrap() > 0.0);
    assert!(metrics["billedDurationMs"].as_f64() >= metrics["durationMs"].as_f64());
    let times: Vec<_> = records.iter().map(|record| record["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[0].ends_with('Z') && times[0].len() == "2026-11-23T03:30:53.123Z".len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_delivered_with_the_next_invocation_since_all_is_frozen() {
    let sandbox = start(with_extension(&[ALL])).await;
    let first = invoke(&sandbox, json!([])).await;
    sandbox.wait_for_telemetry(|r| r["type"] == "platform.report", PATIENCE).await.unwrap();
    let reports =
        |records: &[Value]| records.iter().filter(|r| r["type"] == "platform.report").count();
    assert_eq!(reports(&delivered(&sandbox)), 0);
    // Longer than the buffering time: deliveries stand still too, so the report waits for company.
    tokio::time::sleep(Duration::from_millis(60)).await;
    let next = invoke(&sandbox, json!([{"sleep_ms": 200}])).await;
    let report = until_delivered(&sandbox, "platform.report").await;
    assert_eq!(report["requestId"], first.request_id);
    assert_ne!(report["requestId"], next.request_id);
    let lines = extension_lines(&sandbox);
    let report = lines.iter().position(|line| line.contains("platform.report")).unwrap();
    assert!(lines[report + 1].contains("platform.start"), "in the same batch: {lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_told_before_the_extension_ends() {
    let function =
        lambda_sandbox::FunctionConfig { timeout: Duration::from_millis(500), ..function() };
    // Stays long enough to be told all.
    let config = Config { function, ..with_extension(&[ALL, ("ON_SHUTDOWN", "sleep 400")]) };
    let sandbox = start(config).await;
    invoke(&sandbox, json!([{"sleep_ms": 60_000}])).await;
    let records = delivered(&sandbox);
    assert_eq!(only(&records, "platform.runtimeDone")["status"], "timeout");
    let report = only(&records, "platform.report");
    assert_eq!(report["status"], "timeout");
    assert!(report["metrics"]["durationMs"].as_f64().unwrap() >= 500.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_the_buffering_time_or_a_full_batch() {
    let buffering = r#"{"timeoutMs":30000,"maxItems":1000,"maxBytes":262144}"#;
    let sandbox = start(with_extension(&[("TYPES", "function"), ("BUFFERING", buffering)])).await;
    invoke(&sandbox, json!([{"print_many": 2_500}, {"sleep_ms": 500}])).await;
    invoke(&sandbox, json!([{"sleep_ms": 200}])).await;
    let batches: Vec<_> =
        extension_lines(&sandbox).into_iter().filter(|line| line.starts_with("batch")).collect();
    // The last 500 wait for their 30 s.
    assert_eq!(batches, ["batch: 1000 200", "batch: 1000 200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_is_delivered_again() {
    let sandbox =
        start(with_extension(&[("TYPES", "function"), ("TELEMETRY_STATUSES", "500,503")])).await;
    invoke(&sandbox, json!([{"print": "hello"}, {"sleep_ms": 800}])).await;
    seen(&sandbox, "batch: 1 200").await;
    let records = delivered(&sandbox);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record == &records[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_becomes_logs_dropped() {
    let statuses = ["500"; 6].join(",");
    let lifecycle = LifecycleConfig { freeze: false, ..LifecycleConfig::default() };
    let extension = [("TYPES", "function"), ("TELEMETRY_STATUSES", statuses.as_str())];
    let sandbox = start(Config { lifecycle, ..with_extension(&extension) }).await;
    invoke(&sandbox, json!([{"print": "lost"}])).await;
    let dropped = until_delivered(&sandbox, "platform.logsDropped").await;
    assert_eq!(dropped["droppedRecords"], 1);
    assert!(dropped["droppedBytes"].as_u64().unwrap() > 0);
    assert!(dropped["reason"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_and_says_so() {
    let telemetry = TelemetryBehaviour { max_queued_records: 100, ..TelemetryBehaviour::default() };
    let buffering = r#"{"timeoutMs":1000}"#;
    let extension = [("TYPES", "function"), ("BUFFERING", buffering)];
    let sandbox = start(Config { telemetry, ..with_extension(&extension) }).await;
    invoke(&sandbox, json!([{"print_many": 250}, {"sleep_ms": 1_500}])).await;
    let dropped = until_delivered(&sandbox, "platform.logsDropped").await;
    assert_eq!(dropped["droppedRecords"], 150);
    let lines = delivered(&sandbox).iter().filter(|r| r["type"] == "function").count();
    assert_eq!(lines, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_may_be_left_without_telemetry() {
    for (answer, seen_text) in [
        (SubscriptionAnswer::NotSupported, "subscribed: 202"),
        (SubscriptionAnswer::Refused(500), "subscribed: 500"),
        (SubscriptionAnswer::AcceptedAndSilent, "subscribed: 200 "),
    ] {
        let telemetry = TelemetryBehaviour { answer, ..TelemetryBehaviour::default() };
        let sandbox = start(Config { telemetry, ..with_extension(&[ALL]) }).await;
        seen(&sandbox, seen_text).await;
        invoke(&sandbox, json!([{"sleep_ms": 100}])).await;
        assert!(delivered(&sandbox).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lambda_would_refuse_is_refused() {
    let old = TelemetryBehaviour {
        schema_versions: vec!["2022-07-01".into()],
        ..TelemetryBehaviour::default()
    };
    let sandbox = start(Config { telemetry: old, ..with_extension(&[ALL]) }).await;
    seen(&sandbox, "subscribed: 400").await;
    for (variable, value) in [
        ("BUFFERING", r#"{"timeoutMs":24}"#),
        ("BUFFERING", r#"{"timeoutMs":30001}"#),
        ("BUFFERING", r#"{"maxItems":999}"#),
        ("BUFFERING", r#"{"maxBytes":262143}"#),
        ("BUFFERING", r#"{"maxBytes":"many"}"#),
        ("TYPES", "platform,weather"),
        ("SCHEMA_VERSION", "2020-01-01"),
    ] {
        let mut variables = vec![ALL];
        variables.retain(|(name, _)| *name != variable);
        variables.push((variable, value));
        let sandbox = start(with_extension(&variables)).await;
        let line = seen(&sandbox, "subscribed: ").await;
        assert!(line.starts_with("subscribed: 400 "), "{variable} {value}: {line}");
        assert!(line.contains("ValidationError"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_reach_the_subscribers() {
    let sandbox = start(with_extension(&[ALL, ("TELEMETRY_STATUSES", "200")])).await;
    invoke(&sandbox, json!([{"sleep_ms": 100}])).await;
    assert!(sandbox.is_frozen());
    assert_eq!(sandbox.deliver_raw(r#"[{"type":"made.up"}]"#).await, [Some(200)]);
    until_delivered(&sandbox, "made.up").await;
    assert_eq!(sandbox.deliver_raw("not JSON").await, [Some(200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_subscribers_are_sent_lines() {
    // Not frozen: on a busy machine the lines may come after the end of the invocation.
    let lifecycle = LifecycleConfig { freeze: false, ..LifecycleConfig::default() };
    let sandbox = start(Config { lifecycle, ..with_extension(&[ALL, ("PROTOCOL", "TCP")]) }).await;
    invoke(&sandbox, json!([{"print": "one"}, {"print": "two"}])).await;
    until_delivered(&sandbox, "function").await;
    seen(&sandbox, "\"record\":\"two\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_refuses_all_harms_nobody() {
    let telemetry = TelemetryBehaviour { max_queued_records: 5, ..TelemetryBehaviour::default() };
    let statuses = ["500"; 1_000].join(",");
    let extension = [ALL, ("TELEMETRY_STATUSES", statuses.as_str())];
    let sandbox = start(Config { telemetry, ..with_extension(&extension) }).await;
    for _ in 0..20 {
        let outcome = invoke(&sandbox, json!([{"print_many": 20}])).await;
        assert_eq!(outcome.status, lambda_sandbox::Status::Success);
    }
}
