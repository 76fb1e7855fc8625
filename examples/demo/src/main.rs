//! `cargo demo`: the extension at work on a local Lambda, for somebody who watches.
//!
//! It checks what it shows: the exit status is 1 when a diagnosis is missing, comes twice, or
//! comes where nothing went wrong.

mod page;

use demo::{
    CALLEE, Diagnosis, Outside, OutsideError, PlayError, Scenario, alarming, config, diagnoses,
    differences, outside_scenes, problem_maker,
};
use lambda_sandbox::{
    Invocation, InvocationOutcome, LogSource, Sandbox, SandboxError, ShutdownReason, cargo_bin,
};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a line may take that waits for no later event: far longer than it does.
const PROMPT: Duration = Duration::from_millis(400);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match show().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Play(#[from] PlayError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Plays every scenario; whether each led to just what it should.
async fn show() -> Result<bool, Error> {
    anstream::eprintln!("Building the extension and the functions (the first time takes a while)");
    let extension = cargo_bin("lambda-triage")?;
    let function = problem_maker()?;
    let outside = Outside::new(&extension).await?;
    let started = Instant::now();
    page::opening(&extension);

    let sandbox = Sandbox::start(config(function, &extension)).await?;
    let mut wrong = Vec::new();
    let mut seen = 0;
    let (scenarios, scenes) = (demo::scenarios(), outside_scenes());
    let total = scenarios.len() + scenes.len();
    for (index, scenario) in scenarios.iter().enumerate() {
        page::heading(index + 1, total, scenario.title, scenario.story);
        let outcomes = scenario.play(&sandbox).await?;
        for (call, outcome) in scenario.calls.iter().zip(&outcomes) {
            page::invocation(call, outcome);
        }
        await_lines(&sandbox, scenario, &outcomes).await?;
        let found = fresh(&sandbox, &mut seen).unwrap_or_else(|error| {
            wrong.push(error);
            Vec::new()
        });
        for diagnosis in &found {
            page::diagnosis(diagnosis);
        }
        if found.is_empty() && scenario.expected.is_empty() {
            page::silence();
        }
        wrong.extend(differences(&scenario.expected, &outcomes, &found));
    }

    let exits = sandbox.shutdown(ShutdownReason::Spindown).await;
    wrong.extend(
        exits
            .iter()
            .filter(|exit| exit.code != Some(0))
            .map(|exit| format!("at the end: {exit:?}")),
    );
    match fresh(&sandbox, &mut seen) {
        Ok(late) => {
            wrong.extend(late.iter().map(|late| format!("only at the end: {}", late.line)));
        }
        Err(error) => wrong.push(error),
    }
    for (index, scene) in scenes.iter().enumerate() {
        page::heading(scenarios.len() + index + 1, total, scene.title, scene.story);
        let played = outside.play(scene).await?;
        page::outside(&played);
        wrong.extend(scene.differences(&played));
    }
    let environments = outside.environments_of_callee();
    if environments > 0 {
        wrong.push(format!("{CALLEE}: {environments} environments were started"));
    }
    let mut metrics = sandbox.metrics();
    metrics.extend(outside.end().await);
    page::metrics(&metrics);
    wrong.extend(
        metrics.rejected().iter().map(|emf| format!("rejected: {}: {}", emf.reason, emf.line)),
    );
    match alarming(&metrics) {
        Ok(alarming) => {
            page::alarms(&alarming);
            wrong.extend(alarming.iter().flat_map(demo::Alarming::differences));
        }
        Err(error) => wrong.push(error.to_string()),
    }
    page::verdict(&wrong);
    anstream::println!("It took {:.1} s.", started.elapsed().as_secs_f64());
    Ok(wrong.is_empty())
}

/// Waits until every expected line is there. One that did not reach the extension before the
/// freeze comes with the next invocation, so healthy ones are made, three at most.
async fn await_lines(
    sandbox: &Sandbox,
    scenario: &Scenario,
    outcomes: &[InvocationOutcome],
) -> Result<(), SandboxError> {
    let wanted: Vec<(&str, &str)> = scenario
        .expected
        .iter()
        .map(|expected| (expected.problem, outcomes[expected.call].request_id.as_str()))
        .collect();
    let mut thawed = 0;
    while !all_come(sandbox, &wanted).await && thawed < 3 {
        thawed += 1;
        sandbox.invoke(Invocation::new(r#"{"problem":"healthy"}"#)).await?;
    }
    page::thawed(thawed);
    Ok(())
}

async fn all_come(sandbox: &Sandbox, wanted: &[(&str, &str)]) -> bool {
    for (problem, request_id) in wanted {
        let holds = |text: &str| {
            text.contains(request_id) && text.contains(&format!("\"problem\":\"{problem}\""))
        };
        let is_line = |event: &lambda_sandbox::LogEvent| {
            matches!(event.source, LogSource::Extension(_))
                && holds(&event.text)
                && !event.text.contains("\"stage\":\"imminent\"")
        };
        if sandbox.wait_for_log(is_line, PROMPT).await.is_err() {
            return false;
        }
    }
    true
}

/// The diagnoses that came since the last call; `seen` counts the log events that were looked at.
fn fresh(sandbox: &Sandbox, seen: &mut usize) -> Result<Vec<Diagnosis>, String> {
    let log = sandbox.log();
    let from = std::mem::replace(seen, log.len());
    diagnoses(&log[from..])
}
