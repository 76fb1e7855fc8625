//! The last moments, from SHUTDOWN or SIGTERM on.

use super::{Observer, TIMER_PAUSE_MS};
use crate::clock::Clock;
use crate::panics::contained;
use crate::shutdown::{Budget, Ending};
use crate::sinks::Stream;
use std::pin::pin;
use std::time::Duration;
use triage_diagnosis::{Timestamp, Triage, fault_point};

/// How long sending the last metrics may take: Lambda may be waiting to begin anew.
const SENDING_MAX: Duration = Duration::from_millis(800);
/// What is left of the time for lines that carry what could not be sent.
const UNSENT_LINES: Duration = Duration::from_millis(200);

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
            // A clock that is set now would end the budget, or make it last for ever.
            self.clock = Clock::steady(now);
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
        let is_awaited = self.triage.look(Triage::awaits_ends).unwrap_or_default();
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
        // Over time: a reader that does not read. What it missed is lost with the sandbox.
        let _ = tokio::time::timeout(left, self.write_the_rest(now, left)).await;
    }

    /// Writes and sends what is left, and then writes what could not be sent.
    async fn write_the_rest(&mut self, now: Timestamp, left: Duration) {
        let sending = SENDING_MAX.min(left.saturating_sub(UNSENT_LINES).max(left / 2));
        let begun = contained(|| self.metrics.finish(sending));
        self.tell_of_a_bug(begun.is_none());
        let mut give_up = pin!(tokio::time::sleep(sending));
        loop {
            let written = self.write_reports(now);
            let is_drained = self.lines.is_drained(Stream::Stdout);
            let is_sent = self.metrics.is_idle();
            if written == 0 && is_drained && is_sent && self.held.is_none() {
                break;
            }
            if written > 0 && is_drained {
                continue;
            }
            let is_held = self.held.is_some();
            tokio::select! {
                () = self.lines.drained(Stream::Stdout), if !is_drained => {}
                () = self.metrics.answered(), if !is_sent => {}
                () = &mut give_up, if !is_sent => {
                    let done = contained(|| self.metrics.give_up(now));
                    self.tell_of_a_bug(done.is_none());
                }
                () = tokio::time::sleep(Duration::from_millis(TIMER_PAUSE_MS)), if is_held => {}
                else => {}
            }
        }
        self.lines.drained(Stream::Stderr).await;
    }
}
