//! The look at the function's processes, in stages, each shorter than the time that is left.
//!
//! After each of them what was read so far is handed over, as there may be no time for the next one:
//! first what the threads do; then what the processes have open, and short looks at who runs; and as
//! late as possible all of it again, for what has changed meanwhile. Where the first thread computes, the short
//! looks come before what is open, and of a small function nothing comes after them.

use super::budget::{Budget, Signals, micros_since};
use super::descriptors::OpenFound;
use super::files::{Notes, Proc};
use super::processes::{Found, look, look_again};
use super::refused::Refused;
use super::resources::{mounts, resources};
use super::sockets::{OwnEndpoints, Sockets};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use triage_diagnosis::fault_point;
use triage_diagnosis::snapshot::{Look, Snapshot, parse_schedstat};

/// The least that is left before the deadline, for what was read to be taken in.
const LEAST_RESERVE: Duration = Duration::from_millis(30);
/// And the most.
const MOST_RESERVE: Duration = Duration::from_millis(150);
/// So long at most the line about the first look is waited for.
const LINE_PAUSE: Duration = Duration::from_millis(40);
/// How often it is looked at who runs in the second stage, and the time between two such looks.
const LOOKS: (usize, Duration) = (5, Duration::from_millis(3));
/// The same of a function that feels each of them.
const LOOKS_OF_SMALL: (usize, Duration) = (2, Duration::from_millis(15));
/// How late the last stage may begin at least, as it wakes for it.
const WAKING: Duration = Duration::from_millis(15);
/// A look takes no longer, however far the deadline is.
const MOST_TIME: Duration = Duration::from_secs(10);
/// Between the first look and the last one. In less nothing can be seen to have changed.
const LEAST_SPAN: Duration = Duration::from_millis(20);

/// What is known before anything is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    pub(super) extension_names: Vec<String>,
    /// Whether the function has so little CPU that it feels what is read.
    pub(super) is_small: bool,
    pub(super) own: Arc<OwnEndpoints>,
    pub(super) notes: Arc<Notes>,
    pub(super) signals: Arc<Signals>,
}

/// When each stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    first: Instant,
    last: Instant,
}

impl Ends {
    /// Of the time that is left until the deadline. Where all wait for their share of CPU together, as on a
    /// small function, it comes in turns of 100 ms: so little is left out of it.
    fn of(begun: Instant, left: Duration) -> Self {
        let reserve = (left / 6).min(MOST_RESERVE).max(LEAST_RESERVE.min(left / 2));
        // The line waits for the first stage alone.
        let first = begun + (left - reserve) / 2;
        Self { first, last: begun + (left - reserve) }
    }
}

/// Reads in stages until the deadline is near, `left` from now, or the invocation is over. `hand_over`
/// gets what there is after each stage, unless that ended after the deadline: what was seen of processes that
/// are being ended, or after a freeze, is not what the invocation waited for.
pub(super) fn sample(root: &Path, scene: &Scene, left: Duration, hand_over: impl Fn(Snapshot)) {
    fault_point!("sample");
    let begun = Instant::now();
    let left = left.min(MOST_TIME);
    let deadline = begun + left;
    let mut meter = Meter::begin();
    let ends = Ends::of(begun, left);
    let budget = Budget::until(ends.first, scene.signals.clone());
    let proc = &mut Proc::at(root, &budget, &scene.notes);
    let names = &scene.extension_names;
    let Found { look: first, other_extensions, threads, is_partial } =
        match look(proc, names, &scene.own, begun) {
            Ok(found) => found,
            Err(e) => return scene.notes.note_absent("processes", &e),
        };
    let mut snapshot =
        Snapshot { looks: vec![first], other_extensions, is_partial, ..Snapshot::default() };
    let first_took = begun.elapsed();
    let is_too_late = || budget.is_cancelled() || Instant::now() >= deadline;
    if is_too_late() {
        return;
    }
    hand_over(taken(&snapshot, begun));
    meter.tell("first", &snapshot);
    budget.next_stage(ends.last);
    budget.wait_until_written(LINE_PAUSE);
    meter.restart();

    fault_point!("sample again");
    let refused = Refused::listen();
    let refused = refused.inspect_err(|e| scene.notes.note_absent("refused connections", e));
    let mut refused = refused.ok();
    // Where the first thread computes, that leaves little CPU for reading more: its next look comes first.
    let is_running = |look: &Look| {
        let main = look.processes.first().and_then(|process| process.threads.first());
        main.is_some_and(|main| main.state == 'R')
    };
    let is_computing = snapshot.looks.first().is_some_and(is_running);
    if is_computing {
        look_at_who_runs(proc, &mut snapshot.looks, scene.is_small, begun);
        if let Some(refused) = &mut refused {
            refused.add_to(&mut snapshot.refused_peers);
        }
        if is_too_late() {
            return;
        }
        hand_over(taken(&snapshot, begun));
        // The rest would take from it what it may need to end in time. What reads its own memory back again
        // and again is short of that, and its CPU is no matter.
        let faults = |look: &Look| look.processes.first().map(|process| process.major_faults);
        let is_faulting =
            snapshot.looks.last().and_then(faults) > snapshot.looks.first().and_then(faults);
        if scene.is_small && snapshot.looks.iter().all(is_running) && !is_faulting {
            meter.tell("second", &snapshot);
            return;
        }
    }
    let second_begun = Instant::now();
    let mut found = OpenFound::default();
    let mut network_mounts = Vec::new();
    if let Some(Look { processes, .. }) = snapshot.looks.first()
        && let Some(runtime) = processes.first().map(|runtime| runtime.pid)
    {
        let mounts = mounts(proc);
        network_mounts = mounts.clone().unwrap_or_default();
        let sockets = Sockets::read(proc, runtime, &scene.own, begun);
        // What is waited for comes first, should there be no time for everything.
        found.read_awaited(proc, processes, &sockets, &network_mounts);
        found.add_last_moved(proc, processes, &sockets, 0);
        let asked = found.open.sockets.len();
        snapshot.resources = Some(resources(proc, runtime, threads, mounts));
        found.read_all(proc, processes, &sockets, &network_mounts);
        found.add_last_moved(proc, processes, &sockets, asked);
        snapshot.open = Some(found.open.clone());
        snapshot.is_partial |= found.is_partial;
    }
    let open_took = second_begun.elapsed();
    if !is_computing {
        look_at_who_runs(proc, &mut snapshot.looks, scene.is_small, begun);
    }
    if let Some(refused) = &mut refused {
        refused.add_to(&mut snapshot.refused_peers);
    }
    if is_too_late() {
        return;
    }
    hand_over(taken(&snapshot, begun));
    meter.tell("second", &snapshot);

    // Twice as long as it took before, as it need not take as long each time.
    let needed = (first_took + open_took) * 2 + WAKING.max(left / 10);
    let latest = ends.last.checked_sub(needed).unwrap_or(begun);
    budget.wait_until(latest.max(begun + LEAST_SPAN));
    if budget.is_over() {
        return;
    }
    meter.restart();
    let Ok(again) = look(proc, names, &scene.own, begun) else { return };
    let processes = &again.look.processes;
    if let Some(runtime) = processes.first().map(|runtime| runtime.pid) {
        let sockets = Sockets::read(proc, runtime, &scene.own, begun);
        found.read_awaited(proc, processes, &sockets, &network_mounts);
        found.read_all(proc, processes, &sockets, &network_mounts);
        found.add_last_moved(proc, processes, &sockets, 0);
    }
    snapshot.looks.push(again.look);
    if let Some(refused) = &mut refused {
        refused.add_to(&mut snapshot.refused_peers);
    }
    snapshot.open = Some(found.open);
    snapshot.is_partial |= again.is_partial | found.is_partial;
    if !is_too_late() {
        hand_over(taken(&snapshot, begun));
        meter.tell("third", &snapshot);
    }
}

/// As it is handed over now.
fn taken(snapshot: &Snapshot, begun: Instant) -> Snapshot {
    Snapshot { taken_us: Some(micros_since(begun)), ..snapshot.clone() }
}

/// Adds short looks at the threads that ran since the first look or were to, a few ms apart.
fn look_at_who_runs(proc: &mut Proc<'_>, looks: &mut Vec<Look>, is_small: bool, begun: Instant) {
    let (times, pause) = if is_small { LOOKS_OF_SMALL } else { LOOKS };
    let Some(first) = looks.first() else { return };
    let mut last = look_again(proc, first, true, begun);
    for _ in 1..times {
        if last.processes.is_empty() {
            return;
        }
        let next_at = Instant::now() + pause;
        looks.push(last);
        proc.budget.wait_until(next_at);
        if proc.budget.is_over() {
            return;
        }
        let Some(previous) = looks.last() else { return };
        last = look_again(proc, previous, false, begun);
    }
    if !last.processes.is_empty() {
        looks.push(last);
    }
}

/// What the stages cost, told where that is logged.
struct Meter(Option<(Instant, u64)>);

impl Meter {
    fn begin() -> Self {
        let is_told = tracing::enabled!(tracing::Level::DEBUG);
        Self(is_told.then(|| Some((Instant::now(), Self::cpu_ns()?))).flatten())
    }

    fn cpu_ns() -> Option<u64> {
        let schedstat = std::fs::read("/proc/thread-self/schedstat").ok()?;
        parse_schedstat(&schedstat).map(|(cpu_ns, _)| cpu_ns)
    }

    fn tell(&self, stage: &str, snapshot: &Snapshot) {
        let Some((begun, before)) = self.0 else { return };
        let cpu_us = Self::cpu_ns().unwrap_or(before).saturating_sub(before) / 1_000;
        let wall_us = begun.elapsed().as_micros();
        let looks = &snapshot.looks;
        let processes = looks.first().map_or(0, |look| look.processes.len());
        let threads = looks.first().into_iter().flat_map(|look| &look.processes);
        let threads: usize = threads.map(|process| process.threads.len()).sum();
        let sockets = snapshot.open.as_ref().map_or(0, |open| open.sockets.len());
        let part = if snapshot.is_partial { ", not all" } else { "" };
        tracing::debug!(
            "the {stage} stage took {cpu_us} us of CPU in {wall_us} us, with {processes} processes, \
             {threads} threads, {sockets} sockets, {} looks{part}",
            looks.len()
        );
    }

    fn restart(&mut self) {
        *self = Self::begin();
    }
}

#[cfg(test)]
mod tests;
