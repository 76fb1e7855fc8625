//! What was found, written as far as there is room.

use super::{BUG_PAUSE_MS, Observer};
use crate::flush::FlushPolicy;
use crate::panics::contained;
use crate::sinks::Stream;
use triage_diagnosis::{Timestamp, Triage, fault_point};

/// How long a line that no thread is left to write is held before the next try.
const HELD_MS: u64 = 1_000;

impl Observer {
    /// Writes what was found, as far as there is room; the rest stays folded in the diagnosis.
    /// Metrics that are not for the lines are sent. Says how much was written.
    pub(super) fn write_reports(&mut self, now: Timestamp) -> usize {
        fault_point!("write reports");
        let mut written = 0;
        // What was not taken becomes lines.
        self.attend_to_metrics(now);
        while self.lines.has_room(Stream::Stdout) {
            let held = self.held.take();
            let line = held.map(|(line, _)| line).or_else(|| self.next_line(now));
            let Some(line) = line.or_else(|| self.next_metrics_line(now)) else { break };
            if !self.lines.start(Stream::Stdout) {
                self.held = Some((line, now.plus_ms(HELD_MS)));
                break;
            }
            self.lines.push(Stream::Stdout, &line);
            written += 1;
        }
        self.attend_to_metrics(now);
        while let Some(problem) = self.diagnose(Triage::poll_fault).flatten() {
            if !self.told_of_detectors.contains(&problem) {
                self.told_of_detectors.push(problem);
                tracing::warn!(
                    "the detector of {problem} has a bug; some of its findings are missing"
                );
            }
        }
        if !self.told_of_lost_lines && self.lines.lost() > 0 {
            self.told_of_lost_lines = true;
            tracing::warn!(
                "a line could not be written: standard output or error is closed or full, or no thread is left to write it"
            );
        }
        written
    }

    /// The next report as a line.
    fn next_line(&mut self, now: Timestamp) -> Option<String> {
        let report = self.diagnose(|triage| triage.poll_report(now)).flatten()?;
        if report.is_problem() {
            self.flush.with(FlushPolicy::handle_problem);
        }
        let has_emf = contained(|| self.metrics.embeds(&report, now)).unwrap_or(true);
        // Empty only where a bug is in the way.
        Some(report.to_line(has_emf)).filter(|line| !line.is_empty())
    }

    /// The next line that carries metrics alone.
    fn next_metrics_line(&mut self, now: Timestamp) -> Option<String> {
        let line = contained(|| self.metrics.next_line(now));
        self.tell_of_a_bug(line.is_none());
        line.flatten()
    }

    /// When [`Self::attend_to_metrics`] has something to do.
    pub(super) fn metrics_due(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        // Also if the clock was set back.
        let rests_until = self.metrics_rest_until.min(now.plus_ms(BUG_PAUSE_MS));
        contained(|| self.metrics.due(now)).flatten().map(|due| due.max(rests_until))
    }

    /// Has metrics sent, and sees to what became of those that were.
    fn attend_to_metrics(&mut self, now: Timestamp) {
        if contained(|| self.metrics.poll(now)).is_none() {
            self.tell_of_a_bug(true);
            self.metrics_rest_until = now.plus_ms(BUG_PAUSE_MS);
        }
    }
}
