//! The same scenarios with a Python function on AWS's own runtime client.

use crate::environment::{extension, prove};
use demo::{Scenario, Trace, config};
use lambda_sandbox::{Config, LogFormat};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The Python function with the extension; None as [`awslambdaric`].
fn python() -> Option<Config> {
    let mut config = config(awslambdaric("app.handler", &[])?, extension());
    config.function.handler = "app.handler".to_owned();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/problem-maker-python");
    config.function.task_root = Some(source);
    config.function.env.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()));
    Some(config)
}

/// The command of a Python function; None, after a line that says why, without a Python that has
/// awslambdaric and these modules besides. With `TRIAGE_TEST_ALL` set that is a failure.
pub(crate) fn awslambdaric(handler: &str, modules: &[&str]) -> Option<Vec<String>> {
    let python = find_python(modules);
    if let Err(missing) = &python {
        // Not eprintln, which the test harness would capture.
        let line = format!("skipped: the Python function, since {missing}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    assert!(!all || python.is_ok(), "{python:?}");
    Some([python.ok()?.as_str(), "-m", "awslambdaric", handler].map(str::to_owned).into())
}

/// A Python that has awslambdaric and these modules, or why there is none.
fn find_python(modules: &[&str]) -> Result<String, String> {
    let python = std::env::var("TRIAGE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports = [&["awslambdaric"], modules].concat().join(", ");
    let probe = Command::new(&python).args(["-c", &format!("import {imports}")]).output();
    let probe = probe.map_err(|error| format!("{python} cannot be run: {error}"))?;
    if probe.status.success() {
        return Ok(python);
    }
    let error = String::from_utf8_lossy(&probe.stderr);
    let reason = error.lines().last().unwrap_or("it failed");
    Err(format!("{python} lacks a module: {reason}"))
}

#[tokio::test]
async fn the_python_function_is_diagnosed_alike() {
    let Some(config) = python() else { return };
    let scenarios = demo::scenarios();
    // The chain is the platform's to tell, whatever the function is written in.
    let chained =
        |scenario: &&Scenario| scenario.calls.iter().all(|call| call.trace == Trace::Fresh);
    for scenario in scenarios.iter().filter(chained) {
        prove(config.clone(), scenario).await;
    }
}

#[tokio::test]
async fn its_traceback_is_one_diagnosis_in_either_log_format() {
    let Some(config) = python() else { return };
    for problem in ["efs-mount-timeout", "efs-io"] {
        let scenarios = demo::scenarios();
        let mut scenario = scenarios.into_iter().find(|scenario| scenario.name == "efs").unwrap();
        scenario.expected[0].problem = problem;
        scenario.calls[0].event = match problem {
            "efs-io" => r#"{"problem":"efs-io"}"#,
            _ => r#"{"problem":"efs-mount-timeout"}"#,
        };
        for log_format in [LogFormat::Text, LogFormat::Json] {
            let mut config = config.clone();
            config.function.log_format = log_format;
            prove(config, &scenario).await;
        }
    }
}
