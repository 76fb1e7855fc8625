//! `triage`: diagnoses what is left of an incident, and explains the diagnoses.
//!
//! It is no part of the layer. The diagnosis is that of the extension; this program feeds it from a
//! file in place of a running environment.

mod input;
mod manual;
mod page;
mod replay;
mod signatures;

use clap::{Parser, Subcommand};
use replay::{Found, ReplayOptions};
use std::io::{self, ErrorKind, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use triage_diagnosis::signatures::{Signature, is_custom_problem};

const EXAMPLES: &str = "\
Examples:
  aws logs filter-log-events --log-group-name /aws/lambda/orders --output json | triage replay
  aws logs tail /aws/lambda/orders --since 1d | triage replay --timeout 3
  triage explain kms-disabled";

/// Names the cause of failed AWS Lambda invocations
#[derive(Debug, Parser)]
#[command(name = "triage", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Diagnose logs or telemetry after the fact
    ///
    /// Exits with 0 if no problem is found, with 1 if one is, with 2 if the input or the command line
    /// cannot be used.
    ///
    ///   aws logs filter-log-events --log-group-name /aws/lambda/orders --output json | triage replay
    #[command(verbatim_doc_comment)]
    Replay(Box<ReplayOptions>),
    /// Print the manual of a problem
    Explain {
        /// Its name, as the diagnoses have it: kms-disabled, custom:payment-declined
        problem: String,
        /// The TOML file of your own signatures, for their problems, `custom:<id>`
        #[arg(long, value_name = "FILE")]
        signatures: Option<PathBuf>,
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
        Command::Explain { problem, signatures } if is_custom_problem(&problem) => {
            explain_custom(&problem, signatures.as_deref())
        }
        Command::Explain { problem, .. } => match manual::explain(&problem) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(nearest)) => bad(&unknown(&problem, &nearest)),
            Err(error) => unwritten(&error),
        },
        Command::List => manual::list().map_or_else(|e| unwritten(&e), |()| ExitCode::SUCCESS),
    }
}

/// What the user's file says of one of their problems.
fn explain_custom(problem: &str, file: Option<&Path>) -> ExitCode {
    let Some(path) = file else {
        return bad(&format!(
            "{problem} is of your own signatures: name their file, --signatures FILE"
        ));
    };
    let signatures = match signatures::read(path) {
        Ok(signatures) => signatures,
        Err(error) => return bad(&format!("{}: {error}", path.display())),
    };
    match signatures.iter().find(|signature| signature.problem() == problem) {
        Some(signature) => manual::explain_signature(signature)
            .map_or_else(|e| unwritten(&e), |()| ExitCode::SUCCESS),
        None => {
            let known: Vec<_> = signatures.iter().map(Signature::problem).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            bad(&format!("{} does not name {problem}, but {known}", path.display()))
        }
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
