//! What the function's processes have open: sockets, epoll sets, files on network mounts.

use super::files::Proc;
use super::processes::is_still_there;
use super::resources::limit;
use super::socket_diag::last_moved;
use super::sockets::Sockets;
use std::collections::HashMap;
use std::path::Path;
use triage_diagnosis::snapshot::{
    Descriptor, LastMoved, Open, Process, Protocol, Socket, SystemCall, Used, parse_epoll,
};
use triage_diagnosis::{Mount, network_mount};

/// Processes whose descriptors are read.
const MAX_PROCESSES: usize = 64;
/// Descriptors that are read, of all of them.
const MAX_DESCRIPTORS: usize = 16_384;
/// How many descriptors are open is counted up to here.
const MAX_COUNTED: usize = 65_536;
/// Sockets that are kept, and of each so many states and epoll descriptors.
const MAX_SOCKETS: usize = 2_048;
const MAX_STATES: usize = 8;
const MAX_EPOLLS_OF_SOCKET: usize = 16;
/// Sockets of which the kernel is asked more.
const MAX_ASKED: usize = 256;
/// Files on network mounts that are kept.
const MAX_FILES: usize = 64;
/// Epoll sets of a process that are read, and of each so many bytes.
const MAX_EPOLLS: usize = 64;
const EPOLL_BYTES: usize = 128 * 1024;
/// Descriptors that threads wait for by name which are read before all others.
const MAX_AWAITED: usize = 512;

/// What the function's processes have open, and what it takes to read it again.
#[derive(Debug, Default)]
pub(super) struct OpenFound {
    pub(super) open: Open,
    /// Where in it a socket is: by its inode, process and descriptor.
    places: HashMap<(u64, u32, u32), usize>,
    /// Whether there was more than the time or the bounds allowed to read.
    pub(super) is_partial: bool,
}

impl OpenFound {
    /// Reads what threads wait for by a descriptor's number. What was read before is kept: a socket
    /// that is still there has one state more.
    pub(super) fn read_awaited(
        &mut self,
        proc: &mut Proc<'_>,
        processes: &[Process],
        sockets: &Sockets,
        mounts: &[Mount],
    ) {
        self.is_partial |= !sockets.is_whole;
        self.open.network_files.clear();
        let mut left = MAX_AWAITED;
        for process in processes.iter().filter(|process| awaits_a_descriptor(process)) {
            if !is_still_there(proc, process) {
                continue;
            }
            let mut sets = Vec::new();
            for thread in &process.threads {
                if left == 0 || proc.budget.is_over() {
                    self.is_partial = true;
                    return;
                }
                match thread.waits_in {
                    Some(
                        SystemCall::Connect(descriptor)
                        | SystemCall::Receive(descriptor)
                        | SystemCall::Send(descriptor),
                    ) => {
                        left -= 1;
                        self.read_one(proc, (process.pid, descriptor), &[], sockets, mounts);
                    }
                    Some(SystemCall::EpollWait(set)) if !sets.contains(&set) => {
                        sets.push(set);
                        for watched in watched(proc, process.pid, set).into_iter().take(left) {
                            left -= 1;
                            let place = (process.pid, watched);
                            self.read_one(proc, place, &[set], sockets, mounts);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reads everything else that the processes have open.
    pub(super) fn read_all(
        &mut self,
        proc: &mut Proc<'_>,
        processes: &[Process],
        sockets: &Sockets,
        mounts: &[Mount],
    ) {
        self.is_partial |= processes.len() > MAX_PROCESSES;
        self.open.descriptors.clear();
        let mut left = MAX_DESCRIPTORS;
        for process in processes.iter().take(MAX_PROCESSES) {
            if left == 0 || proc.budget.is_over() {
                self.is_partial = true;
                return;
            }
            if is_still_there(proc, process) {
                self.read_process(proc, process.pid, sockets, mounts, &mut left);
            }
        }
    }

    fn read_process(
        &mut self,
        proc: &mut Proc<'_>,
        pid: u32,
        sockets: &Sockets,
        mounts: &[Mount],
        left: &mut usize,
    ) {
        let notes = proc.notes;
        let mut descriptors = Vec::new();
        match proc.numbers(format_args!("{pid}/fd"), MAX_COUNTED, &mut descriptors) {
            Ok(is_whole) => self.is_partial |= !is_whole,
            Err(e) => return notes.note("descriptors", &e),
        }
        let limit = limit(proc, pid, "Max open files");
        self.open.descriptors.push(Used { pid, used: descriptors.len() as u64, limit });
        let mut sets = Vec::new();
        for descriptor in descriptors {
            if *left == 0 || proc.budget.is_over() {
                self.is_partial = true;
                return;
            }
            *left -= 1;
            if self.read_one(proc, (pid, descriptor), &[], sockets, mounts) {
                sets.push(descriptor);
            }
        }
        for set in sets.into_iter().take(MAX_EPOLLS) {
            let watched = watched(proc, pid, set);
            for socket in &mut self.open.sockets {
                if socket.pid == pid && watched.binary_search(&socket.descriptor).is_ok() {
                    add_epolls(socket, &[set]);
                }
            }
        }
    }

    /// Reads what one descriptor is; says whether it is an epoll set.
    fn read_one(
        &mut self,
        proc: &mut Proc<'_>,
        (pid, descriptor): (u32, u32),
        epolls: &[u32],
        sockets: &Sockets,
        mounts: &[Mount],
    ) -> bool {
        let notes = proc.notes;
        let link = proc.link(format_args!("{pid}/fd/{descriptor}"));
        let link = link.inspect_err(|e| notes.note("what descriptors are", e)).ok();
        match link.as_deref().and_then(Path::to_str).map(Descriptor::from_link) {
            Some(Descriptor::Socket(inode)) => {
                self.add_socket((inode, pid, descriptor), epolls, sockets);
            }
            Some(Descriptor::File(path)) => {
                let mount = network_mount(mounts, path);
                let files = &mut self.open.network_files;
                if let Some(mount) = mount.filter(|_| files.len() < MAX_FILES) {
                    let file = (pid, descriptor, mount.point.clone());
                    if !files.contains(&file) {
                        files.push(file);
                    }
                }
            }
            Some(Descriptor::Epoll) => return true,
            Some(Descriptor::Other) | None => {}
        }
        false
    }

    fn add_socket(&mut self, key: (u64, u32, u32), epolls: &[u32], sockets: &Sockets) {
        let (inode, pid, descriptor) = key;
        let Some((protocol, entry)) = sockets.get(inode) else { return };
        if let Some(place) = self.places.get(&key) {
            let socket = &mut self.open.sockets[*place];
            let is_new = socket.states.last().is_none_or(|last| last.at_us != entry.state.at_us);
            if is_new && socket.states.len() < MAX_STATES {
                socket.states.push(entry.state);
                // It may be connected anew, to another peer.
                socket.peer = entry.peer;
            }
            add_epolls(socket, epolls);
            return;
        }
        if self.open.sockets.len() >= MAX_SOCKETS {
            self.is_partial = true;
            return;
        }
        self.places.insert(key, self.open.sockets.len());
        self.open.sockets.push(Socket {
            pid,
            descriptor,
            epolls: epolls.to_vec(),
            protocol: *protocol,
            peer: entry.peer,
            states: vec![entry.state],
            last_sent_ms: None,
            last_received_ms: None,
        });
    }

    /// Asks the kernel when data last moved on the TCP sockets that were found first, but for as many
    /// as were asked for already.
    pub(super) fn add_last_moved(&mut self, proc: &Proc<'_>, sockets: &Sockets, asked: usize) {
        let wanted = asked..MAX_ASKED;
        let of_place = self.places.iter().filter(|(_, place)| wanted.contains(*place));
        let entries: Vec<_> = of_place.filter_map(|((inode, ..), _)| sockets.get(*inode)).collect();
        let tcp = entries.into_iter().filter(|(protocol, _)| *protocol == Protocol::Tcp);
        let moved = last_moved(tcp.map(|(_, entry)| (entry.local, entry.peer)), proc.budget);
        let moved = moved.inspect_err(|e| proc.notes.note_absent("sock_diag", e));
        let moved = moved.unwrap_or_default().into_iter().map(|moved| (moved.inode, moved));
        let moved: HashMap<_, LastMoved> = moved.collect();
        for ((inode, ..), place) in &self.places {
            if let Some(moved) = moved.get(inode) {
                let socket = &mut self.open.sockets[*place];
                socket.last_sent_ms = moved.sent_ms;
                socket.last_received_ms = moved.received_ms;
            }
        }
    }
}

fn awaits_a_descriptor(process: &Process) -> bool {
    use SystemCall::{Connect, EpollWait, Receive, Send};
    let is_such = |call| matches!(call, Connect(_) | Receive(_) | Send(_) | EpollWait(_));
    process.threads.iter().any(|thread| thread.waits_in.is_some_and(is_such))
}

/// The descriptors that an epoll set watches, in order.
fn watched(proc: &mut Proc<'_>, pid: u32, set: u32) -> Vec<u32> {
    let notes = proc.notes;
    let fdinfo = proc.text(format_args!("{pid}/fdinfo/{set}"), EPOLL_BYTES);
    let fdinfo = fdinfo.inspect_err(|e| notes.note("fdinfo", e)).unwrap_or_default();
    let mut watched = parse_epoll(&fdinfo);
    watched.sort_unstable();
    watched
}

fn add_epolls(socket: &mut Socket, epolls: &[u32]) {
    for epoll in epolls {
        if socket.epolls.len() < MAX_EPOLLS_OF_SOCKET && !socket.epolls.contains(epoll) {
            socket.epolls.push(*epoll);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sockets::OwnEndpoints;
    use super::super::tree::Tree;
    use super::*;
    use std::net::SocketAddr;
    use std::time::Instant;
    use triage_diagnosis::snapshot::TcpState;
    use triage_diagnosis::snapshot::Thread;

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
        Process { pid, started_at_ticks: 30, ..Process::default() }
    }

    fn own() -> OwnEndpoints {
        OwnEndpoints::of("127.0.0.1:9001")
    }

    fn read(found: &mut OpenFound, tree: &Tree, begun: Instant) {
        let processes = [process(40), process(50)];
        read_of(found, tree, begun, &processes);
    }

    fn read_of(found: &mut OpenFound, tree: &Tree, begun: Instant, processes: &[Process]) {
        let sockets = Sockets::read(&mut tree.proc(), 40, &own(), begun);
        let mounts = [Mount {
            point: "/mnt/efs".to_owned(),
            fs_type: "nfs4".to_owned(),
            is_read_only: false,
        }];
        found.read_awaited(&mut tree.proc(), processes, &sockets, &mounts);
        found.read_all(&mut tree.proc(), processes, &sockets, &mounts);
    }

    fn of_two() -> Tree {
        let tree = Tree::new();
        tree.process(40, 1, "python3", 30).process(50, 40, "convert", 30);
        tree
    }

    /// Two processes that share a socket.
    fn tree() -> Tree {
        let tree = of_two();
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
        read_of(&mut found, &tree, Instant::now(), &[process(77)]);
        read_of(&mut found, &tree, Instant::now(), &[]);
    }

    #[test]
    fn of_a_process_that_got_the_id_of_another_nothing_is_read() {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.process(40, 1, "other", 31);
        let threads = vec![Thread { waits_in: Some(SystemCall::Connect(3)), ..Thread::default() }];
        let processes = [Process { threads, ..process(40) }, process(50)];
        read_of(&mut found, &tree, Instant::now(), &processes);
        assert!(found.open.sockets.iter().all(|socket| socket.pid == 50), "{found:?}");
        assert_eq!(found.open.descriptors.len(), 1);
    }

    #[test]
    fn more_than_fits_is_left_out_and_that_is_said() {
        let (tree, mut found) = (of_two(), OpenFound::default());
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
        let (tree, mut found) = (of_two(), OpenFound::default());
        tree.link("40/fd/3", "socket:[900]");
        tree.file("40/net/tcp", line(443, 1, 1, 0).repeat(20_000) + &line(443, 1, 900, 0));
        read(&mut found, &tree, Instant::now());
        assert!(found.open.sockets.is_empty() && found.is_partial);
    }

    #[test]
    fn what_threads_wait_for_is_read_first() {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.file("40/net/tcp6", HEAD.to_owned() + &line(443, 1, 901, 0));
        let waits = |waits_in| Thread { waits_in: Some(waits_in), ..Thread::default() };
        let threads = vec![waits(SystemCall::EpollWait(5)), waits(SystemCall::Connect(3))];
        let processes = [Process { threads, ..process(40) }];
        let sockets = Sockets::read(&mut tree.proc(), 40, &own(), Instant::now());
        found.read_awaited(&mut tree.proc(), &processes, &sockets, &[]);
        let told = |found: &OpenFound| {
            let sockets = found.open.sockets.iter();
            sockets.map(|s| (s.descriptor, s.epolls.clone(), s.states.len())).collect::<Vec<_>>()
        };
        assert_eq!(told(&found), [(4, vec![5], 1), (3, vec![], 1)]);
        // What is found again in the same reading is the same.
        found.read_all(&mut tree.proc(), &processes, &sockets, &[]);
        assert_eq!(told(&found), [(4, vec![5], 1), (3, vec![], 1)]);
    }
}
