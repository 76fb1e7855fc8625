//! An hour of mixed traffic by the environment's clock, in one environment.

use crate::plan::ERRORS;
use crate::play::{EXTENSION, descriptors};
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LifecycleConfig, LogSource, LogStream,
    Sandbox, ShutdownReason, Status, cargo_bin_with_faults, cargo_example,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Resident memory may vary by this, as pages come and go.
const RSS_SPREAD_KIB: u64 = 512;

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_mixed_traffic_leaves_nothing_behind_and_misses_nothing() {
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    // Every three or thirty seconds.
    let invocations: u64 = if all { 1_200 } else { 120 };
    let step_ms = 3_600_000 / invocations;
    let folder = tempfile::tempdir().unwrap();
    let clock_file = folder.path().join("clock");
    let function = cargo_example("fixture_function").unwrap();
    let clock = ("TRIAGE_FAULT_CLOCK".to_owned(), clock_file.to_string_lossy().into_owned());
    let sandbox = Sandbox::start(Config {
        function: FunctionConfig {
            name: "orders".into(),
            timeout: Duration::from_secs(20),
            ..FunctionConfig::new([function.to_string_lossy()])
        },
        extensions: vec![ExtensionConfig {
            path: cargo_bin_with_faults(EXTENSION).unwrap(),
            env: vec![clock],
            ..ExtensionConfig::default()
        }],
        lifecycle: LifecycleConfig { clock_file: Some(clock_file), ..LifecycleConfig::default() },
        ..Config::default()
    })
    .await
    .unwrap();
    let pid = sandbox.extension_pid(EXTENSION).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut due: BTreeMap<&str, u64> = BTreeMap::new();
    let mut resident = Vec::new();
    let mut open = Vec::new();
    for n in 0..invocations {
        let mut steps = vec![json!({"print_many": rng.u64(0..50)})];
        if rng.u8(0..3) == 0 {
            let (text, _, metric) = ERRORS[rng.usize(0..ERRORS.len())];
            steps.push(json!({"print": format!("[ERROR] {text}")}));
            *due.entry(metric).or_default() += 1;
        }
        if rng.u8(0..4) == 0 {
            steps.push(json!({"error": "no such order"}));
        }
        let depth = if rng.u8(0..10) == 0 { 6 } else { 1 };
        if depth == 6 {
            *due.entry("Recursions").or_default() += 1;
        }
        let header = format!("Root=1-{n:08x}-000000000000000000000000;Lineage={depth}:a87bd80c:0");
        let invocation = Invocation::new(json!({ "steps": steps }).to_string());
        let outcome = sandbox.invoke(invocation.with_trace_header(header)).await.unwrap();
        assert!(matches!(outcome.status, Status::Success | Status::Error), "{outcome:?}");
        sandbox.pause(Duration::ZERO, step_ms).await.unwrap();
        if n >= invocations / 4 {
            resident.push(resident_kib(pid));
            open.push(descriptors(pid));
        }
    }
    assert_eq!(sandbox.extension_pid(EXTENSION), Some(pid), "the same process all along");
    sandbox.shutdown(ShutdownReason::Spindown).await;

    let (least, most) = (resident.iter().min().unwrap(), resident.iter().max().unwrap());
    assert!(most - least <= RSS_SPREAD_KIB, "{least} to {most} KiB");
    let (fewest, most) = (open.iter().min().unwrap(), open.iter().max().unwrap());
    assert!(most - fewest <= 1, "{fewest} to {most} descriptors");
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    for event in sandbox.log() {
        if event.source != LogSource::Extension(EXTENSION.into()) {
            continue;
        }
        assert_eq!(event.stream, LogStream::Stdout, "{event}");
        let line: Value = serde_json::from_str(&event.text).unwrap();
        assert_eq!(line["diagnosis"]["stage"], "confirmed", "{line}");
        for metric in ["KmsErrors", "EfsFailures", "Recursions", "TelemetryDropped"] {
            if let Some(value) = line[metric].as_u64() {
                *told.entry(metric).or_default() += value;
            }
        }
    }
    assert_eq!(told, due);
}
