//! The kernel, asked by netlink what its tables of sockets do not hold.

use super::Budget;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::SocketAddr;
use triage_diagnosis::snapshot::{LastMoved, diag_request, parse_diag_answer};

// `linux/netlink.h`
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
/// The answer about one socket is no longer.
const ANSWER_BYTES: usize = 8 * 1024;

/// When data last moved on the TCP sockets between these ends, as far as there is time, and whether all
/// were asked for. They are asked for one by one: to list all takes a walk through the kernel's whole table.
///
/// # Errors
/// If there is no such netlink here, or the kernel refuses from the beginning.
pub(super) fn last_moved(
    ends: impl Iterator<Item = (SocketAddr, SocketAddr)>,
    budget: &Budget,
) -> io::Result<(Vec<LastMoved>, bool)> {
    let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_SOCK_DIAG));
    let mut socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    // The kernel answers within the call that asks; there is nothing to wait for.
    socket.set_nonblocking(true)?;
    let mut moved = Vec::new();
    let mut datagram = vec![0; ANSWER_BYTES];
    for (local, peer) in ends {
        if budget.is_over() {
            return Ok((moved, false));
        }
        let Some(request) = diag_request(local, peer) else { continue };
        // Without an address it goes to the kernel.
        let answered = socket.send(&request).and_then(|_| socket.read(&mut datagram));
        match answered {
            Ok(read) => moved.extend(parse_diag_answer(&datagram[..read]).sockets),
            Err(e) if moved.is_empty() => return Err(e),
            Err(_) => return Ok((moved, false)),
        }
    }
    Ok((moved, true))
}

#[cfg(test)]
#[allow(clippy::disallowed_macros, reason = "a test says what it leaves out")]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn inode(socket: &TcpStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let link = link.to_str().unwrap().trim_start_matches("socket:[");
        link.trim_end_matches(']').parse().unwrap()
    }

    #[test]
    fn the_kernel_tells_when_data_moved() {
        let budget = Budget::until(Instant::now() + Duration::from_secs(20), Arc::default());
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                println!("left out, as there is no such address: {address}");
                continue;
            };
            let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut there, _) = listener.accept().unwrap();
            here.write_all(b"hello").unwrap();
            there.read_exact(&mut [0; 5]).unwrap();
            let ends = [&here, &there].map(|s| (s.local_addr().unwrap(), s.peer_addr().unwrap()));
            // One that is not there, between them.
            let nowhere = (ends[0].0, SocketAddr::new(ends[0].0.ip(), 1));
            let (moved, is_whole) =
                match last_moved([ends[0], nowhere, ends[1]].into_iter(), &budget) {
                    Ok(moved) => moved,
                    Err(e) => return println!("left out, as the kernel does not answer: {e}"),
                };
            assert!(is_whole);
            let [one, other] = &moved[..] else { panic!("{moved:?}") };
            assert_eq!((one.inode, other.inode), (inode(&here), inode(&there)));
            assert!(one.sent_ms.is_some() && one.received_ms.is_none(), "{one:?}");
            assert!(other.sent_ms.is_none() && other.received_ms.is_some(), "{other:?}");
        }
    }
}
