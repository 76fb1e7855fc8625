mod focus;
mod peers;
mod threads;

use super::*;
use crate::snapshot::{Protocol, Socket, SocketState, TcpState, Used};
use proptest::prelude::*;

const RUNNING: Running<'_> =
    Running { ran_ms: Some(2_850), holds_init: false, memory_size_mb: Some(1_769), mounts: None };

fn thread(tid: u32, state: char, waits_in: Option<SystemCall>) -> Thread {
    let name = "python".to_owned();
    Thread { tid, name, state, cpu_ns: Some(5_000_000), waits_in, ..Thread::default() }
}

fn process(pid: u32, parent_pid: u32, threads: Vec<Thread>) -> Process {
    let name = format!("process{pid}");
    Process { pid, parent_pid, name, started_at_ticks: 100, threads, ..Process::default() }
}

fn look(at_ms: u64, processes: Vec<Process>) -> Look {
    let at_ticks = Some(10_000 + at_ms / 10);
    Look {
        at_us: at_ms * 1_000,
        at_ticks,
        processes,
        refused_connections: Some(7),
        opened_connections: None,
        is_short: false,
    }
}

/// The same at two looks, 90 ms apart.
fn twice(processes: Vec<Process>, sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        looks: vec![look(0, processes.clone()), look(90, processes)],
        open: Some(Open { sockets, ..Open::default() }),
        ..Snapshot::default()
    }
}

fn one(waits_in: SystemCall) -> Vec<Process> {
    vec![process(20, 1, vec![thread(20, 'S', Some(waits_in))])]
}

fn state(state: TcpState) -> SocketState {
    SocketState {
        at_us: 0,
        state,
        send_queue: 0,
        receive_queue: 0,
        retransmits: 0,
        is_probing: false,
        due_in_ticks: None,
    }
}

fn socket(peer: &str, states: &[SocketState]) -> Socket {
    Socket {
        pid: 20,
        descriptor: 7,
        epolls: vec![5],
        protocol: Protocol::Tcp,
        peer: peer.parse().unwrap(),
        is_accepted: false,
        states: states.to_vec(),
        last_sent_ms: None,
        last_received_ms: None,
        unanswered_sends: None,
    }
}

fn established(peer: &str, sent_ms: u64, received_ms: u64) -> Socket {
    let states = [state(TcpState::Established); 2];
    let (last_sent_ms, last_received_ms) = (Some(sent_ms), Some(received_ms));
    Socket { last_sent_ms, last_received_ms, ..socket(peer, &states) }
}

fn cause(snapshot: &Snapshot) -> Option<&'static str> {
    why(snapshot, RUNNING).cause
}

const EPOLL: SystemCall = SystemCall::EpollWait(5);

#[test]
fn one_look_names_nothing() {
    let syn = [state(TcpState::SynSent)];
    let mut once = twice(one(SystemCall::Connect(7)), vec![socket("10.0.3.7:5432", &syn)]);
    once.looks.pop();
    assert_eq!(cause(&once), None);
    assert_eq!(cause(&Snapshot::default()), None);
    let why = why(&once, RUNNING);
    assert_eq!(
        (&why.evidence["waitsIn"], &why.evidence["process"]),
        (&"connect".into(), &"process20".into())
    );
}

/// The first thread of process 20 in one call, another in another.
fn two_threads(main: SystemCall, other: SystemCall) -> Vec<Process> {
    vec![process(20, 1, vec![thread(20, 'S', Some(main)), thread(21, 'S', Some(other))])]
}

#[test]
fn a_shell_that_started_the_runtime_waits_for_no_child_of_this_invocation() {
    let shell = thread(20, 'S', Some(SystemCall::WaitChild));
    let runtime = process(21, 20, vec![thread(21, 'S', Some(EPOLL))]);
    let snapshot = twice(vec![process(20, 1, vec![shell]), runtime], Vec::new());
    assert_ne!(cause(&snapshot), Some("child-process"));
}

#[test]
fn a_stuck_thread_that_names_its_descriptor_is_on_no_other_file() {
    for (stuck_on, expected) in [(4, true), (11, false)] {
        let call = Some(SystemCall::Receive(stuck_on));
        let mut snapshot = twice(vec![process(20, 1, vec![thread(20, 'D', call)])], Vec::new());
        let open = snapshot.open.as_mut().unwrap();
        open.network_files.push((20, 4, "/mnt/efs".to_owned()));
        let why = why(&snapshot, RUNNING);
        assert_eq!(why.cause, Some("file-system-stall"));
        assert_eq!(why.is_of_network_files, expected, "on descriptor {stuck_on}");
    }
}

#[test]
fn where_it_is_not_known_what_a_thread_waits_in_nothing_is_idle() {
    let unknown = vec![process(20, 1, vec![thread(20, 'S', None)])];
    assert_eq!(cause(&twice(unknown, Vec::new())), None);
    for other in [SystemCall::File, SystemCall::Poll, SystemCall::Send(9)] {
        let waits = two_threads(SystemCall::Futex, other);
        assert_eq!(cause(&twice(waits, Vec::new())), None, "{other:?}");
    }
}

#[test]
fn what_a_socket_without_a_peer_waits_for_is_not_known() {
    let mut snapshot = twice(one(EPOLL), Vec::new());
    assert_eq!(cause(&snapshot), Some("idle"));
    snapshot.open.as_mut().unwrap().has_unconnected = true;
    assert_eq!(cause(&snapshot), None, "as a resolver's");
    // Who sleeps would not notice what comes on it.
    snapshot.looks.iter_mut().for_each(|look| look.processes = one(SystemCall::Sleep));
    assert_eq!(cause(&snapshot), Some("idle"));
}

#[test]
fn where_sockets_were_not_read_nothing_is_idle() {
    let mut snapshot = twice(one(EPOLL), Vec::new());
    assert_eq!(cause(&snapshot), Some("idle"));
    snapshot.open = None;
    assert_eq!(cause(&snapshot), None);
    let partial = Snapshot { is_partial: true, ..twice(one(EPOLL), Vec::new()) };
    assert_eq!(cause(&partial), None, "there may be more");
    assert_eq!(why(&partial, RUNNING).evidence["partial"], true);
}

#[test]
fn the_faults_of_a_process_that_began_meanwhile_are_its_own_beginning() {
    let full = |faults| Process {
        resident_kib: Some(1_700 * 1_024),
        major_faults: faults,
        ..process(20, 1, vec![thread(20, 'D', None)])
    };
    let child = Process { major_faults: 500, ..process(21, 20, vec![thread(21, 'R', None)]) };
    let looks = |last| vec![look(0, vec![full(10)]), look(90, last)];
    let began = Snapshot { looks: looks(vec![full(10), child]), ..Snapshot::default() };
    assert_ne!(cause(&began), Some("memory-pressure"));
    let thrashes = Snapshot { looks: looks(vec![full(210)]), ..Snapshot::default() };
    assert_eq!(cause(&thrashes), Some("memory-pressure"));
}

#[test]
fn what_ended_between_the_looks_was_waited_for_perhaps() {
    let mut snapshot = twice(one(EPOLL), Vec::new());
    snapshot.looks[0].processes.push(process(21, 20, vec![thread(21, 'S', None)]));
    assert_eq!(cause(&snapshot), None);
}

#[test]
fn a_parent_in_vfork_waits_for_its_child_and_not_for_a_file_system() {
    let parent = |wait_channel: Option<&str>| Thread {
        wait_channel: wait_channel.map(str::to_owned),
        ..thread(20, 'D', Some(SystemCall::Other(435)))
    };
    let family = |channel| {
        // Before it becomes another program it is called as its parent.
        let child =
            Process { name: "python".into(), ..process(21, 20, vec![thread(21, 'S', None)]) };
        vec![process(20, 1, vec![parent(channel)]), Process { started_at_ticks: 9_900, ..child }]
    };
    assert_eq!(cause(&twice(family(Some("kernel_clone")), Vec::new())), Some("child-process"));
    assert_eq!(cause(&twice(family(None), Vec::new())), Some("child-process"));
    let mut undated = twice(family(Some("kernel_clone")), Vec::new());
    undated.looks[1].processes[1].started_at_ticks = 9_723;
    assert_eq!(cause(&undated), Some("child-process"), "it begins right now");
    let mut unknown = twice(family(None), Vec::new());
    for look in &mut unknown.looks {
        look.processes[0].threads[0].waits_in = None;
    }
    assert_eq!(cause(&unknown), None, "neither is known");
    for look in &mut unknown.looks {
        look.processes[1].name = "convert".into();
    }
    assert_eq!(cause(&unknown), Some("file-system-stall"));
    let stuck = twice(family(Some("rpc_wait_bit_killable")), Vec::new());
    let why = why(&stuck, RUNNING);
    assert_eq!((why.cause, why.is_of_network_files), (Some("file-system-stall"), true));
}

#[test]
fn a_child_of_an_earlier_invocation_is_not_waited_for_without_a_sign() {
    let family = |started_at_ticks| {
        let child = process(21, 20, vec![thread(21, 'S', Some(SystemCall::Sleep))]);
        vec![
            process(20, 1, vec![thread(20, 'S', Some(EPOLL))]),
            Process { started_at_ticks, ..child },
        ]
    };
    assert_eq!(cause(&twice(family(9_900), Vec::new())), Some("child-process"));
    assert_eq!(cause(&twice(family(200), Vec::new())), Some("idle"));
}

#[test]
fn where_it_is_not_known_what_the_first_thread_waits_in_it_may_be_no_child() {
    let family = |state, wait_channel: Option<&str>| {
        let wait_channel = wait_channel.map(str::to_owned);
        let parent = Thread { wait_channel, ..thread(20, state, None) };
        let child = process(21, 20, vec![thread(21, 'S', Some(SystemCall::Sleep))]);
        let child = Process { started_at_ticks: 9_900, ..child };
        twice(vec![process(20, 1, vec![parent]), child], Vec::new())
    };
    assert_eq!(cause(&family('S', None)), None);
    assert_eq!(cause(&family('S', Some("ep_poll"))), Some("child-process"));
}

#[test]
fn a_thread_that_waits_for_another_waits_for_no_child() {
    let family = |wait_channel: &str, waits_in| {
        let wait_channel = Some(wait_channel.to_owned());
        let parent = Thread { wait_channel, ..thread(20, 'S', waits_in) };
        let child = process(21, 20, vec![thread(21, 'S', Some(SystemCall::Sleep))]);
        let child = Process { started_at_ticks: 9_900, ..child };
        twice(vec![process(20, 1, vec![parent]), child], Vec::new())
    };
    assert_eq!(cause(&family("futex_do_wait", Some(SystemCall::Futex))), Some("idle"));
    // Where the kernel does not tell the call.
    assert_eq!(cause(&family("do_wait", None)), Some("child-process"));
}

#[test]
fn what_the_sandbox_has_run_out_of_stands_in_the_evidence() {
    let before =
        [crate::Mount { point: "/mnt/efs".into(), fs_type: "nfs4".into(), is_read_only: false }];
    let mut snapshot = twice(one(EPOLL), Vec::new());
    snapshot.open.as_mut().unwrap().descriptors =
        vec![Used { pid: 20, used: 1_020, limit: Some(1_024) }];
    snapshot.resources = Some(crate::snapshot::Resources {
        tmp_free_bytes: Some(0),
        tmp_total_bytes: Some(512),
        mounts: Some(Vec::new()),
        ..Default::default()
    });
    let why = why(&snapshot, Running { mounts: Some(&before), ..RUNNING });
    let evidence = &why.evidence;
    assert_eq!(evidence["descriptorsLimit"], 1_024);
    assert_eq!(evidence["tmpTotalBytes"], 512);
    assert_eq!(evidence["goneMounts"], serde_json::json!(["/mnt/efs"]));
}

proptest! {
    /// Whatever the looks show, at most one of the known causes is named, in a short sentence.
    #[test]
    fn any_snapshot_is_told(
        states in proptest::collection::vec("[RSDTZ]", 1..12),
        cpu in proptest::collection::vec(0_u64..1_000_000_000, 1..12),
        sent in proptest::option::of(0_u64..10_000),
        received in proptest::option::of(0_u64..10_000),
        port: u16,
        queue: u64,
    ) {
        let threads: Vec<_> = states
            .iter()
            .zip(&cpu)
            .zip(20..)
            .map(|((state, cpu), tid)| Thread {
                cpu_ns: Some(*cpu),
                ..thread(tid, state.chars().next().unwrap(), None)
            })
            .collect();
        let open = Socket {
            last_sent_ms: sent,
            last_received_ms: received,
            ..socket(&format!("10.0.0.1:{port}"), &[
                state(TcpState::Established),
                SocketState { send_queue: queue, ..state(TcpState::Established) },
            ])
        };
        let why = why(&twice(vec![process(20, 1, threads)], vec![open]), RUNNING);
        prop_assert!(why.cause.is_none_or(|named| CAUSES.iter().any(|cause| cause.name == named)));
        prop_assert!(why.clause.len() < 300 && why.clause.is_empty() == why.cause.is_none());
    }
}
