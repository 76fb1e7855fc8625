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

    /// When its last known part ended.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// How it ended, as far as is known.
    pub(crate) fn known_end(&self) -> Option<&InitEnd> {
        self.end.as_ref()
    }
}
