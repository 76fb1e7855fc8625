//! The state machine: events in, reports out. It does no input or output and never asks what
//! time it is.

mod examining;
mod outside;
mod placing;
mod probing;
mod skipping;

pub use self::probing::ProbeOrder;
use crate::broken_trace::BrokenTraces;
use crate::bug::contained;
use crate::chain::Chains;
use crate::detector::{CaseEvent, Detector, Loss};
use crate::diagnosis::{Diagnosis, take_due};
use crate::fault_point;
use crate::finding::{Finding, Stage};
use crate::folding::Folding;
use crate::initialization::Initialization;
use crate::input::{Dropped, Function, Invoke, Shutdown};
use crate::invocation::{Attempt, Attempts, End, INIT, Timed};
use crate::matching::Matcher;
use crate::mounts::{MAX_MOUNTS, Mount};
use crate::report::Teller;
use crate::signatures::{Signature, Signatures};
use crate::{Malformed, Record, RecordBody, Report, Settings, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Everything known about one sandbox and its invocations.
#[derive(Debug)]
pub struct Triage {
    settings: Settings,
    /// Those of the user's signatures stand behind all others.
    detectors: Vec<&'static Detector>,
    signatures: Vec<&'static Signature>,
    /// Built for the first log record: it is not needed on the way to the first invocation.
    matcher: Option<Arc<Matcher>>,
    traces: BrokenTraces,
    teller: Teller,
    attempts: Attempts,
    chains: Chains,
    init: Initialization,
    timeout_ms: Option<u64>,
    /// Of all extensions that the platform told of.
    extension_names: Vec<String>,
    /// What is mounted; None while that is not known.
    mounts: Option<Vec<Mount>>,
    invocations: u64,
    /// Whether the first invocation lost a part of its time to the initialization, so that its
    /// deadline does not tell the timeout.
    is_first_cut_short: bool,
    malformed: Option<Loss>,
    /// Findings that belong to no invocation.
    unplaced: Vec<(usize, Finding)>,
    /// Whether any attempt may hold a finding that was not told.
    has_findings: bool,
    ready: VecDeque<Diagnosis>,
    folding: Folding,
    shutdown: Option<(String, Timestamp)>,
    is_finished: bool,
    faulty: Vec<&'static str>,
}

/// Diagnoses that wait for room to be written singly; more are folded.
const MAX_READY: usize = 64;
/// A finding that waits for the platform's report waits this long once the next invocation has
/// begun: the report of the last one comes with it, after the thaw.
const LATE_REPORT_MS: u64 = 500;
/// Lambda's longest timeout.
const MAX_TIMEOUT_MS: u64 = 900_000;

impl Triage {
    /// A sandbox of which nothing has been seen yet, watched by all detectors that are not
    /// disabled.
    #[must_use]
    pub fn new(settings: Settings, function: Function) -> Self {
        Self::with_detectors(settings, function, crate::detectors())
    }

    pub(crate) fn with_detectors(
        settings: Settings,
        function: Function,
        detectors: &[&'static Detector],
    ) -> Self {
        let is_enabled = |d: &&&'static Detector| is_enabled(&settings, d);
        Self {
            detectors: detectors.iter().filter(is_enabled).copied().collect(),
            signatures: Vec::new(),
            matcher: None,
            traces: BrokenTraces::default(),
            attempts: Attempts::new(function.concurrent),
            teller: Teller::new(function, &settings),
            settings,
            chains: Chains::default(),
            init: Initialization::default(),
            timeout_ms: None,
            extension_names: Vec::new(),
            mounts: None,
            invocations: 0,
            is_first_cut_short: false,
            malformed: None,
            unplaced: Vec::new(),
            has_findings: false,
            ready: VecDeque::new(),
            folding: Folding::default(),
            shutdown: None,
            is_finished: false,
            faulty: Vec::new(),
        }
    }

    /// Another sandbox, of which nothing has been seen yet either, under the same settings. What is
    /// built of the texts of detectors and signatures is shared.
    #[must_use]
    pub fn another(&mut self, function: Function) -> Self {
        Self {
            detectors: self.detectors.clone(),
            signatures: self.signatures.clone(),
            matcher: self.matcher(),
            ..Self::with_detectors(self.settings.clone(), function, &[])
        }
    }

    /// From now on looks for these too, but for those that are disabled. Once at most.
    pub fn watch_for(&mut self, signatures: Signatures) {
        for watched in signatures.0 {
            if is_enabled(&self.settings, &watched.detector) {
                self.detectors.push(&watched.detector);
                self.signatures.push(watched.signature);
            }
        }
        self.matcher = None;
    }

    /// An INVOKE event has come.
    pub fn handle_invoke(&mut self, invoke: Invoke, now: Timestamp) {
        fault_point!("handle invoke");
        self.invocations = self.invocations.saturating_add(1);
        if let Some(deadline) = invoke.deadline
            && !(self.invocations == 1 && self.is_first_cut_short)
        {
            self.learn_timeout(deadline.ms_since(now));
        }
        let attempt = self.attempts.place_invoke(invoke, now);
        // Its platform.start may have come before there was anybody to read it.
        if self.invocations == 1 && self.init.is_within_invocation() {
            self.attempts.adopt_init(attempt);
        }
        self.sight(attempt, now, now);
        self.tell_forgotten(now);
    }

    /// A telemetry record has come.
    pub fn handle_record(&mut self, record: Record<'_>, now: Timestamp) {
        fault_point!("handle record");
        let at = record.time.unwrap_or(now);
        match record.body {
            RecordBody::InitStart(init) => {
                if self.init.begin(&init, at) {
                    self.attempts.begin_init(at);
                }
                if init.is_within_invocation {
                    self.is_first_cut_short = true;
                    if self.invocations <= 1 {
                        self.timeout_ms = None;
                    }
                }
                self.adopt_init(at);
            }
            RecordBody::InitEnd(end) => {
                self.init.end(&end, at);
                let place = self.init_place(at);
                self.examine(Some(place), CaseEvent::InitDone(&end), at, now);
                self.adopt_init(at);
            }
            RecordBody::Extension(state) => {
                self.note_extension(state.name.as_deref());
                let place = self.attempts.place_log(None, at).unwrap_or(INIT);
                self.examine(Some(place), CaseEvent::Extension(&state), at, now);
            }
            RecordBody::Start(start) => {
                self.end_trace(now);
                self.traces.interrupt();
                let placed = self.attempts.place_start(start, at);
                // Where INVOKE comes, its header is the one that is whole.
                if let Some(attempt) = placed.filter(|_| self.teller.function.concurrent) {
                    self.sight(attempt, at, now);
                }
                self.adopt_init(at);
                if let Some(attempt) = placed {
                    self.examine_early_report(attempt, now);
                }
            }
            RecordBody::RuntimeDone(done) => {
                self.release_held(now);
                let placed = self.attempts.place_end(End::RuntimeDone, &done.request_id, at);
                let Some(attempt) = placed else { return };
                let place = self.failure_place(attempt, done.error_type.as_deref());
                self.examine(Some(place), CaseEvent::RuntimeDone(&done), at, now);
                if let Some(attempt) = self.attempts.get_mut(attempt) {
                    attempt.runtime_done = Some(Timed { at, record: done });
                }
            }
            RecordBody::Report(report) => {
                let placed = self.attempts.place_end(End::Report, &report.request_id, at);
                let Some(attempt) = placed else { return };
                let is_known = self.attempts.get(attempt).is_some_and(Attempt::is_known);
                // That of an environment before this one, whose extension has told of it.
                if is_known || self.teller.function.concurrent {
                    let place = self.failure_place(attempt, report.error_type.as_deref());
                    self.examine(Some(place), CaseEvent::Report(&report), at, now);
                }
                if let Some(attempt) = self.attempts.get_mut(attempt) {
                    attempt.report = Some(Timed { at, record: report });
                }
            }
            RecordBody::LogsDropped(lost) => {
                self.examine(None, CaseEvent::TelemetryLost(&Loss::Platform(lost)), at, now);
            }
            RecordBody::Function(log) => {
                self.note_exit(&log, at);
                self.examine_log(&log, at, now);
            }
            RecordBody::Unwatched => {}
        }
        self.tell_forgotten(now);
    }

    /// What is mounted in this sandbox. Until it is told, and where it cannot be read, a path is not
    /// known to lie on a network file system.
    pub fn handle_mounts(&mut self, mut mounts: Vec<Mount>) {
        fault_point!("handle mounts");
        mounts.truncate(MAX_MOUNTS);
        self.mounts = Some(mounts);
    }

    /// A part of a delivery could not be read.
    pub fn handle_malformed(&mut self, malformed: Malformed, _now: Timestamp) {
        fault_point!("handle malformed");
        let lost = malformed.bytes as u64;
        match &mut self.malformed {
            Some(Loss::Malformed { pieces, bytes }) => {
                *pieces = pieces.saturating_add(1);
                *bytes = bytes.saturating_add(lost);
            }
            other => *other = Some(Loss::Malformed { pieces: 1, bytes: lost }),
        }
    }

    /// The shell had to leave telemetry out.
    pub fn handle_dropped(&mut self, dropped: Dropped, now: Timestamp) {
        fault_point!("handle dropped");
        self.examine(None, CaseEvent::TelemetryLost(&Loss::Overflow(dropped)), now, now);
    }

    /// SHUTDOWN has come. Records may still follow; [`Self::finish`] closes everything.
    pub fn handle_shutdown(&mut self, shutdown: &Shutdown, now: Timestamp) {
        fault_point!("handle shutdown");
        self.attempts.supersede_all(now);
        self.shutdown = Some((shutdown.reason.to_ascii_lowercase(), now));
    }

    /// Nothing more will come: releases what was held back. Drain [`Self::poll_report`] afterwards.
    pub fn finish(&mut self, now: Timestamp) {
        fault_point!("finish");
        self.end_trace(now);
        self.attempts.supersede_all(now);
        // Only now, as the records that say more follow it. Which of several invocations that run
        // at once it is about cannot be told.
        if let Some((reason, at)) = self.shutdown.take()
            && !self.teller.function.concurrent
        {
            let place = self.attempts.newest().unwrap_or(INIT);
            self.examine(Some(place), CaseEvent::Shutdown(&reason), at, now);
        }
        self.is_finished = true;
    }

    /// The next report to write, if any. Call it only with room for a line: what is not fetched
    /// is folded here, in bounded memory and with exact counts.
    pub fn poll_report(&mut self, now: Timestamp) -> Option<Report> {
        fault_point!("poll report");
        self.settle(now);
        while let Some(diagnosis) = self.ready.pop_front() {
            let detector = diagnosis.detector;
            let stage = diagnosis.finding.stage;
            // Rather one line too many than a problem untold.
            if contained(|| self.folding.admits(detector, stage, now)).unwrap_or(true) {
                return Some(self.teller.single(diagnosis, now));
            }
            if stage == Stage::Imminent {
                continue;
            }
            self.folding.fold(diagnosis, now);
        }
        let (detector, fold) = self.folding.poll(now, self.is_finished)?;
        Some(self.teller.folded(detector, fold, now))
    }

    /// When [`Self::poll_report`] wants to be called again though nothing happens; None while
    /// nothing is wrong.
    #[must_use]
    pub fn poll_wake(&self) -> Option<Timestamp> {
        fault_point!("poll wake");
        let held = self.has_findings.then(|| {
            let waiting = self.attempts.with_findings();
            waiting.filter_map(|a| Some(a.superseded_at?.plus_ms(LATE_REPORT_MS))).min()
        });
        let due = [held.flatten(), self.traces.due_at(), self.folding.due_at()];
        due.into_iter().flatten().min()
    }

    /// Whether an invocation's last record is still to come: platform.runtimeDone of the newest one
    /// or, of those that run at once, the report, as no other record tells of their end.
    #[must_use]
    pub fn awaits_ends(&self) -> bool {
        if self.teller.function.concurrent {
            return self.attempts.iter().any(|attempt| attempt.report.is_none());
        }
        let newest = self.attempts.newest().and_then(|newest| self.attempts.get(newest));
        newest.is_some_and(|newest| newest.runtime_done.is_none() && newest.report.is_none())
    }

    /// The name of a detector that panicked since the last call, each once. Its findings may be
    /// missing; everything else goes on.
    pub fn poll_fault(&mut self) -> Option<&'static str> {
        self.faulty.pop()
    }

    /// The largest timeout seen, in whole seconds: INVOKE is read a little late.
    fn learn_timeout(&mut self, until_deadline_ms: u64) {
        let timeout_ms = until_deadline_ms.div_ceil(1_000) * 1_000;
        if (1..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
            self.timeout_ms = self.timeout_ms.max(Some(timeout_ms));
        }
    }

    fn tell_forgotten(&mut self, now: Timestamp) {
        for mut attempt in self.attempts.take_forgotten() {
            let mut ready = Vec::new();
            take_due(&mut attempt, &self.detectors, false, &mut ready);
            for diagnosis in ready {
                self.make_ready(diagnosis, now);
            }
            if !attempt.is_over() {
                let loss = Loss::Attempts { forgotten: 1 };
                self.examine(None, CaseEvent::TelemetryLost(&loss), now, now);
            }
        }
    }

    /// Looks at the place of an attempt in its chain: once, at the event that carries the caller's
    /// whole trace header.
    fn sight(&mut self, index: usize, at: Timestamp, now: Timestamp) {
        let Some(attempt) = self.attempts.get(index) else { return };
        let rate = self.settings.recursion_rate;
        let (id, trace) = (&attempt.request_id, &attempt.trace);
        let Some(sighting) = contained(|| self.chains.sight(id, trace, rate, at)) else { return };
        self.examine(Some(index), CaseEvent::Invoked(&sighting), at, now);
    }

    /// Moves what waits for nothing more from the attempts to the reports.
    fn settle(&mut self, now: Timestamp) {
        fault_point!("settle");
        if self.traces.is_due(now) {
            self.release_held(now);
        }
        if let Some(loss) = self.malformed.take() {
            self.examine(None, CaseEvent::TelemetryLost(&loss), now, now);
        }
        if !self.has_findings {
            return;
        }
        let mut ready = Vec::new();
        for (detector, finding) in self.unplaced.drain(..) {
            ready.push(Diagnosis::of(self.detectors[detector], finding, None));
        }
        self.has_findings = false;
        for attempt in self.attempts.with_findings_mut() {
            let waits = !self.is_finished
                && attempt.report.is_none()
                // A clock that is set back must not hold it up.
                && attempt
                    .superseded_at
                    .is_none_or(|at| at <= now && now.ms_since(at) < LATE_REPORT_MS);
            take_due(attempt, &self.detectors, waits, &mut ready);
            self.has_findings |= !attempt.findings.is_empty();
        }
        for diagnosis in ready {
            self.make_ready(diagnosis, now);
        }
    }

    fn make_ready(&mut self, diagnosis: Diagnosis, now: Timestamp) {
        if self.ready.len() < MAX_READY {
            self.ready.push_back(diagnosis);
        } else if diagnosis.finding.stage > Stage::Imminent {
            self.folding.fold(diagnosis, now);
        }
    }
}

fn is_enabled(settings: &Settings, detector: &Detector) -> bool {
    !settings.disabled.iter().any(|problem| problem == detector.problem)
}

#[cfg(test)]
mod tests;
