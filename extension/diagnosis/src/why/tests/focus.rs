//! What the thread that runs the handler waits for, and what is beside it.

use super::threads::working;
use super::*;

const SYN: [SocketState; 2] = [SocketState {
    at_us: 0,
    state: TcpState::SynSent,
    send_queue: 0,
    receive_queue: 0,
    retransmits: 1,
    is_probing: false,
    due_in_ticks: None,
}; 2];

/// On descriptor 7, in the epoll set 5.
fn unanswered() -> Socket {
    socket("10.0.9.9:443", &SYN)
}

/// On descriptor 8, in the same epoll set.
fn pending() -> Socket {
    Socket { descriptor: 8, ..established("10.0.3.7:5432", 2_000, 2_020) }
}

fn causes(snapshot: &Snapshot) -> (Option<&'static str>, usize) {
    let why = why(snapshot, RUNNING);
    let others = why.evidence.get("alsoSeen").and_then(Value::as_array).map_or(0, Vec::len);
    (why.cause, others)
}

#[test]
fn of_two_that_the_event_loop_may_wait_for_neither_is_named() {
    let both = twice(one(EPOLL), vec![unanswered(), pending()]);
    assert_eq!(causes(&both), (None, 2));
    assert_eq!(causes(&twice(one(EPOLL), vec![unanswered()])), (Some("unreachable-peer"), 0));
    // In the set of another thread, which the loop may wait for too.
    let other = SystemCall::EpollWait(6);
    let beacon = Socket { epolls: vec![6], ..unanswered() };
    assert_eq!(causes(&twice(two_threads(EPOLL, other), vec![beacon, pending()])), (None, 2));
}

#[test]
fn a_connection_that_no_thread_waits_on_is_not_waited_for() {
    let elsewhere = Socket { epolls: vec![6], ..unanswered() };
    let both = || twice(one(EPOLL), vec![elsewhere.clone(), pending()]);
    assert_eq!(causes(&both()), (Some("awaiting-peer"), 0));
}

#[test]
fn who_polls_waits_on_no_descriptor_that_another_thread_waits_on() {
    let waits = two_threads(SystemCall::Poll, SystemCall::Connect(7));
    let both = twice(waits, vec![unanswered(), pending()]);
    assert_eq!(causes(&both), (Some("awaiting-peer"), 0));
    let alone = twice(one(SystemCall::Poll), vec![unanswered(), pending()]);
    assert_eq!(causes(&alone), (None, 2), "which of them is in its memory");
}

/// The first thread in a call, another computes all the time.
fn beside_computing(call: SystemCall) -> Snapshot {
    let at = |cpu_ms: u64| {
        let cpu_ns = Some((2_000 + cpu_ms) * 1_000_000);
        let spins = Thread { cpu_ns, ..thread(21, 'R', None) };
        vec![process(20, 1, vec![thread(20, 'S', Some(call)), spins])]
    };
    let looks = vec![look(0, at(0)), look(100, at(97))];
    let open = Some(Open { sockets: vec![pending()], ..Open::default() });
    Snapshot { looks, open, ..Snapshot::default() }
}

#[test]
fn another_thread_that_computes_is_waited_for_where_threads_are() {
    for (call, expected) in [
        (SystemCall::Futex, Some("cpu-bound")),
        (SystemCall::Receive(8), Some("awaiting-peer")),
        (SystemCall::Poll, Some("awaiting-peer")),
        // It waits for the one or the other.
        (EPOLL, None),
        (SystemCall::Sleep, None),
    ] {
        assert_eq!(cause(&beside_computing(call)), expected, "{call:?}");
    }
}

#[test]
fn another_thread_that_is_stuck_is_waited_for_where_threads_are() {
    for (call, expected) in [
        (SystemCall::Futex, Some("file-system-stall")),
        (SystemCall::Receive(8), Some("awaiting-peer")),
    ] {
        let stuck = Thread { state: 'D', ..thread(21, 'D', Some(SystemCall::File)) };
        let threads = vec![thread(20, 'S', Some(call)), stuck];
        let snapshot = twice(vec![process(20, 1, threads)], vec![pending()]);
        assert_eq!(cause(&snapshot), expected, "{call:?}");
    }
}

/// A parent in a call, and its child, which began in this invocation, in another.
fn parent_and_child(parent: SystemCall, child: SystemCall) -> Vec<Process> {
    let below = process(21, 20, vec![thread(21, 'S', Some(child))]);
    let above = process(20, 1, vec![thread(20, 'S', Some(parent))]);
    vec![above, Process { started_at_ticks: 9_900, ..below }]
}

#[test]
fn who_waits_for_its_child_waits_for_no_connection_of_its_own() {
    let waits = parent_and_child(SystemCall::WaitChild, SystemCall::Sleep);
    assert_eq!(causes(&twice(waits.clone(), vec![unanswered()])), (Some("child-process"), 0));
    let of_child = Socket { pid: 21, ..unanswered() };
    let waits = parent_and_child(SystemCall::WaitChild, SystemCall::Connect(7));
    assert_eq!(causes(&twice(waits, vec![of_child])), (Some("unreachable-peer"), 0));
}

#[test]
fn where_one_thread_waits_for_a_child_and_another_for_a_peer_it_is_open_which_is_waited_for() {
    let main = thread(20, 'S', Some(SystemCall::Futex));
    let others = [SystemCall::WaitChild, SystemCall::Connect(7)];
    let others = others.into_iter().zip(22..).map(|(call, tid)| thread(tid, 'S', Some(call)));
    let parent = process(20, 1, [main].into_iter().chain(others).collect());
    let child = process(30, 20, vec![thread(30, 'S', Some(SystemCall::Sleep))]);
    let child = Process { started_at_ticks: 9_900, ..child };
    let both = twice(vec![parent, child], vec![unanswered()]);
    assert_eq!(causes(&both), (None, 2));
}

#[test]
fn below_a_shell_that_waits_the_runtime_is_what_is_looked_at() {
    let shell = || process(19, 1, vec![thread(19, 'S', Some(SystemCall::WaitChild))]);
    let runtime = |call| process(20, 19, vec![thread(20, 'S', Some(call))]);
    assert_eq!(cause(&twice(vec![shell(), runtime(EPOLL)], Vec::new())), Some("idle"));
    assert_eq!(cause(&twice(vec![shell(), runtime(SystemCall::Futex)], Vec::new())), Some("idle"));
    let awaits =
        twice(vec![shell(), runtime(SystemCall::Receive(8))], vec![unanswered(), pending()]);
    assert_eq!(causes(&awaits), (Some("awaiting-peer"), 0));
    let why = why(&twice(vec![shell(), runtime(SystemCall::File)], Vec::new()), RUNNING);
    assert_eq!((why.cause, &why.evidence["process"]), (None, &"process20".into()));
}

#[test]
fn while_its_child_connects_it_is_not_the_child_that_is_waited_for() {
    let syn = SocketState { retransmits: 0, ..SYN[0] };
    for (pid, expected) in [(21, None), (20, Some("child-process"))] {
        let one = Socket { pid, ..socket("10.0.9.9:443", &[syn]) };
        let waits = parent_and_child(SystemCall::WaitChild, SystemCall::Connect(7));
        assert_eq!(cause(&twice(waits, vec![one])), expected, "of {pid}");
    }
}

#[test]
fn beside_a_child_that_may_be_waited_for_nothing_is_named() {
    // Which may have begun in this invocation or before.
    let with_child = |main, other, started_at_ticks| {
        let mut parent = two_threads(main, other).remove(0);
        parent.started_at_ticks = 9_896;
        let child = process(30, 20, vec![thread(30, 'S', Some(SystemCall::Sleep))]);
        vec![parent, Process { started_at_ticks, ..child }]
    };
    let waits = with_child(SystemCall::Futex, SystemCall::WaitChild, 9_900);
    assert_eq!(cause(&twice(waits, Vec::new())), None, "not idle");
    let polls = with_child(EPOLL, SystemCall::Futex, 9_900);
    assert_eq!(cause(&twice(polls, Vec::new())), None, "not idle");
    let mut waits = with_child(SystemCall::Futex, SystemCall::WaitChild, 9_900);
    waits[0].threads.push(thread(22, 'S', Some(SystemCall::Connect(7))));
    assert_eq!(causes(&twice(waits.clone(), vec![unanswered()])), (None, 1));
    waits.truncate(1);
    assert_eq!(causes(&twice(waits, vec![unanswered()])), (Some("unreachable-peer"), 0));
    // Of INVOKE the extension may read later than the function.
    for (age_ms, expected) in [(2_860, None), (2_900, None), (2_910, Some("idle"))] {
        let mut polls = with_child(EPOLL, SystemCall::Futex, 10_009 - age_ms / 10);
        polls[0].started_at_ticks = 100;
        assert_eq!(cause(&twice(polls, Vec::new())), expected, "{age_ms}");
    }
}

#[test]
fn a_child_that_shows_what_it_waits_for_leaves_no_doubt_of_itself() {
    let mut family = parent_and_child(SystemCall::WaitChild, SystemCall::Connect(7));
    family[0].started_at_ticks = 9_896;
    let of_child = Socket { pid: 21, ..unanswered() };
    assert_eq!(causes(&twice(family, vec![of_child])), (Some("unreachable-peer"), 0));
}

#[test]
fn a_child_that_another_thread_waits_for_is_nothing_to_who_waits_for_a_peer() {
    let mut family = parent_and_child(SystemCall::Receive(8), SystemCall::Sleep);
    family[0].threads.push(thread(22, 'S', Some(SystemCall::WaitChild)));
    assert_eq!(causes(&twice(family, vec![pending()])), (Some("awaiting-peer"), 0));
}

#[test]
fn what_was_not_read_in_time_may_be_what_is_waited_for() {
    let unread = Socket { last_sent_ms: None, last_received_ms: None, ..pending() };
    let both = || twice(one(EPOLL), vec![unanswered(), unread.clone()]);
    assert_eq!(cause(&both()), Some("unreachable-peer"), "nothing more is to be known of it");
    assert_eq!(causes(&Snapshot { is_partial: true, ..both() }), (None, 1));
    let alone = || twice(one(EPOLL), vec![unanswered()]);
    assert_eq!(cause(&Snapshot { is_partial: true, ..alone() }), Some("unreachable-peer"));
}

#[test]
fn a_child_that_connects_again_and_again_is_not_waited_for_beside_that() {
    let mut snapshot =
        twice(parent_and_child(SystemCall::WaitChild, SystemCall::Sleep), Vec::new());
    let last = &mut snapshot.looks[1];
    last.refused_connections = Some(17);
    last.processes[1].threads[0].cpu_ns = Some(6_000_000);
    assert_eq!(causes(&snapshot), (Some("refused-peer"), 0));
}

#[test]
fn where_the_runtime_began_in_this_invocation_its_child_may_be_the_runtime() {
    let mut family = parent_and_child(SystemCall::WaitChild, EPOLL);
    assert_eq!(cause(&twice(family.clone(), Vec::new())), Some("child-process"));
    let again = Running { holds_init: true, ..RUNNING };
    assert_eq!(why(&twice(family.clone(), Vec::new()), again).cause, None);
    family[0].started_at_ticks = 9_896;
    assert_eq!(cause(&twice(family, Vec::new())), None, "it was started at once");
}

#[test]
fn a_process_is_as_old_as_it_was_when_it_was_looked_at() {
    let mut snapshot =
        twice(parent_and_child(SystemCall::WaitChild, SystemCall::Sleep), Vec::new());
    // It began 1,090 ms before the last look.
    for (ran_ms, taken_us, expected) in [
        (1_090, None, Some("child-process")),
        (1_089, None, None),
        (1_090, Some(90_000), Some("child-process")),
        (1_150, Some(150_000), Some("child-process")),
        (1_149, Some(150_000), None),
    ] {
        snapshot.taken_us = taken_us;
        let running = Running { ran_ms: Some(ran_ms), ..RUNNING };
        let cause = why(&snapshot, running).cause;
        assert_eq!(cause == Some("child-process"), expected.is_some(), "{ran_ms} {taken_us:?}");
    }
}

#[test]
fn who_may_read_what_is_no_known_connection_is_not_idle() {
    let idle = || Socket { descriptor: 8, ..established("10.0.3.7:5432", 3_000, 2_990) };
    for (on, expected) in [(8, Some("idle")), (9, None)] {
        let waits = two_threads(SystemCall::Futex, SystemCall::Receive(on));
        assert_eq!(cause(&twice(waits, vec![idle()])), expected, "descriptor {on}");
    }
}

#[test]
fn a_thread_that_has_computed_for_the_last_moments_is_not_what_took_the_time() {
    for (cpu_ms, expected) in [(500, None), (600, Some("cpu-bound"))] {
        let mut late = working('R', 97, Vec::new());
        for (look, cpu_ms) in late.looks.iter_mut().zip([cpu_ms - 97, cpu_ms]) {
            look.processes[0].threads[0].cpu_ns = Some(cpu_ms * 1_000_000);
        }
        assert_eq!(cause(&late), expected, "{cpu_ms}");
    }
}

#[test]
fn what_is_sent_again_and_again_to_who_never_answers_is_not_waited_for() {
    for (sends, expected) in [(3, Some("awaiting-peer")), (4, None)] {
        let shipper = Socket {
            last_received_ms: None,
            unanswered_sends: Some(sends),
            ..established("10.0.3.7:24224", 2_000, 0)
        };
        assert_eq!(cause(&twice(one(EPOLL), vec![shipper])), expected, "{sends}");
    }
}

#[test]
fn of_several_peers_that_an_answer_is_due_from_all_are_told() {
    let older = Socket { descriptor: 9, ..established("10.0.3.8:443", 2_500, 2_600) };
    let why = why(&twice(one(EPOLL), vec![pending(), older]), RUNNING);
    assert_eq!(why.evidence["otherPeers"], serde_json::json!(["10.0.3.7:5432"]));
    assert!(why.clause.ends_with("for 2.50 s, or for 1 other peer"), "{}", why.clause);
}

#[test]
fn memory_that_the_kernel_has_left_is_not_short() {
    let full = |faults| Process {
        resident_kib: Some(1_700 * 1_024),
        major_faults: faults,
        ..process(20, 1, vec![thread(20, 'D', None)])
    };
    let told = |available_mb: u64, total_mb: u64| {
        let resources = crate::snapshot::Resources {
            memory_available_kib: Some(available_mb * 1_024),
            memory_total_kib: Some(total_mb * 1_024),
            ..Default::default()
        };
        let looks = vec![look(0, vec![full(10)]), look(90, vec![full(210)])];
        cause(&Snapshot { looks, resources: Some(resources), ..Snapshot::default() })
    };
    assert_eq!(told(60, 1_800), Some("memory-pressure"));
    assert_ne!(told(900, 1_800), Some("memory-pressure"), "they share pages");
    assert_eq!(told(9_000, 16_000), Some("memory-pressure"), "it is not the function's");
}

/// Something came in on it after something was sent, as a part of an answer or a new TLS session does.
fn moved() -> Socket {
    established("10.0.3.9:443", 1_900, 1_880)
}

/// The first thread and two others, each in a call.
fn threads(calls: [SystemCall; 3]) -> Vec<Process> {
    let threads = (20..).zip(calls).map(|(tid, call)| thread(tid, 'S', Some(call)));
    vec![process(20, 1, threads.collect())]
}

#[test]
fn of_threads_that_receive_it_is_not_known_which_one_is_waited_for() {
    use SystemCall::{Futex, Receive, Sleep};
    let of = |calls| causes(&twice(threads(calls), vec![moved(), pending()]));
    assert_eq!(of([Futex, Receive(7), Receive(8)]), (None, 1));
    assert_eq!(of([Futex, Sleep, Receive(8)]), (Some("awaiting-peer"), 0));
    assert_eq!(of([Receive(8), Receive(7), Sleep]), (Some("awaiting-peer"), 0));
    let mut computing = beside_computing(Futex);
    for look in &mut computing.looks {
        look.processes[0].threads.push(thread(22, 'S', Some(Receive(7))));
    }
    computing.open = Some(Open { sockets: vec![moved()], ..Open::default() });
    assert_eq!(causes(&computing), (None, 1));
}

#[test]
fn a_collector_of_telemetry_is_not_named_beside_what_the_work_has_used() {
    let collector = || socket("10.0.9.9:4318", &SYN);
    let used = || Socket { descriptor: 8, ..moved() };
    let of = |sockets| causes(&twice(one(EPOLL), sockets));
    assert_eq!(of(vec![collector(), used()]), (None, 1));
    assert_eq!(of(vec![collector()]), (Some("unreachable-peer"), 0));
    assert_eq!(of(vec![unanswered(), used()]), (Some("unreachable-peer"), 0));
    let connecting = twice(one(SystemCall::Connect(7)), vec![collector(), used()]);
    assert_eq!(causes(&connecting), (Some("unreachable-peer"), 0), "it is in that call");
}

#[test]
fn of_threads_that_poll_it_is_not_known_which_one_polls_what() {
    use SystemCall::{Poll, Sleep};
    let of = |calls, sockets| causes(&twice(threads(calls), sockets));
    assert_eq!(of([Poll, Poll, Sleep], vec![moved(), pending()]), (None, 1));
    assert_eq!(of([Poll, Poll, Sleep], vec![pending()]), (Some("awaiting-peer"), 0));
}

#[test]
fn who_waits_for_a_thread_that_sleeps_waits_for_time_to_go_by() {
    use SystemCall::{Futex, Sleep};
    for (calls, expected) in [
        ([Futex, Sleep, Futex], "while one of its threads sleeps"),
        ([Futex, Futex, Futex], "while waiting for nothing that could come"),
    ] {
        let why = why(&twice(threads(calls), Vec::new()), RUNNING);
        assert_eq!(why.cause, Some("idle"));
        assert!(why.clause.starts_with(expected), "{}", why.clause);
    }
}
