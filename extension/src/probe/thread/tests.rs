use super::*;
use crate::probe::tree::{INIT, Tree};
use rustix::fs::{FileType, Mode, mknodat};

const DEADLINE: u64 = 1_000_000;
/// Enough for all stages on a busy machine.
const AMPLE: u64 = 1_000;

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn order(request_id: &str, at: u64) -> ProbeOrder {
    let request_id = request_id.to_owned();
    ProbeOrder { request_id, at: ms(at), deadline: ms(DEADLINE), is_small: false }
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
    // One that was under way to the loop too.
    probe.handle_snapshot(first.clone(), ms(thawed));
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

/// A freeze that only one of the clocks counts, or a clock that is set: what two readings differ by is not of
/// the time between them.
#[tokio::test]
async fn a_look_over_which_the_clock_has_jumped_tells_no_more() {
    let (tree, begun) = (tree(), DEADLINE - AMPLE);
    let look = async || {
        let mut probe = probe(&tree);
        begin(&mut probe, "a", begun);
        let first = probe.snapshot().await;
        (probe, first)
    };
    for jumped in [begun + 60_000, begun - 1] {
        // Of a look that has told something already nothing else comes.
        let (mut probe, first) = look().await;
        probe.handle_snapshot(first, ms(begun));
        assert!(probe.poll_snapshot(ms(begun)).is_some());
        probe.handle_written();
        let second = probe.snapshot().await;
        probe.handle_snapshot(second, ms(jumped));
        (0..CATCH_UP_TURNS).for_each(|_| probe.handle_turn());
        assert_eq!(probe.poll_snapshot(ms(jumped)), None);
        assert_eq!(rest(&mut probe, begun).await, []);
        // Of one that has not, that it saw nothing.
        let (mut probe, first) = look().await;
        probe.handle_snapshot(first, ms(jumped));
        let (id, snapshot) = probe.poll_snapshot(ms(jumped)).unwrap();
        assert!(id == "a" && snapshot.is_partial && snapshot.looks.is_empty());
        assert_eq!(rest(&mut probe, begun).await, []);
    }
}

/// As a freeze that both clocks count, or a read that takes its time: by then the processes are being ended.
#[tokio::test]
async fn what_was_read_after_the_deadline_is_not_told() {
    let tree = tree();
    let path = tree.root().join("40/limits");
    mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let (mut probe, begun) = (probe(&tree), DEADLINE - 200);
    let begun_at = Instant::now();
    begin(&mut probe, "a", begun);
    let first = probe.snapshot().await;
    assert!(first.is_some());
    probe.handle_snapshot(first, ms(begun));
    assert!(probe.poll_snapshot(ms(begun)).is_some());
    probe.handle_written();
    tokio::time::sleep_until((begun_at + Duration::from_millis(210)).into()).await;
    std::fs::write(&path, "").unwrap();
    assert_eq!(rest(&mut probe, begun).await, []);
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
    assert!(!rest(&mut probe, DEADLINE - AMPLE).await.is_empty());
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
    let ended = tokio::time::timeout(Duration::from_secs(2), rest(&mut probe, 0)).await;
    assert_eq!(ended.unwrap(), []);
}
