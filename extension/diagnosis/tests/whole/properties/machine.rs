//! Any sequence of events and records, at any times.

use super::watch::{Watch, as_kept, problem, sum};
use arbitrary::{Result, Unstructured};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use triage_diagnosis::*;

/// What happens to a sandbox.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Invoke {
        id: usize,
        until_deadline_ms: u16,
        lineage: u8,
    },
    Start {
        id: usize,
    },
    Done {
        id: usize,
        status: Status,
        duration_ms: u16,
    },
    Report {
        id: usize,
        status: Status,
        is_timed: bool,
    },
    Log {
        kind: usize,
        at: i16,
    },
    LogsDropped,
    Dropped,
    Malformed,
    InitStart {
        is_within_invocation: bool,
    },
    /// Very many invocations, each of which logs an error and fails.
    Storm {
        invocations: u16,
    },
    Shutdown {
        reason: usize,
    },
    Pass {
        ms: i64,
    },
    Poll,
}

/// Log records with the problem that each is a sign of.
const LOGS: [(&str, Option<&str>); 8] = [
    ("[ERROR] KMSDisabledException: An error occurred (KMSDisabledException)", KMS_DISABLED),
    (
        "EFSMountTimeoutException: could not mount the EFS file system with access point x due to mount time out",
        Some("efs-mount-timeout"),
    ),
    (
        r#"{"level":"ERROR","errorType":"KMSNotFoundException","awsRequestId":"1"}"#,
        Some("kms-not-found"),
    ),
    ("WARN KMSInvalidStateException: \u{0}\u{fffd}\n\n\n", Some("kms-invalid-state")),
    ("ERROR KMSInvalidStateException: x", Some("kms-invalid-state")),
    ("INFO KMSInvalidStateException: x", None),
    ("healthy", None),
    // One more sign of a timeout that can have happened but once: it adds no occurrence.
    ("2026-03-01T12:00:00.000Z 2 Task timed out after 3.00 seconds", None),
];
const KMS_DISABLED: Option<&str> = Some("kms-disabled");
const REASONS: [&str; 5] = ["spindown", "TIMEOUT", "failure", "", "something new"];
/// Request ids; the last ones are as hostile as ids can be.
const IDS: [&str; 8] = ["0", "1", "2", "3", "4", "5", "", "\u{0}\u{7f}"];

fn id(index: usize) -> String {
    IDS.get(index).map_or_else(hostile, |id| (*id).to_owned())
}

/// As long as anything that is kept, and twice that where it is escaped.
fn hostile() -> String {
    "\"\\".repeat(200)
}

#[derive(Debug)]
struct Scenario {
    settings: Settings,
    function: Function,
    happenings: Vec<Happening>,
}

impl Scenario {
    fn read(bytes: &[u8]) -> Self {
        let mut bytes = Unstructured::new(bytes);
        let setup: u8 = bytes.arbitrary().unwrap_or_default();
        let rate = InvocationRate { invocations: 5, seconds: 10 };
        let settings = Settings {
            near_timeout_percent: [90, 0, 1, 100][usize::from(setup & 3)],
            recursion_depth: [4, 0, 1, 300][usize::from(setup >> 2 & 3)],
            recursion_rate: (setup & 16 == 0).then_some(rate),
            disabled: if setup & 32 == 0 { Vec::new() } else { vec!["kms-disabled".to_owned()] },
            namespace: if setup & 64 == 0 { "LambdaTriage".to_owned() } else { hostile() },
        };
        let name = if setup & 64 == 0 { "orders".to_owned() } else { hostile() };
        let function = Function {
            version: name.clone(),
            name,
            concurrent: setup & 128 != 0,
            ..Function::default()
        };
        let mut happenings = Vec::new();
        while !bytes.is_empty()
            && let Ok(happening) = Happening::read(&mut bytes)
        {
            happenings.push(happening);
        }
        Self { settings, function, happenings }
    }
}

impl Happening {
    fn read(bytes: &mut Unstructured<'_>) -> Result<Self> {
        use Happening::*;
        let kind: u8 = bytes.int_in_range(0..=14)?;
        Ok(match kind {
            0 => Invoke {
                id: read_id(bytes)?,
                until_deadline_ms: bytes.arbitrary()?,
                lineage: bytes.arbitrary()?,
            },
            1 => Start { id: read_id(bytes)? },
            2 => Done {
                id: read_id(bytes)?,
                status: read_status(bytes)?,
                duration_ms: bytes.arbitrary()?,
            },
            3 => Report {
                id: read_id(bytes)?,
                status: read_status(bytes)?,
                is_timed: bytes.arbitrary()?,
            },
            4 | 5 => Log { kind: bytes.int_in_range(0..=LOGS.len() - 1)?, at: bytes.arbitrary()? },
            6 => LogsDropped,
            7 => Dropped,
            8 => Malformed,
            9 => InitStart { is_within_invocation: bytes.arbitrary()? },
            10 => Storm { invocations: bytes.int_in_range(1..=80)? },
            11 => Shutdown { reason: bytes.int_in_range(0..=REASONS.len() - 1)? },
            12 => Pass { ms: bytes.int_in_range(0..=100)? },
            13 => Pass { ms: bytes.int_in_range(-100_000..=1_000_000)? },
            _ => Poll,
        })
    }
}

fn read_id(bytes: &mut Unstructured<'_>) -> Result<usize> {
    bytes.int_in_range(0..=IDS.len())
}

fn read_status(bytes: &mut Unstructured<'_>) -> Result<Status> {
    use Status::*;
    Ok(*bytes.choose(&[Success, Failure, Error, Timeout, Unknown])?)
}

/// What must have been told in the end.
#[derive(Default)]
struct Due {
    /// Log records by the problem that they tell of.
    occurrences: HashMap<&'static str, u64>,
    /// By request id: whether the first runtimeDone told of a timeout.
    first_done: HashMap<String, bool>,
    losses: u64,
    possible_losses: u64,
}

pub(super) fn holds(bytes: &[u8]) {
    let scenario = Scenario::read(bytes);
    let is_disabled = |name: &str| scenario.settings.disabled.iter().any(|other| other == name);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut watch = Watch::new(scenario.settings.clone(), scenario.function.clone(), now);
    let mut due = Due::default();
    let mut stormed = 0;
    for happening in &scenario.happenings {
        happen(&mut watch, *happening, &mut due, &mut stormed);
    }
    let lines = watch.end();
    let what = || format!("{scenario:#?}\n{lines:#?}");
    for name in LOGS.iter().filter_map(|(_, problem)| *problem) {
        let expected =
            if is_disabled(name) { 0 } else { due.occurrences.get(name).copied().unwrap_or(0) };
        assert_eq!(occurrences(&lines, name), expected, "{name} {}", what());
        let diagnoses = sum(&lines, name, PROBLEMS) + sum(&lines, name, SUSPECTED_PROBLEMS);
        assert!(diagnoses <= expected, "{name}: more diagnoses than signs {}", what());
        assert_eq!(diagnoses > 0, expected > 0, "{name} {}", what());
    }
    let timeouts = due.first_done.values().filter(|is_timeout| **is_timeout).count() as u64;
    assert!(sum(&lines, "timeout", "Timeouts") >= timeouts, "{}", what());
    let losses = sum(&lines, "telemetry-dropped", "TelemetryDropped");
    assert!(losses >= due.losses, "{losses} of {} {}", due.losses, what());
    assert!(losses <= due.losses + due.possible_losses, "{losses} {}", what());
}

fn occurrences(lines: &[Value], name: &str) -> u64 {
    let of_it = lines.iter().filter(|line| problem(line) == name);
    of_it.filter_map(|line| line["diagnosis"]["occurrences"].as_u64()).sum()
}

fn happen(watch: &mut Watch, happening: Happening, due: &mut Due, stormed: &mut u32) {
    let now = watch.now();
    match happening {
        Happening::Invoke { id: index, until_deadline_ms, lineage } => {
            let id = id(index);
            // Few roots, so that they come back.
            let root = if index == IDS.len() { id.clone() } else { format!("1-{}", index % 2) };
            let trace_header =
                Some(format!("Root={root};Parent={lineage};Lineage={lineage}:a87bd80c:0"));
            due.possible_losses += 1;
            watch.invoke(Invoke {
                function_arn: format!("arn:aws:lambda:eu-west-1:123456789012:function:{id}"),
                request_id: id,
                deadline: Some(now.plus_ms(until_deadline_ms.into())),
                trace_header,
            });
        }
        Happening::Start { id: index } => {
            due.possible_losses += 1;
            let start = Start { request_id: id(index), ..Start::default() };
            watch.record(Record { time: Some(now), body: RecordBody::Start(start) });
        }
        Happening::Done { id: index, status, duration_ms } => {
            due.possible_losses += 1;
            let request_id = id(index);
            due.first_done.entry(as_kept(&request_id)).or_insert(status == Status::Timeout);
            let duration_ms = Some(f64::from(duration_ms));
            let done = RuntimeDone { request_id, status, duration_ms, ..RuntimeDone::default() };
            watch.record(Record { time: Some(now), body: RecordBody::RuntimeDone(done) });
        }
        Happening::Report { id: index, status, is_timed } => {
            due.possible_losses += 1;
            let report = InvocationReport { request_id: id(index), status, ..Default::default() };
            let body = RecordBody::Report(report);
            watch.record(Record { time: is_timed.then_some(now), body });
        }
        Happening::Log { kind, at } => log(watch, kind, at, due),
        Happening::LogsDropped => {
            due.losses += 1;
            let body = RecordBody::LogsDropped(LogsDropped::default());
            watch.record(Record { time: None, body });
        }
        Happening::Dropped => {
            due.losses += 1;
            watch.dropped(Dropped { deliveries: 1, bytes: 1 });
        }
        Happening::Malformed => {
            due.possible_losses += 1;
            watch.malformed(Malformed { bytes: 7 });
        }
        Happening::InitStart { is_within_invocation } => {
            let body = RecordBody::InitStart(InitStart { is_within_invocation });
            watch.record(Record { time: Some(now), body });
        }
        Happening::Storm { invocations } => {
            for _ in 0..invocations {
                *stormed += 1;
                let invoke = Invoke { request_id: format!("s{stormed}"), ..Invoke::default() };
                let request_id = invoke.request_id.clone();
                due.possible_losses += 1;
                watch.invoke(invoke);
                log(watch, 0, 0, due);
                due.first_done.insert(request_id.clone(), true);
                let status = Status::Timeout;
                let done = RuntimeDone { request_id, status, ..RuntimeDone::default() };
                watch.record(Record { time: Some(now), body: RecordBody::RuntimeDone(done) });
            }
        }
        Happening::Shutdown { reason } => watch.shutdown(REASONS[reason]),
        Happening::Pass { ms } if ms < 0 => watch.set_clock(now.minus_ms(ms.unsigned_abs())),
        Happening::Pass { ms } => watch.set_clock(now.plus_ms(ms.unsigned_abs())),
        Happening::Poll => watch.poll(),
    }
}

fn log(watch: &mut Watch, kind: usize, at: i16, due: &mut Due) {
    let (text, problem) = LOGS[kind];
    if let Some(problem) = problem {
        *due.occurrences.entry(problem).or_default() += 1;
    }
    let now = watch.now();
    let offset_ms = u64::from(at.unsigned_abs());
    let at = if at < 0 { now.minus_ms(offset_ms) } else { now.plus_ms(offset_ms) };
    let body = RecordBody::Function(FunctionLog::Text(Cow::Borrowed(text)));
    watch.record(Record { time: Some(at), body });
}
