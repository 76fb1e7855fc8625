//! Logs at the highest rate that is taken, and what CPU time they cost.

use crate::Result;
use crate::deliveries::{self, Batch, Logs};
use crate::extension::{Extension, Line};
use crate::programs::Program;
use crate::table::{Table, grouped};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Deliveries of one kind of logs, one after the other, and what came of them.
struct Sent {
    bytes: usize,
    time: Duration,
    /// Until all was worked through.
    cpu: Duration,
}

pub(crate) fn measure(programs: &[Program], mb: u32, table: &mut Table) {
    let what = format!(
        "RSS after {} MB of healthy text logs at the highest rate, KiB",
        grouped(mb.into())
    );
    table.rows(
        [
            (&what, ""),
            ("HWM after them, KiB", "10,240"),
            ("MB/s that it answered them at", ""),
            ("CPU meanwhile, % of one", ""),
            ("of them left out by what it says, %", "0"),
        ],
        programs,
        programs.iter().map(|program| at_the_highest_rate(program, mb)).collect(),
    );
    for (logs, what, target) in [
        (Logs::Text, "CPU a MB of healthy text logs, sockets included, ms", "0.5"),
        (Logs::Json, "CPU a MB of healthy JSON logs, ms", ""),
        (Logs::OneRecord, "CPU a MB of JSON records of 0.9 MB each, ms", ""),
        (Logs::Errors, "CPU a MB of logs that are all errors, ms", ""),
    ] {
        // A tenth of it, as that is as exact.
        let columns = programs.iter().map(|program| unhurried(program, logs, mb.div_ceil(10)));
        table.rows([(what, target)], programs, columns.collect());
    }
}

fn at_the_highest_rate(program: &Program, mb: u32) -> Result<[String; 5]> {
    let mut extension = Extension::start(program)?;
    let sent = send(&mut extension, Logs::Text, mb, true)?;
    let (rss, most) = extension.memory_kib()?;
    let left_out = left_out_bytes(&extension.shut_down()?);
    Ok([
        grouped(rss),
        grouped(most),
        format!("{:.0}", sent.bytes as f64 / 1e6 / sent.time.as_secs_f64()),
        format!("{:.0}", sent.cpu.div_duration_f64(sent.time) * 1e2),
        format!("{:.0}", left_out / sent.bytes as f64 * 1e2),
    ])
}

/// As ours says it; others may leave out without a word.
fn left_out_bytes(lines: &[Line]) -> f64 {
    let bytes = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(&line.text).ok()?;
        line.pointer("/diagnosis/evidence/droppedBytes")?.as_f64()
    });
    bytes.fold(0.0, |all, bytes| all + bytes)
}

/// Nothing is left out, so that each byte has cost what it costs.
fn unhurried(program: &Program, logs: Logs, mb: u32) -> Result<[String; 1]> {
    let mut extension = Extension::start(program)?;
    let sent = send(&mut extension, logs, mb, false)?;
    if left_out_bytes(&extension.shut_down()?) > 0.0 {
        return Err("it left out some".into());
    }
    Ok([format!("{:.2}", sent.cpu.as_secs_f64() * 1e3 / (sent.bytes as f64 / 1e6))])
}

/// All within one invocation, each delivery as soon as the last is answered; unless it is hurried, what
/// was sent is worked through now and then, before any buffer is full.
fn send(extension: &mut Extension, logs: Logs, mb: u32, is_hurried: bool) -> Result<Sent> {
    extension.invoke(0)?;
    extension.deliver(deliveries::started(0).as_bytes())?;
    extension.rest()?;
    let mut batch = Batch::of(logs)?;
    let count = (f64::from(mb) * 1e6 / batch.len() as f64).ceil() as usize;
    let before = extension.cpu()?;
    let begun = Instant::now();
    for number in 0..count {
        extension.deliver(batch.numbered(number))?;
        if !is_hurried && number % 4 == 3 {
            extension.rest_shortly()?;
        }
    }
    let time = begun.elapsed();
    // The answer to the last comes before the work on it.
    extension.rest()?;
    Ok(Sent { bytes: count * batch.len(), time, cpu: extension.cpu()? - before })
}
