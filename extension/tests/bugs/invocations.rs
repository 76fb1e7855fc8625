//! Invocations in which everything goes wrong that may.

use super::places::FROM_LOG;
use super::stand_in::{self, now_ms};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// More than there may be bugs before the diagnosis begins anew, and no more than are told singly.
pub(super) const INVOCATIONS: usize = 18;

fn time(ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

pub(super) fn request_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Every second invocation takes nearly as long as it may, the others time out.
fn is_near_timeout(n: usize) -> bool {
    n % 2 == 1
}

/// Those that outrank another are not in one invocation with it.
fn is_logged(problem: &str, n: usize) -> bool {
    match problem {
        "efs-mount-failure" | "kms-access-denied" => is_near_timeout(n),
        "efs-mount-connectivity"
        | "efs-mount-timeout"
        | "kms-disabled"
        | "kms-invalid-state"
        | "kms-not-found" => !is_near_timeout(n),
        _ => true,
    }
}

/// How long two of the invocations have, which time out, where their deadlines are waited for.
pub(super) const SHORT_MS: u64 = 300;

/// An INVOKE deep in a chain of its own.
pub(super) fn invoke(n: usize, timeout_ms: u64) -> String {
    let event = stand_in::invoke(&request_id(n), now_ms() + timeout_ms);
    let root = "1-5f35ae12-0c0fec141ab77a00bc047aa2";
    assert!(event.contains(root));
    event.replace(root, &format!("1-5f35ae12-{n:024x};Lineage=a1b2c3d4:5"))
}

/// A line that its runtime writes for an uncaught error.
pub(super) fn log(n: usize, error: &str) -> String {
    let (at, id) = (time(now_ms()), request_id(n));
    let line = Value::from(format!(
        "[ERROR]\t{at}\t{id}\t{error}: An error occurred ({error}) when calling the Decrypt operation: no"
    ));
    format!(r#"{{"time":"{at}","type":"function","record":{line}}}"#)
}

/// Everything that an invocation may go wrong in.
pub(super) fn delivery(n: usize) -> String {
    let (at, id) = (time(now_ms()), request_id(n));
    let record = |kind: &str, record: String| {
        format!(r#"{{"time":"{at}","type":"{kind}","record":{record}}}"#)
    };
    let mut records = vec![record("platform.start", format!(r#"{{"requestId":"{id}"}}"#))];
    for (_, error) in FROM_LOG.iter().filter(|(problem, _)| is_logged(problem, n)) {
        records.push(log(n, error));
    }
    records.push(record(
        "platform.logsDropped",
        r#"{"droppedRecords":7,"droppedBytes":70,"reason":"slow"}"#.to_owned(),
    ));
    let (status, duration_ms) =
        if is_near_timeout(n) { ("success", 2_900) } else { ("timeout", 3_000) };
    let end = format!(
        r#"{{"requestId":"{id}","status":"{status}","metrics":{{"durationMs":{duration_ms}}}}}"#
    );
    records.push(record("platform.runtimeDone", end.clone()));
    // The last report is missing, as it usually is at the end.
    if n + 1 < INVOCATIONS {
        records.push(record("platform.report", end));
    }
    format!("[{}]", records.join(","))
}

/// How many of each problem must be told when there is no bug.
pub(super) fn expected() -> BTreeMap<String, usize> {
    let mut expected = BTreeMap::new();
    for n in 0..INVOCATIONS {
        let timeout = if is_near_timeout(n) { "near-timeout" } else { "timeout" };
        let logged = FROM_LOG.iter().map(|(problem, _)| *problem);
        let logged = logged.filter(|problem| is_logged(problem, n));
        for problem in logged.chain([timeout, "recursion", "telemetry-dropped"]) {
            *expected.entry(problem.to_owned()).or_default() += 1;
        }
    }
    expected
}
