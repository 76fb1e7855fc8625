//! The initialization took longer than it may: ten seconds before the first invocation, or what an
//! invocation has where the sandbox initializes within it.
//!
//! ## Causes
//! - `init`: what runs outside of the handler takes more than ten seconds: large packages on a small
//!   share of CPU, calls to services that do not answer, models and caches that are loaded. Lambda then
//!   initializes once more within the first invocation, on its time.
//! - `suppressed-init`: the initialization within an invocation used up its timeout, and the
//!   next one begins with an initialization again. Where the platform's records name that invocation
//!   to the new sandbox before its end, it also counts as a timeout; else only this tells of it.
//! - `restore`: the restore of a snapshot (SnapStart) with its hooks took more than ten seconds.
//!
//! ## Evidence
//! Confirmed by the status `timeout` of `platform.initRuntimeDone`, `platform.initReport` or those of a
//! restore. `phase` is the platform's, `durationMs` how long it took. An initialization before the
//! first invocation belongs to none, and has no request id.
//!
//! ## What to do
//! Do less before the handler: load lazily, give every client a time-out, raise the memory size and
//! with it the share of CPU. A function with a timeout below what its initialization takes never
//! recovers from its first failure.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;
use crate::record::{InitPhase, Status};

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "init-timeout",
    title: "the initialization took longer than it may",
    level: Level::Error,
    metric: "InitFailures",
    advice: "Do less before the handler: load lazily, give each client a time-out, and raise the \
             memory size and with it the share of CPU.",
    causes: &[
        Cause {
            name: "init",
            advice: "Do less before the handler: load lazily, give each client a time-out, and raise \
                     the memory size and with it the share of CPU. Lambda begins anew within the first \
                     invocation, on that one's time.",
        },
        Cause {
            name: "suppressed-init",
            advice: "Raise the function's timeout above what its initialization takes, or do less \
                     before the handler: else it begins anew in each invocation and never ends.",
        },
        Cause {
            name: "restore",
            advice: "Do less in the hooks that run after a snapshot is restored: reconnect lazily, \
                     and give each client a time-out.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",
    outranks: &["init-failure"],
    views: &[View::Function],
    signs: &[Sign::InitDone],
    knobs: &[],
    texts: &[],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    const ERROR_TYPES: [&str; 2] = ["Sandbox.Timedout", "Sandbox.Timeout"];
    let CaseEvent::InitDone(end) = case.event else { return None };
    let error_type = end.error_type.as_deref();
    let named = ERROR_TYPES.into_iter().find(|known| Some(*known) == error_type);
    if end.status != Status::Timeout && named.is_none() {
        return None;
    }
    let (cause, what) = match end.phase {
        InitPhase::Init => ("init", "the initialization timed out"),
        InitPhase::Invoke => {
            ("suppressed-init", "the initialization used up the invocation's time")
        }
        InitPhase::Restore => ("restore", "the restore of a snapshot timed out"),
    };
    let message = match end.duration_ms {
        Some(ms) => format!("{what} after {:.2} s", ms / 1_000.0),
        None => what.to_owned(),
    };
    Some(Finding {
        // That of the runtime and that of the whole tell of one initialization.
        occurrences: 0,
        ..Finding::confirmed(case.at, message)
            .cause(cause)
            .evidence("phase", Some(end.phase.as_str()))
            .evidence("durationMs", end.duration_ms)
            .evidence("errorType", named)
    })
}
