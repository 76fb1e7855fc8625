//! Causes that a socket shows.

use super::focus::waits_on;
use super::service::service;
use super::{Seen, Why};
use crate::snapshot::{Protocol, Socket, SocketState, SystemCall, TcpState};
use std::net::{IpAddr, SocketAddr};

/// Connections refused between two looks, from which on it is a loop and not one that was tried.
const REFUSED_IN_A_LOOP: u64 = 2;
/// And within a second: what looks for its agent now and then is none that is waited for.
const REFUSED_PER_S: u64 = 4;
/// Of the connections begun, so many of which are refused.
const REFUSED_PERCENT: u64 = 75;
/// Of a thread that computes all the time, so few refused connections are others'.
const FEW_REFUSED: u64 = 10;
/// A name server that is near answers sooner; of one that must ask others this tells nothing.
const LEAST_UDP_MS: u64 = 60;
/// Peers that are named beside the one that is waited for longest.
const MAX_OTHERS: usize = 4;

impl Seen<'_> {
    /// Connections refused between the looks, and in the life of the sandbox.
    pub(super) fn refused_connections(&self) -> Option<(u64, u64)> {
        let looks = &self.snapshot.looks;
        let first = looks.iter().find_map(|look| look.refused_connections)?;
        let last = looks.iter().rev().find_map(|look| look.refused_connections)?;
        Some((last.checked_sub(first)?, last))
    }

    /// Connections begun between the looks.
    fn opened_connections(&self) -> Option<u64> {
        let mut opened = self.snapshot.looks.iter().filter_map(|look| look.opened_connections);
        let first = opened.next()?;
        opened.next_back().unwrap_or(first).checked_sub(first)
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
}

/// A peer with its service, for a sentence.
pub(super) fn with_service(peer: SocketAddr) -> String {
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
        return Some(seen.named(socket, Why { since_ms: socket.syn_ms(), ..why }));
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
    // Where others are accepted, as by the next address of the same name, it is no refusal that is waited for.
    let opened = seen.opened_connections().unwrap_or(refused);
    if refused < REFUSED_IN_A_LOOP
        || refused.saturating_mul(100) < opened.saturating_mul(REFUSED_PERCENT)
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
    let is_pending = |socket: &&&Socket| seen.is_pending(socket) == Some(true);
    let by_call: Vec<_> =
        quiet.iter().copied().filter(|socket| seen.is_received_on(socket)).collect();
    let by_time: Vec<_> = quiet.iter().filter(is_pending).copied().collect();
    let is_certain = !by_call.is_empty();
    let awaited = if is_certain { by_call } else { by_time };
    let socket = awaited.iter().copied().max_by_key(|socket| socket.last_sent_ms)?;
    let is_due = seen.is_pending(socket) == Some(true);
    let for_ms = if is_due { socket.last_sent_ms } else { socket.quiet_ms() };
    let for_ms = for_ms.filter(|ms| seen.is_in_invocation(*ms));
    let silence = match (is_due, for_ms.map(|ms| ms as f64 / 1_000.0)) {
        (true, Some(s)) => format!("nothing has come back for {s:.2} s"),
        (false, Some(s)) => format!("nothing has moved for {s:.2} s"),
        (_, None) => "nothing has come back".to_owned(),
    };
    let mut others: Vec<_> = awaited.iter().map(|socket| socket.peer).collect();
    others.retain(|peer| *peer != socket.peer);
    others.sort_unstable();
    others.dedup();
    let or_others = match others.len() {
        0 => String::new(),
        n => format!(", or for {}", times(n as u64, "other peer", "other peers")),
    };
    let peer = with_service(socket.peer);
    let clause = format!("while waiting for {peer}: connected, {silence}{or_others}");
    let others: Vec<_> = others.iter().take(MAX_OTHERS).map(SocketAddr::to_string).collect();
    let why = Why::of("awaiting-peer", clause)
        .evidence("waitedMs", for_ms)
        .evidence("awaitedConnections", Some(awaited.len()).filter(|awaited| *awaited > 1))
        .evidence("otherPeers", Some(others).filter(|others| !others.is_empty()));
    let since_ms = socket.last_sent_ms.filter(|_| !is_certain);
    Some(seen.named(socket, Why { since_ms, ..why }))
}
