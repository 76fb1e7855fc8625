//! The real extension and a real function under `lambda-simulator`.
//!
//! It has its own idea of Lambda: every event of the platform comes with nanoseconds and fields of
//! its own, the subscription is taken without a word, several deliveries are under way at once, and
//! processes are frozen between invocations. It enforces no timeout, delivers no log line, and gives
//! a failed invocation the status `error`. What can be diagnosed from that is checked here.

#![cfg(test)]

mod binaries;
mod extension;

use extension::Extension;
use lambda_simulator::process::{ManagedProcess, ProcessConfig, ProcessRole};
use lambda_simulator::{FreezeMode, Invocation, InvocationStatus, ShutdownReason, Simulator};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);
const TIMEOUT_MS: u64 = 3_000;

struct Environment {
    simulator: Simulator,
    extension: Extension,
    /// Ended when dropped.
    function: ManagedProcess,
}

impl Environment {
    async fn start() -> Self {
        let simulator = Simulator::builder()
            .function_name("orders")
            .invocation_timeout(Duration::from_millis(TIMEOUT_MS))
            .freeze_mode(FreezeMode::Process)
            .build()
            .await
            .unwrap();
        let extension =
            Extension::start(&binaries::build("lambda-triage"), simulator.lambda_env_vars());
        simulator.register_freeze_pid(extension.pid());
        // Who is not registered by the runtime's first poll is not let in any more.
        let asks = || async { simulator.extension_count().await == 1 };
        simulator.wait_for(asks, PATIENCE).await.unwrap();
        let id = simulator.get_registered_extensions().await.remove(0).id;
        let polls = || async { simulator.first_next_poll_at(&id).await.is_some() };
        simulator.wait_for(polls, PATIENCE).await.unwrap();

        let function = ProcessConfig::new(binaries::build("problem-maker"), ProcessRole::Runtime);
        let function = simulator.spawn_process_with_config(function.inherit_stdio(false)).unwrap();
        Self { simulator, extension, function }
    }

    async fn invoke(&self, payload: Value, trace_header: Option<&str>) -> Invoked {
        let mut invocation = Invocation::new(payload, TIMEOUT_MS);
        // The runtime and the extensions are told different ids otherwise.
        invocation.aws_request_id = invocation.request_id.clone();
        if let Some(header) = trace_header {
            invocation.trace_id = header.to_owned();
        }
        let id = self.simulator.enqueue(invocation).await;
        let state = self.simulator.wait_for_invocation_complete(&id, PATIENCE).await.unwrap();
        self.simulator.wait_for_frozen(PATIENCE).await.unwrap();
        // It says so before it does so; thawed in between, a process would be stopped for good.
        let stopped =
            || async { is_stopped(self.extension.pid()) && is_stopped(self.function.pid()) };
        self.simulator.wait_for(stopped, PATIENCE).await.unwrap();
        let overhead_ms = self.simulator.get_extension_overhead_ms(&id).await;
        Invoked { id, status: state.status, overhead_ms }
    }

    /// Ends it: the problems and request ids that the extension has told, and its complaints.
    async fn end(mut self, reason: ShutdownReason) -> (Vec<(String, String)>, String) {
        self.simulator.graceful_shutdown(reason).await;
        assert_eq!(self.extension.wait(PATIENCE).code(), Some(0), "{}", self.extension.stderr());
        let told = self.extension.stdout();
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // What happened, and was not merely about to.
        let problems = lines.filter(|line| line["diagnosis"]["stage"] != "imminent").map(|line| {
            assert_eq!(line["FunctionName"], "orders", "{line}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&line["diagnosis"]["problem"]), text(&line["requestId"]))
        });
        (problems.collect(), self.extension.stderr())
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name, in parentheses, may hold anything; then the state.
    stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
}

struct Invoked {
    id: String,
    status: InvocationStatus,
    overhead_ms: Option<f64>,
}

/// The one complaint there may be: nothing says that telemetry will come.
#[track_caller]
fn assert_quiet(stderr: &str) {
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("telemetry may not come"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_function_is_left_alone() {
    let environment = Environment::start().await;
    for _ in 0..20 {
        let invoked = environment.invoke(json!({"problem": "healthy"}), None).await;
        assert_eq!(invoked.status, InvocationStatus::Success);
        // It has asked for the next event long before the function answers, or at once after.
        assert!(invoked.overhead_ms.is_none_or(|ms| ms < 500.0), "{:?}", invoked.overhead_ms);
    }
    let (problems, stderr) = environment.end(ShutdownReason::Spindown).await;
    assert_eq!(problems, []);
    assert_quiet(&stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_telemetry_shows_is_diagnosed() {
    let environment = Environment::start().await;
    let mut expected = Vec::new();
    for event in [
        json!({"problem": "healthy"}),
        json!({"problem": "kms-disabled"}),
        json!({"problem": "near-timeout", "percent": 95}),
        json!({"problem": "healthy"}),
    ] {
        let invoked = environment.invoke(event.clone(), None).await;
        if event["problem"] == "near-timeout" {
            expected.push(("near-timeout".to_owned(), invoked.id));
        } else if event["problem"] == "kms-disabled" {
            // The error's text would be in a log line, which does not come.
            assert_eq!(invoked.status, InvocationStatus::Error);
        }
    }
    let chain = "Root=1-6a3b1c2f-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0;\
                 Lineage=9:68fd508a:0";
    let invoked = environment.invoke(json!({"problem": "healthy"}), Some(chain)).await;
    expected.push(("recursion".to_owned(), invoked.id));

    let (mut problems, stderr) = environment.end(ShutdownReason::Spindown).await;
    // Whichever comes first: near-timeout waits for the platform's report.
    problems.sort();
    expected.sort();
    assert_eq!(problems, expected);
    assert_quiet(&stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_of_the_shutdown_tells_of_a_timeout() {
    let environment = Environment::start().await;
    environment.invoke(json!({"problem": "healthy"}), None).await;
    // Nobody ends it: what says that it ran out of time is the shutdown alone.
    let hanging = Invocation::new(json!({"problem": "timeout"}), TIMEOUT_MS);
    let id = environment.simulator.enqueue(hanging).await;
    let taken_up = || async {
        let state = environment.simulator.get_invocation_state(&id).await;
        state.is_some_and(|state| state.started_at.is_some())
    };
    environment.simulator.wait_for(taken_up, PATIENCE).await.unwrap();
    let (problems, stderr) = environment.end(ShutdownReason::Timeout).await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, "timeout");
    assert_quiet(&stderr);
}
