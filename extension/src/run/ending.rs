//! The last moments, from SHUTDOWN or SIGTERM on.

use super::{Observer, TIMER_PAUSE_MS};
use crate::panics::contained;
use crate::shutdown::{Budget, Ending};
use crate::sinks::Stream;
use std::time::Duration;
use triage_diagnosis::{Timestamp, Triage, fault_point};

/// SHUTDOWN or SIGTERM has come.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) begun: Timestamp,
    pub(super) budget: Budget,
    pub(super) last_telemetry: Timestamp,
}

impl End {
    /// What is waited for before telemetry can be worked through has a quarter of the time for that.
    pub(super) fn wait_until(self) -> Timestamp {
        self.begun.plus_ms(self.budget.work_until.ms_since(self.begun) / 4)
    }
}

impl Observer {
    pub(super) fn begin_to_end(&mut self, ending: Ending, now: Timestamp) {
        // SHUTDOWN may follow SIGTERM: the time is then running already.
        if self.end.is_none() {
            let budget = contained(|| Budget::new(ending, now)).unwrap_or(Budget::short(now));
            self.ask_at = None;
            let end = End { begun: now, budget, last_telemetry: now };
            self.end = Some(end);
            self.signatures.handle_end(end.wait_until());
            let left = Duration::from_millis(budget.exit_by.ms_since(now));
            (self.exit_after)(left);
        }
    }

    pub(super) fn telemetry_end(&self, end: End) -> Timestamp {
        if self.delivery.is_some() || !self.inbox.is_empty() {
            return end.budget.work_until;
        }
        let is_awaited = self.triage.look(Triage::awaits_reports).unwrap_or_default();
        let busy = is_awaited || self.inbox.is_receiving();
        let quiet = end.last_telemetry.plus_ms(Budget::QUIET_MS);
        if busy { end.budget.telemetry_until } else { quiet.min(end.budget.telemetry_until) }
    }

    /// Closes what is open and writes what is left.
    pub(super) async fn leave(&mut self, budget: Budget) {
        fault_point!("leave");
        let now = self.clock.now();
        if let Some(rest) = contained(|| self.unread()).flatten() {
            self.diagnose(|triage| triage.handle_dropped(rest, now));
        }
        self.diagnose(|triage| triage.finish(now));
        let left = Duration::from_millis(budget.exit_by.ms_since(now));
        let write = async {
            loop {
                while self.write_reports(now) > 0 || !self.lines.is_drained(Stream::Stdout) {
                    self.lines.drained(Stream::Stdout).await;
                }
                if self.held.is_none() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(TIMER_PAUSE_MS)).await;
            }
            self.lines.drained(Stream::Stderr).await;
        };
        // Over time: a reader that does not read. What it missed is lost with the sandbox.
        let _ = tokio::time::timeout(left, write).await;
    }
}
