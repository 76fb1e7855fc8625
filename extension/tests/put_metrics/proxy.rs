//! A proxy before the server, in which things go wrong by a script.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It is passed on, and so is its answer.
    None,
    /// It is answered with this error, and not passed on.
    Error(u16, &'static str),
    /// It is passed on so much later.
    Late(Duration),
    /// The connection is closed, and it is not passed on.
    Reset,
    /// It is passed on, and the connection is closed without an answer.
    AnswerLost,
    /// It is passed on, and so is its answer; to what follows on the connection nothing ever comes.
    LastAnswer,
    /// Nothing ever comes.
    Silence,
    /// It is refused if its time differs by more than five minutes from a clock that is ahead by so
    /// many seconds (or behind), and else passed on.
    Clock(i64),
}

/// A running proxy. It lives as long as the test process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<usize>>,
}

impl Proxy {
    /// Before `upstream`. When the script is at its end, its last fault stays.
    pub(crate) fn start(upstream: SocketAddr, script: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<usize>>::default();
        let state = Arc::new((Mutex::new(VecDeque::from(script.to_vec())), seen.clone()));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = state.clone();
                std::thread::spawn(move || serve(&stream.unwrap(), upstream, &state));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came.
    pub(crate) fn seen(&self) -> usize {
        *self.seen.lock().unwrap()
    }
}

type State = (Mutex<VecDeque<Fault>>, Arc<Mutex<usize>>);

fn serve(stream: &TcpStream, upstream: SocketAddr, state: &State) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        *state.1.lock().unwrap() += 1;
        let fault = {
            let mut script = state.0.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().copied() }
        };
        let answer = match fault.unwrap_or(Fault::None) {
            Fault::None => pass_on(&request, upstream),
            Fault::Error(status, code) => error(status, code, now()),
            Fault::Late(time) => {
                std::thread::sleep(time);
                pass_on(&request, upstream)
            }
            Fault::Reset => return reset(stream),
            Fault::AnswerLost => {
                pass_on(&request, upstream);
                return reset(stream);
            }
            Fault::LastAnswer => {
                let _ = (&mut &*stream).write_all(&pass_on(&request, upstream));
                while read(&mut reader).is_some() {}
                return;
            }
            Fault::Silence => {
                std::thread::sleep(Duration::from_secs(60));
                return;
            }
            Fault::Clock(ahead_s) => {
                let off = Duration::from_secs(ahead_s.unsigned_abs());
                let clock = if ahead_s < 0 { now() - off } else { now() + off };
                let is_right = request.time().is_some_and(|time| {
                    let off = clock.duration_since(time).unwrap_or_else(|e| e.duration());
                    off < Duration::from_secs(300)
                });
                if is_right {
                    pass_on(&request, upstream)
                } else {
                    error(403, "RequestExpired", clock)
                }
            }
        };
        if (&mut &*stream).write_all(&answer).is_err() {
            return;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the server's clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Closes it so that the other end notices at once.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

struct Message {
    bytes: Vec<u8>,
    headers: HashMap<String, String>,
}

impl Message {
    /// When it was signed.
    fn time(&self) -> Option<SystemTime> {
        let date = self.headers.get("x-amz-date")?;
        let at = |from: usize, to: usize| date.get(from..to);
        let (day, hour) = (format!("{}-{}-{}", at(0, 4)?, at(4, 6)?, at(6, 8)?), at(9, 11)?);
        let text = format!("{day}T{hour}:{}:{}Z", at(11, 13)?, at(13, 15)?);
        humantime::parse_rfc3339(&text).ok()
    }
}

/// A request or an answer with its body, as it came.
fn read(reader: &mut impl BufRead) -> Option<Message> {
    let mut bytes = Vec::new();
    let mut headers = HashMap::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        bytes.extend_from_slice(&line);
        let line = String::from_utf8_lossy(&line);
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..]).ok()?;
    Some(Message { bytes, headers })
}

fn pass_on(request: &Message, upstream: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(upstream).unwrap();
    stream.write_all(&request.bytes).unwrap();
    read(&mut BufReader::new(&mut stream)).unwrap().bytes
}

/// An error of the protocol that the SDK speaks (Smithy RPC v2 CBOR): a map with `__type`.
fn error(status: u16, code: &str, clock: SystemTime) -> Vec<u8> {
    let mut body = vec![0xa1, 0x66];
    body.extend_from_slice(b"__type");
    body.extend_from_slice(&[0x78, u8::try_from(code.len()).unwrap()]);
    body.extend_from_slice(code.as_bytes());
    let date = httpdate(clock);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ndate: {date}\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.into_bytes(), body].concat()
}

/// A time as the header Date has it; of the weekday nobody makes anything.
fn httpdate(time: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let month: usize = text[5..7].parse().unwrap();
    let (year, day, hour) = (&text[0..4], &text[8..10], &text[11..19]);
    format!("Mon, {day} {} {year} {hour} GMT", MONTHS[month - 1])
}
