//! The invocation ran into its timeout: Lambda killed the runtime and answered the caller with
//! `Sandbox.Timedout`.
//!
//! ## Causes
//! Shortly before the deadline (3 % of the timeout, at least 150 ms, or 250 ms below 512 MB, and at
//! most 2 s) the function's processes
//! are looked at twice or more, and what the looks have in common may name the cause:
//! - `unreachable-peer`: a SYN was sent to that address, and nothing came back. No route leads there, or a
//!   security group or network ACL drops it.
//! - `refused-peer`: connections are refused again and again. By whom is told of those that did not wait in
//!   the call itself: of the others the kernel has forgotten the port.
//! - `awaiting-peer`: a connection is there, something was sent on it, and no answer came; or the main thread
//!   reads from it, or polls it alone, and nothing moves.
//! - `peer-not-reading`: the other end takes nothing more.
//! - `dns`: the name server does not answer.
//! - `cpu-bound`: a thread was running at every look, or several took turns. In its whole life, which may have
//!   begun before, it has had a fifth of the CPU that this invocation could have; and no peer took half of the
//!   invocation to answer.
//! - `memory-pressure`: memory is nearly full, and the function's own code is read again and again.
//! - `file-system-stall`: a thread waits for a file system and cannot be interrupted.
//! - `child-process`: a parent waits for its child, or (then the line says that it is running) a child of this
//!   invocation is there and nothing else was seen.
//! - `idle`: everything sleeps, no connection has moved in this invocation, and nothing is on its way that could
//!   wake it but, if the line says so, a timer: a pause between two tries looks the same.
//! - `slow-init`: the initialization began anew within the invocation and took half of its time or more, and no
//!   peer and no file system was seen to be waited for after it.
//! - `extension-overhead`: the function had answered, and another extension held the invocation.
//!
//! Only what the thread that runs the handler may wait for counts, itself or by another thread or process: not
//! what others do while it waits on a connection of its own, computes or sleeps. Where several things may be
//! it, as in an event loop, none is named, and `alsoSeen` holds them.
//!
//! Without a cause the line says what was seen of the main thread, and on which of its connections data moved
//! last: an answer that came in part cannot be told from a whole one. `TRIAGE_PROBE=off` turns the looks off.
//!
//! ## Evidence
//! Confirmed by the platform: `platform.runtimeDone` or `platform.report` with the status `timeout`,
//! SHUTDOWN with the reason `timeout`, or the platform's own log line with this request's id. All of
//! them count once; those that were seen when the line was written are named. `durationMs` is the
//! platform's figure, `timeoutMs` the longest time that an invocation in this sandbox had when it
//! began, rounded up to a second.
//!
//! A line with the stage `imminent` comes before the deadline, after the first look, as there may be no time
//! after it; it counts in no metric. `peer` is an address and port as the kernel lists it, `service` what
//! the port stands for. `waitedMs` is since when data were sent that are not answered; `synsSent` counts the
//! first one too. `cpuPercent` is of one CPU, `quotaPercent` what the memory size gives. `otherPeers`
//! are those from which an answer is due too, `alsoSeen` causes for which there was evidence, `partial` says
//! that not all could be read in time. `process`, `thread` and `state` are as the kernel has them (`R` runs,
//! `S` sleeps, `D` cannot be interrupted), `waitsIn` is the system call that the main thread is in,
//! `waitChannel` the kernel's function, `timer` whether an event loop has one; `threadCpuMs` is the CPU time of
//! the thread's whole life. `lastMovedPeer` and `lastMovedMs` tell on which connection data moved last, and how
//! long ago. A stall of a network file system counts in EfsFailures too.
//!
//! ## What to do
//! Give every client a time-out shorter than what is left of the invocation's, so that the handler
//! can say which call hung. Look at the last log line before the end. Raise the timeout only where
//! the work is known to take that long.

use crate::Timestamp;
use crate::detector::{Case, CaseEvent, Detector, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;
use crate::record::Status;
use crate::text::Text;
use crate::why::{CAUSES, Why};

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "timeout",
    title: "the invocation ran into its timeout",
    level: Level::Error,
    metric: "Timeouts",
    advice: "Give each client a time-out shorter than the function's, so that the handler can log \
             which call hung; check routes, security groups and VPC endpoints of what it calls; \
             raise the timeout or the memory only if the work is known to need it.",
    causes: CAUSES,
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html",
    outranks: &["near-timeout", "runtime-crash"],
    views: &[View::Function, View::Outside],
    signs: &[
        Sign::Deadline,
        Sign::RuntimeDone,
        Sign::Report,
        Sign::Shutdown,
        Sign::Log,
        Sign::FailedRequest,
    ],
    knobs: &[],
    texts: &[Text::message("Task timed out after ", View::Function)],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let (signal, duration_ms) = match case.event {
        CaseEvent::Deadline(left_ms) => return Some(imminent(case, left_ms)),
        CaseEvent::RuntimeDone(done) if is_timeout(done.status, done.error_type.as_deref()) => {
            ("runtimeDone", done.duration_ms)
        }
        CaseEvent::Report(report) if is_timeout(report.status, report.error_type.as_deref()) => {
            let signal = if case.failed_request.is_some() { "response" } else { "report" };
            (signal, report.duration_ms)
        }
        CaseEvent::Shutdown("timeout") => {
            // The platform's report would know better.
            let report = case.attempt?.report.as_ref();
            if report.is_some_and(|r| r.record.status != Status::Unknown) {
                return None;
            }
            ("shutdown", None)
        }
        CaseEvent::Logged(matched) => {
            // A caller's log may quote the line of the function it called.
            let own = &case.attempt?.request_id;
            let text = matched.log.text.as_ref();
            // `TIME REQUEST-ID Task timed out after 3.00 seconds` and nothing else, as the platform
            // writes it: a handler's own `[INFO]<tab>TIME<tab>REQUEST-ID<tab>Task timed out after
            // 2 tries` is none.
            let is_own = |start: usize| {
                let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
                let mut before = text[line..start].split(' ');
                let mut after = text[start..].lines().next().unwrap_or_default().split(' ').skip(4);
                let is_platforms_line = before.next().and_then(Timestamp::parse).is_some()
                    && before.next() == Some(own.as_str())
                    && before.next() == Some("")
                    && before.next().is_none();
                // So it stands in what Lambda answers.
                let is_answer = case.failed_request.is_some()
                    && text[line..start] == format!("RequestId: {own} Error: ");
                (is_platforms_line || is_answer)
                    && after.next().is_some_and(|seconds| seconds.parse::<f64>().is_ok())
                    && after.next().is_some_and(|word| word.trim_end() == "seconds")
                    && after.next().is_none()
            };
            if !matched.hits.iter().any(|hit| is_own(hit.start)) {
                return None;
            }
            ("log", None)
        }
        _ => return None,
    };
    let known_ms = duration_ms.or_else(|| Some(case.timeout_ms? as f64));
    let message = known_ms.map_or_else(
        || "timed out".to_owned(),
        |ms| format!("timed out after {:.2} s", ms / 1_000.0),
    );
    let why = Why::at_timeout(case);
    let message = why.as_ref().map_or(message.clone(), |why| why.told_after(&message));
    let finding = Finding::confirmed(case.at, message)
        .evidence(signal, Some("timeout"))
        .evidence("durationMs", duration_ms)
        .evidence("timeoutMs", case.timeout_ms);
    let finding = match why {
        Some(why) => why.added_to(finding),
        None => finding,
    };
    // The platform's line is one more sign of the one timeout, not one more timeout.
    Some(if signal == "log" { Finding { occurrences: 0, ..finding } } else { finding })
}

fn imminent(case: &Case<'_>, left_ms: u64) -> Finding {
    let why = Why::at_timeout(case).unwrap_or_default();
    let of = case.timeout_ms.map(|ms| format!(" of {:.2} s", ms as f64 / 1_000.0));
    let message = format!("about to time out: {left_ms} ms{} are left", of.unwrap_or_default());
    let message = why.told_before(&message);
    let finding = Finding::imminent(case.at, message);
    why.added_to(finding.evidence("leftMs", Some(left_ms)).evidence("timeoutMs", case.timeout_ms))
}

fn is_timeout(status: Status, error_type: Option<&str>) -> bool {
    const ERROR_TYPES: [&str; 3] = ["Sandbox.Timedout", "Sandbox.Timeout", "Runtime.InvokeTimeout"];
    status == Status::Timeout || error_type.is_some_and(|e| ERROR_TYPES.contains(&e))
}
