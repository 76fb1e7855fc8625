//! What the function's processes were waiting for shortly before a deadline.
//!
//! A cause is named only with the evidence for it, by what two looks some time apart have in common:
//! one look alone names none. At most one is named; what else was seen stays in the evidence.

mod causes;
mod children;
mod connections;
mod focus;
mod peers;
mod resources;
mod service;
mod threads;
mod told;

use crate::mounts::Mount;
use crate::snapshot::{Look, Open, Process, Snapshot, Socket, SystemCall, Thread};
use serde_json::{Map, Value};
use std::net::SocketAddr;

pub(crate) use causes::{CAUSES, CAUSES_NEAR};
use focus::Focus;

/// The extension may read INVOKE so much later than the function.
const LATE_INVOKE_MS: u64 = 50;
/// Of the clock by which it is told when a process began.
const TICK_MS: u64 = 10;
/// A runtime takes longer to be ready for its first invocation; what starts it takes less to do that.
const LEAST_INIT_MS: u64 = 50;

/// What was seen, and the cause where it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Why {
    /// One of [`CAUSES`].
    pub(crate) cause: Option<&'static str>,
    /// What follows "timed out after 3.00 s" in a sentence.
    pub(crate) clause: String,
    /// What it rests on.
    pub(crate) evidence: Map<String, Value>,
    /// Whether a network file system holds it up.
    pub(crate) is_of_network_files: bool,
    /// The process that waits, or is waited for.
    pid: Option<u32>,
    peer: Option<SocketAddr>,
    /// For how long it is known to have been waited for, where what happened since speaks against it.
    since_ms: Option<u64>,
}

impl Why {
    fn of(cause: &'static str, clause: String) -> Self {
        Self { cause: Some(cause), clause, ..Self::default() }
    }

    fn evidence<V: Into<Value>>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            self.evidence.insert(name.to_owned(), value.into());
        }
        self
    }

    fn of_process(self, pid: u32) -> Self {
        Self { pid: Some(pid), ..self }
    }

    /// In a few words, for the evidence of another cause.
    fn in_short(&self) -> String {
        format!("{}: {}", self.cause.unwrap_or_default(), self.clause.trim_start_matches("while "))
    }
}

/// What is known of the invocation beside the snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running<'a> {
    /// For how long it has run now; None if that is not known.
    pub(crate) ran_ms: Option<u64>,
    /// Whether the runtime began anew in it.
    pub(crate) holds_init: bool,
    /// The function's memory, in MB.
    pub(crate) memory_size_mb: Option<u64>,
    /// What was mounted when the sandbox began; None if that is not known.
    pub(crate) mounts: Option<&'a [Mount]>,
}

/// A rule looks for one cause.
type Rule = fn(&Seen<'_>) -> Option<Why>;

/// The rules whose evidence leaves no doubt, those first that explain the others'.
const CERTAIN: [Rule; 3] = [threads::memory_pressure, threads::file_system_stall, cpu_bound_main];

/// Those of which several may be true of different threads and connections: which of them is waited for
/// is known if it is the only one.
const RIVALS: [Rule; 7] = [
    peers::refused_peer,
    peers::unreachable_peer,
    peers::dns,
    peers::peer_not_reading,
    peers::awaiting_peer,
    threads::cpu_bound,
    children::awaited_child,
];

/// Those for where nothing else was seen.
const REST: [Rule; 2] = [children::child_process, threads::idle];

/// The thread that runs the handler computes, and does not connect again and again.
fn cpu_bound_main(seen: &Seen<'_>) -> Option<Why> {
    threads::main_computes(seen).filter(|_| peers::refused_peer(seen).is_none())
}

/// What the processes were waiting for.
pub(crate) fn why(snapshot: &Snapshot, running: Running<'_>) -> Why {
    let Some(seen) = Seen::of(snapshot, running) else { return Why::default() };
    let found = |rules: &[Rule]| rules.iter().filter_map(|rule| rule(&seen)).collect::<Vec<_>>();
    let mut found_all = found(&CERTAIN);
    let rivals = without_parents(&seen, found(&RIVALS));
    let may_be_more = rivals.len() > 1 || rivals.first().is_some_and(|one| seen.is_in_doubt(one));
    let is_open = found_all.is_empty() && may_be_more;
    found_all.extend(rivals);
    if !is_open {
        found_all.extend(found(&REST));
    }
    let mut found = found_all.into_iter();
    let mut why = if is_open { Why::default() } else { found.next().unwrap_or_default() };
    let others: Vec<_> = found.map(|other| other.in_short()).collect();
    if why.cause.is_none() {
        why.evidence.extend(seen.evidence().into_iter().flatten());
        why = seen.with_last_moved(why);
    }
    let why = resources::add_to(why, &seen);
    let why = why.evidence("alsoSeen", Some(others).filter(|others| !others.is_empty()));
    why.evidence("partial", snapshot.is_partial.then_some(true))
}

/// Without what waits for a child that itself shows what it waits for.
fn without_parents(seen: &Seen<'_>, mut found: Vec<Why>) -> Vec<Why> {
    let shown: Vec<u32> = found
        .iter()
        .filter(|why| why.cause != Some(children::CHILD_PROCESS))
        .filter_map(|why| why.pid)
        .collect();
    found.retain(|why| {
        let child = why.pid.filter(|_| why.cause == Some(children::CHILD_PROCESS));
        !child.is_some_and(|child| shown.iter().any(|pid| seen.is_below(*pid, child)))
    });
    found
}

/// A thread of the function, in the last look and in those before it.
#[derive(Clone, Copy, Debug)]
struct Watched<'a> {
    process: &'a Process,
    thread: &'a Thread,
    /// Of how many looks that showed it, it was running, and in uninterruptible sleep.
    looks: u32,
    running: u32,
    stuck: u32,
    /// Between the first look that showed it and the last.
    time_us: u64,
    cpu_ns: u64,
    /// Of that time it wanted to run and had no CPU.
    cpu_wait_ns: u64,
    first_us: u64,
    first_cpu_ns: Option<u64>,
    first_cpu_wait_ns: Option<u64>,
}

impl Watched<'_> {
    /// The first thread of a process runs what the process is there for.
    fn is_main(&self) -> bool {
        self.thread.tid == self.process.pid
    }

    fn waits_in(&self, is_it: impl Fn(SystemCall) -> bool) -> bool {
        self.thread.waits_in.is_some_and(is_it)
    }

    fn waits_at(&self, kernel_functions: &[&str]) -> bool {
        let at = self.thread.wait_channel.as_deref();
        at.is_some_and(|at| kernel_functions.iter().any(|name| at.contains(name)))
    }
}

/// A snapshot in the order in which the rules look at it.
struct Seen<'a> {
    snapshot: &'a Snapshot,
    running: Running<'a>,
    threads: Vec<Watched<'a>>,
    /// Where in them the thread is that runs the handler.
    main: usize,
    focus: Focus,
}

impl<'a> Seen<'a> {
    fn of(snapshot: &'a Snapshot, mut running: Running<'a>) -> Option<Self> {
        let last = last_whole(snapshot)?;
        let looked_us = snapshot.looks.last().map_or(0, |look| look.at_us);
        let since_us = snapshot.taken_us.unwrap_or(looked_us).saturating_sub(looked_us);
        running.ran_ms = running.ran_ms.map(|ran_ms| ran_ms.saturating_sub(since_us / 1_000));
        let threads = last.processes.iter().flat_map(|process| {
            process.threads.iter().map(move |thread| watched(snapshot, process, thread))
        });
        let (threads, main, focus) = (threads.collect(), 0, Focus::default());
        Some(Self { snapshot, running, threads, main, focus }.focussed())
    }

    fn processes(&self) -> &'a [Process] {
        last_whole(self.snapshot).map_or(&[], |look| &look.processes)
    }

    fn open(&self) -> Option<&'a Open> {
        self.snapshot.open.as_ref()
    }

    fn sockets(&self) -> impl Iterator<Item = &'a Socket> + use<'a> {
        self.open().into_iter().flat_map(|open| &open.sockets)
    }

    /// The time between the first look and the last.
    fn time_us(&self) -> u64 {
        let at = |look: Option<&Look>| look.map_or(0, |look| look.at_us);
        let looks = &self.snapshot.looks;
        at(looks.last()).saturating_sub(at(looks.first()))
    }

    /// Whether a process is one of this invocation's: it began in it. None where that is not known: the clock
    /// may not be, the extension may read INVOKE later than the function, and what the runtime's first process
    /// starts at once may be the runtime.
    fn began_in_invocation(&self, process: &Process) -> Option<bool> {
        let (age_ms, ran_ms) = (self.age_ms(process)?, self.running.ran_ms?);
        let began = age_ms <= ran_ms;
        if !began && age_ms <= ran_ms.saturating_add(LATE_INVOKE_MS) {
            return None;
        }
        let first = self.processes().first()?;
        let after_ticks = process.started_at_ticks.saturating_sub(first.started_at_ticks);
        let after_ms = after_ticks.saturating_mul(TICK_MS);
        let may_be_runtime = process.parent_pid == first.pid
            && (self.running.holds_init || after_ms < LEAST_INIT_MS);
        (!began || !may_be_runtime).then_some(began)
    }

    fn age_ms(&self, process: &Process) -> Option<u64> {
        let now_ticks = self.snapshot.looks.last()?.at_ticks?;
        Some(now_ticks.saturating_sub(process.started_at_ticks).saturating_mul(TICK_MS))
    }

    /// Whether a process is that one, or descends from it.
    fn is_below(&self, pid: u32, of: u32) -> bool {
        let mut at = pid;
        // No more often than there are processes.
        self.processes().iter().any(|_| {
            let is_it = at == of;
            let above = self.processes().iter().find(|process| process.pid == at);
            at = above.map_or(at, |process| process.parent_pid);
            is_it
        })
    }

    /// What was seen of the main thread, for a line that names no cause.
    fn evidence(&self) -> Option<Map<String, Value>> {
        // One that is gone by now shows nothing.
        let main = self.main().filter(|main| !matches!(main.thread.state, 'Z' | 'X'))?;
        let seen = Why::default()
            .evidence("process", Some(shown(&main.process.name)))
            .evidence("state", Some(main.thread.state.to_string()))
            .evidence("waitsIn", main.thread.waits_in.map(threads::call_name))
            .evidence("waitChannel", main.thread.wait_channel.as_deref().map(shown))
            .evidence("processes", Some(self.processes().len()))
            .evidence("threads", Some(self.threads.len()));
        Some(seen.evidence)
    }
}

/// The last look that holds everything.
fn last_whole(snapshot: &Snapshot) -> Option<&Look> {
    snapshot.looks.iter().rev().find(|look| !look.is_short)
}

fn watched<'a>(snapshot: &Snapshot, process: &'a Process, thread: &'a Thread) -> Watched<'a> {
    let same_process =
        |p: &&Process| (p.pid, p.started_at_ticks) == (process.pid, process.started_at_ticks);
    let mut watched = Watched {
        process,
        thread,
        looks: 0,
        running: 0,
        stuck: 0,
        time_us: 0,
        cpu_ns: 0,
        cpu_wait_ns: 0,
        first_us: 0,
        first_cpu_ns: None,
        first_cpu_wait_ns: None,
    };
    for look in &snapshot.looks {
        let then = look.processes.iter().find(same_process);
        let Some(then) = then.and_then(|then| then.threads.iter().find(|t| t.tid == thread.tid))
        else {
            // Nothing has changed: neither did it run.
            watched.looks += u32::from(look.is_short && watched.looks > 0);
            continue;
        };
        if watched.looks == 0 {
            watched.first_us = look.at_us;
            watched.first_cpu_ns = then.cpu_ns;
            watched.first_cpu_wait_ns = then.cpu_wait_ns;
        }
        if let Some((now, first)) = then.cpu_ns.zip(watched.first_cpu_ns) {
            watched.time_us = look.at_us.saturating_sub(watched.first_us);
            watched.cpu_ns = now.saturating_sub(first);
        }
        if let Some((now, first)) = then.cpu_wait_ns.zip(watched.first_cpu_wait_ns) {
            watched.cpu_wait_ns = now.saturating_sub(first);
        }
        watched.looks += 1;
        watched.running += u32::from(then.state == 'R');
        watched.stuck += u32::from(then.state == 'D');
    }
    watched
}

/// A name that a process gave itself, as it is printed.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(32).collect()
}

#[cfg(test)]
mod tests;
