//! What a seed stands for: a function, its invocations, and the faults that befall the extension.

use lambda_sandbox::{DeliveryFault, Endpoint, FaultAction, LogStream, Reading};
use std::collections::BTreeSet;
use std::time::Duration;

/// The function's timeout; only what hangs meets it.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1_500);
/// In everything that is private: variables, events, log lines.
pub(crate) const SECRET: &str = "hunter2";

/// A family of faults. A plan has a few of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// /next answers errors, nonsense, late or not at all.
    ApiErrors,
    /// The API refuses connections for a while, and closes those there are.
    ApiGone,
    /// Registration and subscription are refused at first, or for good.
    Start,
    /// Telemetry comes late, twice, in another order, in pieces, with junk in it.
    Disorder,
    /// Telemetry gets lost.
    Loss,
    /// Everything stands still for a moment that is hours long by the clock.
    Freeze,
    /// The clock is set forward and back.
    Clock,
    /// SHUTDOWN leaves 300 ms or nothing.
    ShortShutdown,
    /// What the extension writes is not read for a while, or slowly.
    SlowReader,
    /// Nobody will ever read what the extension writes.
    NoReader,
    /// The extension gets no more descriptors, for a while or for good.
    Descriptors,
    /// The function posts nonsense to the extension's listener.
    Nonsense,
    /// Another extension crashes, dawdles, or does not leave.
    OtherExtension,
    /// The ports that the extension would like are taken.
    Ports,
}

const FAMILIES: [Family; 14] = [
    Family::ApiErrors,
    Family::ApiGone,
    Family::Start,
    Family::Disorder,
    Family::Loss,
    Family::Freeze,
    Family::Clock,
    Family::ShortShutdown,
    Family::SlowReader,
    Family::NoReader,
    Family::Descriptors,
    Family::Nonsense,
    Family::OtherExtension,
    Family::Ports,
];

/// One sandbox's life.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) families: BTreeSet<Family>,
    pub(crate) flush: &'static str,
    pub(crate) json_logs: bool,
    pub(crate) shutdown_timeout: Duration,
    /// Met at the start.
    pub(crate) at_start: Vec<(Endpoint, FaultAction)>,
    /// `FIXTURE_…` variables of another extension.
    pub(crate) other_extension: Option<(&'static str, &'static str)>,
    pub(crate) calls: Vec<Call>,
}

/// One invocation, and what happens meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) request_id: String,
    pub(crate) lines: u64,
    /// Error texts that are logged: each by its index in [`ERRORS`], and how often.
    pub(crate) errors: Vec<(usize, u64)>,
    /// Whether an error's line names its request id.
    pub(crate) named: bool,
    /// The first invocation's own work, so that there is something to interrupt.
    pub(crate) work_ms: u64,
    /// So deep in a chain of invocations.
    pub(crate) lineage: u8,
    pub(crate) end: End,
    pub(crate) faults: Vec<Fault>,
}

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answer,
    Error,
    Exit,
    Abort,
    Hang,
    /// The runtime is killed so long after the beginning.
    Killed(Duration),
}

/// Something that happens so long after an invocation's beginning.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) after: Duration,
    pub(crate) happening: Happening,
}

#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Api(FaultAction),
    Gone(Duration),
    Delivery(DeliveryFault),
    Freeze {
        time: Duration,
        clock_ms: u64,
    },
    Step {
        by_ms: i64,
    },
    Read(LogStream, Reading),
    /// So many descriptors more than it has, then as many as it wants again.
    Descriptors {
        more: u64,
        time: Option<Duration>,
    },
    Nonsense(&'static [u8]),
}

/// Error texts, and the problem and the metric that each leads to.
pub(crate) const ERRORS: [(&str, &str, &str); 6] = [
    (
        "KMSDisabledException: the key of postgres://admin:hunter2@db/orders is disabled",
        "kms-disabled",
        "KmsErrors",
    ),
    (
        "KMSInvalidStateException: the key is pending deletion, password=hunter2",
        "kms-invalid-state",
        "KmsErrors",
    ),
    ("KMSNotFoundException: no key, token: hunter2", "kms-not-found", "KmsErrors"),
    (
        "EFSMountFailureException: The function could not mount the EFS file system with access point arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0",
        "efs-mount-failure",
        "EfsFailures",
    ),
    (
        "EFSMountTimeoutException: The function could not mount the EFS file system with access point arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0 due to mount time out",
        "efs-mount-timeout",
        "EfsFailures",
    ),
    (
        "EFSMountConnectivityException: The function couldn't connect to the Amazon EFS file system with access point arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0. Check your network configuration and try again.",
        "efs-mount-connectivity",
        "EfsFailures",
    ),
];

/// None opens a string: that would take what follows with it.
const JUNK: [&str; 5] =
    ["null", "{\"type\":", "}", "{\"time\":\"yesterday\",\"type\":7,\"record\":[]}", "]["];
const NONSENSE: [&[u8]; 5] = [
    b"",
    b"[{\"time\":\"2026-01-01T00:00:00Z\",\"type\":\"platform.unheardOf\",\"record\":{}}]",
    b"hunter2 \xff\xfe\x00",
    b"[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"type\":\"function\",\"record\":\"hunter2\"}",
];

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Each is the main one of every fourteenth plan, unless another rules it out below; the
        // others come as they come.
        let main = FAMILIES[usize::try_from(seed).unwrap_or_default() % FAMILIES.len()];
        let mut families = BTreeSet::from([main]);
        for _ in 0..rng.usize(0..3) {
            families.extend(rng.choice(FAMILIES));
        }
        let shutdown_timeout = match (families.contains(&Family::ShortShutdown), rng.bool()) {
            (false, _) => Duration::from_secs(2),
            (true, true) => Duration::from_millis(300),
            (true, false) => Duration::ZERO,
        };
        if shutdown_timeout < Duration::from_secs(2) {
            // Without the API SHUTDOWN cannot be heard of in so short a time.
            families.retain(|f| !matches!(f, Family::ApiErrors | Family::ApiGone));
        }
        if [Family::Start, Family::ApiErrors, Family::ApiGone].iter().any(|f| families.contains(f))
        {
            // The other one would break by them.
            families.remove(&Family::OtherExtension);
        }
        let has = |family| families.contains(&family);
        let other_extension = has(Family::OtherExtension).then(|| {
            let habits = [
                ("FIXTURE_ON_SHUTDOWN", "hang"),
                ("FIXTURE_ON_SHUTDOWN", "exit 3"),
                ("FIXTURE_ON_INVOKE", "sleep 30"),
                ("FIXTURE_ON_INVOKE", "exit 1"),
            ];
            habits[rng.usize(0..habits.len())]
        });
        let mut at_start = Vec::new();
        if has(Family::Start) {
            for endpoint in [Endpoint::Register, Endpoint::Subscribe, Endpoint::ExtensionNext] {
                for _ in 0..rng.usize(0..4) {
                    at_start.push((endpoint, api_fault(&mut rng, endpoint)));
                }
            }
        }
        let json_logs = rng.u8(0..4) == 0;
        let mut calls: Vec<_> =
            (0..rng.usize(8..16)).map(|n| Call::of(seed, n, &families, &mut rng)).collect();
        // Lambda wraps what is not JSON as of level INFO, at which a name is only mentioned; and
        // whose a line is that names none is told by the order and the time of the records.
        let has_order = !(has(Family::Disorder) || has(Family::Loss) || has(Family::Clock));
        let named = json_logs || !has_order;
        calls.iter_mut().for_each(|call| call.named |= named);
        Self {
            seed,
            flush: ["adaptive", "lazy", "end"][rng.usize(0..3)],
            json_logs,
            shutdown_timeout,
            at_start,
            other_extension,
            calls,
            families,
        }
    }

    pub(crate) fn has(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// Whether it needs a clock that can be moved.
    pub(crate) fn moves_the_clock(&self) -> bool {
        self.has(Family::Freeze) || self.has(Family::Clock)
    }

    /// Whether the other extension takes every invocation down with it.
    pub(crate) fn is_doomed(&self) -> bool {
        self.other_extension == Some(("FIXTURE_ON_INVOKE", "exit 1"))
    }

    /// Whether what was due may be missing: not because it was forgotten, but because there was no
    /// time to tell it, or nobody to tell.
    pub(crate) fn may_miss(&self) -> bool {
        self.shutdown_timeout.is_zero()
            || self.has(Family::NoReader)
            || self.has(Family::SlowReader) && self.is_doomed()
    }
}

impl Call {
    /// In every line that belongs to it, and in no other.
    pub(crate) fn mark(&self) -> String {
        format!("order {}", &self.request_id[24..])
    }

    fn of(seed: u64, n: usize, families: &BTreeSet<Family>, rng: &mut fastrand::Rng) -> Self {
        // What is not read of an environment that ends is lost with it.
        let calm = families.contains(&Family::SlowReader);
        let work_ms = rng.u64(0..40);
        let end = match rng.u8(0..20) {
            0 if !calm => End::Hang,
            1 if !calm => End::Exit,
            2 if !calm => End::Abort,
            3 | 4 if !calm => End::Killed(Duration::from_millis(rng.u64(0..60))),
            5 | 6 => End::Error,
            _ => End::Answer,
        };
        let mut faults: Vec<Fault> = Vec::new();
        for &family in families {
            let happenings: &[Happening] = &happenings(family, families, n, rng);
            for happening in happenings {
                let after = Duration::from_millis(rng.u64(0..60));
                faults.push(Fault { after, happening: happening.clone() });
            }
        }
        faults.sort_by_key(|fault| fault.after);
        let much = [Family::SlowReader, Family::NoReader].iter().any(|f| families.contains(f));
        let errors = match (much, rng.bool()) {
            // More than a pipe and the extension's queue hold.
            // But for the one that another of them explains.
            (true, _) => [0, 1, 2, 4, 5].map(|error| (error, rng.u64(1..3))).into(),
            (false, true) => vec![(rng.usize(0..ERRORS.len()), rng.u64(1..3))],
            (false, false) => Vec::new(),
        };
        Self {
            request_id: format!("{seed:08x}-0000-4000-8000-{n:012x}"),
            lines: if rng.u8(0..10) == 0 { 300 } else { rng.u64(0..5) },
            errors,
            // Of one that is over at once, a line may be read after its end.
            named: rng.bool() || work_ms < 20,
            work_ms,
            lineage: if rng.u8(0..6) == 0 { rng.u8(4..9) } else { 1 },
            end,
            faults,
        }
    }
}

/// What befalls the `n`-th invocation of a plan with this family.
fn happenings(
    family: Family,
    families: &BTreeSet<Family>,
    n: usize,
    rng: &mut fastrand::Rng,
) -> Vec<Happening> {
    let sometimes = rng.u8(0..3) == 0;
    let needs_connections = [Family::ApiErrors, Family::ApiGone, Family::Start]
        .iter()
        .any(|family| families.contains(family));
    match family {
        Family::ApiErrors if sometimes => (0..rng.usize(1..4))
            .map(|_| Happening::Api(api_fault(rng, Endpoint::ExtensionNext)))
            .collect(),
        Family::ApiGone if sometimes => {
            vec![Happening::Gone(Duration::from_millis(rng.u64(1..200)))]
        }
        Family::Disorder => {
            (0..rng.usize(0..3)).map(|_| Happening::Delivery(disorder(rng))).collect()
        }
        Family::Loss if sometimes => {
            vec![Happening::Delivery(DeliveryFault { lost: true, ..DeliveryFault::default() })]
        }
        Family::Freeze if sometimes => vec![Happening::Freeze {
            time: Duration::from_millis(rng.u64(1..50)),
            clock_ms: rng.u64(1_000..6 * 3_600_000),
        }],
        Family::Clock if sometimes => {
            let far = rng.bool();
            let span = if far { 10 * 24 * 3_600_000 } else { 5_000 };
            vec![Happening::Step { by_ms: rng.i64(-span..span) }]
        }
        // Long enough for pipe and queue to fill.
        Family::SlowReader if n == 0 || rng.u8(0..8) == 0 => {
            let readings = [Reading::Paused, Reading::Slow, Reading::Prompt];
            let reading = if n == 0 { Reading::Paused } else { readings[rng.usize(0..3)] };
            [LogStream::Stdout, LogStream::Stderr].map(|to| Happening::Read(to, reading)).into()
        }
        Family::NoReader if n == 0 => {
            let reading = if rng.bool() { Reading::Closed } else { Reading::Paused };
            let streams = [LogStream::Stdout, LogStream::Stderr];
            let streams = &streams[rng.usize(0..2)..];
            let streams =
                if rng.bool() { &[LogStream::Stdout, LogStream::Stderr] } else { streams };
            streams.iter().map(|stream| Happening::Read(*stream, reading)).collect()
        }
        Family::Descriptors if sometimes => vec![Happening::Descriptors {
            more: rng.u64(0..2),
            // Without one, a connection that is lost cannot be made again.
            time: (needs_connections || rng.bool()).then(|| Duration::from_millis(rng.u64(1..100))),
        }],
        Family::Nonsense if sometimes => {
            vec![Happening::Nonsense(NONSENSE[rng.usize(0..NONSENSE.len())])]
        }
        _ => Vec::new(),
    }
}

fn api_fault(rng: &mut fastrand::Rng, endpoint: Endpoint) -> FaultAction {
    match rng.u8(0..6) {
        0 => FaultAction::Reset,
        1 => FaultAction::Delay(Duration::from_millis(rng.u64(1..60))),
        // A registration that is refused for good is the one thing that ends the extension.
        2 if endpoint != Endpoint::Register => FaultAction::Status(403, "{}".into()),
        3 if endpoint != Endpoint::Register => FaultAction::Garbage(b"{\"eventType\":".to_vec()),
        4 => FaultAction::Status(503, "busy".into()),
        _ => FaultAction::Status(500, "{\"errorType\":\"x\"}".into()),
    }
}

fn disorder(rng: &mut fastrand::Rng) -> DeliveryFault {
    let mut fault = DeliveryFault::default();
    for _ in 0..rng.usize(1..4) {
        match rng.u8(0..8) {
            0 => fault.overtaken = true,
            1 => fault.late = Duration::from_millis(rng.u64(1..80)),
            2 => fault.shuffled = Some(rng.u64(..)),
            3 => fault.junk = Some(JUNK[rng.usize(0..JUNK.len())].to_owned()),
            4 => fault.one_by_one = true,
            5 => fault.breaks_off = true,
            6 => fault.parts = rng.usize(2..40),
            _ => fault.twice = true,
        }
    }
    fault
}
