use lambda_sandbox::{Config, FunctionConfig, LogFormat, LogStream, ShutdownReason};
use serde_json::{Value, json};

use crate::support::*;

fn json_logs(variables: &[(&str, &str)]) -> Config {
    let function = FunctionConfig { log_format: LogFormat::Json, ..function() };
    Config { function, ..with_extension(variables) }
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_stderr_and_frames_are_told_apart() {
    let sandbox = start(with_extension(&[("TYPES", "function")])).await;
    let steps = json!([
        {"print": "out"}, {"print_error": "err"}, {"frame": "Traceback\n  line 1\n  line 2\n"},
        {"print": "{\"level\":\"INFO\"}"}, {"sleep_ms": 100},
    ]);
    invoke(&sandbox, steps).await;
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let stream_of = |text: &str| {
        let log = sandbox.log();
        log.iter().find(|event| event.text == text).map(|event| event.stream)
    };
    assert_eq!(stream_of("out"), Some(LogStream::Stdout));
    assert_eq!(stream_of("err"), Some(LogStream::Stderr));
    assert_eq!(stream_of("Traceback\n  line 1\n  line 2"), Some(LogStream::Framed));
    let records = delivered(&sandbox);
    let texts: Vec<_> = records.iter().map(|record| record["record"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts.contains(&"Traceback\n  line 1\n  line 2"));
    assert!(texts.contains(&"{\"level\":\"INFO\"}"), "text logs stay text");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_objects() {
    let sandbox = start(json_logs(&[("TYPES", "platform,function,extension")])).await;
    let steps = json!([
        {"print": "plain"}, {"print": "{\"level\":\"WARN\",\"n\":1}"}, {"print": "[1]"},
        {"sleep_ms": 100},
    ]);
    let outcome = invoke(&sandbox, steps).await;
    let records = sandbox.telemetry();
    let lines: Vec<&Value> =
        records.iter().filter(|r| r["type"] == "function").map(|r| &r["record"]).collect();
    assert_eq!(lines[0]["message"], "plain");
    assert_eq!(lines[0]["requestId"], outcome.request_id);
    assert!(lines[0]["timestamp"].is_string() && lines[0]["level"] == "INFO");
    assert_eq!(lines[1], &json!({"level": "WARN", "n": 1}));
    assert_eq!(lines[2]["message"], "[1]");
    assert!(records.iter().any(|r| r["type"] == "extension"));
    for event in sandbox.log() {
        let parsed: Value = serde_json::from_str(&event.text).unwrap();
        assert!(parsed.is_object(), "{event}");
    }
    seen(&sandbox, "\"type\":\"platform.report\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_extracted_from_both_formats_and_rejects_are_named() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let line = |unit: &str| {
        json!({"Errors": 2, "_aws": {"Timestamp": now.as_millis() as u64, "CloudWatchMetrics": [
            {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Errors", "Unit": unit}]}
        ]}})
        .to_string()
    };
    for config in [with_extension(&[]), json_logs(&[])] {
        let sandbox = start(config).await;
        let steps = json!([{"print": line("Count")}, {"print_error": line("Count")}, {"print": line("Pieces")}]);
        invoke(&sandbox, steps).await;
        sandbox.shutdown(ShutdownReason::Spindown).await;
        let metrics = sandbox.metrics();
        assert_eq!(metrics.sum("Shop", &[], "Errors"), 4.0);
        assert_eq!(metrics.rejected().len(), 1);
        assert!(metrics.rejected()[0].reason.contains("Pieces"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_fails_shows_the_log() {
    let sandbox = start(with_extension(&[])).await;
    let limit = std::time::Duration::from_millis(10);
    let error = sandbox.wait_for_log(|event| event.text == "never", limit).await.unwrap_err();
    assert!(error.to_string().contains("INIT_START"), "{error}");
}
