//! What a function could do to the listener: it lives in the same sandbox, and may connect. While it
//! does, real telemetry gets its 200 and is diagnosed, /next is asked for, and memory and descriptors
//! stay within limits that the kernel enforces: whoever breaks one of them dies of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod forged;
#[path = "../running/mod.rs"]
mod running;
#[path = "../stand_in/mod.rs"]
mod stand_in;
#[path = "../telemetry_records/mod.rs"]
mod telemetry_records;

use nix::sys::signal::Signal;
use running::{Running, cpu_ticks, status_kib};
use stand_in::{Call, PATIENCE, StandIn, now_ms, post_on, read_message};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use telemetry_records::{runtime_done, time, total};

/// How much more memory it may take than at its start: what waits for it (4 MiB), what is worked
/// through, connections, the threads' stacks, and what the allocator leaves between.
const MEMORY_MIB: u64 = 24;
/// 32 connections, those that are about to be closed, and what it has open anyway.
const DESCRIPTORS: usize = 64;
/// Not more than are told singly.
const ROUNDS: usize = 15;
const OK: &str = "HTTP/1.1 200 OK";

/// The platform's side: delivers on a kept connection, and again on a new one if that is closed.
struct Platform {
    to: SocketAddr,
    stream: Option<TcpStream>,
}

impl Platform {
    fn deliver(&mut self, body: &str) {
        let begun = Instant::now();
        while self.try_to_deliver(body).is_none() {
            self.stream = None;
            assert!(begun.elapsed() < PATIENCE, "a delivery is not answered");
        }
        // A hundred times what it takes, for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(5), "answered after {:?}", begun.elapsed());
    }

    fn try_to_deliver(&mut self, body: &str) -> Option<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect(self.to).ok()?),
        };
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).ok()?;
        let (status, ..) = read_message(&mut BufReader::new(&*stream))?;
        assert_eq!(status, OK);
        Some(())
    }
}

/// What is told of the time under attack.
struct Outcome {
    lines: String,
    /// Of CPU time in the second after the attack.
    idle_ms: u64,
}

/// Whether the attack is to go on.
type GoesOn<'a> = &'a AtomicBool;

/// An extension under an attack by several threads at once, and invocations and telemetry all the
/// while.
fn under(attack: impl Fn(SocketAddr, GoesOn<'_>) + Sync, attackers: usize) -> Outcome {
    let api = StandIn::start();
    // Nothing but a hindrance holds back /next. The thread that reads the mounts would come and go with
    // its part of the address space while that is measured.
    let mut extension = Running::start(&api, &[("TRIAGE_FLUSH", "lazy"), ("TRIAGE_PROBE", "off")]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let mut platform = Platform { to, stream: None };
    // Whatever is built at the first log record and the first line is built before the limits.
    platform.deliver(&format!("[{}]", timed_out("before")));
    extension.wait_for_stdout("\"before\"");
    let pid = extension.child.id();
    let most_bytes = (status_kib(pid, "VmSize:") + MEMORY_MIB * 1024) * 1024;
    extension.limit(&format!("--as={most_bytes}"));

    let goes_on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        // Also if an assertion fails.
        let _end = End(&goes_on);
        for _ in 0..attackers {
            scope.spawn(|| {
                while goes_on.load(Ordering::Relaxed) {
                    attack(to, &goes_on);
                }
            });
        }
        for round in 0..ROUNDS {
            api.invoke(&format!("round-{round}"));
            api.wait_for(Call::Next, round + 2);
            platform.deliver(&format!("[{}]", timed_out(&format!("round-{round}"))));
            let open = descriptors(pid);
            assert!(open <= DESCRIPTORS, "{open} descriptors");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // When what was sent is worked through, it rests.
    let mut idle_ms = u64::MAX;
    for _ in 0..20 {
        let before = cpu_ms(pid);
        std::thread::sleep(Duration::from_secs(1));
        idle_ms = idle_ms.min(cpu_ms(pid) - before);
        if idle_ms < 100 {
            break;
        }
    }
    platform.deliver(&format!("[{}]", timed_out("after")));
    api.shutdown("spindown");
    let (status, took) = extension.wait();
    assert_eq!(status.code(), Some(0), "{}", extension.stderr());
    assert!(took < Duration::from_secs(10), "{took:?}");
    Outcome { lines: extension.stdout(), idle_ms }
}

struct End<'a>(GoesOn<'a>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn timed_out(request_id: &str) -> String {
    runtime_done(request_id, "timeout", now_ms())
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn cpu_ms(pid: u32) -> u64 {
    cpu_ticks(pid) * 10
}

/// Each real invocation is diagnosed, once, and the attack costs nothing when it is over.
fn assert_harmless(outcome: &Outcome) {
    assert_eq!(total(&outcome.lines, "Timeouts"), (ROUNDS + 2) as f64, "{}", outcome.lines);
    assert!(outcome.idle_ms < 100, "{} ms of CPU in a second of rest", outcome.idle_ms);
}

/// Writes until it cannot, or is to end.
fn pour(stream: &mut TcpStream, bytes: &[u8], goes_on: GoesOn<'_>) {
    let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
    while goes_on.load(Ordering::Relaxed) && stream.write_all(bytes).is_ok() {}
}

fn connect(to: SocketAddr) -> Option<TcpStream> {
    TcpStream::connect(to).ok()
}

fn rest() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn two_hundred_idle_connections() {
    let outcome = under(
        |to, goes_on| {
            let _held: Vec<_> = (0..200).filter_map(|_| connect(to)).collect();
            while goes_on.load(Ordering::Relaxed) {
                rest();
            }
        },
        1,
    );
    assert_harmless(&outcome);
}

/// They wait to be accepted all at once, as after a freeze.
#[test]
fn a_hundred_connections_at_a_thaw() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let pid = extension.child.id();
    for _ in 0..5 {
        extension.signal(Signal::SIGSTOP);
        let held: Vec<_> = (0..100).filter_map(|_| connect(to)).collect();
        extension.signal(Signal::SIGCONT);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            let open = descriptors(pid);
            assert!(open <= DESCRIPTORS, "{open} descriptors of {} connections", held.len());
        }
    }
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
}

#[test]
fn connections_that_come_and_go_by_the_thousands() {
    let outcome = under(
        |to, _| {
            for _ in 0..1_000 {
                drop(connect(to));
            }
            rest();
        },
        2,
    );
    assert_harmless(&outcome);
}

#[test]
fn junk() {
    let outcome = under(
        |to, goes_on| {
            for junk in [
                &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
                b"\r\n\r\n\r\n",
                b"POST / HTTP/9.9\r\n\r\n",
                b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n[",
                b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{\"type\"",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\xff\xfe\xfd\x00",
            ] {
                if let Some(mut stream) = connect(to) {
                    let _ = stream.write_all(junk);
                }
                if !goes_on.load(Ordering::Relaxed) {
                    return;
                }
            }
        },
        2,
    );
    assert_harmless(&outcome);
}

#[test]
fn a_delivery_of_a_hundred_gigabytes() {
    let outcome = under(
        |to, goes_on| {
            let Some(mut stream) = connect(to) else { return };
            let _ = stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 107374182400\r\n\r\n");
            pour(&mut stream, &[b'0'; 64 * 1024], goes_on);
        },
        2,
    );
    assert_harmless(&outcome);
}

#[test]
fn chunks_without_end() {
    let outcome = under(
        |to, goes_on| {
            let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
            let long_extension = [b"1;", &[b'x'; 8 * 1024][..], b"\r\nx\r\n"].concat();
            let trailer = [b"0\r\n", &b"X: y\r\n".repeat(1_000)[..]].concat();
            for endless in [&b"1\r\nx\r\n".repeat(1_000), &long_extension, &trailer] {
                let Some(mut stream) = connect(to) else { return };
                let _ = stream.write_all(head);
                let until = Instant::now() + Duration::from_millis(100);
                let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
                while goes_on.load(Ordering::Relaxed)
                    && Instant::now() < until
                    && stream.write_all(endless).is_ok()
                {}
            }
        },
        2,
    );
    assert_harmless(&outcome);
}

#[test]
fn bodies_that_come_a_byte_now_and_then() {
    let outcome = under(
        |to, goes_on| {
            let mut streams: Vec<_> = (0..60).filter_map(|_| connect(to)).collect();
            for stream in &mut streams {
                let _ = stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n[");
            }
            while goes_on.load(Ordering::Relaxed) {
                streams.retain_mut(|stream| stream.write_all(b" ").is_ok());
                rest();
            }
        },
        1,
    );
    assert_harmless(&outcome);
}

/// Together they take all the room there is for deliveries.
#[test]
fn bodies_that_stop_before_their_last_byte() {
    let outcome = under(
        |to, goes_on| {
            let mut streams: Vec<_> = (0..8).filter_map(|_| connect(to)).collect();
            for stream in &mut streams {
                let _ = stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n[");
                let _ = stream.write_all(&vec![b' '; 1_048_000]);
            }
            for _ in 0..500 {
                if !goes_on.load(Ordering::Relaxed) {
                    return;
                }
                rest();
            }
        },
        1,
    );
    assert_harmless(&outcome);
}

#[test]
fn headers_of_any_size_and_number() {
    let outcome = under(
        |to, goes_on| {
            for endless in ["X: y\r\n".repeat(1_000), "x".repeat(8 * 1024)] {
                let Some(mut stream) = connect(to) else { return };
                let _ = stream.write_all(b"POST / HTTP/1.1\r\nX: ");
                pour(&mut stream, endless.as_bytes(), goes_on);
            }
        },
        2,
    );
    assert_harmless(&outcome);
}

/// Requests without end, and nobody who reads the answers.
#[test]
fn answers_that_nobody_reads() {
    let outcome = under(
        |to, goes_on| {
            let Some(mut stream) = connect(to) else { return };
            pour(&mut stream, &b"GET / HTTP/1.1\r\n\r\n".repeat(1_000), goes_on);
            while goes_on.load(Ordering::Relaxed) {
                rest();
            }
        },
        2,
    );
    assert_harmless(&outcome);
}

/// More connections than there are descriptors, while the connection to the API breaks: it is made
/// again all the same.
#[test]
fn no_descriptor_left_while_the_api_breaks_off() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let pid = extension.child.id();
    // No room for a single connection but the one to the API.
    extension.limit(&format!("--nofile={}:", descriptors(pid)));
    let goes_on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let _end = End(&goes_on);
        scope.spawn(|| {
            let mut held = Vec::new();
            while goes_on.load(Ordering::Relaxed) {
                held.extend((0..10).filter_map(|_| connect(to)));
                rest();
            }
        });
        rest();
        // In the pauses between its tries those that wait take the one descriptor.
        for round in 0..3 {
            let asked = api.seen(Call::Next).len();
            for _ in 0..6 {
                api.script(Call::Next, stand_in::Answer::Reset);
            }
            api.wait_for(Call::Next, asked + 6);
            api.invoke(&format!("round-{round}"));
            api.wait_for(Call::Next, asked + 7);
        }
    });
    extension.limit("--nofile=100:");
    let mut platform = Platform { to, stream: None };
    platform.deliver(&format!("[{}]", timed_out("after")));
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
    extension.wait_for_stdout("\"after\"");
}

#[test]
fn connections_that_no_descriptor_is_left_for_cost_nothing() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let pid = extension.child.id();
    let is_free = |fd: &u32| !std::path::Path::new(&format!("/proc/{pid}/fd/{fd}")).exists();
    extension.limit(&format!("--nofile={}:", (0..).find(is_free).unwrap()));
    let _waiting: Vec<_> = (0..10).filter_map(|_| connect(to)).collect();
    let before = cpu_ms(pid);
    std::thread::sleep(Duration::from_secs(1));
    let cpu_ms = cpu_ms(pid) - before;
    assert!(cpu_ms < 500, "{cpu_ms} ms of CPU in a second");
    assert!(extension.is_running());
}

#[test]
fn the_limits_bite() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let pid = extension.child.id();
    extension.limit(&format!("--as={}", status_kib(pid, "VmSize:") * 1024));
    let mut stream = connect(api.telemetry_address()).unwrap();
    let _ = stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n");
    let _ = stream.write_all(&vec![b' '; 1_048_576]);
    let _ = stream.read(&mut [0]);
    assert_eq!(extension.wait().0.code(), None, "it lives without memory");
}
