//! The real binary as a process.

#![allow(dead_code, unreachable_pub, reason = "each test and bench uses its part")]
#![allow(clippy::unwrap_used, reason = "a test's scenery fails by panicking")]

use crate::stand_in::{PATIENCE, StandIn};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_lambda-triage");

/// A running extension; killed when dropped.
pub struct Running {
    pub child: Child,
    stdout: Option<Captured>,
    stderr: Captured,
}

type Captured = Arc<(Mutex<Capture>, Condvar)>;

/// What came through a pipe so far, and whether it is at its end.
#[derive(Default)]
pub struct Capture {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Running {
    /// The real binary with nothing in its environment but `variables` and the API's address.
    pub fn start(api: &StandIn, variables: &[(&str, &str)]) -> Self {
        Self::start_with(api, variables, Stdio::piped())
    }

    /// The same with a standard output that the test keeps to itself.
    pub fn start_with(api: &StandIn, variables: &[(&str, &str)], stdout: Stdio) -> Self {
        Self::start_program(BINARY.as_ref(), api, variables, stdout)
    }

    /// The same of another program.
    pub fn start_program(
        program: &Path,
        api: &StandIn,
        variables: &[(&str, &str)],
        stdout: Stdio,
    ) -> Self {
        let mut command = command(program, api);
        command.envs(variables.iter().copied()).stdout(stdout);
        Self::of(command)
    }

    /// Any program; the streams that are piped are captured.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(capture);
        let stderr = child.stderr.take().map_or_else(ended, capture);
        Self { child, stdout, stderr }
    }

    /// Sets a limit of the running process, as `prlimit` names it: `--as=1000000`.
    pub fn limit(&self, limit: &str) {
        let pid = self.child.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, limit]).status().unwrap();
        assert!(set.success(), "prlimit {limit}");
    }

    pub fn sigterm(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end and for what was written until then: how it ended and how long that took.
    pub fn wait(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let taken = begun.elapsed();
                for captured in self.stdout.iter().chain([&self.stderr]) {
                    wait_until(captured, "the end of it", |capture| capture.is_over);
                }
                return (status, taken);
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end; it wrote:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn stdout(&self) -> String {
        text(self.stdout.as_ref().unwrap())
    }

    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits until a text is among the lines on standard error.
    pub fn wait_for_stderr(&self, wanted: &str) {
        wait_for_text(&self.stderr, wanted);
    }

    /// Waits until a text is among the lines on standard output.
    pub fn wait_for_stdout(&self, wanted: &str) {
        wait_for_text(self.stdout.as_ref().unwrap(), wanted);
    }

    /// Waits until it has neither used nor wanted a CPU for a while: what came is worked through.
    pub fn wait_until_idle(&self) {
        let begun = Instant::now();
        let mut ticks = None;
        let mut rests = 0;
        while rests < 10 {
            assert!(begun.elapsed() < PATIENCE, "it does not come to rest");
            let before = ticks.replace(cpu_ticks(self.child.id()));
            // On a busy machine it may want one and get none.
            rests = if before == ticks && is_asleep(self.child.id()) { rests + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory, in KiB.
    pub fn rss_kib(&self) -> u64 {
        rss_kib(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of the API with a clean environment, its streams piped.
pub fn command(program: &Path, api: &StandIn) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn rss_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// A size in /proc/PID/status, in KiB.
pub fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// CPU time used so far, in hundredths of a second.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = stat(pid);
    let user_and_system = stat.split_whitespace().skip(11).take(2);
    user_and_system.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Whether its first thread waits for something.
fn is_asleep(pid: u32) -> bool {
    stat(pid).trim_start().starts_with('S')
}

/// What follows the name in /proc/PID/stat.
fn stat(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().to_owned()
}

/// Of a stream that the test keeps to itself.
fn ended() -> Captured {
    let captured = Captured::default();
    captured.0.lock().unwrap().is_over = true;
    captured
}

fn capture(mut from: impl Read + Send + 'static) -> Captured {
    let captured = Captured::default();
    let into = captured.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            into.0.lock().unwrap().bytes.extend_from_slice(&buffer[..n]);
            into.1.notify_all();
        }
        into.0.lock().unwrap().is_over = true;
        into.1.notify_all();
    });
    captured
}

fn text(captured: &Captured) -> String {
    String::from_utf8_lossy(&captured.0.lock().unwrap().bytes).into_owned()
}

fn wait_for_text(captured: &Captured, wanted: &str) {
    wait_until(captured, wanted, |capture| {
        String::from_utf8_lossy(&capture.bytes).contains(wanted)
    });
}

fn wait_until(captured: &Captured, wanted: &str, is_there: impl Fn(&Capture) -> bool) {
    let (capture, changed) = &**captured;
    let lacks = |capture: &mut Capture| !is_there(capture);
    let (capture, result) =
        changed.wait_timeout_while(capture.lock().unwrap(), PATIENCE, lacks).unwrap();
    assert!(
        !result.timed_out(),
        "{wanted:?} was not written, but:\n{}",
        String::from_utf8_lossy(&capture.bytes)
    );
}
