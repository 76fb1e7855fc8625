//! The thread that reads, and what the loop knows of it.

use super::budget::Signals;
use super::files::Notes;
use super::sampling::{Scene, sample};
use super::sockets::OwnEndpoints;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use triage_diagnosis::snapshot::Snapshot;
use triage_diagnosis::{ProbeOrder, Timestamp, fault_point};

/// A time that is passed by so much was slept through, or what is to be done by it was starved.
const LATE_MS: u64 = 20;
/// How long what has arrived meanwhile is waited for then: it may say that the invocation is over.
const CATCH_UP_MS: u64 = 5;
/// In so many turns of the loop what has arrived is read, from a new connection too. By the clock it
/// could take much longer: on a small function each sleep may cost a whole period of its CPU's quota.
const CATCH_UP_TURNS: u32 = 4;
/// The longest that is waited for the first snapshot.
const OWED_MAX_MS: u64 = 1_000;
/// The wall clock does not go so far ahead of the one that nobody sets, unless it was set, or there was a
/// freeze that the other does not count.
const JUMP_MS: u64 = 500;
/// Reading nests a few calls deep.
pub(super) const STACK_BYTES: usize = 128 * 1024;

/// Looks at the function's processes when the diagnosis wants it, on a thread of its own for each
/// look: what blocks there holds up nothing, and there is never a second one.
#[derive(Debug)]
pub(crate) struct ProcessProbe {
    is_wanted: bool,
    proc: PathBuf,
    own: Arc<OwnEndpoints>,
    notes: Arc<Notes>,
    under_way: Option<UnderWay>,
    held: Option<Held>,
    /// An invocation of which nothing was read yet, and when that is to be handed over as it is.
    owed: Option<(String, Timestamp)>,
    /// The invocation that was looked at last, by its id and deadline.
    looked_at: Option<(String, Timestamp)>,
    /// A look that is late waits until then.
    held_until: Option<Timestamp>,
    told_of_stuck: bool,
}

#[derive(Debug)]
struct UnderWay {
    request_id: String,
    begun: Timestamp,
    /// The same by the clock that the look is timed by.
    begun_at: Instant,
    signals: Arc<Signals>,
    /// Whether the first snapshot was handed over.
    is_handed: bool,
    thread: Thread,
    snapshots: UnboundedReceiver<Snapshot>,
}

/// A snapshot that waits for so many more turns of the loop.
#[derive(Debug)]
struct Held {
    request_id: String,
    snapshot: Snapshot,
    turns: u32,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl UnderWay {
    /// Whether the clocks disagree on how long it has taken, or the time goes backwards: what two readings
    /// differ by then is not of the time between them.
    fn has_jumped(&self, now: Timestamp) -> bool {
        let took_ms = u64::try_from(self.begun_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        now < self.begun || now.ms_since(self.begun) > took_ms.saturating_add(JUMP_MS)
    }

    fn cancel(&self) {
        self.signals.cancelled.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl ProcessProbe {
    /// One that reads below /proc or, if nothing may be probed, nothing.
    pub(crate) fn new(is_wanted: bool, own: OwnEndpoints) -> Self {
        Self::at(Path::new("/proc"), is_wanted, own)
    }

    fn at(proc: &Path, is_wanted: bool, own: OwnEndpoints) -> Self {
        Self {
            is_wanted,
            proc: proc.to_owned(),
            own: Arc::new(own),
            notes: Arc::default(),
            under_way: None,
            held: None,
            owed: None,
            looked_at: None,
            held_until: None,
            told_of_stuck: false,
        }
    }

    /// Whether looks may be wanted at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// When the loop is to come back, at the latest, for this order and for what is owed.
    pub(crate) fn due(&self, order: Option<&ProbeOrder>, now: Timestamp) -> Option<Timestamp> {
        let order = order.filter(|order| self.is_new(order));
        let look = order.map(|order| self.held_until.unwrap_or(order.at));
        // Nothing is owed by a clock that was set back.
        let owed = self.owed.as_ref().map(|(_, at)| (*at).min(now.plus_ms(OWED_MAX_MS)));
        [look, owed].into_iter().flatten().min()
    }

    fn is_new(&self, order: &ProbeOrder) -> bool {
        let is_looked_at = |(id, deadline): &(String, Timestamp)| {
            *id == order.request_id && *deadline == order.deadline
        };
        self.is_wanted && !self.looked_at.as_ref().is_some_and(is_looked_at)
    }

    /// Begins the look that is wanted, if its time has come. One that is late, as after a freeze, is
    /// begun a moment later, if it is still wanted then, unless the loop `has_caught_up` with what has
    /// arrived. `extension_names` are those that the platform tells.
    pub(crate) fn handle_order(
        &mut self,
        order: Option<&ProbeOrder>,
        has_caught_up: bool,
        extension_names: impl FnOnce() -> Vec<String>,
        now: Timestamp,
    ) {
        let Some(order) = order.filter(|order| self.is_new(order) && now >= order.at) else {
            self.held_until = None;
            return;
        };
        match self.held_until {
            None if !has_caught_up && now.ms_since(order.at) > LATE_MS => {
                self.held_until = Some(now.plus_ms(CATCH_UP_MS));
                return;
            }
            // Also if the clock was set back.
            Some(until) if !has_caught_up && (1..=CATCH_UP_MS).contains(&until.ms_since(now)) => {
                return;
            }
            _ => {}
        }
        self.held_until = None;
        self.looked_at = Some((order.request_id.clone(), order.deadline));
        let left_ms = order.deadline.ms_since(now);
        if left_ms == 0 {
            return;
        }
        // Whatever happens to the look, the line is not later for it.
        let at = now.plus_ms((left_ms / 2).min(OWED_MAX_MS));
        self.owed = Some((order.request_id.clone(), at));
        if !self.begin(order, left_ms, extension_names(), now) {
            self.owed = Some((order.request_id.clone(), now));
        }
    }

    /// Says whether it could.
    fn begin(
        &mut self,
        order: &ProbeOrder,
        left_ms: u64,
        extension_names: Vec<String>,
        now: Timestamp,
    ) -> bool {
        fault_point!("probe");
        if self.under_way.is_some() {
            if !self.told_of_stuck {
                self.told_of_stuck = true;
                tracing::debug!(
                    "the function's processes are not looked at: an earlier look is stuck"
                );
            }
            return false;
        }
        let (send, snapshots) = unbounded_channel();
        let signals = Arc::<Signals>::default();
        let scene = Scene {
            extension_names,
            is_small: order.is_small,
            own: self.own.clone(),
            notes: self.notes.clone(),
            signals: signals.clone(),
        };
        let (proc, left) = (self.proc.clone(), Duration::from_millis(left_ms));
        let begun_at = Instant::now();
        let thread = std::thread::Builder::new().name("probe".to_owned()).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            sample(&proc, &scene, left, |snapshot| {
                // Nobody waits for it at the end of the sandbox.
                let _ = send.send(snapshot);
            });
        });
        let is_begun = started.is_ok();
        match started {
            Ok(thread) => {
                self.under_way = Some(UnderWay {
                    request_id: order.request_id.clone(),
                    begun: now,
                    begun_at,
                    signals,
                    is_handed: false,
                    thread: thread.thread().clone(),
                    snapshots,
                });
            }
            Err(e) => tracing::debug!(
                "the function's processes are not looked at, as no thread is left: {e}"
            ),
        }
        is_begun
    }

    /// The invocation that is looked at.
    pub(crate) fn request_id(&self) -> Option<&str> {
        let held = self.held.as_ref().map(|held| &held.request_id);
        let owed = self.owed.as_ref().map(|(request_id, _)| request_id);
        held.or(owed).or(self.under_way.as_ref().map(|look| &look.request_id)).map(String::as_str)
    }

    /// Nothing more is wanted of the look that is under way.
    pub(crate) fn cancel(&mut self) {
        (self.held, self.owed) = (None, None);
        if let Some(under_way) = &self.under_way {
            under_way.cancel();
        }
    }

    /// What was read so far, whenever there is more of it; None when nothing more comes. Waits for
    /// ever if no look is under way. Can be dropped and waited for again.
    pub(crate) async fn snapshot(&mut self) -> Option<Snapshot> {
        match &mut self.under_way {
            Some(under_way) => under_way.snapshots.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Takes what [`Self::snapshot`] gave. What came so late that there may have been a freeze waits some
    /// turns: what has arrived meanwhile may say that the invocation is over. A look over which the clock
    /// has jumped is given up.
    pub(crate) fn handle_snapshot(&mut self, snapshot: Option<Snapshot>, now: Timestamp) {
        let (Some(under_way), Some(snapshot)) = (&self.under_way, snapshot) else {
            self.under_way = None;
            return self.owe_at(now);
        };
        if under_way.signals.cancelled.load(Ordering::Relaxed) {
            return;
        }
        if under_way.has_jumped(now) {
            under_way.cancel();
            return self.owe_at(now);
        }
        let is_late = now.ms_since(under_way.begun) > LATE_MS || now < under_way.begun;
        let turns = if is_late { CATCH_UP_TURNS } else { 0 };
        let request_id = under_way.request_id.clone();
        self.owed = None;
        self.held = Some(Held { request_id, snapshot, turns });
    }

    /// If nothing was handed over yet, that is to be told then.
    fn owe_at(&mut self, at: Timestamp) {
        if let Some((_, owed_at)) = &mut self.owed {
            *owed_at = at;
        }
    }

    /// Whether a snapshot waits for turns of the loop.
    pub(crate) fn takes_turns(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.turns > 0)
    }

    /// Everything else that was ready had its turn.
    pub(crate) fn handle_turn(&mut self) {
        if let Some(held) = &mut self.held {
            held.turns = held.turns.saturating_sub(1);
        }
    }

    /// All lines are written: the look may go on.
    pub(crate) fn handle_written(&self) {
        if let Some(under_way) = self.under_way.as_ref().filter(|look| look.is_handed)
            && !under_way.signals.written.swap(true, Ordering::Relaxed)
        {
            under_way.thread.unpark();
        }
    }

    /// The snapshot that has waited long enough, and its invocation. Where nothing could be read in time
    /// it says just that.
    pub(crate) fn poll_snapshot(&mut self, now: Timestamp) -> Option<(String, Snapshot)> {
        // Also if the clock was set back.
        let still_waits = |until: Timestamp| (1..=OWED_MAX_MS).contains(&until.ms_since(now));
        if let Some(held) = self.held.take_if(|held| held.turns == 0) {
            if let Some(under_way) = &mut self.under_way {
                under_way.is_handed = true;
            }
            return Some((held.request_id, held.snapshot));
        }
        let (request_id, _) = self.owed.take_if(|(_, at)| !still_waits(*at))?;
        Some((request_id, Snapshot { is_partial: true, ..Snapshot::default() }))
    }
}

#[cfg(test)]
mod tests;
