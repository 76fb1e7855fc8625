//! Instructions in user mode, counted by valgrind's callgrind: the same from run to run but for a few in a
//! thousand (what the kernel delivers in one piece or in two), on a busy machine as on a quiet one.

use crate::Result;
use crate::deliveries::{self, Batch, Logs};
use crate::extension::Extension;
use crate::programs::Program;
use crate::table::{Table, grouped};
use std::process::{Command, Stdio};

/// So many are run; what is set up once is in those that are run before them.
const INVOCATIONS: usize = 100;
const FIRST: usize = 10;
const MIB: f64 = 1024.0 * 1024.0;

/// What was counted. Each is a difference of two runs but the first, and a difference may come out below
/// zero where nothing is done.
#[derive(Clone, Copy)]
pub(crate) struct Instructions {
    /// From exec to the first /next, and from SHUTDOWN to the end.
    pub(crate) start_and_end: u64,
    /// One more healthy invocation.
    pub(crate) invocation: u64,
    pub(crate) text_mib: u64,
    pub(crate) json_mib: u64,
    pub(crate) errors_mib: u64,
}

/// Whether there is a valgrind.
pub(crate) fn can_be_counted() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

pub(crate) fn measure(programs: &[Program], table: &mut Table) {
    if !can_be_counted() {
        eprintln!("left out: instructions, as there is no valgrind");
        return;
    }
    let columns = programs.iter().map(|program| {
        let counted = count(program)?;
        let millions = |count: u64| format!("{:.2}", count as f64 / 1e6);
        Ok([
            millions(counted.start_and_end),
            grouped(counted.invocation),
            millions(counted.text_mib),
            millions(counted.json_mib),
            millions(counted.errors_mib),
        ])
    });
    table.rows(
        [
            ("million instructions to start and to end", ""),
            ("instructions of a healthy invocation", ""),
            ("million instructions a MiB of healthy text logs", ""),
            ("the same, JSON logs", ""),
            ("the same, logs that are all errors", ""),
        ],
        programs,
        columns.collect(),
    );
}

pub(crate) fn count(program: &Program) -> Result<Instructions> {
    let start_and_end = run(program, 0, None)?;
    let few = run(program, FIRST, None)?;
    let many = run(program, FIRST + INVOCATIONS, None)?;
    let a_mib = |logs, batches: usize| -> Result<u64> {
        let mut batch = Batch::of(logs)?;
        let mib = (batches * batch.len()) as f64 / MIB;
        let all = run(program, FIRST, Some((&mut batch, batches)))?;
        Ok((all.saturating_sub(few) as f64 / mib) as u64)
    };
    Ok(Instructions {
        start_and_end,
        invocation: many.saturating_sub(few) / INVOCATIONS as u64,
        text_mib: a_mib(Logs::Text, 16)?,
        json_mib: a_mib(Logs::Json, 16)?,
        // These take longest.
        errors_mib: a_mib(Logs::Errors, 4)?,
    })
}

/// Runs a program below callgrind from its start to SHUTDOWN, through so many healthy invocations and
/// another one with logs, and gives the instructions of all its threads.
fn run(program: &Program, invocations: usize, logs: Option<(&mut Batch, usize)>) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("counts");
    let mut extension = Extension::start_below(
        program,
        &[
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            &format!("--callgrind-out-file={}", out.display()),
        ],
    )?;
    for n in 1..=invocations {
        extension.invoke(n)?;
        extension.deliver(deliveries::healthy(n).as_bytes())?;
        extension.rest_shortly()?;
    }
    if let Some((batch, batches)) = logs {
        extension.invoke(0)?;
        extension.deliver(deliveries::started(0).as_bytes())?;
        for number in 0..batches {
            extension.deliver(batch.numbered(number))?;
            extension.rest_shortly()?;
        }
    }
    // At SHUTDOWN there is a limit to what is still worked through.
    extension.rest()?;
    extension.shut_down()?;
    let counts = std::fs::read_to_string(&out).map_err(|e| format!("no counts: {e}"))?;
    let total = counts.lines().find_map(|line| line.strip_prefix("summary: "));
    Ok(total.ok_or("no sum in the counts")?.trim().parse()?)
}
