//! What the function's processes have open: sockets, epoll sets, files on network mounts.

use super::files::Proc;
use super::processes::micros_since;
use super::socket_diag::last_moved;
use crate::runtime_api::Endpoint;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use triage_diagnosis::snapshot::{
    Descriptor, Open, Process, Protocol, Socket, TableEntry, Used, parse_epoll, parse_limit,
    parse_socket_line,
};
use triage_diagnosis::{Mount, network_mount};

/// Processes whose descriptors are read.
const MAX_PROCESSES: usize = 64;
/// Descriptors that are read, of all of them.
const MAX_DESCRIPTORS: usize = 16_384;
/// Sockets that are kept.
const MAX_SOCKETS: usize = 2_048;
/// Files on network mounts that are kept.
const MAX_FILES: usize = 64;
/// Epoll sets that are read, and of each so many bytes.
const MAX_EPOLLS: usize = 64;
const EPOLL_BYTES: usize = 128 * 1024;
/// Of each table of sockets so much is read: some 13,000 of them.
const TABLE_BYTES: usize = 2 * 1024 * 1024;
const LIMITS_BYTES: usize = 8 * 1024;
/// How many descriptors are open is counted up to here.
const MAX_COUNTED: usize = 65_536;
/// States of a socket that are kept.
const MAX_STATES: usize = 8;

/// What of the sandbox's own is no peer of the function's: the Runtime API, this extension's
/// listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnEndpoints {
    /// Where the Runtime API is; if that is a name, only its port is known.
    pub(crate) runtime_api: Option<SocketAddr>,
    /// Ports on addresses of the sandbox itself.
    pub(crate) ports: Vec<u16>,
}

impl OwnEndpoints {
    /// Of the Runtime API's address, as the environment has it.
    pub(crate) fn of(runtime_api: &str) -> Self {
        let endpoint = Endpoint::plainly(runtime_api);
        let runtime_api = endpoint.authority().parse().ok();
        let port = endpoint.authority().rsplit(':').next().and_then(|port| port.parse().ok());
        Self { runtime_api, ports: port.into_iter().collect() }
    }

    fn contains(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        let is_local = match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        self.runtime_api == Some(peer) || is_local && self.ports.contains(&peer.port())
    }
}

/// What the function's processes have open, by inode where that is needed to read it again.
#[derive(Debug, Default)]
pub(super) struct OpenFound {
    pub(super) open: Open,
    /// Where in it a socket is: by its inode, process and descriptor.
    places: HashMap<(u64, u32, u32), usize>,
    /// Whether there was more than the time or the bounds allowed to read.
    pub(super) is_partial: bool,
}

/// A descriptor of a socket.
struct SocketDescriptor {
    inode: u64,
    pid: u32,
    descriptor: u32,
    epolls: Vec<u32>,
}

impl OpenFound {
    /// Reads what the processes have open now. What was read before is kept: a socket that is still
    /// there has one state more.
    pub(super) fn read(
        &mut self,
        proc: &mut Proc<'_>,
        processes: &[Process],
        own: &OwnEndpoints,
        mounts: &[Mount],
        begun: Instant,
    ) {
        let Some(runtime) = processes.first() else { return };
        self.is_partial |= processes.len() > MAX_PROCESSES;
        self.open.network_files.clear();
        self.open.descriptors.clear();
        let mut sockets = Vec::new();
        for process in processes.iter().take(MAX_PROCESSES) {
            if proc.budget.is_over() {
                self.is_partial = true;
                break;
            }
            self.read_descriptors(proc, process.pid, mounts, &mut sockets);
        }
        sockets.sort_unstable_by_key(|socket| socket.inode);
        for (table, protocol) in [
            ("tcp", Protocol::Tcp),
            ("tcp6", Protocol::Tcp),
            ("udp", Protocol::Udp),
            ("udp6", Protocol::Udp),
        ] {
            self.read_table(proc, runtime.pid, (table, protocol), &sockets, own, begun);
        }
        self.add_last_moved(proc);
    }

    fn read_descriptors(
        &mut self,
        proc: &mut Proc<'_>,
        pid: u32,
        mounts: &[Mount],
        sockets: &mut Vec<SocketDescriptor>,
    ) {
        let notes = proc.notes;
        let mut descriptors = Vec::new();
        let listed = proc.numbers(format_args!("{pid}/fd"), MAX_COUNTED, &mut descriptors);
        match listed {
            Ok(is_whole) => self.is_partial |= !is_whole,
            Err(e) => return notes.note("descriptors", &e),
        }
        let limits = proc.text(format_args!("{pid}/limits"), LIMITS_BYTES);
        let limits = limits.inspect_err(|e| notes.note("limits", e)).unwrap_or_default();
        let limit = parse_limit(&limits, "Max open files");
        self.open.descriptors.push(Used { pid, used: descriptors.len() as u64, limit });
        let begin = sockets.len();
        let mut epolls = Vec::new();
        for descriptor in descriptors {
            if sockets.len() >= MAX_DESCRIPTORS || proc.budget.is_over() {
                self.is_partial = true;
                break;
            }
            let Ok(link) = proc.link(format_args!("{pid}/fd/{descriptor}")) else { continue };
            let Some(link) = link.to_str() else { continue };
            match Descriptor::from_link(link) {
                Descriptor::Socket(inode) => {
                    let epolls = Vec::new();
                    sockets.push(SocketDescriptor { inode, pid, descriptor, epolls });
                }
                Descriptor::Epoll => epolls.push(descriptor),
                Descriptor::File(path) => {
                    if let Some(mount) = network_mount(mounts, path)
                        && self.open.network_files.len() < MAX_FILES
                    {
                        self.open.network_files.push((pid, descriptor, mount.point.clone()));
                    }
                }
                Descriptor::Other => {}
            }
        }
        for epoll in epolls.into_iter().take(MAX_EPOLLS) {
            let fdinfo = proc.text(format_args!("{pid}/fdinfo/{epoll}"), EPOLL_BYTES);
            let fdinfo = fdinfo.inspect_err(|e| notes.note("fdinfo", e)).unwrap_or_default();
            let mut watched = parse_epoll(&fdinfo);
            watched.sort_unstable();
            for socket in &mut sockets[begin..] {
                if watched.binary_search(&socket.descriptor).is_ok() {
                    socket.epolls.push(epoll);
                }
            }
        }
    }

    fn read_table(
        &mut self,
        proc: &mut Proc<'_>,
        runtime: u32,
        (table, protocol): (&'static str, Protocol),
        sockets: &[SocketDescriptor],
        own: &OwnEndpoints,
        begun: Instant,
    ) {
        let notes = proc.notes;
        let at_us = micros_since(begun);
        let take = |line: &str| {
            let Some(mut entry) = parse_socket_line(line) else { return };
            entry.state.at_us = at_us;
            let first = sockets.partition_point(|socket| socket.inode < entry.inode);
            let holders = sockets[first..].iter().take_while(|s| s.inode == entry.inode);
            for holder in holders {
                if !own.contains(entry.peer) {
                    self.add(holder, protocol, &entry);
                }
            }
        };
        let read = proc.lines(format_args!("{runtime}/net/{table}"), TABLE_BYTES, take);
        match read {
            Ok(is_whole) => self.is_partial |= !is_whole,
            Err(e) => notes.note_absent("net tables", &e),
        }
    }

    fn add(&mut self, holder: &SocketDescriptor, protocol: Protocol, entry: &TableEntry) {
        let key = (holder.inode, holder.pid, holder.descriptor);
        if let Some(place) = self.places.get(&key) {
            let socket = &mut self.open.sockets[*place];
            // A table may be changed while it is read, so that a line comes twice.
            let is_new = socket.states.last().is_none_or(|last| last.at_us != entry.state.at_us);
            if is_new && socket.states.len() < MAX_STATES {
                socket.states.push(entry.state);
                socket.epolls.clone_from(&holder.epolls);
                // A socket may be connected anew, to another peer.
                socket.peer = entry.peer;
            }
            return;
        }
        if self.open.sockets.len() >= MAX_SOCKETS {
            self.is_partial = true;
            return;
        }
        self.places.insert(key, self.open.sockets.len());
        self.open.sockets.push(Socket {
            pid: holder.pid,
            descriptor: holder.descriptor,
            epolls: holder.epolls.clone(),
            protocol,
            peer: entry.peer,
            states: vec![entry.state],
            last_sent_ms: None,
            last_received_ms: None,
        });
    }

    /// Asks the kernel when data last moved on the TCP sockets, if there are any.
    fn add_last_moved(&mut self, proc: &Proc<'_>) {
        for is_ipv6 in [false, true] {
            let is_such = |socket: &Socket| {
                socket.protocol == Protocol::Tcp && (is_ipv6 || socket.peer.is_ipv4())
            };
            if proc.budget.is_over() || !self.open.sockets.iter().any(is_such) {
                continue;
            }
            let moved = last_moved(is_ipv6, proc.budget);
            let moved = moved.inspect_err(|e| proc.notes.note_absent("sock_diag", e));
            let moved = moved.unwrap_or_default();
            for ((inode, ..), place) in &self.places {
                if let Some(moved) = moved.get(inode) {
                    let socket = &mut self.open.sockets[*place];
                    socket.last_sent_ms = moved.sent_ms;
                    socket.last_received_ms = moved.received_ms;
                }
            }
        }
    }
}
