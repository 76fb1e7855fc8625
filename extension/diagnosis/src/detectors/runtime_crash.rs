//! The runtime process ended, or broke off, while it had an invocation to answer. The next
//! invocation has to initialize the sandbox anew.
//!
//! ## Causes
//! - `exit`: the process left by itself with an exit status: `sys.exit`, `process.exit`, `os.Exit`, an
//!   exception that nothing caught outside of the handler, a panic that ends the process.
//! - `signal`: a signal ended it: a segmentation fault of native code, an abort.
//! - `killed`: SIGKILL ended it, and the report does not say that all memory was used (else it is
//!   out-of-memory): the system takes it for lack of memory, or the function killed itself.
//! - `no-reason`: the process left with status 0 before it had answered.
//! - `unhandled-rejection`: Node.js ends the process where nothing handles a promise's rejection
//!   (`Runtime.UnhandledPromiseRejection`).
//! - `broken-response`: the runtime broke off a response (`Runtime.TruncatedResponse`), or named a
//!   response mode that there is not (`Runtime.InvalidResponseModeHeader`).
//!
//! ## Evidence
//! Confirmed by the platform's error type in `platform.runtimeDone` or `platform.report`
//! (`Runtime.ExitError` and those above). How it ended is known where the platform's line with this
//! request's id (`Runtime exited with error: exit status 1`) is among the function's log records
//! (inferred: that it may be). An error that the handler returns or throws is no crash, whatever its
//! name: the runtime goes on.
//!
//! Suspected where only SHUTDOWN tells of a failure, with no record of how the invocation ended: it may
//! have been an extension. A crash during the initialization is init-failure.
//!
//! ## What to do
//! Look at the last lines of the log before the end. Return or throw errors instead of leaving the
//! process; look for native libraries built for another system or architecture.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;
use crate::record::Status;
use crate::runtime_exit::RuntimeExit;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "runtime-crash",
    title: "the runtime ended before it had answered",
    level: Level::Error,
    metric: "Crashes",
    advice: "Look at the last lines of the log before the end: something ended the runtime process, \
             so that this invocation failed and the next one must initialize anew.",
    causes: &[
        Cause {
            name: "exit",
            advice: "Return or throw errors instead of leaving the process (sys.exit, process.exit, \
                     os.Exit); catch what threads and callbacks throw. The log's last lines tell what \
                     it was.",
        },
        Cause {
            name: "signal",
            advice: "Look for native code: libraries built for another system or architecture, and \
                     their known faults; update them, or run the function with a debug build.",
        },
        Cause {
            name: "killed",
            advice: "SIGKILL usually means that memory ran out: compare the memory used with the \
                     memory size, and raise it; else look for what kills processes in the function.",
        },
        Cause {
            name: "no-reason",
            advice: "The process left with status 0: look for process.exit or sys.exit, and in \
                     Node.js for an event loop that is empty while a promise is still waited for.",
        },
        Cause {
            name: "unhandled-rejection",
            advice: "Await every promise, or give it a catch: Node.js ends the process where nothing \
                     handles a rejection.",
        },
        Cause {
            name: "broken-response",
            advice: "The runtime's client broke off its response: look for an error within the \
                     response stream, and update the runtime client.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-execution.html",
    outranks: &["near-timeout"],
    views: &[View::Function, View::Outside],
    signs: &[Sign::RuntimeDone, Sign::Report, Sign::Log, Sign::Shutdown, Sign::FailedRequest],
    knobs: &[],
    texts: &[Text::message("Runtime exited with", View::Function)],
    examine,
};

const REJECTION: &str = "Runtime.UnhandledPromiseRejection";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let exit = case.attempt.and_then(|attempt| attempt.runtime_exit.as_ref());
    let error_type = match case.event {
        CaseEvent::RuntimeDone(done) => Some(crash(done.error_type.as_deref()?)?),
        CaseEvent::Report(report) => Some(crash(report.error_type.as_deref()?)?),
        CaseEvent::Logged(matched) => {
            let text = matched.log.text.as_ref();
            // The platform's own line, of this invocation: else there is no exit.
            let (id, _) = RuntimeExit::parse(text)?;
            exit.filter(|_| case.attempt.is_some_and(|attempt| attempt.request_id == id))?;
            None
        }
        CaseEvent::Shutdown("failure") => {
            let attempt = case.attempt?;
            let done = attempt.runtime_done.as_ref().map(|done| done.record.status);
            let report = attempt.report.as_ref().map(|report| report.record.status);
            let is_told = |status: Option<Status>| status.is_some_and(|s| s != Status::Unknown);
            if is_told(done) || is_told(report) {
                return None;
            }
            let message =
                "the sandbox was shut down for a failure during the invocation".to_owned();
            let finding = Finding::suspected(case.at, message);
            return Some(Finding {
                occurrences: 0,
                ..finding.evidence("shutdown", Some("failure"))
            });
        }
        _ => return None,
    };
    let (cause, message) = match (exit, error_type) {
        (_, Some(REJECTION)) => (
            Some("unhandled-rejection"),
            "the runtime ended: nothing handled the rejection of a promise".to_owned(),
        ),
        (_, Some("Runtime.TruncatedResponse" | "Runtime.InvalidResponseModeHeader")) => {
            (Some("broken-response"), "the runtime broke off its response".to_owned())
        }
        (Some(RuntimeExit::Status(status)), _) => (
            Some("exit"),
            format!("the runtime exited with status {status} before it had answered"),
        ),
        (Some(RuntimeExit::Signal(signal)), _) => {
            let is_killed = signal == "killed";
            let cause = if is_killed { "killed" } else { "signal" };
            (Some(cause), format!("a signal ended the runtime before it had answered: {signal}"))
        }
        (Some(RuntimeExit::NoReason), _) | (None, Some("Runtime.NodejsExit")) => {
            (Some("no-reason"), "the runtime exited before it had answered".to_owned())
        }
        (None, _) => (None, "the runtime ended before it had answered".to_owned()),
    };
    let finding = Finding::confirmed(case.at, message).awaiting_report();
    let (status, signal) = match exit {
        Some(RuntimeExit::Status(status)) => (Some(*status), None),
        Some(RuntimeExit::Signal(signal)) => (None, Some(signal.as_str())),
        _ => (None, None),
    };
    Some(Finding {
        cause,
        // Several signs of one end.
        occurrences: 0,
        ..finding
            .evidence("errorType", error_type)
            .evidence("exitStatus", status)
            .evidence("signal", signal)
    })
}

/// The error types that mean that the runtime is gone, or that what it said was cut off.
fn crash(error_type: &str) -> Option<&'static str> {
    const CRASHES: [&str; 5] = [
        "Runtime.ExitError",
        "Runtime.NodejsExit",
        "Runtime.TruncatedResponse",
        "Runtime.InvalidResponseModeHeader",
        REJECTION,
    ];
    CRASHES.into_iter().find(|known| *known == error_type)
}
