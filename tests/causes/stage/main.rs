//! One environment of the local Lambda on a stage: in PID and network namespaces of its own, as Lambda
//! has them, without privileges, with peers at the other end of a virtual cable.
//!
//! `stage around ORDER` is run in a network and a mount namespace of its own. It is the surroundings:
//! the peers, the file system that freezes, what /proc/meminfo tells. It starts `stage inside ORDER` in
//! namespaces below, whose first process that is; once the cable is plugged in, that becomes `stage
//! play ORDER` without any capability, plays the invocations and prints what became of them.

#![allow(clippy::disallowed_macros, reason = "the test alone reads what is printed")]

mod around;
mod inside;
#[path = "../order.rs"]
mod order;
mod peers;
mod play;

use order::Order;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, path] = &arguments[..] else {
        eprintln!("stage around|inside|play ORDER");
        return ExitCode::from(2);
    };
    let path = Path::new(path);
    let done = Order::read(path).map_err(Into::into).and_then(|order| match part.as_str() {
        "around" => around::run(&order, path),
        "inside" => inside::run(&order, path),
        "play" => play::run(&order),
        _ => Err("no such part".into()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stage {part}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a program; what it printed is the error if it fails.
fn call(program: &str, arguments: &[&str]) -> Outcome<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()).into())
}
