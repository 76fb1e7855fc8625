//! An extension of the function ended, failed or could not be started: that fails the initialization
//! or the invocation, whatever the function itself does.
//!
//! ## Causes
//! - `crash`: it ended before it was asked to (`Extension.Crash`), even with exit status 0.
//! - `init-error`: it reported that it cannot start (`Extension.InitError`).
//! - `exit-error`: it reported that it cannot go on (`Extension.ExitError`).
//! - `launch-error`: it could not be started: not executable, built for another architecture, or a
//!   library that is missing (`Extension.LaunchError`, `PermissionDenied`).
//! - `too-many`: more extensions are registered than Lambda takes.
//!
//! ## Evidence
//! Confirmed by the platform's error type in its records of the initialization or the invocation, or
//! in `platform.extension`, which also names the extension: `extension`. Where no record names it (as
//! of most crashes), the function's log does: the extension's own last lines stand there.
//!
//! ## What to do
//! Look at the log for that extension's own lines. Update or remove its layer; give the function
//! more memory if it was killed.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "extension-crash",
    title: "an extension of the function failed",
    level: Level::Error,
    metric: "Crashes",
    advice: "Look at the log for the extension's own last lines; update or remove its layer.",
    causes: &[
        Cause {
            name: "crash",
            advice: "Look at the log for the extension's own last lines; update or remove its layer. \
                     An extension may not end before SHUTDOWN, even with exit status 0.",
        },
        Cause {
            name: "init-error",
            advice: "The extension refused to start: its own lines in the log tell why; often a \
                     setting or a secret that it needs is missing.",
        },
        Cause {
            name: "exit-error",
            advice: "The extension gave up: its own lines in the log tell why. Update or remove its \
                     layer.",
        },
        Cause {
            name: "launch-error",
            advice: "The extension could not be started: make it executable (chmod 755) in its layer, \
                     and use the build for the function's architecture and system.",
        },
        Cause {
            name: "too-many",
            advice: "Remove extensions: Lambda takes ten in one function, those of all its layers \
                     together.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html",
    outranks: &["init-failure", "runtime-crash", "near-timeout"],
    views: &[View::Function, View::Outside],
    signs: &[Sign::InitDone, Sign::Extension, Sign::RuntimeDone, Sign::Report, Sign::FailedRequest],
    knobs: &[],
    texts: &[],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let mut name = None;
    let error_type = match case.event {
        CaseEvent::InitDone(end) => end.error_type.as_deref(),
        CaseEvent::RuntimeDone(done) => done.error_type.as_deref(),
        CaseEvent::Report(report) => report.error_type.as_deref(),
        CaseEvent::Extension(state) => {
            name = state.name.as_deref().filter(|name| is_file_name(name));
            state.error_type.as_deref()
        }
        _ => return None,
    };
    let (error_type, cause, what) = failure(error_type?)?;
    let message = match name {
        Some(name) => format!("the extension {name} {what}"),
        None => format!("an extension {what}"),
    };
    Some(Finding {
        // Several signs of one failure.
        occurrences: 0,
        ..Finding::confirmed(case.at, message)
            .cause(cause)
            .evidence("errorType", Some(error_type))
            .evidence("extension", name)
    })
}

fn failure(error_type: &str) -> Option<(&'static str, &'static str, &'static str)> {
    const FAILURES: [(&str, &str, &str); 7] = [
        ("Extension.Crash", "crash", "ended before it was asked to"),
        ("Extension.InitError", "init-error", "could not be initialized"),
        ("Extension.ExitError", "exit-error", "gave up"),
        ("Extension.LaunchError", "launch-error", "could not be started"),
        ("PermissionDenied", "launch-error", "could not be started"),
        ("TooManyExtensions", "too-many", "was one too many"),
        ("Extension.TooManyExtensions", "too-many", "was one too many"),
    ];
    FAILURES.into_iter().find(|(name, ..)| *name == error_type)
}

/// Extensions are named as their executables; nothing else is printed.
fn is_file_name(name: &str) -> bool {
    const MAX_BYTES: usize = 128;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.is_empty() && name.len() <= MAX_BYTES && name.bytes().all(is_plain)
}
