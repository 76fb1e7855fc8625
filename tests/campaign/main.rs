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
use std::ops::Range;
use std::sync::Arc;
use table::Table;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Played by every `cargo test`.
const FEW: Range<u64> = 0..24;
/// Played where nothing may be left out.
const ALL: Range<u64> = 0..400;
/// Environments at a time.
const AT_ONCE: usize = 6;

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
    let mut details = None;
    while let Some(result) = playing.join_next().await {
        let (plan, played, failures) = result.unwrap();
        table.add(&plan, &played);
        if !failures.is_empty() {
            let seed = plan.seed;
            failed.push(format!("seed {seed}: {failures:#?}"));
            details.get_or_insert_with(|| format!("{plan:#?}\n{}", played.shown()));
        }
    }
    if std::env::var_os("TRIAGE_CAMPAIGN").is_some() {
        table.print();
    }
    assert!(
        failed.is_empty(),
        "{} plans failed:\n{}\n\nThe first:\n{}",
        failed.len(),
        failed.join("\n"),
        details.unwrap_or_default()
    );
}
