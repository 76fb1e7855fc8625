//! The Extensions API by the plainest means: what is left where there is a bug in the client.
//!
//! An extension that is not registered, or that does not ask for the next event, fails its
//! function. So these two calls must not rest on one piece of code, however well kept: here are
//! they again, on a socket and with nothing else in common, one connection a call. Whatever goes
//! wrong is None.

use crate::runtime_api::Endpoint;
use std::io::{self, ErrorKind};
use tokio::net::TcpStream;

/// The longest answer that is read.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// Registers for SHUTDOWN and, if they are wanted, for INVOKE events: the extension's identifier.
pub(crate) async fn register(
    endpoint: &Endpoint,
    name: &str,
    invoke_events: bool,
) -> Option<String> {
    let events = if invoke_events { r#""INVOKE","SHUTDOWN""# } else { r#""SHUTDOWN""# };
    let body = format!(r#"{{"events":[{events}]}}"#);
    let headers = format!("Lambda-Extension-Name: {name}\r\nContent-Type: application/json");
    let (head, _) =
        call(endpoint, "POST", "/2020-01-01/extension/register", &headers, &body).await?;
    header(&head, "Lambda-Extension-Identifier").map(str::to_owned)
}

/// The body of the next event.
pub(crate) async fn next(endpoint: &Endpoint, identifier: &str) -> Option<Vec<u8>> {
    let headers = format!("Lambda-Extension-Identifier: {identifier}");
    let (_, body) = call(endpoint, "GET", "/2020-01-01/extension/event/next", &headers, "").await?;
    Some(body)
}

/// The head and body of an answer that means success.
async fn call(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(String, Vec<u8>)> {
    let (authority, base_path) = (endpoint.authority(), endpoint.base_path());
    let length = body.len();
    // To HTTP/1.0 nothing is sent in chunks.
    let request = format!(
        "{method} {base_path}{path} HTTP/1.0\r\nHost: {authority}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let stream = TcpStream::connect(authority).await.ok()?;
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        stream.writable().await.ok()?;
        rest = &rest[unless_too_early(stream.try_write(rest))?.unwrap_or(0)..];
    }
    let mut answer = Vec::new();
    loop {
        if let Some((head, body)) = whole(&answer, false) {
            return Some((head, body)).filter(|(head, _)| is_success(head));
        }
        let mut part = [0; 4096];
        stream.readable().await.ok()?;
        match unless_too_early(stream.try_read(&mut part))? {
            Some(0) => return whole(&answer, true).filter(|(head, _)| is_success(head)),
            Some(n) => answer.extend_from_slice(&part[..n]),
            None => {}
        }
        if answer.len() > ANSWER_MAX_BYTES {
            return None;
        }
    }
}

/// None for a connection that broke, Some(None) where there was nothing to be done yet.
fn unless_too_early(result: io::Result<usize>) -> Option<Option<usize>> {
    match result {
        Ok(n) => Some(Some(n)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(None),
        Err(_) => None,
    }
}

/// The head and body of an answer, if it is all there: as long as it says or, where it does not,
/// until the connection's end.
fn whole(answer: &[u8], is_end: bool) -> Option<(String, Vec<u8>)> {
    let head_end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..head_end]).into_owned();
    let body = &answer[head_end + 4..];
    let body = match header(&head, "Content-Length").and_then(|length| length.parse().ok()) {
        Some(length) => body.get(..length)?,
        None if is_end => body,
        None => return None,
    };
    Some((head, body.to_vec()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn is_success(head: &str) -> bool {
    head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::{Answer, Call, StandIn};

    #[tokio::test]
    async fn it_registers_and_asks_as_the_client_does() {
        let api = StandIn::start();
        let endpoint = Endpoint::plainly(&format!("http://{}/.rt", api.address));
        let identifier = register(&endpoint, "triage", true).await.unwrap();
        let seen = &api.seen(Call::Register)[0];
        assert_eq!(seen.headers["lambda-extension-name"], "triage");
        assert_eq!(seen.target, "/.rt/2020-01-01/extension/register");
        assert_eq!(seen.body, r#"{"events":["INVOKE","SHUTDOWN"]}"#);
        api.event("x".repeat(20_000));
        assert_eq!(next(&endpoint, &identifier).await, Some(vec![b'x'; 20_000]));
        assert_eq!(api.seen(Call::Next)[0].headers["lambda-extension-identifier"], identifier);
    }

    #[tokio::test]
    async fn what_goes_wrong_is_nothing() {
        let api = StandIn::start();
        let endpoint = Endpoint::plainly(&api.address.to_string());
        for answer in [
            Answer::Reset,
            Answer::CutShort("{".into()),
            Answer::Status(500, "boom".into()),
            Answer::Status(403, "no".into()),
            Answer::Status(200, "x".repeat(ANSWER_MAX_BYTES + 1)),
        ] {
            api.script(Call::Next, answer.clone());
            assert_eq!(next(&endpoint, "id").await, None, "{answer:?}");
        }
        api.script(Call::Register, Answer::Status(403, "no".into()));
        assert_eq!(register(&endpoint, "triage", false).await, None);
        let nobody = Endpoint::plainly("127.0.0.1:1");
        assert_eq!(next(&nobody, "id").await, None);
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection() {
        let answer = b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nab";
        assert_eq!(whole(answer, false), None);
        assert_eq!(whole(answer, true).map(|(_, body)| body), Some(b"ab".to_vec()));
        assert_eq!(whole(b"HTTP/1.0 200 OK\r\n", true), None);
        assert_eq!(whole(b"HTTP/1.0 200 OK\r\nContent-length: 3\r\n\r\nab", true), None);
    }
}
