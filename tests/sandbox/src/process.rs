//! Child processes: each the leader of a group of its own, so that a freeze or a kill reaches
//! what it started, and none outlives the sandbox.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::capture::{self, Reading};
use crate::error::SandboxError;
use crate::guard::Guard;
use crate::log::{LogSource, LogStream};
use crate::telemetry::Telemetry;

/// The descriptor number of framed logs, as on Lambda.
pub(crate) const LOG_FD: i32 = 62;

/// How long the output of an ended process is still read: what it started may hold the pipe open.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);

pub(crate) struct ProcessSpec {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) source: LogSource,
    /// Whether it is given the descriptor of framed logs.
    pub(crate) framed_logs: bool,
    /// How much its output pipes hold; the system's default when `None`.
    pub(crate) pipe_bytes: Option<i32>,
}

/// Every process group that is alive, and the freeze that holds for all of them.
#[derive(Debug)]
pub(crate) struct Processes {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    guard: Guard,
    groups: BTreeSet<i32>,
    frozen: bool,
    /// Reasons to run in spite of the freeze.
    thaw_holds: usize,
    /// Reasons to stand still in spite of all.
    stop_holds: usize,
    /// How output is read, by who prints it.
    readings: HashMap<(String, LogStream), watch::Sender<Reading>>,
    closed: bool,
}

impl Inner {
    fn stands(&self) -> bool {
        self.stop_holds > 0 || self.frozen && self.thaw_holds == 0
    }

    fn signal_all(&self, signal: Signal) {
        for &group in &self.groups {
            // A group that has just ended is no error.
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }
}

impl Processes {
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let guard = Guard::start().map_err(SandboxError::io("start /bin/sh"))?;
        let groups = BTreeSet::new();
        let inner = Inner {
            guard,
            groups,
            frozen: false,
            thaw_holds: 0,
            stop_holds: 0,
            readings: HashMap::new(),
            closed: false,
        };
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Starts a process. `ended` is called once, after its output has been read.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        spec: ProcessSpec,
        telemetry: &Arc<Telemetry>,
        ended: impl FnOnce(ExitStatus) + Send + 'static,
    ) -> Result<i32, SandboxError> {
        let cannot_run = |source| SandboxError::CannotRun { program: spec.program.clone(), source };
        let mut command = std::process::Command::new(&spec.program);
        command
            .args(&spec.args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &spec.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut frames = None;
        if spec.framed_logs {
            let (reader, writer) = std::io::pipe().map_err(SandboxError::io("pipe"))?;
            frames = Some(
                tokio::net::unix::pipe::Receiver::from_owned_fd(OwnedFd::from(reader))
                    .map_err(SandboxError::io("pipe"))?,
            );
            let mapping = FdMapping { parent_fd: writer.into(), child_fd: LOG_FD };
            command
                .fd_mappings(vec![mapping])
                .map_err(|error| cannot_run(std::io::Error::other(error)))?;
        }
        let mut command = tokio::process::Command::from(command);
        command.process_group(0).kill_on_drop(true);

        let (mut child, group) = {
            // Under the lock, so that a sandbox that is being dropped misses no child.
            let mut inner = self.lock();
            if inner.closed {
                return Err(SandboxError::ShutDown);
            }
            let child = command.spawn().map_err(cannot_run)?;
            let group = child.id().map_or(0, u32::cast_signed);
            inner.groups.insert(group);
            inner.guard.add(group);
            (child, group)
        };
        // Holds the write end of the frame pipe.
        drop(command);

        if let Some(bytes) = spec.pipe_bytes {
            let set = |pipe: BorrowedFd<'_>| {
                let set = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes));
                set.map_err(|error| SandboxError::io("size a pipe")(error.into()))
            };
            child.stdout.as_ref().map(|pipe| set(pipe.as_fd())).transpose()?;
            child.stderr.as_ref().map(|pipe| set(pipe.as_fd())).transpose()?;
        }
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            let telemetry = Arc::clone(telemetry);
            readers.spawn(capture::lines(
                stdout,
                spec.source.clone(),
                LogStream::Stdout,
                telemetry,
                self.reading(&spec.source, LogStream::Stdout).subscribe(),
            ));
        }
        if let Some(stderr) = child.stderr.take() {
            let telemetry = Arc::clone(telemetry);
            readers.spawn(capture::lines(
                stderr,
                spec.source.clone(),
                LogStream::Stderr,
                telemetry,
                self.reading(&spec.source, LogStream::Stderr).subscribe(),
            ));
        }
        if let Some(frames) = frames {
            readers.spawn(capture::frames(frames, spec.source.clone(), Arc::clone(telemetry)));
        }
        let processes = Arc::clone(self);
        tokio::spawn(async move {
            // wait() fails only for a child that was already waited for: never here.
            let status = child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(0));
            processes.kill(group);
            {
                let mut inner = processes.lock();
                inner.groups.remove(&group);
                inner.guard.remove(group);
            }
            let all_read = async { while readers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(OUTPUT_GRACE, all_read).await;
            ended(status);
        });
        Ok(group)
    }

    /// SIGKILL to a group.
    pub(crate) fn kill(&self, group: i32) {
        self.signal(group, Signal::SIGKILL);
    }

    /// SIGTERM to a group.
    pub(crate) fn terminate(&self, group: i32) {
        self.signal(group, Signal::SIGTERM);
    }

    fn signal(&self, group: i32, signal: Signal) {
        let inner = self.lock();
        if inner.groups.contains(&group) {
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }

    /// How this output is read; it can be changed.
    pub(crate) fn reading(&self, source: &LogSource, stream: LogStream) -> watch::Sender<Reading> {
        let key = (source.to_string(), stream);
        self.lock().readings.entry(key).or_default().clone()
    }

    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.change(|inner| inner.frozen = frozen);
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        let stood = inner.stands();
        change(&mut inner);
        match (stood, inner.stands()) {
            (false, true) => inner.signal_all(Signal::SIGSTOP),
            (true, false) => inner.signal_all(Signal::SIGCONT),
            _ => {}
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    /// Lets everything run until the value is dropped, frozen or not.
    pub(crate) fn hold_thawed(self: &Arc<Self>) -> Hold {
        self.hold(|inner| &mut inner.thaw_holds)
    }

    /// Stops everything until the value is dropped.
    pub(crate) fn hold_stopped(self: &Arc<Self>) -> Hold {
        self.hold(|inner| &mut inner.stop_holds)
    }

    fn hold(self: &Arc<Self>, holds: fn(&mut Inner) -> &mut usize) -> Hold {
        self.change(|inner| *holds(inner) += 1);
        Hold { processes: Arc::clone(self), holds }
    }

    /// Kills everything and lets nothing start any more.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.signal_all(Signal::SIGKILL);
    }

    /// The peak resident memory of the group leaders together, in MB, rounded up.
    pub(crate) fn peak_memory_mb(&self) -> u64 {
        let groups = self.lock().groups.clone();
        let kib: u64 = groups.iter().filter_map(|&pid| status_kib(pid, "VmHWM:")).sum();
        kib.div_ceil(1024)
    }

    /// The resident memory of the group leaders together, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let groups = self.lock().groups.clone();
        groups.iter().filter_map(|&pid| status_kib(pid, "VmRSS:")).sum::<u64>() << 10
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Hold {
    processes: Arc<Processes>,
    holds: fn(&mut Inner) -> &mut usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.processes.change(|inner| *(self.holds)(inner) -= 1);
    }
}

fn status_kib(pid: i32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// How Lambda words the end of a runtime: `exit status 1`, `signal: killed`.
pub(crate) fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
        (None, None) => "unknown status".into(),
    }
}

/// The words of Go's syscall package, which is what Lambda prints.
fn signal_name(signal: i32) -> String {
    let name = match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "killed",
        Ok(Signal::SIGTERM) => "terminated",
        Ok(Signal::SIGINT) => "interrupt",
        Ok(Signal::SIGABRT) => "aborted",
        Ok(Signal::SIGSEGV) => "segmentation fault",
        Ok(Signal::SIGBUS) => "bus error",
        Ok(Signal::SIGILL) => "illegal instruction",
        Ok(Signal::SIGFPE) => "floating point exception",
        Ok(Signal::SIGPIPE) => "broken pipe",
        Ok(Signal::SIGTRAP) => "trace/breakpoint trap",
        Ok(Signal::SIGHUP) => "hangup",
        _ => return format!("signal {signal}"),
    };
    name.into()
}
