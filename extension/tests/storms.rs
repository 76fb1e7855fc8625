//! A million problems through the real binary: few lines, exact counts, flat memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod running;
mod stand_in;
mod telemetry_records;

use running::Running;
use serde_json::Value;
use stand_in::{Call, StandIn, now_ms, post_on};
use std::net::TcpStream;
use telemetry_records::{error, runtime_done};

/// Problems of one invocation in a delivery, and records: a timeout, three errors, and one of them
/// once more.
const PROBLEMS: usize = 4;
const RECORDS: usize = 5;
/// As many records as the platform puts into a delivery.
const INVOCATIONS_A_DELIVERY: usize = 1_000 / RECORDS;
/// Memory may vary by this much once the storm is on.
const FLAT_KIB: u64 = 4 * 1024;

fn delivery(number: usize) -> String {
    let at_ms = now_ms();
    let records = (0..INVOCATIONS_A_DELIVERY).map(|n| {
        let id = format!("{number}-{n}");
        let names =
            ["KMSDisabledException", "KMSNotFoundException", "EFSIOException", "EFSIOException"];
        let errors = names.map(|name| error(&id, name, at_ms)).join(",");
        format!("{},{errors}", runtime_done(&id, "timeout", at_ms))
    });
    format!("[{}]", records.collect::<Vec<_>>().join(","))
}

#[test]
fn a_storm_is_told_in_few_lines_and_counted_exactly_in_flat_memory() {
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|all| !all.is_empty());
    let problems = if all { 1_000_000 } else { 80_000 };
    let deliveries = problems / PROBLEMS / INVOCATIONS_A_DELIVERY;
    let invocations = deliveries * INVOCATIONS_A_DELIVERY;

    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let mut platform = TcpStream::connect(api.telemetry_address()).unwrap();
    api.wait_for(Call::Next, 1);
    let mut rss_kib = Vec::new();
    for n in 0..deliveries {
        assert!(post_on(&mut platform, delivery(n).as_bytes()).is_some());
        let asked = api.seen(Call::Next).len();
        api.invoke(&format!("invocation-{n}"));
        api.wait_for(Call::Next, asked + 1);
        if n % 8 == 7 {
            // So that none is left out for want of room.
            extension.wait_until_idle();
            rss_kib.push(extension.rss_kib());
        }
    }
    extension.wait_until_idle();
    api.shutdown("spindown");
    let (status, _) = extension.wait();
    assert_eq!(status.code(), Some(0));

    let (mut lines, mut singles, mut occurrences) = (0, 0, 0);
    let mut told = std::collections::BTreeMap::<&str, f64>::new();
    for line in extension.stdout().lines() {
        let line: Value = serde_json::from_str(line).expect("every line is whole");
        lines += 1;
        singles += usize::from(line.get("requestId").is_some());
        occurrences += line["diagnosis"]["occurrences"].as_u64().unwrap();
        for metric in ["Timeouts", "KmsErrors", "EfsFailures", "Problems", "TelemetryDropped"] {
            *told.entry(metric).or_default() += line[metric].as_f64().unwrap_or_default();
        }
    }
    let each = invocations as f64;
    let expected = [
        ("Timeouts", each),
        ("KmsErrors", 2.0 * each),
        ("EfsFailures", each),
        ("Problems", PROBLEMS as f64 * each),
        ("TelemetryDropped", 0.0),
    ];
    assert_eq!(told, expected.into());
    // Every sign of an error is counted, also the one that came after the telling.
    assert_eq!(occurrences as usize, RECORDS * invocations);
    assert!(singles * 20 <= problems, "{singles} single lines for {problems} problems");
    assert!(lines * 20 <= problems, "{lines} lines for {problems} problems");
    let (early, late) = rss_kib.split_at(rss_kib.len() / 2);
    let (early, late) = (early.iter().max().unwrap(), late.iter().max().unwrap());
    assert!(*late <= early + FLAT_KIB, "{rss_kib:?} KiB");
    assert_eq!(extension.stderr(), "");
}
