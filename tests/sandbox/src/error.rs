//! What can go wrong with the sandbox itself. A function's failure is an outcome, not an error.

use std::path::PathBuf;
use std::time::Duration;

/// An error of the sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The configuration names no command.
    #[error("the function has no command")]
    NoCommand,
    /// A setting that Lambda would not take.
    #[error("{setting}: {problem}")]
    InvalidSetting {
        /// The field.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The service has no function of this name.
    #[error("there is no function {name}")]
    NoFunction {
        /// The name.
        name: String,
    },
    /// The function's or an extension's program cannot be run.
    #[error("cannot run {}: {source}", program.display())]
    CannotRun {
        /// The program, as configured.
        program: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Loopback or a pipe failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// `cargo build` failed or made no such binary.
    #[error("cargo build {target}: {problem}")]
    Build {
        /// What was asked for, such as `--bin lambda-triage`.
        target: String,
        /// The last lines of cargo's message.
        problem: String,
    },
    /// The sandbox is shut down.
    #[error("the sandbox is shut down")]
    ShutDown,
    /// What was waited for did not come.
    #[error("not seen within {waited:?}; the log's end:\n{log}")]
    NotSeen {
        /// The limit.
        waited: Duration,
        /// The last 100 log events, one line an event.
        log: String,
    },
}

impl SandboxError {
    pub(crate) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
