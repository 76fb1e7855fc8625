//! Very many problems, very long records, very odd ids.

use crate::events::*;
use triage_diagnosis::*;

#[test]
fn a_storm_is_folded_and_counted_exactly() {
    let mut triage = triage(false);
    let mut lines = Vec::new();
    let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in 0..10_000 {
        now = now.plus_ms(20);
        triage.handle_invoke(invoke(id, now), now);
        triage.handle_record(log(KMS, now), now);
        triage.handle_record(done(id, Status::Failure, now.plus_ms(1)), now);
        drain(&mut triage, now, &mut lines);
    }
    let wake = triage.poll_wake().unwrap();
    assert!(wake.ms_since(now) <= 10_000, "a folded line waits ten seconds at most");
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(sum(&lines, "KmsErrors"), 10_000);
    assert_eq!(occurrences(&lines), 10_000 + sum(&lines, "SuspectedProblems"));
    let kms = lines.iter().filter(|line| line["diagnosis"]["problem"] == "kms-disabled").count();
    // 200 s: four windows of 20 single lines, a folded line every ten seconds at most.
    assert!((80..=80 + 25).contains(&kms), "{kms}");
}

/// How many: all of them where all tests are asked for, else as many as take a few seconds in an
/// unoptimized build.
fn many(all: u32, some: u32) -> u32 {
    if std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|all| !all.is_empty()) { all } else { some }
}

/// Of several kinds and many invocations at once, as fast as they can come: at most one in twenty is
/// told singly, and none is lost or told twice.
#[test]
fn a_million_problems_are_told_in_few_lines_and_counted_exactly() {
    const KINDS: [(&str, &str); 4] = [
        ("KmsErrors", "[ERROR] KMSDisabledException: the key"),
        ("KmsErrors", "[ERROR] KMSNotFoundException: the key"),
        ("EfsFailures", "[ERROR] EFSIOException: the file system"),
        ("SuspectedProblems", "[WARN] EFSMountTimeoutException: the file system"),
    ];
    for (between_ms, invocations) in [(0, many(200_000, 8_000)), (1, 5_000), (50, 5_000)] {
        let mut triage = Triage::new(Settings::default(), Function::default());
        let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let (mut lines, mut told) = (0u32, Told::default());
        let mut fetch = |triage: &mut Triage, now| {
            while let Some(report) = triage.poll_report(now) {
                lines += 1;
                told.add(&report);
            }
        };
        for id in 0..invocations {
            now = now.plus_ms(between_ms);
            triage.handle_invoke(invoke(id, now), now);
            for (_, text) in KINDS {
                triage.handle_record(log(text, now), now);
            }
            triage.handle_record(done(id, Status::Timeout, now), now);
            // The shell fetches after each slice of a delivery.
            if id % 50 == 0 {
                fetch(&mut triage, now);
            }
        }
        triage.finish(now);
        fetch(&mut triage, now);
        let problems = 5 * invocations;
        let each = f64::from(invocations);
        for (metric, expected) in [
            ("Timeouts", each),
            ("KmsErrors", 2.0 * each),
            ("EfsFailures", each),
            ("SuspectedProblems", each),
            ("Problems", 4.0 * each),
        ] {
            assert_eq!(told.0.get(metric), Some(&expected), "{metric}, {between_ms} ms apart");
        }
        assert!(lines * 20 <= problems, "{lines} lines, {between_ms} ms apart");
    }
}

/// The sum of each metric.
#[derive(Default)]
struct Told(std::collections::HashMap<&'static str, f64>);

impl Told {
    fn add(&mut self, report: &Report) {
        for metric in report.metrics() {
            *self.0.entry(metric.name).or_default() += metric.values.iter().sum::<f64>();
        }
    }
}

#[test]
fn errors_of_one_invocation_are_one_diagnosis() {
    let mut triage = triage(false);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    for _ in 0..10_000 {
        triage.handle_record(log(KMS, now), now);
    }
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["diagnosis"]["occurrences"], 10_000);
    assert_eq!(lines[0]["KmsErrors"], 1);
}

#[test]
fn a_record_that_holds_nothing_but_errors_is_read_in_linear_time() {
    let mut triage = triage(false);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    // In quadratic time this would take hours.
    for record in [
        format!("{KMS} ").repeat(15_000),
        "DisabledException: kms:".repeat(45_000),
        "due to mount time out ".repeat(45_000),
        format!("{KMS} {}", "arn:aws".repeat(140_000)),
        // Names that are none of an error that is reported.
        "kms.DisabledException.".repeat(45_000),
        "DisabledException: 14, ".repeat(45_000),
        "code: Some(        \"DisabledException, ".repeat(25_000),
        "DisabledException(        ".repeat(38_000),
        format!("{KMS} {}", "attempt 1 retrying".repeat(50_000)),
        format!("{KMS} {}", "\u{1b}[31m".repeat(200_000)),
    ] {
        triage.handle_record(log(&record, now), now);
    }
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines.len(), 1);
}

/// Every line could go on from the one before, and each holds a text.
#[test]
fn a_trace_without_end_is_read_in_linear_time_and_bounded_memory() {
    let mut triage = triage(false);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    let mut sizes = Vec::new();
    for line in 0..30_000 {
        let record = match line % 3 {
            0 => format!("  code: 'DisabledException', // {line}"),
            1 => format!("    at kms:Decrypt arn:aws:kms {line}"),
            _ => format!("    KMSDisabledException {{ {}", "x".repeat(line % 300)),
        };
        triage.handle_record(log(&record, now), now);
        if line % 10_000 == 9_999 {
            sizes.push(format!("{triage:?}").len());
        }
    }
    let mut lines = Vec::new();
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(sum(&lines, "KmsErrors"), 1);
    assert!(sizes[2] < sizes[0] + 32 * 1024, "{sizes:?}");
}

#[test]
fn what_nobody_fetches_is_counted() {
    let mut triage = triage(false);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in 0..5_000 {
        triage.handle_invoke(invoke(id, now), now);
        triage.handle_record(log(KMS, now), now);
        triage.handle_dropped(Dropped { deliveries: 1, bytes: 1 }, now);
    }
    triage.finish(now);
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(sum(&lines, "KmsErrors"), 5_000);
    assert_eq!(sum(&lines, "TelemetryDropped"), 5_000);
    assert!(lines.len() < 200, "{}", lines.len());
}

#[test]
fn what_nobody_fetches_takes_bounded_memory() {
    let mut triage = triage(false);
    let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut sizes = Vec::new();
    for id in 0..3_000 {
        now = now.plus_ms(1_000);
        triage.handle_invoke(invoke(id, now), now);
        triage.handle_record(log(KMS, now), now);
        triage.handle_dropped(Dropped { deliveries: 1, bytes: 1 }, now);
        triage.handle_record(done(id, Status::Timeout, now), now);
        if id % 1_000 == 999 {
            // All that it holds, as text.
            sizes.push(format!("{triage:?}").len());
        }
    }
    assert!(sizes[2] < sizes[0] + sizes[0] / 10, "{sizes:?}");
}

#[test]
fn more_concurrent_invocations_than_are_kept_are_reported() {
    let mut triage = triage(true);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in 0..1_100 {
        let body = RecordBody::Start(Start { request_id: id.to_string(), ..Start::default() });
        triage.handle_record(Record { time: Some(now), body }, now);
    }
    triage.finish(now);
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(sum(&lines, "TelemetryDropped"), 1_100 - 1_024);
}

#[test]
fn ids_of_any_size_and_kind_fit_into_a_line() {
    for hostile in ["\u{0}".repeat(5_000), "\"\\".repeat(3_000), "🦀".repeat(2_000)] {
        let mut triage = triage(false);
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let invoke = Invoke {
            function_arn: hostile.clone(),
            trace_header: Some(format!("Root={hostile}")),
            ..invoke(&hostile, now)
        };
        triage.handle_invoke(invoke, now);
        triage.handle_record(log(KMS, now), now);
        triage.handle_record(done(&hostile, Status::Timeout, now.plus_ms(1)), now);
        triage.finish(now);
        let mut lines = Vec::new();
        drain(&mut triage, now, &mut lines);
        assert_eq!(lines.len(), 2);
        assert_eq!((sum(&lines, "Timeouts"), sum(&lines, "KmsErrors")), (1, 1));
    }
}

#[test]
fn what_comes_from_outside_fits_into_a_line_whatever_it_is() {
    for hostile in ["\u{0}".repeat(5_000), "\"\\".repeat(3_000), "🦀".repeat(2_000)] {
        let mut triage = triage(false);
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let text = || Some(hostile.clone());
        let request = FailedRequest {
            request_id: hostile.clone(),
            function_arn: text(),
            condition: text(),
            status_code: Some(429),
            error_type: text(),
            error_message: text(),
            ..FailedRequest::default()
        };
        assert!(triage.handle_failed_request(&request, now).is_some());
        let state = FunctionState {
            function_arn: text(),
            state: Some("Failed".to_owned()),
            state_reason_code: text(),
            last_update_status: text(),
            key: Some(KeyState { arn: hostile.clone(), state: None }),
            ..FunctionState::default()
        };
        triage.handle_function_state(&state, now);
        triage.finish(now);
        let mut lines = Vec::new();
        drain(&mut triage, now, &mut lines);
        assert_eq!((sum(&lines, "Throttles"), sum(&lines, "StateConflicts")), (1, 1));
        assert!(request.shown_error().is_none_or(|shown| shown.len() < 500));
    }
}
