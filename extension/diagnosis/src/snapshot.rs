//! What was read of the function's processes shortly before a deadline.
//!
//! The shell reads `/proc` in stages and hands over what it has after each of them, so everything here
//! may be missing. Nothing that a process was given or works on is in it: no environment, no command
//! line, no memory.

mod counters;
mod epoll;
mod mount_stats;
mod process_stat;
mod socket_diag;
mod socket_table;
mod system_call;
mod thread_files;

pub use counters::{parse_attempts, parse_limit, parse_meminfo, parse_uptime};
pub use epoll::{Descriptor, parse_epoll};
pub use mount_stats::parse_mountstats;
pub use process_stat::Stat;
use serde::Deserialize;
pub use socket_diag::{DiagAnswer, LastMoved, diag_request, parse_diag_answer, parse_refused};
pub use socket_table::{TableEntry, parse_socket_line};
use std::net::SocketAddr;
pub use system_call::{Architecture, CallArguments, SystemCall};
pub use thread_files::{parse_schedstat, parse_syscall, parse_wchan};

/// What was read for one invocation, so far. A later one of the same invocation holds all of the
/// earlier one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// The function's processes, at one moment after another: once at the first stage.
    pub looks: Vec<Look>,
    /// What the suspects have open; None until it was read.
    pub open: Option<Open>,
    /// The resources of the sandbox; None until they were read.
    pub resources: Option<Resources>,
    /// The other ends of connections that were refused while it was looked, of whomever in the sandbox.
    pub refused_peers: Vec<SocketAddr>,
    /// The names of extensions' processes that are not this one, as `comm` gives them.
    pub other_extensions: Vec<String>,
    /// Whether there was more than the time or the bounds allowed to read.
    pub is_partial: bool,
    /// When it was handed over, in microseconds since the first look began.
    pub taken_us: Option<u64>,
}

/// The function's processes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Look {
    /// When, in microseconds since the first look began, by a clock that no one sets.
    pub at_us: u64,
    /// When, in clock ticks since the machine began: the clock of [`Process::started_at_ticks`].
    pub at_ticks: Option<u64>,
    /// Whether it holds only the threads that ran since the look before or were to run: of all others
    /// nothing has changed.
    pub is_short: bool,
    /// The function's processes: the runtime and all that descends from it, the runtime first.
    pub processes: Vec<Process>,
    /// How many TCP connections were refused or given up since the sandbox began (`AttemptFails` of
    /// `/proc/net/snmp`).
    pub refused_connections: Option<u64>,
    /// How many were begun (`ActiveOpens`).
    pub opened_connections: Option<u64>,
}

/// A process of the function.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// That of its parent.
    pub parent_pid: u32,
    /// Its `comm`: 15 bytes at most, whatever they are.
    pub name: String,
    /// When it began, in clock ticks: with the process id, what tells it from a later one.
    pub started_at_ticks: u64,
    /// Resident memory in KiB.
    pub resident_kib: Option<u64>,
    /// Major page faults so far, of all its threads.
    pub major_faults: u64,
    /// Its threads, the first of them first.
    pub threads: Vec<Thread>,
}

/// A thread of a process.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Thread {
    /// Its thread id.
    pub tid: u32,
    /// Its `comm`.
    pub name: String,
    /// Its state, as the kernel's letter: `R`, `S`, `D`, `T`, `Z`.
    pub state: char,
    /// CPU time in nanoseconds so far.
    pub cpu_ns: Option<u64>,
    /// Time in nanoseconds that it waited for a CPU so far.
    pub cpu_wait_ns: Option<u64>,
    /// The kernel function that it waits in, where the kernel tells.
    pub wait_channel: Option<String>,
    /// The system call that it waits in, where the kernel tells.
    pub waits_in: Option<SystemCall>,
    /// What that call's arguments say.
    pub waits_with: CallArguments,
}

/// What the suspects have open.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Open {
    /// Their sockets that have a peer, but for those to the Runtime API.
    pub sockets: Vec<Socket>,
    /// Descriptors of files on network mounts: process, descriptor, the mount's point.
    pub network_files: Vec<(u32, u32, String)>,
    /// How many descriptors each process has open, and how many it may have.
    pub descriptors: Vec<Used>,
    /// Whether there is a UDP socket without a peer, as some resolvers have: what it sends where is in no
    /// table.
    pub has_unconnected: bool,
}

/// How much of a limit a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Used {
    /// The process.
    pub pid: u32,
    /// How much it uses.
    pub used: u64,
    /// How much it may use, where there is a limit.
    pub limit: Option<u64>,
}

/// A socket of a suspect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Socket {
    /// The process that has it open.
    pub pid: u32,
    /// Its descriptor there.
    pub descriptor: u32,
    /// The epoll descriptors of that process that watch it.
    #[serde(default)]
    pub epolls: Vec<u32>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The other end.
    pub peer: SocketAddr,
    /// Whether the other end has connected to this one: something in the sandbox listens on its port.
    #[serde(default)]
    pub is_accepted: bool,
    /// Its state, once for each time the sockets were read.
    pub states: Vec<SocketState>,
    /// Milliseconds since the last data were sent on it (since it was connected, if none went either
    /// way), and since the last data came in, where the kernel tells.
    #[serde(default)]
    pub last_sent_ms: Option<u64>,
    /// See there. None also where none ever came.
    #[serde(default)]
    pub last_received_ms: Option<u64>,
    /// Where none ever came, how often something was sent, as far as the kernel tells.
    #[serde(default)]
    pub unanswered_sends: Option<u64>,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// A socket at one moment, as a line of `/proc/net/tcp` or `/proc/net/udp` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SocketState {
    /// When, in microseconds since the first look began.
    pub at_us: u64,
    /// The TCP state.
    pub state: TcpState,
    /// Bytes sent and not acknowledged.
    pub send_queue: u64,
    /// Bytes received and not read.
    pub receive_queue: u64,
    /// How often the oldest unacknowledged segment was sent again.
    pub retransmits: u64,
    /// Whether the other end said that it has no room (the zero-window probe runs).
    pub is_probing: bool,
    /// When its timer fires, in ticks of 10 ms from then on: of a first SYN 100 at once after it.
    #[serde(default)]
    pub due_in_ticks: Option<u64>,
}

/// A TCP state that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TcpState {
    /// 01; of UDP: connected to a peer
    Established,
    /// 02: a SYN was sent, nothing came back
    SynSent,
    /// 08: the other end has closed
    CloseWait,
    /// 0A: it waits for others to connect
    Listen,
    /// Any other, by its number.
    Other(u8),
}

/// What the sandbox has left.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Memory that the kernel could still give, in KiB (`MemAvailable`).
    pub memory_available_kib: Option<u64>,
    /// All the memory there is, in KiB (`MemTotal`).
    pub memory_total_kib: Option<u64>,
    /// Bytes left in /tmp, and all of it.
    pub tmp_free_bytes: Option<u64>,
    /// See there.
    pub tmp_total_bytes: Option<u64>,
    /// Threads of all processes that can be seen, and how many there may be.
    pub threads: Option<u64>,
    /// See there (`Max processes` of the runtime's limits).
    pub threads_limit: Option<u64>,
    /// The mounts, as they are now.
    pub mounts: Option<Vec<crate::Mount>>,
    /// Retransmissions on network mounts so far, from mountstats: the mount's point, how many.
    pub nfs_retransmissions: Vec<(String, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let _ = Stat::parse(bytes);
        let _ = parse_schedstat(bytes);
        let _ = parse_wchan(bytes);
        for architecture in [Architecture::X86_64, Architecture::Arm64] {
            let _ = parse_syscall(bytes, architecture);
        }
        for line in text.lines() {
            let _ = parse_socket_line(line);
        }
        let _ = parse_diag_answer(bytes);
        let _ = parse_refused(bytes);
        let _ = parse_epoll(&text);
        let _ = Descriptor::from_link(&text);
        let _ = parse_mountstats(&text);
        let _ = parse_attempts(&text);
        let _ = parse_meminfo(&text, "MemTotal");
        let _ = parse_uptime(&text);
        let _ = parse_limit(&text, "Max open files");
    }

    proptest! {
        /// Whatever a kernel writes, reading it ends without a panic.
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            read_all(&bytes);
        }

        /// The same for what is nearly as it should be.
        #[test]
        fn any_text_of_its_alphabet_can_be_read(text in "[ :()0-9A-Fx.\n\t-]{0,200}") {
            for head in ["", "1 (a) R ", "0: ", "Tcp: AttemptFails\nTcp: ", "tfd: ", "MemTotal:", "socket:[",
                "device a mounted on /b with fstype nfs4\nper-op statistics\na: "]
            {
                read_all((head.to_owned() + &text).as_bytes());
            }
        }
    }
}
