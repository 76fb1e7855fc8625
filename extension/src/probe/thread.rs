//! The thread that reads, and what the loop knows of it.

use super::files::Notes;
use super::sampling::{Scene, sample};
use super::sockets::OwnEndpoints;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use triage_diagnosis::snapshot::Snapshot;
use triage_diagnosis::{ProbeOrder, Timestamp, fault_point};

/// A time that is passed by so much was slept through, or what is to be done by it was starved.
const LATE_MS: u64 = 20;
/// How long what has arrived meanwhile is waited for then: it may say that the invocation is over.
const CATCH_UP_MS: u64 = 5;
/// Reading nests a few calls deep.
const STACK_BYTES: usize = 128 * 1024;

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
    cancelled: Arc<AtomicBool>,
    thread: Thread,
    snapshots: UnboundedReceiver<Snapshot>,
}

/// A snapshot that waits until then.
#[derive(Debug)]
struct Held {
    request_id: String,
    snapshot: Snapshot,
    until: Timestamp,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl UnderWay {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
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
            looked_at: None,
            held_until: None,
            told_of_stuck: false,
        }
    }

    /// Whether looks may be wanted at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// When the loop is to come back, at the latest, for this order and for what is held.
    pub(crate) fn due(&self, order: Option<&ProbeOrder>, now: Timestamp) -> Option<Timestamp> {
        let order = order.filter(|order| self.is_new(order));
        let look = order.map(|order| self.held_until.unwrap_or(order.at));
        // Nothing is held by a clock that was set back.
        let held = self.held.as_ref().map(|held| held.until.min(now.plus_ms(CATCH_UP_MS)));
        look.into_iter().chain(held).min()
    }

    fn is_new(&self, order: &ProbeOrder) -> bool {
        let is_looked_at = |(id, deadline): &(String, Timestamp)| {
            *id == order.request_id && *deadline == order.deadline
        };
        self.is_wanted && !self.looked_at.as_ref().is_some_and(is_looked_at)
    }

    /// Begins the look that is wanted, if its time has come. One that is late, as after a freeze, is
    /// begun a moment later, if it is still wanted then. `extension_names` are those that the platform
    /// tells.
    pub(crate) fn handle_order(
        &mut self,
        order: Option<&ProbeOrder>,
        extension_names: impl FnOnce() -> Vec<String>,
        now: Timestamp,
    ) {
        let Some(order) = order.filter(|order| self.is_new(order) && now >= order.at) else {
            self.held_until = None;
            return;
        };
        match self.held_until {
            None if now.ms_since(order.at) > LATE_MS => {
                self.held_until = Some(now.plus_ms(CATCH_UP_MS));
                return;
            }
            // Also if the clock was set back.
            Some(until) if (1..=CATCH_UP_MS).contains(&until.ms_since(now)) => return,
            _ => {}
        }
        self.held_until = None;
        self.looked_at = Some((order.request_id.clone(), order.deadline));
        let left_ms = order.deadline.ms_since(now);
        if left_ms > 0 {
            self.begin(&order.request_id, left_ms, extension_names(), now);
        }
    }

    fn begin(
        &mut self,
        request_id: &str,
        left_ms: u64,
        extension_names: Vec<String>,
        now: Timestamp,
    ) {
        fault_point!("probe");
        if self.under_way.is_some() {
            if !self.told_of_stuck {
                self.told_of_stuck = true;
                tracing::debug!(
                    "the function's processes are not looked at: an earlier look is stuck"
                );
            }
            return;
        }
        let (send, snapshots) = unbounded_channel();
        let cancelled = Arc::<AtomicBool>::default();
        let scene = Scene {
            extension_names,
            own: self.own.clone(),
            notes: self.notes.clone(),
            cancelled: cancelled.clone(),
        };
        let (proc, left) = (self.proc.clone(), Duration::from_millis(left_ms));
        let thread = std::thread::Builder::new().name("probe".to_owned()).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            sample(&proc, &scene, left, |snapshot| {
                // Nobody waits for it at the end of the sandbox.
                let _ = send.send(snapshot);
            });
        });
        match started {
            Ok(thread) => {
                self.under_way = Some(UnderWay {
                    request_id: request_id.to_owned(),
                    begun: now,
                    cancelled,
                    thread: thread.thread().clone(),
                    snapshots,
                });
            }
            Err(e) => tracing::debug!(
                "the function's processes are not looked at, as no thread is left: {e}"
            ),
        }
    }

    /// The invocation that is looked at.
    pub(crate) fn request_id(&self) -> Option<&str> {
        let held = self.held.as_ref().map(|held| &held.request_id);
        held.or(self.under_way.as_ref().map(|look| &look.request_id)).map(String::as_str)
    }

    /// Nothing more is wanted of the look that is under way.
    pub(crate) fn cancel(&mut self) {
        self.held = None;
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

    /// Takes what [`Self::snapshot`] gave. What came so late that there may have been a freeze waits a
    /// moment: what has arrived meanwhile may say that the invocation is over.
    pub(crate) fn handle_snapshot(&mut self, snapshot: Option<Snapshot>, now: Timestamp) {
        let (Some(under_way), Some(snapshot)) = (&self.under_way, snapshot) else {
            self.under_way = None;
            return;
        };
        if under_way.cancelled.load(Ordering::Relaxed) {
            return;
        }
        let is_late = now.ms_since(under_way.begun) > LATE_MS || now < under_way.begun;
        let until = if is_late { now.plus_ms(CATCH_UP_MS) } else { now };
        let request_id = under_way.request_id.clone();
        self.held = Some(Held { request_id, snapshot, until });
    }

    /// The snapshot that has waited long enough, and its invocation.
    pub(crate) fn poll_snapshot(&mut self, now: Timestamp) -> Option<(String, Snapshot)> {
        let still_waits = |held: &mut Held| (1..=CATCH_UP_MS).contains(&held.until.ms_since(now));
        let held = self.held.take_if(|held| !still_waits(held))?;
        Some((held.request_id, held.snapshot))
    }
}
