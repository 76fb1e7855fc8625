//! One environment per test: the function, the extension, and what it must look like at the end.

use demo::{Diagnosis, Expected, Scenario, config, diagnoses, differences};
use lambda_sandbox::{
    Config, ExtensionExit, InvocationOutcome, LogSource, LogStream, Sandbox, ShutdownReason,
};
use std::path::Path;

/// The extension under test, as cargo built it.
pub(crate) fn extension() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lambda-triage"))
}

/// The Rust function with the extension.
pub(crate) fn rust() -> Config {
    config(demo::problem_maker().unwrap(), extension())
}

/// Plays `scenario` in an environment made from `config`, ends it, and compares.
pub(crate) async fn prove(config: Config, scenario: &Scenario) {
    let sandbox = Sandbox::start(config).await.unwrap();
    let outcomes = scenario.play(&sandbox).await.unwrap();
    finish(&sandbox, &scenario.expected, &outcomes).await;
}

/// Ends the environment and requires what holds for every one: just the expected diagnoses, all of
/// their metrics extracted, nothing on standard error, and extensions that leave by themselves.
pub(crate) async fn finish(
    sandbox: &Sandbox,
    expected: &[Expected],
    outcomes: &[InvocationOutcome],
) -> Vec<Diagnosis> {
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let found = diagnoses(&sandbox.log()).unwrap();
    let differences = differences(expected, outcomes, &found);
    let found = happened(found);
    assert!(differences.is_empty(), "{differences:#?}\nThe log:\n{}", shown(sandbox));
    assert_extracted(sandbox, expected);
    assert_eq!(stderr(sandbox), Vec::<String>::new());
    for exit in sandbox.extension_exits() {
        let ExtensionExit { code, killed, .. } = &exit;
        assert!(*code == Some(0) && !killed, "{exit:?}\n{}", shown(sandbox));
    }
    found
}

/// Those of what has happened, and was not merely about to.
pub(crate) fn happened(mut found: Vec<Diagnosis>) -> Vec<Diagnosis> {
    found.retain(|diagnosis| diagnosis.text("stage") != "imminent");
    found
}

/// CloudWatch has each metric under the function's name and without dimensions, and no more.
fn assert_extracted(sandbox: &Sandbox, expected: &[Expected]) {
    let store = sandbox.metrics();
    assert_eq!(store.rejected(), []);
    let mut extracted: Vec<_> = store
        .iter()
        .flat_map(|(key, points)| points.iter().map(move |point| (key, point.value)))
        .map(|(key, value)| {
            assert_eq!(key.namespace, demo::NAMESPACE);
            let dimensions: Vec<_> = key.dimensions.iter().collect();
            assert!(
                dimensions.is_empty()
                    || dimensions == [(&"FunctionName".to_owned(), &demo::FUNCTION.to_owned())],
                "{dimensions:?}"
            );
            (key.name.clone(), dimensions.len(), value.to_string())
        })
        .collect();
    let mut wanted: Vec<_> = expected
        .iter()
        .flat_map(|expected| &expected.metrics)
        .flat_map(|(name, value)| [0, 1].map(|size| ((*name).to_owned(), size, value.to_string())))
        .collect();
    extracted.sort();
    wanted.sort();
    assert_eq!(extracted, wanted, "{}", shown(sandbox));
}

/// What extensions wrote to standard error: their own complaints.
pub(crate) fn stderr(sandbox: &Sandbox) -> Vec<String> {
    let log = sandbox.log().into_iter();
    log.filter(|event| matches!(event.source, LogSource::Extension(_)))
        .filter(|event| event.stream == LogStream::Stderr)
        .map(|event| event.text)
        .collect()
}

/// The end of the log, for the message of a failed test.
pub(crate) fn shown(sandbox: &Sandbox) -> String {
    let log = sandbox.log();
    let last = &log[log.len().saturating_sub(40)..];
    last.iter().map(|event| format!("{event:.400}")).collect::<Vec<_>>().join("\n")
}
