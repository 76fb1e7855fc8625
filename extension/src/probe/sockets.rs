//! What the function's processes have open: sockets, epoll sets, files on network mounts.

use super::files::Proc;
use super::processes::micros_since;
use super::socket_diag::last_moved;
use crate::runtime_api::Endpoint;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
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
/// Descriptors of a process that are read to see whether it is the runtime.
const MAX_CANDIDATES: usize = 1_024;
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

/// Which of these processes have a connection to the Runtime API.
pub(super) fn connected_to_api(proc: &mut Proc<'_>, ids: &[u32], own: &OwnEndpoints) -> Vec<u32> {
    let mut inodes = Vec::new();
    let _ = proc.lines(format_args!("self/net/tcp"), TABLE_BYTES, |line| {
        let entry = parse_socket_line(line).filter(|entry| own.runtime_api == Some(entry.peer));
        inodes.extend(entry.map(|entry| entry.inode));
    });
    let mut descriptors = Vec::new();
    let mut connected = Vec::new();
    for id in ids.iter().copied().take(MAX_PROCESSES) {
        if proc.numbers(format_args!("{id}/fd"), MAX_CANDIDATES, &mut descriptors).is_err() {
            continue;
        }
        let mut is_connected = |descriptor: &u32| {
            let link = proc.link(format_args!("{id}/fd/{descriptor}")).ok();
            let link = link.as_deref().and_then(Path::to_str).map(Descriptor::from_link);
            matches!(link, Some(Descriptor::Socket(inode)) if inodes.contains(&inode))
        };
        if !inodes.is_empty() && descriptors.iter().any(&mut is_connected) {
            connected.push(id);
        }
    }
    connected
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

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use triage_diagnosis::snapshot::TcpState;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    /// A line of a table, of a socket at a port of 10.0.3.7.
    fn line(port: u16, state: u8, inode: u64, retransmits: u64) -> String {
        line_to("0703000A", port, state, inode, retransmits)
    }

    fn line_to(ip: &str, port: u16, state: u8, inode: u64, retransmits: u64) -> String {
        format!(
            "  15: 0100007F:D1B6 {ip}:{port:04X} {state:02X} 00000001:00000000 01:0000012C {retransmits:08X}     0        0 {inode} 2 000000001c2dd08d 800 0 0 1 7\n"
        )
    }

    fn process(pid: u32) -> Process {
        Process { pid, ..Process::default() }
    }

    fn own() -> OwnEndpoints {
        OwnEndpoints::of("127.0.0.1:9001")
    }

    fn read(found: &mut OpenFound, tree: &Tree, begun: Instant) {
        let mounts = [Mount {
            point: "/mnt/efs".to_owned(),
            fs_type: "nfs4".to_owned(),
            is_read_only: false,
        }];
        found.read(&mut tree.proc(), &[process(40), process(50)], &own(), &mounts, begun);
    }

    /// Two processes that share a socket.
    fn tree() -> Tree {
        let tree = Tree::new();
        tree.link("40/fd/3", "socket:[900]").link("40/fd/4", "socket:[901]");
        tree.link("40/fd/5", "anon_inode:[eventpoll]").link("40/fd/6", "/mnt/efs/orders.db");
        tree.link("40/fd/7", "/tmp/x").link("40/fd/8", "pipe:[1]").link("40/fd/9", "socket:[902]");
        tree.link("50/fd/3", "socket:[900]").link("50/fd/11", "socket:[903]");
        tree.file("40/fdinfo/5", "pos:\t0\ntfd:        4 events:       1d data: 4\n");
        tree.file(
            "40/limits",
            "Max open files            1024                 4096                 files\n",
        );
        let api = line_to("0100007F", 9001, 1, 902, 0);
        let listens = line_to("00000000", 0, 10, 904, 0);
        tree.file("40/net/tcp", HEAD.to_owned() + &listens + &line(5432, 2, 900, 2) + &api);
        tree.file("40/net/udp", HEAD.to_owned() + &line(53, 1, 903, 0) + &line(443, 1, 999, 0));
        tree.file("40/net/tcp6", HEAD).file("40/net/udp6", HEAD);
        tree
    }

    #[test]
    fn sockets_are_told_with_who_has_them_open() {
        let (tree, mut found) = (tree(), OpenFound::default());
        read(&mut found, &tree, Instant::now());
        let mut told: Vec<_> =
            found.open.sockets.iter().map(|s| (s.pid, s.descriptor, s.peer)).collect();
        told.sort_unstable();
        let peer = |text: &str| text.parse::<SocketAddr>().unwrap();
        // Not the one to the Runtime API, nor that of no process of the function.
        let expected = [
            (40, 3, peer("10.0.3.7:5432")),
            (50, 3, peer("10.0.3.7:5432")),
            (50, 11, peer("10.0.3.7:53")),
        ];
        assert_eq!(told, expected);
        assert_eq!(found.open.network_files, [(40, 6, "/mnt/efs".to_owned())]);
        let used =
            [Used { pid: 40, used: 7, limit: Some(1_024) }, Used { pid: 50, used: 2, limit: None }];
        assert_eq!(found.open.descriptors, used);
        assert!(!found.is_partial);
    }

    #[test]
    fn an_epoll_set_is_told_at_what_it_watches() {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.file("40/net/tcp6", HEAD.to_owned() + &line(443, 1, 901, 0));
        read(&mut found, &tree, Instant::now());
        let epolls = |descriptor: u32| {
            let mut sockets = found.open.sockets.iter();
            let is_it = |s: &&Socket| s.pid == 40 && s.descriptor == descriptor;
            sockets.find(is_it).map(|socket| socket.epolls.clone())
        };
        assert_eq!((epolls(3), epolls(4)), (Some(vec![]), Some(vec![5])));
    }

    #[test]
    fn a_second_reading_adds_to_the_first() {
        let (tree, mut found) = (tree(), OpenFound::default());
        let begun = Instant::now();
        read(&mut found, &tree, begun);
        tree.file("40/net/tcp", HEAD.to_owned() + &line(5432, 2, 900, 3) + &line(443, 1, 901, 0));
        std::thread::sleep(std::time::Duration::from_millis(1));
        read(&mut found, &tree, begun);
        let first = found.open.sockets.iter().find(|s| s.pid == 40 && s.descriptor == 3).unwrap();
        let retransmits: Vec<_> = first.states.iter().map(|state| state.retransmits).collect();
        assert_eq!(retransmits, [2, 3]);
        assert!(first.states[1].at_us > first.states[0].at_us);
        assert_eq!(first.states[0].state, TcpState::SynSent);
        assert_eq!(found.open.sockets.len(), 4, "with one that is new");
        assert_eq!(found.open.descriptors.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.remove("40/fd/3").remove("40/net/tcp").remove("40/net/udp6").remove("40/limits");
        tree.file("40/fdinfo/5", [0xff; 300]).file("40/fd/12", "no link").file("40/fd/x", "");
        tree.file("40/net/tcp6", HEAD.to_owned() + "junk\n" + &line(443, 1, 901, 0)[..60]);
        read(&mut found, &tree, Instant::now());
        let pids: Vec<_> = found.open.sockets.iter().map(|s| (s.pid, s.descriptor)).collect();
        assert_eq!(pids, [(50, 11)]);
        assert_eq!(found.open.descriptors[0].limit, None);
        found.read(&mut tree.proc(), &[process(77)], &own(), &[], Instant::now());
        found.read(&mut tree.proc(), &[], &own(), &[], Instant::now());
    }

    #[test]
    fn more_than_fits_is_left_out_and_that_is_said() {
        let (tree, mut found) = (Tree::new(), OpenFound::default());
        let count = MAX_SOCKETS as u32 + 10;
        let mut table = HEAD.to_owned();
        for n in 0..count {
            tree.link(&format!("40/fd/{n}"), &format!("socket:[{}]", 10_000 + n));
            table += &line(443, 1, u64::from(10_000 + n), 0);
        }
        tree.file("40/net/tcp", table);
        read(&mut found, &tree, Instant::now());
        assert_eq!((found.open.sockets.len(), found.is_partial), (MAX_SOCKETS, true));
        assert_eq!(found.open.descriptors[0].used, u64::from(count));
        // A table without an end.
        let (tree, mut found) = (Tree::new(), OpenFound::default());
        tree.link("40/fd/3", "socket:[900]");
        tree.file(
            "40/net/tcp",
            line(443, 1, 1, 0).repeat(TABLE_BYTES / 100) + &line(443, 1, 900, 0),
        );
        read(&mut found, &tree, Instant::now());
        assert!(found.open.sockets.is_empty() && found.is_partial);
    }

    #[test]
    fn the_sandboxs_own_endpoints_are_known_by_address_or_port() {
        let peer = |text: &str| text.parse::<SocketAddr>().unwrap();
        let own = OwnEndpoints::of("http://169.254.100.1:9001/path");
        assert!(own.contains(peer("169.254.100.1:9001")) && own.contains(peer("127.0.0.1:9001")));
        for other in ["10.0.3.7:9001", "169.254.100.1:9002", "[2001:db8::1]:9001"] {
            assert!(!own.contains(peer(other)), "{other}");
        }
        let own = OwnEndpoints::of("runtime.local:9001");
        assert!(own.contains(peer("[::1]:9001")) && own.runtime_api.is_none());
        assert_eq!(OwnEndpoints::of(""), OwnEndpoints::default());
        let public = OwnEndpoints::of("203.0.113.9:9001");
        assert!(public.contains(peer("203.0.113.9:9001")));
    }

    #[test]
    fn who_talks_to_the_runtime_api_is_found() {
        let tree = tree();
        let api = line_to("0100007F", 9001, 1, 902, 0);
        tree.file("self/net/tcp", HEAD.to_owned() + &line(5432, 2, 900, 2) + &api);
        assert_eq!(connected_to_api(&mut tree.proc(), &[50, 40, 77], &own()), [40]);
    }
}
