//! Lambda could not mount the EFS file system of a function that this one called
//! (`EFSMountFailureException`): the sandbox of the called function was never started.
//!
//! ## Causes
//! The access point or file system is gone or not `available`, its mount target is missing in an
//! Availability Zone of the function's subnets, or the function's role lacks
//! `elasticfilesystem:ClientMount` (and `ClientWrite`).
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
//! Check in the called function's configuration that the access point exists, that the file system
//! has a mount target in every subnet's zone, and that role and file system policy allow the mount.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "efs-mount-failure",
    title: "a called function could not mount its EFS file system",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Check the called function's file system: the access point exists, every subnet's Availability Zone has a mount target, and the role and the file system policy allow elasticfilesystem:ClientMount.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html",
    outranks: &["function-pending"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        Text::error("EFSMountFailureException", View::Caller),
        Text::message("could not mount the EFS file system with access point", View::Caller),
        Text::message("t mount the Amazon EFS file system", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str = "the function could not mount its EFS file system";

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_state::reason(case, &["EFSMountFailure"], OUTSIDE).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "a function it called could not mount its EFS file system",
        })
    })
}
