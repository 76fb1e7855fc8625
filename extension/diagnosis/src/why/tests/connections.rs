//! What moved on connections, and what that leaves open.

use super::threads::working;
use super::*;
use crate::snapshot::CallArguments;

/// The only thread of process 20 in a call with these arguments.
fn with(call: SystemCall, arguments: CallArguments) -> Vec<Process> {
    let main = Thread { waits_with: arguments, ..thread(20, 'S', Some(call)) };
    vec![process(20, 1, vec![main])]
}

fn polling(polled: u32) -> Vec<Process> {
    with(SystemCall::Poll, CallArguments { polled: Some(polled), ..CallArguments::default() })
}

#[test]
fn a_connection_that_is_polled_alone_is_awaited_though_something_came_in() {
    let query = || established("10.0.3.7:5432", 2_000, 1_990);
    let idle = || Socket { descriptor: 8, ..established("10.0.3.9:443", 9_000, 8_900) };
    let other = || Socket { descriptor: 8, ..established("10.0.3.9:443", 2_500, 2_490) };
    for (polled, sockets, expected) in [
        (1, vec![query()], Some("awaiting-peer")),
        (1, vec![idle(), query()], Some("awaiting-peer")),
        (1, vec![other(), query()], None),
        (2, vec![query()], None),
    ] {
        let snapshot = twice(polling(polled), sockets);
        let why = why(&snapshot, RUNNING);
        assert_eq!(why.cause, expected, "{polled}: {}", why.clause);
        if expected.is_some() {
            assert_eq!(why.evidence["waitedMs"], 1_990);
        } else {
            assert_eq!(why.evidence["lastMovedPeer"], "10.0.3.7:5432 (PostgreSQL)");
        }
    }
}

#[test]
fn a_child_may_be_what_is_polled() {
    let mut snapshot = twice(polling(1), vec![established("10.0.3.7:5432", 2_000, 1_990)]);
    for look in &mut snapshot.looks {
        let child = process(21, 20, vec![thread(21, 'S', Some(SystemCall::Sleep))]);
        look.processes.push(Process { started_at_ticks: 9_900, ..child });
    }
    assert_ne!(cause(&snapshot), Some("awaiting-peer"));
}

#[test]
fn of_a_thread_that_reads_it_is_not_known_who_waits_for_it() {
    let waits = two_threads(SystemCall::Futex, SystemCall::Receive(7));
    for (sent_ms, received_ms, expected) in [
        (2_000, 2_020, Some("awaiting-peer")),
        // As a poller in the background does.
        (2_000, 1_980, None),
        (2_800, 900, None),
    ] {
        let socket = established("10.0.3.9:443", sent_ms, received_ms);
        assert_eq!(cause(&twice(waits.clone(), vec![socket])), expected, "{sent_ms} {received_ms}");
    }
}

#[test]
fn what_moved_since_a_wait_began_may_be_what_is_waited_for() {
    let pending = || established("10.0.3.7:9090", 1_900, 2_500);
    let moved =
        |quiet_ms| Socket { descriptor: 8, ..established("10.0.3.9:443", quiet_ms + 20, quiet_ms) };
    for (quiet_ms, expected) in [(30, None), (1_800, None), (1_950, Some("awaiting-peer"))] {
        let snapshot = twice(one(EPOLL), vec![pending(), moved(quiet_ms)]);
        assert_eq!(cause(&snapshot), expected, "{quiet_ms}");
    }
    // A SYN, sent 1.5 s ago for the first time and once more.
    let syn = SocketState { retransmits: 1, due_in_ticks: Some(150), ..state(TcpState::SynSent) };
    for (quiet_ms, expected) in [(30, None), (1_600, Some("unreachable-peer"))] {
        let snapshot =
            twice(one(EPOLL), vec![socket("10.0.3.99:9090", &[syn, syn]), moved(quiet_ms)]);
        assert_eq!(cause(&snapshot), expected, "{quiet_ms}");
    }
    // A child of this invocation, 1 s old.
    for (quiet_ms, expected) in [(30, None), (1_500, Some("child-process"))] {
        let mut snapshot = twice(one(EPOLL), vec![moved(quiet_ms)]);
        for look in &mut snapshot.looks {
            let child = process(21, 20, vec![thread(21, 'S', Some(SystemCall::Sleep))]);
            look.processes.push(Process { started_at_ticks: 9_909, ..child });
        }
        assert_eq!(cause(&snapshot), expected, "{quiet_ms}");
    }
}

#[test]
fn what_computes_after_a_long_wait_is_not_what_took_the_time() {
    let answered = |sent_ms, received_ms| {
        let mut snapshot = working('R', 97, Vec::new());
        let socket = established("10.0.3.9:443", sent_ms, received_ms);
        snapshot.open = Some(Open { sockets: vec![socket], ..Open::default() });
        cause(&snapshot)
    };
    assert_eq!(answered(2_600, 150), None);
    assert_eq!(answered(2_600, 2_400), Some("cpu-bound"));
    assert_eq!(answered(9_000, 150), Some("cpu-bound"), "of the invocation before");
}

#[test]
fn refusals_beside_connections_that_are_accepted_are_no_cause() {
    for (opened, expected) in [(8, Some("refused-peer")), (10, Some("refused-peer")), (16, None)] {
        let mut snapshot = working('R', 10, Vec::new());
        snapshot.looks[0].opened_connections = Some(100);
        snapshot.looks[1].opened_connections = Some(100 + opened);
        snapshot.looks[1].refused_connections = Some(7 + 8);
        let named = cause(&snapshot);
        assert_eq!(named == Some("refused-peer"), expected.is_some(), "{opened}: {named:?}");
    }
}

#[test]
fn what_ends_by_itself_is_told_so() {
    let clause = |call, is_timed| {
        let arguments = CallArguments { is_timed, ..CallArguments::default() };
        why(&twice(with(call, arguments), Vec::new()), RUNNING).clause
    };
    assert!(clause(SystemCall::Sleep, None).starts_with("while sleeping,"));
    assert!(clause(EPOLL, Some(true)).starts_with("while waiting for a timer of its own:"));
    for is_timed in [None, Some(false)] {
        assert!(clause(EPOLL, is_timed).starts_with("while waiting for nothing that could come:"));
    }
}

#[test]
fn the_child_that_the_call_names_is_the_one_waited_for() {
    let named = CallArguments { child: Some(21), ..CallArguments::default() };
    let mut snapshot = twice(with(SystemCall::WaitChild, named), Vec::new());
    for look in &mut snapshot.looks {
        for (pid, started_at_ticks) in [(21, 9_900), (22, 9_901)] {
            let child = process(pid, 20, vec![thread(pid, 'S', Some(SystemCall::Sleep))]);
            look.processes.push(Process { started_at_ticks, ..child });
        }
    }
    let why = why(&snapshot, RUNNING);
    assert_eq!(why.clause, "while waiting for its child process process21");
}

#[test]
fn a_disk_of_this_machine_is_no_network_file_system() {
    for (channel, is_network) in
        [("rpc_wait_bit_killable", true), ("folio_wait_bit", true), ("jbd2_log_wait_commit", false)]
    {
        let wait_channel = Some(channel.to_owned());
        let main = Thread { wait_channel, ..thread(20, 'D', Some(SystemCall::File)) };
        let mut snapshot = twice(vec![process(20, 1, vec![main])], Vec::new());
        let open = Open { network_files: vec![(20, 9, "/mnt/efs".to_owned())], ..Open::default() };
        snapshot.open = Some(open);
        let why = why(&snapshot, RUNNING);
        assert_eq!(why.cause, Some("file-system-stall"), "{channel}");
        assert_eq!(why.is_of_network_files, is_network, "{channel}: {}", why.clause);
    }
}
