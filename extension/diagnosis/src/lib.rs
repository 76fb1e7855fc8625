//! Names the cause of a failed AWS Lambda invocation from what its sandbox shows.
//!
//! The crate is pure: bytes, events and the time come in as arguments, diagnoses come out of
//! [`Triage::poll_report`]. Nothing here reads a clock, the environment or a file, spawns, or
//! prints.
//!
//! Data flows one way: bytes → [`Record`] → attempt → case → finding → diagnosis → [`Report`].

mod aws_name;
mod broken_trace;
mod bug;
mod chain;
mod decode;
mod detector;
mod detectors;
mod diagnosis;
mod emf;
mod errno;
mod excerpt;
mod failed_call;
pub mod failed_requests;
#[cfg(feature = "faults")]
pub mod faults;
mod finding;
mod folding;
mod from_failed_request;
mod from_log;
mod from_state;
mod initialization;
mod input;
mod invocation;
mod level;
mod log;
mod mask;
mod matching;
mod mention;
mod metric;
mod mounts;
mod outside;
mod record;
mod report;
mod runtime_exit;
mod settings;
pub mod signatures;
pub mod snapshot;
mod text;
mod timestamp;
mod trace_header;
mod triage;
mod vocabulary;
mod why;

pub use decode::{Body, Malformed};
pub use detector::{Cause, Detector, Knob, Sign};
pub use emf::MetricsLine;
pub use finding::{Stage, View};
pub use input::{Dropped, Function, Invoke, Shutdown};
pub use level::Level;
pub use metric::{MetricValue, PROBLEMS, RECURSION_DEPTH, SUSPECTED_PROBLEMS, Unit};
pub use mounts::{Mount, network_mount, parse_mountinfo};
pub use outside::{AccountConcurrency, FailedRequest, FunctionState, KeyState};
pub use record::{ExtensionState, FunctionLog, InitEnd, InitPhase, InitStart, InvocationReport};
pub use record::{LogsDropped, Record, RecordBody, RuntimeDone, Start, Status};
pub use report::{MAX_LINE_BYTES, Report};
pub use settings::{BadInvocationRate, InvocationRate, Settings};
pub use timestamp::Timestamp;
pub use triage::{ProbeOrder, Triage};

/// Names a place at which a test may ask for a panic (see `faults.rs`). Nothing at all without the
/// feature `faults`.
#[cfg(not(feature = "faults"))]
#[doc(hidden)]
#[macro_export]
macro_rules! fault_point {
    ($place:expr) => {};
}

/// Names a place at which a test may ask for a panic.
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! fault_point {
    ($place:expr) => {
        $crate::faults::visit($place)
    };
}

/// All detectors, by the name of their problem.
#[must_use]
pub fn detectors() -> &'static [&'static Detector] {
    detectors::ALL
}

/// The names of all problems.
pub fn problems() -> impl Iterator<Item = &'static str> {
    detectors().iter().map(|detector| detector.problem)
}

/// The names of all metrics that a line may carry, each once, in alphabetical order.
#[must_use]
pub fn metrics() -> Vec<&'static str> {
    let mut metrics: Vec<_> = detectors().iter().map(|detector| detector.metric).collect();
    metrics.extend([PROBLEMS, SUSPECTED_PROBLEMS, RECURSION_DEPTH, signatures::METRIC]);
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}
