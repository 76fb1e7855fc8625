//! Telemetry as the platform would deliver it, and what lines must add up to.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's scenery fails by panicking")]

use crate::stand_in::now_ms;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

pub fn time(ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

pub fn runtime_done(request_id: &str, status: &str, at_ms: u64) -> String {
    format!(
        r#"{{"time":"{}","type":"platform.runtimeDone","record":{{"requestId":"{request_id}","status":"{status}","metrics":{{"durationMs":3000.0}}}}}}"#,
        time(at_ms)
    )
}

/// A line of a function's log, as JSON that names its invocation.
pub fn error(request_id: &str, error: &str, at_ms: u64) -> String {
    format!(
        r#"{{"time":"{}","type":"function","record":{{"requestId":"{request_id}","level":"ERROR","message":"{error}: no"}}}}"#,
        time(at_ms)
    )
}

/// So many invocations, each with three problems of its own: a timeout and two errors.
pub fn storm(prefix: &str, invocations: usize) -> String {
    let at_ms = now_ms();
    let records = (0..invocations).map(|n| {
        let id = format!("{prefix}-{n}");
        let errors = ["KMSDisabledException", "EFSIOException"].map(|name| error(&id, name, at_ms));
        format!("{},{}", runtime_done(&id, "timeout", at_ms), errors.join(","))
    });
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

/// What the lines must count after so many invocations of [`storm`].
pub fn assert_all_told(lines: &str, invocations: usize) {
    for metric in ["Timeouts", "KmsErrors", "EfsFailures"] {
        assert_eq!(total(lines, metric), invocations as f64, "{metric}");
    }
    assert_eq!(total(lines, "Problems"), 3.0 * invocations as f64);
    assert_eq!(total(lines, "TelemetryDropped"), 0.0);
}

/// The sum of a metric over all lines.
pub fn total(lines: &str, metric: &str) -> f64 {
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("every line is whole"))
        .map(|line| match &line[metric] {
            Value::Array(values) => values.iter().filter_map(Value::as_f64).sum(),
            value => value.as_f64().unwrap_or_default(),
        })
        .sum()
}
