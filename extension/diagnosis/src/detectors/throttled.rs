//! Lambda throttled an invocation of a function that this one called (429 `TooManyRequestsException`).
//!
//! ## Causes
//! Lambda names a Reason; SDKs for Python and Java leave it out of their texts, and then there is no cause.
//! - `reserved-concurrency` (ReservedFunctionConcurrentInvocationLimitExceeded): as many run as are
//!   reserved for the function, or none may, with 0.
//! - `account-concurrency` (ConcurrentInvocationLimitExceeded): the account's pool in this Region is used
//!   up.
//! - `invocation-rate` (FunctionInvocationRateLimitExceeded): ten times the concurrency per second.
//! - `reserved-invocation-rate` (ReservedFunctionInvocationRateLimitExceeded): likewise of what is
//!   reserved.
//! - `caller-rate` (CallerRateLimitExceeded): the caller's own requests came too fast.
//! - `snapshot-creation` (ConcurrentSnapshotCreateLimitExceeded): too many snapshots are being made.
//! - `ec2` (EC2ThrottledException): EC2 throttled Lambda when it connected the function to its VPC.
//!
//! ## Evidence
//! The error in the log of the function that called, in a record that says that Lambda's Invoke failed:
//! other services have an error of the same name. Confirmed where the line reports the error, suspected
//! where it is a warning. `reason` is Lambda's; `calledFunctionArn` or `calledFunctionName` is there if the
//! text names it. That this function itself is throttled cannot be seen from inside: no environment
//! runs.
//!
//! ## What to do
//! Raise the limit that the reason names or call less often; let the SDK retry with back-off, or invoke
//! asynchronously.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "throttled",
    title: "Lambda throttled an invocation of a called function",
    level: Level::Error,
    metric: "Throttles",
    advice: "Look at the called function's Throttles and ConcurrentExecutions metrics: raise its reserved concurrency or the account's quota, call it less often, or invoke it asynchronously so that Lambda retries.",
    causes: &[
        Cause {
            name: "reserved-concurrency",
            advice: "The called function runs as often at once as its reserved concurrency allows (0 stops it altogether): raise or remove the reservation, or call it less often.",
        },
        Cause {
            name: "account-concurrency",
            advice: "The account's concurrent executions in this Region are used up: find the function that uses them, reserve concurrency for what matters, or ask for a higher quota.",
        },
        Cause {
            name: "invocation-rate",
            advice: "The called function is invoked more than ten times its concurrency per second: send more work in one invocation, or raise the concurrency quota.",
        },
        Cause {
            name: "reserved-invocation-rate",
            advice: "The called function is invoked more than ten times its reserved concurrency per second: raise the reservation, or send more work in one invocation.",
        },
        Cause {
            name: "caller-rate",
            advice: "This function's own requests to Lambda come too fast: send fewer, or spread them, and let the SDK retry with back-off.",
        },
        Cause {
            name: "snapshot-creation",
            advice: "Too many snapshots of SnapStart functions are being made at once: retry with back-off, and publish fewer versions at the same time.",
        },
        Cause {
            name: "ec2",
            advice: "EC2 throttled Lambda when it connected the called function to its VPC: retry with back-off; if it lasts, look for what else calls EC2 in this account.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",
    outranks: &[],
    views: &[View::Caller],
    signs: &[Sign::Log],
    knobs: &[],
    texts: &[
        // Other calls have an error of this name.
        Text::error("TooManyRequestsException", View::Caller).about_invoke(),
        Text::error("ReservedFunctionConcurrentInvocationLimitExceeded", View::Caller)
            .about_invoke()
            .names("reserved-concurrency"),
        Text::error("ConcurrentInvocationLimitExceeded", View::Caller)
            .about_invoke()
            .names("account-concurrency"),
        Text::error("FunctionInvocationRateLimitExceeded", View::Caller)
            .about_invoke()
            .names("invocation-rate"),
        Text::error("ReservedFunctionInvocationRateLimitExceeded", View::Caller)
            .about_invoke()
            .names("reserved-invocation-rate"),
        Text::error("CallerRateLimitExceeded", View::Caller).about_invoke().names("caller-rate"),
        Text::error("ConcurrentSnapshotCreateLimitExceeded", View::Caller)
            .about_invoke()
            .names("snapshot-creation"),
        Text::error("EC2ThrottledException", View::Caller).about_no_other_call().names("ec2"),
        Text::error("Ec2ThrottledException", View::Caller).about_no_other_call().names("ec2"),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let told = from_log::finding_among(
        case,
        |_, _| Some(Stage::Confirmed),
        |_| "Lambda throttled the invocation of a function it called",
    )?;
    // The record names it in a place of its own, `reason: Some(…)` in Rust.
    let (_, reason) = told.log.text.split_once("eason").unzip();
    let reason = reason.and_then(|rest| {
        let words = rest.split(|c: char| !c.is_ascii_alphanumeric());
        words.take(6).find_map(|word| DETECTOR.texts.iter().find(|t| t.needle == word))
    });
    let reason = [Some(told.hit.text), reason]
        .into_iter()
        .flatten()
        .find(|t| t.needle.ends_with("LimitExceeded"));
    let cause = reason.and_then(|text| text.cause).or(told.finding.cause);
    let finding = Finding { cause, ..told.finding };
    Some(finding.evidence("reason", reason.map(|text| text.needle)))
}
