//! Any snapshot of any invocation: at most one known cause is named, never by what was not read, and the
//! lines are lines.

use super::watch::Watch;
use arbitrary::{Result, Unstructured};
use serde_json::Value;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;
use triage_diagnosis::snapshot::*;
use triage_diagnosis::*;

const ID: &str = "00000000-0000-4000-8000-000000000001";
const TIMEOUT_MS: u64 = 3_000;
/// How long before the deadline it is looked.
const LEFT_MS: u64 = 20;
const CHANNELS: [&str; 6] = [
    "ep_poll",
    "futex_do_wait",
    "do_wait",
    "rpc_wait_bit_killable",
    "kernel_clone",
    "hrtimer_nanosleep",
];
const PORTS: [u16; 6] = [53, 443, 2_049, 5_432, 8_080, 39_562];

thread_local! {
    static HAS_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// The state machine contains a bug in the naming, which is to be found here all the same.
fn notice_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            HAS_PANICKED.set(true);
            before(info);
        }));
    });
    HAS_PANICKED.set(false);
}

pub(super) fn holds(bytes: &[u8]) {
    notice_panics();
    let mut choices = Unstructured::new(bytes);
    let Ok(memory_size_mb) = choices.arbitrary::<Option<u16>>() else { return };
    let mounts = some(&mut choices, mount, 3).unwrap_or_default();
    let snapshots = some(&mut choices, snapshot, 3).unwrap_or_default();
    let function =
        Function { memory_size_mb: memory_size_mb.map(u64::from), ..Function::default() };
    // The platform's own limits, and a value that makes no sense.
    let function = match memory_size_mb {
        Some(0) => Function { memory_size_mb: Some(u64::MAX), ..function },
        _ => function,
    };
    let lines = told(function, mounts, &snapshots);
    assert!(!HAS_PANICKED.get(), "a bug was contained: {snapshots:#?}");
    let timeouts: Vec<_> = lines.iter().filter(|line| is_confirmed(line)).collect();
    assert_eq!(timeouts.len(), 1, "{lines:#?}");
    for line in &lines {
        check(line, snapshots.last());
    }
}

fn is_confirmed(line: &Value) -> bool {
    line["diagnosis"]["stage"] == "confirmed"
}

/// The lines of an invocation that is looked at and times out.
fn told(function: Function, mounts: Vec<Mount>, snapshots: &[Snapshot]) -> Vec<Value> {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut watch = Watch::new(Settings::default(), function, now);
    watch.mounts(mounts);
    let invoke = Invoke {
        request_id: ID.to_owned(),
        deadline: Some(now.plus_ms(TIMEOUT_MS)),
        ..Invoke::default()
    };
    watch.invoke(invoke);
    watch.set_clock(now.plus_ms(TIMEOUT_MS - LEFT_MS));
    for snapshot in snapshots {
        watch.snapshot(ID, snapshot);
        watch.poll();
    }
    watch.set_clock(now.plus_ms(TIMEOUT_MS));
    let done = RuntimeDone {
        request_id: ID.to_owned(),
        status: Status::Timeout,
        duration_ms: Some(3_000.0),
        ..RuntimeDone::default()
    };
    watch.record(Record { time: Some(watch.now()), body: RecordBody::RuntimeDone(done) });
    watch.end()
}

fn check(line: &Value, last: Option<&Snapshot>) {
    let diagnosis = &line["diagnosis"];
    let Some(cause) = diagnosis["cause"].as_str() else { return };
    let detector = detectors().iter().find(|known| known.problem == "timeout").unwrap();
    assert!(detector.causes.iter().any(|known| known.name == cause), "{line}");
    if !is_confirmed(line) {
        return;
    }
    let what = || format!("{line:#}\n{last:#?}");
    let snapshot = last.unwrap_or_else(|| panic!("named by nothing: {line}"));
    let claims_all = ["idle", "child-process"].contains(&cause);
    assert!(!claims_all || !snapshot.is_partial, "by what was not read: {}", what());
    let open = snapshot.open.as_ref();
    assert!(cause != "child-process" || open.is_some(), "by what was not read: {}", what());
    let sockets = open.map_or(&[][..], |open| &open.sockets);
    let peer = diagnosis["evidence"]["peer"].as_str();
    let of_peer: Vec<_> =
        sockets.iter().filter(|socket| peer == Some(&socket.peer.to_string())).collect();
    // Who refuses has no socket.
    let is_refused = cause == "refused-peer";
    assert!(is_refused || peer.is_some() != of_peer.is_empty(), "{}", what());
    // One look tells of nothing but what the kernel has sent again or has a timer for, and of a child that is
    // waited for. A socket that was read twice was looked at twice.
    let is_told_by = |socket: &&Socket| {
        let is_told = |state: &SocketState| state.retransmits > 0 || state.due_in_ticks.is_some();
        socket.states.len() > 1 || socket.states.iter().any(is_told)
    };
    let is_told =
        snapshot.looks.len() > 1 || of_peer.iter().any(is_told_by) || cause == "child-process";
    assert!(is_told, "by one look: {}", what());
    if cause == "awaiting-peer" {
        assert!(of_peer.iter().any(|socket| !socket.is_accepted), "its own client: {}", what());
    }
}

/// Up to so many of them.
fn some<'a, T>(
    choices: &mut Unstructured<'a>,
    one: impl Fn(&mut Unstructured<'a>) -> Result<T>,
    most: usize,
) -> Result<Vec<T>> {
    (0..choices.int_in_range(0..=most)?).map(|_| one(choices)).collect()
}

/// Small numbers are alike more often, and large ones near the end of the range.
fn number(choices: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match choices.int_in_range(0..=7_u8)? {
        0..=2 => u64::from(choices.int_in_range(0..=3_u8)?),
        3 | 4 => u64::from(choices.arbitrary::<u16>()?),
        5 => u64::from(choices.arbitrary::<u32>()?),
        6 => u64::MAX - u64::from(choices.arbitrary::<u8>()?),
        _ => choices.arbitrary()?,
    })
}

fn maybe<'a, T>(
    choices: &mut Unstructured<'a>,
    one: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    Ok(if choices.arbitrary()? { Some(one(choices)?) } else { None })
}

fn name(choices: &mut Unstructured<'_>) -> Result<String> {
    const NAMES: [&str; 4] = ["python3", "a) R\n(b", "", "\u{202e}\u{0}ä"];
    Ok((*choices.choose(&NAMES)?).to_owned())
}

fn snapshot(choices: &mut Unstructured<'_>) -> Result<Snapshot> {
    let mut snapshot = Snapshot {
        looks: some(choices, look, 5)?,
        open: maybe(choices, open)?,
        resources: maybe(choices, resources)?,
        refused_peers: some(choices, |choices| Ok(socket(choices)?.peer), 4)?,
        other_extensions: some(choices, name, 2)?,
        is_partial: choices.arbitrary()?,
        taken_us: maybe(choices, number)?,
    };
    // Looks are of the same processes and come one after the other, mostly.
    if choices.arbitrary()?
        && let Some(first) = snapshot.looks.first().cloned()
    {
        for (n, look) in (1..).zip(&mut snapshot.looks[1..]) {
            look.at_us = first.at_us.saturating_add(n * 20_000);
            look.processes.clone_from(&first.processes);
        }
    }
    Ok(snapshot)
}

fn look(choices: &mut Unstructured<'_>) -> Result<Look> {
    Ok(Look {
        at_us: number(choices)?,
        at_ticks: maybe(choices, number)?,
        is_short: choices.arbitrary()?,
        processes: some(choices, process, 3)?,
        refused_connections: maybe(choices, number)?,
        opened_connections: maybe(choices, number)?,
    })
}

fn process(choices: &mut Unstructured<'_>) -> Result<Process> {
    Ok(Process {
        pid: choices.int_in_range(19..=22)?,
        parent_pid: choices.int_in_range(19..=22)?,
        name: name(choices)?,
        started_at_ticks: number(choices)?,
        resident_kib: maybe(choices, number)?,
        major_faults: number(choices)?,
        threads: some(choices, thread, 3)?,
    })
}

fn thread(choices: &mut Unstructured<'_>) -> Result<Thread> {
    Ok(Thread {
        tid: choices.int_in_range(19..=22)?,
        name: name(choices)?,
        state: *choices.choose(&['S', 'S', 'S', 'R', 'D', 'T', 'Z', '\u{0}'])?,
        cpu_ns: maybe(choices, number)?,
        cpu_wait_ns: maybe(choices, number)?,
        wait_channel: maybe(choices, |choices| Ok((*choices.choose(&CHANNELS)?).to_owned()))?,
        waits_in: maybe(choices, call)?,
        waits_with: CallArguments {
            polled: maybe(choices, |choices| choices.int_in_range(0..=2))?,
            is_timed: maybe(choices, Unstructured::arbitrary)?,
            child: maybe(choices, |choices| choices.int_in_range(19..=22))?,
        },
    })
}

fn call(choices: &mut Unstructured<'_>) -> Result<SystemCall> {
    let descriptor = choices.int_in_range(3..=6)?;
    Ok(match choices.int_in_range(0..=10_u8)? {
        0 => SystemCall::Connect(descriptor),
        1 => SystemCall::Receive(descriptor),
        2 => SystemCall::Send(descriptor),
        3 => SystemCall::Accept(descriptor),
        4 => SystemCall::Poll,
        5 => SystemCall::EpollWait(descriptor),
        6 => SystemCall::WaitChild,
        7 => SystemCall::Futex,
        8 => SystemCall::Sleep,
        9 => SystemCall::File,
        _ => SystemCall::Other(number(choices)?),
    })
}

fn open(choices: &mut Unstructured<'_>) -> Result<Open> {
    let file = |choices: &mut Unstructured<'_>| {
        Ok((choices.int_in_range(19..=22)?, choices.int_in_range(3..=6)?, "/mnt/efs".to_owned()))
    };
    let used = |choices: &mut Unstructured<'_>| {
        let (used, limit) = (number(choices)?, maybe(choices, number)?);
        Ok(Used { pid: choices.int_in_range(19..=22)?, used, limit })
    };
    Ok(Open {
        sockets: some(choices, socket, 4)?,
        network_files: some(choices, file, 2)?,
        descriptors: some(choices, used, 2)?,
        has_unconnected: choices.arbitrary()?,
    })
}

fn socket(choices: &mut Unstructured<'_>) -> Result<Socket> {
    let ip = if choices.arbitrary()? {
        IpAddr::V4(choices.arbitrary::<u32>()?.into())
    } else {
        IpAddr::V6(choices.arbitrary::<u128>()?.into())
    };
    let state = |choices: &mut Unstructured<'_>| {
        Ok(SocketState {
            at_us: number(choices)?,
            state: TcpState::from_number(*choices.choose(&[1, 1, 1, 2, 8, 10, 7, 255])?),
            send_queue: number(choices)?,
            receive_queue: number(choices)?,
            retransmits: number(choices)?,
            is_probing: choices.arbitrary()?,
            due_in_ticks: maybe(choices, number)?,
        })
    };
    Ok(Socket {
        pid: choices.int_in_range(19..=22)?,
        descriptor: choices.int_in_range(3..=6)?,
        epolls: some(choices, |choices| choices.int_in_range(3..=6), 2)?,
        protocol: if choices.ratio(1, 4)? { Protocol::Udp } else { Protocol::Tcp },
        peer: SocketAddr::new(ip, *choices.choose(&PORTS)?),
        is_accepted: choices.arbitrary()?,
        states: some(choices, state, 3)?,
        last_sent_ms: maybe(choices, number)?,
        last_received_ms: maybe(choices, number)?,
        unanswered_sends: maybe(choices, number)?,
    })
}

fn resources(choices: &mut Unstructured<'_>) -> Result<Resources> {
    Ok(Resources {
        memory_available_kib: maybe(choices, number)?,
        memory_total_kib: maybe(choices, number)?,
        tmp_free_bytes: maybe(choices, number)?,
        tmp_total_bytes: maybe(choices, number)?,
        threads: maybe(choices, number)?,
        threads_limit: maybe(choices, number)?,
        mounts: maybe(choices, |choices| some(choices, mount, 3))?,
        nfs_retransmissions: Vec::new(),
    })
}

fn mount(choices: &mut Unstructured<'_>) -> Result<Mount> {
    Ok(Mount {
        point: (*choices.choose(&["/mnt/efs", "/", "/mnt/\u{1b}[31m"])?).to_owned(),
        fs_type: (*choices.choose(&["nfs4", "ext4", "fuse"])?).to_owned(),
        is_read_only: choices.arbitrary()?,
    })
}
