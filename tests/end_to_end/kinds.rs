//! Every kind of function and of bringing up its environment.

use crate::environment::{extension, finish, happened, rust, shown};
use demo::{Expected, Scenario, diagnoses};
use lambda_sandbox::{
    Config, DeliveryFault, ExtensionConfig, FunctionConfig, InitializationType, Invocation,
    InvocationOutcome, LogSource, Sandbox, Status, cargo_bin_with_faults, cargo_example,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HOUR_MS: i64 = 3_600_000;
const KMS: &str =
    "An error occurred (DisabledException) when calling the Decrypt operation: the key is disabled";

/// The fixture function, whose events are lists of steps, with the extension.
fn fixture(function: FunctionConfig) -> Config {
    let command = cargo_example("fixture_function").unwrap();
    Config {
        function: FunctionConfig {
            name: demo::FUNCTION.to_owned(),
            command: vec![command.to_string_lossy().into_owned()],
            ..function
        },
        extensions: vec![ExtensionConfig::new(extension())],
        ..Config::default()
    }
}

pub(crate) fn steps(steps: &Value) -> Invocation {
    Invocation::new(json!({ "steps": steps }).to_string())
}

fn expected(call: usize, problem: &'static str, metric: &'static str) -> Expected {
    Expected {
        call,
        problem,
        stage: "confirmed",
        view: "function",
        metrics: vec![(metric, 1.0), ("Problems", 1.0)],
    }
}

/// Some of the demonstration's scenarios, one after the other in one environment.
async fn play(sandbox: &Sandbox, names: &[&str]) -> (Vec<InvocationOutcome>, Vec<Expected>) {
    let (mut outcomes, mut expected) = (Vec::new(), Vec::new());
    for name in names {
        let is_it = |scenario: &Scenario| scenario.name == *name;
        let scenario = demo::scenarios().into_iter().find(is_it).unwrap();
        let first = outcomes.len();
        expected.extend(
            scenario.expected.iter().cloned().map(|one| Expected { call: one.call + first, ..one }),
        );
        outcomes.extend(scenario.play(sandbox).await.unwrap());
    }
    (outcomes, expected)
}

#[tokio::test]
async fn one_function_is_diagnosed_alike_however_its_environment_is_brought_up() {
    for initialization_type in [
        InitializationType::OnDemand,
        InitializationType::ProvisionedConcurrency,
        InitializationType::SnapStart,
    ] {
        let mut config = rust();
        config.function.initialization_type = initialization_type;
        let sandbox = Sandbox::start(config).await.unwrap();
        let names = ["healthy", "kms", "recursion", "near-timeout", "timeout", "efs", "healthy"];
        let (outcomes, expected) = play(&sandbox, &names).await;
        finish(&sandbox, &expected, &outcomes).await;
        let told = &sandbox.telemetry()[0]["record"]["initializationType"];
        assert_eq!(told, initialization_type.as_str());
    }
}

/// An environment and its clock, which can be stepped for it and the extension.
pub(crate) async fn with_a_clock(
    initialization_type: InitializationType,
) -> (Sandbox, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let timeout = Duration::from_secs(2);
    let mut config =
        fixture(FunctionConfig { initialization_type, timeout, ..FunctionConfig::default() });
    let mut extension = ExtensionConfig::new(cargo_bin_with_faults("lambda-triage").unwrap());
    let file = clock.to_string_lossy().into_owned();
    extension.env.push(("TRIAGE_FAULT_CLOCK".to_owned(), file));
    config.extensions = vec![extension];
    config.lifecycle.clock_file = Some(clock);
    (Sandbox::start(config).await.unwrap(), directory)
}

fn ms(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The times of all lines, in ms since 1970: of what happened, and of the line.
fn times_ms(sandbox: &Sandbox) -> Vec<(u64, u64)> {
    let found = happened(diagnoses(&sandbox.log()).unwrap());
    let times = found.iter().map(|diagnosis| {
        let happened = diagnosis.json["timestamp"].as_str().unwrap();
        let happened = ms(humantime::parse_rfc3339(happened).unwrap());
        (happened, diagnosis.json["_aws"]["Timestamp"].as_u64().unwrap())
    });
    times.collect()
}

/// Days lie between a snapshot and its restore, and hours between provisioning and use. What was
/// seen before is not of now, and the first invocation tells the function's timeout all the same.
#[tokio::test]
async fn the_clock_may_have_jumped_since_the_environment_was_brought_up() {
    for (initialization_type, hours) in [
        (InitializationType::SnapStart, 5 * 24),
        (InitializationType::ProvisionedConcurrency, 7),
        // A clock that was ahead when the snapshot was taken.
        (InitializationType::SnapStart, -1),
    ] {
        let (sandbox, _clock) = with_a_clock(initialization_type).await;
        sandbox.step_clock(hours * HOUR_MS).unwrap();
        let mut outcomes = Vec::new();
        for call in [
            json!([{"sleep_ms": 1_850}]),
            json!([{"sleep_ms": 5}, {"print": KMS}, {"sleep_ms": 5}]),
            json!([{"sleep_ms": 60_000}]),
            json!([{"sleep_ms": 5}, {"print": KMS}, {"sleep_ms": 5}]),
        ] {
            outcomes.push(sandbox.invoke(steps(&call)).await.unwrap());
        }
        let expected = [
            expected(0, "near-timeout", "NearTimeouts"),
            expected(1, "kms-disabled", "KmsErrors"),
            expected(2, "timeout", "Timeouts"),
            expected(3, "kms-disabled", "KmsErrors"),
        ];
        finish(&sandbox, &expected, &outcomes).await;
        let begun = ms(outcomes[0].started);
        for (happened, written) in times_ms(&sandbox) {
            let since_begun = |ms: u64| ms >= begun && ms - begun < 60_000;
            assert!(since_begun(happened) && since_begun(written), "{}", shown(&sandbox));
        }
    }
}

/// The kept connection to the API and that of telemetry do not outlive the restore: the one is
/// closed, the other says nothing any more while a new one is made beside it.
#[tokio::test]
async fn after_a_restore_it_asks_for_the_next_event_on_a_new_connection() {
    let (sandbox, _clock) = with_a_clock(InitializationType::SnapStart).await;
    sandbox.refuse_extensions(true).await.unwrap();
    // The port may not be free at once.
    let begun = Instant::now();
    while let Err(error) = sandbox.refuse_extensions(false).await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sandbox.step_clock(24 * HOUR_MS).unwrap();
    for _ in 0..8 {
        // In parts is on a connection of its own.
        sandbox.faults().push_delivery(DeliveryFault { parts: 2, ..DeliveryFault::default() });
    }
    let mut outcomes = Vec::new();
    for call in [
        json!([{"sleep_ms": 100}, {"print": KMS}, {"sleep_ms": 100}]),
        json!([]),
        json!([{"sleep_ms": 60_000}]),
    ] {
        outcomes.push(sandbox.invoke(steps(&call)).await.unwrap());
    }
    let expected = [expected(0, "kms-disabled", "KmsErrors"), expected(2, "timeout", "Timeouts")];
    let records = sandbox.telemetry();
    let count = |kind: &str| records.iter().filter(|record| record["type"] == kind).count();
    assert_eq!(count("platform.restoreStart"), 1);
    assert_eq!(count("platform.restoreReport"), 1);
    // Without a complaint, and having left by itself: see there.
    finish(&sandbox, &expected, &outcomes).await;
}

/// The runtime waits for the restore in a request of its own, as AWS's clients do.
#[tokio::test]
async fn a_runtime_that_waits_for_the_restore_is_watched_from_it_on() {
    let mut config = fixture(FunctionConfig {
        initialization_type: InitializationType::SnapStart,
        timeout: Duration::from_secs(2),
        ..FunctionConfig::default()
    });
    let init = json!([{"print": "before"}, {"restore_next": ""}, {"print": KMS}]).to_string();
    config.function.env.push(("FIXTURE_INIT".to_owned(), init));
    let sandbox = Sandbox::start(config).await.unwrap();
    let hangs = steps(&json!([{"sleep_ms": 60_000}]));
    let outcome = sandbox.invoke(hangs).await.unwrap();
    assert_eq!(outcome.status, Status::Timeout);
    // What a restore hook logs belongs to no invocation, unless it comes with the first.
    let found = happened(diagnoses(&sandbox.log()).unwrap());
    let mut problems: Vec<_> = found.iter().map(|diagnosis| diagnosis.text("problem")).collect();
    problems.sort_unstable();
    assert_eq!(problems, ["kms-disabled", "timeout"], "{}", shown(&sandbox));
}

fn managed(timeout: Duration) -> Config {
    let mut config = fixture(FunctionConfig {
        initialization_type: InitializationType::ManagedInstances,
        timeout,
        ..FunctionConfig::default()
    });
    config.function.env.push(("FIXTURE_CONCURRENCY".to_owned(), "6".to_owned()));
    config
}

/// Several at once, and a timeout ends neither the code nor the instance.
#[tokio::test(flavor = "multi_thread")]
async fn on_managed_instances_each_of_several_at_once_is_told_apart() {
    let sandbox = Sandbox::start(managed(Duration::from_secs(1))).await.unwrap();
    let logged = |id: &str| json!({"level": "ERROR", "requestId": id, "message": KMS}).to_string();
    let kms = logged("kms");
    let late = logged("hung-and-late");
    let calls = [
        ("quick", json!([])),
        ("hung", json!([{"sleep_ms": 1_500}])),
        ("kms", json!([{"sleep_ms": 100}, {"print": kms}, {"sleep_ms": 100}])),
        ("slow", json!([{"sleep_ms": 700}])),
        ("hung-and-late", json!([{"sleep_ms": 1_300}, {"print": late}])),
        ("failed", json!([{"error": "no order"}])),
    ];
    let invoke = |(id, call): &(&str, Value)| {
        let invocation = steps(call).with_request_id(*id);
        sandbox.invoke(invocation)
    };
    let (a, b, c, d, e, f) = tokio::join!(
        invoke(&calls[0]),
        invoke(&calls[1]),
        invoke(&calls[2]),
        invoke(&calls[3]),
        invoke(&calls[4]),
        invoke(&calls[5]),
    );
    let mut outcomes: Vec<_> = [a, b, c, d, e, f].into_iter().map(Result::unwrap).collect();
    let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
    use Status::{Error, Success, Timeout};
    assert_eq!(statuses, [Success, Timeout, Success, Success, Timeout, Error]);

    // The code of one that timed out works on, and says something. The instance takes others.
    let is_late = |event: &lambda_sandbox::LogEvent| {
        matches!(event.source, LogSource::Extension(_))
            && event.text.contains("kms-disabled")
            && event.text.contains("hung-and-late")
    };
    sandbox.wait_for_log(is_late, Duration::from_secs(10)).await.unwrap();
    assert!(!sandbox.is_frozen());
    assert_eq!(sandbox.extension_exits(), []);
    let again = steps(&json!([])).with_request_id("again");
    outcomes.push(sandbox.invoke(again).await.unwrap());
    assert_eq!(outcomes[6].status, Success);

    let expected = [
        expected(1, "timeout", "Timeouts"),
        expected(2, "kms-disabled", "KmsErrors"),
        expected(4, "timeout", "Timeouts"),
        expected(4, "kms-disabled", "KmsErrors"),
    ];
    let found = finish(&sandbox, &expected, &outcomes).await;
    for diagnosis in found.iter().filter(|diagnosis| diagnosis.text("problem") == "timeout") {
        // The report holds how long it took, and nothing holds the timeout itself.
        let message = diagnosis.json["message"].as_str().unwrap();
        assert!(message.starts_with("timed out after 1.0"), "{message}");
        assert_eq!(diagnosis.json["diagnosis"]["evidence"]["timeoutMs"], Value::Null);
    }
    let seen = sandbox.telemetry();
    assert!(seen.iter().all(|record| record["type"] != "platform.runtimeDone"));
}

/// Its report, the one record that tells of it, takes longer than SHUTDOWN's usual quiet.
#[tokio::test(flavor = "multi_thread")]
async fn on_managed_instances_a_timeout_right_before_the_end_is_told() {
    let mut config = managed(Duration::from_secs(1));
    config.telemetry.report_delay = Duration::from_millis(60);
    let sandbox = Sandbox::start(config).await.unwrap();
    let outcome = sandbox.invoke(steps(&json!([{"sleep_ms": 5_000}]))).await.unwrap();
    assert_eq!(outcome.status, Status::Timeout);
    finish(&sandbox, &[expected(0, "timeout", "Timeouts")], &[outcome]).await;
}

/// Lambda's least timeout is a second; a tenth of it is what an initialization within the
/// invocation may leave. There is no time to wait for anything, and none is taken.
#[tokio::test]
async fn with_a_tenth_of_a_second_left_nothing_is_added_to_it() {
    for flush in ["adaptive", "lazy", "end"] {
        let mut config = fixture(FunctionConfig {
            timeout: Duration::from_millis(100),
            ..FunctionConfig::default()
        });
        config.extensions[0].env.push(("TRIAGE_FLUSH".to_owned(), flush.to_owned()));
        let sandbox = Sandbox::start(config).await.unwrap();
        let (mut outcomes, mut wanted) = (Vec::new(), Vec::new());
        let mut undisturbed = 0;
        for n in 0..24 {
            // The fourth logs an error, so that `adaptive` waits where it may; the eighth hangs.
            let call = match n % 8 {
                3 => json!([{"sleep_ms": 20}, {"print": KMS}, {"sleep_ms": 20}]),
                7 => json!([{"sleep_ms": 60_000}]),
                _ => json!([{"sleep_ms": 40}]),
            };
            let outcome = sandbox.invoke(steps(&call)).await.unwrap();
            // A busy machine may take the time from one that does not hang.
            match outcome.status {
                Status::Timeout => wanted.push(expected(n, "timeout", "Timeouts")),
                status => assert_eq!(status, Status::Success, "{n}"),
            }
            if n % 8 == 3 && outcome.status == Status::Success {
                wanted.push(expected(n, "kms-disabled", "KmsErrors"));
            }
            // It had asked for the next event before the function was done.
            let is_undisturbed =
                outcome.status == Status::Success && outcome.post_runtime_ms == 0.0;
            undisturbed += u32::from(is_undisturbed);
            outcomes.push(outcome);
        }
        assert!(outcomes.iter().filter(|o| o.status == Status::Timeout).count() >= 3);
        assert!(undisturbed > 12, "{undisturbed} of 24 with {flush}");
        finish(&sandbox, &wanted, &outcomes).await;
    }
}

/// The least that Lambda knows, with all that there is to tell of it.
#[tokio::test]
async fn a_timeout_of_one_second_is_told_before_and_after() {
    let timeout = Duration::from_secs(1);
    let config = fixture(FunctionConfig { timeout, ..FunctionConfig::default() });
    let sandbox = Sandbox::start(config).await.unwrap();
    let mut outcomes = Vec::new();
    for sleep_ms in [10, 920, 60_000] {
        let call = steps(&json!([{ "sleep_ms": sleep_ms }]));
        outcomes.push(sandbox.invoke(call).await.unwrap());
    }
    use Status::{Success, Timeout};
    let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, [Success, Success, Timeout]);
    let expected =
        [expected(1, "near-timeout", "NearTimeouts"), expected(2, "timeout", "Timeouts")];
    let found = finish(&sandbox, &expected, &outcomes).await;
    let message = |n: usize| found[n].json["message"].as_str().unwrap();
    assert!(message(0).starts_with("took 0.9"), "{}", message(0));
    assert!(message(0).contains(" of its timeout of 1 s (9"), "{}", message(0));
    assert!(message(1).starts_with("timed out after 1.0"), "{}", message(1));
}
