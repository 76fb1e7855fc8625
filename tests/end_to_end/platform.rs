//! What the platform tells of: crashes, initializations that fail, and responses that are too large.

use crate::environment::{extension, shown};
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LifecycleConfig, LogSource, LogStream,
    Sandbox, ShutdownReason, Status, cargo_example,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A function whose initialization and event are steps.
fn fixture(init: &Value) -> Config {
    let program = cargo_example("fixture_function").unwrap();
    Config {
        function: FunctionConfig {
            name: demo::FUNCTION.into(),
            timeout: Duration::from_secs(5),
            limit_memory: true,
            env: vec![("FIXTURE_INIT".into(), init.to_string())],
            ..FunctionConfig::new([program.to_string_lossy()])
        },
        extensions: vec![ExtensionConfig::new(extension())],
        ..Config::default()
    }
}

/// The diagnoses of an environment in which the function does these steps once: problem, cause,
/// stage, whether it names the invocation, and that their metrics are there.
async fn told(config: Config, steps: Value, status: Status) -> Vec<[String; 4]> {
    let sandbox = Sandbox::start(config).await.unwrap();
    let event = json!({"steps": steps}).to_string();
    let outcome = sandbox.invoke(Invocation::new(event)).await.unwrap();
    assert_eq!(outcome.status, status, "{}", shown(&sandbox));
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let own = LogSource::Extension("lambda-triage".into());
    let lines = sandbox.log().into_iter().filter(|event| event.source == own);
    let mut told: Vec<_> = lines
        .filter(|event| event.stream == LogStream::Stdout)
        .map(|event| {
            let line: Value = serde_json::from_str(&event.text).unwrap();
            let confirmed = line["diagnosis"]["stage"] == "confirmed";
            let counted = if confirmed { "Problems" } else { "SuspectedProblems" };
            assert_eq!(line[counted], 1, "{line}");
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let of_it = line["requestId"] == outcome.request_id.as_str();
            let diagnosis = &line["diagnosis"];
            let whose = if of_it { "invocation" } else { "init" };
            let [problem, cause, stage] =
                ["problem", "cause", "stage"].map(|name| text(&diagnosis[name]));
            [problem, cause, stage, whose.to_owned()]
        })
        .collect();
    told.sort();
    told
}

fn confirmed(problem: &str, cause: &str, whose: &str) -> [String; 4] {
    [problem, cause, "confirmed", whose].map(str::to_owned)
}

#[tokio::test]
async fn a_runtime_that_leaves_or_is_ended() {
    for steps in [json!([{"exit": 3}]), json!([{"abort": 1}])] {
        let told = told(fixture(&json!([])), steps, Status::Failure).await;
        // The local Lambda, too, gives its line on the end to the log and to no extension.
        assert_eq!(told, [confirmed("runtime-crash", "-", "invocation")]);
    }
}

#[tokio::test]
async fn memory_that_runs_out() {
    let steps = json!([{"allocate_mb": 400}, {"sleep_ms": 3_600_000}]);
    let told = told(fixture(&json!([])), steps, Status::Failure).await;
    assert_eq!(told, [confirmed("out-of-memory", "memory-limit", "invocation")]);
}

#[tokio::test]
async fn a_response_that_is_too_large() {
    let steps = json!([{"respond_bytes": 6_291_557}]);
    let told = told(fixture(&json!([])), steps, Status::Error).await;
    assert_eq!(told, [confirmed("response-too-large", "-", "invocation")]);
}

/// Lambda tries once more within the invocation: that is another initialization, in a sandbox whose
/// extension is not told of the invocation.
#[tokio::test]
async fn an_initialization_that_fails() {
    // An extension has to have subscribed by then, or hears of the failure by SHUTDOWN alone.
    let pause = json!({"sleep_ms": 300});
    for (steps, cause, status) in [
        (json!([pause, {"exit": 7}]), "exit", Status::Failure),
        (json!([pause, {"init_error": "no database"}]), "-", Status::Error),
    ] {
        let told = told(fixture(&steps), json!([]), status).await;
        assert_eq!(told, [0, 1].map(|_| confirmed("init-failure", cause, "init")));
    }
}

#[tokio::test]
async fn an_initialization_that_takes_too_long() {
    let mut config = fixture(&json!([{"sleep_ms": 3_600_000}]));
    config.function.timeout = Duration::from_secs(2);
    config.lifecycle =
        LifecycleConfig { init_timeout: Duration::from_secs(2), ..LifecycleConfig::default() };
    let told = told(config, json!([]), Status::Timeout).await;
    assert_eq!(
        told,
        [
            confirmed("init-timeout", "init", "init"),
            confirmed("init-timeout", "suppressed-init", "init"),
        ]
    );
}

#[tokio::test]
async fn another_extension_that_crashes() {
    let mut config = fixture(&json!([]));
    let path = cargo_example("fixture_extension").unwrap();
    let env = vec![("FIXTURE_ON_INVOKE".to_owned(), "exit 1".to_owned())];
    config.extensions.push(ExtensionConfig { path, env, pipe_bytes: None });
    let told = told(config, json!([{"sleep_ms": 500}]), Status::Failure).await;
    assert_eq!(told, [confirmed("extension-crash", "crash", "invocation")]);
}
