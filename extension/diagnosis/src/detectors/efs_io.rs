//! Lambda stopped a function that this one called, as it was stuck in reading or writing its EFS file
//! system (`EFSIOException`).
//!
//! ## Causes
//! The file system does not answer: throttled by used-up burst credits, its mount target or route gone,
//! or a security group changed while the function was running.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! was stopped by Lambda. `accessPointArn` and `calledFunctionArn` are there if the text names them.
//!
//! From outside: the error in the record of a failed request, or the reason of the function's state. HTTP status 410 alone is
//! suspected to be this error.
//!
//! ## What to do
//! Look at the file system's `PercentIOLimit` and `BurstCreditBalance`, check that its mount target is
//! reachable, and read and write less per invocation.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_failed_request;
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "efs-io",
    title: "a called function hung on EFS input or output",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Look at the file system's PercentIOLimit and BurstCreditBalance metrics, check that the mount target is still reachable on TCP 2049, and read or write less in one invocation.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html",
    outranks: &["function-pending"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        Text::error("EFSIOException", View::Caller),
        Text::message(
            "because Lambda detected an IO process that was taking too long",
            View::Caller,
        ),
    ],
    examine,
};

const OUTSIDE: &str = "the function was stopped while it hung on its EFS file system";

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_state::reason(case, &["EFSIOError"], OUTSIDE)
        .or_else(|| from_failed_request::status(case, 410, OUTSIDE))
        .or_else(|| {
            from_log::finding(case, |view| match view {
                Some(View::Outside) => OUTSIDE,
                _ => "a function it called was stopped while it hung on its EFS file system",
            })
        })
}
