//! Causes that a socket shows.

use super::focus::waits_on;
use super::service::service;
use super::{LATE_INVOKE_MS, Seen, Why};
use crate::snapshot::{Protocol, Socket, SocketState, SystemCall, TcpState};
use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

/// Connections refused between two looks, from which on it is a loop and not one that was tried.
const REFUSED_IN_A_LOOP: u64 = 2;
/// And within a second: what looks for its agent now and then is none that is waited for.
const REFUSED_PER_S: u64 = 4;
/// What was sent or came in since then is a sign of life.
const LATELY_MS: u64 = 500;
/// The kernel's clock ticks so seldom at most.
const TICK_MS: u64 = 10;
/// A first SYN is sent again after 100 ticks: of one that has waited for 300 ms so many are left.
const OLD_SYN_DUE_TICKS: u64 = 70;
/// Of a thread that computes all the time, so few refused connections are others'.
const FEW_REFUSED: u64 = 10;
/// A name server that is near answers sooner; of one that must ask others this tells nothing.
const LEAST_UDP_MS: u64 = 60;
/// So many times something was sent and never answered: nobody answers there, and nobody waits for it.
const SENT_ONE_WAY: u64 = 4;
/// Peers that are named beside the one that is waited for longest.
const MAX_OTHERS: usize = 4;
/// The DNS port.
const DNS: u16 = 53;

impl Socket {
    fn is_dns(&self) -> bool {
        self.peer.port() == DNS
    }

    fn last(&self) -> Option<&SocketState> {
        self.states.last()
    }

    /// Whether every reading showed it so, and there was more than one.
    fn stayed(&self, is_so: impl Fn(&SocketState) -> bool) -> bool {
        self.states.len() > 1 && self.states.iter().all(is_so)
    }

    /// How long it was seen, from the first reading to the last.
    fn seen_ms(&self) -> u64 {
        let read_us = |state: Option<&SocketState>| state.map_or(0, |state| state.at_us);
        read_us(self.states.last()).saturating_sub(read_us(self.states.first())) / 1_000
    }

    /// Whether nothing was sent between the readings, as far as the kernel tells: of a call that was made
    /// a moment ago nothing can be said.
    fn has_not_moved(&self) -> bool {
        let seen_ms = self.seen_ms();
        self.last_sent_ms.is_none_or(|sent_ms| sent_ms.saturating_add(TICK_MS) >= seen_ms)
    }

    /// Whether it has sent a SYN that has been under way for longer than any round trip takes, by the kernel's
    /// timer, or else at every reading.
    fn is_unanswered(&self) -> bool {
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
    /// Connections refused between the looks, and in the life of the sandbox.
    pub(super) fn refused_connections(&self) -> Option<(u64, u64)> {
        let looks = &self.snapshot.looks;
        let first = looks.iter().find_map(|look| look.refused_connections)?;
        let last = looks.iter().rev().find_map(|look| look.refused_connections)?;
        Some((last.checked_sub(first)?, last))
    }

    /// The peer that refused more connections than all others, if it did so more than once.
    fn refused_most(&self) -> Option<SocketAddr> {
        let peers = &self.snapshot.refused_peers;
        let times = |peer: &SocketAddr| peers.iter().filter(|other| *other == peer).count();
        let most = peers.iter().max_by_key(|peer| times(peer))?;
        (times(most) > 1 && times(most) * 2 > peers.len()).then_some(*most)
    }

    /// The one that a thread waits on, if there is one, else the first.
    fn foremost<'s>(&'s self, sockets: impl Iterator<Item = &'s Socket>) -> Option<&'s Socket> {
        let sockets: Vec<_> = sockets.collect();
        let waited_on = sockets.iter().find(|socket| self.is_waited_on(socket));
        waited_on.or(sockets.first()).copied()
    }

    fn named(&self, socket: &Socket, why: Why) -> Why {
        let process = self.processes().iter().find(|process| process.pid == socket.pid);
        let why = Why { peer: Some(socket.peer), ..why };
        why.of_process(socket.pid)
            .evidence("peer", Some(socket.peer.to_string()))
            .evidence("service", service(socket.peer.port()))
            .evidence("process", process.map(|process| super::shown(&process.name)))
    }

    /// Whether something was sent in this invocation that has not been answered; None where it cannot
    /// be told: the kernel may not say, and within one tick of its clock not which came first.
    fn is_pending(&self, socket: &Socket) -> Option<bool> {
        let sent_ms = socket.last_sent_ms?;
        if self.running.ran_ms.is_some_and(|ran_ms| sent_ms > ran_ms.saturating_add(LATE_INVOKE_MS))
        {
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
}

/// A peer with its service, for a sentence.
fn with_service(peer: SocketAddr) -> String {
    let peer = match peer.ip() {
        // As the function's own code and its security groups know it.
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), peer.port()),
            None => peer,
        },
        IpAddr::V4(_) => peer,
    };
    match service(peer.port()) {
        Some(service) => format!("{peer} ({service})"),
        None => peer.to_string(),
    }
}

fn times(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// A SYN that nothing answers.
pub(super) fn unreachable_peer(seen: &Seen<'_>) -> Option<Why> {
    let unanswered = seen.suspects().filter(|socket| socket.is_unanswered() && !socket.is_dns());
    if let Some(socket) = seen.foremost(unanswered) {
        let syns = socket.last().map_or(1, |last| last.retransmits.saturating_add(1));
        let peer = with_service(socket.peer);
        let clause = format!(
            "while connecting to {peer}: no answer to {}; the subnet has no route to it, or a \
             security group or network ACL drops it",
            times(syns, "SYN", "SYNs")
        );
        let why = Why::of("unreachable-peer", clause).evidence("synsSent", Some(syns));
        return Some(seen.named(socket, why));
    }
    // A connection that was there, and on which nothing is acknowledged any more.
    let silent = |s: &SocketState| {
        s.state != TcpState::SynSent && s.send_queue > 0 && s.retransmits > 1 && !s.is_probing
    };
    let lost = seen.suspects().filter(|socket| socket.stayed(silent) && !socket.is_dns());
    let socket = seen.foremost(lost)?;
    let last = socket.last()?;
    let clause = format!(
        "while sending to {}: {} bytes not acknowledged though sent again {}",
        with_service(socket.peer),
        last.send_queue,
        times(last.retransmits, "time", "times")
    );
    let why = Why::of("unreachable-peer", clause)
        .evidence("unacknowledgedBytes", Some(last.send_queue))
        .evidence("retransmits", Some(last.retransmits));
    Some(seen.named(socket, why))
}

/// Connections that are refused again and again.
pub(super) fn refused_peer(seen: &Seen<'_>) -> Option<Why> {
    let (refused, in_all) = seen.refused_connections()?;
    let time_us = seen.time_us();
    if refused < REFUSED_IN_A_LOOP
        || refused.saturating_mul(1_000_000) < time_us.saturating_mul(REFUSED_PER_S)
    {
        return None;
    }
    // They are those of the whole sandbox, other extensions' too. Who connects runs for a moment and is in no
    // call on another socket, and who computes all the time has hardly time for a few.
    let main = seen.main()?;
    let is_elsewhere =
        main.waits_in(|call| matches!(call, SystemCall::Receive(_) | SystemCall::Send(_)));
    let ran = seen.threads.iter().filter(|w| w.cpu_ns > 0 && seen.may_await_thread(w));
    let most = ran.max_by_key(|w| w.cpu_ns)?;
    let is_few = refused < FEW_REFUSED && super::threads::main_computes(seen).is_some();
    if is_elsewhere || is_few {
        return None;
    }
    let ms = time_us / 1_000;
    let peer = seen.refused_most();
    let whom = peer.map(|peer| format!(" to {}", with_service(peer))).unwrap_or_default();
    let clause = format!(
        "while connecting{whom} again and again: {} refused in the last {ms} ms",
        times(refused, "connection was", "connections were")
    );
    let why = Why::of("refused-peer", clause)
        .of_process(most.process.pid)
        .evidence("peer", peer.map(|peer| peer.to_string()))
        .evidence("service", peer.and_then(|peer| service(peer.port())))
        .evidence("refusedConnections", Some(refused))
        .evidence("refusedWithinMs", Some(ms))
        .evidence("refusedInSandbox", Some(in_all));
    Some(why)
}

/// A name server that does not answer.
pub(super) fn dns(seen: &Seen<'_>) -> Option<Why> {
    let asked = seen.suspects().filter(|socket| {
        let is_open = match socket.protocol {
            Protocol::Udp => {
                socket.stayed(|s| s.receive_queue == 0) && socket.seen_ms() >= LEAST_UDP_MS
            }
            Protocol::Tcp => {
                socket.is_unanswered()
                    || socket.stayed(|s| s.receive_queue == 0)
                        && seen.is_pending(socket) == Some(true)
            }
        };
        socket.is_dns() && is_open
    });
    let socket = seen.foremost(asked)?;
    let seen_ms = socket.seen_ms();
    let clause = format!(
        "while resolving a name: no answer from the DNS server {} in the last {seen_ms} ms",
        socket.peer.ip()
    );
    let why = Why::of("dns", clause).evidence("unansweredForMs", Some(seen_ms));
    Some(seen.named(socket, why))
}

/// A peer that takes nothing more.
pub(super) fn peer_not_reading(seen: &Seen<'_>) -> Option<Why> {
    let full = seen.suspects().filter(|socket| {
        let least = socket.states.iter().map(|s| s.send_queue).min().unwrap_or_default();
        let is_shrinking = socket.states.windows(2).any(|s| s[1].send_queue < s[0].send_queue);
        let is_held = socket.last().is_some_and(|last| last.is_probing)
            || seen.threads.iter().any(|watched| {
                waits_on(watched, socket) && watched.waits_in(|c| matches!(c, SystemCall::Send(_)))
            });
        socket.protocol == Protocol::Tcp
            && socket.states.len() > 1
            && least > 0
            && is_held
            && socket.has_not_moved()
            && !is_shrinking
    });
    let socket = seen.foremost(full)?;
    let queued = socket.last()?.send_queue;
    let clause = format!(
        "while sending to {}: it does not read, {queued} bytes wait to be sent",
        with_service(socket.peer)
    );
    let why = Why::of("peer-not-reading", clause).evidence("sendQueueBytes", Some(queued));
    Some(seen.named(socket, why))
}

/// A connection on which an answer is due.
pub(super) fn awaiting_peer(seen: &Seen<'_>) -> Option<Why> {
    let silent = |s: &SocketState| {
        s.state == TcpState::Established && s.send_queue == 0 && s.receive_queue == 0
    };
    let quiet: Vec<_> = seen
        .suspects()
        .filter(|s| s.protocol == Protocol::Tcp && !s.is_dns() && s.stayed(silent))
        // Who has accepted a connection owes the answer.
        .filter(|s| s.has_not_moved() && !s.is_accepted)
        .collect();
    // A main thread that waits to receive on this very socket, and nothing else, leaves no doubt.
    let is_received_on = |socket: &Socket| {
        let receives = |call| call == SystemCall::Receive(socket.descriptor);
        seen.threads
            .iter()
            .any(|w| w.process.pid == socket.pid && w.is_main() && w.waits_in(receives))
    };
    let is_pending = |socket: &&&Socket| seen.is_pending(socket) == Some(true);
    let by_call: Vec<_> = quiet.iter().copied().filter(|socket| is_received_on(socket)).collect();
    let by_time: Vec<_> = quiet.iter().filter(is_pending).copied().collect();
    let awaited = if by_call.is_empty() { by_time } else { by_call };
    let socket = awaited.iter().copied().max_by_key(|socket| socket.last_sent_ms)?;
    let for_ms = socket.last_sent_ms.filter(|_| seen.is_pending(socket) == Some(true));
    let silent_for = for_ms.map(|ms| format!(" for {:.2} s", ms as f64 / 1_000.0));
    let mut others: Vec<_> = awaited.iter().map(|socket| socket.peer).collect();
    others.retain(|peer| *peer != socket.peer);
    others.sort_unstable();
    others.dedup();
    let or_others = match others.len() {
        0 => String::new(),
        n => format!(", or for {}", times(n as u64, "other peer", "other peers")),
    };
    let clause = format!(
        "while waiting for {}: connected, nothing has come back{}{or_others}",
        with_service(socket.peer),
        silent_for.unwrap_or_default()
    );
    let others: Vec<_> = others.iter().take(MAX_OTHERS).map(SocketAddr::to_string).collect();
    let why = Why::of("awaiting-peer", clause)
        .evidence("waitedMs", for_ms)
        .evidence("awaitedConnections", Some(awaited.len()).filter(|awaited| *awaited > 1))
        .evidence("otherPeers", Some(others).filter(|others| !others.is_empty()));
    Some(seen.named(socket, why))
}

impl Seen<'_> {
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
        })
    }

    /// Whether data moved on a connection a moment ago: as of a loop that asks and pauses.
    pub(super) fn moved_lately(&self) -> bool {
        let is_late = |ms: Option<u64>| ms.is_some_and(|ms| ms < LATELY_MS);
        self.sockets()
            .any(|socket| is_late(socket.last_sent_ms) || is_late(socket.last_received_ms))
    }
}
