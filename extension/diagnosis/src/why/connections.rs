//! What a connection shows of itself: how long it is quiet, and whether an answer is due on it.

use super::focus::Focus;
use super::peers::with_service;
use super::service::takes_telemetry;
use super::{LATE_INVOKE_MS, Seen, Watched, Why};
use crate::snapshot::{Process, Protocol, Socket, SocketState, SystemCall, TcpState};
use std::cmp::Ordering;
use std::net::SocketAddr;

/// What was sent or came in since then is a sign of life.
pub(super) const LATELY_MS: u64 = 500;
/// The kernel's clock ticks so seldom at most.
const TICK_MS: u64 = 10;
/// After so many ticks a first SYN is sent again.
const SYN_TICKS: u64 = 100;
/// Of one that has waited for 300 ms so many are left.
const OLD_SYN_DUE_TICKS: u64 = 70;
/// So many times something was sent and never answered: nobody answers there, and nobody waits for it.
const SENT_ONE_WAY: u64 = 4;
/// The DNS port.
const DNS: u16 = 53;

impl Socket {
    pub(super) fn is_dns(&self) -> bool {
        self.peer.port() == DNS
    }

    pub(super) fn last(&self) -> Option<&SocketState> {
        self.states.last()
    }

    /// Whether every reading showed it so, and there was more than one.
    pub(super) fn stayed(&self, is_so: impl Fn(&SocketState) -> bool) -> bool {
        self.states.len() > 1 && self.states.iter().all(is_so)
    }

    /// How long it was seen, from the first reading to the last.
    pub(super) fn seen_ms(&self) -> u64 {
        let read_us = |state: Option<&SocketState>| state.map_or(0, |state| state.at_us);
        read_us(self.states.last()).saturating_sub(read_us(self.states.first())) / 1_000
    }

    /// Whether nothing was sent between the readings, as far as the kernel tells: of a call that was made
    /// a moment ago nothing can be said.
    pub(super) fn has_not_moved(&self) -> bool {
        let seen_ms = self.seen_ms();
        self.last_sent_ms.is_none_or(|sent_ms| sent_ms.saturating_add(TICK_MS) >= seen_ms)
    }

    /// How long ago something last went either way on it, where the kernel tells.
    pub(super) fn quiet_ms(&self) -> Option<u64> {
        self.last_sent_ms.into_iter().chain(self.last_received_ms).min()
    }

    /// For how long its first SYN has been under way at least: it is sent again after a second, and then after as
    /// long again or twice as long, as the kernel is set.
    pub(super) fn syn_ms(&self) -> Option<u64> {
        let last = self.last()?;
        let ticks = SYN_TICKS.saturating_sub(last.due_in_ticks?);
        last.retransmits.checked_mul(SYN_TICKS)?.checked_add(ticks)?.checked_mul(TICK_MS)
    }

    /// Whether it has sent a SYN that has been under way for longer than any round trip takes, by the kernel's
    /// timer, or else at every reading.
    pub(super) fn is_unanswered(&self) -> bool {
        let sent_again = self.last().is_some_and(|last| last.retransmits > 0);
        let is_syn = |s: &SocketState| s.state == TcpState::SynSent;
        self.protocol == Protocol::Tcp
            && self.last().is_some_and(is_syn)
            && (sent_again
                || self.last().is_some_and(|last| match last.due_in_ticks {
                    Some(ticks) => ticks <= OLD_SYN_DUE_TICKS,
                    None => self.stayed(is_syn),
                }))
    }
}

impl Seen<'_> {
    /// Whether so long ago is within this invocation, or may be.
    pub(super) fn is_in_invocation(&self, ms: u64) -> bool {
        self.running.ran_ms.is_none_or(|ran_ms| ms <= ran_ms.saturating_add(LATE_INVOKE_MS))
    }

    /// Whether something was sent in this invocation that has not been answered; None where it cannot
    /// be told: the kernel may not say, and within one tick of its clock not which came first.
    pub(super) fn is_pending(&self, socket: &Socket) -> Option<bool> {
        let sent_ms = socket.last_sent_ms?;
        if !self.is_in_invocation(sent_ms) {
            return Some(false);
        }
        let soon = |received_ms: u64| received_ms.saturating_sub(sent_ms) <= TICK_MS;
        let received_soon = socket.last_received_ms.is_some_and(soon);
        match socket.last_received_ms.map(|received_ms| received_ms.cmp(&sent_ms)) {
            // Ages: what came in later than what was sent is younger.
            Some(Ordering::Less) => Some(false),
            Some(Ordering::Equal) => None,
            // An acknowledgement of the protocol's own follows what it acknowledges at once.
            Some(Ordering::Greater) if received_soon => None,
            None if socket.unanswered_sends.is_some_and(|sends| sends >= SENT_ONE_WAY) => None,
            Some(Ordering::Greater) | None => Some(true),
        }
    }

    /// Whether a process's first thread waits to receive on this very socket and on nothing else, or polls it
    /// alone: that leaves no doubt. Of another thread it is not known who waits for it.
    pub(super) fn is_received_on(&self, socket: &Socket) -> bool {
        let receives = |call| call == SystemCall::Receive(socket.descriptor);
        let by_call =
            |w: &Watched<'_>| w.process.pid == socket.pid && w.is_main() && w.waits_in(receives);
        self.threads.iter().any(by_call) || self.is_polled_alone(socket)
    }

    /// Whether the main thread polls one descriptor, and it can be no other.
    fn is_polled_alone(&self, socket: &Socket) -> bool {
        let polls_one = self.main().is_some_and(|main| {
            main.process.pid == socket.pid && main.thread.waits_with.polled == Some(1)
        });
        let is_used =
            |s: &&Socket| s.quiet_ms().is_none_or(|quiet_ms| self.is_in_invocation(quiet_ms));
        let mut used = self.suspects().filter(is_used);
        let is_only = used.next().is_some_and(|one| one == socket) && used.next().is_none();
        let is_child = |p: &Process| {
            self.is_below(p.pid, socket.pid)
                && p.pid != socket.pid
                && self.began_in_invocation(p) != Some(false)
        };
        polls_one
            && self.focus == Focus::Descriptors
            && is_only
            && self.open().is_some_and(|open| !open.has_unconnected)
            && !self.snapshot.is_partial
            && !self.processes().iter().any(is_child)
    }

    /// Which connection it is on which something moved last in this invocation, if no cause is named.
    pub(super) fn with_last_moved(&self, why: Why) -> Why {
        let is_open = |s: &&Socket| s.protocol == Protocol::Tcp && !s.is_accepted && !s.is_dns();
        let moved = self.suspects().filter(is_open).filter_map(|s| Some((s.quiet_ms()?, s)));
        let last = moved.min_by_key(|(quiet_ms, _)| *quiet_ms);
        let last = last.filter(|(quiet_ms, _)| self.is_in_invocation(*quiet_ms));
        why.evidence("lastMovedPeer", last.map(|(_, socket)| with_service(socket.peer)))
            .evidence("lastMovedMs", last.map(|(quiet_ms, _)| quiet_ms))
    }

    /// Whether it took a peer half of the invocation or more to answer: what came after that is not what
    /// took the time.
    pub(super) fn waited_long(&self) -> bool {
        // Those that nobody watches while the main thread computes, too.
        let process = self.main().map(|main| main.process.pid);
        self.sockets().filter(|socket| Some(socket.pid) == process).any(|socket| {
            let times = socket.last_sent_ms.zip(socket.last_received_ms).zip(self.running.ran_ms);
            times.is_some_and(|((sent_ms, received_ms), ran_ms)| {
                self.is_in_invocation(sent_ms)
                    && sent_ms.saturating_sub(received_ms).saturating_mul(2) >= ran_ms
            })
        })
    }

    /// Whether something went over another connection since the wait for what is named began: that may be
    /// the answer, or a part of it, that is waited for.
    pub(super) fn has_moved_since(&self, named: &Why) -> bool {
        let Some(since_ms) = named.since_ms else { return false };
        self.suspects().any(|socket| {
            let is_open = socket.last().is_some_and(|last| last.state == TcpState::Established);
            socket.protocol == Protocol::Tcp
                && is_open
                && !socket.is_accepted
                && !socket.is_dns()
                && Some(socket.peer) != named.peer
                && self.is_pending(socket) != Some(true)
                && socket.quiet_ms().is_some_and(|ms| ms.saturating_add(TICK_MS) < since_ms)
        })
    }

    /// Whether a connection was used in this invocation and is none of those that are named.
    fn is_used_beside(&self, socket: &Socket, named: &Why) -> bool {
        socket.protocol == Protocol::Tcp
            && !socket.is_accepted
            && Some(socket.peer) != named.peer
            && socket.last().is_some_and(|last| last.state == TcpState::Established)
            && socket.quiet_ms().is_none_or(|quiet_ms| self.is_in_invocation(quiet_ms))
    }

    /// Whether the main thread waits for others, of which one receives on a connection that is not named: it
    /// may be that one's answer that is waited for, also where a part of it came.
    fn others_receive(&self, named: &Why) -> bool {
        self.focus == Focus::Threads
            && self.sockets().any(|socket| {
                let receives = |w: &Watched<'_>| {
                    w.process.pid == socket.pid
                        && w.waits_in(|call| call == SystemCall::Receive(socket.descriptor))
                };
                self.is_used_beside(socket, named) && self.threads.iter().any(receives)
            })
    }

    /// Whether what is named takes telemetry, and a connection was used that does not: the work may wait for a
    /// part of its answer.
    fn is_telemetry_beside_work(&self, named: &Why) -> bool {
        let is_telemetry = |peer: SocketAddr| takes_telemetry(peer.port());
        named.peer.is_some_and(is_telemetry)
            && !matches!(self.focus, Focus::Socket(_))
            && self.suspects().any(|s| self.is_used_beside(s, named) && !is_telemetry(s.peer))
    }

    /// Whether the main thread polls, as another does, and there is a connection that it may poll in place of
    /// what is named.
    fn others_poll(&self, named: &Why) -> bool {
        let Some(main) = self.main().filter(|_| self.focus == Focus::Descriptors) else {
            return false;
        };
        let polls = |w: &Watched<'_>| {
            w.process.pid == main.process.pid
                && w.thread.tid != main.thread.tid
                && w.waits_in(|call| call == SystemCall::Poll)
        };
        self.threads.iter().any(polls)
            && self.suspects().any(|socket| self.is_used_beside(socket, named))
    }

    /// Whether something else than this one may be waited for of which not enough is known to name it.
    pub(super) fn is_in_doubt(&self, named: &Why) -> bool {
        let is_shown = |pid| named.pid.is_some_and(|named| self.is_below(named, pid));
        let is_unread = |socket: &Socket| {
            let is_known = socket.last_sent_ms.or(socket.last_received_ms).is_some();
            let is_open = socket.last().is_some_and(|last| last.state == TcpState::Established);
            let is_named = named.peer == Some(socket.peer);
            socket.protocol == Protocol::Tcp && is_open && !is_known && !is_named
        };
        self.snapshot.is_partial && self.suspects().any(is_unread)
            || self.has_moved_since(named)
            || self.others_receive(named)
            || self.others_poll(named)
            || self.is_telemetry_beside_work(named)
            || self.undated_child().is_some_and(|child| !is_shown(child.pid))
    }

    /// Whether every socket that the function has open is known to wait for nothing.
    pub(super) fn sockets_are_idle(&self) -> bool {
        let Some(open) = self.open().filter(|open| !open.has_unconnected) else { return false };
        open.sockets.iter().all(|socket| {
            socket.protocol == Protocol::Tcp
                && socket.last().is_some_and(|last| {
                    matches!(
                        last.state,
                        TcpState::Established | TcpState::CloseWait | TcpState::Other(_)
                    ) && last.send_queue == 0
                })
                && self.is_pending(socket) == Some(false)
                // Of an answer nobody can see whether that was all of it.
                && socket.quiet_ms().is_some_and(|quiet_ms| !self.is_in_invocation(quiet_ms))
        })
    }

    /// Whether data moved on a connection a moment ago: as of a loop that asks and pauses.
    pub(super) fn moved_lately(&self) -> bool {
        let is_late = |ms: Option<u64>| ms.is_some_and(|ms| ms < LATELY_MS);
        self.sockets()
            .any(|socket| is_late(socket.last_sent_ms) || is_late(socket.last_received_ms))
    }
}
