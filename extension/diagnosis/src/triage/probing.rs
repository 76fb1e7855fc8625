//! When the function's processes are looked at, and what comes of it.

use super::Triage;
use crate::Timestamp;
use crate::bug::contained;
use crate::detector::CaseEvent;
use crate::fault_point;
use crate::invocation::{Attempt, clip};
use crate::snapshot::Snapshot;
use crate::why::{Running, why};

/// How long before the deadline the processes are looked at, of the timeout.
const MARGIN_PERCENT: u64 = 3;
/// The least of it: a look, a line and what is between them take some time on a small function.
const MARGIN_MIN_MS: u64 = 150;
/// The same where the function, and so this process, has less than a third of a CPU.
const MARGIN_MIN_OF_SMALL_MS: u64 = 250;
/// From so many MB on a function has more than that.
const SMALL_MB: u64 = 512;
/// The most of it: what is seen is to be what the timeout is about.
const MARGIN_MAX_MS: u64 = 2_000;

/// Names of extensions that are kept; Lambda allows ten.
const MAX_EXTENSIONS: usize = 16;

/// A look at the function's processes that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOrder {
    /// The invocation that it is for.
    pub request_id: String,
    /// When to begin.
    pub at: Timestamp,
    /// When the invocation times out.
    pub deadline: Timestamp,
    /// Whether the function has so little CPU that it feels what is read.
    pub is_small: bool,
}

impl Triage {
    /// The look at the function's processes that is wanted next, if the invocation that runs does not
    /// end before: shortly before its deadline. None once that is past, and after an answer.
    #[must_use]
    pub fn poll_probe(&self, now: Timestamp) -> Option<ProbeOrder> {
        let running = self.running().filter(|attempt| attempt.why.is_none())?;
        let deadline = running.deadline.filter(|deadline| *deadline > now)?;
        let given_ms = running.invoked_at.map_or(0, |invoked| deadline.ms_since(invoked));
        let timeout_ms = self.timeout_ms.unwrap_or(given_ms);
        let is_small = self.teller.function.memory_size_mb.is_some_and(|mb| mb < SMALL_MB);
        let least_ms = if is_small { MARGIN_MIN_OF_SMALL_MS } else { MARGIN_MIN_MS };
        let margin_ms =
            (timeout_ms.saturating_mul(MARGIN_PERCENT) / 100).clamp(least_ms, MARGIN_MAX_MS);
        // Of an invocation that has less than that from its beginning, no more than half.
        let margin_ms = margin_ms.min(given_ms / 2);
        let at = deadline.minus_ms(margin_ms);
        Some(ProbeOrder { request_id: running.request_id.clone(), at, deadline, is_small })
    }

    /// Whether the invocation still runs, as far as is known: if not, nothing more is to be read.
    #[must_use]
    pub fn is_running(&self, request_id: &str) -> bool {
        self.running().is_some_and(|attempt| attempt.request_id == request_id)
    }

    /// What was read of the function's processes, so far.
    pub fn handle_snapshot(&mut self, request_id: &str, snapshot: &Snapshot, now: Timestamp) {
        fault_point!("handle snapshot");
        let memory_size_mb = self.teller.function.memory_size_mb;
        let Some(index) = self.attempts.newest() else { return };
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        if attempt.request_id != request_id || attempt.is_over() {
            return;
        }
        let began = attempt.started_at.or(attempt.invoked_at);
        let ran_ms = began.map(|began| now.ms_since(began));
        let (holds_init, mounts) = (attempt.holds_init, self.mounts.as_deref());
        let running = Running { ran_ms, holds_init, memory_size_mb, mounts };
        let found = contained(|| why(snapshot, running)).unwrap_or_default();
        attempt.why = Some(Box::new(found));
        let left_ms = attempt.deadline.map_or(0, |deadline| deadline.ms_since(now));
        // After a thaw, or where it came too late to be news.
        if left_ms > 0 {
            self.examine(Some(index), CaseEvent::Deadline(left_ms), now, now);
        }
    }

    /// The names of all extensions that the platform has told of.
    #[must_use]
    pub fn extension_names(&self) -> &[String] {
        &self.extension_names
    }

    pub(super) fn note_extension(&mut self, name: Option<&str>) {
        let Some(name) = name.map(|name| clip(name.to_owned())) else { return };
        if self.extension_names.len() < MAX_EXTENSIONS && !self.extension_names.contains(&name) {
            self.extension_names.push(name);
        }
    }

    /// The invocation that runs now, where they run one by one.
    fn running(&self) -> Option<&Attempt> {
        if self.teller.function.concurrent || self.is_finished {
            return None;
        }
        let newest = self.attempts.get(self.attempts.newest()?)?;
        Some(newest).filter(|attempt| !attempt.is_over())
    }
}

#[cfg(test)]
mod tests;
