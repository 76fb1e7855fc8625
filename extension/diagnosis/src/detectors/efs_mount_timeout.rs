//! Lambda connected to the EFS file system of a function that this one called, but the mount did not
//! finish in time (`EFSMountTimeoutException`): the sandbox was never started.
//!
//! ## Causes
//! The file system is throttled (burst credits used up) or at its connection limit, or many functions
//! start at once.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! never starts, so nothing inside it can tell. `accessPointArn` and `calledFunctionArn` are there if
//! the text names them.
//!
//! From outside: the error in the record of a failed request, or the reason of the function's state.
//!
//! ## What to do
//! Look at the file system's `PercentIOLimit`, `BurstCreditBalance` and `ClientConnections`; use
//! elastic throughput; retry the invocation.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "efs-mount-timeout",
    title: "a called function's EFS mount timed out",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Look at the file system's PercentIOLimit, BurstCreditBalance and ClientConnections metrics, choose elastic throughput if they are used up, and retry the invocation.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html",
    outranks: &["function-pending", "efs-mount-failure"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        Text::error("EFSMountTimeoutException", View::Caller),
        Text::message("due to mount time out", View::Caller).about_efs(),
    ],
    examine,
};

const OUTSIDE: &str = "mounting the function's EFS file system took too long";

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_state::reason(case, &["EFSMountTimeout"], OUTSIDE).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "a function it called timed out mounting its EFS file system",
        })
    })
}
