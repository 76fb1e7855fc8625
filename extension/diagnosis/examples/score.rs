//! `cargo score`: replays all fixtures and feeds the healthy corpus, prints what each detector is worth,
//! and fails unless every expected line came out and no other.

// What the tests share with it reads the fixtures, and fails where they are not well formed.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

#[path = "../tests/whole/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/whole/replay.rs"]
mod replay;
#[path = "../tests/whole/score.rs"]
mod score;

use score::Score;
use std::process::ExitCode;

fn main() -> ExitCode {
    let score = Score::of(triage_diagnosis::problems(), &replay::fixtures(), &corpus::corpus());
    print!("{score}");
    if score.is_perfect() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
