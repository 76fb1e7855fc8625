//! The user's own signatures in the real binary: a file that is there, wrong, missing, no file at
//! all, or does not answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod running;
mod stand_in;
mod telemetry_records;

use nix::sys::stat::Mode;
use running::Running;
use serde_json::Value;
use stand_in::{Call, StandIn, now_ms, post};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use telemetry_records::{error, time, total};
use tempfile::TempDir;

const DECLINED: &str = r#"[[signature]]
id = "declined"
title = "a payment was declined"
any-of = ["PaymentDeclined"]
regex = 'PaymentDeclined: (?<order>\w+)'
"#;

/// An extension with a file of signatures, in whose first invocation a delivery has come.
struct Sandbox {
    api: StandIn,
    extension: Running,
    path: PathBuf,
    _folder: TempDir,
}

impl Sandbox {
    /// `make` makes the file, or what stands in its place.
    fn start(make: impl FnOnce(&Path)) -> Self {
        Self::start_with(&[], make)
    }

    fn start_with(variables: &[(&str, &str)], make: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signatures.toml");
        make(&path);
        let api = StandIn::start();
        let mut all = vec![("TRIAGE_SIGNATURES", path.to_str().unwrap())];
        all.extend(variables);
        let extension = Running::start(&api, &all);
        api.wait_for(Call::Next, 1);
        Self { api, extension, path, _folder: folder }
    }

    fn with_file(file: &str) -> Self {
        Self::start(|path| std::fs::write(path, file).unwrap())
    }

    /// An invocation that logs these errors, in one delivery; /next is asked for again whatever
    /// became of those before.
    fn log(&self, request_id: &str, errors: &[&str]) {
        let asked = self.api.seen(Call::Next).len();
        self.api.invoke(request_id);
        // A record that comes before its INVOKE may be told of the invocation before.
        self.api.wait_for(Call::Next, asked + 1);
        let records: Vec<_> = errors.iter().map(|name| error(request_id, name, now_ms())).collect();
        post(self.api.telemetry_address(), format!("[{}]", records.join(",")).as_bytes());
    }

    /// What standard output and standard error say in the end.
    fn end(mut self) -> (Vec<Value>, String) {
        self.api.shutdown("spindown");
        let (status, took) = self.extension.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
        let out = self.extension.stdout();
        assert_eq!(total(&out, "TelemetryDropped"), 0.0, "{out}");
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, self.extension.stderr().replace(self.path.to_str().unwrap(), "FILE"))
    }
}

fn problems(lines: &[Value]) -> Vec<&str> {
    let mut problems: Vec<_> =
        lines.iter().map(|line| line["diagnosis"]["problem"].as_str().unwrap()).collect();
    problems.sort_unstable();
    problems
}

#[test]
fn the_first_record_is_looked_at_already() {
    let sandbox = Sandbox::with_file(DECLINED);
    sandbox.log("a", &["PaymentDeclined", "KMSDisabledException"]);
    sandbox.log("b", &["PaymentDeclined"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["custom:declined", "custom:declined", "kms-disabled"]);
    let line = lines.iter().find(|line| line["requestId"] == "b").unwrap();
    assert_eq!(line["diagnosis"]["evidence"]["order"], "no");
    assert_eq!((&line["CustomProblems"], &line["Problems"]), (&1.into(), &1.into()));
    assert_eq!(stderr, "");
}

#[test]
fn a_function_that_logs_nothing_has_the_file_left_alone() {
    let sandbox = Sandbox::with_file("[[signature]]");
    let record = format!(
        r#"[{{"time":"{}","type":"platform.start","record":{{"requestId":"a"}}}}]"#,
        time(now_ms())
    );
    sandbox.api.invoke("a");
    post(sandbox.api.telemetry_address(), record.as_bytes());
    sandbox.api.wait_for(Call::Next, 2);
    let (lines, stderr) = sandbox.end();
    assert_eq!((lines.len(), stderr.as_str()), (0, ""));
}

#[test]
fn an_entry_that_is_wrong_is_told_with_its_line_and_the_others_work() {
    let file = format!(
        "[[signature]]\nid = \"No\"\n\n[[signature]]\nid = \"x\ntitle = \"\"\n{DECLINED}[[signature]]\nid = \"y\"\ntitle = \"y\"\nregex = 'y'\n"
    );
    let sandbox = Sandbox::with_file(&file);
    sandbox.log("a", &["PaymentDeclined"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["custom:declined"]);
    let warnings: Vec<&str> = stderr.lines().collect();
    assert_eq!(warnings.len(), 3, "{stderr}");
    for (warning, expected) in warnings.iter().zip([
        "line 2: `id` is not kebab-case",
        "line 5: this is not TOML: invalid basic string",
        "line 12: there is no text in `any-of` or `all-of`",
    ]) {
        let beginning = format!("lambda-triage WARN: TRIAGE_SIGNATURES: FILE, {expected}");
        assert!(warning.starts_with(&beginning), "{warning}");
        assert!(warning.ends_with("; this is left out"), "{warning}");
    }
}

#[test]
fn of_many_entries_that_are_wrong_some_are_told_singly() {
    let sandbox = Sandbox::with_file(&format!("{}{DECLINED}", "[[signature]]\n".repeat(100)));
    sandbox.log("a", &["PaymentDeclined"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["custom:declined"]);
    assert_eq!(stderr.lines().count(), 6, "{stderr}");
    assert!(stderr.ends_with("FILE has 95 more entries that are left out\n"), "{stderr}");
}

#[test]
fn what_is_no_file_of_signatures_costs_one_warning() {
    let bytes = |bytes: &'static [u8]| move |path: &Path| std::fs::write(path, bytes).unwrap();
    type Make = Box<dyn FnOnce(&Path)>;
    let cases: [(Make, &str); 7] = [
        (Box::new(|_| ()), "FILE cannot be read: No such file or directory"),
        (
            Box::new(|path| std::fs::create_dir(path).unwrap()),
            "FILE cannot be read: Is a directory",
        ),
        (Box::new(bytes(b"")), "FILE, line 1: the file holds no [[signature]]"),
        (Box::new(bytes(b"\0\xff\n[[")), "FILE, line 1: this is not UTF-8"),
        (Box::new(bytes(b"{\"id\": \"a\"}")), "FILE, line 1: this is not TOML: "),
        (
            // It has no end.
            Box::new(|path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
            "FILE, line 1: the file is longer than 65536 bytes",
        ),
        (
            Box::new(|path| std::os::unix::fs::symlink(path, path).unwrap()),
            "FILE cannot be read: Too many levels of symbolic links",
        ),
    ];
    for (make, expected) in cases {
        let sandbox = Sandbox::start(make);
        sandbox.log("a", &["KMSDisabledException"]);
        let (lines, stderr) = sandbox.end();
        assert_eq!(problems(&lines), ["kms-disabled"], "{expected}");
        let warning = format!("lambda-triage WARN: TRIAGE_SIGNATURES: {expected}");
        assert!(
            stderr.starts_with(&warning) && stderr.lines().count() == 1,
            "{expected}: {stderr}"
        );
    }
}

/// As on a mount that is dead.
#[test]
fn a_file_that_never_answers_holds_nothing_up_for_long() {
    let fifo = |path: &Path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
    let sandbox = Sandbox::start(fifo);
    sandbox.log("a", &["PaymentDeclined", "KMSDisabledException"]);
    sandbox.extension.wait_for_stdout("kms-disabled");
    sandbox.log("b", &["KMSDisabledException"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["kms-disabled"; 2]);
    assert_eq!(
        stderr,
        "lambda-triage WARN: TRIAGE_SIGNATURES: FILE cannot be read in 250 ms: until it is, its signatures are not looked for\n"
    );
    // At the end there is less time, and all is told in it.
    let sandbox = Sandbox::start(fifo);
    sandbox.log("a", &["KMSDisabledException"]);
    sandbox.api.event(format!(
        r#"{{"eventType":"SHUTDOWN","shutdownReason":"timeout","deadlineMs":{}}}"#,
        now_ms() + 500
    ));
    sandbox.extension.wait_for_stdout("kms-disabled");
}

#[test]
fn a_file_that_answers_late_is_looked_for_from_then_on() {
    let sandbox = Sandbox::start_with(&[("TRIAGE_LOG", "debug")], |path| {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
    });
    sandbox.log("a", &["PaymentDeclined"]);
    sandbox.extension.wait_for_stderr("until it is");
    // What was held is let through.
    sandbox.extension.wait_until_idle();
    let mut fifo = std::fs::OpenOptions::new().write(true).open(&sandbox.path).unwrap();
    fifo.write_all(DECLINED.as_bytes()).unwrap();
    drop(fifo);
    sandbox.extension.wait_for_stderr("1 signatures are looked for");
    sandbox.log("b", &["PaymentDeclined"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["custom:declined"], "{lines:#?} {stderr}");
    assert_eq!(lines[0]["requestId"], "b", "{lines:#?} {stderr}");
}

/// In one of a few tries /next is asked for five times before the wait is over, which it never could be
/// if that were held up.
#[test]
fn nothing_waits_for_the_file_but_log_records() {
    let is_held_up = || {
        let sandbox = Sandbox::start(|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap());
        for n in 0..5 {
            sandbox.log(&n.to_string(), &["PaymentDeclined"]);
        }
        let stderr = sandbox.extension.stderr();
        sandbox.end();
        !stderr.is_empty()
    };
    assert!(!(0..5).all(|_| is_held_up()));
}

#[test]
fn one_that_is_disabled_is_not_told() {
    let sandbox = Sandbox::start_with(&[("TRIAGE_DISABLE", "custom:declined")], |path| {
        std::fs::write(path, DECLINED).unwrap();
    });
    sandbox.log("a", &["PaymentDeclined", "KMSDisabledException"]);
    let (lines, stderr) = sandbox.end();
    assert_eq!(problems(&lines), ["kms-disabled"]);
    assert_eq!(stderr, "");
}
