//! The function's processes and their threads.

use super::family::family;
use super::files::Proc;
use std::io;
use std::time::Instant;
use triage_diagnosis::snapshot::{
    Architecture, Look, Process, Stat, Thread, parse_attempt_fails, parse_schedstat, parse_syscall,
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
    let threads = all.iter().map(|stat| stat.threads).sum();
    let found = family(&own, all, extension_names, |id, link| {
        let path = proc.link(format_args!("{id}/{link}"));
        path.inspect_err(|e| proc.notes.note("where a process's executable is", e)).ok()
    });
    is_partial |= found.members.len() > MAX_PROCESSES;
    let (mut processes, mut left) = (Vec::new(), MAX_THREADS);
    for stat in found.members.into_iter().take(MAX_PROCESSES) {
        if left == 0 || proc.budget.is_over() {
            is_partial = true;
            break;
        }
        let (process, is_whole) = process(proc, stat, left, &mut ids);
        is_partial |= !is_whole;
        left = left.saturating_sub(process.threads.len());
        processes.push(process);
    }
    is_partial |= !read_waits(proc, &mut processes);
    let refused_connections = refused_connections(proc);
    let look = Look { at_us, at_ticks, processes, refused_connections };
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
    let (wait_channel, waits_in) = (None, None);
    Thread { tid: stat.id, name, state: stat.state, cpu_ns, cpu_wait_ns, wait_channel, waits_in }
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
        thread.waits_in = syscall.ok().and_then(|text| parse_syscall(text, ARCHITECTURE));
    }
    waiting.len() <= MAX_WAITING
}

fn at_ticks(proc: &mut Proc<'_>) -> Option<u64> {
    let notes = proc.notes;
    let uptime = proc.small(format_args!("uptime")).inspect_err(|e| notes.note_absent("uptime", e));
    parse_uptime(std::str::from_utf8(uptime.ok()?).ok()?)
}

fn refused_connections(proc: &mut Proc<'_>) -> Option<u64> {
    let snmp = proc.text(format_args!("self/net/snmp"), SNMP_BYTES);
    let snmp = snmp.inspect_err(|e| proc.notes.note_absent("net/snmp", e)).ok()?;
    parse_attempt_fails(&snmp)
}

/// Looks again at the threads of `first` that ran since `last` or were to run: their times and states
/// alone. In the first of several such looks (`last` is `first`) the times of all are read.
pub(super) fn look_again(proc: &mut Proc<'_>, first: &Look, last: &Look, begun: Instant) -> Look {
    let at_us = micros_since(begun);
    let mut look = Look { at_us, at_ticks: at_ticks(proc), ..Look::default() };
    let is_first = std::ptr::eq(first, last);
    for process in &last.processes {
        let mut threads = Vec::new();
        for thread in &process.threads {
            if proc.budget.is_over() {
                break;
            }
            let times = cpu_times(proc, process.pid, thread.tid);
            let has_run = times.map(|(cpu_ns, _)| cpu_ns) != thread.cpu_ns;
            if is_first && !has_run && !matches!(thread.state, 'R' | 'D') {
                continue;
            }
            let stat = proc.small(format_args!("{}/task/{}/stat", process.pid, thread.tid));
            let Some(stat) = stat.ok().and_then(Stat::parse) else { continue };
            let (cpu_ns, cpu_wait_ns) = times.unzip();
            let (wait_channel, waits_in) = (None, None);
            let (tid, name) = (thread.tid, thread.name.clone());
            let state = stat.state;
            threads.push(Thread { tid, name, state, cpu_ns, cpu_wait_ns, wait_channel, waits_in });
        }
        if !threads.is_empty() {
            look.processes.push(Process { threads, ..process_without_threads(process) });
        }
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

/// Microseconds since then.
pub(super) fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}
