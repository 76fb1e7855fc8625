//! `/proc/net/tcp`, `tcp6`, `udp` and `udp6`.

use super::{SocketState, TcpState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket, as one line of a table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// This end.
    pub local: SocketAddr,
    /// The other end: unspecified where there is none. An IPv4 address that is mapped into IPv6 is an IPv4
    /// address here.
    pub peer: SocketAddr,
    /// Its inode, which its descriptors name: `socket:[INODE]`.
    pub inode: u64,
    /// Its state; `at_us` is 0.
    pub state: SocketState,
}

/// The timer that runs while the other end has no room (zero-window probes).
const PROBE_TIMER: u8 = 4;

impl TableEntry {
    /// Whether there is another end: not of a socket that listens, nor of one of UDP that is not connected,
    /// which may send anywhere.
    #[must_use]
    pub const fn has_peer(&self) -> bool {
        self.peer.port() != 0 && !self.peer.ip().is_unspecified()
    }
}

/// The socket of a line, or None if it belongs to no process any more, or the line is not one of a
/// socket, or cut.
///
/// `sl: LOCAL REMOTE STATE TX:RX TIMER:WHEN RETRANSMITS UID TIMEOUT INODE …`, of which all but the
/// first, the user and the inode are hexadecimal. The words of an address are in the byte order of
/// the machine, which on all of Lambda's architectures is that of the least byte first.
#[must_use]
pub fn parse_socket_line(line: &str) -> Option<TableEntry> {
    let mut fields = line.split_ascii_whitespace();
    let mut field = || fields.next();
    field()?.strip_suffix(':')?;
    let (local, peer) = (address(field()?)?, address(field()?)?);
    let state = hex(field()?)?;
    let (send_queue, receive_queue) = field()?.split_once(':')?;
    let (timer, due_in_ticks) = field()?.split_once(':')?;
    let retransmits = hex(field()?)?;
    let (_uid, _timeout) = (field()?, field()?);
    let inode = field()?.parse().ok()?;
    // The reference count shows that the inode is whole.
    field()?;
    let timer: u8 = hex(timer)?.try_into().ok()?;
    let state = SocketState {
        at_us: 0,
        state: TcpState::from_number(state.try_into().ok()?),
        send_queue: hex(send_queue)?,
        receive_queue: hex(receive_queue)?,
        retransmits,
        is_probing: timer == PROBE_TIMER,
        due_in_ticks: hex(due_in_ticks),
    };
    (inode != 0).then_some(TableEntry { local, peer, inode, state })
}

impl TcpState {
    /// From the kernel's number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            8 => Self::CloseWait,
            10 => Self::Listen,
            other => Self::Other(other),
        }
    }
}

fn hex(text: &str) -> Option<u64> {
    // No sign, which the standard parser would take.
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |n: usize| {
        let word = u32::try_from(hex(ip.get(n * 8..n * 8 + 8)?)?).ok()?;
        Some(word.to_le_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (n, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(n)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::try_from(hex(port)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of Linux 6.18.
    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ";
    const LISTENS: &str = "   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 624 1 000000001c2dd08d 100 0 0 10 0                  ";
    const SYN_SENT: &str = "  15: 0100007F:D1B6 0703000A:1538 02 00000001:00000000 01:0000012C 00000002     0        0 14704815 2 000000001c2dd08d 800 0 0 1 7";
    const PROBING: &str = "  16: 0100007F:D1B8 0100007F:1F90 01 0002A3F0:00000010 04:00000015 00000000  1000        1 77 2 000000001c2dd08d 20 4 30 10 -1";
    const IPV6: &str = "   1: 0000000000000000FFFF00000100007F:D1B6 B80D0120000000000000000001000000:01BB 08 00000000:00000001 00:00000000 00000000     0        0 99 1 0 20 0 0 10 -1";
    const MAPPED: &str = "   1: 0000000000000000FFFF00000100007F:D1B6 0000000000000000FFFF00000703000A:01BB 01 00000000:00000000 00:00000000 00000000     0        0 99 1 0 20 0 0 10 -1";
    const RESOLVES: &str = "  124: 00000000:A002 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 556 2 00000000e 0";
    const UDP: &str = "  123: 0100007F:A001 3500007F:0035 01 00000000:00000300 00:00000000 00000000     0        0 555 2 00000000e 0";

    fn parsed(line: &str) -> TableEntry {
        parse_socket_line(line).unwrap_or_else(|| panic!("{line}"))
    }

    #[test]
    fn a_socket_is_read_whole() {
        let expected = TableEntry {
            local: "127.0.0.1:53686".parse().unwrap(),
            peer: "10.0.3.7:5432".parse().unwrap(),
            inode: 14_704_815,
            state: SocketState {
                at_us: 0,
                state: TcpState::SynSent,
                send_queue: 1,
                receive_queue: 0,
                retransmits: 2,
                is_probing: false,
                due_in_ticks: Some(300),
            },
        };
        assert_eq!(parsed(SYN_SENT), expected);
        let probing = parsed(PROBING).state;
        assert!(probing.is_probing);
        assert_eq!((probing.send_queue, probing.receive_queue), (0x2_a3f0, 0x10));
        assert_eq!(probing.state, TcpState::Established);
    }

    #[test]
    fn both_address_families_are_read() {
        assert_eq!(parsed(IPV6).peer, "[2001:db8::1]:443".parse().unwrap());
        assert_eq!(parsed(IPV6).state.state, TcpState::CloseWait);
        assert_eq!(parsed(MAPPED).peer, "10.0.3.7:443".parse().unwrap());
        assert_eq!(parsed(UDP).peer, "127.0.0.53:53".parse().unwrap());
        assert_eq!(parsed(UDP).state.receive_queue, 0x300);
    }

    #[test]
    fn what_has_no_peer_is_told_from_what_has_one() {
        let listens = parsed(LISTENS);
        assert!(!listens.has_peer() && listens.state.state == TcpState::Listen);
        assert_eq!(listens.local, "0.0.0.0:2024".parse().unwrap());
        assert!(!parsed(RESOLVES).has_peer());
        for line in [SYN_SENT, PROBING, IPV6, MAPPED, UDP] {
            assert!(parsed(line).has_peer(), "{line}");
        }
    }

    #[test]
    fn what_has_no_owner_or_is_cut_is_left_out() {
        assert_eq!(parse_socket_line(HEAD), None);
        assert_eq!(parse_socket_line(&SYN_SENT.replace("14704815", "0")), None, "no owner");
        let enough = SYN_SENT.find(" 000000001c2dd08d").unwrap();
        for end in 0..SYN_SENT.len() {
            let is_read = parse_socket_line(&SYN_SENT[..end]).is_some();
            assert_eq!(is_read, end >= enough, "{end}");
        }
        for bad in ["+100007F:D1B6", "0100007F:1FFFF", "0100007F", "ä0100007F:D1B", "00:1"] {
            assert_eq!(parse_socket_line(&SYN_SENT.replace("0703000A:1538", bad)), None, "{bad}");
        }
    }
}
