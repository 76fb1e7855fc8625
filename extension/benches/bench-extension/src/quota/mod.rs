//! A function at a fourteenth of a CPU, with the extension beside it and without.
//!
//! Two functions run in turn, each in a control group of its own, one of them with the extension in the
//! same group. The extension is stopped between invocations, as on Lambda, so that what is delivered after
//! an invocation is worked through in the next.

pub(crate) mod function;
#[path = "../../../group/mod.rs"]
mod group;

use crate::Result;
use crate::deliveries;
use crate::extension::Extension;
use crate::programs::Program;
use crate::stand_in;
use crate::table::{Table, quantile};
use function::Function;
use group::Group;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// As was measured on Lambda by others.
const PERIOD_MS: u32 = 20;
/// How long an invocation takes without an extension.
const DURATION: Duration = Duration::from_millis(500);
/// Bytes in a second, of logs as the function writes them.
const LOG_RATE: f64 = 5e6;
/// How long Lambda holds back telemetry at the least that can be asked for, and how much of it.
const BUFFER_TIME: Duration = Duration::from_millis(25);
const BUFFER_BYTES: usize = 256 * 1024;

/// What an invocation is to do.
#[derive(Clone, Copy)]
struct Work {
    spins: u64,
    log_bytes: u64,
}

pub(crate) fn measure(programs: &[Program], pairs: usize, table: &mut Table) {
    match works() {
        Ok([healthy, logging]) => {
            for (what, work) in [("", healthy), (", logging 5 MB/s", logging)] {
                let none = compare(None, work, pairs).unwrap_or_else(|e| e.to_string());
                let what = format!(
                    "a function's duration at 1/14 of a CPU{what}, with the extension over without: \
                     median (quartiles) of {pairs} pairs; with none in either {none}"
                );
                let columns =
                    programs.iter().map(|program| Ok([compare(Some(program), work, pairs)?]));
                table.rows([(&what, "1.00")], programs, columns.collect());
            }
        }
        Err(error) => eprintln!("left out: the quota, as there can be no control group: {error}"),
    }
}

/// So much as takes [`DURATION`], silent and at [`LOG_RATE`].
fn works() -> Result<[Work; 2]> {
    let group = Group::limited(PERIOD_MS)?;
    let (nobody, _) = channel();
    let mut function = Function::start(&group, nobody)?;
    let mut healthy = Work { spins: 100_000, log_bytes: 0 };
    let mut took = function.invoke(healthy)?;
    while took < DURATION / 2 {
        healthy.spins *= 2;
        took = function.invoke(healthy)?;
    }
    let times = |work: u64, times: f64| (work as f64 * times) as u64;
    healthy.spins = times(healthy.spins, DURATION.div_duration_f64(took));
    let mut logging = healthy;
    for _ in 0..3 {
        logging.log_bytes = (function.invoke(logging)?.as_secs_f64() * LOG_RATE) as u64;
        let took = function.invoke(logging)?;
        logging.spins = times(logging.spins, DURATION.div_duration_f64(took));
    }
    Ok([healthy, logging])
}

/// The ratio of durations. Without a program both are alone.
fn compare(program: Option<&Program>, work: Work, pairs: usize) -> Result<String> {
    let groups = [Group::limited(PERIOD_MS)?, Group::limited(PERIOD_MS)?];
    let mut extension = program.map(Extension::start).transpose()?;
    let (records, platform) = channel();
    let (nobody, _) = channel();
    let mut alone = Function::start(&groups[0], nobody)?;
    let mut beside = Function::start(&groups[1], records.clone())?;
    let mut delivering = None;
    if let Some(extension) = &mut extension {
        groups[1].take_in(extension.pid())?;
        let stream = TcpStream::connect(extension.listens_at()?)?;
        delivering = Some(std::thread::spawn(move || deliver(&platform, stream)));
        extension.freeze(true)?;
    }
    let mut ratios = Vec::with_capacity(pairs);
    for n in 0..=pairs {
        let mut took = [Duration::ZERO; 2];
        for turn in 0..2 {
            // Neither is always the first.
            let is_beside = (n + turn) % 2 == 1;
            took[usize::from(is_beside)] = match &mut extension {
                Some(extension) if is_beside => {
                    extension.freeze(false)?;
                    extension.begin(n);
                    records.send(deliveries::start(n))?;
                    let took = beside.invoke(work)?;
                    extension.await_next()?;
                    extension.freeze(true)?;
                    records.send(deliveries::done(n, "success"))?;
                    took
                }
                _ if is_beside => beside.invoke(work)?,
                _ => alone.invoke(work)?,
            };
        }
        // The first is for what is set up once.
        if n > 0 {
            ratios.push(took[1].div_duration_f64(took[0]));
        }
    }
    if let Some(extension) = extension {
        extension.freeze(false)?;
        // With the last who had records to deliver, delivering ends.
        drop((beside, records));
        let _ = delivering.map(JoinHandle::join);
        extension.shut_down()?;
    }
    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [0.25, 0.5, 0.75].map(|part| quantile(&ratios, part));
    Ok(format!("{median:.2} ({low:.2}–{high:.2})"))
}

/// Delivers records as Lambda does, until nobody has any.
fn deliver(records: &Receiver<String>, mut stream: TcpStream) {
    while let Ok(first) = records.recv() {
        let due = Instant::now() + BUFFER_TIME;
        let mut body = format!("[{first}");
        while body.len() < BUFFER_BYTES {
            match records.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(record) => {
                    body.push(',');
                    body += &record;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        body.push(']');
        stand_in::post_on(&mut stream, body.as_bytes());
    }
}

/// Where a function's log lines go, as records.
type Records = Sender<String>;
