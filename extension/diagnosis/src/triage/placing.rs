//! Where a failure belongs: to the initialization of the sandbox or to one of its invocations.

use super::{INIT, Triage};
use crate::Timestamp;
use crate::detector::CaseEvent;
use crate::invocation::Attempt;
use crate::record::FunctionLog;
use crate::runtime_exit::RuntimeExit;

impl Triage {
    /// Where what is found in the initialization belongs: to the invocation that it is a part of,
    /// once that is known.
    pub(super) fn init_place(&self, at: Timestamp) -> usize {
        let own = self.init.is_within_invocation().then(|| self.attempts.place_log(None, at));
        own.flatten().unwrap_or(INIT)
    }

    pub(super) fn adopt_init(&mut self, at: Timestamp) {
        let place = self.init_place(self.init.ended_at().unwrap_or(at));
        if place != INIT {
            self.attempts.adopt_init(place);
        }
    }

    /// Where the failure of an invocation belongs: where it is told already, if it is that of the
    /// initialization, which the platform tells again of each invocation that suffers from it.
    pub(super) fn failure_place(&self, attempt: usize, error_type: Option<&str>) -> usize {
        let init_error_type = self.init.known_end().and_then(|end| end.error_type.as_deref());
        let is_of_init = error_type.is_some() && error_type == init_error_type;
        let knows = |init: &Attempt| !init.told.is_empty() || !init.findings.is_empty();
        if is_of_init && self.attempts.get(INIT).is_some_and(knows) { INIT } else { attempt }
    }

    /// Looks at a report that came before anything else was known of its invocation.
    pub(super) fn examine_early_report(&mut self, attempt: usize, now: Timestamp) {
        let early = self.attempts.get_mut(attempt).and_then(|attempt| attempt.report.take());
        let Some(report) = early else { return };
        let place = self.failure_place(attempt, report.record.error_type.as_deref());
        self.examine(Some(place), CaseEvent::Report(&report.record), report.at, now);
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.report = Some(report);
        }
    }

    /// Where a log record belongs: to the initialization while there was no invocation.
    pub(super) fn log_place(&self, id: Option<&str>, at: Timestamp) -> Option<usize> {
        let is_initializing =
            !self.teller.function.concurrent && self.attempts.iter().next().is_none();
        self.attempts.place_log(id, at).or(is_initializing.then_some(INIT))
    }

    /// Keeps what the platform's own line tells of the end of an invocation's runtime.
    pub(super) fn note_exit(&mut self, log: &FunctionLog<'_>, at: Timestamp) {
        let Some((id, exit)) = RuntimeExit::parse(log.sent()) else { return };
        let attempt = self.attempts.place_log(Some(id), at);
        let attempt = attempt.and_then(|index| self.attempts.get_mut(index));
        // Without a record that names it, it is that of another.
        if let Some(attempt) = attempt.filter(|attempt| attempt.request_id == id) {
            attempt.runtime_exit = Some(exit);
        }
    }
}
