//! What an extension costs: `cargo bench-extension` measures ours, the least that can be built with
//! hyper, what one builds with lambda-extension, and any program whose path it is given, all in one run
//! and with the same harness, and prints a table in Markdown. How long things take depends on the
//! machine and on what else it does; instructions hardly do.
//!
//! `cargo bench-extension check` holds what does not depend on the machine to `../budgets.toml`.

#![allow(clippy::disallowed_macros, reason = "it is there to print")]
#![allow(
    clippy::disallowed_methods,
    reason = "it stands in for Lambda, which lives by the real clock"
)]

mod budgets;
mod deliveries;
mod extension;
mod instructions;
mod invocations;
mod programs;
mod quota;
mod sizes;
#[path = "../../../tests/stand_in/mod.rs"]
mod stand_in;
mod start;
mod table;
mod volume;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures extensions side by side.
#[derive(Parser)]
#[command(name = "cargo bench-extension", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Other extensions' programs, to be measured beside ours
    programs: Vec<PathBuf>,
    /// Ours as deploy/layer/build has put it into this folder, in place of building it here
    #[arg(long)]
    layers: Option<PathBuf>,
    /// A variable of the others' environment, as KEY=VALUE; repeat for more
    #[arg(long, value_parser = variable)]
    env: Vec<(String, String)>,
    /// Only these parts, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// How much of logs each has to take at the highest rate that it takes, in MB
    #[arg(long, default_value_t = 1_000)]
    log_mb: u32,
    /// How often each is started, with its file in memory and without
    #[arg(long, default_value_t = 60)]
    starts: usize,
    /// How many pairs of invocations, with the extension and without, are run under the quota
    #[arg(long, default_value_t = 15)]
    pairs: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Compares sizes, counts of crates and instructions with extension/benches/budgets.toml
    Check(budgets::Check),
    /// Is the function that runs under the quota
    #[command(hide = true)]
    Function,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// KB of the programs, and of their zip files
    Sizes,
    /// From exec to the first /next; memory then
    Start,
    /// Post-runtime time; from a timeout to its line
    Invocations,
    /// Logs at the highest rate: CPU time and memory
    Logs,
    /// Counted by callgrind
    Instructions,
    /// A function's duration at a fourteenth of a CPU
    Quota,
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::Check(check)) => check.run(),
        Some(Command::Function) => quota::function::run(),
        None => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let mut programs = programs::built(arguments.layers.as_deref())?;
    for path in &arguments.programs {
        programs.push(programs::Program::other(path, &arguments.env)?);
    }
    let mut table = Table::new(&programs);
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if wants(Part::Sizes) {
        sizes::measure(&programs, &mut table)?;
    }
    if wants(Part::Start) {
        start::measure(&programs, arguments.starts, &mut table)?;
    }
    if wants(Part::Invocations) {
        invocations::measure(&programs, &mut table);
    }
    if wants(Part::Logs) {
        volume::measure(&programs, arguments.log_mb, &mut table);
    }
    if wants(Part::Instructions) {
        instructions::measure(&programs, &mut table);
    }
    if wants(Part::Quota) {
        quota::measure(&programs, arguments.pairs, &mut table);
    }
    Ok(())
}
