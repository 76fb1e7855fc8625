//! What the detectors make of an event, and where that goes.

use super::{INIT, MAX_READY, Triage};
use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::diagnosis::not_outranked;
use crate::fault_point;
use crate::finding::{Finding, Stage};
use crate::matching::Matcher;
use crate::record::FunctionLog;
use crate::{Malformed, Timestamp};
use std::sync::Arc;

impl Triage {
    /// What searches for the detectors' texts, built where it is not yet.
    pub(super) fn matcher(&mut self) -> Option<Arc<Matcher>> {
        if self.matcher.is_none() {
            let texts = self.detectors.iter().map(|detector| detector.texts);
            self.matcher = contained(|| Matcher::new(texts)).flatten().map(Arc::new);
        }
        self.matcher.clone()
    }

    pub(super) fn examine_log(&mut self, log: &FunctionLog<'_>, at: Timestamp, now: Timestamp) {
        let Some(matcher) = &self.matcher() else { return };
        // Where several invocations run at once their lines are mixed, and Lambda has them log JSON.
        let line = match log {
            FunctionLog::Text(text) if !self.teller.function.concurrent => Some(text.as_ref()),
            _ => None,
        };
        if let Some(line) = line.filter(|line| self.traces.goes_on(line, at)) {
            self.examine_next_line(matcher, line, at, now);
            return;
        }
        self.end_trace(now);
        // Healthy records end here, unparsed.
        if matcher.has_text(log.sent()) {
            let (placed, found) = self.found_in(matcher, log, at, now);
            let told = found.iter().map(|(detector, _)| *detector).collect();
            for (detector, finding) in found {
                self.take_in(placed, detector, finding, true, now);
            }
            if let Some(line) = line {
                self.traces.begin(line, at, false, told);
            }
        }
        if line.is_none() {
            self.traces.interrupt();
        }
    }

    /// Looks at a line that goes on from the one before, as far as there is a trace to look at.
    fn examine_next_line(&mut self, matcher: &Matcher, line: &str, at: Timestamp, now: Timestamp) {
        let is_worth_a_look = match &mut self.traces.trace {
            Some(trace) => trace.join(line, matcher.may_tell(line)),
            None if matcher.has_text(line) => {
                self.traces.begin(line, at, true, Vec::new());
                true
            }
            None => {
                self.traces.remember(line);
                false
            }
        };
        let trace = self.traces.trace.take_if(|_| is_worth_a_look);
        let Some(mut trace) = trace else { return };
        let log = FunctionLog::Text(trace.text.as_str().into());
        let (placed, mut found) = self.found_in(matcher, &log, trace.at, now);
        found.retain(|(detector, _)| !trace.told.contains(detector));
        for (detector, finding) in found {
            let attempt = placed.and_then(|placed| self.attempts.get(placed));
            let request_id = attempt.map(|attempt| attempt.request_id.as_str());
            if let Some(finding) = trace.hold(detector, finding, request_id, now) {
                self.take_in(placed, detector, finding, true, now);
            }
        }
        self.traces.trace = Some(trace);
    }

    /// No line goes on from the trace there is, if there is one.
    pub(super) fn end_trace(&mut self, now: Timestamp) {
        self.release_held(now);
        self.traces.trace = None;
    }

    /// Waits no longer for lines that say more.
    pub(super) fn release_held(&mut self, now: Timestamp) {
        let Some(trace) = &mut self.traces.trace else { return };
        let (at, held) = (trace.at, std::mem::take(&mut trace.held));
        trace.told.extend(held.findings.iter().map(|(detector, _)| *detector));
        for (detector, finding) in held.findings {
            let placed = self.attempts.place_log(held.request_id.as_deref(), at);
            self.take_in(placed, detector, finding, true, now);
        }
    }

    /// What the detectors find in a record, and the invocation that wrote it.
    fn found_in(
        &mut self,
        matcher: &Matcher,
        log: &FunctionLog<'_>,
        at: Timestamp,
        now: Timestamp,
    ) -> (Option<usize>, Vec<(usize, Finding)>) {
        let mut found = Vec::new();
        let mut placed = None;
        let scanned = contained(|| {
            matcher.scan(log, |detector, matched| {
                placed = self.log_place(matched.log.request_id.as_deref(), at);
                let case = self.case(placed, CaseEvent::Logged(matched), at);
                found.push((detector, self.examined(detector, &case)));
            });
        });
        if scanned.is_none() {
            self.handle_malformed(Malformed { bytes: log.sent().len() }, now);
        }
        let found: Vec<_> = found
            .into_iter()
            .filter_map(|(detector, finding)| Some((detector, self.sound(detector, finding)?)))
            .collect();
        // With no attempt to gather them, the findings of one record explain one another.
        let found = if placed.is_none() { not_outranked(found, &self.detectors) } else { found };
        (placed, found)
    }

    pub(super) fn examine(
        &mut self,
        attempt: Option<usize>,
        event: CaseEvent<'_>,
        at: Timestamp,
        now: Timestamp,
    ) {
        // Signatures look at the log alone.
        for detector in 0..self.detectors.len() - self.signatures.len() {
            let finding = self.examined(detector, &self.case(attempt, event, at));
            if let Some(finding) = self.sound(detector, finding) {
                self.take_in(attempt, detector, finding, false, now);
            }
        }
    }

    pub(super) fn case<'a>(
        &'a self,
        attempt: Option<usize>,
        event: CaseEvent<'a>,
        at: Timestamp,
    ) -> Case<'a> {
        let attempt = attempt.filter(|i| *i != INIT).and_then(|index| self.attempts.get(index));
        let init_ms = attempt.filter(|a| a.holds_init).and_then(|_| self.init.took_ms(at));
        Case {
            event,
            at,
            attempt,
            failed_request: None,
            init: self.init.known_end(),
            init_ms,
            extension_names: &self.extension_names,
            timeout_ms: self.timeout_ms,
            mounts: self.mounts.as_deref(),
            settings: &self.settings,
        }
    }

    /// What a detector finds in a case. A bug in it costs only its finding.
    pub(super) fn examined(
        &self,
        detector: usize,
        case: &Case<'_>,
    ) -> Result<Option<Finding>, Panicked> {
        let first_signature = self.detectors.len() - self.signatures.len();
        let signature = detector.checked_sub(first_signature).map(|at| self.signatures[at]);
        let detector = self.detectors[detector];
        contained(|| {
            fault_point!(&format!("detector {}", detector.problem));
            match signature {
                Some(signature) => signature.examine(case),
                None => (detector.examine)(case),
            }
        })
        .ok_or(Panicked)
    }

    /// What a detector found, if it found something and has no bug.
    pub(super) fn sound(
        &mut self,
        detector: usize,
        finding: Result<Option<Finding>, Panicked>,
    ) -> Option<Finding> {
        let Ok(finding) = finding else {
            let problem = self.detectors[detector].problem;
            if !self.faulty.contains(&problem) {
                self.faulty.push(problem);
            }
            return None;
        };
        finding
    }

    fn take_in(
        &mut self,
        attempt: Option<usize>,
        detector: usize,
        finding: Finding,
        is_from_log: bool,
        now: Timestamp,
    ) {
        let attempt = attempt.and_then(|index| self.attempts.get_mut(index));
        // What was told as suspected may turn out to be certain, and then counts.
        let is_told = |(told, stage): &(usize, Stage)| *told == detector && *stage >= finding.stage;
        if attempt.as_ref().is_some_and(|a| a.told.iter().any(is_told)) {
            if is_from_log && finding.occurrences > 0 {
                self.folding.repeat(self.detectors[detector], finding, now);
            }
            return;
        }
        self.has_findings = true;
        // What belongs to no invocation is one diagnosis each time, but for log lines.
        let may_merge = attempt.is_some() || is_from_log;
        let findings = attempt.map_or(&mut self.unplaced, |attempt| &mut attempt.findings);
        match findings.iter_mut().find(|(known, _)| may_merge && *known == detector) {
            Some((_, known)) => known.merge(finding, is_from_log),
            None => findings.push((detector, finding)),
        }
        if self.unplaced.len() >= MAX_READY {
            self.settle(now);
        }
    }
}

pub(super) struct Panicked;
