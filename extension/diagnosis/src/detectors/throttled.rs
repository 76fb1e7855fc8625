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
//! From outside: HTTP status 429, the condition `ZeroReservedConcurrency`, or EventBridge's `THROTTLING`
//! in the record of a failed request; the condition `EventAgeExceeded` alone is suspected. A reserved
//! concurrency of 0, or one that takes the greater part of the account's pool and leaves the others 100 or
//! less, is imminent.
//!
//! ## What to do
//! Raise the limit that the reason names or call less often; let the SDK retry with back-off, or invoke
//! asynchronously.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::outside::{FailedRequest, FunctionState};
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
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
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

const OUTSIDE: &str = "Lambda throttled the function";

fn examine(case: &Case<'_>) -> Option<Finding> {
    match case.event {
        CaseEvent::FailedRequest(request) => return from_request(case, request),
        CaseEvent::State(state) => return from_state(case, state),
        _ => {}
    }
    let told = from_log::finding_among(
        case,
        |_, _| Some(Stage::Confirmed),
        |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "Lambda throttled the invocation of a function it called",
        },
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

fn from_request(case: &Case<'_>, request: &FailedRequest) -> Option<Finding> {
    if request.has_run {
        return None;
    }
    let (condition, error_type) = (request.condition.as_deref(), request.error_type.as_deref());
    if condition == Some("ZeroReservedConcurrency") {
        let message =
            "the function's reserved concurrency is 0: Lambda gave the event up unprocessed";
        let finding = Finding::confirmed(case.at, message.to_owned());
        return Some(finding.cause("reserved-concurrency"));
    }
    let is_event_bridges_word = request.is_of_invoker && error_type == Some("THROTTLING");
    // Invoke has no other error of this status.
    if request.status_code == Some(429) || is_event_bridges_word {
        return Some(Finding::confirmed(case.at, OUTSIDE.to_owned()));
    }
    let is_untold = request.status_code.is_none() && error_type.is_none();
    (condition == Some("EventAgeExceeded") && is_untold).then(|| {
        let message =
            "the event grew too old before it was processed, as where the function is throttled";
        Finding::suspected(case.at, message.to_owned())
    })
}

/// So much Lambda leaves to functions without a reservation; in accounts with a small limit, less.
const MAX_KEPT_UNRESERVED: u64 = 100;

fn from_state(case: &Case<'_>, state: &FunctionState) -> Option<Finding> {
    let reserved = state.reserved_concurrency?;
    if reserved == 0 {
        let message = "the function's reserved concurrency is 0: each invocation will be throttled";
        let finding = Finding::imminent(case.at, message.to_owned()).cause("reserved-concurrency");
        return Some(finding.evidence("reservedConcurrency", Some(0)));
    }
    let account = state.account.filter(|account| account.limit > 0)?;
    // In a small account what may not be reserved comes near the limit: then it must hold the greater part.
    let is_most = reserved.saturating_add(MAX_KEPT_UNRESERVED) >= account.limit
        && reserved > account.limit / 2;
    is_most.then(|| {
        let message = format!(
            "the function holds {reserved} of the account's {} concurrent executions: the other \
             functions share {}",
            account.limit, account.unreserved
        );
        Finding::imminent(case.at, message)
            .cause("account-concurrency")
            .evidence("reservedConcurrency", Some(reserved))
            .evidence("accountConcurrency", Some(account.limit))
            .evidence("unreservedConcurrency", Some(account.unreserved))
    })
}
