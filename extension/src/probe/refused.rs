//! Connections that are refused while it is looked: the kernel tells of each socket that ends.

use rustix::net::netlink::SocketAddrNetlink;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::SocketAddr;
use triage_diagnosis::snapshot::parse_refused;

// `linux/netlink.h`, `linux/sock_diag.h`
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
/// Of TCP over IPv4 and over IPv6, as bits; they need no privilege.
const GROUPS_OF_ENDED: u32 = 1 | 1 << 2;
/// What is told of one socket is no longer.
const MESSAGE_BYTES: usize = 8 * 1024;
/// Sockets of which it is read that they ended, and of them those that are kept.
const MAX_ENDED: usize = 1_024;
const MAX_KEPT: usize = 64;

/// Listens for as long as the value lives.
#[derive(Debug)]
pub(super) struct Refused {
    socket: Socket,
    left: usize,
}

impl Refused {
    /// # Errors
    /// If there is no such netlink here, or the kernel refuses.
    pub(super) fn listen() -> io::Result<Self> {
        let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_SOCK_DIAG));
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS_OF_ENDED))?;
        Ok(Self { socket, left: MAX_ENDED })
    }

    /// Adds the other ends of those that were refused since it was asked before.
    pub(super) fn add_to(&mut self, peers: &mut Vec<SocketAddr>) {
        let mut message = vec![0; MESSAGE_BYTES];
        while self.left > 0
            && peers.len() < MAX_KEPT
            && let Ok(read) = self.socket.read(&mut message)
        {
            self.left -= 1;
            peers.extend(parse_refused(&message[..read]));
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_macros, reason = "a test says what it leaves out")]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn a_refused_connection_is_told_with_its_other_end() {
        let mut refused = match Refused::listen() {
            Ok(refused) => refused,
            Err(e) => return println!("left out, as the kernel does not tell: {e}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = listener.local_addr().unwrap();
        // One that is made.
        drop(TcpStream::connect(closed).unwrap());
        drop(listener);
        let within = Duration::from_secs(5);
        assert!(TcpStream::connect_timeout(&closed, within).is_err());
        let mut peers = Vec::new();
        let until = Instant::now() + within;
        // Others run beside this test, and end sockets of their own.
        while !peers.contains(&closed) && Instant::now() < until {
            refused.left = MAX_ENDED;
            peers.clear();
            refused.add_to(&mut peers);
        }
        assert_eq!(peers.iter().filter(|peer| **peer == closed).count(), 1, "{peers:?}");
    }
}
