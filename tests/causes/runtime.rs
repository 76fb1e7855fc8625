//! The runtimes that the functions are there for.

use crate::{is_all_wanted, tell};
use lambda_sandbox::cargo_example;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// What runs the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// On AWS's runtime client, awslambdaric.
    Python,
    /// On a loop of its own.
    Node,
    /// On `lambda_runtime`.
    Rust,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::Node => "Node",
            Self::Rust => "Rust",
        })
    }
}

/// How each is started; None where it is not installed.
#[derive(Debug)]
pub(crate) struct Commands {
    python: Option<Vec<String>>,
    node: Option<Vec<String>>,
    rust: Vec<String>,
}

impl Commands {
    /// Looks for them, and says what is left out.
    pub(crate) fn find() -> Self {
        let python = std::env::var("TRIAGE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        Self {
            // The program itself, as a version manager's stand-in costs more than the function.
            python: output(&python, &["-c", "import sys, awslambdaric; print(sys.executable)"])
                .or_left_out("Python functions", "no Python with awslambdaric")
                .map(|python| vec![python, "-m".into(), "awslambdaric".into(), handler()]),
            node: output("node", &["--print", "process.execPath"])
                .or_left_out("Node functions", "no node")
                .map(|node| vec![node, functions().join("trouble.mjs").display().to_string()]),
            rust: vec![cargo_example("trouble").unwrap().display().to_string()],
        }
    }

    pub(crate) fn of(&self, runtime: Runtime) -> Option<&[String]> {
        match runtime {
            Runtime::Python => self.python.as_deref(),
            Runtime::Node => self.node.as_deref(),
            Runtime::Rust => Some(&self.rust),
        }
    }
}

/// The folder of the functions.
pub(crate) fn functions() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/causes/functions"))
}

fn handler() -> String {
    "trouble.handler".to_owned()
}

/// What a program prints, or why it did not.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", error.lines().last().unwrap_or("it failed")))
}

/// What may be missing.
pub(crate) trait OrLeftOut<T> {
    /// None, after one line that says so, where it is missing; a failure where nothing may be left out.
    fn or_left_out(self, what: &str, since: &str) -> Option<T>;

    /// The same of what nobody can install: what the machine itself does not allow fails nothing.
    fn or_not_allowed(self, what: &str, since: &str) -> Option<T>;
}

impl<T> OrLeftOut<T> for Result<T, String> {
    fn or_left_out(self, what: &str, since: &str) -> Option<T> {
        self.map_err(|reason| {
            assert!(!is_all_wanted(), "{what} would be left out: {since}: {reason}");
            reason
        })
        .or_not_allowed(what, since)
    }

    fn or_not_allowed(self, what: &str, since: &str) -> Option<T> {
        let told = |reason| tell(&format!("skipped: {what}, since there is {since} ({reason})"));
        self.map_err(told).ok()
    }
}
