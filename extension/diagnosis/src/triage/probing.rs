//! When the function's processes are looked at, and what comes of it.

use super::Triage;
use crate::Timestamp;
use crate::snapshot::Snapshot;

/// A look at the function's processes that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOrder {
    /// The invocation that it is for.
    pub request_id: String,
    /// When to begin.
    pub at: Timestamp,
    /// When the invocation times out.
    pub deadline: Timestamp,
}

impl Triage {
    /// The look at the function's processes that is wanted next, if the invocation that runs does not
    /// end before: shortly before its deadline. None once it is past, or was answered.
    #[must_use]
    pub fn poll_probe(&self, _now: Timestamp) -> Option<ProbeOrder> {
        None
    }

    /// Whether the invocation still runs, as far as is known: if not, nothing more is to be read.
    #[must_use]
    pub fn is_running(&self, _request_id: &str) -> bool {
        false
    }

    /// What was read of the function's processes, so far.
    pub fn handle_snapshot(&mut self, _request_id: &str, _snapshot: Snapshot, _now: Timestamp) {}
}
