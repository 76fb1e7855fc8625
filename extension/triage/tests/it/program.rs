//! Running the program.

use crate::replay::Fixture;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What the program made of an input.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The lines on standard output, each JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The names of the problems, in the order of the lines.
    pub(crate) fn problems(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().map(|l| l["diagnosis"]["problem"].as_str().unwrap().to_owned()).collect()
    }
}

/// The program with these arguments; its output is taken down.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("NO_COLOR");
    command
}

/// Runs it on an input.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // It may stop reading: what it then says is what counts.
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    ran(output)
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("it exits"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The options that say what a fixture's `given.json` says.
pub(crate) fn options(fixture: &Fixture) -> Vec<String> {
    let mut options = Vec::new();
    for (name, value) in fixture.given.as_object().into_iter().flatten() {
        match name.as_str() {
            "concurrent" if value == true => options.push("--concurrent".to_owned()),
            "nearTimeoutPercent" => options.push(format!("--near-timeout-percent={value}")),
            "recursionRate" => options
                .push(format!("--recursion-rate={}/{}", value["invocations"], value["seconds"])),
            "mounts" => {
                let mounts = value.as_array().unwrap();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let option =
                    |m: &Value| format!("--mount={}:{}", text(&m["point"]), text(&m["fsType"]));
                options.extend(mounts.iter().map(option));
            }
            // Of interest to those who change the order.
            "ordered" => {}
            other => panic!("{}: no option says {other}", fixture.name),
        }
    }
    options
}
