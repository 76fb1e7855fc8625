//! What the shell tells the state machine, beside telemetry records.

use crate::Timestamp;

/// The function this sandbox runs, as far as its environment and the registration tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its version, `$LATEST` or a number.
    pub version: String,
    /// Several invocations at once, no INVOKE events and no runtimeDone records: Lambda Managed
    /// Instances, or a platform that refuses to register INVOKE.
    pub concurrent: bool,
    /// How much memory it may use, in MB, which also tells its share of CPU; None if not known.
    pub memory_size_mb: Option<u64>,
}

/// The INVOKE event of the Extensions API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoke {
    /// The request id.
    pub request_id: String,
    /// When the invocation times out; None if the event held none (0, as some emulators send).
    pub deadline: Option<Timestamp>,
    /// The ARN that was invoked, with its qualifier if it had one.
    pub function_arn: String,
    /// The caller's X-Amzn-Trace-Id header.
    pub trace_header: Option<String>,
}

/// The end of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// The platform's word for why: `spindown`, `timeout`, `failure` or another, in any case of
    /// letters; `sigterm` when a signal came in its stead.
    pub reason: String,
}

/// Telemetry that the shell could not take in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Deliveries that were cut or left out whole.
    pub deliveries: u64,
    /// Their bytes that were not read.
    pub bytes: u64,
}
