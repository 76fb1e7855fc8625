//! Thousands of invocations of real functions with the real extension, while everything around it
//! fails at random: see `plan.rs` for what, `check.rs` for what must hold all the same.
//!
//! A run is a range of seeds. `cargo test` plays a few of them, and with `TRIAGE_TEST_ALL` set all;
//! `TRIAGE_CAMPAIGN=FROM..TO` names others, and prints the table. What fails names its seed, and a
//! seed always makes the same plan; when what happens in it happens is left to the machine.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod check;
mod hour;
mod memory;
mod plan;
mod play;
mod table;

use plan::Plan;
use play::Played;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use table::Table;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Played by every `cargo test`.
const FEW: Range<u64> = 0..24;
/// Played where nothing may be left out.
const ALL: Range<u64> = 0..400;
/// So many plans may fail once, if they hold when they are played again.
const MAX_NOISE: usize = 3;
/// Environments at a time.
const AT_ONCE: usize = 6;

/// Whether the seeds were chosen by hand: then nothing is played again.
fn is_chosen() -> bool {
    std::env::var_os("TRIAGE_CAMPAIGN").is_some()
}

fn seeds() -> Range<u64> {
    if let Ok(range) = std::env::var("TRIAGE_CAMPAIGN") {
        let ends = range.split_once("..").map(|(from, to)| (from.parse(), to.parse()));
        let Some((Ok(from), Ok(to))) = ends else {
            panic!("TRIAGE_CAMPAIGN={range} is no FROM..TO")
        };
        return from..to;
    }
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    if all { ALL } else { FEW }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_harms_the_function_or_costs_a_diagnosis_that_was_due() {
    // Not while something is played: it would stand still meanwhile.
    tokio::task::spawn_blocking(play::build).await.unwrap();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    for seed in seeds() {
        let places = Arc::clone(&places);
        playing.spawn(async move {
            // It is never closed.
            let _place = places.acquire_owned().await;
            let plan = Plan::of(seed);
            let played = play::play(&plan).await;
            let failures = check::failures(&plan, &played);
            (plan, played, failures)
        });
    }
    let mut table = Table::default();
    let mut failed = Vec::new();
    while let Some(result) = playing.join_next().await {
        let (plan, played, failures) = result.unwrap();
        table.add(&plan, &played);
        if !failures.is_empty() {
            failed.push((plan, played, failures));
        }
    }
    if is_chosen() {
        table.print();
    } else if failed.len() <= MAX_NOISE {
        failed = again(failed).await;
    }
    let list: Vec<_> =
        failed.iter().map(|(plan, _, f)| format!("seed {}: {f:#?}", plan.seed)).collect();
    let details = failed.first().map(|(plan, played, _)| format!("{plan:#?}\n{}", played.shown()));
    assert!(
        failed.is_empty(),
        "{} plans failed:\n{}\n\nThe first:\n{}",
        failed.len(),
        list.join("\n"),
        details.unwrap_or_default()
    );
}

type Failed = (Plan, Played, Vec<String>);

/// Plays plans that failed twice more, each alone: when what happens in a plan happens is left to
/// the machine, and a busy one may be too late for it. Those that fail again have failed; of the
/// others a line tells.
async fn again(failed: Vec<Failed>) -> Vec<Failed> {
    let mut failed_again = Vec::new();
    for (plan, played, failures) in failed {
        let mut holds = true;
        for _ in 0..2 {
            holds &= check::failures(&plan, &play::play(&plan).await).is_empty();
        }
        if holds {
            let line = format!("failed once in three: seed {}: {failures:?}\n", plan.seed);
            // Not eprintln, which the test harness would capture.
            let _ = std::io::stderr().write_all(line.as_bytes());
        } else {
            failed_again.push((plan, played, failures));
        }
    }
    failed_again
}
