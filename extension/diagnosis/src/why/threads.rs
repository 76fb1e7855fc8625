//! Causes that the states of threads and processes show.

use super::children::{may_be_in_vfork, may_wait_for_child};
use super::{Seen, Watched, Why, shown};
use crate::mounts::network_mount;
use crate::snapshot::{Look, Process, SystemCall};

/// A function with this much memory has one CPU; with less, as much less of it.
const MB_PER_CPU: f64 = 1_769.0;
/// Between looks that are nearer than this nothing can be told of progress.
const LEAST_TIME_US: u64 = 20_000;
/// What runs all of this time, at look after look, computes.
const LEAST_BUSY_US: u64 = 10_000;
/// Of the CPU that a thread could have had, what it must have used to be bound by it. At a quota it may come
/// in turns of 100 ms, of which the looks may see more or fewer.
const BUSY_SHARE: f64 = 0.6;
const BUSY_SHARE_AT_QUOTA: f64 = 0.5;
/// In so long a time a quota is kept to; what has used so many times as much had none.
const QUOTA_TIME_US: u64 = 100_000;
const BEYOND_QUOTA: f64 = 3.0;
/// Less does where it ran or waited for a CPU for so much of the time.
const WANTED_SHARE: f64 = 0.9;
/// And of the CPU that it could have had since the invocation began: what computes for the last moments
/// alone is not what took the time.
const BUSY_LIFE_SHARE: f64 = 0.2;
/// Several threads that take turns must have used so much of it, or have run or waited for a CPU for
/// so much of the time.
const BUSY_TOGETHER_SHARE: f64 = 0.7;
/// Of the looks, in how many it must have been running, in percent.
const BUSY_LOOKS_PERCENT: u32 = 75;
/// The same of threads that take turns: between the readings of their states the turn may change.
const TOGETHER_LOOKS_PERCENT: usize = 50;
/// Of all the memory, what must be left for it not to be short, in percent.
const ROOM_PERCENT: u64 = 30;
/// What a thread that sleeps may use in all, of the time between the looks.
const ASLEEP_SHARE: f64 = 0.05;
/// Resident memory of the limit, from which on major faults mean that memory is short.
const FULL_PERCENT: u64 = 85;
/// Major faults a second that mean that code or data is read again and again.
const THRASHING_FAULTS_PER_S: u64 = 100;

/// Parts of kernel functions that wait for a disk of this machine.
const LOCAL_CHANNELS: [&str; 7] = ["jbd2", "ext4", "xfs_", "xlog", "btrfs", "blk_", "fuse"];

/// A call's name as one knows it.
pub(super) const fn call_name(call: SystemCall) -> &'static str {
    match call {
        SystemCall::Connect(_) => "connect",
        SystemCall::Receive(_) => "read",
        SystemCall::Send(_) => "write",
        SystemCall::Accept(_) => "accept",
        SystemCall::Poll => "poll",
        SystemCall::EpollWait(_) => "epoll_wait",
        SystemCall::WaitChild => "wait",
        SystemCall::Futex => "futex",
        SystemCall::Sleep => "sleep",
        SystemCall::File => "file",
        SystemCall::Other(_) => "other",
    }
}

impl Seen<'_> {
    /// Whether a process began or ended between the looks.
    fn has_changed(&self) -> bool {
        let ids = |look: &Look| look.processes.iter().map(|p| p.pid).collect::<Vec<_>>();
        let mut whole = self.snapshot.looks.iter().filter(|look| !look.is_short).map(ids);
        let first = whole.next();
        whole.any(|ids| Some(ids) != first)
    }

    /// The share of one CPU that the function may use, one thread at most: by its memory, unless it used
    /// more than that would have let it, as where Lambda gives more or a sandbox sets none.
    fn quota(&self) -> f64 {
        let quota =
            self.running.memory_size_mb.map_or(1.0, |mb| (mb as f64 / MB_PER_CPU).clamp(0.01, 1.0));
        let time_us = self.time_us();
        let cpu_ns = self.threads.iter().map(|w| w.cpu_ns).fold(0, u64::saturating_add);
        let is_beyond = cpu_ns as f64 > time_us as f64 * 1_000.0 * quota * BEYOND_QUOTA;
        if time_us >= QUOTA_TIME_US && is_beyond { 1.0 } else { quota }
    }
}

impl Watched<'_> {
    fn cpu_share(&self) -> f64 {
        if self.time_us == 0 {
            return 0.0;
        }
        self.cpu_ns as f64 / (self.time_us as f64 * 1_000.0)
    }

    fn is_busy(&self, quota: f64) -> bool {
        let busy_share = if quota < 1.0 { BUSY_SHARE_AT_QUOTA } else { BUSY_SHARE };
        self.time_us >= LEAST_BUSY_US
            && self.looks > 1
            && self.running * 100 >= self.looks * BUSY_LOOKS_PERCENT
            && (self.cpu_share() >= quota * busy_share
                || self.cpu_share() >= quota * BUSY_LIFE_SHARE
                    && self.wanted_share() >= WANTED_SHARE)
    }

    /// For how much of the time it ran or waited for a CPU that others had.
    fn wanted_share(&self) -> f64 {
        let wanted_ns = self.cpu_ns.saturating_add(self.cpu_wait_ns);
        wanted_ns as f64 / (self.time_us.max(1) as f64 * 1_000.0)
    }

    /// In uninterruptible sleep at every look, without progress.
    fn is_stuck(&self) -> bool {
        self.looks > 1
            && self.time_us >= LEAST_TIME_US
            && self.stuck == self.looks
            && self.cpu_share() < ASLEEP_SHARE
    }
}

/// Whether this much CPU is more than that of the last moments of an invocation that has run so long. Only that of
/// a thread's whole life is known.
fn is_long_busy(cpu_ns: Option<u64>, quota: f64, ran_ms: Option<u64>) -> bool {
    let share_ns = |ran_ms: u64| ran_ms as f64 * 1e6 * quota * BUSY_LIFE_SHARE;
    cpu_ns.zip(ran_ms).is_none_or(|(cpu_ns, ran_ms)| cpu_ns as f64 >= share_ns(ran_ms))
}

/// Nearly all memory is in use, and what had to make room is read again and again.
pub(super) fn memory_pressure(seen: &Seen<'_>) -> Option<Why> {
    let limit_mb = seen.running.memory_size_mb?;
    let (first, last) = (seen.snapshot.looks.first()?, super::last_whole(seen.snapshot)?);
    let seconds = seen.time_us().max(1) as f64 / 1_000_000.0;
    if seen.time_us() < LEAST_TIME_US {
        return None;
    }
    // A process that began meanwhile had to read itself first.
    let same = |p: &Process| {
        let is_it = |f: &&Process| (f.pid, f.started_at_ticks) == (p.pid, p.started_at_ticks);
        first.processes.iter().find(is_it).map(|f| p.major_faults.saturating_sub(f.major_faults))
    };
    let faults = last.processes.iter().filter_map(same).fold(0, u64::saturating_add);
    let faults_per_s = (faults as f64 / seconds) as u64;
    let resident = last.processes.iter().filter_map(|p| p.resident_kib);
    let resident_kib = resident.fold(0, u64::saturating_add);
    let is_full =
        (resident_kib / 1_024).saturating_mul(100) >= limit_mb.saturating_mul(FULL_PERCENT);
    if !is_full || has_room(seen, limit_mb) || faults_per_s < THRASHING_FAULTS_PER_S {
        return None;
    }
    let clause = format!(
        "while short of memory: {} of {limit_mb} MB in use, {faults_per_s} major page faults a second",
        resident_kib / 1_024
    );
    let why = Why::of("memory-pressure", clause)
        .evidence("residentMb", Some(resident_kib / 1_024))
        .evidence("memorySizeMb", Some(limit_mb))
        .evidence("majorFaultsPerSecond", Some(faults_per_s));
    Some(why)
}

/// Whether the kernel has memory left: pages that processes share count in each of them. Of a machine that is
/// larger than the function by far it says nothing.
fn has_room(seen: &Seen<'_>, limit_mb: u64) -> bool {
    let resources = seen.snapshot.resources.as_ref();
    let told = resources.and_then(|r| r.memory_available_kib.zip(r.memory_total_kib));
    told.is_some_and(|(available_kib, total_kib)| {
        total_kib / 1_024 < limit_mb.saturating_mul(2)
            && available_kib.saturating_mul(100) > total_kib.saturating_mul(ROOM_PERCENT)
    })
}

/// A thread that cannot even be killed: it waits for a file system.
pub(super) fn file_system_stall(seen: &Seen<'_>) -> Option<Why> {
    let stuck = seen.threads.iter().filter(|w| w.is_stuck() && !w.is_in_vfork());
    let stuck = stuck.filter(|w| !may_be_in_vfork(seen, w) && seen.may_await_thread(w));
    let stuck: Vec<_> = stuck.collect();
    let first = stuck.iter().find(|w| w.is_main()).or(stuck.first())?;
    let is_of_server = stuck.iter().find(|w| w.waits_at(&["nfs", "rpc_"])).is_some();
    let is_local = stuck.iter().all(|w| w.waits_at(&LOCAL_CHANNELS));
    let files = seen.open().filter(|_| !is_local).map_or(&[][..], |open| &open.network_files);
    // A thread that reads or writes names its descriptor: then no other counts.
    let may_be = |pid: u32, descriptor: u32| {
        stuck.iter().filter(|w| w.process.pid == pid).any(|w| match w.thread.waits_in {
            Some(SystemCall::Receive(on) | SystemCall::Send(on)) => on == descriptor,
            _ => true,
        })
    };
    let mount = files.iter().find(|(pid, at, _)| may_be(*pid, *at)).map(|(.., point)| point);
    let mounts = seen.snapshot.resources.as_ref().and_then(|r| r.mounts.as_deref());
    // Where the kernel names NFS, the only mount of that kind is meant.
    let only = mounts.filter(|_| is_of_server).and_then(|mounts| {
        let mut network = mounts.iter().filter(|m| network_mount(mounts, &m.point) == Some(*m));
        network.next().filter(|_| network.next().is_none()).map(|m| &m.point)
    });
    let mount = mount.or(only);
    let whom = match mount {
        Some(point) => format!("the file system on {}", shown(point)),
        None if is_of_server => "a network file system".to_owned(),
        None => "a file system".to_owned(),
    };
    let clause = format!(
        "while waiting for {whom}: {} of process {} cannot be interrupted",
        if stuck.len() == 1 { "a thread".to_owned() } else { format!("{} threads", stuck.len()) },
        shown(&first.process.name)
    );
    let mut why = Why::of("file-system-stall", clause)
        .evidence("process", Some(shown(&first.process.name)))
        .evidence("stuckThreads", Some(stuck.len()))
        .evidence("mount", mount.map(|point| shown(point)))
        .evidence("waitChannel", first.thread.wait_channel.as_deref().map(shown));
    why.is_of_network_files = is_of_server || mount.is_some();
    Some(why)
}

fn busy(seen: &Seen<'_>, is_it: impl Fn(&Watched<'_>) -> bool) -> Option<Why> {
    let quota = seen.quota();
    let ran_ms = seen.running.ran_ms;
    let busy = seen
        .threads
        .iter()
        .filter(|w| w.is_busy(quota) && is_long_busy(w.thread.cpu_ns, quota, ran_ms));
    let busy = busy.filter(|w| is_it(w) && seen.may_await_thread(w) && !seen.waited_long());
    let most = busy.max_by(|a, b| a.cpu_ns.cmp(&b.cpu_ns))?;
    let share = most.cpu_share();
    let of_quota = (share / quota * 100.0).round().min(100.0);
    let process = shown(&most.process.name);
    let thread = shown(&most.thread.name);
    let who = match most.is_main() || thread == process {
        true => format!("process {process}"),
        false => format!("thread {thread} of process {process}"),
    };
    let clause = format!(
        "while computing: {who} was running at every look, on {of_quota} % of the CPU that it can have \
         in the last {} ms",
        most.time_us / 1_000
    );
    let why = Why::of("cpu-bound", clause)
        .of_process(most.process.pid)
        .evidence("threadCpuMs", most.thread.cpu_ns.map(|ns| ns / 1_000_000))
        .evidence("process", Some(process))
        .evidence("thread", Some(thread).filter(|_| !most.is_main()))
        .evidence("cpuPercent", Some((share * 1_000.0).round() / 10.0))
        .evidence("quotaPercent", Some((quota * 1_000.0).round() / 10.0));
    Some(why)
}

/// Whether the thread that runs the handler computes.
pub(super) fn main_computes(seen: &Seen<'_>) -> Option<Why> {
    let main = seen.main()?.thread.tid;
    busy(seen, |w| w.thread.tid == main)
}

/// Some other thread computes, or several do in turn (as with a lock that only one can hold).
pub(super) fn cpu_bound(seen: &Seen<'_>) -> Option<Why> {
    // In place of that, never beside it.
    if main_computes(seen).is_some() {
        return None;
    }
    busy(seen, |_| true).or_else(|| busy_together(seen))
}

fn busy_together(seen: &Seen<'_>) -> Option<Why> {
    let quota = seen.quota();
    let time_us = seen.time_us();
    let looks = seen.snapshot.looks.len();
    let ran_ms = seen.running.ran_ms;
    let is_busy = |process: &&Process| {
        let of_process = |w: &&Watched<'_>| w.process.pid == process.pid;
        let threads = || seen.threads.iter().filter(of_process);
        let cpu_ns = threads().map(|w| w.cpu_ns).fold(0, u64::saturating_add);
        let wait_ns = threads().map(|w| w.cpu_wait_ns).fold(0, u64::saturating_add);
        let wanted_ns = cpu_ns.saturating_add(wait_ns);
        let time_ns = time_us as f64 * 1_000.0;
        let has_used = |share: f64| cpu_ns as f64 >= time_ns * quota * share;
        let runs_in = |look: &Look| {
            let then = look.processes.iter().find(|p| p.pid == process.pid);
            then.is_some_and(|then| then.threads.iter().any(|thread| thread.state == 'R'))
        };
        let running = seen.snapshot.looks.iter().filter(|look| runs_in(look)).count();
        looks > 1
            && time_us >= LEAST_TIME_US
            && running * 100 >= looks * TOGETHER_LOOKS_PERCENT
            && (has_used(BUSY_TOGETHER_SHARE)
                || has_used(BUSY_LIFE_SHARE) && wanted_ns as f64 >= time_ns * BUSY_TOGETHER_SHARE)
            && is_long_busy(threads().map(|w| w.thread.cpu_ns).sum(), quota, ran_ms)
            && !seen.waited_long()
            && threads().filter(|w| w.cpu_ns > 0).all(|w| seen.may_await_thread(w))
    };
    let process = seen.processes().iter().find(is_busy)?;
    let name = shown(&process.name);
    let cpu_ns: u64 = seen
        .threads
        .iter()
        .filter(|w| w.process.pid == process.pid)
        .map(|w| w.cpu_ns)
        .fold(0, u64::saturating_add);
    let share = cpu_ns as f64 / (time_us as f64 * 1_000.0);
    let of_quota = (share / quota * 100.0).round().min(100.0);
    let clause = format!(
        "while computing: threads of process {name} took turns, on {of_quota} % of the CPU that they can \
         have in the last {} ms",
        time_us / 1_000
    );
    let why = Why::of("cpu-bound", clause)
        .of_process(process.pid)
        .evidence("process", Some(name))
        .evidence("cpuPercent", Some((share * 1_000.0).round() / 10.0))
        .evidence("quotaPercent", Some((quota * 1_000.0).round() / 10.0));
    Some(why)
}

/// Everything sleeps, and nothing is on its way that could wake it.
pub(super) fn idle(seen: &Seen<'_>) -> Option<Why> {
    let asleep = |w: &Watched<'_>| w.looks > 1 && w.thread.state == 'S' && w.stuck == 0;
    let cpu_ns: u64 = seen.threads.iter().map(|w| w.cpu_ns).fold(0, u64::saturating_add);
    let is_quiet =
        (cpu_ns as f64) < seen.time_us() as f64 * 1_000.0 * ASLEEP_SHARE * seen.quota().max(0.2);
    let all_asleep = !seen.threads.is_empty() && seen.threads.iter().all(asleep);
    // A lock on a file, a pipe, another process's socket: something may still come. What is polled is in
    // the process's memory, and a resolver's socket without a peer is in no table.
    let waits_for_more = |w: &Watched<'_>| {
        use SystemCall::{Connect, EpollWait, File, Futex, Poll, Receive, Send, Sleep};
        match w.is_main() {
            true if seen.is_above_main(w) => false,
            true => !w.waits_in(|call| matches!(call, EpollWait(_) | Futex | Sleep)),
            false => w.waits_in(|call| match call {
                Receive(on) => {
                    !seen.sockets().any(|s| (s.pid, s.descriptor) == (w.process.pid, on))
                }
                call => matches!(call, Connect(_) | File | Poll | Send(_)),
            }),
        }
    };
    if seen.time_us() < LEAST_TIME_US
        || !all_asleep
        || seen.threads.iter().any(waits_for_more)
        || !is_quiet
        || !(seen.sockets_are_idle() || seen.threads.iter().all(|w| seen.waits_for_no_socket(w)))
        || seen.refused_connections().is_some_and(|(refused, _)| refused > 0)
        || seen.snapshot.is_partial
        || seen.moved_lately()
        || seen.has_changed()
        || may_wait_for_child(seen)
    {
        return None;
    }
    let main = seen.main()?;
    let lost = "a callback or promise may have been lost";
    let clause = match (main.thread.waits_in, main.thread.waits_with.is_timed) {
        (Some(SystemCall::Sleep), _) => {
            "while sleeping, as its own code asks for: so does what pauses before it tries or looks again"
                .to_owned()
        }
        (_, Some(true)) => format!(
            "while waiting for a timer of its own: no connection and no child process is waited for; {lost}, or \
             it pauses before it tries again"
        ),
        (Some(SystemCall::Futex), _)
            if seen.threads.iter().any(|w| w.waits_in(|call| call == SystemCall::Sleep)) =>
        {
            "while one of its threads sleeps, as its own code asks for: so does what pauses before it tries or looks \
             again"
                .to_owned()
        }
        (Some(SystemCall::Futex), _) => format!(
            "while waiting for nothing that could come: its threads wait for one another; {lost}"
        ),
        _ => format!(
            "while waiting for nothing that could come: no connection and no child process is waited for; \
             {lost}"
        ),
    };
    let why = Why::of("idle", clause)
        .evidence("process", Some(shown(&main.process.name)))
        .evidence("waitsIn", main.thread.waits_in.map(call_name))
        .evidence("timer", main.thread.waits_with.is_timed)
        .evidence("threads", Some(seen.threads.len()));
    Some(why)
}
