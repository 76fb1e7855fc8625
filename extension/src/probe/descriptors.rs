//! What the function's processes have open: sockets, epoll sets, files on network mounts.

use super::files::{Proc, has_ended};
use super::processes::is_still_there;
use super::resources::limit;
use super::socket_diag::last_moved;
use super::sockets::Sockets;
use std::collections::{HashMap, HashSet};
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
                        for watched in self.watched(proc, process, set).into_iter().take(left) {
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
                self.read_process(proc, process, sockets, mounts, &mut left);
            }
        }
    }

    fn read_process(
        &mut self,
        proc: &mut Proc<'_>,
        process: &Process,
        sockets: &Sockets,
        mounts: &[Mount],
        left: &mut usize,
    ) {
        let (notes, pid) = (proc.notes, process.pid);
        let mut descriptors = Vec::new();
        match proc.numbers(format_args!("{pid}/fd"), MAX_COUNTED, &mut descriptors) {
            Ok(is_whole) => self.is_partial |= !is_whole,
            Err(e) => {
                self.is_partial |= !has_ended(&e);
                return notes.note("descriptors", &e);
            }
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
        self.is_partial |= sets.len() > MAX_EPOLLS;
        for set in sets.into_iter().take(MAX_EPOLLS) {
            let watched = self.watched(proc, process, set);
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
        // One that was closed meanwhile is no loss.
        self.is_partial |= link.as_ref().is_err_and(|e| !has_ended(e));
        let link = link.inspect_err(|e| notes.note("what descriptors are", e)).ok();
        // Of a file whose name is no text the mount above it still tells.
        let link = link.as_deref().map(Path::to_string_lossy);
        match link.as_deref().map(Descriptor::from_link) {
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
        self.open.has_unconnected |= sockets.is_unconnected(inode);
        let Some((protocol, entry)) = sockets.get(inode) else { return };
        if let Some(place) = self.places.get(&key) {
            let socket = &mut self.open.sockets[*place];
            let is_new = socket.states.last().is_none_or(|last| last.at_us != entry.state.at_us);
            if is_new && socket.states.len() < MAX_STATES {
                socket.states.push(entry.state);
                // It may be connected anew, to another peer.
                socket.peer = entry.peer;
                socket.is_accepted = sockets.is_accepted(entry);
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
            is_accepted: *protocol == Protocol::Tcp && sockets.is_accepted(entry),
            states: vec![entry.state],
            last_sent_ms: None,
            last_received_ms: None,
            unanswered_sends: None,
        });
    }

    /// Asks the kernel when data last moved on the TCP sockets that were found first, but for as many
    /// as were asked for already.
    pub(super) fn add_last_moved(
        &mut self,
        proc: &Proc<'_>,
        processes: &[Process],
        sockets: &Sockets,
        asked: usize,
    ) {
        // What was told at an earlier reading is not so any more.
        for socket in self.open.sockets.iter_mut().skip(asked) {
            (socket.last_sent_ms, socket.last_received_ms) = (None, None);
            socket.unanswered_sends = None;
        }
        let stuck: Vec<u32> = processes.iter().filter(|p| is_stuck(p)).map(|p| p.pid).collect();
        let of_stuck = |(inode, pid, _): &(u64, u32, u32)| stuck.contains(pid).then_some(*inode);
        let left_alone: HashSet<u64> = self.places.keys().filter_map(of_stuck).collect();
        let of_place = self.places.iter().filter(|((inode, ..), place)| {
            (asked..MAX_ASKED).contains(*place) && !left_alone.contains(inode)
        });
        let mut of_place: Vec<_> = of_place.map(|((inode, ..), place)| (*place, *inode)).collect();
        // What is waited for comes first.
        of_place.sort_unstable();
        let entries = of_place.iter().filter_map(|(_, inode)| sockets.get(*inode));
        let tcp = entries.filter(|(protocol, _)| *protocol == Protocol::Tcp);
        let moved = last_moved(tcp.map(|(_, entry)| (entry.local, entry.peer)), proc.budget);
        let moved = moved.inspect_err(|e| proc.notes.note_absent("sock_diag", e));
        // Where the kernel tells nothing, that is so of every socket.
        let (moved, is_whole) = moved.unwrap_or((Vec::new(), true));
        self.is_partial |= !is_whole;
        let moved: HashMap<_, LastMoved> = moved.into_iter().map(|m| (m.inode, m)).collect();
        for (place, inode) in of_place {
            if let Some(moved) = moved.get(&inode) {
                let socket = &mut self.open.sockets[place];
                socket.last_sent_ms = moved.sent_ms;
                socket.last_received_ms = moved.received_ms;
                socket.unanswered_sends = moved.unanswered_sends;
            }
        }
    }

    /// The descriptors that an epoll set watches, in order.
    fn watched(&mut self, proc: &mut Proc<'_>, process: &Process, set: u32) -> Vec<u32> {
        let (notes, pid) = (proc.notes, process.pid);
        if is_stuck(process) {
            return Vec::new();
        }
        let fdinfo = proc.text(format_args!("{pid}/fdinfo/{set}"), EPOLL_BYTES);
        let fdinfo = fdinfo.inspect_err(|e| notes.note("fdinfo", e));
        self.is_partial |=
            fdinfo.as_ref().map_or_else(|e| !has_ended(e), |(_, is_whole)| !is_whole);
        let mut watched = parse_epoll(&fdinfo.unwrap_or_default().0);
        watched.sort_unstable();
        watched
    }
}

/// Whether a thread of it is in uninterruptible sleep. It may hold locks that the kernel takes to tell of
/// its epoll sets and sockets: whoever asks would wait as it does.
fn is_stuck(process: &Process) -> bool {
    process.threads.iter().any(|thread| thread.state == 'D')
}

fn awaits_a_descriptor(process: &Process) -> bool {
    use SystemCall::{Connect, EpollWait, Receive, Send};
    let is_such = |call| matches!(call, Connect(_) | Receive(_) | Send(_) | EpollWait(_));
    process.threads.iter().any(|thread| thread.waits_in.is_some_and(is_such))
}

fn add_epolls(socket: &mut Socket, epolls: &[u32]) {
    for epoll in epolls {
        if socket.epolls.len() < MAX_EPOLLS_OF_SOCKET && !socket.epolls.contains(epoll) {
            socket.epolls.push(*epoll);
        }
    }
}

#[cfg(test)]
mod tests;
