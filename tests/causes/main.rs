//! What a function was waiting for when its time ran out, made to happen for real and then read in the
//! extension's line: the confusion matrix of made and named causes.
//!
//! `cargo test` plays a case or two of each cause; `TRIAGE_CAUSES=full`, as `TRIAGE_TEST_ALL`, all of
//! them, and `TRIAGE_CAUSES=dns` all of that one. The matrix is printed with `-- --nocapture`.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod groups;
mod judge;
mod made;
mod matrix;
mod order;
mod plan;
mod runtime;
mod staging;

use judge::{Named, judge};
use matrix::Matrix;
use plan::Plan;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Environments at a time, were none of them at work.
const PLACES: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_named_for_what_it_is() {
    let Some(staging) = staging::Staging::set_up() else { return };
    let staging = Arc::new(staging);
    let places = Arc::new(Semaphore::new(PLACES as usize));
    let mut playing = JoinSet::new();
    for plan in Plan::all(&staging) {
        let (staging, places) = (Arc::clone(&staging), Arc::clone(&places));
        playing.spawn(async move {
            let _places = places.acquire_many_owned(plan.places()).await.unwrap();
            let told = staging.play(&plan).await;
            (plan, told)
        });
    }
    let mut timeouts = Matrix::new("timeout");
    let mut near = Matrix::new("near-timeout");
    let mut shown = String::new();
    let mut broken = Vec::new();
    while let Some(played) = playing.join_next().await {
        let (plan, told) = played.unwrap();
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                broken.push(format!("{plan}: {error}"));
                continue;
            }
        };
        let judgement = judge(&plan, &told);
        let matrix = if judgement.is_near { &mut near } else { &mut timeouts };
        matrix.add(plan.made, judgement.named, judgement.imminent_before_ms);
        if judgement.named != Named::of(plan.made) {
            shown += &format!("{plan}: {}\n{}\n", judgement.named, judgement.shown);
        }
        broken.extend(judgement.broken.iter().map(|problem| format!("{plan}: {problem}")));
    }
    let failed = [timeouts.failure(), near.failure()];
    let failed: Vec<_> = failed.into_iter().flatten().chain(broken).collect();
    say(&format!("{timeouts}\n{near}\n{shown}"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Not `eprintln`, which the test harness would capture: for what is to be seen in any case.
fn tell(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What is to be seen with `--nocapture`, or when it fails.
#[allow(clippy::disallowed_macros, reason = "the test harness alone reads it")]
fn say(text: &str) {
    println!("{text}");
}

/// Whether nothing may be left out.
fn is_all_wanted() -> bool {
    std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty())
}
