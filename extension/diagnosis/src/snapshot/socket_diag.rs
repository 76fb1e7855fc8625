//! What the kernel answers when it is asked for TCP sockets by `NETLINK_SOCK_DIAG`: more than its
//! tables hold, such as when data last moved.
//!
//! Shapes as in the kernel's `netlink.h`, `inet_diag.h` and `tcp.h`, in the byte order of the
//! machine; newer kernels add to the end of each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// When data last moved on a TCP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastMoved {
    /// The socket's inode.
    pub inode: u64,
    /// Milliseconds since data were last sent; None if none ever were, or the kernel does not tell.
    pub sent_ms: Option<u64>,
    /// Milliseconds since data last came in; None likewise.
    pub received_ms: Option<u64>,
    /// Where no data ever came in, how often some were sent: in segments, but for those that were full.
    pub unanswered_sends: Option<u64>,
}

/// What a datagram of the answer held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiagAnswer {
    /// The sockets in it.
    pub sockets: Vec<LastMoved>,
    /// Whether the answer ends with it. It does too where the kernel refuses, or what came is none.
    pub is_last: bool,
}

const HEADER_BYTES: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// A request.
const REQUEST: u16 = 1;
const TCP: u8 = 6;
/// `tcp_info` is wanted.
const INFO: u16 = 2;
/// `inet_diag_msg` without what follows it.
const MESSAGE_BYTES: usize = 72;
const PEER_PORT_AT: usize = 6;
const PEER_AT: usize = 24;
const INODE_AT: usize = 68;
/// `TCP_CLOSE`
const CLOSED: u8 = 7;
// In `tcp_info`.
const SEGMENT_BYTES_AT: usize = 16;
const LAST_SENT_AT: usize = 44;
const LAST_RECEIVED_AT: usize = 52;
const BYTES_ACKED_AT: usize = 120;
const BYTES_RECEIVED_AT: usize = 128;
const ALL_SEGMENTS_SENT_AT: usize = 136;
const ALL_SEGMENTS_RECEIVED_AT: usize = 140;
const SEGMENTS_SENT_AT: usize = 156;
const BYTES_SENT_AT: usize = 200;

/// The request for the TCP socket between these two ends; None if they are of different families.
#[must_use]
pub fn diag_request(local: SocketAddr, peer: SocketAddr) -> Option<Vec<u8>> {
    const LENGTH: u32 = 72;
    let (family, local_ip, peer_ip) = match (local.ip(), peer.ip()) {
        (IpAddr::V4(local), IpAddr::V4(peer)) => (2, widened(local), widened(peer)),
        (IpAddr::V6(local), IpAddr::V6(peer)) => (10, local.octets(), peer.octets()),
        _ => return None,
    };
    let mut request = Vec::with_capacity(LENGTH as usize);
    request.extend(LENGTH.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST.to_ne_bytes());
    // Sequence number and port, which need not be told apart here.
    request.extend([0; 8]);
    // What is wanted is `tcp_info`; the states do not matter.
    request.extend([family, TCP, 1 << (INFO - 1), 0]);
    request.extend([0; 4]);
    request.extend(local.port().to_be_bytes());
    request.extend(peer.port().to_be_bytes());
    request.extend(local_ip);
    request.extend(peer_ip);
    // On any interface, whatever its cookie.
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    Some(request)
}

fn widened(ip: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&ip.octets());
    bytes
}

/// The sockets of a datagram that came in answer.
#[must_use]
pub fn parse_diag_answer(mut datagram: &[u8]) -> DiagAnswer {
    let mut answer = DiagAnswer { is_last: datagram.is_empty(), ..DiagAnswer::default() };
    while !datagram.is_empty() {
        let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) else {
            answer.is_last = true;
            break;
        };
        let Some(message) = datagram.get(HEADER_BYTES..length as usize) else {
            answer.is_last = true;
            break;
        };
        match kind {
            DONE | ERROR => answer.is_last = true,
            SOCK_DIAG_BY_FAMILY => answer.sockets.extend(socket(message)),
            _ => {}
        }
        datagram = datagram.get(aligned(length as usize)..).unwrap_or_default();
    }
    answer
}

/// The other end of a connection that was refused, if the kernel tells with this message of a socket that is
/// no more and has been nothing else: of one that waited in the call itself it has forgotten the port.
#[must_use]
pub fn parse_refused(datagram: &[u8]) -> Option<SocketAddr> {
    let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
    let message = datagram.get(HEADER_BYTES..length)?;
    let info = attribute_of(message, INFO)?;
    // A SYN went out, perhaps again and again; what came back ended it.
    let is_refused = u16_at(datagram, 4)? == SOCK_DIAG_BY_FAMILY
        && *message.get(1)? == CLOSED
        && u32_at(info, ALL_SEGMENTS_SENT_AT)? > 0
        && u32_at(info, ALL_SEGMENTS_RECEIVED_AT)? == 1
        && u64_at(info, BYTES_ACKED_AT)? == 0
        && u32_at(info, SEGMENTS_SENT_AT)? == 0;
    let port = u16::from_be_bytes(bytes_at(message, PEER_PORT_AT)?);
    let ip: IpAddr = match *message.first()? {
        2 => bytes_at::<4>(message, PEER_AT)?.into(),
        10 => bytes_at::<16>(message, PEER_AT)?.into(),
        _ => return None,
    };
    (is_refused && port != 0).then(|| SocketAddr::new(ip, port))
}

fn attribute_of(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut attributes = message.get(MESSAGE_BYTES..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let value = attributes.get(4..usize::from(length))?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(aligned(usize::from(length))..)?;
    }
    None
}

fn socket(message: &[u8]) -> Option<LastMoved> {
    let inode = u64::from(u32_at(message, INODE_AT)?);
    let mut moved = LastMoved { inode, ..LastMoved::default() };
    let mut attributes = message.get(MESSAGE_BYTES..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let Some(info) = attributes.get(4..length) else { break };
        if kind == INFO {
            // Where nothing was ever sent, the time is that since the connection was made: if nothing
            // came either, the other end is to speak first. Kernels before 4.6 do not tell.
            let has_sent = u32_at(info, SEGMENTS_SENT_AT).is_some_and(|segments| segments > 0);
            let has_received = u64_at(info, BYTES_RECEIVED_AT).map(|bytes| bytes > 0);
            let time = |at| u32_at(info, at).map(u64::from);
            moved.sent_ms = time(LAST_SENT_AT).filter(|_| has_sent || has_received == Some(false));
            moved.received_ms = time(LAST_RECEIVED_AT).filter(|_| has_received == Some(true));
            moved.unanswered_sends = sends(info).filter(|_| has_received == Some(false));
        }
        attributes = attributes.get(aligned(length)..).unwrap_or_default();
    }
    (inode != 0).then_some(moved)
}

/// What is long is sent in full segments and a rest.
fn sends(info: &[u8]) -> Option<u64> {
    let segments = u64::from(u32_at(info, SEGMENTS_SENT_AT)?);
    let full = u64_at(info, BYTES_SENT_AT)?.checked_div(u32_at(info, SEGMENT_BYTES_AT)?.into())?;
    Some(segments.saturating_sub(full))
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes_at(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.resize(HEADER_BYTES, 0);
        message.extend(body);
        message.resize(aligned(message.len()), 0);
        message
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut attribute = length.to_ne_bytes().to_vec();
        attribute.extend(kind.to_ne_bytes());
        attribute.extend(value);
        attribute.resize(aligned(attribute.len()), 0);
        attribute
    }

    /// Of a kernel whose `tcp_info` has so many bytes.
    fn socket_message(inode: u32, segments: u32, bytes: u64, info_bytes: usize) -> Vec<u8> {
        let mut info = vec![0; info_bytes.max(BYTES_SENT_AT + 8)];
        let mut put = |at: usize, value: &[u8]| info[at..at + value.len()].copy_from_slice(value);
        put(LAST_SENT_AT, &2_100_u32.to_ne_bytes());
        put(LAST_RECEIVED_AT, &2_000_u32.to_ne_bytes());
        put(BYTES_RECEIVED_AT, &bytes.to_ne_bytes());
        put(SEGMENTS_SENT_AT, &segments.to_ne_bytes());
        // A full segment, and short ones.
        put(SEGMENT_BYTES_AT, &1_400_u32.to_ne_bytes());
        put(BYTES_SENT_AT, &1_600_u64.to_ne_bytes());
        info.truncate(info_bytes);
        let mut body = vec![0; MESSAGE_BYTES];
        body[INODE_AT..].copy_from_slice(&inode.to_ne_bytes());
        // Another attribute, of odd length, before it.
        body.extend(attribute(8, b"c"));
        body.extend(attribute(INFO, &info));
        message(SOCK_DIAG_BY_FAMILY, &body)
    }

    #[test]
    fn when_data_last_moved_is_read() {
        let mut datagram = socket_message(77, 3, 10, 240);
        datagram.extend(socket_message(78, 4, 0, 300));
        let moved = |inode, sent_ms, received_ms| LastMoved {
            inode,
            sent_ms,
            received_ms,
            unanswered_sends: None,
        };
        let unanswered = LastMoved { unanswered_sends: Some(3), ..moved(78, Some(2_100), None) };
        let sockets = vec![moved(77, Some(2_100), Some(2_000)), unanswered];
        let answer = parse_diag_answer(&datagram);
        assert_eq!(answer, DiagAnswer { sockets, is_last: false });
        datagram.extend(message(DONE, &[0; 4]));
        assert!(parse_diag_answer(&datagram).is_last);
        let old = parse_diag_answer(&socket_message(77, 3, 10, 104)).sockets;
        assert_eq!(old, [moved(77, None, None)], "a kernel that does not count bytes");
        let older = parse_diag_answer(&socket_message(78, 4, 0, 200)).sockets;
        assert_eq!(older, [moved(78, Some(2_100), None)], "one that counts those received alone");
        assert_eq!(parse_diag_answer(&socket_message(0, 3, 10, 240)).sockets, [], "no owner");
    }

    /// Of a socket that is no more: segments sent and received, bytes acknowledged, the other end.
    fn ended(sent: u32, received: u32, acked: u64, peer: &str) -> Vec<u8> {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut info = vec![0; 240];
        let mut put = |at: usize, value: &[u8]| info[at..at + value.len()].copy_from_slice(value);
        put(ALL_SEGMENTS_SENT_AT, &sent.to_ne_bytes());
        put(ALL_SEGMENTS_RECEIVED_AT, &received.to_ne_bytes());
        put(BYTES_ACKED_AT, &acked.to_ne_bytes());
        let mut body = vec![0; MESSAGE_BYTES];
        body[1] = CLOSED;
        body[PEER_PORT_AT..PEER_PORT_AT + 2].copy_from_slice(&peer.port().to_be_bytes());
        let (family, ip) = match peer.ip() {
            IpAddr::V4(ip) => (2, ip.octets().to_vec()),
            IpAddr::V6(ip) => (10, ip.octets().to_vec()),
        };
        body[0] = family;
        body[PEER_AT..PEER_AT + ip.len()].copy_from_slice(&ip);
        body.extend(attribute(INFO, &info));
        message(SOCK_DIAG_BY_FAMILY, &body)
    }

    #[test]
    fn a_connection_that_was_refused_is_told_from_one_that_was_made() {
        for peer in ["10.0.3.7:27017", "[fd00:3::7]:5432"] {
            assert_eq!(parse_refused(&ended(1, 1, 0, peer)), peer.parse().ok());
            assert_eq!(parse_refused(&ended(2, 1, 0, peer)), peer.parse().ok(), "sent again");
            assert_eq!(parse_refused(&ended(1, 0, 0, peer)), None, "given up");
            assert_eq!(parse_refused(&ended(2, 2, 1, peer)), None, "made, and closed");
            assert_eq!(parse_refused(&ended(0, 1, 0, peer)), None, "accepted");
        }
        assert_eq!(parse_refused(&ended(1, 1, 0, "10.0.3.7:0")), None, "forgotten");
        assert_eq!(parse_refused(&socket_message(77, 3, 10, 240)), None, "it is still there");
        let whole = ended(1, 1, 0, "10.0.3.7:27017");
        assert!((0..whole.len()).all(|end| parse_refused(&whole[..end]).is_none()));
    }

    #[test]
    fn a_refusal_and_what_is_no_answer_are_the_last() {
        assert!(parse_diag_answer(&message(ERROR, &[0; 4])).is_last);
        assert!(parse_diag_answer(&[]).is_last);
        let whole = socket_message(77, 3, 10, 240);
        for end in 0..whole.len() {
            assert!(parse_diag_answer(&whole[..end]).is_last, "{end}");
        }
        for length in [0_u32, 15, u32::MAX] {
            let mut forged = whole.clone();
            forged[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(parse_diag_answer(&forged).is_last, "{length}");
        }
    }

    #[test]
    fn a_request_names_both_ends() {
        let request =
            |local: &str, peer: &str| diag_request(local.parse().unwrap(), peer.parse().unwrap());
        let v4 = request("127.0.0.1:258", "10.0.3.7:772").unwrap();
        assert_eq!((v4.len(), u32_at(&v4, 0)), (72, Some(72)));
        assert_eq!(v4[16..20], [2, 6, 2, 0]);
        assert_eq!(v4[24..32], [1, 2, 3, 4, 127, 0, 0, 1]);
        assert_eq!(v4[44..48], [10, 0, 3, 7]);
        let v6 = request("[::1]:1", "[2001:db8::9]:1").unwrap();
        assert_eq!((v6[16], v6[43], v6[44], v6[59]), (10, 1, 0x20, 9));
        assert_eq!(v6[64..], [0xff; 8]);
        assert_eq!(request("127.0.0.1:1", "[::1]:1"), None);
    }
}
