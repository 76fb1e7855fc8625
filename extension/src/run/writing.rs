//! What was found, written as far as there is room.

use super::Observer;
use crate::flush::FlushPolicy;
use crate::sinks::Stream;
use triage_diagnosis::{Timestamp, Triage, fault_point};

/// How long a line that no thread is left to write is held before the next try.
const HELD_MS: u64 = 1_000;

impl Observer {
    /// Writes what was found, as far as there is room; the rest stays folded in the diagnosis.
    /// Says how much was written.
    pub(super) fn write_reports(&mut self, now: Timestamp) -> usize {
        fault_point!("write reports");
        let mut written = 0;
        while self.lines.has_room(Stream::Stdout) {
            let held = self.held.take();
            let Some(line) = held.map(|(line, _)| line).or_else(|| self.next_line(now)) else {
                break;
            };
            if !self.lines.start(Stream::Stdout) {
                self.held = Some((line, now.plus_ms(HELD_MS)));
                break;
            }
            self.lines.push(Stream::Stdout, &line);
            written += 1;
        }
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
        // Empty only where a bug is in the way.
        Some(report.to_line(self.emf)).filter(|line| !line.is_empty())
    }
}
