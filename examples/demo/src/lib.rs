//! What the demonstration shows and the end-to-end tests prove: [`scenarios`] to play on a local
//! Lambda, the diagnoses that each must lead to, and the comparison with those that came.

mod alarms;
mod diagnosis;
mod outside;
mod scenario;

pub use alarms::{Alarming, alarming};
pub use diagnosis::{Diagnosis, diagnoses, differences, differences_of, printed_diagnoses};
pub use outside::{CALLEE, CALLER, Outside, OutsideError, OutsideScene, Played, outside_scenes};
pub use scenario::{Call, Expected, PlayError, Scenario, Trace, handed_on, scenarios};

use lambda_sandbox::{Config, ExtensionConfig, FunctionConfig, SandboxError, cargo_bin};
use std::path::Path;
use std::time::Duration;

/// The name of the function that is watched.
pub const FUNCTION: &str = "orders";

/// The namespace of the extension's metrics.
pub const NAMESPACE: &str = "LambdaTriage";

/// How long the scenarios' function may take: short, since two of them wait for it.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// The function `command` with the extension at `extension`, as the scenarios want it.
#[must_use]
pub fn config(command: Vec<String>, extension: &Path) -> Config {
    Config {
        function: FunctionConfig {
            name: FUNCTION.to_owned(),
            timeout: TIMEOUT,
            limit_memory: true,
            ..FunctionConfig::new(command)
        },
        extensions: vec![ExtensionConfig::new(extension)],
        ..Config::default()
    }
}

/// The command of the Rust function that causes problems, built first if need be.
///
/// # Errors
/// When it cannot be built.
pub fn problem_maker() -> Result<Vec<String>, SandboxError> {
    Ok(vec![cargo_bin("problem-maker")?.to_string_lossy().into_owned()])
}
