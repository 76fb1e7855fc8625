//! Builds binaries of the workspace for tests and demonstrations.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::SandboxError;

static BUILT: Mutex<Option<HashMap<(Target, String), PathBuf>>> = Mutex::new(None);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Bin,
    Example,
    BinWithFaults,
    ShippedBin,
}

impl Target {
    fn flag(self) -> &'static str {
        match self {
            Self::Bin | Self::BinWithFaults | Self::ShippedBin => "--bin",
            Self::Example => "--example",
        }
    }

    /// What is built, and how, beside the target itself.
    fn selection(self, name: &str) -> Vec<&str> {
        match self {
            // `--workspace`, since the current directory of a test is its package's.
            Self::Bin | Self::Example => vec!["--workspace"],
            Self::BinWithFaults => {
                vec!["--package", name, "--features", "faults", "--profile", "faults"]
            }
            Self::ShippedBin => vec!["--package", name, "--release"],
        }
    }
}

/// Builds the binary `name` of the cargo workspace that the current directory lies in, with the
/// dev profile, and gives its path. Once a process; later calls answer at once.
///
/// Uses the program that `CARGO` names, or `cargo`; all of cargo's own settings apply.
///
/// # Errors
/// [`SandboxError::Build`] when cargo cannot be run, fails, or names no such executable.
pub fn cargo_bin(name: &str) -> Result<PathBuf, SandboxError> {
    cargo_target(Target::Bin, name)
}

/// The same for an example of a workspace's package.
///
/// # Errors
/// As [`cargo_bin`].
pub fn cargo_example(name: &str) -> Result<PathBuf, SandboxError> {
    cargo_target(Target::Example, name)
}

/// Builds the binary `name` of the package of that name with the package's feature `faults` too, in the
/// cargo profile `faults`, and gives its path. That profile has a folder of its own, so that the
/// ordinary binary stays what it is; the first time, all that the package depends on is built for
/// it too.
///
/// # Errors
/// As [`cargo_bin`].
pub fn cargo_bin_with_faults(name: &str) -> Result<PathBuf, SandboxError> {
    cargo_target(Target::BinWithFaults, name)
}

/// Builds the binary `name` of the package of that name with the release profile, for what depends on
/// how fast it is, and gives its path. That may take minutes.
///
/// # Errors
/// As [`cargo_bin`].
pub fn cargo_bin_as_shipped(name: &str) -> Result<PathBuf, SandboxError> {
    cargo_target(Target::ShippedBin, name)
}

fn cargo_target(target: Target, name: &str) -> Result<PathBuf, SandboxError> {
    // Held over the build: cargo would only wait for its own lock.
    let mut guard = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = guard.get_or_insert_default();
    let key = (target, name.to_owned());
    if let Some(path) = built.get(&key) {
        return Ok(path.clone());
    }
    let path = build(target, name)?;
    built.insert(key, path.clone());
    Ok(path)
}

fn build(target: Target, name: &str) -> Result<PathBuf, SandboxError> {
    let problem = |problem: String| SandboxError::Build {
        target: format!("{} {name}", target.flag()),
        problem,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .arg("build")
        .args(target.selection(name))
        .args([target.flag(), name])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| problem(format!("cannot run cargo: {error}")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = stderr.lines().collect();
        return Err(problem(lines[lines.len().saturating_sub(20)..].join("\n")));
    }
    output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| problem("cargo named no such executable".into()))
}
