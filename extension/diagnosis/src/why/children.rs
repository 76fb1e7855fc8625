//! Causes that lie in another process of the function's.

use super::{Seen, Watched, Why, shown};
use crate::snapshot::{Process, Socket, SystemCall, TcpState};

/// The cause that names a child.
pub(super) const CHILD_PROCESS: &str = "child-process";

impl Watched<'_> {
    /// A parent that sleeps uninterruptibly until its child has begun another program.
    pub(super) fn is_in_vfork(&self) -> bool {
        self.waits_at(&["vfork", "kernel_clone", "_do_fork"])
    }
}

/// Whether a thread may be in vfork where the kernel does not tell what it waits in: its child still bears
/// its name.
pub(super) fn may_be_in_vfork(seen: &Seen<'_>, watched: &Watched<'_>) -> bool {
    let child = || seen.parent_waits_for(watched);
    watched.thread.wait_channel.is_none()
        && watched.thread.waits_in.is_none_or(|call| call != SystemCall::File)
        && child().is_some_and(|c| [&watched.thread.name, &watched.process.name].contains(&&c.name))
}

/// A thread that waits for a child of this invocation, and may be waited for itself.
pub(super) fn awaited_child(seen: &Seen<'_>) -> Option<Why> {
    // A shell that has started the runtime waits for it all the time.
    let child = seen.awaited_children(Some(true)).next()?;
    waits_for_child(seen, child, "waiting for its child process")
}

impl<'a> Seen<'a> {
    /// A child that is waited for and of which it is not known when it began.
    pub(super) fn undated_child(&self) -> Option<&'a Process> {
        self.awaited_children(None).next()
    }

    /// Children that a thread waits for, and that began in this invocation or not as far as is known. One in
    /// vfork begins right now.
    fn awaited_children(&self, began: Option<bool>) -> impl Iterator<Item = &'a Process> {
        let waiting = self.threads.iter().filter(|w| self.may_await_thread(w));
        waiting.filter_map(move |w| {
            let is_in_vfork = stays_in_vfork(self, w);
            let child = self.parent_waits_for(w).filter(|_| is_in_vfork || waits_for_one(w))?;
            let child_began =
                if is_in_vfork { Some(true) } else { self.began_in_invocation(child) };
            (child_began == began).then_some(child)
        })
    }
}

/// Whether a thread waits for a child to end.
fn waits_for_one(watched: &Watched<'_>) -> bool {
    watched.waits_in(|call| call == SystemCall::WaitChild)
        // Not `futex_do_wait`.
        || watched.thread.wait_channel.as_deref() == Some("do_wait")
}

/// Whether a thread waits for a child to begin another program.
fn stays_in_vfork(seen: &Seen<'_>, watched: &Watched<'_>) -> bool {
    watched.is_in_vfork()
        || watched.stuck == watched.looks
            && watched.looks > 1
            && watched.thread.waits_in.is_some()
            && may_be_in_vfork(seen, watched)
}

/// Where no thread is seen to wait for it, a child that began in this invocation.
pub(super) fn child_process(seen: &Seen<'_>) -> Option<Why> {
    let main = seen.main()?;
    // Where the kernel does not tell what it waits in, it may be anything.
    let is_unknown = main.thread.waits_in.is_none() && main.thread.wait_channel.is_none();
    // One that sleeps, or waits for another thread, would not notice the end of it.
    let is_deaf = main.waits_in(|call| matches!(call, SystemCall::Sleep | SystemCall::Futex));
    if is_unknown || is_deaf || awaited_child(seen).is_some() {
        return None;
    }
    let is_new = |p: &&Process| {
        p.pid != main.process.pid
            && seen.began_in_invocation(p) == Some(true)
            && seen.may_await_process(p)
    };
    let child = seen.processes().iter().filter(is_new).max_by_key(|p| (p.started_at_ticks, p.pid));
    let child = child?;
    let why = waits_for_child(seen, child, "its child process is running:")?;
    let why = Why { since_ms: seen.age_ms(child), ..why };
    // Beside an answer that came since, or a part of it, it may be there for something else.
    (!seen.has_moved_since(&why)).then_some(why)
}

fn waits_for_child(seen: &Seen<'_>, child: &Process, what: &str) -> Option<Why> {
    // What the child itself waits for may be what was not read, or not long enough.
    let is_connecting = |s: &Socket| {
        let is_syn = s.states.last().is_some_and(|last| last.state == TcpState::SynSent);
        is_syn && seen.is_below(s.pid, child.pid)
    };
    if seen.snapshot.is_partial || seen.open().is_none() || seen.sockets().any(is_connecting) {
        return None;
    }
    let name = shown(&child.name);
    let clause = format!("while {what} {name}");
    let why = Why::of(CHILD_PROCESS, clause).of_process(child.pid);
    Some(why.evidence("process", Some(name)))
}

/// Whether a child may be waited for: by another thread, or by an event loop.
pub(super) fn may_wait_for_child(seen: &Seen<'_>) -> bool {
    let is_deaf = seen.main().is_some_and(|main| seen.waits_for_no_socket(main));
    let is_new = |p: &Process| {
        seen.main().is_some_and(|main| !seen.is_below(main.process.pid, p.pid))
            && seen.began_in_invocation(p) != Some(false)
    };
    seen.threads
        .iter()
        .any(|w| !seen.is_above_main(w) && (waits_for_one(w) || stays_in_vfork(seen, w)))
        || !is_deaf && seen.processes().iter().any(is_new)
}
