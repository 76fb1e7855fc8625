//! What single invocations cost, and how soon a problem is told.

use crate::Result;
use crate::deliveries;
use crate::extension::{Extension, Line};
use crate::programs::Program;
use crate::table::{Table, quantile};
use std::time::{Duration, Instant};

const INVOCATIONS: usize = 1_000;
/// So many processes, as a storm of one problem is told in few lines, and so many timeouts in each.
const ROUNDS: usize = 4;
const TIMEOUTS: usize = 15;

pub(crate) fn measure(programs: &[Program], table: &mut Table) {
    table.rows(
        [
            ("/next asked for after INVOKE, ms, median (99 %, most of 1,000)", "0 billed"),
            ("bytes printed over 1,000 healthy invocations", "0"),
            ("RSS after them, KiB", ""),
        ],
        programs,
        programs.iter().map(healthy).collect(),
    );
    table.rows(
        [("from a timeout's record to the line, ms, median (most of 60)", "")],
        programs,
        programs.iter().map(timeouts).collect(),
    );
}

fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// What is asked for after the function has answered is billed; a function that takes longer than these
/// times is not billed for the extension.
fn healthy(program: &Program) -> Result<[String; 3]> {
    let mut extension = Extension::start(program)?;
    let mut delays = Vec::with_capacity(INVOCATIONS);
    for n in 0..INVOCATIONS {
        delays.push(extension.invoke(n)?);
        extension.deliver(deliveries::healthy(n).as_bytes())?;
    }
    let (rss, _) = extension.memory_kib()?;
    let printed = extension.shut_down()?;
    delays.sort_unstable();
    let [median, late, most] = [0.5, 0.99, 1.0].map(|part| ms(quantile(&delays, part)));
    Ok([
        format!("{median} ({late}, {most})"),
        printed_bytes(&printed).to_string(),
        crate::table::grouped(rss),
    ])
}

fn printed_bytes(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.text.len() + 1).sum()
}

fn timeouts(program: &Program) -> Result<[String; 1]> {
    let mut latencies = Vec::new();
    for _ in 0..ROUNDS {
        let mut extension = Extension::start(program)?;
        for n in 0..TIMEOUTS {
            extension.begin(n);
            extension.deliver(deliveries::started(n).as_bytes())?;
            extension.rest()?;
            let told = Instant::now();
            extension.deliver(deliveries::ended(n, "timeout").as_bytes())?;
            let line = extension.line_with(&deliveries::request_id(n))?;
            latencies.push(line.at.saturating_duration_since(told));
            extension.await_next()?;
        }
        extension.shut_down()?;
    }
    latencies.sort_unstable();
    let [median, most] = [0.5, 1.0].map(|part| ms(quantile(&latencies, part)));
    Ok([format!("{median} ({most})")])
}
