use std::time::Duration;

use lambda_sandbox::{
    Config, FunctionConfig, InitPhase, InitializationType, Invocation, LifecycleConfig, ReasonCase,
    Sandbox, SandboxError, ShutdownReason, Status,
};
use serde_json::json;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_function_answers_and_spins_down() {
    let sandbox = start(with_extension(&[])).await;
    assert_eq!(sandbox.init().status, Status::Success);
    assert_eq!(sandbox.init().phase, InitPhase::Init);

    let first = invoke(&sandbox, json!([{"print": "hello"}])).await;
    assert_eq!(first.status, Status::Success);
    assert_eq!(first.error_type, None);
    assert!(!first.function_error);
    assert_eq!(first.payload_text(), r#"{"steps":[{"print":"hello"}]}"#);
    assert_eq!(first.init.as_ref().unwrap().phase, InitPhase::Init);
    assert!(first.duration_ms > 0.0);
    assert!(first.max_memory_used_mb > 0);
    assert!(first.extension_next_ms[EXTENSION] < 1_000.0);
    let second = invoke(&sandbox, json!([])).await;
    assert!(second.init.is_none());
    assert_ne!(first.request_id, second.request_id);

    let exits = sandbox.shutdown(ShutdownReason::Spindown).await;
    assert_eq!((exits.len(), exits[0].code, exits[0].killed), (1, Some(0), false));
    assert_eq!(sandbox.extension_exits(), exits);
    assert!(sandbox.shutdown(ShutdownReason::Spindown).await.is_empty());
    let refused = sandbox.invoke(Invocation::default()).await;
    assert!(matches!(refused, Err(SandboxError::ShutDown)));

    assert_eq!(function_lines(&sandbox), ["hello"]);
    let events = events(&sandbox);
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["eventType"], "INVOKE");
    assert_eq!(events[0]["requestId"], first.request_id);
    assert_eq!(events[0]["tracing"]["type"], "X-Amzn-Trace-Id");
    assert_eq!(events[2]["eventType"], "SHUTDOWN");
    assert_eq!(events[2]["shutdownReason"], "spindown");
    assert!(events[2]["deadlineMs"].is_u64());
    let platform = platform_lines(&sandbox);
    let begins = ["INIT_START", "START", "END", "REPORT", "START", "END", "REPORT"];
    assert_eq!(platform.len(), begins.len(), "{platform:#?}");
    for (line, begin) in platform.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
    assert!(platform[3].contains("\tInit Duration: ") && !platform[6].contains("Init Duration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_all_is_killed_and_the_next_invocation_starts_anew() {
    let function = FunctionConfig { timeout: Duration::from_millis(600), ..function() };
    let sandbox = start(Config { function, ..with_extension(&[]) }).await;
    let outcome = invoke(&sandbox, json!([{"spawn": "3600"}, {"sleep_ms": 3_600_000}])).await;
    assert_eq!(outcome.status, Status::Timeout);
    assert_eq!(outcome.error_type, None);
    assert!(outcome.function_error);
    assert!(outcome.duration_ms >= 600.0);
    assert!(outcome.payload_text().contains("Sandbox.Timedout"), "{}", outcome.payload_text());
    seen(&sandbox, &format!("{} Task timed out after 0.60 seconds", outcome.request_id)).await;
    seen(&sandbox, "\tStatus: timeout").await;
    assert_eq!(events(&sandbox)[1]["shutdownReason"], "timeout");
    let exits = sandbox.extension_exits();
    assert_eq!((exits[0].reason, exits[0].code), (ShutdownReason::Timeout, Some(0)));
    assert!(sandbox.init().status == Status::Success);

    let next = invoke(&sandbox, json!([])).await;
    assert_eq!(next.status, Status::Success);
    assert_eq!(next.init.as_ref().unwrap().phase, InitPhase::Invoke);
    let records = sandbox.telemetry();
    let inits: Vec<_> = records.iter().filter(|r| r["type"] == "platform.initStart").collect();
    assert_eq!(inits.len(), 2);
    assert_eq!(inits[1]["record"]["phase"], "invoke");
    let done: Vec<_> = records.iter().filter(|r| r["type"] == "platform.runtimeDone").collect();
    assert_eq!(done[0]["record"]["status"], "timeout");
    assert!(done[0]["record"].get("errorType").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_and_a_signal_of_the_runtime_are_failures() {
    let sandbox = start(with_extension(&[])).await;
    let cases = [
        (json!([{"print": "last words"}, {"exit": 3}]), "Runtime exited with error: exit status 3"),
        (json!([{"exit": 0}]), "Runtime exited without providing a reason"),
        (json!([{"abort": 1}]), "Runtime exited with error: signal: aborted"),
    ];
    for (steps, text) in cases {
        let outcome = invoke(&sandbox, steps).await;
        assert_eq!(outcome.status, Status::Failure, "{text}");
        assert_eq!(outcome.error_type.as_deref(), Some("Runtime.ExitError"));
        assert!(outcome.payload_text().contains(text), "{}", outcome.payload_text());
        seen(&sandbox, &format!("RequestId: {} Error: {text}", outcome.request_id)).await;
        assert_eq!(events(&sandbox).last().unwrap()["shutdownReason"], "failure");
    }
    let words = sandbox.log().iter().position(|event| event.text == "last words").unwrap();
    let error = sandbox.log().iter().position(|e| e.text.contains("exit status 3")).unwrap();
    assert!(words < error, "what was printed before the exit comes first");
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_crash_still_reaches_the_caller() {
    let sandbox = start(with_extension(&[])).await;
    let outcome = invoke(&sandbox, json!([{"respond_then_exit": "early"}])).await;
    assert_eq!(outcome.status, Status::Failure);
    assert_eq!(outcome.payload_text(), "early");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_error_leaves_the_environment_alive() {
    let sandbox = start(with_extension(&[])).await;
    let outcome = invoke(&sandbox, json!([{"error": "bad order"}])).await;
    assert_eq!(outcome.status, Status::Error);
    assert_eq!(outcome.error_type.as_deref(), Some("Function.FixtureError"));
    assert!(outcome.function_error && outcome.payload_text().contains("bad order"));
    assert!(invoke(&sandbox, json!([])).await.init.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_above_six_megabytes_is_an_error() {
    let sandbox = start(with_extension(&[])).await;
    let fits = invoke(&sandbox, json!([{"respond_bytes": 6_291_556}])).await;
    assert_eq!((fits.status, fits.payload.len()), (Status::Success, 6_291_556));
    let large = invoke(&sandbox, json!([{"respond_bytes": 6_291_557}])).await;
    assert_eq!(large.status, Status::Error);
    assert_eq!(large.error_type.as_deref(), Some("Function.ResponseSizeTooLarge"));
    seen(&sandbox, "answer refused: 413").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_init_is_tried_again_inside_the_invocation() {
    for (steps, status, error_type) in [
        (json!([{"exit": 7}]), Status::Failure, "Runtime.ExitError"),
        (json!([{"init_error": "no database"}]), Status::Error, "Runtime.FixtureInit"),
    ] {
        let function = function_with_init(&steps);
        let sandbox = start(Config { function, ..with_extension(&[]) }).await;
        assert_eq!(sandbox.init().status, status);
        assert_eq!(sandbox.init().error_type.as_deref(), Some(error_type));
        assert_eq!(sandbox.extension_exits()[0].reason, ShutdownReason::Failure);
        let outcome = invoke(&sandbox, json!([])).await;
        assert_eq!(outcome.status, status);
        assert_eq!(outcome.error_type.as_deref(), Some(error_type));
        assert_eq!(outcome.init.unwrap().phase, InitPhase::Invoke);
        let records = sandbox.telemetry();
        let reports: Vec<_> =
            records.iter().filter(|r| r["type"] == "platform.initReport").collect();
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0]["record"]["phase"], "init");
        assert_eq!(reports[1]["record"]["phase"], "invoke");
        assert_eq!(reports[1]["record"]["errorType"], error_type);
        assert!(!types(&records).contains(&"platform.runtimeDone"));
        seen(&sandbox, "INIT_REPORT Init Duration: ").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_takes_too_long_is_a_timeout_of_init_and_then_of_the_invocation() {
    let function = FunctionConfig {
        timeout: Duration::from_millis(400),
        ..function_with_init(&json!([{"sleep_ms": 3_600_000}]))
    };
    let lifecycle =
        LifecycleConfig { init_timeout: Duration::from_millis(300), ..LifecycleConfig::default() };
    let sandbox = start(Config { function, lifecycle, ..with_extension(&[]) }).await;
    assert_eq!(sandbox.init().status, Status::Timeout);
    assert!(sandbox.init().duration_ms >= 300.0);
    let outcome = invoke(&sandbox, json!([])).await;
    assert_eq!(outcome.status, Status::Timeout);
    assert_eq!(outcome.init.unwrap().status, Status::Timeout);
    assert!(outcome.duration_ms >= 400.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_stopped_between_invocations() {
    let sandbox = start(with_extension(&[])).await;
    assert!(sandbox.is_frozen());
    let pid = extension_lines(&sandbox)[0].strip_prefix("pid: ").unwrap().to_owned();
    wait_for_state(&pid, 'T').await;
    invoke(&sandbox, json!([])).await;
    assert!(sandbox.is_frozen());
    wait_for_state(&pid, 'T').await;
    sandbox.shutdown(ShutdownReason::Spindown).await;
    assert!(!sandbox.is_frozen());
}

async fn wait_for_state(pid: &str, wanted: char) {
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let state = || stat().rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap();
    let limit = std::time::Instant::now() + PATIENCE;
    while state() != wanted {
        assert!(std::time::Instant::now() < limit, "{pid} is {} and not {wanted}", state());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn freezing_can_be_switched_off() {
    let lifecycle = LifecycleConfig { freeze: false, ..LifecycleConfig::default() };
    let sandbox = start(Config { lifecycle, ..with_extension(&[]) }).await;
    invoke(&sandbox, json!([])).await;
    assert!(!sandbox.is_frozen());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_exits_breaks_the_function() {
    let sandbox = start(with_extension(&[("ON_INVOKE", "exit 0")])).await;
    let outcome = invoke(&sandbox, json!([{"sleep_ms": 10_000}])).await;
    assert_eq!(outcome.status, Status::Failure);
    assert_eq!(outcome.error_type.as_deref(), Some("Extension.Crash"));
    assert!(outcome.payload_text().contains("exit status 0"));
    assert_eq!(sandbox.extension_exits()[0].code, Some(0));

    let sandbox = start(with_extension(&[("ON_INIT", "exit 2")])).await;
    assert_eq!(sandbox.init().error_type.as_deref(), Some("Extension.Crash"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_can_report_its_own_errors() {
    let sandbox = start(with_extension(&[("ON_INIT", "init-error")])).await;
    assert_eq!(sandbox.init().error_type.as_deref(), Some("Extension.InitError"));
    let sandbox = start(with_extension(&[("ON_INVOKE", "exit-error")])).await;
    let outcome = invoke(&sandbox, json!([{"sleep_ms": 10_000}])).await;
    assert_eq!(outcome.error_type.as_deref(), Some("Extension.ExitError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_never_asks_again_ends_in_a_timeout() {
    let function = FunctionConfig { timeout: Duration::from_millis(500), ..function() };
    let lifecycle = LifecycleConfig {
        shutdown_timeout: Duration::from_millis(200),
        reason_case: ReasonCase::Upper,
        ..LifecycleConfig::default()
    };
    let config = Config { function, lifecycle, ..with_extension(&[("ON_INVOKE", "hang")]) };
    let sandbox = start(config).await;
    let outcome = invoke(&sandbox, json!([])).await;
    assert_eq!(outcome.status, Status::Timeout);
    assert!(outcome.extension_next_ms.is_empty());
    assert!(outcome.post_runtime_ms > 0.0);
    let records = sandbox.telemetry();
    assert_eq!(only(&records, "platform.runtimeDone")["status"], "success");
    assert!(sandbox.extension_exits()[0].killed);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_after_the_response_is_measured() {
    let sandbox = start(with_extension(&[("ON_INVOKE", "sleep 300")])).await;
    let outcome = invoke(&sandbox, json!([])).await;
    assert!(outcome.extension_next_ms[EXTENSION] >= 300.0);
    assert!(outcome.post_runtime_ms > 0.0 && outcome.post_runtime_ms < 20_000.0);
    let quick = start(with_extension(&[])).await;
    let outcome = invoke(&quick, json!([{"sleep_ms": 200}])).await;
    assert_eq!(outcome.post_runtime_ms, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_leaves_two_seconds_and_then_kills() {
    let sandbox = start(with_extension(&[("ON_SHUTDOWN", "hang")])).await;
    let exits = sandbox.shutdown(ShutdownReason::Spindown).await;
    assert_eq!((exits[0].signal, exits[0].killed), (Some(9), true));
    // From the SHUTDOWN on, which the runtime's end comes before.
    assert!(exits[0].took >= Duration::from_millis(1_400), "{:?}", exits[0].took);

    let unsubscribed = start(with_extension(&[("EVENTS", "INVOKE")])).await;
    let exits = unsubscribed.shutdown(ShutdownReason::Spindown).await;
    assert!(exits[0].killed && exits[0].took < Duration::from_secs(1));
    assert!(events(&unsubscribed).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_is_terminated_before_it_is_killed() {
    let fixture = function().command.remove(0);
    let script = r#"trap 'echo terminated; exit' TERM; "$0""#;
    let function = FunctionConfig {
        command: ["sh", "-c", script, &fixture].map(String::from).into(),
        ..function()
    };
    let sandbox = start(Config { function, ..with_extension(&[]) }).await;
    sandbox.shutdown(ShutdownReason::Spindown).await;
    // The shell adds a word of its own.
    assert!(function_lines(&sandbox).contains(&"terminated".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn snap_start_restores_before_the_first_invocation() {
    for steps in [json!([]), json!([{"print": "before"}, {"restore_next": 1}, {"print": "after"}])]
    {
        let function = FunctionConfig {
            initialization_type: InitializationType::SnapStart,
            ..function_with_init(&steps)
        };
        let sandbox = start(Config { function, ..with_extension(&[]) }).await;
        assert_eq!(sandbox.init().status, Status::Success);
        assert!(!function_lines(&sandbox).contains(&"after".to_owned()));
        assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
        assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
        let records = sandbox.telemetry();
        assert_eq!(only(&records, "platform.restoreRuntimeDone")["status"], "success");
        assert!(only(&records, "platform.restoreReport")["metrics"]["durationMs"].is_f64());
        assert_eq!(only(&records, "platform.initStart")["initializationType"], "snap-start");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_outlives_the_sandbox() {
    let sandbox = start(with_extension(&[])).await;
    invoke(&sandbox, json!([{"spawn": "31536001"}])).await;
    assert_eq!(running("31536001"), 1);
    drop(sandbox);
    let limit = std::time::Instant::now() + PATIENCE;
    while running("31536001") > 0 {
        assert!(std::time::Instant::now() < limit, "a child of the function lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_configurations_are_named() {
    let error = |config| async { Sandbox::start(config).await.unwrap_err().to_string() };
    let missing = Config { function: FunctionConfig::new(["/no/such"]), ..Config::default() };
    assert!(error(missing).await.starts_with("cannot run /no/such: "));
    assert_eq!(error(Config::default()).await, "the function has no command");
    let twins = Config { extensions: vec![extension(&[]), extension(&[])], ..with_extension(&[]) };
    assert_eq!(error(twins).await, "extensions: two have the same file name");
    let mut lost = with_extension(&[]);
    lost.extensions[0].path = "/no/such/extension".into();
    assert!(error(lost).await.starts_with("cannot run /no/such/extension: "));
}
