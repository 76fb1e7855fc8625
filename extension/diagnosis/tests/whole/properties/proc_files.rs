//! Any bytes in the place of what the kernel tells: reading them ends, and what comes of it is bounded.

use std::net::SocketAddr;
use triage_diagnosis::parse_mountinfo;
use triage_diagnosis::snapshot::*;

const MAX_MOUNTS: usize = 256;
const MAX_WATCHED: usize = 4_096;
const MAX_WAIT_CHANNEL: usize = 64;

/// One file each, so that an input is about one of them.
const FILES: [fn(&[u8]); 8] = [
    stat,
    small_files_of_a_thread,
    socket_table,
    answer_about_a_socket,
    epoll_set_and_link,
    mountinfo,
    mountstats,
    counters,
];

pub(super) fn holds(bytes: &[u8]) {
    if let Some((which, bytes)) = bytes.split_first() {
        FILES[usize::from(*which) % FILES.len()](bytes);
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn stat(bytes: &[u8]) {
    let Some(stat) = Stat::parse(bytes) else { return };
    // A byte that is no text becomes three.
    assert!(stat.name.len() <= bytes.len() * 3, "{stat:?}");
    // What newer kernels add at the end changes nothing, unless it begins in the middle of a number or looks
    // like the end of a name.
    let newer = [bytes, b" 1 2 3"].concat();
    assert_eq!(Stat::parse(&newer).map(|newer| newer.name), Some(stat.name));
}

fn small_files_of_a_thread(bytes: &[u8]) {
    if let Some(name) = parse_wchan(bytes) {
        assert!((1..=MAX_WAIT_CHANNEL).contains(&name.len()) && name.is_ascii(), "{name:?}");
    }
    let _ = parse_schedstat(bytes);
    for architecture in [Architecture::X86_64, Architecture::Arm64] {
        let _ = parse_syscall(bytes, architecture);
    }
}

fn socket_table(bytes: &[u8]) {
    for line in text(bytes).lines() {
        let Some(entry) = parse_socket_line(line) else { continue };
        assert!(entry.inode != 0 && entry.state.at_us == 0, "{line:?}");
        for ip in [entry.local.ip(), entry.peer.ip()] {
            assert_eq!(ip, ip.to_canonical(), "{line:?}");
        }
        let request = diag_request(entry.local, entry.peer);
        assert_eq!(request.is_some(), entry.local.is_ipv4() == entry.peer.is_ipv4());
    }
    if let Ok(address) = text(bytes).parse::<SocketAddr>() {
        assert!(diag_request(address, address).is_some_and(|request| request.len() == 72));
    }
}

fn answer_about_a_socket(bytes: &[u8]) {
    let answer = parse_diag_answer(bytes);
    // Each has a message of its own, and times have 32 bits.
    assert!(answer.sockets.len() <= bytes.len() / 72);
    for socket in &answer.sockets {
        let times = [socket.sent_ms, socket.received_ms];
        assert!(socket.inode != 0 && times.iter().flatten().all(|ms| *ms <= u64::from(u32::MAX)));
    }
    assert!(!bytes.is_empty() || answer.is_last);
}

fn epoll_set_and_link(bytes: &[u8]) {
    let text = text(bytes);
    assert!(parse_epoll(&text).len() <= MAX_WATCHED);
    if let Descriptor::File(path) = Descriptor::from_link(&text) {
        assert!(path.starts_with('/'));
    }
}

fn mountinfo(bytes: &[u8]) {
    let mounts = parse_mountinfo(&text(bytes));
    assert!(mounts.len() <= MAX_MOUNTS);
    for mount in &mounts {
        assert!(mount.point.starts_with('/') && !mount.fs_type.is_empty(), "{mount:?}");
    }
    for mount in &mounts {
        let above = triage_diagnosis::network_mount(&mounts, &mount.point);
        assert!(above.is_none_or(|above| above.fs_type.starts_with("nfs")));
    }
}

fn mountstats(bytes: &[u8]) {
    assert!(parse_mountstats(&text(bytes)).len() <= MAX_MOUNTS);
}

fn counters(bytes: &[u8]) {
    let text = text(bytes);
    let _ = parse_attempts(&text);
    let _ = parse_uptime(&text);
    for name in ["MemTotal", "MemAvailable"] {
        let _ = parse_meminfo(&text, name);
    }
    for name in ["Max open files", "Max processes"] {
        let _ = parse_limit(&text, name);
    }
}
