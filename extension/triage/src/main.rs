//! `triage`: diagnoses what is left of an incident, and explains the diagnoses.
//!
//! It is no part of the layer. The diagnosis is that of the extension; this program feeds it from a
//! file in place of a running environment.

mod input;
mod manual;
mod page;
mod replay;

use clap::{Parser, Subcommand};
use replay::{Found, ReplayOptions};
use std::io::{self, ErrorKind, Write, stderr};
use std::process::ExitCode;

/// Names the cause of failed AWS Lambda invocations
#[derive(Debug, Parser)]
#[command(name = "triage", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Diagnose logs or telemetry after the fact
    ///
    /// Exits with 0 if no problem is found, with 1 if one is, with 2 if the input or the command line
    /// is no good.
    ///
    ///   aws logs filter-log-events --log-group-name /aws/lambda/orders --output json | triage replay
    #[command(verbatim_doc_comment)]
    Replay(Box<ReplayOptions>),
    /// Print the manual of a problem
    Explain {
        /// Its name, as the diagnoses have it
        problem: String,
    },
    /// List all problems
    List,
}

/// Bad input or usage; clap's own as well.
const BAD: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Replay(options) => match replay::replay(&options) {
            Ok(Found::Nothing) => ExitCode::SUCCESS,
            Ok(Found::Problems) => ExitCode::from(1),
            Err(error) => bad(&error.to_string()),
        },
        Command::Explain { problem } => match manual::explain(&problem) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(nearest)) => bad(&unknown(&problem, &nearest)),
            Err(error) => unwritten(&error),
        },
        Command::List => manual::list().map_or_else(|e| unwritten(&e), |()| ExitCode::SUCCESS),
    }
}

fn unknown(problem: &str, nearest: &[&str]) -> String {
    match nearest {
        [] => format!("there is no problem {problem:?}; `triage list` shows all"),
        names => format!("there is no problem {problem:?}; is it {}?", names.join(" or ")),
    }
}

fn unwritten(error: &io::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => bad(&format!("the output cannot be written: {error}")),
    }
}

fn bad(what: &str) -> ExitCode {
    // Where it cannot be said, the code still says it.
    let _ = writeln!(stderr(), "triage: {what}");
    ExitCode::from(BAD)
}
