//! The function's processes and their threads.

use super::Budget;
use super::budget::micros_since;
use super::family::family;
use super::files::Proc;
use super::sockets::{OwnEndpoints, connected_to_api};
use std::cell::RefCell;
use std::io;
use std::time::Instant;
use triage_diagnosis::snapshot::{
    Architecture, Look, Process, Stat, Thread, parse_attempts, parse_schedstat, parse_syscall,
    parse_uptime, parse_wchan,
};

/// Processes that are listed: those of a sandbox, in which there may be 1,024 threads.
const MAX_LISTED: usize = 2_048;
/// Processes of the function that are looked at.
const MAX_PROCESSES: usize = 256;
/// Threads of the function that are looked at.
const MAX_THREADS: usize = 1_024;
/// Threads of which is read what they wait in.
const MAX_WAITING: usize = 96;
/// `/proc/net/snmp` has some 20 lines.
const SNMP_BYTES: usize = 32 * 1024;

#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Architecture = Architecture::Arm64;
#[cfg(not(target_arch = "aarch64"))]
const ARCHITECTURE: Architecture = Architecture::X86_64;

/// A whole look at the function's processes, and what else was seen on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) look: Look,
    pub(super) other_extensions: Vec<String>,
    /// Threads of all processes that can be seen.
    pub(super) threads: u64,
    /// Whether there was more than the time or the bounds allowed to read.
    pub(super) is_partial: bool,
}

/// Looks at the function's processes: their threads, what these wait in as far as there is time.
///
/// # Errors
/// If /proc cannot be read.
pub(super) fn look(
    proc: &mut Proc<'_>,
    extension_names: &[String],
    own_endpoints: &OwnEndpoints,
    begun: Instant,
) -> io::Result<Found> {
    let at_us = micros_since(begun);
    let at_ticks = at_ticks(proc);
    let own = proc.small(format_args!("self/stat"))?;
    let own = Stat::parse(own).ok_or(io::ErrorKind::InvalidData)?;
    let mut ids = Vec::new();
    let mut is_partial = !proc.numbers(format_args!("."), MAX_LISTED, &mut ids)?;
    let mut all = Vec::with_capacity(ids.len());
    for id in &ids {
        if proc.budget.is_over() {
            is_partial = true;
            break;
        }
        all.extend(proc.small(format_args!("{id}/stat")).ok().and_then(Stat::parse));
    }
    let threads = all.iter().map(|stat| stat.threads).fold(0, u64::saturating_add);
    let shared = RefCell::new(proc);
    let link = |id, link: &str| {
        let mut proc = shared.borrow_mut();
        if proc.budget.is_over() {
            return None;
        }
        let path = proc.link(format_args!("{id}/{link}"));
        path.inspect_err(|e| proc.notes.note("where a process's executable is", e)).ok()
    };
    let with_api = |ids: &[u32]| connected_to_api(&mut shared.borrow_mut(), ids, own_endpoints);
    let found = family(&own, all, extension_names, link, with_api);
    let proc = shared.into_inner();
    is_partial |= found.members.len() > MAX_PROCESSES;
    let (mut processes, mut left) = (Vec::new(), MAX_THREADS);
    for stat in found.members.into_iter().take(MAX_PROCESSES) {
        // Of the runtime at least its first thread, unless nobody waits for that.
        let is_over = if processes.is_empty() { Budget::is_cancelled } else { Budget::is_over };
        if left == 0 || is_over(proc.budget) {
            is_partial = true;
            break;
        }
        let (process, is_whole) = process(proc, stat, left, &mut ids);
        is_partial |= !is_whole;
        left = left.saturating_sub(process.threads.len());
        processes.push(process);
    }
    is_partial |= !read_waits(proc, &mut processes);
    let (opened_connections, refused_connections) = attempts(proc).unzip();
    let is_short = false;
    let look =
        Look { at_us, at_ticks, is_short, processes, refused_connections, opened_connections };
    Ok(Found { look, other_extensions: found.other_extensions, threads, is_partial })
}

/// A process with its threads, at most so many, and whether those are all.
fn process(proc: &mut Proc<'_>, stat: Stat, max: usize, ids: &mut Vec<u32>) -> (Process, bool) {
    let pid = stat.id;
    let page_kib = rustix::param::page_size() as u64 / 1_024;
    let mut threads = vec![thread(proc, pid, &stat)];
    let mut is_whole = true;
    if stat.threads > 1 {
        let listed = proc.numbers(format_args!("{pid}/task"), max, ids);
        is_whole = listed.inspect_err(|e| proc.notes.note("threads", e)).unwrap_or(false);
        for tid in ids.iter().copied().filter(|tid| *tid != pid) {
            if proc.budget.is_over() {
                is_whole = false;
                break;
            }
            let own = proc.small(format_args!("{pid}/task/{tid}/stat"));
            // One that has ended meanwhile.
            let Some(own) = own.ok().and_then(Stat::parse) else { continue };
            threads.push(thread(proc, pid, &own));
        }
    }
    let process = Process {
        pid,
        parent_pid: stat.parent_pid,
        resident_kib: stat.resident_pages.map(|pages| pages.saturating_mul(page_kib)),
        major_faults: stat.major_faults,
        started_at_ticks: stat.started_at_ticks,
        name: stat.name,
        threads,
    };
    (process, is_whole)
}

fn thread(proc: &mut Proc<'_>, pid: u32, stat: &Stat) -> Thread {
    let (cpu_ns, cpu_wait_ns) = cpu_times(proc, pid, stat.id).unzip();
    let name = stat.name.clone();
    let (tid, state) = (stat.id, stat.state);
    Thread { tid, name, state, cpu_ns, cpu_wait_ns, ..Thread::default() }
}

fn cpu_times(proc: &mut Proc<'_>, pid: u32, tid: u32) -> Option<(u64, u64)> {
    let notes = proc.notes;
    let times = proc.small(format_args!("{pid}/task/{tid}/schedstat"));
    times.inspect_err(|e| notes.note("schedstat", e)).ok().and_then(parse_schedstat)
}

/// Reads what threads wait in: first of those that no signal ends, then of the first of each process,
/// then of the others. Says whether that was all.
fn read_waits(proc: &mut Proc<'_>, processes: &mut [Process]) -> bool {
    let mut waiting = Vec::new();
    for (p, process) in processes.iter().enumerate() {
        for (t, thread) in process.threads.iter().enumerate() {
            let rank = match thread.state {
                'D' => 0,
                'S' if t == 0 => 1,
                'S' => 2,
                _ => continue,
            };
            waiting.push((rank, p, t));
        }
    }
    waiting.sort_unstable();
    let notes = proc.notes;
    for (_, p, t) in waiting.iter().take(MAX_WAITING) {
        if proc.budget.is_over() {
            return false;
        }
        let pid = processes[*p].pid;
        let thread = &mut processes[*p].threads[*t];
        let tid = thread.tid;
        let wchan = proc.small(format_args!("{pid}/task/{tid}/wchan"));
        let wchan = wchan.inspect_err(|e| notes.note("wchan", e));
        thread.wait_channel = wchan.ok().and_then(parse_wchan);
        let syscall = proc.small(format_args!("{pid}/task/{tid}/syscall"));
        let syscall = syscall.inspect_err(|e| notes.note("syscall", e));
        let call = syscall.ok().and_then(|text| parse_syscall(text, ARCHITECTURE));
        if let Some((call, arguments)) = call {
            (thread.waits_in, thread.waits_with) = (Some(call), arguments);
        }
    }
    waiting.len() <= MAX_WAITING
}

fn at_ticks(proc: &mut Proc<'_>) -> Option<u64> {
    let notes = proc.notes;
    let uptime = proc.small(format_args!("uptime")).inspect_err(|e| notes.note_absent("uptime", e));
    parse_uptime(std::str::from_utf8(uptime.ok()?).ok()?)
}

fn attempts(proc: &mut Proc<'_>) -> Option<(u64, u64)> {
    let snmp = proc.text(format_args!("self/net/snmp"), SNMP_BYTES);
    let (snmp, _) = snmp.inspect_err(|e| proc.notes.note_absent("net/snmp", e)).ok()?;
    parse_attempts(&snmp)
}

/// Whether the process of an earlier look is still there: its id may have been given to another.
pub(super) fn is_still_there(proc: &mut Proc<'_>, process: &Process) -> bool {
    still_there(proc, process).is_some()
}

fn still_there(proc: &mut Proc<'_>, process: &Process) -> Option<Stat> {
    let stat = proc.small(format_args!("{}/stat", process.pid)).ok().and_then(Stat::parse);
    stat.filter(|stat| stat.started_at_ticks == process.started_at_ticks)
}

/// Looks again at threads of an earlier look: their times and states alone, and the faults of their
/// processes. Of a whole look at those that ran since or were to, and at the connections refused.
pub(super) fn look_again(proc: &mut Proc<'_>, last: &Look, is_whole: bool, begun: Instant) -> Look {
    let at_us = micros_since(begun);
    let mut look = Look { at_us, at_ticks: at_ticks(proc), is_short: true, ..Look::default() };
    for process in &last.processes {
        let Some(Stat { major_faults, .. }) = still_there(proc, process) else { continue };
        let mut threads = Vec::new();
        for thread in &process.threads {
            if proc.budget.is_over() {
                break;
            }
            let times = cpu_times(proc, process.pid, thread.tid);
            let has_run = times.map(|(cpu_ns, _)| cpu_ns) != thread.cpu_ns;
            if is_whole && !has_run && !matches!(thread.state, 'R' | 'D') {
                continue;
            }
            let stat = proc.small(format_args!("{}/task/{}/stat", process.pid, thread.tid));
            let Some(stat) = stat.ok().and_then(Stat::parse) else { continue };
            let (cpu_ns, cpu_wait_ns) = times.unzip();
            let (tid, name) = (thread.tid, thread.name.clone());
            let state = stat.state;
            threads.push(Thread { tid, name, state, cpu_ns, cpu_wait_ns, ..Thread::default() });
        }
        if !threads.is_empty() {
            let process = process_without_threads(process);
            look.processes.push(Process { threads, major_faults, ..process });
        }
    }
    if is_whole {
        (look.opened_connections, look.refused_connections) = attempts(proc).unzip();
    }
    look
}

fn process_without_threads(process: &Process) -> Process {
    Process {
        pid: process.pid,
        parent_pid: process.parent_pid,
        name: process.name.clone(),
        started_at_ticks: process.started_at_ticks,
        resident_kib: process.resident_kib,
        major_faults: process.major_faults,
        threads: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Signals;
    use super::super::tree::{INIT, Tree, stat};
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use triage_diagnosis::snapshot::SystemCall;

    fn found(tree: &Tree) -> Found {
        look(&mut tree.proc(), &[], &OwnEndpoints::default(), Instant::now()).unwrap()
    }

    fn pids(found: &Found) -> Vec<u32> {
        found.look.processes.iter().map(|process| process.pid).collect()
    }

    /// A runtime of three threads and its child.
    fn tree() -> Tree {
        let tree = Tree::new();
        tree.process(40, INIT, "python3.12", 30).exe(40, "/var/lang/bin/python3.12");
        tree.file("40/stat", stat(40, "python3.12", 'S', INIT, 3, 30));
        tree.file("40/task/40/wchan", "ep_poll");
        tree.file("40/task/40/syscall", "61 0x5 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f00");
        tree.thread(40, 41, "a) b\nc", 'D', 2_000).file("40/task/41/wchan", "folio_wait_bit");
        tree.thread(40, 42, "spin", 'R', 3_000).file("40/task/42/syscall", "running");
        tree.process(50, 40, "convert", 33);
        tree.file("self/net/snmp", "Tcp: ActiveOpens AttemptFails\nTcp: 5 7\n");
        tree
    }

    #[test]
    fn processes_are_read_with_their_threads_and_what_these_wait_in() {
        let tree = tree();
        let found = found(&tree);
        assert_eq!(pids(&found), [40, 50]);
        let [runtime, child] = &found.look.processes[..] else { panic!("{found:?}") };
        assert_eq!((runtime.parent_pid, runtime.name.as_str()), (INIT, "python3.12"));
        assert_eq!((runtime.started_at_ticks, runtime.major_faults), (30, 3));
        assert_eq!(runtime.resident_kib, Some(25 * rustix::param::page_size() as u64 / 1_024));
        assert_eq!((child.parent_pid, child.threads.len()), (40, 1));
        let mut threads = runtime.threads.clone();
        assert_eq!(threads[0].tid, 40, "the first of them first");
        threads.sort_unstable_by_key(|thread| thread.tid);
        let [first, stuck, spinning] = &threads[..] else { panic!("{threads:?}") };
        assert_eq!((first.state, first.cpu_ns, first.cpu_wait_ns), ('S', Some(1_000), Some(7)));
        assert_eq!(first.wait_channel.as_deref(), Some("ep_poll"));
        #[cfg(target_arch = "x86_64")]
        assert_eq!(first.waits_in, Some(SystemCall::WaitChild));
        assert_eq!((stuck.name.as_str(), stuck.state), ("a) b\nc", 'D'));
        assert_eq!(stuck.wait_channel.as_deref(), Some("folio_wait_bit"));
        assert_eq!((spinning.state, spinning.waits_in), ('R', None));
        assert_eq!(found.look.refused_connections, Some(7));
        assert_eq!(found.look.at_ticks, Some(34_500));
        // With those of pid 1 and of the extension.
        assert_eq!(found.threads, 6);
        assert!(!found.is_partial);
    }

    #[test]
    fn what_vanishes_or_cannot_be_read_is_left_out() {
        let tree = tree();
        // Threads and processes that end between being listed and being read.
        tree.remove("40/task/42/stat").remove("50/stat");
        tree.remove("40/task/41/schedstat").remove("40/task/40/wchan");
        tree.file("51/stat", "").file("52/stat", "52 (").file("53/stat", [0xff; 5_000]);
        tree.file("40/task/40/schedstat", "").file("40/task/40/syscall", [b'9'; 100_000]);
        tree.file("40/task/x/stat", "").file("uptime", "").remove("self/net/snmp");
        let found = found(&tree);
        assert_eq!(pids(&found), [40]);
        let threads = &found.look.processes[0].threads;
        assert_eq!(threads.len(), 2, "{threads:?}");
        assert!(threads.iter().all(|thread| thread.cpu_ns.is_none()), "{threads:?}");
        assert_eq!((&threads[0].wait_channel, threads[0].waits_in), (&None, None));
        assert_eq!((found.look.refused_connections, found.look.at_ticks), (None, None));
    }

    #[test]
    fn without_a_proc_there_is_no_look() {
        let tree = Tree::new();
        tree.remove("self");
        let own = OwnEndpoints::default();
        assert!(look(&mut tree.proc(), &[], &own, Instant::now()).is_err());
        tree.file("self/stat", "20 (lambda");
        assert!(look(&mut tree.proc(), &[], &own, Instant::now()).is_err());
    }

    #[test]
    fn more_than_fits_is_left_out_and_that_is_said() {
        let tree = Tree::new();
        tree.process(40, INIT, "bootstrap", 30);
        for n in 0..MAX_PROCESSES as u32 {
            tree.process(100 + n, 40, "worker", 31);
        }
        let of_many = found(&tree);
        assert_eq!((of_many.look.processes.len(), of_many.is_partial), (MAX_PROCESSES, true));
        let tree = Tree::new();
        tree.process(40, INIT, "bootstrap", 30);
        tree.file("40/stat", stat(40, "bootstrap", 'S', INIT, 2_000, 30));
        for tid in 0..MAX_THREADS as u32 {
            tree.thread(40, 1_000 + tid, "worker", 'S', 1);
        }
        let of_many = found(&tree);
        let threads = of_many.look.processes[0].threads.len();
        assert!(
            (MAX_THREADS..=MAX_THREADS + 1).contains(&threads) && of_many.is_partial,
            "{threads}"
        );
    }

    #[test]
    fn nothing_is_read_when_the_time_is_over() {
        let tree = tree();
        tree.budget.next_stage(Instant::now());
        let late = found(&tree);
        assert!(late.is_partial && late.look.processes.is_empty());
        tree.budget.next_stage(Instant::now() + Duration::from_secs(20));
        assert_eq!(pids(&found(&tree)), [40, 50]);
        let cancelled = Arc::new(Signals { cancelled: true.into(), ..Signals::default() });
        let cancelled =
            super::super::Budget::until(Instant::now() + Duration::from_secs(20), cancelled);
        let proc = &mut Proc::at(tree.root(), &cancelled, &tree.notes);
        let found = look(proc, &[], &OwnEndpoints::default(), Instant::now()).unwrap();
        assert!(found.is_partial && found.look.processes.is_empty());
    }

    #[test]
    fn a_short_look_is_of_those_that_ran_or_were_to() {
        let tree = tree();
        let first = found(&tree).look;
        tree.thread(50, 50, "convert", 'S', 1_001);
        let begun = Instant::now();
        let second = look_again(&mut tree.proc(), &first, true, begun);
        let ids = |look: &Look| {
            let threads = look.processes.iter().flat_map(|process| &process.threads);
            threads.map(|thread| (thread.tid, thread.cpu_ns.unwrap())).collect::<Vec<_>>()
        };
        let mut told = ids(&second);
        told.sort_unstable();
        assert_eq!(told, [(41, 2_000), (42, 3_000), (50, 1_001)]);
        // Another process got the id.
        tree.file("50/stat", stat(50, "other", 'R', 40, 1, 99));
        let pids = look_again(&mut tree.proc(), &second, false, begun).processes;
        assert_eq!(pids.iter().map(|process| process.pid).collect::<Vec<_>>(), [40]);
        tree.process(50, 40, "convert", 33).thread(50, 50, "convert", 'S', 1_001);
        // From then on of these alone, whatever they do.
        tree.thread(40, 40, "python3.12", 'R', 9_000).thread(40, 42, "spin", 'S', 3_000);
        let mut told = ids(&look_again(&mut tree.proc(), &second, false, begun));
        told.sort_unstable();
        assert_eq!(told, [(41, 2_000), (42, 3_000), (50, 1_001)]);
    }
}
