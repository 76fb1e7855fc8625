//! What the thread that runs the handler may be waiting for: what others do meanwhile is none of it.

use super::{Seen, Watched};
use crate::snapshot::{Process, Socket, SystemCall};

/// What the main thread's call tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Focus {
    /// An event loop, or nothing is known: whatever there is.
    #[default]
    Anything,
    /// This socket of its process and nothing else.
    Socket(u32),
    /// A pipe or the like, at whose other end a thread or a child may be.
    Pipe,
    /// Descriptors, of which only its memory tells which: those that no other thread waits on.
    Descriptors,
    /// Another thread, whatever that does.
    Threads,
    Children,
    Time,
    Files,
}

impl<'a> Seen<'a> {
    /// Finds out who runs the handler and what it may be waiting for.
    pub(super) fn focussed(mut self) -> Self {
        // No more often than there are processes.
        for _ in self.processes() {
            let below = self.main().and_then(|main| self.started_by(main));
            let is_it = |w: &Watched<'_>| Some(w.process.pid) == below && w.is_main();
            let Some(place) = self.threads.iter().position(is_it) else { break };
            self.main = place;
        }
        self.focus = self.focus();
        self
    }

    /// The thread that runs the handler: the first one of the runtime. A shell that has started it and
    /// waits for it is not meant.
    pub(super) fn main(&self) -> Option<&Watched<'a>> {
        self.threads.get(self.main)
    }

    /// Whether this thread does nothing but wait for the runtime that it has started.
    pub(super) fn is_above_main(&self, watched: &Watched<'_>) -> bool {
        self.main().is_some_and(|main| main.process.pid != watched.process.pid)
            && self.started_by(watched).is_some()
    }

    /// Whatever is to come on a socket, this thread would not notice.
    pub(super) fn waits_for_no_socket(&self, watched: &Watched<'_>) -> bool {
        watched.waits_in(|call| matches!(call, SystemCall::Sleep | SystemCall::Futex))
            || self.is_above_main(watched)
    }

    /// The child that a thread waits for since before this invocation.
    fn started_by(&self, watched: &Watched<'_>) -> Option<u32> {
        let waits = watched.waits_in(|call| call == SystemCall::WaitChild);
        let child = self.parent_waits_for(watched).filter(|_| waits)?;
        (self.began_in_invocation(child) == Some(false)).then_some(child.pid)
    }

    pub(super) fn parent_waits_for(&self, watched: &Watched<'_>) -> Option<&'a Process> {
        let is_child = |p: &&Process| p.parent_pid == watched.process.pid;
        if let Some(pid) = watched.thread.waits_with.child {
            return self.processes().iter().filter(is_child).find(|p| p.pid == pid);
        }
        // The youngest, as one that is there all the time is not waited for.
        self.processes().iter().filter(is_child).max_by_key(|p| (p.started_at_ticks, p.pid))
    }

    fn focus(&self) -> Focus {
        let call = self.main().filter(|main| main.thread.state == 'S');
        let Some((main, call)) = call.and_then(|main| Some((main, main.thread.waits_in?))) else {
            return Focus::Anything;
        };
        match call {
            SystemCall::Connect(on) | SystemCall::Receive(on) | SystemCall::Send(on) => {
                let is_it = |s: &Socket| (s.pid, s.descriptor) == (main.process.pid, on);
                if self.sockets().any(is_it) { Focus::Socket(on) } else { Focus::Pipe }
            }
            SystemCall::Poll => Focus::Descriptors,
            SystemCall::Futex => Focus::Threads,
            SystemCall::WaitChild => Focus::Children,
            SystemCall::Sleep => Focus::Time,
            SystemCall::File => Focus::Files,
            SystemCall::EpollWait(_) | SystemCall::Accept(_) | SystemCall::Other(_) => {
                Focus::Anything
            }
        }
    }

    /// Whether the main thread may be waiting for what this process, not its own, does.
    pub(super) fn may_await_process(&self, process: &Process) -> bool {
        match self.focus {
            Focus::Anything
            | Focus::Pipe
            | Focus::Descriptors
            | Focus::Threads
            | Focus::Children => true,
            // It may look after its child between two sleeps.
            Focus::Time => self.began_in_invocation(process) == Some(true),
            Focus::Socket(_) | Focus::Files => false,
        }
    }

    /// Whether the main thread is this one, or may be waiting for what it does.
    pub(super) fn may_await_thread(&self, watched: &Watched<'_>) -> bool {
        let Some(main) = self.main() else { return false };
        if main.process.pid != watched.process.pid {
            return self.may_await_process(watched.process);
        }
        main.thread.tid == watched.thread.tid
            || matches!(self.focus, Focus::Anything | Focus::Pipe | Focus::Threads)
    }

    /// The sockets that the main thread may be waiting for, itself or by another thread or process.
    pub(super) fn suspects(&self) -> impl Iterator<Item = &'a Socket> {
        self.sockets().filter(|socket| self.may_await(socket))
    }

    fn may_await(&self, socket: &Socket) -> bool {
        let Some(main) = self.main() else { return false };
        if main.process.pid != socket.pid {
            let process = self.processes().iter().find(|process| process.pid == socket.pid);
            return self.is_watched(socket) && process.is_some_and(|p| self.may_await_process(p));
        }
        match self.focus {
            Focus::Socket(descriptor) => descriptor == socket.descriptor,
            Focus::Anything | Focus::Pipe | Focus::Threads => self.is_watched(socket),
            Focus::Descriptors => !self.is_waited_on(socket),
            Focus::Children | Focus::Time | Focus::Files => false,
        }
    }

    /// Whether a thread waits on this very socket, or on an epoll set that holds it.
    pub(super) fn is_waited_on(&self, socket: &Socket) -> bool {
        self.threads.iter().any(|watched| waits_on(watched, socket))
    }

    /// Whether there is a thread that would notice what happens on it.
    fn is_watched(&self, socket: &Socket) -> bool {
        self.threads.iter().any(|w| {
            let may_be_it = w.thread.waits_in.is_none_or(|call| call == SystemCall::Poll);
            w.process.pid == socket.pid
                && w.thread.state == 'S'
                && (may_be_it || waits_on(w, socket))
        })
    }
}

/// Whether a thread waits on this very descriptor, or on an epoll set that holds it.
pub(super) fn waits_on(watched: &Watched<'_>, socket: &Socket) -> bool {
    let descriptor = socket.descriptor;
    watched.process.pid == socket.pid
        && watched.waits_in(|call| match call {
            SystemCall::Connect(on) | SystemCall::Receive(on) | SystemCall::Send(on) => {
                on == descriptor
            }
            SystemCall::EpollWait(set) => socket.epolls.contains(&set),
            _ => false,
        })
}
