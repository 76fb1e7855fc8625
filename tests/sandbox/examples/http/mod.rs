//! A blocking HTTP/1.1 client and listener, just enough for the fixtures: start-up in a
//! millisecond, and nothing hidden between them and the wire.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request to the API that the environment names, on a connection of its own.
pub(crate) fn call(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let rest = api.strip_prefix("http://").unwrap_or(&api);
    let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let mut stream = TcpStream::connect(host)?;
    let mut head = format!(
        "{method} {prefix}{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    let (first, headers, body) = read_message(&mut BufReader::new(stream))?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, headers, body })
}

/// Answers each request with what `answer` says for its body, on any number of connections.
#[allow(dead_code, reason = "the function fixture has no listener")]
pub(crate) fn listen(
    listener: &TcpListener,
    answer: impl FnMut(&[u8]) -> u16 + Send + 'static,
) -> io::Result<()> {
    let answer = Arc::new(Mutex::new(answer));
    loop {
        let (stream, _) = listener.accept()?;
        let answer = Arc::clone(&answer);
        std::thread::spawn(move || -> io::Result<()> {
            let mut reader = BufReader::new(stream);
            while let Ok((_, _, body)) = read_message(&mut reader) {
                let status = answer.lock().map_or(500, |mut answer| answer(&body));
                let head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(head.as_bytes())?;
            }
            Ok(())
        });
    }
}

type Message = (String, Vec<(String, String)>, Vec<u8>);

fn read_message(reader: &mut impl BufRead) -> io::Result<Message> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().map_err(io::Error::other)?;
        }
        headers.push((name, value));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, headers, body))
}
