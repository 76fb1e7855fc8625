//! The sandbox could not be initialized: no invocation gets as far as the handler until that is mended.
//!
//! ## Causes
//! - `import-error`: the function's module, or one that it needs, cannot be imported.
//! - `handler-not-found`: the module has no such handler.
//! - `syntax-error`: the function's code cannot be parsed.
//! - `invalid-entrypoint`: the image's entry point, the custom runtime's `bootstrap` or a wrapper cannot
//!   be started.
//! - `invalid-working-directory`: the image's working directory is not there.
//! - `invalid-configuration`: another part of the configuration is not valid (`Runtime.InvalidTaskConfig`).
//! - `exit`: the runtime process ended while it initialized.
//! - `restore`: a snapshot could not be restored (SnapStart): a hook failed.
//!
//! ## Evidence
//! Confirmed by the status and error type of `platform.initRuntimeDone` and `platform.initReport`, or of
//! those of a restore; or of an invocation that ended with an error type that only an initialization
//! has: some runtimes tell of it only then (Python's of import errors). `phase` is `invoke` where the
//! sandbox initialized within an invocation, since the one before it failed; it then belongs to that
//! invocation. One initialization is told of once; Lambda tries again in a new sandbox, and that is
//! another. Suspected where only SHUTDOWN tells of a failure before any invocation.
//!
//! Where an extension broke it, or memory ran out, it is told as extension-crash or out-of-memory.
//!
//! ## What to do
//! The lines of the log before it say what is missing. Look at what was deployed last: the package's
//! contents and layout, the handler's setting, the architecture, layers.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;
use crate::record::{InitPhase, Status};

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "init-failure",
    title: "the sandbox could not be initialized",
    level: Level::Error,
    metric: "InitFailures",
    advice: "Look at the lines of the log before it, and at what was deployed last: the package, the \
             handler's setting, environment variables, layers.",
    causes: &[
        Cause {
            name: "import-error",
            advice: "Put what is missing into the package or a layer, at the place where the runtime \
                     looks for it, built for the function's runtime version and architecture.",
        },
        Cause {
            name: "handler-not-found",
            advice: "Set the function's handler to the name of a module in the package and of a \
                     function that it exports, such as app.handler.",
        },
        Cause {
            name: "syntax-error",
            advice: "Mend the syntax error that the log shows, or choose the runtime version that the \
                     code is written for.",
        },
        Cause {
            name: "invalid-entrypoint",
            advice: "Make the entry point, bootstrap or wrapper executable and present at its path, \
                     built for the function's architecture and system.",
        },
        Cause {
            name: "invalid-working-directory",
            advice: "Set the image's WORKDIR, or the function's image configuration, to a directory \
                     that is in the image.",
        },
        Cause {
            name: "invalid-configuration",
            advice: "Compare the function's image configuration (entry point, command, working \
                     directory) and environment with what the runtime takes.",
        },
        Cause {
            name: "exit",
            advice: "Something ended the runtime before it was ready: the last lines of the log tell \
                     what the code outside of the handler did.",
        },
        Cause {
            name: "restore",
            advice: "Mend the hook that runs after a snapshot is restored: the log shows its error.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",
    outranks: &["runtime-crash"],
    views: &[View::Function, View::Outside],
    signs: &[Sign::InitDone, Sign::RuntimeDone, Sign::Report, Sign::Shutdown, Sign::FailedRequest],
    knobs: &[],
    texts: &[],
    examine,
};

/// Error types with the cause that they name. What only an initialization can have is true.
const CAUSES: [(&str, Option<&str>, bool); 14] = [
    ("Runtime.ImportModuleError", Some("import-error"), true),
    ("Runtime.HandlerNotFound", Some("handler-not-found"), true),
    ("Runtime.MalformedHandlerName", Some("handler-not-found"), true),
    ("Runtime.UserCodeSyntaxError", Some("syntax-error"), true),
    ("Runtime.InvalidEntrypoint", Some("invalid-entrypoint"), true),
    ("Runtime.InvalidWorkingDir", Some("invalid-working-directory"), true),
    ("Runtime.InvalidTaskConfig", Some("invalid-configuration"), true),
    ("Runtime.InitError", None, true),
    ("Runtime.RestoreError", Some("restore"), true),
    ("Runtime.ExitError", Some("exit"), false),
    ("Runtime.NodejsExit", Some("exit"), false),
    ("Runtime.OutOfMemory", Some("exit"), false),
    ("Runtime.Unknown", None, false),
    ("Function.Unknown", None, false),
];

fn examine(case: &Case<'_>) -> Option<Finding> {
    let (error_type, phase) = match case.event {
        CaseEvent::InitDone(end) => {
            let is_failed = matches!(end.status, Status::Failure | Status::Error);
            let error_type = end.error_type.as_deref();
            // What an extension or the clock did has names of its own.
            let is_others = error_type.is_some_and(|error_type| {
                ["Extension.", "Sandbox.Time", "TooManyExtensions", "PermissionDenied"]
                    .iter()
                    .any(|other| error_type.starts_with(other))
            });
            if !is_failed || is_others {
                return None;
            }
            (error_type, Some(end.phase))
        }
        CaseEvent::RuntimeDone(done) => (Some(of_init(done.error_type.as_deref()?)?), None),
        CaseEvent::Report(report) => (Some(of_init(report.error_type.as_deref()?)?), None),
        CaseEvent::Shutdown("failure") if case.attempt.is_none() && case.init.is_none() => {
            let message =
                "the sandbox was shut down for a failure before any invocation".to_owned();
            let finding = Finding::suspected(case.at, message);
            return Some(finding.evidence("shutdown", Some("failure")));
        }
        _ => return None,
    };
    let known = CAUSES.into_iter().find(|(name, ..)| Some(*name) == error_type);
    let cause = match phase {
        Some(InitPhase::Restore) => Some("restore"),
        _ => known.and_then(|(_, cause, _)| cause),
    };
    let what = match phase {
        Some(InitPhase::Restore) => "a snapshot could not be restored",
        _ => "the sandbox could not be initialized",
    };
    let message = match known {
        Some((name, ..)) => format!("{what}: {name}"),
        None => what.to_owned(),
    };
    let duration_ms = match case.event {
        CaseEvent::InitDone(end) => end.duration_ms,
        _ => None,
    };
    Some(Finding {
        cause,
        // All of them tell of one initialization.
        occurrences: 0,
        // The report of its invocation may say that memory ran out.
        awaits_report: cause == Some("exit") && phase == Some(InitPhase::Invoke),
        ..Finding::confirmed(case.at, message)
            .evidence("errorType", known.map(|(name, ..)| name))
            .evidence("phase", phase.map(InitPhase::as_str))
            .evidence("durationMs", duration_ms)
    })
}

/// An error type that only an initialization can have.
fn of_init(error_type: &str) -> Option<&'static str> {
    let known = CAUSES.into_iter().find(|(name, ..)| *name == error_type);
    known.filter(|(.., is_of_init)| *is_of_init).map(|(name, ..)| name)
}
