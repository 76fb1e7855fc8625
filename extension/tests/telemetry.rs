//! The real binary's telemetry listener, and whatever may come to it.

mod running;
mod stand_in;

use running::Running;
use stand_in::{Call, PATIENCE, StandIn, post, post_on, status};
use std::io::{Read, Write};
use std::net::TcpStream;

const OK: &str = "HTTP/1.1 200 OK";

fn started() -> (StandIn, Running) {
    let api = StandIn::start();
    let extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    (api, extension)
}

fn leaves(api: &StandIn, mut extension: Running) {
    assert!(extension.is_running());
    let asked = api.seen(Call::Next).len();
    api.invoke("a");
    api.wait_for(Call::Next, asked + 1);
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
}

#[test]
fn any_body_is_answered_with_200() {
    let (api, extension) = started();
    let to = api.telemetry_address();
    let long = format!(
        r#"[{{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"{}"}}]"#,
        "x".repeat(2 * 1024 * 1024)
    );
    for body in [
        &b""[..],
        b"[]",
        b"[{\"type\":",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[null,7,\"x\",[],{}]",
        br#"[{"type":"function"},{"time":7,"type":"platform.start","record":null}]"#,
        long.as_bytes(),
    ] {
        assert_eq!(post(to, body).as_deref(), Some(OK), "{} bytes", body.len());
    }
    leaves(&api, extension);
}

/// `sandbox.localdomain` need not be the loopback address that one thinks of first.
#[test]
fn it_listens_on_every_address() {
    let (api, extension) = started();
    let mut to = api.telemetry_address();
    to.set_ip([127, 0, 0, 2].into());
    assert_eq!(post(to, b"[]").as_deref(), Some(OK));
    leaves(&api, extension);
}

#[test]
fn where_all_its_ports_are_taken_it_listens_on_another() {
    // Those that cannot be bound here are taken already.
    let _taken: Vec<_> =
        (9327..9327 + 16).map(|port| std::net::TcpListener::bind(("0.0.0.0", port))).collect();
    let (api, extension) = started();
    assert_eq!(post(api.telemetry_address(), b"[]").as_deref(), Some(OK));
    leaves(&api, extension);
}

#[test]
fn any_method_and_path_is_answered_with_200() {
    let (api, extension) = started();
    for head in ["GET /", "PUT /a/b?c=d", "DELETE /", "POST /2020", "BREW /pot"] {
        let mut stream = TcpStream::connect(api.telemetry_address()).unwrap();
        write!(stream, "{head} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]").unwrap();
        assert_eq!(status(&stream).as_deref(), Some(OK), "{head}");
    }
    let mut stream = TcpStream::connect(api.telemetry_address()).unwrap();
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n";
    stream.write_all(chunked.as_bytes()).unwrap();
    assert_eq!(status(&stream).as_deref(), Some(OK));
    leaves(&api, extension);
}

#[test]
fn a_connection_is_kept_and_many_are_served() {
    let (api, extension) = started();
    let to = api.telemetry_address();
    let mut kept = TcpStream::connect(to).unwrap();
    assert_eq!(post_on(&mut kept, b"[]").as_deref(), Some(OK));
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(to).unwrap()).collect();
    for n in 0..100 {
        // The one that delivers outlives any number that do not.
        assert_eq!(post_on(&mut kept, format!("[{n}]").as_bytes()).as_deref(), Some(OK), "{n}");
        assert_eq!(post(to, format!("[\"{n}\"]").as_bytes()).as_deref(), Some(OK), "{n}");
    }
    let mut forgotten = idle.first().unwrap();
    forgotten.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(forgotten.read(&mut [0]).unwrap(), 0, "as many are kept as come");
    leaves(&api, extension);
}

#[test]
fn what_is_not_http_or_breaks_off_harms_nobody_else() {
    let (api, extension) = started();
    let to = api.telemetry_address();
    for junk in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\r\n\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n[",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{\"type\"",
    ] {
        let mut stream = TcpStream::connect(to).unwrap();
        // It may hang up in the middle.
        let _ = stream.write_all(junk);
    }
    // A header without an end.
    let mut endless = TcpStream::connect(to).unwrap();
    let _ = endless.write_all(b"POST / HTTP/1.1\r\nX: ");
    for _ in 0..1000 {
        if endless.write_all(&[b'x'; 1024]).is_err() {
            break;
        }
    }
    assert_eq!(post(to, b"[]").as_deref(), Some(OK));
    leaves(&api, extension);
}

#[test]
fn a_flood_is_answered_and_takes_bounded_memory() {
    let (api, extension) = started();
    let to = api.telemetry_address();
    let mut stream = TcpStream::connect(to).unwrap();
    for n in 0..64 {
        let body = vec![b'0'; 1024 * 1024 + n];
        assert_eq!(post_on(&mut stream, &body).as_deref(), Some(OK));
    }
    let rss = extension.rss_kib();
    assert!(rss < 40 * 1024, "{rss} KiB");
    leaves(&api, extension);
}
