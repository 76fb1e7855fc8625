//! The Extensions and Telemetry APIs as a script: what the local Lambda cannot do because no
//! Lambda would, and nothing else. Plain threads, so that a benchmark of a client measures the
//! client.

#![allow(dead_code, unreachable_pub, reason = "each test and bench uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's scenery fails by panicking, and lives by the real clock"
)]

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than anything takes that is not broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Register,
    Subscribe,
    Next,
    Other,
}

#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16, String),
    /// The connection is closed instead.
    Reset,
    /// The answer says that it is longer than it is.
    CutShort(String),
    /// Nothing ever comes.
    Silence,
    /// Nor does anything that is sent arrive any more: the system itself no longer answers on this
    /// connection, as when the other end of it is gone without a word.
    Deaf,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub call: Call,
    pub target: String,
    pub headers: HashMap<String, String>,
    pub body: String,
    pub at: Instant,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    script: HashMap<Call, VecDeque<Answer>>,
    /// When the latest event was written.
    answered_at: Option<Instant>,
}

/// The server. Its threads end with the test's process.
#[derive(Clone)]
pub struct StandIn {
    pub address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl StandIn {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stand_in = Self { address, shared: Arc::default() };
        let server = stand_in.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        stand_in
    }

    /// Adds an answer to the script of a call; without one it works as on Lambda, where /next
    /// waits for one.
    pub fn script(&self, call: Call, answer: Answer) -> &Self {
        self.shared.0.lock().unwrap().script.entry(call).or_default().push_back(answer);
        self.shared.1.notify_all();
        self
    }

    pub fn event(&self, body: impl Into<String>) {
        self.script(Call::Next, Answer::Status(200, body.into()));
    }

    pub fn invoke(&self, request_id: &str) {
        self.event(invoke(request_id, now_ms() + 3_000));
    }

    pub fn shutdown(&self, reason: &str) {
        self.event(format!(
            r#"{{"eventType":"SHUTDOWN","shutdownReason":"{reason}","deadlineMs":{}}}"#,
            now_ms() + 2_000
        ));
    }

    pub fn seen(&self, call: Call) -> Vec<Seen> {
        let state = self.shared.0.lock().unwrap();
        state.seen.iter().filter(|seen| seen.call == call).cloned().collect()
    }

    /// When the latest event was written.
    pub fn answered_at(&self) -> Instant {
        self.shared.0.lock().unwrap().answered_at.unwrap()
    }

    /// Waits until a call was made so many times, and gives the latest.
    pub fn wait_for(&self, call: Call, times: usize) -> Seen {
        self.wait_up_to(call, times, PATIENCE).unwrap_or_else(|| {
            panic!("{call:?} was made {} of {times} times", self.seen(call).len())
        })
    }

    /// The same for no longer than this.
    pub fn wait_up_to(&self, call: Call, times: usize, longest: Duration) -> Option<Seen> {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap();
        let latest = |state: &State| {
            state.seen.iter().filter(|seen| seen.call == call).nth(times - 1).cloned()
        };
        let lacks = |state: &mut State| latest(state).is_none();
        let (state, _) = changed.wait_timeout_while(state, longest, lacks).unwrap();
        latest(&state)
    }

    /// Where the extension said it listens.
    pub fn telemetry_address(&self) -> SocketAddr {
        let body = self.wait_for(Call::Subscribe, 1).body;
        let port = body.split("sandbox.localdomain:").nth(1).unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let (first, headers, body) = read_message(&mut reader)?;
            let target = first.split(' ').nth(1)?.to_owned();
            let call = match target.rsplit('/').next()? {
                "register" => Call::Register,
                "telemetry" => Call::Subscribe,
                "next" => Call::Next,
                _ => Call::Other,
            };
            let body = String::from_utf8_lossy(&body).into_owned();
            let (state, changed) = &*self.shared;
            let mut state = state.lock().unwrap();
            state.seen.push(Seen { call, target, headers, body, at: Instant::now() });
            changed.notify_all();
            if call == Call::Next {
                let none = |state: &mut State| state.script.entry(call).or_default().is_empty();
                state = changed.wait_while(state, none).unwrap();
            }
            let answer = state.script.entry(call).or_default().pop_front();
            drop(state);
            let answer = answer.unwrap_or_else(|| match call {
                Call::Register => Answer::Status(
                    200,
                    r#"{"functionName":"orders","functionVersion":"$LATEST","handler":"h"}"#.into(),
                ),
                _ => Answer::Status(200, "\"OK\"".into()),
            });
            let (status, length, body) = match answer {
                Answer::Status(status, body) => (status, body.len(), body),
                Answer::CutShort(body) => (200, body.len() + 10, body),
                Answer::Reset => return None,
                Answer::Silence => loop {
                    std::thread::park();
                },
                Answer::Deaf => {
                    // A filter of one instruction: take no bytes of any packet.
                    const RETURN: u16 = 0x06;
                    let nothing = [socket2::SockFilter::new(RETURN, 0, 0, 0)];
                    socket2::SockRef::from(&writer).attach_filter(&nothing).unwrap();
                    loop {
                        std::thread::park();
                    }
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nLambda-Extension-Identifier: id-1\r\nContent-Length: {length}\r\n\r\n"
            );
            writer.write_all((head + &body).as_bytes()).ok()?;
            if call == Call::Next {
                self.shared.0.lock().unwrap().answered_at = Some(Instant::now());
            }
            if length > body.len() {
                return None;
            }
        }
    }
}

/// The first line, headers (names in lower case) and body of a request or an answer.
pub fn read_message(
    reader: &mut impl BufRead,
) -> Option<(String, HashMap<String, String>, Vec<u8>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().to_owned(), headers, body))
}

pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

pub fn invoke(request_id: &str, deadline_ms: u64) -> String {
    format!(
        r#"{{"eventType":"INVOKE","deadlineMs":{deadline_ms},"requestId":"{request_id}","invokedFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","tracing":{{"type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=0"}}}}"#
    )
}

/// Posts a delivery on a connection of its own; the status line of the answer.
pub fn post(to: SocketAddr, body: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(to).unwrap();
    post_on(&mut stream, body)
}

pub fn post_on(stream: &mut TcpStream, body: &[u8]) -> Option<String> {
    stream.set_nodelay(true).unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    status(stream)
}

/// The status line of the next answer.
pub fn status(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    read_message(&mut BufReader::new(stream)).map(|(first, ..)| first)
}
