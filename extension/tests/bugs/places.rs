//! The places in the code where a bug is tried, and what it may cost there.

use crate::INVOCATIONS;

/// What a bug may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Problems of which any may be missing.
    pub(crate) problems: &'static [&'static str],
    /// And of so many invocations anything.
    pub(crate) invocations: usize,
    /// And so many findings, whichever.
    pub(crate) findings: usize,
}

pub(crate) const NOTHING: Cost = Cost { problems: &[], invocations: 0, findings: 0 };
/// What rests on one record or line.
pub(crate) const ONE_FINDING: Cost = Cost { findings: 1, ..NOTHING };
/// What rests on one input.
const ONE: Cost = Cost { invocations: 1, ..NOTHING };
const EVERYTHING: Cost = Cost { invocations: INVOCATIONS, ..NOTHING };

pub(crate) const fn all_of(problems: &'static [&'static str]) -> Cost {
    Cost { problems, ..NOTHING }
}

/// What is read in the function's log, and the error that makes it.
pub(crate) const FROM_LOG: [(&str, &str); 12] = [
    // The one in [`SIGNATURES`](crate::SIGNATURES).
    ("custom:declined", "PaymentDeclined"),
    ("efs-io", "EFSIOException"),
    ("efs-mount-connectivity", "EFSMountConnectivityException"),
    ("efs-mount-failure", "EFSMountFailureException"),
    ("efs-mount-timeout", "EFSMountTimeoutException"),
    ("kms-access-denied", "KMSAccessDeniedException"),
    ("kms-disabled", "KMSDisabledException"),
    ("kms-invalid-state", "KMSInvalidStateException"),
    ("kms-not-found", "KMSNotFoundException"),
    ("kms-throttled", "KMSThrottlingException"),
    ("kms-unavailable", "KeyUnavailableException"),
    ("kms-unusable", "InvalidKeyUsageException"),
];
/// The problems of [`FROM_LOG`].
pub(crate) const LOG: &[&str] = &problems::<{ FROM_LOG.len() }>(&[]);
/// What is read in telemetry, the log included.
const TELEMETRY: &[&str] =
    &problems::<{ FROM_LOG.len() + 3 }>(&["near-timeout", "telemetry-dropped", "timeout"]);

/// Those of [`FROM_LOG`], and more.
const fn problems<const N: usize>(more: &[&'static str]) -> [&'static str; N] {
    let mut problems = [""; N];
    let mut n = 0;
    while n < N {
        problems[n] = if n < FROM_LOG.len() { FROM_LOG[n].0 } else { more[n - FROM_LOG.len()] };
        n += 1;
    }
    problems
}

/// Places that are passed shortly before a deadline alone.
pub(crate) const PROBED: [&str; 4] = ["probe", "sample", "sample again", "handle snapshot"];

/// Where metrics are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// To one that takes them.
    Takes,
    /// Where nobody listens.
    Refuses,
    /// To one that never answers.
    Silent,
}

/// Places on the way of metrics to CloudWatch's API, and to whom they are sent to get there. What is diagnosed
/// does not rest on them.
pub(crate) const SENDING: [(&str, Peer); 9] = [
    ("take metrics", Peer::Takes),
    ("poll metrics", Peer::Takes),
    ("metrics due", Peer::Takes),
    ("metrics thread", Peer::Takes),
    ("put metrics", Peer::Takes),
    ("metrics answer", Peer::Takes),
    ("metrics line", Peer::Refuses),
    ("finish metrics", Peer::Takes),
    ("give up metrics", Peer::Silent),
];

/// A place in the code and what a bug there costs.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    /// A later visit; None where there is only one.
    pub(crate) later: Option<u32>,
    /// At one visit.
    pub(crate) once: Cost,
    /// At every visit.
    pub(crate) always: Cost,
}

const fn place(name: &'static str, later: u32, once: Cost, always: Cost) -> Place {
    Place { name, later: Some(later), once, always }
}

const fn passed_once(name: &'static str, always: Cost) -> Place {
    Place { name, later: None, once: always, always }
}

/// All but the detectors, in the order of data: from the environment to the exit.
pub(crate) const PLACES: &[Place] = &[
    passed_once("config", all_of(&["custom:declined"])),
    passed_once("endpoint", NOTHING),
    passed_once("register", NOTHING),
    passed_once("registration", NOTHING),
    // Before it asks, and when it has the answer: that is lost. The third is /next.
    place("call", 4, NOTHING, all_of(TELEMETRY)),
    place("answer", 4, ONE, Cost { invocations: 1, ..all_of(TELEMETRY) }),
    passed_once("bind", all_of(TELEMETRY)),
    passed_once("subscribe", all_of(TELEMETRY)),
    place("next", 4, NOTHING, NOTHING),
    // Without INVOKE there is no header, and the timeout is not known.
    place("event", 4, Cost { invocations: 2, ..NOTHING }, all_of(&["near-timeout", "recursion"])),
    // The later visit is the one for SHUTDOWN.
    place("polling", INVOCATIONS as u32 + 1, ONE, EVERYTHING),
    place("accept", 3, NOTHING, all_of(TELEMETRY)),
    place("connection", 3, NOTHING, all_of(TELEMETRY)),
    place("receive", 3, NOTHING, all_of(TELEMETRY)),
    place("commit", 3, NOTHING, all_of(TELEMETRY)),
    place("take", 3, NOTHING, all_of(TELEMETRY)),
    place("input", 9, NOTHING, EVERYTHING),
    place("loop", 9, ONE, EVERYTHING),
    place("handle", 9, ONE, EVERYTHING),
    place("clock", 30, ONE, EVERYTHING),
    place("flush invoke", 4, NOTHING, NOTHING),
    place("flush record", 30, NOTHING, NOTHING),
    place("flush runtime done", 4, NOTHING, NOTHING),
    place("flush problem", 30, NOTHING, NOTHING),
    place("flush poll", 4, NOTHING, NOTHING),
    passed_once("signatures", all_of(&["custom:declined"])),
    passed_once("load signatures", all_of(&["custom:declined"])),
    place("delivery", 30, ONE, all_of(TELEMETRY)),
    place("record", 30, ONE_FINDING, all_of(TELEMETRY)),
    place("handle invoke", 4, ONE, all_of(&["near-timeout", "recursion"])),
    // From the first on every record is decoded.
    place("skip healthy", 4, NOTHING, NOTHING),
    place("handle record", 30, ONE_FINDING, all_of(TELEMETRY)),
    place("mounts", 9, NOTHING, NOTHING),
    passed_once("read mounts", NOTHING),
    passed_once("handle mounts", ONE),
    place("probe", 2, NOTHING, NOTHING),
    place("sample", 2, NOTHING, NOTHING),
    place("sample again", 2, NOTHING, NOTHING),
    place("handle snapshot", 2, NOTHING, NOTHING),
    place("handle malformed", 4, NOTHING, NOTHING),
    passed_once("handle dropped", NOTHING),
    place("trace header", 4, ONE_FINDING, all_of(&["recursion"])),
    place("chain", 4, ONE_FINDING, all_of(&["recursion"])),
    place("matcher", 1, ONE_FINDING, all_of(LOG)),
    place("scan", 30, ONE_FINDING, all_of(LOG)),
    place("log view", 30, ONE_FINDING, all_of(LOG)),
    place("excerpt", 30, NOTHING, NOTHING),
    place("mask", 30, NOTHING, NOTHING),
    place("settle", 9, NOTHING, EVERYTHING),
    place("poll report", 9, NOTHING, EVERYTHING),
    place("poll wake", 9, NOTHING, NOTHING),
    place("admit", 30, NOTHING, NOTHING),
    // More signs of what has been told.
    place("fold", 4, NOTHING, NOTHING),
    place("write reports", 9, NOTHING, EVERYTHING),
    place("line", 30, NOTHING, EVERYTHING),
    place("push", 30, ONE_FINDING, EVERYTHING),
    place("lines", 30, NOTHING, EVERYTHING),
    place("write", 30, ONE_FINDING, EVERYTHING),
    place("log", 1, NOTHING, NOTHING),
    place("hook", 1, ONE_FINDING, ONE_FINDING),
    passed_once("handle shutdown", NOTHING),
    passed_once("budget", NOTHING),
    passed_once("exit", NOTHING),
    // What waited for a report that never came.
    passed_once("finish", ONE_FINDING),
    Place { name: "leave", later: None, once: NOTHING, always: ONE_FINDING },
    place("take metrics", 30, NOTHING, NOTHING),
    place("poll metrics", 4, NOTHING, NOTHING),
    place("metrics due", 4, NOTHING, NOTHING),
    passed_once("metrics thread", NOTHING),
    passed_once("put metrics", NOTHING),
    passed_once("metrics answer", NOTHING),
    passed_once("metrics line", NOTHING),
    passed_once("finish metrics", NOTHING),
    passed_once("give up metrics", NOTHING),
];
