//! What computes.

use super::*;

/// A thread with that state at both looks, `cpu_ms` of CPU between them and 2 s before.
pub(super) fn working(state: char, cpu_ms: u64, threads: Vec<Thread>) -> Snapshot {
    let at = |cpu_ms| {
        let cpu_ns = Some((2_000 + cpu_ms) * 1_000_000);
        let main = Thread { cpu_ns, ..thread(20, state, None) };
        vec![process(20, 1, [main].into_iter().chain(threads.clone()).collect())]
    };
    let looks = vec![look(0, at(0)), look(100, at(cpu_ms))];
    Snapshot { looks, open: Some(Open::default()), ..Snapshot::default() }
}

#[test]
fn what_computes_uses_its_share_of_the_cpu() {
    assert_eq!(cause(&working('R', 97, Vec::new())), Some("cpu-bound"));
    assert_eq!(cause(&working('R', 10, Vec::new())), None);
    assert_eq!(cause(&working('S', 97, Vec::new())), None, "it ran, and sleeps at both looks");
    let small = Running { memory_size_mb: Some(128), ..RUNNING };
    assert_eq!(why(&working('R', 7, Vec::new()), small).cause, Some("cpu-bound"));
    assert_eq!(why(&working('R', 7, Vec::new()), small).evidence["cpuPercent"], 7.0);
}

#[test]
fn what_uses_far_more_than_its_quota_has_none() {
    let small = Running { memory_size_mb: Some(128), ..RUNNING };
    assert_eq!(
        why(&working('R', 48, Vec::new()), small).cause,
        None,
        "it rests as long as it works"
    );
    let why = why(&working('R', 97, Vec::new()), small);
    assert_eq!(why.cause, Some("cpu-bound"));
    assert_eq!(why.evidence["quotaPercent"], 100.0);
}

#[test]
fn a_computing_main_thread_comes_before_a_connection_in_the_background() {
    let mut snapshot = working('R', 97, vec![thread(21, 'S', Some(SystemCall::Connect(7)))]);
    let syn = [state(TcpState::SynSent); 2];
    snapshot.open = Some(Open { sockets: vec![socket("10.0.3.7:4317", &syn)], ..Open::default() });
    let why = why(&snapshot, RUNNING);
    assert_eq!(why.cause, Some("cpu-bound"));
    let also = why.evidence["alsoSeen"].as_array().unwrap();
    assert!(
        also[0].as_str().unwrap().starts_with("unreachable-peer: connecting to 10.0.3.7:4317"),
        "{also:?}"
    );
}

#[test]
fn what_others_keep_from_the_cpu_computes_too() {
    let starved = |cpu_ms, wait_ms: u64| {
        let mut snapshot = working('R', cpu_ms, Vec::new());
        for (look, wait_ms) in snapshot.looks.iter_mut().zip([500, 500 + wait_ms]) {
            look.processes[0].threads[0].cpu_wait_ns = Some(wait_ms * 1_000_000);
        }
        cause(&snapshot)
    };
    assert_eq!(starved(30, 65), Some("cpu-bound"));
    assert_eq!(starved(30, 30), None);
    assert_eq!(starved(10, 90), None, "hardly any of it is known to be wanted");
}

/// A thread's state and, in ms, the CPU that it has used and waited for since the first look.
type Turn = (char, u64, u64);

/// Two threads of which only one can run, as by Python's lock, at looks so many ms after the first.
fn in_turn(looks: &[(u64, [Turn; 2])]) -> Snapshot {
    let at = |threads: [Turn; 2]| {
        let thread = |(tid, (state, cpu_ms, wait_ms)): (u32, Turn)| Thread {
            cpu_ns: Some((800 + cpu_ms) * 1_000_000),
            cpu_wait_ns: Some((400 + wait_ms) * 1_000_000),
            ..thread(tid, state, Some(SystemCall::Futex).filter(|_| state == 'S'))
        };
        vec![process(20, 1, (20..).zip(threads).map(thread).collect())]
    };
    let looks = looks.iter().map(|(at_ms, threads)| look(*at_ms, at(*threads))).collect();
    Snapshot { looks, open: Some(Open::default()), ..Snapshot::default() }
}

#[test]
fn threads_that_take_turns_compute_together() {
    let first = [('S', 0, 0), ('R', 0, 0)];
    let last = |cpu_ms, wait_ms| (90, [('R', cpu_ms, wait_ms), ('S', cpu_ms, wait_ms)]);
    for (cpu_ms, wait_ms, expected) in [
        (35, 0, Some("cpu-bound")),
        // Beside others on the machine.
        (20, 25, Some("cpu-bound")),
        (20, 5, None),
        (5, 40, None),
    ] {
        let snapshot = in_turn(&[(0, first), last(cpu_ms, wait_ms)]);
        assert_eq!(cause(&snapshot), expected, "{cpu_ms} {wait_ms}");
    }
    // The turn may change between the reading of the one's state and the other's.
    let asleep = |at_ms| (at_ms, [('S', 10, 0), ('S', 10, 0)]);
    let snapshot = in_turn(&[(0, first), asleep(9), last(35, 0)]);
    assert_eq!(cause(&snapshot), Some("cpu-bound"));
    let snapshot = in_turn(&[(0, first), asleep(9), asleep(15), asleep(20), last(35, 0)]);
    assert_eq!(cause(&snapshot), None);
}
