//! The state machine: events in, reports out. It does no input or output and never asks what
//! time it is.

use crate::{Malformed, Record, Report, Settings, Timestamp};

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
}

/// The INVOKE event of the Extensions API.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The platform's word for why, in lower case: `spindown`, `timeout`, `failure` or another;
    /// `sigterm` when a signal came in its stead.
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

/// Everything known about one sandbox and its invocations.
#[derive(Debug)]
pub struct Triage {
    settings: Settings,
    function: Function,
}

impl Triage {
    /// A sandbox of which nothing has been seen yet.
    #[must_use]
    pub fn new(settings: Settings, function: Function) -> Self {
        Self { settings, function }
    }

    /// An INVOKE event has come.
    pub fn handle_invoke(&mut self, invoke: Invoke, now: Timestamp) {
        let _ = (invoke, now);
    }

    /// A telemetry record has come.
    pub fn handle_record(&mut self, record: Record<'_>, now: Timestamp) {
        let _ = (record, now);
    }

    /// A part of a delivery could not be read.
    pub fn handle_malformed(&mut self, malformed: Malformed, now: Timestamp) {
        let _ = (malformed, now);
    }

    /// The shell had to leave telemetry out.
    pub fn handle_dropped(&mut self, dropped: Dropped, now: Timestamp) {
        let _ = (dropped, now);
    }

    /// SHUTDOWN has come. Records may still follow; [`Self::finish`] closes everything.
    pub fn handle_shutdown(&mut self, shutdown: &Shutdown, now: Timestamp) {
        let _ = (shutdown, now);
    }

    /// Nothing more will come: closes every invocation and releases what was held back. Drain
    /// [`Self::poll_report`] afterwards.
    pub fn finish(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// The next report to write, if any. Call it only with room for a line: what is not fetched
    /// is folded here, in bounded memory and with exact counts.
    pub fn poll_report(&mut self, now: Timestamp) -> Option<Report> {
        let _ = (now, &self.settings, &self.function);
        None
    }

    /// The name of a detector that panicked since the last call, each once. Its findings may be
    /// missing; everything else goes on.
    pub fn poll_fault(&mut self) -> Option<&'static str> {
        None
    }

    /// When [`Self::poll_report`] wants to be called again though nothing happens; None while
    /// nothing is wrong.
    #[must_use]
    pub fn poll_wake(&self) -> Option<Timestamp> {
        None
    }
}
