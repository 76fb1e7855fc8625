//! The sockets of the network namespace, and which of them are none of the function's business.

use super::budget::micros_since;
use super::files::Proc;
use crate::runtime_api::Endpoint;
use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;
use triage_diagnosis::snapshot::{Descriptor, Protocol, TableEntry, TcpState, parse_socket_line};

/// Of each table so much is read: some 13,000 sockets.
const TABLE_BYTES: usize = 2 * 1024 * 1024;
/// Sockets that are kept until it is known whose they are.
const MAX_ENTRIES: usize = 8_192;
/// Processes of which, and of each so many descriptors are, read to see whether it is the runtime.
const MAX_CANDIDATES: usize = 64;
const MAX_DESCRIPTORS: usize = 1_024;

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
        let is_local = match peer.ip() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        self.runtime_api == Some(peer) || is_local && self.ports.contains(&peer.port())
    }
}

/// All sockets, but for those to the sandbox's own endpoints.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// Those that have a peer, by their inode.
    entries: HashMap<u64, (Protocol, TableEntry)>,
    /// Where something listens.
    listening: HashSet<SocketAddr>,
    /// The inodes of those of UDP without a peer.
    unconnected: HashSet<u64>,
    /// Whether those are all.
    pub(super) is_whole: bool,
}

impl Sockets {
    /// Reads the tables that this process sees.
    pub(super) fn read(proc: &mut Proc<'_>, pid: u32, own: &OwnEndpoints, begun: Instant) -> Self {
        let notes = proc.notes;
        let mut sockets = Self { is_whole: true, ..Self::default() };
        for (table, protocol) in [
            ("tcp", Protocol::Tcp),
            ("tcp6", Protocol::Tcp),
            ("udp", Protocol::Udp),
            ("udp6", Protocol::Udp),
        ] {
            let at_us = micros_since(begun);
            let mut has_room = true;
            let read = proc.lines(format_args!("{pid}/net/{table}"), TABLE_BYTES, |line| {
                let entry = parse_socket_line(line).filter(|entry| !own.contains(entry.peer));
                let Some(mut entry) = entry else { return };
                entry.state.at_us = at_us;
                has_room &= sockets.add(protocol, entry);
            });
            let read = read.inspect_err(|e| notes.note_absent("net tables", e));
            // Without IPv6 its tables are not there; nothing else may be missing.
            let is_none = |e: io::Error| table.ends_with('6') && e.kind() == ErrorKind::NotFound;
            sockets.is_whole &= read.unwrap_or_else(is_none) && has_room;
        }
        sockets
    }

    /// Says whether there was room for it.
    fn add(&mut self, protocol: Protocol, entry: TableEntry) -> bool {
        let count = self.entries.len() + self.listening.len() + self.unconnected.len();
        if count >= MAX_ENTRIES {
            return false;
        }
        if entry.has_peer() {
            self.entries.insert(entry.inode, (protocol, entry));
        } else if protocol == Protocol::Udp {
            self.unconnected.insert(entry.inode);
        } else if entry.state.state == TcpState::Listen {
            self.listening.insert(entry.local);
        }
        true
    }

    /// The socket of this inode.
    pub(super) fn get(&self, inode: u64) -> Option<&(Protocol, TableEntry)> {
        self.entries.get(&inode)
    }

    /// Whether the socket of this inode is one of UDP without a peer.
    pub(super) fn is_unconnected(&self, inode: u64) -> bool {
        self.unconnected.contains(&inode)
    }

    /// Whether the other end has connected to this one: it has the port that something listens on, which
    /// the kernel gives to no socket that connects.
    pub(super) fn is_accepted(&self, entry: &TableEntry) -> bool {
        let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let ips = [entry.local.ip()].into_iter().chain(any);
        let mut places = ips.map(|ip| SocketAddr::new(ip, entry.local.port()));
        entry.state.state != TcpState::SynSent && places.any(|at| self.listening.contains(&at))
    }
}

/// Which of these processes, the oldest first, have a connection to the Runtime API of their own: of
/// several that share one, the others got it from the first.
pub(super) fn connected_to_api(proc: &mut Proc<'_>, ids: &[u32], own: &OwnEndpoints) -> Vec<u32> {
    let mut inodes = Vec::new();
    let _ = proc.lines(format_args!("self/net/tcp"), TABLE_BYTES, |line| {
        let entry = parse_socket_line(line).filter(|entry| own.runtime_api == Some(entry.peer));
        inodes.extend(entry.map(|entry| entry.inode));
    });
    let mut descriptors = Vec::new();
    let mut connected = Vec::new();
    inodes.truncate(MAX_CANDIDATES);
    for id in ids.iter().copied().take(MAX_CANDIDATES) {
        if proc.numbers(format_args!("{id}/fd"), MAX_DESCRIPTORS, &mut descriptors).is_err() {
            continue;
        }
        for descriptor in &descriptors {
            if inodes.is_empty() || proc.budget.is_over() {
                break;
            }
            let link = proc.link(format_args!("{id}/fd/{descriptor}")).ok();
            let link = link.as_deref().and_then(Path::to_str).map(Descriptor::from_link);
            if let Some(Descriptor::Socket(inode)) = link
                && let Some(place) = inodes.iter().position(|of_api| *of_api == inode)
            {
                inodes.swap_remove(place);
                if connected.last() != Some(&id) {
                    connected.push(id);
                }
            }
        }
    }
    connected
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

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
        let tree = Tree::new();
        let line = |peer: &str, inode: u64| {
            format!(
                "  15: 0100007F:D1B6 {peer} 01 00000000:00000000 00:00000000 00000000     0        0 {inode} 2 0\n"
            )
        };
        tree.link("40/fd/9", "socket:[902]").link("50/fd/3", "socket:[900]");
        // One that it began shares the connection.
        tree.link("60/fd/9", "socket:[902]");
        let table = line("0703000A:1538", 900) + &line("0100007F:2329", 902);
        tree.file("self/net/tcp", table);
        let own = OwnEndpoints::of("127.0.0.1:9001");
        assert_eq!(connected_to_api(&mut tree.proc(), &[50, 40, 60, 77], &own), [40]);
    }
}
