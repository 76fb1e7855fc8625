//! The invocation ended just before its timeout: the next one, a little slower, will not.
//!
//! ## Causes
//! Where the processes were looked at before the deadline, what they were waiting for:
//! - `unreachable-peer`: a SYN was sent to that address, and nothing came back. No route leads there, or a
//!   security group or network ACL drops it.
//! - `refused-peer`: connections are refused again and again.
//! - `awaiting-peer`: a connection is there, something was sent on it, and no answer came.
//! - `peer-not-reading`: the other end takes nothing more.
//! - `dns`: the name server does not answer.
//! - `cpu-bound`: a thread was running at every look.
//! - `memory-pressure`: memory is nearly full, and the function's own code is read again and again.
//! - `file-system-stall`: a thread waits for a file system and cannot be interrupted.
//! - `child-process`: a parent waits for its child.
//! - `idle`: everything sleeps, and nothing is on its way that could wake it.
//!
//! Else work that grows (payloads, tables, queues), a dependency that gets slower, retries that use up
//! the time, a timeout set to what the average takes.
//!
//! ## Evidence
//! `durationMs` of `platform.runtimeDone` against the function's timeout: the longest time that an
//! invocation in this sandbox had when it began, rounded up to a second. Where no deadline is told
//! (Managed Instances) it is not known, and nothing is reported. One that was told to be about to time out and
//! ended in time, but with less of it used up, is not reported: nothing follows its `imminent` line. It waits for the platform's report,
//! which may still call it a timeout.
//!
//! ## What to do
//! Watch `NearTimeouts` as the early warning of `Timeouts`. Find out where the time goes before
//! raising the timeout; set it well above the slowest healthy invocation.

use crate::detector::{Case, CaseEvent, Detector, Knob, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;
use crate::record::Status;
use crate::why::{CAUSES_NEAR, Why};

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "near-timeout",
    title: "the invocation used up nearly all of its timeout",
    level: Level::Warn,
    metric: "NearTimeouts",
    advice: "The next slower invocation will time out: find out what takes the time, or set the \
             timeout well above the slowest healthy invocation.",
    causes: CAUSES_NEAR,
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",
    outranks: &[],
    views: &[View::Function],
    signs: &[Sign::Deadline, Sign::RuntimeDone],
    knobs: &[Knob {
        variable: "TRIAGE_NEAR_TIMEOUT_PERCENT",
        default: "90",
        meaning: "from how much of the timeout on an invocation is reported; 0 turns it off",
    }],
    texts: &[],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let CaseEvent::RuntimeDone(done) = case.event else { return None };
    let limit_percent = f64::from(case.settings.near_timeout_percent);
    let timeout_ms = case.timeout_ms?;
    let duration_ms = done.duration_ms?;
    let percent = duration_ms * 100.0 / timeout_ms as f64;
    // Of one that was told to be about to time out it is said that it did not.
    let was_told = case.attempt.is_some_and(|attempt| attempt.why.is_some()) && percent >= 50.0;
    // What took longer than its timeout and ended well shows that the timeout is not known: INVOKE was
    // read too late to tell it.
    // One that had little time from its beginning is none by the timeout's measure.
    if limit_percent == 0.0
        || (percent > 100.0 && done.status == Status::Success)
        || percent < limit_percent && !was_told
        || done.status == Status::Timeout
    {
        return None;
    }
    let message = format!(
        "took {:.2} s of its timeout of {} s ({percent:.0} %)",
        duration_ms / 1_000.0,
        timeout_ms / 1_000
    );
    let why = Why::at_timeout(case);
    let message = why.as_ref().map_or(message.clone(), |why| why.told_after(&message));
    let finding = Finding::confirmed(case.at, message)
        .evidence("durationMs", Some(duration_ms))
        .evidence("timeoutMs", Some(timeout_ms))
        .awaiting_report();
    Some(match why {
        Some(why) => why.added_to(finding),
        None => finding,
    })
}
