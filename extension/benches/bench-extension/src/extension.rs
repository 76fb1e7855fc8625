//! An extension at work, beside a scripted API.

use crate::Result;
use crate::deliveries;
use crate::programs::Program;
use crate::stand_in::{self, Call, PATIENCE, StandIn, now_ms};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// A line that it wrote, and when it came.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) at: Instant,
}

/// A running extension; killed when dropped.
pub(crate) struct Extension {
    pub(crate) api: StandIn,
    pub(crate) began: Instant,
    child: Child,
    lines: Receiver<Line>,
    telemetry: Option<TcpStream>,
    polls: usize,
}

impl Extension {
    /// Starts it, and waits until it asks for /next.
    pub(crate) fn start(program: &Program) -> Result<Self> {
        Self::start_below(program, &[])
    }

    /// The same below another program with its arguments, say valgrind.
    pub(crate) fn start_below(program: &Program, above: &[&str]) -> Result<Self> {
        let api = StandIn::start();
        let mut command = match above {
            [] => Command::new(&program.path),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&program.path);
                command
            }
        };
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .envs(program.variables.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", program.path.display()))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            read_lines(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            read_lines(stderr, sender);
        }
        let mut extension = Self { api, began, child, lines, telemetry: None, polls: 1 };
        extension.await_next()?;
        Ok(extension)
    }

    /// Waits for the next request for /next that is new.
    pub(crate) fn await_next(&mut self) -> Result<Instant> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(seen) =
                self.api.wait_up_to(Call::Next, self.polls, Duration::from_millis(50))
            {
                self.polls += 1;
                return Ok(seen.at);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("it ended: {status}").into());
            }
        }
        Err("it does not ask for /next".into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets an invocation begin that may take 15 minutes; how long after INVOKE it asks for /next.
    pub(crate) fn invoke(&mut self, n: usize) -> Result<Duration> {
        self.begin(n);
        let at = self.await_next()?;
        Ok(at.saturating_duration_since(self.api.answered_at()))
    }

    /// The same, where it may ask for /next only at the end: then [`Self::await_next`] is called for.
    pub(crate) fn begin(&self, n: usize) {
        self.api.event(stand_in::invoke(&deliveries::request_id(n), now_ms() + 900_000));
    }

    /// Delivers telemetry on one connection.
    pub(crate) fn deliver(&mut self, body: &[u8]) -> Result<()> {
        let mut stream = match self.telemetry.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.listens_at()?)?,
        };
        let answer = stand_in::post_on(&mut stream, body);
        self.telemetry = Some(stream);
        let status = answer.ok_or("a delivery was not answered")?;
        match status.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(format!("a delivery was answered: {status}").into()),
        }
    }

    /// Where it said that it listens.
    pub(crate) fn listens_at(&self) -> Result<SocketAddr> {
        let subscription = self.api.seen(Call::Subscribe).pop().ok_or("it has no subscription")?;
        let subscription: serde_json::Value = serde_json::from_str(&subscription.body)?;
        let uri = subscription["destination"]["URI"].as_str().ok_or("no HTTP destination")?;
        let port = uri.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
        let port = port.split('/').next().unwrap_or_default().parse()?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Waits until it has neither used nor wanted a CPU for 50 ms: what came is worked through.
    pub(crate) fn rest(&self) -> Result<()> {
        self.rest_for(10)
    }

    /// The same for 5 ms, where being wrong now and then does no harm.
    pub(crate) fn rest_shortly(&self) -> Result<()> {
        self.rest_for(1)
    }

    fn rest_for(&self, looks: u32) -> Result<()> {
        let begun = Instant::now();
        let (mut cpu, mut rests) = (None, 0);
        while rests < looks {
            if begun.elapsed() > PATIENCE {
                return Err("it does not come to rest".into());
            }
            let stat = self.stat()?;
            let before = cpu.replace(cpu_of(&stat)?);
            rests = if before == cpu && self.is_asleep()? { rests + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether all its threads wait for something: on a busy machine one may want a CPU and get none.
    fn is_asleep(&self) -> Result<bool> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            // One that has ended since wants nothing.
            let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else { continue };
            if !after_name(&stat).starts_with('S') {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The CPU time that it has had, of all its threads, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.stat()?)
    }

    /// What follows the name in /proc/PID/stat.
    fn stat(&self) -> Result<String> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        Ok(after_name(&stat).to_owned())
    }

    /// Memory that is resident, and the most that was, in KiB.
    pub(crate) fn memory_kib(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let size = |name: &str| -> Result<u64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such size")?;
            Ok(line.split_whitespace().nth(1).ok_or("no size")?.parse()?)
        };
        Ok((size("VmRSS:")?, size("VmHWM:")?))
    }

    /// Waits for a line with a text.
    pub(crate) fn line_with(&self, wanted: &str) -> Result<Line> {
        let begun = Instant::now();
        loop {
            let line = self.lines.recv_timeout(PATIENCE.saturating_sub(begun.elapsed()));
            let line = line.map_err(|_| format!("no line with {wanted}"))?;
            if line.text.contains(wanted) {
                return Ok(line);
            }
        }
    }

    /// As Lambda does between invocations.
    pub(crate) fn freeze(&self, is_frozen: bool) -> Result<()> {
        let signal = if is_frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }

    /// Ends it, and gives the lines that it wrote and that were not waited for.
    pub(crate) fn shut_down(mut self) -> Result<Vec<Line>> {
        // Long, as below valgrind everything is.
        self.api.event(format!(
            r#"{{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":{}}}"#,
            now_ms() + 10_000
        ));
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err("it does not end".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(self.lines.iter().collect())
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What follows the name in a `stat` file of /proc.
fn after_name(stat: &str) -> &str {
    stat.rsplit(')').next().unwrap_or_default().trim_start()
}

fn cpu_of(stat: &str) -> Result<Duration> {
    // User and system time, of those that ended too; Linux has 100 ticks a second.
    let mut ticks = stat.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let mut next = || ticks.next().ok_or("no CPU time");
    Ok(Duration::from_millis((next()?? + next()??) * 10))
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<Line>) {
    std::thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(std::result::Result::ok) {
            if to.send(Line { text, at: Instant::now() }).is_err() {
                return;
            }
        }
    });
}
