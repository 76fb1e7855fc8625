//! What sockets tell.

use super::threads::working;
use super::*;

#[test]
fn a_syn_is_unanswered_when_it_was_sent_again_or_seen_twice() {
    let syn = state(TcpState::SynSent);
    let again = SocketState { retransmits: 2, ..syn };
    for (states, expected) in [
        (vec![syn], None),
        (vec![again], Some("unreachable-peer")),
        (vec![syn, syn], Some("unreachable-peer")),
        (vec![syn, state(TcpState::Established)], None),
    ] {
        let snapshot = twice(one(SystemCall::Connect(7)), vec![socket("10.0.3.7:5432", &states)]);
        assert_eq!(cause(&snapshot), expected, "{states:?}");
    }
}

#[test]
fn a_syn_that_may_still_be_answered_is_none_that_is_not() {
    for (due_in_ticks, expected) in [(95, None), (71, None), (70, Some("unreachable-peer"))] {
        let syn = SocketState { due_in_ticks: Some(due_in_ticks), ..state(TcpState::SynSent) };
        // By the kernel's timer, once is enough.
        for states in [&[syn, syn][..], &[syn]] {
            let snapshot = twice(one(SystemCall::Poll), vec![socket("10.0.3.7:443", states)]);
            assert_eq!(cause(&snapshot), expected, "{due_in_ticks}");
        }
    }
}

#[test]
fn what_another_thread_waits_for_is_not_what_the_first_one_does() {
    let syn = [state(TcpState::SynSent); 2];
    let background = || socket("10.0.9.9:443", &syn);
    let query = Socket { descriptor: 8, ..established("10.0.3.7:5432", 2_000, 2_010) };
    let other = SystemCall::Connect(7);
    let waits = two_threads(SystemCall::Receive(8), other);
    assert_eq!(cause(&twice(waits, vec![background(), query])), Some("awaiting-peer"));
    let sleeps = two_threads(SystemCall::Sleep, other);
    assert_ne!(cause(&twice(sleeps, vec![background()])), Some("unreachable-peer"));
    let joins = two_threads(SystemCall::Futex, other);
    assert_eq!(cause(&twice(joins, vec![background()])), Some("unreachable-peer"));
}

#[test]
fn a_listener_in_the_background_awaits_nothing_that_was_asked_for() {
    let heard = established("10.0.3.5:6379", 2_800, 900);
    let listens = two_threads(SystemCall::Futex, SystemCall::Receive(7));
    assert_ne!(cause(&twice(listens, vec![heard.clone()])), Some("awaiting-peer"));
    assert_eq!(cause(&twice(one(SystemCall::Receive(7)), vec![heard])), Some("awaiting-peer"));
}

#[test]
fn a_client_of_a_server_in_the_sandbox_is_not_awaited() {
    for call in [EPOLL, SystemCall::Receive(7)] {
        for (is_accepted, expected) in [(false, Some("awaiting-peer")), (true, None)] {
            let client = Socket { is_accepted, ..established("127.0.0.1:39562", 900, 2_000) };
            assert_eq!(cause(&twice(one(call), vec![client])), expected, "{call:?}");
        }
    }
}

#[test]
fn an_address_of_the_other_family_in_disguise_is_shown_as_what_it_is() {
    let syn = [state(TcpState::SynSent); 2];
    let snapshot = twice(one(SystemCall::Poll), vec![socket("[::ffff:10.0.3.7]:6379", &syn)]);
    let clause = why(&snapshot, RUNNING).clause;
    assert!(
        clause.starts_with("while connecting to 10.0.3.7:6379 (Redis): no answer to 1 SYN;"),
        "{clause}"
    );
}

#[test]
fn a_connection_is_awaited_if_something_was_sent_in_this_invocation_and_not_answered() {
    let peer = "10.0.3.9:443";
    for (sent_ms, received_ms, expected) in [
        (2_000, 2_020, Some("awaiting-peer")),
        // Nobody can see whether that was all of the answer.
        (2_000, 1_990, None),
        // It may be the protocol that acknowledges what came in.
        (2_000, 2_010, None),
        // Which came first cannot be told.
        (2_000, 2_000, None),
        // As the first thing in this invocation, whose INVOKE was read a little later; before it.
        (2_880, 2_900, Some("awaiting-peer")),
        (3_000, 3_010, Some("idle")),
    ] {
        let snapshot = twice(one(EPOLL), vec![established(peer, sent_ms, received_ms)]);
        assert_eq!(
            cause(&snapshot),
            expected,
            "sent {sent_ms} ms ago, received {received_ms} ms ago"
        );
    }
    let mut greeting = established(peer, 900, 0);
    greeting.last_received_ms = None;
    assert_eq!(
        cause(&twice(one(EPOLL), vec![greeting])),
        Some("awaiting-peer"),
        "it has yet to greet"
    );
}

#[test]
fn a_call_that_was_made_between_the_looks_is_not_awaited() {
    for (sent_ms, expected) in [(3, None), (70, None), (95, Some("awaiting-peer"))] {
        let mut socket = established("10.0.3.9:443", sent_ms, 900);
        socket.states[1].at_us = 90_000;
        assert_eq!(cause(&twice(one(EPOLL), vec![socket])), expected, "{sent_ms}");
    }
}

#[test]
fn a_thread_that_receives_on_a_socket_awaits_it_whatever_the_times_are() {
    let snapshot =
        twice(one(SystemCall::Receive(7)), vec![established("10.0.3.9:443", 2_000, 2_000)]);
    let why = why(&snapshot, RUNNING);
    assert_eq!(why.cause, Some("awaiting-peer"));
    assert!(why.clause.ends_with("connected, nothing has moved for 2.00 s"), "{}", why.clause);
}

#[test]
fn what_no_thread_could_notice_is_not_awaited() {
    for (call, expected) in [
        (SystemCall::Futex, Some("idle")),
        (SystemCall::Sleep, Some("idle")),
        (SystemCall::EpollWait(6), None),
        (SystemCall::Other(73), None),
        (SystemCall::File, None),
    ] {
        let snapshot = twice(one(call), vec![established("10.0.3.9:443", 2_000, 2_010)]);
        assert_eq!(cause(&snapshot), expected, "{call:?}");
    }
    let mut stopped = twice(one(SystemCall::Poll), vec![established("10.0.3.9:443", 2_000, 2_010)]);
    for look in &mut stopped.looks {
        look.processes[0].threads[0].state = 'T';
    }
    assert_eq!(cause(&stopped), None, "nobody runs");
}

#[test]
fn a_queue_that_shrinks_is_read() {
    let queued = |send_queue, is_probing| SocketState {
        send_queue,
        is_probing,
        ..state(TcpState::Established)
    };
    for (first, last, expected) in [
        (queued(9_000, true), queued(9_000, true), Some("peer-not-reading")),
        (queued(9_000, true), queued(5_000, true), None),
        (queued(9_000, false), queued(9_000, false), None),
    ] {
        let snapshot = twice(one(EPOLL), vec![socket("10.0.3.7:9092", &[first, last])]);
        assert_eq!(cause(&snapshot), expected, "{first:?} {last:?}");
    }
}

#[test]
fn a_queue_that_is_full_while_data_flow_is_read() {
    for (last_sent_ms, expected) in [(0, None), (900, Some("peer-not-reading"))] {
        let queued =
            |at_us| SocketState { at_us, send_queue: 9_000, ..state(TcpState::Established) };
        let mut socket = socket("10.0.3.7:443", &[queued(0), queued(90_000)]);
        socket.last_sent_ms = Some(last_sent_ms);
        let snapshot = twice(one(SystemCall::Send(7)), vec![socket]);
        assert_eq!(cause(&snapshot), expected, "sent {last_sent_ms} ms ago");
    }
}

#[test]
fn refusals_are_not_those_of_who_waits_or_computes() {
    let refused = |mut snapshot: Snapshot, times: u64| {
        snapshot.looks[1].refused_connections = Some(7 + times);
        cause(&snapshot)
    };
    let waits = |call| twice(one(call), vec![established("10.0.3.7:5432", 2_000, 2_020)]);
    assert_eq!(refused(waits(SystemCall::Receive(7)), 20), Some("awaiting-peer"));
    assert_eq!(refused(waits(EPOLL), 20), Some("awaiting-peer"), "nobody of the function ran");
    let mut answered = waits(SystemCall::Receive(7));
    answered.looks[1].processes[0].threads[0].cpu_ns = Some(6_000_000);
    assert_eq!(refused(answered, 20), Some("awaiting-peer"), "who connects is elsewhere");
    assert_eq!(refused(working('R', 97, Vec::new()), 3), Some("cpu-bound"));
    assert_eq!(refused(working('R', 97, Vec::new()), 300), Some("refused-peer"));
}

#[test]
fn who_refuses_is_named_where_it_is_one() {
    for (peers, expected) in [
        (vec![], None),
        (vec!["10.0.3.7:27017"], None),
        (vec!["10.0.3.7:27017", "10.0.3.7:27017"], Some("10.0.3.7:27017")),
        (vec!["10.0.3.7:27017", "127.0.0.1:8126", "10.0.3.7:27017"], Some("10.0.3.7:27017")),
        (vec!["10.0.3.7:27017", "127.0.0.1:8126", "10.0.3.7:27017", "127.0.0.1:8126"], None),
    ] {
        let mut snapshot = working('R', 5, Vec::new());
        snapshot.looks[1].refused_connections = Some(17);
        snapshot.refused_peers = peers.iter().map(|peer| peer.parse().unwrap()).collect();
        let why = why(&snapshot, RUNNING);
        assert_eq!(why.cause, Some("refused-peer"));
        assert_eq!(why.evidence.get("peer").and_then(Value::as_str), expected, "{peers:?}");
        let begin = expected.map_or("again", |_| "to 10.0.3.7:27017 (MongoDB) again");
        assert!(why.clause.starts_with(&format!("while connecting {begin}")), "{}", why.clause);
    }
}

#[test]
fn where_there_are_refusals_and_an_answer_is_due_it_is_open_which_is_waited_for() {
    let mut snapshot = working('S', 1, Vec::new());
    for look in &mut snapshot.looks {
        look.processes[0].threads[0].waits_in = Some(EPOLL);
    }
    snapshot.open.as_mut().unwrap().sockets = vec![established("10.0.3.7:5432", 2_000, 2_020)];
    assert_eq!(cause(&snapshot), Some("awaiting-peer"));
    snapshot.looks[1].refused_connections = Some(27);
    let why = why(&snapshot, RUNNING);
    assert_eq!((why.cause, why.evidence["alsoSeen"].as_array().map(Vec::len)), (None, Some(2)));
}

#[test]
fn a_socket_to_a_name_server_that_no_thread_reads_is_none_that_is_asked() {
    assert_ne!(cause(&twice(one(SystemCall::Futex), vec![udp("10.0.0.2:53", 90)])), Some("dns"));
    assert_eq!(
        cause(&twice(one(SystemCall::Receive(7)), vec![udp("10.0.0.2:53", 90)])),
        Some("dns")
    );
}

/// A UDP socket that was seen twice, so long after the first time.
fn udp(peer: &str, seen_ms: u64) -> Socket {
    let asked = state(TcpState::Established);
    let states = [asked, SocketState { at_us: seen_ms * 1_000, ..asked }];
    Socket { protocol: Protocol::Udp, ..socket(peer, &states) }
}

#[test]
fn a_name_server_has_some_time_to_answer() {
    for (seen_ms, expected) in [(59, None), (60, Some("dns"))] {
        let snapshot = twice(one(SystemCall::Poll), vec![udp("10.0.0.2:53", seen_ms)]);
        assert_eq!(cause(&snapshot), expected, "{seen_ms}");
    }
    let snapshot = twice(one(SystemCall::Poll), vec![udp("10.0.0.2:53", 85)]);
    let clause = why(&snapshot, RUNNING).clause;
    assert!(
        clause.ends_with("no answer from the DNS server 10.0.0.2 in the last 85 ms"),
        "{clause}"
    );
}

#[test]
fn a_name_server_is_told_from_other_peers() {
    assert_eq!(cause(&twice(one(SystemCall::Poll), vec![udp("10.0.0.2:53", 90)])), Some("dns"));
    assert_eq!(cause(&twice(one(SystemCall::Poll), vec![udp("10.0.0.2:8125", 90)])), None);
    let syn = [state(TcpState::SynSent); 2];
    let tcp = twice(one(SystemCall::Poll), vec![socket("10.0.0.2:53", &syn)]);
    assert_eq!(cause(&tcp), Some("dns"));
}

#[test]
fn refusals_count_between_the_looks_alone() {
    let slept = |apart_ms: u64| {
        let mut snapshot = working('S', 1, Vec::new());
        snapshot.looks[1].at_us = apart_ms * 1_000;
        for look in &mut snapshot.looks {
            look.processes[0].threads[0].waits_in = Some(SystemCall::Sleep);
        }
        snapshot
    };
    for (first, last, apart_ms, expected) in [
        (7, 9, 100, Some("refused-peer")),
        (7, 8, 100, None),
        // One that looks for its agent once a second, however long it was looked at.
        (57, 58, 100, None),
        (57, 59, 2_000, None),
        (57, 65, 2_000, Some("refused-peer")),
        (900, 900, 100, Some("idle")),
    ] {
        let mut snapshot = slept(apart_ms);
        snapshot.looks[0].refused_connections = Some(first);
        snapshot.looks[1].refused_connections = Some(last);
        assert_eq!(cause(&snapshot), expected, "{first} {last} within {apart_ms} ms");
    }
}
