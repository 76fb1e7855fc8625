//! The peers: servers that answer, that are silent, that do not read.

use crate::order::port;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::Duration;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Serves until the process ends.
pub(crate) fn serve() -> std::io::Result<()> {
    // Both versions of IP.
    let any = Ipv6Addr::UNSPECIFIED;
    listen((any, port::ANSWERING), |stream| drop(thread::spawn(|| answer(stream, usize::MAX))))?;
    listen((any, port::ANSWERING_ONCE), |stream| drop(thread::spawn(|| answer(stream, 1))))?;
    for port in port::SILENT {
        silent((any, port))?;
    }
    let mut kept = Vec::new();
    listen((any, port::NOT_READING), move |stream| kept.push(stream))?;
    listen((any, port::READING_SLOWLY), |stream| {
        thread::spawn(move || read_slowly(stream));
    })?;
    let resolver = UdpSocket::bind((any, 53))?;
    thread::spawn(move || while resolver.recv(&mut [0; 512]).is_ok() {});
    Ok(())
}

/// A server that reads and is silent.
pub(crate) fn silent(address: impl ToSocketAddrs) -> std::io::Result<()> {
    listen(address, |mut stream| {
        thread::spawn(move || while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    })
}

/// As much in a second as an old line carries: less than what is sent, and never nothing.
fn read_slowly(mut stream: TcpStream) {
    while matches!(stream.read(&mut [0; 16 * 1024]), Ok(1..)) {
        thread::sleep(Duration::from_millis(4));
    }
}

/// An adapter that calls a server in the sandbox, as soon as there is one, and waits for all of the answer.
pub(crate) fn adapt(address: (&'static str, u16)) {
    thread::spawn(move || {
        loop {
            if let Ok(mut stream) = TcpStream::connect(address) {
                let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: orders\r\n\r\n");
                while asked.is_ok() && matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
}

fn listen(
    address: impl ToSocketAddrs,
    mut each: impl FnMut(TcpStream) + Send + 'static,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    thread::spawn(move || listener.incoming().flatten().for_each(&mut each));
    Ok(())
}

/// Longer than a tick of the kernel, of 4 ms here and in most: it tells no finer time of what was sent and
/// received last, so that what is answered within one cannot be told from what is not.
const SOONEST_MS: u64 = 5;

/// `GET /N` is answered after N milliseconds; then the connection is closed.
fn answer(mut stream: TcpStream, requests: usize) {
    let mut request = [0; 4096];
    for _ in 0..requests {
        let Ok(length @ 1..) = stream.read(&mut request) else { break };
        let request = String::from_utf8_lossy(&request[..length]);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let after_ms = path.trim_start_matches('/').parse().unwrap_or(0).max(SOONEST_MS);
        thread::sleep(Duration::from_millis(after_ms));
        if stream.write_all(ANSWER).is_err() {
            break;
        }
    }
}
