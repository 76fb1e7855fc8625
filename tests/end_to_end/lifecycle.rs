//! Environments that live on, start anew, log as JSON, or hold more than one extension.

use crate::environment::{extension, finish, prove, rust, shown, stderr};
use demo::{Diagnosis, Expected, Scenario, diagnoses, differences};
use lambda_sandbox::{
    Config, ExtensionConfig, InitPhase, Invocation, LogEvent, LogFormat, LogSource, Sandbox,
    ShutdownReason, Status,
};
use std::time::Duration;

fn scenario(name: &str) -> Scenario {
    demo::scenarios().into_iter().find(|scenario| scenario.name == name).unwrap()
}

#[tokio::test]
async fn a_healthy_function_never_hears_of_it() {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    for _ in 0..50 {
        let invocation = Invocation::new(r#"{"problem":"healthy"}"#);
        assert_eq!(sandbox.invoke(invocation).await.unwrap().status, Status::Success);
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let printed: Vec<_> = sandbox
        .log()
        .into_iter()
        .filter(|event| matches!(event.source, LogSource::Extension(_)))
        .collect();
    assert_eq!(printed, []);
    assert!(sandbox.metrics().is_empty());
    assert!(sandbox.extension_exits().iter().all(|exit| exit.code == Some(0)));
}

#[tokio::test]
async fn a_healthy_invocation_is_not_billed_for_it() {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    for _ in 0..5 {
        // A tenth of a second at work, far from the timeout: time to ask for the next event.
        let invocation = Invocation::new(r#"{"problem":"near-timeout","percent":5}"#);
        let outcome = sandbox.invoke(invocation).await.unwrap();
        assert_eq!((outcome.status, outcome.post_runtime_ms), (Status::Success, 0.0));
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    assert!(sandbox.metrics().is_empty());
}

#[tokio::test]
async fn json_logs_are_read_and_left_unwrapped() {
    let mut config = rust();
    config.function.log_format = LogFormat::Json;
    prove(config, &scenario("efs")).await;
}

#[tokio::test]
async fn an_error_inside_a_json_object_is_found() {
    let mut scenario = scenario("kms");
    scenario.calls[0].event = r#"{"problem":"json-log"}"#;
    for log_format in [LogFormat::Text, LogFormat::Json] {
        let mut config = rust();
        config.function.log_format = log_format;
        prove(config, &scenario).await;
    }
}

/// After a timeout the extension is started anew with the function, inside the next invocation.
#[tokio::test]
async fn it_comes_back_after_a_timeout() {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    let mut outcomes = Vec::new();
    let mut expected = Vec::new();
    for name in ["timeout", "kms", "timeout", "healthy"] {
        let scenario = scenario(name);
        for mut one in scenario.expected.clone() {
            one.call += outcomes.len();
            expected.push(one);
        }
        outcomes.extend(scenario.play(&sandbox).await.unwrap());
    }
    for reborn in [1, 3] {
        let init = outcomes[reborn].init.as_ref();
        assert_eq!(init.map(|init| init.phase), Some(InitPhase::Invoke));
    }
    finish(&sandbox, &expected, &outcomes).await;
    assert_eq!(sandbox.extension_exits().len(), 3);
}

/// The first line of a quiet function may wait for a thaw; after it, a failure does not.
#[tokio::test]
async fn a_failure_after_another_is_reported_before_the_freeze() {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    let scenario = scenario("kms");
    let mut outcomes = scenario.play(&sandbox).await.unwrap();
    let is_line = |event: &LogEvent| matches!(event.source, LogSource::Extension(_));
    for _ in 0..200 {
        if sandbox.log().iter().any(is_line) {
            break;
        }
        sandbox.invoke(Invocation::new(r#"{"problem":"healthy"}"#)).await.unwrap();
    }

    outcomes.extend(scenario.play(&sandbox).await.unwrap());
    let second = &outcomes[1].request_id;
    let is_second = |event: &LogEvent| is_line(event) && event.text.contains(second);
    sandbox.wait_for_log(is_second, Duration::from_secs(5)).await.unwrap();

    let expected = [0, 1].map(|call| Expected { call, ..scenario.expected[0].clone() });
    finish(&sandbox, &expected, &outcomes).await;
}

#[tokio::test]
async fn a_healthy_function_that_logs_much_stays_alone_too() {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    let invocation = Invocation::new(r#"{"problem":"log-flood","lines":5000}"#);
    let outcome = sandbox.invoke(invocation).await.unwrap();
    assert_eq!(outcome.status, Status::Success);
    finish(&sandbox, &[], &[outcome]).await;
    let lines = sandbox.log().iter().filter(|event| event.source == LogSource::Function).count();
    assert_eq!(lines, 5000);
}

/// The second finds the listener's port taken by the first.
#[tokio::test]
async fn two_extensions_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let second = directory.path().join("second");
    std::fs::copy(extension(), &second).unwrap();
    let config = rust();
    let extensions = [config.extensions[0].clone(), ExtensionConfig::new(&second)];
    let names = extensions.each_ref().map(ExtensionConfig::name);
    let sandbox = Sandbox::start(Config { extensions: extensions.into(), ..config }).await.unwrap();

    let mut outcomes = scenario("healthy").play(&sandbox).await.unwrap();
    let scenario = scenario("kms");
    outcomes.splice(.., scenario.play(&sandbox).await.unwrap());
    let exits = sandbox.shutdown(ShutdownReason::Spindown).await;

    assert_eq!(exits.len(), 2);
    assert!(exits.iter().all(|exit| exit.code == Some(0)), "{exits:?}");
    assert_eq!(stderr(&sandbox), Vec::<String>::new());
    for name in names {
        let mut log = sandbox.log();
        log.retain(|event| event.source == LogSource::Extension(name.clone()));
        let found: Vec<Diagnosis> = diagnoses(&log).unwrap();
        let differences = differences(&scenario.expected, &outcomes, &found);
        assert!(differences.is_empty(), "{name}: {differences:#?}\n{}", shown(&sandbox));
    }
}
