//! The kernel, asked by netlink what its tables of sockets do not hold.

use super::Budget;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io::{self, Read};
use triage_diagnosis::snapshot::{LastMoved, diag_request, parse_diag_answer};

// `linux/netlink.h`
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
/// The kernel's datagrams are no longer.
const DATAGRAM_BYTES: usize = 32 * 1024;
/// So many are read: some 6,000 sockets.
const MAX_DATAGRAMS: usize = 96;

/// When data last moved on each TCP socket of this network namespace that has a peer, by its inode.
///
/// # Errors
/// If there is no such socket here, or the kernel refuses.
pub(super) fn last_moved(is_ipv6: bool, budget: &Budget) -> io::Result<HashMap<u64, LastMoved>> {
    let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_SOCK_DIAG));
    let mut socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    // The kernel answers within the call that asks; there is nothing to wait for.
    socket.set_nonblocking(true)?;
    // Without an address it goes to the kernel.
    socket.send(&diag_request(is_ipv6))?;
    let mut moved = HashMap::new();
    let mut datagram = vec![0; DATAGRAM_BYTES];
    for _ in 0..MAX_DATAGRAMS {
        if budget.is_over() {
            break;
        }
        let read = match socket.read(&mut datagram) {
            Ok(read) => read,
            Err(e) if moved.is_empty() => return Err(e),
            Err(_) => break,
        };
        let answer = parse_diag_answer(&datagram[..read]);
        moved.extend(answer.sockets.into_iter().map(|socket| (socket.inode, socket)));
        if answer.is_last {
            break;
        }
    }
    Ok(moved)
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
            let moved = match last_moved(listener.local_addr().unwrap().is_ipv6(), &budget) {
                Ok(moved) => moved,
                Err(e) => return println!("left out, as the kernel does not answer: {e}"),
            };
            let (here, there) = (moved[&inode(&here)], moved[&inode(&there)]);
            assert!(here.sent_ms.is_some() && here.received_ms.is_none(), "{here:?}");
            assert!(there.sent_ms.is_none() && there.received_ms.is_some(), "{there:?}");
        }
    }
}
