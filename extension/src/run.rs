//! The loop: one closed set of inputs, worked through one at a time.
//!
//! The order of the inputs is fixed: events of /next, the signal, telemetry, timers. So no amount of
//! telemetry holds up the next poll, and no timer decides on what has arrived but is not read yet.

mod ending;
mod probing;
mod reading;
mod writing;

use self::ending::End;
use self::reading::{InWork, telemetry};
use crate::clock::Clock;
use crate::extensions_api::{Event, Extension};
use crate::flush::{Ask, FlushMode, FlushPolicy};
use crate::panics::{Guard, contained};
use crate::polling::{Failed, Polling};
use crate::probe::{MountProbe, OwnEndpoints, ProcessProbe};
use crate::shutdown::Ending;
use crate::signatures::{Loaded, SignatureFile};
use crate::sinks::{Lines, Metrics, Stream};
use crate::telemetry_api::Inbox;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use triage_diagnosis::signatures::Signatures;
use triage_diagnosis::snapshot::Snapshot;
use triage_diagnosis::{Function, Settings, Shutdown, Timestamp, Triage, fault_point};

/// A timer that is this late woke from a freeze or was starved: what happened meanwhile comes first.
const LATE_MS: u64 = 20;
/// The shortest time between two timers: a time that is past for ever cannot spin, and after a
/// freeze what happened meanwhile gets to be read.
const TIMER_PAUSE_MS: u64 = 5;

/// So many bugs in the diagnosis cost a step each; then it begins anew.
const DIAGNOSIS_PATIENCE: u32 = 16;

/// How long telemetry is let alone after a bug in working it through, and metrics after one in sending them.
const BUG_PAUSE_MS: u64 = 100;

/// What the loop is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Registered.
    pub(crate) extension: Extension,
    /// Where the listener puts deliveries.
    pub(crate) inbox: Inbox,
    /// Where diagnoses go.
    pub(crate) lines: Lines,
    /// The wall clock.
    pub(crate) clock: Clock,
    /// Whom it watches.
    pub(crate) function: Function,
    /// The knobs of the diagnosis.
    pub(crate) settings: Settings,
    /// The file of the user's signatures.
    pub(crate) signatures: Option<PathBuf>,
    /// Where metrics go.
    pub(crate) metrics: Metrics,
    /// When /next is asked for.
    pub(crate) flush: FlushMode,
    /// Whether /proc may be read.
    pub(crate) probe: bool,
    /// What is no peer of the function's.
    pub(crate) own: OwnEndpoints,
    /// Ends the process after a time, even if the loop is stuck.
    pub(crate) exit_after: fn(Duration),
}

/// The loop's state.
pub(crate) struct Observer {
    inbox: Inbox,
    lines: Lines,
    clock: Clock,
    metrics: Metrics,
    exit_after: fn(Duration),
    triage: Guard<Triage>,
    signatures: SignatureFile,
    /// Those of the file, for the diagnosis if it begins anew.
    kept_signatures: Arc<OnceLock<Signatures>>,
    flush: Guard<FlushPolicy>,
    mounts: MountProbe,
    probe: ProcessProbe,
    polling: Polling,
    sigterm: Option<Signal>,
    /// The delivery being worked through.
    delivery: Option<InWork>,
    /// Whether healthy records are skipped: until there is a bug in it.
    skips_healthy: bool,
    /// A line that no thread is left to write, and when to try again. What follows it stays folded
    /// in the diagnosis.
    held: Option<(String, Timestamp)>,
    no_timer_before: Timestamp,
    catches_up: bool,
    told_of_lost_lines: bool,
    told_of_a_bug: bool,
    told_of_detectors: Vec<&'static str>,
    /// After a bug, telemetry is let alone until then: what cannot be worked through must not keep
    /// the loop busy.
    rests_until: Timestamp,
    metrics_rest_until: Timestamp,
    /// When /next is to be asked for, if that was put off.
    ask_at: Option<Timestamp>,
    end: Option<End>,
}

/// Everything that can happen.
enum Input {
    /// /next has answered.
    Next(Event),
    /// Asking for /next ended in a bug.
    PollFailed,
    Sigterm,
    /// The file of signatures is read.
    Signatures(Loaded),
    /// More was read of the function's processes, or nothing more comes.
    Probed(Option<Box<Snapshot>>),
    /// Everything that was ready had its turn.
    Turn,
    /// There is telemetry to work through.
    Telemetry,
    /// All diagnoses are written: there is room for more.
    LinesWritten,
    /// CloudWatch's API has answered, or will not.
    MetricsAnswered,
    /// A timer.
    Due {
        /// When it was to fire.
        at: Timestamp,
    },
}

impl Input {
    fn ending(&self) -> Option<Ending> {
        match self {
            Self::Next(Event::Shutdown { deadline, .. }) => {
                Some(Ending::Shutdown { deadline: *deadline })
            }
            Self::Sigterm => Some(Ending::Sigterm),
            _ => None,
        }
    }
}

/// At the first bug in it, it is one that never waits.
fn flush_policy(mode: FlushMode) -> Guard<FlushPolicy> {
    let mut mode = Some(mode);
    Guard::new(1, move || FlushPolicy::new(mode.take().unwrap_or(FlushMode::Lazy)))
}

impl Observer {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { inbox, lines, clock, function, settings, metrics, exit_after, .. } = parts;
        let kept_signatures = Arc::<OnceLock<Signatures>>::default();
        let signatures = kept_signatures.clone();
        Self {
            inbox,
            lines,
            clock,
            metrics,
            exit_after,
            triage: Guard::new(DIAGNOSIS_PATIENCE, move || {
                let mut triage = Triage::new(settings.clone(), function.clone());
                if let Some(signatures) = signatures.get() {
                    triage.watch_for(*signatures);
                }
                triage
            }),
            signatures: SignatureFile::new(parts.signatures),
            kept_signatures,
            flush: flush_policy(parts.flush),
            mounts: MountProbe::new(parts.probe),
            probe: ProcessProbe::new(parts.probe, parts.own),
            polling: Polling::new(parts.extension),
            sigterm: None,
            delivery: None,
            skips_healthy: true,
            held: None,
            no_timer_before: Timestamp::default(),
            catches_up: false,
            told_of_lost_lines: false,
            told_of_a_bug: false,
            told_of_detectors: Vec::new(),
            rests_until: Timestamp::default(),
            metrics_rest_until: Timestamp::default(),
            ask_at: None,
            end: None,
        }
    }

    /// Whether there is nothing left to poll for.
    pub(crate) fn is_ending(&self) -> bool {
        self.end.is_some() || self.polling.is_over()
    }

    /// The poll that is under way, for whoever goes on polling: given up, it could take an event
    /// with it.
    pub(crate) fn into_polling(self) -> Polling {
        self.polling
    }

    /// Polls, and diagnoses what comes, until SHUTDOWN or SIGTERM; everything found is written
    /// then, as far as the budget allows. If it ends in a bug, it can be run again and goes on with
    /// what it has.
    pub(crate) async fn run(&mut self) {
        self.polling.ask();
        // Not before the first poll. Without the signal there is still SHUTDOWN.
        if self.sigterm.is_none() {
            self.sigterm = signal(SignalKind::terminate()).ok();
        }
        if self.polling.is_over() {
            // The bug took the event with it.
            self.begin_to_end(Ending::Shutdown { deadline: None }, self.clock.now());
        }
        loop {
            let input = self.input().await;
            fault_point!("loop");
            let now = self.clock.now();
            if let Input::Due { at } = input
                && self.is_to_catch_up(at, now)
            {
                continue;
            }
            // Before anything that a bug could keep from it.
            if let Some(ending) = input.ending() {
                self.begin_to_end(ending, now);
            }
            let done = contained(|| {
                fault_point!("handle");
                let is_timer = matches!(input, Input::Due { .. });
                self.handle(input, now);
                self.attend_to_probe(is_timer, now);
            });
            let written = contained(|| self.write_reports(now));
            if self.lines.is_drained(Stream::Stdout) {
                self.probe.handle_written();
            }
            if done.is_none() || written.is_none() {
                self.tell_of_a_bug(true);
                self.rests_until = now.plus_ms(BUG_PAUSE_MS);
            }
            match self.end {
                None => self.ask_at = self.ask_for_next(now),
                Some(end) if now >= self.telemetry_end(end) => return self.leave(end.budget).await,
                Some(_) => {}
            }
        }
    }

    /// The first input in the fixed order. Nothing is lost when it is dropped while waiting.
    async fn input(&mut self) -> Input {
        fault_point!("input");
        let due = self.next_due();
        let wait_ms = due.map(|due| due.ms_since(self.clock.now()));
        let unwritten = !self.lines.is_drained(Stream::Stdout);
        let more = self.delivery.is_some();
        let is_held = self.signatures.is_awaited();
        let takes_turns = self.probe.takes_turns();
        // Also if the clock was set back.
        let rest_ms = self.rests_until.ms_since(self.clock.now()).min(BUG_PAUSE_MS);
        tokio::select! {
            biased;
            event = self.polling.event() => event.map_or_else(|Failed| Input::PollFailed, Input::Next),
            () = received(&mut self.sigterm), if self.end.is_none() => Input::Sigterm,
            loaded = self.signatures.loaded() => Input::Signatures(loaded),
            snapshot = self.probe.snapshot() => Input::Probed(snapshot.map(Box::new)),
            () = telemetry(&self.inbox, more, rest_ms), if !is_held => Input::Telemetry,
            () = self.lines.drained(Stream::Stdout), if unwritten => Input::LinesWritten,
            () = self.metrics.answered() => Input::MetricsAnswered,
            () = tokio::task::yield_now(), if takes_turns => Input::Turn,
            () = tokio::time::sleep(Duration::from_millis(wait_ms.unwrap_or_default())),
                if due.is_some() => Input::Due { at: due.unwrap_or_default() },
        }
    }

    fn next_due(&mut self) -> Option<Timestamp> {
        let wake = self.triage.look(Triage::poll_wake);
        self.tell_of_a_bug(wake.is_none());
        let wake = wake.flatten();
        let end = self.end.map(|end| self.telemetry_end(end));
        let held = self.held.as_ref().map(|(_, until)| *until);
        let signatures = self.signatures.due(self.clock.now());
        let probe = self.probe_due();
        let metrics = self.metrics_due();
        let due =
            [wake, end, held, self.ask_at, signatures, probe, metrics].into_iter().flatten().min();
        // Should the clock have been set back since, the pause must not last until it has caught up.
        let pause_end = self.no_timer_before.min(self.clock.now().plus_ms(TIMER_PAUSE_MS));
        due.map(|due| due.max(pause_end))
    }

    fn handle(&mut self, input: Input, now: Timestamp) {
        // With the first input: the first /next was asked for by then.
        if let Some(mounts) = contained(|| self.mounts.poll()).flatten() {
            self.diagnose(|triage| triage.handle_mounts(mounts));
        }
        match input {
            Input::Next(Event::Invoke(invoke)) => {
                let (id, deadline) = (&invoke.request_id, invoke.deadline);
                self.flush.with(|flush| flush.handle_invoke(id, deadline, now));
                self.diagnose(|triage| triage.handle_invoke(invoke, now));
            }
            Input::Next(Event::Shutdown { reason, .. }) => {
                self.diagnose(|triage| triage.handle_shutdown(&Shutdown { reason }, now));
            }
            Input::Sigterm => {
                let shutdown = Shutdown { reason: "sigterm".to_owned() };
                self.diagnose(|triage| triage.handle_shutdown(&shutdown, now));
            }
            Input::Signatures(loaded) => {
                if let Some(signatures) = self.signatures.signatures(loaded) {
                    let _ = self.kept_signatures.set(signatures);
                    self.diagnose(|triage| triage.watch_for(signatures));
                }
            }
            Input::Probed(snapshot) => {
                self.probe.handle_snapshot(snapshot.map(|snapshot| *snapshot), now);
            }
            Input::Turn => self.probe.handle_turn(),
            Input::Due { .. } => self.signatures.handle_due(now),
            // What else is due is done after every input.
            Input::PollFailed | Input::LinesWritten | Input::MetricsAnswered => {}
            Input::Telemetry => self.work_through_a_slice(now),
        }
    }

    /// Whether a timer that was to fire `at` has slept through a freeze (or was starved), so that
    /// what arrived meanwhile must be read before anything is decided by the time. Once only:
    /// where everything is late, that is no reason never to act.
    fn is_to_catch_up(&mut self, at: Timestamp, now: Timestamp) -> bool {
        self.no_timer_before = now.plus_ms(TIMER_PAUSE_MS);
        self.catches_up = now.ms_since(at) > LATE_MS && !self.catches_up;
        self.catches_up
    }

    /// Uses the diagnosis, whatever bug is in it.
    fn diagnose<R>(&mut self, use_it: impl FnOnce(&mut Triage) -> R) -> Option<R> {
        let result = self.triage.with(use_it);
        self.tell_of_a_bug(result.is_none());
        result
    }

    fn tell_of_a_bug(&mut self, found: bool) {
        if found && !self.told_of_a_bug {
            self.told_of_a_bug = true;
            tracing::warn!("the diagnosis has a bug; some findings may be missing");
        }
    }

    /// Asks for /next, or says when to see again.
    fn ask_for_next(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.polling.is_under_way() {
            return None;
        }
        let written = self.lines.is_drained(Stream::Stdout);
        let settled = self.delivery.is_none() && self.inbox.is_empty() && written;
        match self.flush.with(|flush| flush.poll(settled, now)) {
            Some(Ask::At(at)) => Some(at),
            Some(Ask::Now) | None => {
                self.polling.ask();
                None
            }
        }
    }
}

/// Waits for the signal, for ever if it cannot be had.
pub(crate) async fn received(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
