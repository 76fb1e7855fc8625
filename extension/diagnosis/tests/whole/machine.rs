//! What holds whatever happens to a sandbox.

use crate::events::*;
use proptest::prelude::*;
use std::collections::HashMap;
use triage_diagnosis::*;

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
