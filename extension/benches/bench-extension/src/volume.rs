//! Logs at the highest rate that is taken: CPU time and memory.

use crate::Result;
use crate::deliveries::{self, Batch, Logs};
use crate::extension::Extension;
use crate::invocations::printed_bytes;
use crate::programs::Program;
use crate::table::{Table, grouped};
use std::time::{Duration, Instant};

struct Taken {
    mb: f64,
    time: Duration,
    cpu: Duration,
}

impl Taken {
    fn cpu_ms_a_mb(&self) -> String {
        format!("{:.2}", self.cpu.as_secs_f64() * 1e3 / self.mb)
    }
}

pub(crate) fn measure(programs: &[Program], mb: u32, table: &mut Table) {
    let volume = grouped(mb.into());
    let what = format!("RSS after {volume} MB of healthy text logs, KiB");
    table.rows(
        [
            (&what, ""),
            ("HWM after them, KiB", "10,240"),
            ("MB/s that it took them at", ""),
            ("CPU while it took them, % of one", ""),
            ("bytes printed meanwhile", "0"),
            ("CPU a MB of them, ms, sockets included", "0.5"),
        ],
        programs,
        programs.iter().map(|program| healthy(program, mb)).collect(),
    );
    // A tenth of it, as that is as exact.
    for (logs, what) in [
        (Logs::Json, "CPU a MB of healthy JSON logs, ms"),
        (Logs::Errors, "CPU a MB of logs that are all errors, ms"),
    ] {
        let columns = programs.iter().map(|program| other(program, logs, mb.div_ceil(10)));
        table.rows([(what, "")], programs, columns.collect());
    }
}

fn healthy(program: &Program, mb: u32) -> Result<[String; 6]> {
    let mut extension = Extension::start(program)?;
    let taken = send(&mut extension, Logs::Text, mb)?;
    let (rss, most) = extension.memory_kib()?;
    let printed = extension.shut_down()?;
    if let Some(line) = printed.first() {
        eprintln!("{} printed: {}", program.name, line.text);
    }
    let seconds = taken.time.as_secs_f64();
    Ok([
        grouped(rss),
        grouped(most),
        format!("{:.0}", taken.mb / seconds),
        format!("{:.0}", taken.cpu.as_secs_f64() / seconds * 1e2),
        grouped(printed_bytes(&printed) as u64),
        taken.cpu_ms_a_mb(),
    ])
}

fn other(program: &Program, logs: Logs, mb: u32) -> Result<[String; 1]> {
    let mut extension = Extension::start(program)?;
    let taken = send(&mut extension, logs, mb)?;
    extension.shut_down()?;
    Ok([taken.cpu_ms_a_mb()])
}

/// One delivery after the other, each as soon as the last is answered, within one invocation.
fn send(extension: &mut Extension, logs: Logs, mb: u32) -> Result<Taken> {
    extension.invoke(0)?;
    extension.deliver(deliveries::started(0).as_bytes())?;
    extension.rest()?;
    let mut batch = Batch::of(logs)?;
    let count = (f64::from(mb) * 1e6 / batch.len() as f64).ceil() as usize;
    let before = extension.cpu()?;
    let begun = Instant::now();
    for number in 0..count {
        extension.deliver(batch.numbered(number))?;
    }
    let time = begun.elapsed();
    // The answer to the last comes before the work on it.
    extension.rest()?;
    let mb = (count * batch.len()) as f64 / 1e6;
    Ok(Taken { mb, time, cpu: extension.cpu()? - before })
}
