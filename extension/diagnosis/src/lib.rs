//! Names the cause of a failed AWS Lambda invocation from what its sandbox shows.
//!
//! The crate is pure: bytes, events and the time come in as arguments, diagnoses come out of
//! [`Triage::poll_report`]. Nothing here reads a clock, the environment or a file, spawns, or
//! prints.
//!
//! Data flows one way: bytes → [`Record`] → attempt → case → finding → diagnosis → [`Report`].

mod decode;
mod record;
mod report;
mod settings;
mod timestamp;
mod triage;

pub use decode::{Body, Malformed};
pub use record::{Record, RecordBody, RuntimeDone};
pub use report::{MetricValue, Report, Unit};
pub use settings::{InvocationRate, Settings};
pub use timestamp::Timestamp;
pub use triage::{Dropped, Function, Invoke, Shutdown, Triage};

/// The names of all problems there are, in kebab-case, as the lines and `TRIAGE_DISABLE` use them.
pub fn problems() -> impl Iterator<Item = &'static str> {
    ["timeout", "near-timeout", "recursion", "telemetry-dropped"].into_iter()
}
