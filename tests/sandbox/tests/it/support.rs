use std::time::Duration;

use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, InvocationOutcome, LogSource, Sandbox,
    cargo_example,
};
use serde_json::{Value, json};

/// Far above what anything here takes, so that a busy machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const EXTENSION: &str = "fixture_extension";

/// The fixture function with a timeout that only a hang meets.
pub(crate) fn function() -> FunctionConfig {
    let program = cargo_example("fixture_function").unwrap();
    FunctionConfig {
        name: "orders".into(),
        timeout: Duration::from_secs(20),
        ..FunctionConfig::new([program.to_string_lossy()])
    }
}

/// The fixture function whose init does these steps.
pub(crate) fn function_with_init(steps: &Value) -> FunctionConfig {
    FunctionConfig { env: vec![("FIXTURE_INIT".into(), steps.to_string())], ..function() }
}

/// The fixture extension with these variables, each named without `FIXTURE_`.
pub(crate) fn extension(variables: &[(&str, &str)]) -> ExtensionConfig {
    let env = variables.iter().map(|(name, value)| (format!("FIXTURE_{name}"), (*value).into()));
    ExtensionConfig {
        path: cargo_example(EXTENSION).unwrap(),
        env: env.collect(),
        ..ExtensionConfig::default()
    }
}

pub(crate) fn with_extension(variables: &[(&str, &str)]) -> Config {
    Config { function: function(), extensions: vec![extension(variables)], ..Config::default() }
}

pub(crate) async fn start(config: Config) -> Sandbox {
    Sandbox::start(config).await.unwrap()
}

/// One invocation of these steps.
pub(crate) async fn invoke(sandbox: &Sandbox, steps: Value) -> InvocationOutcome {
    sandbox.invoke(Invocation::new(json!({"steps": steps}).to_string())).await.unwrap()
}

/// The texts that the function printed.
pub(crate) fn function_lines(sandbox: &Sandbox) -> Vec<String> {
    lines(sandbox, &LogSource::Function)
}

/// The texts that the fixture extension printed.
pub(crate) fn extension_lines(sandbox: &Sandbox) -> Vec<String> {
    lines(sandbox, &LogSource::Extension(EXTENSION.into()))
}

pub(crate) fn platform_lines(sandbox: &Sandbox) -> Vec<String> {
    lines(sandbox, &LogSource::Platform)
}

fn lines(sandbox: &Sandbox, source: &LogSource) -> Vec<String> {
    sandbox.log().into_iter().filter(|e| e.source == *source).map(|e| e.text).collect()
}

/// The events that the fixture extension was given.
pub(crate) fn events(sandbox: &Sandbox) -> Vec<Value> {
    prefixed(sandbox, "event: ")
}

/// The telemetry records that the fixture extension was delivered.
pub(crate) fn delivered(sandbox: &Sandbox) -> Vec<Value> {
    prefixed(sandbox, "telemetry: ")
}

fn prefixed(sandbox: &Sandbox, prefix: &str) -> Vec<Value> {
    let lines = extension_lines(sandbox);
    let lines = lines.iter().filter_map(|line| line.strip_prefix(prefix));
    lines.map(|json| serde_json::from_str(json).unwrap()).collect()
}

/// Waits until something printed or logged contains `text`.
pub(crate) async fn seen(sandbox: &Sandbox, text: &str) -> String {
    sandbox.wait_for_log(|event| event.text.contains(text), PATIENCE).await.unwrap().text
}

/// The record of the only telemetry event of this type so far.
pub(crate) fn only(records: &[Value], kind: &str) -> Value {
    let mut found = records.iter().filter(|record| record["type"] == kind);
    let record = found.next().unwrap_or_else(|| panic!("no {kind} in {records:#?}"));
    assert!(found.next().is_none(), "more than one {kind}");
    record["record"].clone()
}

pub(crate) fn types(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["type"].as_str()).collect()
}

/// Processes with this argument.
pub(crate) fn running(argument: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    command_lines.filter(|line| line.split(|b| *b == 0).any(|a| a == argument.as_bytes())).count()
}
