//! Pipes that are full, closed, slow or odd: never is /next delayed or the exit held up for them, and
//! whoever reads in the end finds every problem counted once.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod running;
mod stand_in;
mod telemetry_records;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use running::Running;
use stand_in::{Call, StandIn, now_ms, post};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use telemetry_records::{assert_all_told, storm};

/// Three problems each: tens of thousands of problems.
const INVOCATIONS: usize = 7_000;
const ROUNDS: usize = 20;
/// What a busy machine may add to a budget of 1.5 s.
const GENEROUS: Duration = Duration::from_secs(10);

/// A pipe without room for a single byte: whoever writes to it gets stuck or, if it does not block,
/// is told to come again.
fn full_pipe(blocks: bool) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    for size in [4096, 1] {
        while writer.write(&vec![b'\n'; size]).is_ok() {}
    }
    if blocks {
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    }
    (reader, writer)
}

fn closed_pipe() -> PipeWriter {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer
}

fn start(api: &StandIn, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Running {
    let mut command = running::command(running::BINARY.as_ref(), api);
    // Much to say on standard error.
    command.env("TRIAGE_LOG", "trace").env("TRIAGE_PROBE", "nonsense");
    Running::of({
        command.stdout(stdout).stderr(stderr);
        command
    })
}

/// Tens of thousands of problems, and between them invocations, for each of which /next is asked for
/// whatever the pipes do.
fn flood(api: &StandIn) {
    let to = api.telemetry_address();
    for round in 0..ROUNDS {
        let delivery = storm(&format!("r{round}"), INVOCATIONS / ROUNDS);
        assert!(post(to, delivery.as_bytes()).is_some());
        let asked = api.seen(Call::Next).len();
        api.invoke(&format!("invocation-{round}"));
        api.wait_for(Call::Next, asked.max(1) + 1);
    }
}

fn collect(mut reader: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

/// Ends it with so much time left, and says how long it took.
fn leaves(api: &StandIn, extension: &mut Running, left_ms: u64) -> Duration {
    assert!(extension.is_running());
    api.event(format!(
        r#"{{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":{}}}"#,
        now_ms() + left_ms
    ));
    let (status, took) = extension.wait();
    assert_eq!(status.code(), Some(0));
    took
}

#[test]
fn a_full_standard_output_that_is_read_in_the_end_holds_every_problem_once() {
    for blocks in [true, false] {
        let api = StandIn::start();
        let (reader, writer) = full_pipe(blocks);
        let mut extension = start(&api, writer, Stdio::piped());
        flood(&api);
        let collected = collect(reader);
        leaves(&api, &mut extension, 2_000);
        assert_all_told(collected.join().unwrap().trim_start(), INVOCATIONS);
        let stderr = extension.stderr();
        assert!(!stderr.contains("could not be written"), "{stderr}");
    }
}

#[test]
fn a_reader_that_takes_a_byte_or_a_line_now_and_then_finds_every_problem_in_the_end() {
    for (bytes, pause) in [(1, Duration::from_millis(1)), (1_000, Duration::from_millis(200))] {
        let api = StandIn::start();
        let (mut reader, writer) = full_pipe(true);
        let mut extension = start(&api, writer, Stdio::piped());
        let (flooded, is_flooded) = std::sync::mpsc::channel::<()>();
        let collected = std::thread::spawn(move || {
            let mut read = Vec::new();
            while is_flooded.recv_timeout(pause).is_err() {
                let mut part = vec![0; bytes];
                let n = reader.read(&mut part).unwrap();
                read.extend_from_slice(&part[..n]);
            }
            reader.read_to_end(&mut read).unwrap();
            String::from_utf8(read).unwrap()
        });
        flood(&api);
        flooded.send(()).unwrap();
        leaves(&api, &mut extension, 2_000);
        assert_all_told(collected.join().unwrap().trim_start(), INVOCATIONS);
    }
}

#[test]
fn a_standard_output_that_is_closed_is_said_once_and_survived() {
    for is_read_before in [false, true] {
        let api = StandIn::start();
        let (reader, writer) = pipe().unwrap();
        let mut extension = start(&api, writer, Stdio::piped());
        let to = api.telemetry_address();
        if is_read_before {
            // Some lines of the flood, and then no more.
            post(to, storm("first", 100).as_bytes());
            let mut lines = BufReader::new(reader).lines();
            for _ in 0..10 {
                lines.next().unwrap().unwrap();
            }
        } else {
            drop(reader);
        }
        flood(&api);
        extension.wait_for_stderr("could not be written");
        let took = leaves(&api, &mut extension, 2_000);
        assert!(took < GENEROUS, "{took:?}");
        assert_eq!(extension.stderr().matches("could not be written").count(), 1);
    }
}

#[test]
fn a_standard_error_that_nobody_reads_holds_up_no_diagnosis() {
    for is_closed in [false, true] {
        let api = StandIn::start();
        let (_reader, full) = full_pipe(true);
        let stderr = if is_closed { closed_pipe() } else { full };
        let mut extension = start(&api, Stdio::piped(), stderr);
        flood(&api);
        // Told while standard error is stuck, and not only in the end.
        extension.wait_for_stdout("\"r0-19\"");
        let took = leaves(&api, &mut extension, 2_000);
        assert!(took < GENEROUS, "{took:?}");
        assert_all_told(&extension.stdout(), INVOCATIONS);
    }
}

#[test]
fn lines_of_both_streams_on_one_full_pipe_come_whole() {
    let api = StandIn::start();
    let (reader, writer) = full_pipe(true);
    let mut extension = start(&api, writer.try_clone().unwrap(), writer);
    flood(&api);
    let collected = collect(reader);
    leaves(&api, &mut extension, 2_000);
    let text = collected.join().unwrap();
    let (diagnoses, log): (Vec<&str>, Vec<&str>) =
        text.trim_start().lines().partition(|line| line.starts_with('{'));
    assert_all_told(&diagnoses.join("\n"), INVOCATIONS);
    assert!(!log.is_empty());
    assert!(log.iter().all(|line| line.starts_with("lambda-triage ")), "{log:#?}");
}

/// With 300 ms left there are 150 for the lines; of a deadline that has passed nothing is believed.
#[test]
fn nobody_ever_reading_does_not_hold_up_the_exit() {
    for (left_ms, most) in [(2_000, GENEROUS), (300, Duration::from_millis(1_200)), (0, GENEROUS)] {
        let api = StandIn::start();
        let ((_out_reader, out), (_err_reader, err)) = (full_pipe(true), full_pipe(true));
        let mut extension = start(&api, out, err);
        flood(&api);
        let took = leaves(&api, &mut extension, left_ms);
        assert!(took < most, "{took:?} with {left_ms} ms left");
    }
}

#[test]
fn no_standard_streams_at_all_are_survived() {
    let api = StandIn::start();
    let mut extension = start(&api, closed_pipe(), closed_pipe());
    flood(&api);
    leaves(&api, &mut extension, 2_000);
}

/// The extension as a user of its own, since limits of processes do not hold for root, who may start
/// no thread until [`Self::allow`].
struct WithoutThreads {
    extension: Running,
    user: Vec<String>,
    _folder: tempfile::TempDir,
}

impl WithoutThreads {
    fn start(api: &StandIn) -> Self {
        let open = std::fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(open).tempdir().unwrap();
        let program = folder.path().join("lambda-triage");
        std::fs::copy(running::BINARY, &program).unwrap();
        let uid = (100_000 + u32::from(api.address.port())).to_string();
        let user = if nix::unistd::geteuid().is_root() {
            ["setpriv", "--reuid", &uid, "--clear-groups"].map(str::to_owned).into()
        } else {
            Vec::new()
        };
        let mut command = running::command("prlimit".as_ref(), api);
        command.arg("--nproc=1:").args(&user).arg(program);
        Self { extension: Running::of(command), user, _folder: folder }
    }

    fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.extension.child.id());
        std::fs::read_dir(tasks).unwrap().count()
    }

    fn allow(&self) {
        let pid = self.extension.child.id().to_string();
        let limit = ["prlimit", "--nproc=1000:", "--pid", &pid].map(str::to_owned);
        let command = [&self.user[..], &limit].concat();
        assert!(Command::new(&command[0]).args(&command[1..]).status().unwrap().success());
    }
}

#[test]
fn what_no_thread_is_left_to_write_is_written_when_there_is_one_again() {
    let api = StandIn::start();
    let mut limited = WithoutThreads::start(&api);
    flood(&api);
    assert_eq!((limited.extension.stdout(), limited.threads()), (String::new(), 1));
    limited.allow();
    // Nothing else happens that would remind it.
    limited.extension.wait_for_stdout("\n");
    leaves(&api, &mut limited.extension, 2_000);
    assert_all_told(&limited.extension.stdout(), INVOCATIONS);
}

#[test]
fn without_a_thread_to_write_or_to_end_it_the_extension_leaves_in_time() {
    let api = StandIn::start();
    let mut limited = WithoutThreads::start(&api);
    flood(&api);
    let took = leaves(&api, &mut limited.extension, 2_000);
    assert!(took < GENEROUS, "{took:?}");
    assert_eq!(limited.extension.stdout(), "");
}
