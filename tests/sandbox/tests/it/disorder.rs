use std::time::Duration;

use lambda_sandbox::{
    Config, DeliveryFault, LifecycleConfig, LogStream, Reading, ShutdownReason, Status,
};
use serde_json::json;

use crate::support::*;

fn telemetry() -> Config {
    with_extension(&[("TYPES", "platform,function")])
}

/// The batches that the extension was posted, each with its number of records.
fn batches(lines: &[String]) -> Vec<usize> {
    let batches = lines.iter().filter_map(|line| line.strip_prefix("batch: "));
    batches.filter_map(|batch| batch.split(' ').next()?.parse().ok()).collect()
}

/// Prints these in an invocation whose telemetry meets the fault; what was delivered and what is
/// known to have been taken, of function logs, and the batches.
async fn after(fault: DeliveryFault, printed: &[&str]) -> (Vec<String>, Vec<String>, Vec<usize>) {
    let sandbox = start(telemetry()).await;
    let mut steps = vec![json!({"print": "first"}), json!({"sleep_ms": 400})];
    steps.extend(printed.iter().map(|text| json!({ "print": text })));
    steps.push(json!({"sleep_ms": 200}));
    let push = async {
        // All before is on its way then.
        seen(&sandbox, "telemetry: {\"record\":\"first\"").await;
        sandbox.faults().push_delivery(fault);
    };
    let (outcome, ()) = tokio::join!(invoke(&sandbox, json!(steps)), push);
    assert_eq!(outcome.status, Status::Success);
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let taken = printed_records(sandbox.taken_by(EXTENSION));
    (printed_records(delivered(&sandbox)), taken, batches(&extension_lines(&sandbox)))
}

/// The function's lines but the first.
fn printed_records(records: Vec<serde_json::Value>) -> Vec<String> {
    let functions = records.into_iter().filter(|record| record["type"] == "function");
    let texts = functions.filter_map(|record| record["record"].as_str().map(str::to_owned));
    texts.filter(|text| text != "first").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_can_be_lost_doubled_shuffled_or_cut_up() {
    let printed = ["1", "2", "3", "4", "5"];
    let (records, taken, _) = after(DeliveryFault::default(), &printed).await;
    assert_eq!(records, printed);
    assert_eq!(taken, printed);

    let fault = DeliveryFault { twice: true, ..DeliveryFault::default() };
    let (records, taken, _) = after(fault, &printed).await;
    assert_eq!(records.len(), 10);
    assert_eq!(taken, printed);

    let fault = DeliveryFault { one_by_one: true, ..DeliveryFault::default() };
    let (records, _, batches) = after(fault, &printed).await;
    assert_eq!(records, printed);
    assert!(batches.iter().filter(|records| **records == 1).count() >= 5, "{batches:?}");

    let fault = DeliveryFault { lost: true, ..DeliveryFault::default() };
    let (records, taken, _) = after(fault, &printed).await;
    assert!(records.is_empty() && taken.is_empty(), "{records:?}");

    let fault = DeliveryFault { shuffled: Some(7), ..DeliveryFault::default() };
    let (mut records, ..) = after(fault, &printed).await;
    assert_ne!(records, printed);
    records.sort();
    assert_eq!(records, printed);

    let fault = DeliveryFault { parts: 9, breaks_off: true, ..DeliveryFault::default() };
    let (records, taken, _) = after(fault, &printed).await;
    assert_eq!(records, printed);
    assert_eq!(taken, printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_can_be_overtaken() {
    let sandbox = start(telemetry()).await;
    let steps = json!([
        {"print": "first"}, {"sleep_ms": 400}, {"print": "1"}, {"sleep_ms": 40}, {"print": "2"},
        {"sleep_ms": 200},
    ]);
    let push = async {
        seen(&sandbox, "telemetry: {\"record\":\"first\"").await;
        sandbox
            .faults()
            .push_delivery(DeliveryFault { overtaken: true, ..DeliveryFault::default() });
    };
    tokio::join!(invoke(&sandbox, steps), push);
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let mut taken = printed_records(sandbox.taken_by(EXTENSION));
    if taken != ["2", "1"] {
        // A busy machine may have been too late to overtake; nothing is lost then either.
        taken.reverse();
        assert_eq!(taken, ["2", "1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_can_be_stepped() {
    let folder = std::env::temp_dir().join(format!("lambda-sandbox-clock-{}", std::process::id()));
    let lifecycle =
        LifecycleConfig { clock_file: Some(folder.clone()), ..LifecycleConfig::default() };
    let sandbox = start(Config { lifecycle, ..telemetry() }).await;
    let told = || std::fs::read_to_string(&folder).unwrap();
    assert_eq!(told(), "0");
    let before = invoke(&sandbox, json!([])).await;
    sandbox.pause(Duration::from_millis(1), 3_600_000).await.unwrap();
    sandbox.step_clock(-1_000).unwrap();
    assert_eq!(told(), "3599000");
    let after = invoke(&sandbox, json!([])).await;
    std::fs::remove_file(&folder).unwrap();
    let passed = after.started.duration_since(before.started).unwrap();
    assert!(passed >= Duration::from_secs(3_599), "{passed:?}");
    let deadlines: Vec<u64> =
        events(&sandbox).iter().filter_map(|event| event["deadlineMs"].as_u64()).collect();
    assert!(deadlines[1] - deadlines[0] >= 3_599_000, "{deadlines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_can_be_left_unread_and_closed() {
    let sandbox = start(with_extension(&[])).await;
    seen(&sandbox, "registered").await;
    sandbox.read_output(EXTENSION, LogStream::Stdout, Reading::Paused);
    invoke(&sandbox, json!([])).await;
    assert!(events(&sandbox).is_empty());
    sandbox.read_output(EXTENSION, LogStream::Stdout, Reading::Slow);
    seen(&sandbox, "INVOKE").await;
    sandbox.read_output(EXTENSION, LogStream::Stdout, Reading::Closed);
    // It prints, and breaks, once the pipe is closed.
    let broken = async {
        while invoke(&sandbox, json!([])).await.error_type.as_deref() != Some("Extension.Crash") {}
    };
    tokio::time::timeout(PATIENCE, broken).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_extensions_can_be_refused() {
    let sandbox = start(with_extension(&[])).await;
    sandbox.refuse_extensions(true).await.unwrap();
    assert!(sandbox.extension_pid(EXTENSION).is_some());
    let open_again = async {
        seen(&sandbox, "next failed: ConnectionRefused").await;
        sandbox.refuse_extensions(false).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(invoke(&sandbox, json!([])), open_again);
    assert_eq!(outcome.status, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_can_be_killed() {
    let sandbox = start(with_extension(&[])).await;
    let kill = async {
        seen(&sandbox, "working").await;
        sandbox.kill_runtime();
    };
    let steps = json!([{"print": "working"}, {"sleep_ms": 20_000}]);
    let (outcome, ()) = tokio::join!(invoke(&sandbox, steps), kill);
    assert_eq!(outcome.error_type.as_deref(), Some("Runtime.ExitError"));
    assert!(outcome.payload_text().contains("signal: killed"), "{}", outcome.payload_text());
}
