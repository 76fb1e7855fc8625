//! What is known of the initialization of the sandbox.

use crate::Timestamp;
use crate::record::{InitEnd, InitPhase, InitStart, Status};

/// The initialization of the sandbox and, on SnapStart, its restore: one each in the life of an
/// extension, as a sandbox that failed to initialize is begun anew with all that runs in it.
#[derive(Debug, Default)]
pub(crate) struct Initialization {
    is_within_invocation: bool,
    /// The end that tells most: a failure rather than a success.
    end: Option<InitEnd>,
    began_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Initialization {
    /// An initialization has begun; true if it is another than the one that is known.
    pub(crate) fn begin(&mut self, init: &InitStart, at: Timestamp) -> bool {
        let is_another = self.ended_at.is_some_and(|ended| ended < at);
        if is_another {
            *self = Self::default();
        }
        self.is_within_invocation |= init.is_within_invocation;
        self.began_at.get_or_insert(at);
        is_another
    }

    /// It, or a part of it, has ended.
    pub(crate) fn end(&mut self, end: &InitEnd, at: Timestamp) {
        self.is_within_invocation |= end.phase == InitPhase::Invoke;
        self.ended_at = self.ended_at.max(Some(at));
        if self.end.as_ref().is_none_or(|known| known.status == Status::Success) {
            self.end = Some(end.clone());
        }
    }

    /// Whether it takes its time from an invocation's.
    pub(crate) fn is_within_invocation(&self) -> bool {
        self.is_within_invocation
    }

    /// How long it took, or has taken until now where no end is known.
    pub(crate) fn took_ms(&self, now: Timestamp) -> Option<u64> {
        let told = self.end.as_ref().and_then(|end| end.duration_ms);
        let until = self.ended_at.unwrap_or(now);
        told.map(|ms| ms as u64).or_else(|| Some(until.ms_since(self.began_at?)))
    }

    /// When its last known part ended.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// How it ended, as far as is known.
    pub(crate) fn known_end(&self) -> Option<&InitEnd> {
        self.end.as_ref()
    }
}
