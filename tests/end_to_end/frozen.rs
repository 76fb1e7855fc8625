//! A freeze amid the look at the function's processes.

use crate::environment::shown;
use crate::kinds::{steps, with_a_clock};
use demo::{Diagnosis, diagnoses};
use lambda_sandbox::{DeliveryFault, InitializationType, Sandbox, ShutdownReason};
use serde_json::json;
use std::time::{Duration, Instant};

const FROZEN_MS: u64 = 600_000;
/// On a busy machine the look may be over before the freeze.
const TRIES: usize = 3;

fn told(sandbox: &Sandbox) -> Vec<Diagnosis> {
    diagnoses(&sandbox.log()).unwrap()
}

fn is_imminent(diagnosis: &Diagnosis) -> bool {
    diagnosis.text("stage") == "imminent"
}

/// Waits for the line about the first part of the look.
async fn look_begun(sandbox: &Sandbox) {
    let begun = Instant::now();
    while !told(sandbox).iter().any(is_imminent) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", shown(sandbox));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Two readings with a freeze between them tell of no time that the invocation waited.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_with_a_freeze_in_it_names_no_cause() {
    for _ in 0..TRIES {
        let (sandbox, _clock) = with_a_clock(InitializationType::OnDemand).await;
        let freeze = async {
            look_begun(&sandbox).await;
            sandbox.pause(Duration::from_millis(20), FROZEN_MS).await.unwrap();
        };
        let forever = sandbox.invoke(steps(&json!([{"hang": 1}])));
        let (outcome, ()) = tokio::join!(forever, freeze);
        outcome.unwrap();
        sandbox.shutdown(ShutdownReason::Spindown).await;
        let told = told(&sandbox);
        let timeouts: Vec<_> = told.iter().filter(|line| !is_imminent(line)).collect();
        let [timeout] = &timeouts[..] else { panic!("{}", shown(&sandbox)) };
        assert_eq!(timeout.text("problem"), "timeout");
        assert_eq!(told.iter().filter(|line| is_imminent(line)).count(), 1);
        if timeout.json["diagnosis"].get("cause").is_none() {
            return;
        }
    }
    panic!("a cause is named by looks at both sides of a freeze");
}

/// What the look at one invocation has begun is not told of the next, even where nothing says that the first
/// is over.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_about_to_happen_before_a_freeze_is_not_told_after_it() {
    let (sandbox, _clock) = with_a_clock(InitializationType::OnDemand).await;
    // It ends just in time, and all that says so is lost.
    (0..8).for_each(|_| {
        sandbox.faults().push_delivery(DeliveryFault { lost: true, ..DeliveryFault::default() });
    });
    let first = sandbox.invoke(steps(&json!([{"sleep_ms": 1_930}])));
    let (first, ()) = tokio::join!(first, look_begun(&sandbox));
    first.unwrap();
    sandbox.step_clock(FROZEN_MS.cast_signed()).unwrap();
    let before = told(&sandbox).len();
    for _ in 0..3 {
        sandbox.invoke(steps(&json!([{"sleep_ms": 300}]))).await.unwrap();
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let after = told(&sandbox).split_off(before);
    assert!(!after.iter().any(is_imminent), "{}", shown(&sandbox));
    // Of the first it may be told that it was near, of the others nothing.
    let is_of_first = |line: &Diagnosis| line.text("problem") == "near-timeout";
    assert!(after.iter().all(is_of_first) && after.len() <= 1, "{}", shown(&sandbox));
}
