//! What holds whatever happens to a sandbox, and in storms.

use proptest::prelude::*;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use triage_diagnosis::*;

const KMS: &str = "[ERROR] KMSDisabledException: An error occurred (KMSDisabledException)";

fn triage(concurrent: bool) -> Triage {
    let function = Function { name: "orders".into(), version: "7".into(), concurrent };
    let rate = InvocationRate { invocations: 5, seconds: 10 };
    Triage::new(Settings { recursion_rate: Some(rate), ..Settings::default() }, function)
}

fn invoke(id: impl ToString, now: Timestamp) -> Invoke {
    Invoke {
        request_id: id.to_string(),
        deadline: Some(now.plus_ms(3_000)),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:orders".into(),
        trace_header: None,
    }
}

fn log(text: &str, at: Timestamp) -> Record<'_> {
    let body = RecordBody::Function(FunctionLog::Text(Cow::Borrowed(text)));
    Record { time: Some(at), body }
}

fn done(id: impl ToString, status: Status, at: Timestamp) -> Record<'static> {
    let done = RuntimeDone { request_id: id.to_string(), status, ..RuntimeDone::default() };
    Record { time: Some(at), body: RecordBody::RuntimeDone(done) }
}

fn drain(triage: &mut Triage, now: Timestamp, lines: &mut Vec<Value>) {
    while let Some(report) = triage.poll_report(now) {
        let line = report.to_line(true);
        assert!((1..=MAX_LINE_BYTES).contains(&line.len()), "{line}");
        assert!(!line.contains('\n'));
        lines.push(serde_json::from_str(&line).unwrap());
    }
}

/// The sum of a metric over all lines.
fn sum(lines: &[Value], metric: &str) -> u64 {
    lines.iter().filter_map(|line| line[metric].as_u64()).sum()
}

fn occurrences(lines: &[Value]) -> u64 {
    lines.iter().filter_map(|line| line["diagnosis"]["occurrences"].as_u64()).sum()
}

#[derive(Clone, Debug)]
enum Happening {
    Invoke { id: u8, lineage: u8 },
    Start { id: u8 },
    Done { id: u8, status: Status, duration_ms: u16 },
    Report { id: u8, status: Status },
    Log { kind: usize, ago_ms: u16 },
    LogsDropped,
    Malformed,
    Shutdown { kind: usize },
    Pass { ms: i64 },
    Poll,
}

const LOGS: [&str; 6] = [
    KMS,
    "EFSMountTimeoutException: could not mount the EFS file system with access point x due to mount time out",
    "{\"level\":\"ERROR\",\"errorType\":\"KMSNotFoundException\",\"awsRequestId\":\"1\"}",
    "2026-03-01T12:00:00.000Z 2 Task timed out after 3.00 seconds",
    "healthy",
    "\u{1b}[31mWARN KMSInvalidStateException: \u{0}\u{fffd}\n\n\n",
];
const REASONS: [&str; 5] = ["spindown", "TIMEOUT", "failure", "", "something new"];

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let id = || 0u8..6;
    let status = || {
        use Status::*;
        prop_oneof![Just(Success), Just(Failure), Just(Error), Just(Timeout), Just(Unknown)]
    };
    prop_oneof![
        (id(), 0u8..9).prop_map(|(id, lineage)| Invoke { id, lineage }),
        id().prop_map(|id| Start { id }),
        (id(), status(), any::<u16>()).prop_map(|(id, status, duration_ms)| Done {
            id,
            status,
            duration_ms
        }),
        (id(), status()).prop_map(|(id, status)| Report { id, status }),
        (0..LOGS.len(), any::<u16>()).prop_map(|(kind, ago_ms)| Log { kind, ago_ms }),
        Just(LogsDropped),
        Just(Malformed),
        (0..REASONS.len()).prop_map(|kind| Shutdown { kind }),
        prop_oneof![0..100i64, -10_000..1_000_000i64].prop_map(|ms| Pass { ms }),
        Just(Poll),
    ]
}

fn happen(triage: &mut Triage, happening: &Happening, now: &mut Timestamp) {
    match *happening {
        Happening::Invoke { id, lineage } => {
            let trace_header =
                Some(format!("Root=1-{};Parent={id};Lineage={lineage}:a87bd80c:0", id % 2));
            triage.handle_invoke(Invoke { trace_header, ..invoke(id, *now) }, *now);
        }
        Happening::Start { id } => {
            let start = Start { request_id: id.to_string(), ..Start::default() };
            let body = RecordBody::Start(start);
            triage.handle_record(Record { time: Some(*now), body }, *now);
        }
        Happening::Done { id, status, duration_ms } => {
            let duration_ms = Some(f64::from(duration_ms));
            let request_id = id.to_string();
            let body = RecordBody::RuntimeDone(RuntimeDone {
                request_id,
                status,
                error_type: None,
                duration_ms,
            });
            triage.handle_record(Record { time: Some(*now), body }, *now);
        }
        Happening::Report { id, status } => {
            let request_id = id.to_string();
            let report = InvocationReport { request_id, status, ..InvocationReport::default() };
            let body = RecordBody::Report(report);
            triage.handle_record(Record { time: None, body }, *now);
        }
        Happening::Log { kind, ago_ms } => {
            triage.handle_record(log(LOGS[kind], now.minus_ms(ago_ms.into())), *now);
        }
        Happening::LogsDropped => {
            let body = RecordBody::LogsDropped(triage_diagnosis::LogsDropped::default());
            triage.handle_record(Record { time: None, body }, *now);
        }
        Happening::Malformed => {
            triage.handle_malformed(triage_diagnosis::Malformed { bytes: 7 }, *now)
        }
        Happening::Shutdown { kind } => {
            triage.handle_shutdown(&Shutdown { reason: REASONS[kind].into() }, *now);
        }
        Happening::Pass { ms } if ms < 0 => *now = now.minus_ms(ms.unsigned_abs()),
        Happening::Pass { ms } => *now = now.plus_ms(ms.unsigned_abs()),
        Happening::Poll => {}
    }
}

proptest! {
    #[test]
    fn whatever_happens(
        happenings in proptest::collection::vec(happening(), 0..60),
        concurrent in any::<bool>(),
    ) {
        let mut triage = triage(concurrent);
        let mut lines = Vec::new();
        let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut begun: HashMap<String, usize> = HashMap::new();
        for happening in &happenings {
            happen(&mut triage, happening, &mut now);
            if let Happening::Poll = happening {
                drain(&mut triage, now, &mut lines);
            }
            if let Happening::Invoke { id, .. } | Happening::Start { id }
                | Happening::Done { id, .. } | Happening::Report { id, .. } = happening
            {
                *begun.entry(id.to_string()).or_default() += 1;
            }
        }
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        prop_assert_eq!(triage.poll_fault(), None);
        prop_assert_eq!(triage.poll_wake(), None, "all is told at the end");
        let mut told: HashMap<(String, String), usize> = HashMap::new();
        for line in &lines {
            let problem = line["diagnosis"]["problem"].as_str().unwrap();
            if let Some(id) = line["requestId"].as_str() {
                *told.entry((id.to_owned(), problem.to_owned())).or_default() += 1;
            }
            let confirmed = line["diagnosis"]["stage"] == "confirmed";
            if line.get("_aws").is_some() {
                prop_assert_eq!(line["Problems"].is_u64(), confirmed);
                prop_assert_eq!(line["SuspectedProblems"].is_u64(), !confirmed);
            } else {
                prop_assert!(line.get("requestId").is_none());
            }
        }
        // An id may be that of as many attempts as there were signs of one beginning.
        for ((id, problem), lines) in told {
            prop_assert!(lines <= begun[&id], "{id} {problem}: {lines}");
        }
    }

    #[test]
    fn one_line_for_each_invocation_and_problem(
        kinds in proptest::collection::vec((0usize..4, 0usize..3, any::<bool>()), 1..15)
    ) {
        let mut triage = triage(false);
        let mut lines = Vec::new();
        let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut expected = 0;
        for (id, (errors, polls, repeats)) in kinds.iter().enumerate() {
            now = now.plus_ms(70_000);
            triage.handle_invoke(invoke(id, now), now);
            for _ in 0..*errors {
                triage.handle_record(log(KMS, now.plus_ms(5)), now);
                for _ in 0..*polls {
                    drain(&mut triage, now, &mut lines);
                }
            }
            triage.handle_record(done(id, Status::Failure, now.plus_ms(9)), now);
            if *repeats {
                triage.handle_record(done(id, Status::Failure, now.plus_ms(9)), now);
            }
            expected += u64::from(*errors > 0);
        }
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        prop_assert_eq!(sum(&lines, "KmsErrors"), expected);
        prop_assert_eq!(sum(&lines, "Problems"), expected);
        let errors: usize = kinds.iter().map(|kind| kind.0).sum();
        prop_assert_eq!(occurrences(&lines), errors as u64);
    }
}

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
    for record in [format!("{KMS} ").repeat(15_000), "DisabledException: kms:".repeat(45_000)] {
        triage.handle_record(log(&record, now), now);
    }
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines.len(), 1);
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
fn an_error_after_a_warning_counts_as_certain_and_once() {
    for closes_between in [false, true] {
        let mut triage = triage(false);
        let mut lines = Vec::new();
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        triage.handle_invoke(invoke("a", now), now);
        triage.handle_record(log("[WARN] try 1: KMSDisabledException: x", now), now);
        drain(&mut triage, now, &mut lines);
        if closes_between {
            triage.finish(now);
            drain(&mut triage, now, &mut lines);
        }
        triage.handle_record(log(KMS, now.plus_ms(50)), now);
        triage.handle_record(log(KMS, now.plus_ms(51)), now);
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        assert_eq!(sum(&lines, "KmsErrors"), 1, "{lines:#?}");
        assert_eq!(sum(&lines, "Problems"), 1);
        assert_eq!(sum(&lines, "SuspectedProblems"), u64::from(closes_between));
    }
}

#[test]
fn a_timeout_prints_one_line_however_its_signals_come() {
    const LINE: &str = "2026-03-01T12:00:00.000Z 2 Task timed out after 3.00 seconds";
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for is_polled in [false, true] {
        for log_is_first in [false, true] {
            let (mut triage, mut lines) = (triage(false), Vec::new());
            triage.handle_invoke(invoke("2", now), now);
            let mut signals = [done("2", Status::Timeout, now), log(LINE, now)];
            if log_is_first {
                signals.reverse();
            }
            for signal in signals {
                triage.handle_record(signal, now);
                if is_polled {
                    drain(&mut triage, now, &mut lines);
                }
            }
            triage.finish(now);
            drain(&mut triage, now, &mut lines);
            assert_eq!((lines.len(), occurrences(&lines)), (1, 1), "{lines:#?}");
        }
    }
}

#[test]
fn a_success_beyond_the_timeout_shows_that_the_timeout_is_not_known() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let deadline = Some(now.plus_ms(1_700));
    triage.handle_invoke(Invoke { deadline, ..invoke("a", now) }, now);
    let mut record = done("a", Status::Success, now.plus_ms(1_300));
    if let RecordBody::RuntimeDone(done) = &mut record.body {
        done.duration_ms = Some(2_600.0);
    }
    triage.handle_record(record, now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_shutdown_blames_none_of_several_invocations_that_run_at_once() {
    let (mut triage, mut lines) = (triage(true), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in ["a", "b"] {
        let body = RecordBody::Start(Start { request_id: id.into(), ..Start::default() });
        triage.handle_record(Record { time: Some(now), body }, now);
    }
    triage.handle_shutdown(&Shutdown { reason: "timeout".into() }, now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_field_without_a_value_is_absent() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(Invoke { function_arn: String::new(), ..invoke("a", now) }, now);
    triage.handle_record(done("a", Status::Timeout, now), now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines[0].get("functionArn"), None);
}

#[test]
fn a_handler_that_speaks_of_a_timeout_has_none() {
    for text in [
        "[INFO]\t2026-03-01T12:00:00.000Z\ta\tTask timed out after 2 tries",
        "[ERROR]\t2026-03-01T12:00:00.000Z\ta\tTask timed out after 30.00 seconds",
        "job a Task timed out after 30 seconds",
        "2026-03-01T12:00:00.000Z a Task timed out after 3.00 seconds, retrying",
    ] {
        let (mut triage, mut lines) = (triage(false), Vec::new());
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        triage.handle_invoke(invoke("a", now), now);
        triage.handle_record(log(text, now), now);
        triage.handle_record(done("a", Status::Success, now), now);
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        assert!(lines.is_empty(), "{text}: {lines:#?}");
    }
}

#[test]
fn a_line_tells_when_it_happened_and_when_it_was_written() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log(KMS, now.plus_ms(5)), now.plus_ms(10));
    drain(&mut triage, now.plus_ms(40), &mut lines);
    assert_eq!(lines[0]["timestamp"], now.plus_ms(5).to_string());
    assert_eq!(lines[0]["_aws"]["Timestamp"], now.plus_ms(40).as_ms());
    assert_eq!(
        (&lines[0]["level"], &lines[0]["FunctionName"]),
        (&"ERROR".into(), &"orders".into())
    );
    // More signs of it: one line, at the time of the last.
    triage.handle_record(log(KMS, now.plus_ms(50)), now.plus_ms(60));
    triage.handle_record(log(KMS, now.plus_ms(70)), now.plus_ms(80));
    triage.finish(now.plus_ms(90));
    drain(&mut triage, now.plus_ms(90), &mut lines);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["timestamp"], now.plus_ms(70).to_string());
    assert_eq!(lines[1]["diagnosis"]["evidence"]["firstAt"], now.plus_ms(50).to_string());
    assert_eq!(lines[1].get("_aws"), None);
}

#[test]
fn what_is_suspected_is_a_warning() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log("WARN KMSDisabledException: x", now), now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines[0]["level"], "WARN");
}

#[test]
fn a_function_is_not_named_as_the_one_it_called() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for (named, expected) in [("orders", None), ("archive", Some("archive"))] {
        let (mut triage, mut lines) = (triage(false), Vec::new());
        triage.handle_invoke(invoke("a", now), now);
        let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
        let text = format!("EFSIOException: {} failed", arn(named));
        triage.handle_record(log(&text, now), now);
        drain(&mut triage, now, &mut lines);
        let called = lines[0]["diagnosis"]["evidence"].get("calledFunctionArn");
        assert_eq!(called.and_then(Value::as_str), expected.map(arn).as_deref());
    }
}
