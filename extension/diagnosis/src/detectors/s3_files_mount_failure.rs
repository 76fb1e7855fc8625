//! Lambda could not mount the S3 Files file system of a function that this one called
//! (`S3FilesMountFailureException`): the sandbox was never started.
//!
//! ## Causes
//! The role lacks `s3files:ClientMount`, the file system's policy denies it, or the access point or the
//! mount target is gone or not yet available.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! never starts, so nothing inside it can tell. `accessPointArn`, `fileSystemId` and
//! `calledFunctionArn` or `calledFunctionName` are there if the text names them.
//!
//! ## What to do
//! Check the role, the file system's policy, and that access point and mount target are available.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "s3-files-mount-failure",
    title: "a called function could not mount its S3 Files file system",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Check that the called function's role and the file system's policy allow s3files:ClientMount, and that the S3 Files access point and a mount target in the function's subnets are available.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html",
    outranks: &[],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("S3FilesMountFailureException", View::Caller),
        Text::message("t mount the configured S3 Files access point", View::Caller),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |view| match view {
        Some(View::Outside) => "the function could not mount its S3 Files file system",
        _ => "a function it called could not mount its S3 Files file system",
    })
}
