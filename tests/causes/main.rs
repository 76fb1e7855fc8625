//! What a function was waiting for when its time ran out, made to happen for real and then read in the
//! extension's line: the confusion matrix of made and named causes.
//!
//! `cargo test` plays a case or two of each cause; `TRIAGE_CAUSES=full`, as `TRIAGE_TEST_ALL`, all of
//! them, `TRIAGE_CAUSES=dns` all of that one and `TRIAGE_CAUSES=beside` all of two things at once. The
//! matrix is printed with `-- --nocapture`. Unless it is asked for by name, what was not named right is
//! played up to twice more by itself, and the last time counts: what a change breaks stays broken, and
//! what is not read in time is the doing of others at work on the machine.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod groups;
mod judge;
mod made;
mod matrix;
mod order;
mod plan;
mod runtime;
mod staging;

use judge::{Judgement, Named, judge};
use matrix::Matrix;
use plan::{Asked, Plan};
use staging::Staging;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Environments at a time, were none of them at work.
const PLACES: u32 = 6;
/// So many that were not named right are played again, each at most so often.
const MOST_AGAIN: usize = 30;
const TIMES_AGAIN: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_named_for_what_it_is() {
    let Some(staging) = Staging::set_up() else { return };
    let staging = Arc::new(staging);
    let places = Arc::new(Semaphore::new(PLACES as usize));
    let mut playing = JoinSet::new();
    for plan in Plan::all(&staging) {
        let (staging, places) = (Arc::clone(&staging), Arc::clone(&places));
        playing.spawn(async move {
            let _places = places.acquire_many_owned(plan.places()).await.unwrap();
            let judgement = played(&staging, &plan).await;
            (plan, judgement)
        });
    }
    let mut timeouts = Matrix::new(matrix::TIMEOUT);
    let mut beside = Matrix::new(matrix::BESIDE);
    let mut near = Matrix::new(matrix::NEAR_TIMEOUT);
    let mut shown = String::new();
    let mut broken = Vec::new();
    let mut note = |plan: &Plan, judgement: Result<Judgement, String>| {
        let judgement = match judgement {
            Ok(judgement) => judgement,
            Err(error) => return broken.push(format!("{plan}: {error}")),
        };
        let matrix = match judgement.is_near {
            true => &mut near,
            false if made::is_beside(plan.made) => &mut beside,
            false => &mut timeouts,
        };
        matrix.add(plan.made, judgement.named, judgement.imminent_before_ms);
        // What may stay without a name is of interest only to who asks for it.
        let is_shown = !is_fine(&judgement, plan) || Asked::is_by_name();
        if is_shown && judgement.named != Named::of(plan.made) {
            shown += &format!("{plan}: {}\n{}\n", judgement.named, judgement.shown);
        }
        broken.extend(judgement.broken.iter().map(|problem| format!("{plan}: {problem}")));
    };
    let mut again = Vec::new();
    while let Some(played) = playing.join_next().await {
        let (plan, judgement) = played.unwrap();
        match faults(&plan, &judgement) {
            Some(faults) if !Asked::is_by_name() => again.push((plan, faults)),
            _ => note(&plan, judgement),
        }
    }
    let too_many = again.len().checked_sub(MOST_AGAIN).filter(|more| *more > 0);
    for (plan, faults_before) in again.into_iter().take(MOST_AGAIN) {
        tell(&format!("{plan}: {faults_before}; played again by itself"));
        let mut judgement = played(&staging, &plan).await;
        for _ in 1..TIMES_AGAIN {
            let Some(faults) = faults(&plan, &judgement) else { break };
            tell(&format!("{plan}: {faults} again"));
            judgement = played(&staging, &plan).await;
        }
        note(&plan, judgement);
    }
    broken.extend(too_many.map(|more| format!("{more} more were not named right")));
    let failed = [timeouts.failure(), beside.failure(), near.failure()];
    let failed: Vec<_> = failed.into_iter().flatten().chain(broken).collect();
    say(&format!("{timeouts}\n{beside}\n{near}\n{shown}"));
    // Where logs are cut off, the end of standard error is left.
    failed.iter().for_each(|failure| tell(failure));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is not as it should be.
fn faults(plan: &Plan, judgement: &Result<Judgement, String>) -> Option<String> {
    match judgement {
        Err(error) => Some(error.clone()),
        Ok(judgement) if !judgement.broken.is_empty() => Some(judgement.broken.join(", ")),
        Ok(judgement) => (!is_fine(judgement, plan)).then(|| format!("named {}", judgement.named)),
    }
}

fn is_fine(judgement: &Judgement, plan: &Plan) -> bool {
    let may_be_unknown = made::is_beside(plan.made) && judgement.named == Named::Unknown;
    judgement.named == Named::of(plan.made) || may_be_unknown
}

async fn played(staging: &Staging, plan: &Plan) -> Result<Judgement, String> {
    let told = staging.play(plan).await.map_err(|error| error.to_string())?;
    Ok(judge(plan, &told))
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
