//! When the real binary looks at the function's processes, and when it does not.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod running;
mod stand_in;

use nix::sys::signal::Signal;
use running::{BINARY, Running, command};
use stand_in::{Call, StandIn, now_ms, post};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

const ID: &str = "00000000-0000-4000-8000-000000000001";

fn runtime_done(id: &str) -> String {
    let at = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(now_ms()));
    format!(
        r#"[{{"time":"{at}","type":"platform.runtimeDone","record":{{"requestId":"{id}","status":"success","metrics":{{"durationMs":5}}}}}}]"#
    )
}

/// Plays so many invocations that end long before their deadlines.
fn play_healthy(api: &StandIn, count: usize) {
    let polls = api.seen(Call::Next).len();
    for n in 0..count {
        let id = format!("00000000-0000-4000-8000-{:012}", polls + n);
        api.event(stand_in::invoke(&id, now_ms() + 60_000));
        api.wait_for(Call::Next, polls + n + 1);
        post(api.telemetry_address(), runtime_done(&id).as_bytes()).unwrap();
    }
}

fn thread_names(pid: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

fn leave(api: &StandIn, extension: &mut Running) {
    api.shutdown("spindown");
    let (status, _) = extension.wait();
    assert_eq!(status.code(), Some(0), "{}", extension.stderr());
}

/// The extension, with all its calls that open, list, follow or start something in a file; None where
/// there is no strace, or it may not trace.
fn traced(api: &StandIn, variables: &[(&str, &str)], log: &Path) -> Option<Running> {
    let calls = "trace=open,openat,readlink,readlinkat,getdents64,statfs,clone,clone3,execve";
    let mut probe = Command::new("strace");
    let can_trace = probe.args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !can_trace.is_ok_and(|status| status.success()) {
        // Not eprintln, which the test harness would capture.
        let line = b"skipped: counting system calls, since there is no strace that may trace\n";
        let _ = std::io::stderr().write_all(line);
        return None;
    }
    let mut strace = command("strace".as_ref(), api);
    let path = std::env::var_os("PATH").unwrap_or_default();
    strace.env("PATH", path).args(["-f", "-e", calls, "-o"]).arg(log).arg(BINARY);
    strace.envs(variables.iter().copied());
    Some(Running::of(strace))
}

fn traced_calls(log: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().filter(|line| line.contains('(')).map(str::to_owned).collect()
}

#[test]
fn an_invocation_that_ends_before_the_margin_costs_no_thread_and_no_call() {
    let api = StandIn::start();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let mut plain = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    play_healthy(&api, 50);
    assert_eq!(thread_names(plain.child.id()), ["lambda-triage"]);
    leave(&api, &mut plain);

    let api = StandIn::start();
    let Some(mut traced) = traced(&api, &[], &log) else { return };
    api.wait_for(Call::Next, 1);
    // With the first input what is mounted is read, once.
    play_healthy(&api, 3);
    traced.wait_until_idle();
    let before = traced_calls(&log).len();
    play_healthy(&api, 50);
    traced.wait_until_idle();
    let calls = traced_calls(&log).split_off(before);
    assert_eq!(calls, Vec::<String>::new());
    leave(&api, &mut traced);
}

#[test]
fn one_that_nears_its_deadline_is_looked_at_unless_that_is_off() {
    for (probe, is_on) in [("on", true), ("off", false)] {
        let api = StandIn::start();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("calls");
        let Some(mut traced) = traced(&api, &[("TRIAGE_PROBE", probe)], &log) else { return };
        api.wait_for(Call::Next, 1);
        play_healthy(&api, 3);
        traced.wait_until_idle();
        let before = traced_calls(&log).len();
        let deadline = now_ms() + 700;
        api.event(stand_in::invoke(ID, deadline));
        if is_on {
            traced.wait_for_stdout(r#""stage":"imminent""#);
        }
        std::thread::sleep(Duration::from_millis(deadline.saturating_sub(now_ms()) + 50));
        let calls = traced_calls(&log).split_off(before);
        let of_proc = calls.iter().filter(|call| call.contains("/proc/")).count();
        assert_eq!((of_proc > 0, !calls.is_empty()), (is_on, is_on), "{probe}: {calls:?}");
        // Whatever is looked at, this never is.
        for never in ["environ", "cmdline", "/maps", "smaps", "/mem\"", "/stack\""] {
            assert!(!calls.iter().any(|call| call.contains(never)), "{never}");
        }
        assert_eq!(traced.stdout().contains("imminent"), is_on);
        leave(&api, &mut traced);
    }
}

/// A second look would come some 0.7 s after the first.
#[test]
fn a_look_ends_with_its_invocation() {
    for is_shutdown in [false, true] {
        let api = StandIn::start();
        let mut extension = Running::start(&api, &[("TRIAGE_LOG", "debug")]);
        api.wait_for(Call::Next, 1);
        // By this it knows its timeout, of which the margin is a part.
        play_healthy(&api, 1);
        api.event(stand_in::invoke(ID, now_ms() + 2_000));
        extension.wait_for_stdout(r#""stage":"imminent""#);
        extension.wait_for_stderr("the second stage");
        if is_shutdown {
            leave(&api, &mut extension);
        } else {
            post(api.telemetry_address(), runtime_done(ID).as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(1_000));
            assert_eq!(thread_names(extension.child.id()).iter().find(|n| *n == "probe"), None);
            leave(&api, &mut extension);
        }
        assert!(!extension.stderr().contains("the third stage"), "{}", extension.stderr());
    }
}

#[test]
fn a_thaw_after_the_deadline_tells_of_nothing_that_is_about_to_happen() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let deadline = now_ms() + 500;
    api.event(stand_in::invoke(ID, deadline));
    api.wait_for(Call::Next, 2);
    extension.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(deadline.saturating_sub(now_ms()) + 20));
    extension.signal(Signal::SIGCONT);
    extension.wait_until_idle();
    leave(&api, &mut extension);
    assert!(!extension.stdout().contains("imminent"), "{}", extension.stdout());
}

#[test]
fn a_thaw_within_the_margin_first_reads_that_the_invocation_is_over() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let to = api.telemetry_address();
    let deadline = now_ms() + 600;
    api.event(stand_in::invoke(ID, deadline));
    api.wait_for(Call::Next, 2);
    extension.signal(Signal::SIGSTOP);
    // It is accepted by the kernel.
    let body = runtime_done(ID);
    let mut stream = TcpStream::connect(to).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    std::thread::sleep(Duration::from_millis(deadline.saturating_sub(now_ms() + 100)));
    extension.signal(Signal::SIGCONT);
    extension.wait_until_idle();
    leave(&api, &mut extension);
    assert_eq!(extension.stdout(), "");
}

#[test]
fn a_deadline_that_makes_no_sense_is_no_reason_to_look() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let deadlines = [0, 1, now_ms() - 1_000, now_ms(), u64::MAX / 2, i64::MAX as u64, u64::MAX];
    for (n, deadline) in deadlines.into_iter().enumerate() {
        api.event(stand_in::invoke(&format!("00000000-0000-4000-8000-{n:012}"), deadline));
        api.wait_for(Call::Next, n + 2);
    }
    extension.wait_until_idle();
    assert_eq!(thread_names(extension.child.id()), ["lambda-triage"]);
    leave(&api, &mut extension);
    assert!(!extension.stdout().contains("imminent"), "{}", extension.stdout());
}
