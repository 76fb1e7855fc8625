//! The thread that reads, and what the loop knows of it.

use super::budget::Signals;
use super::files::Notes;
use super::sampling::{Scene, sample};
use super::sockets::OwnEndpoints;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::Thread;
use std::time::Duration;
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
        if !self.begin(&order.request_id, left_ms, extension_names(), now) {
            self.owed = Some((order.request_id.clone(), now));
        }
    }

    /// Says whether it could.
    fn begin(
        &mut self,
        request_id: &str,
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
            own: self.own.clone(),
            notes: self.notes.clone(),
            signals: signals.clone(),
        };
        let (proc, left) = (self.proc.clone(), Duration::from_millis(left_ms));
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
                    request_id: request_id.to_owned(),
                    begun: now,
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
    /// turns: what has arrived meanwhile may say that the invocation is over.
    pub(crate) fn handle_snapshot(&mut self, snapshot: Option<Snapshot>, now: Timestamp) {
        let (Some(under_way), Some(snapshot)) = (&self.under_way, snapshot) else {
            self.under_way = None;
            if let Some((_, at)) = &mut self.owed {
                *at = now;
            }
            return;
        };
        if under_way.signals.cancelled.load(Ordering::Relaxed) {
            return;
        }
        let is_late = now.ms_since(under_way.begun) > LATE_MS || now < under_way.begun;
        let turns = if is_late { CATCH_UP_TURNS } else { 0 };
        let request_id = under_way.request_id.clone();
        self.owed = None;
        self.held = Some(Held { request_id, snapshot, turns });
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
mod tests {
    use super::super::tree::{INIT, Tree};
    use super::*;
    use rustix::fs::{FileType, Mode, mknodat};

    const DEADLINE: u64 = 1_000_000;
    /// Enough for all stages on a busy machine.
    const AMPLE: u64 = 1_000;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn order(request_id: &str, at: u64) -> ProbeOrder {
        let request_id = request_id.to_owned();
        ProbeOrder { request_id, at: ms(at), deadline: ms(DEADLINE) }
    }

    fn tree() -> Tree {
        let tree = Tree::new();
        tree.process(40, INIT, "bootstrap", 30);
        tree
    }

    fn probe(tree: &Tree) -> ProcessProbe {
        ProcessProbe::at(tree.root(), true, OwnEndpoints::default())
    }

    fn begin(probe: &mut ProcessProbe, request_id: &str, at: u64) {
        probe.handle_order(Some(&order(request_id, at)), false, Vec::new, ms(at));
    }

    /// Whatever is still to come, handed over as the loop does.
    async fn rest(probe: &mut ProcessProbe, now: u64) -> Vec<(String, Snapshot)> {
        let mut handed = Vec::new();
        while probe.under_way.is_some() {
            let snapshot = probe.snapshot().await;
            probe.handle_snapshot(snapshot, ms(now));
            handed.extend(probe.poll_snapshot(ms(now)));
            probe.handle_written();
        }
        handed
    }

    #[tokio::test]
    async fn a_look_begins_at_its_time_once_and_hands_over_ever_more() {
        let (tree, begun) = (tree(), DEADLINE - AMPLE);
        let mut probe = probe(&tree);
        let order = order("a", begun);
        assert_eq!(probe.due(Some(&order), ms(0)), Some(ms(begun)));
        probe.handle_order(Some(&order), false, || panic!("too early"), ms(begun - 1));
        assert!(probe.under_way.is_none());
        probe.handle_order(Some(&order), false, Vec::new, ms(begun));
        assert_eq!(probe.request_id(), Some("a"));
        let handed = rest(&mut probe, begun).await;
        assert_eq!(handed.len(), 3);
        let pids = |look: usize| {
            handed.iter().map(move |(_, s)| s.looks[look].processes.iter().map(|p| p.pid).collect())
        };
        assert!(pids(0).all(|pids: Vec<u32>| pids == [40]), "{handed:?}");
        let [(_, first), (_, second), (_, third)] = &handed[..] else { panic!("{handed:?}") };
        assert!(first.open.is_none() && second.open.is_some() && second.resources.is_some());
        assert_eq!(third.looks[..second.looks.len()], second.looks);
        assert!(third.looks.len() > second.looks.len());
        // Answered, and not asked again.
        assert_eq!(probe.due(Some(&order), ms(begun)), None);
        probe.handle_order(Some(&order), false, || panic!("again"), ms(begun + 1));
        // A retry with the same id is another invocation.
        let retry = ProbeOrder { deadline: ms(DEADLINE + 5_000), ..order };
        assert_eq!(probe.due(Some(&retry), ms(begun)), Some(retry.at));
    }

    #[test]
    fn one_that_is_late_waits_for_what_has_arrived_meanwhile() {
        let tree = tree();
        let mut probe = probe(&tree);
        let (at, thawed) = (DEADLINE - 150, DEADLINE - 100);
        let late = order("a", at);
        probe.handle_order(Some(&late), false, || panic!("too early"), ms(thawed));
        assert_eq!(probe.due(Some(&late), ms(thawed)), Some(ms(thawed + CATCH_UP_MS)));
        probe.handle_order(Some(&late), false, || panic!("too early"), ms(thawed + 1));
        // The invocation turns out to be over.
        probe.handle_order(None, false, || panic!("over"), ms(thawed + 2));
        assert_eq!(probe.due(None, ms(thawed + 2)), None);
        assert!(probe.under_way.is_none());
        // If it does not, the look begins.
        probe.handle_order(Some(&late), false, || panic!("too early"), ms(thawed));
        probe.handle_order(Some(&late), false, Vec::new, ms(thawed + CATCH_UP_MS));
        assert_eq!(probe.request_id(), Some("a"));
        // As it does at once where what has arrived is read.
        let mut probe = self::probe(&tree);
        probe.handle_order(Some(&late), true, Vec::new, ms(thawed));
        assert_eq!(probe.request_id(), Some("a"));
    }

    #[test]
    fn after_its_deadline_or_where_it_is_not_wanted_there_is_none() {
        let tree = tree();
        let mut late = probe(&tree);
        for now in [DEADLINE, DEADLINE + CATCH_UP_MS] {
            late.handle_order(Some(&order("a", DEADLINE - 150)), false, Vec::new, ms(now));
            assert!(late.under_way.is_none() && late.poll_snapshot(ms(now)).is_none());
        }
        let mut off = ProcessProbe::at(tree.root(), false, OwnEndpoints::default());
        begin(&mut off, "a", 0);
        assert!(off.under_way.is_none() && off.due(Some(&order("a", 0)), ms(0)).is_none());
    }

    #[tokio::test]
    async fn what_comes_late_waits_and_is_dropped_if_the_invocation_is_over() {
        let tree = tree();
        let mut probe = probe(&tree);
        let begun = DEADLINE - 150;
        begin(&mut probe, "a", begun);
        let first = probe.snapshot().await;
        // A freeze.
        let thawed = begun + 100;
        probe.handle_snapshot(first.clone(), ms(thawed));
        assert!(probe.poll_snapshot(ms(thawed)).is_none() && probe.takes_turns());
        probe.cancel();
        assert!(probe.poll_snapshot(ms(thawed)).is_none() && !probe.takes_turns());
        assert_eq!(rest(&mut probe, begun).await, [], "nor does anything come after that");
        begin(&mut probe, "b", begun);
        probe.handle_snapshot(first, ms(thawed));
        for _ in 0..CATCH_UP_TURNS {
            assert_eq!(probe.poll_snapshot(ms(thawed)), None);
            probe.handle_turn();
        }
        let handed = probe.poll_snapshot(ms(thawed));
        assert_eq!(handed.map(|(id, _)| id).as_deref(), Some("b"));
    }

    /// A clock that is set back or forward holds nothing for long.
    #[tokio::test]
    async fn a_clock_that_is_set_holds_nothing_up() {
        let tree = tree();
        for now in [0, 1_000, DEADLINE * 10] {
            let mut probe = probe(&tree);
            begin(&mut probe, "a", DEADLINE - 150);
            let first = probe.snapshot().await;
            probe.handle_snapshot(first, ms(now));
            (0..CATCH_UP_TURNS).for_each(|_| probe.handle_turn());
            assert!(probe.poll_snapshot(ms(now)).is_some());
            // Nor what is owed where nothing comes.
            let tree = Tree::new();
            tree.remove("self");
            let mut probe = self::probe(&tree);
            begin(&mut probe, "a", DEADLINE - 150);
            let due = probe.due(None, ms(now)).unwrap();
            assert!(due <= ms(now + OWED_MAX_MS), "{due:?} at {now}");
            assert!(probe.poll_snapshot(due).is_some());
        }
    }

    #[tokio::test]
    async fn a_read_that_blocks_for_ever_holds_up_nothing() {
        let tree = tree();
        let path = tree.root().join("40/task/40/syscall");
        mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let mut probe = probe(&tree);
        let begun = DEADLINE - 150;
        begin(&mut probe, "a", begun);
        // Nothing comes, and when its time is over just that is told.
        let moment = Duration::from_millis(30);
        assert!(tokio::time::timeout(moment, probe.snapshot()).await.is_err());
        let due = probe.due(None, ms(begun)).unwrap();
        assert_eq!(due, ms(begun + 75));
        assert_eq!(probe.poll_snapshot(ms(begun)), None);
        let (id, snapshot) = probe.poll_snapshot(due).unwrap();
        assert!(id == "a" && snapshot.is_partial && snapshot.looks.is_empty());
        assert_eq!(probe.poll_snapshot(due), None);
        // Nor is there a second thread for the next invocation; that too is told of.
        probe.cancel();
        let stuck = probe.under_way.as_ref().unwrap().thread.id();
        begin(&mut probe, "b", begun);
        assert_eq!(probe.under_way.as_ref().unwrap().thread.id(), stuck);
        assert_eq!(probe.request_id(), Some("b"));
        let told = probe.poll_snapshot(ms(begun));
        assert_eq!(told.map(|(id, _)| id).as_deref(), Some("b"));
        // It goes on some time, and is of no use to anybody.
        std::fs::write(&path, "running\n").unwrap();
        assert_eq!(rest(&mut probe, begun).await, []);
        tree.remove("40/task/40/syscall");
        begin(&mut probe, "c", DEADLINE - AMPLE);
        assert_eq!(rest(&mut probe, DEADLINE - AMPLE).await.len(), 3);
    }

    #[tokio::test]
    async fn where_nothing_can_be_read_that_is_told_at_once() {
        let tree = Tree::new();
        tree.remove("self");
        let mut probe = probe(&tree);
        begin(&mut probe, "a", DEADLINE - 150);
        let handed = rest(&mut probe, DEADLINE - 150).await;
        let [(id, snapshot)] = &handed[..] else { panic!("{handed:?}") };
        assert!(id == "a" && snapshot.is_partial && snapshot.looks.is_empty());
    }

    #[tokio::test]
    async fn a_look_that_is_no_longer_wanted_ends_at_once() {
        let tree = tree();
        let mut probe = probe(&tree);
        // The last stage would begin in nearly ten seconds.
        begin(&mut probe, "a", DEADLINE - 10_000);
        let first = probe.snapshot().await;
        assert!(first.is_some());
        probe.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), rest(&mut probe, 0)).await;
        assert_eq!(ended.unwrap(), []);
    }
}
