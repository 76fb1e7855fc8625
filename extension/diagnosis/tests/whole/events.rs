//! What happens to a sandbox, and what it tells of it.

use crate::properties::watch::checked_line;
use serde_json::Value;
use std::borrow::Cow;
use triage_diagnosis::*;

pub(crate) const KMS: &str =
    "[ERROR] KMSDisabledException: An error occurred (KMSDisabledException)";

pub(crate) fn triage(concurrent: bool) -> Triage {
    let function =
        Function { name: "orders".into(), version: "7".into(), concurrent, ..Function::default() };
    let rate = InvocationRate { invocations: 5, seconds: 10 };
    Triage::new(Settings { recursion_rate: Some(rate), ..Settings::default() }, function)
}

pub(crate) fn invoke(id: impl ToString, now: Timestamp) -> Invoke {
    Invoke {
        request_id: id.to_string(),
        deadline: Some(now.plus_ms(3_000)),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:orders".into(),
        trace_header: None,
    }
}

pub(crate) fn log(text: &str, at: Timestamp) -> Record<'_> {
    let body = RecordBody::Function(FunctionLog::Text(Cow::Borrowed(text)));
    Record { time: Some(at), body }
}

pub(crate) fn done(id: impl ToString, status: Status, at: Timestamp) -> Record<'static> {
    let done = RuntimeDone { request_id: id.to_string(), status, ..RuntimeDone::default() };
    Record { time: Some(at), body: RecordBody::RuntimeDone(done) }
}

pub(crate) fn drain(triage: &mut Triage, now: Timestamp, lines: &mut Vec<Value>) {
    while let Some(report) = triage.poll_report(now) {
        lines.push(checked_line(&report, now));
    }
}

/// The sum of a metric over all lines.
pub(crate) fn sum(lines: &[Value], metric: &str) -> u64 {
    lines.iter().filter_map(|line| line[metric].as_u64()).sum()
}

pub(crate) fn occurrences(lines: &[Value]) -> u64 {
    lines.iter().filter_map(|line| line["diagnosis"]["occurrences"].as_u64()).sum()
}
