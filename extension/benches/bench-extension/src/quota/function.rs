//! The function: a process that computes, logs, and says how long that took.

use super::group::Group;
use super::{Records, Work};
use crate::Result;
use crate::deliveries;
use crate::stand_in::PATIENCE;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// It computes and logs by turns, so many in an invocation.
const TURNS: u64 = 50;
const DONE: &str = "done ";
const LINE: &str = "[INFO]\t2026-03-01T12:00:00.000Z\t79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01\torder 17 stored in table orders with 17 items for customer 99 by payment provider visa\n";

/// A function's process; it ends when dropped.
pub(super) struct Function {
    child: Child,
    stdin: Option<ChildStdin>,
    done: Receiver<Duration>,
}

impl Function {
    pub(super) fn start(group: &Group, records: Records) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("function")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no output")?;
        let (sender, done) = channel();
        std::thread::spawn(move || {
            for line in BufReader::with_capacity(1 << 16, stdout).lines().map_while(|l| l.ok()) {
                match line.strip_prefix(DONE).map(str::parse) {
                    Some(Ok(nanoseconds)) => {
                        let _ = sender.send(Duration::from_nanos(nanoseconds));
                    }
                    // Nobody may be there to take it.
                    _ => _ = records.send(deliveries::logged(&line)),
                }
            }
        });
        group.take_in(child.id())?;
        Ok(Self { child, stdin, done })
    }

    /// How long an invocation takes, by the function's own clock.
    pub(super) fn invoke(&mut self, work: Work) -> Result<Duration> {
        let stdin = self.stdin.as_mut().ok_or("no input")?;
        writeln!(stdin, "{} {}", work.spins, work.log_bytes)?;
        Ok(self.done.recv_timeout(PATIENCE)?)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// What the process does.
pub(crate) fn run() -> Result<()> {
    let lines = LINE.repeat(1 << 12);
    let mut stdout = std::io::stdout().lock();
    for work in std::io::stdin().lines() {
        let begun = Instant::now();
        let work = work?;
        let (spins, log_bytes) = work.split_once(' ').ok_or("no work")?;
        let (spins, log_bytes): (u64, u64) = (spins.parse()?, log_bytes.parse()?);
        for _ in 0..TURNS {
            for spin in 0..spins / TURNS {
                black_box(spin);
            }
            let count = (log_bytes / TURNS) as usize / LINE.len();
            stdout.write_all(lines.as_bytes().get(..count * LINE.len()).ok_or("too much")?)?;
        }
        writeln!(stdout, "{DONE}{}", begun.elapsed().as_nanos())?;
        stdout.flush()?;
    }
    Ok(())
}
