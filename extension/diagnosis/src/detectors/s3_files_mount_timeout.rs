//! Lambda connected to the S3 Files file system of a function that this one called, but the mount did
//! not finish in time (`S3FilesMountTimeoutException`): the sandbox was never started.
//!
//! ## Causes
//! The file system is throttled or busy, or many functions start at once.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! never starts, so nothing inside it can tell. `accessPointArn`, `fileSystemId` and
//! `calledFunctionArn` or `calledFunctionName` are there if the text names them.
//!
//! ## What to do
//! Retry the invocation; look at the file system's metrics and at how many environments start at once.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "s3-files-mount-timeout",
    title: "a called function's S3 Files mount timed out",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Retry the invocation; look at the S3 Files file system's metrics for throttling, and start fewer environments of the called function at once (reserved or provisioned concurrency).",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html",
    outranks: &["s3-files-mount-failure"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("S3FilesMountTimeoutException", View::Caller),
        Text::message("S3 Files access point, but the mount operation timed out", View::Caller),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |view| match view {
        Some(View::Outside) => "mounting the function's S3 Files file system took too long",
        _ => "a function it called timed out mounting its S3 Files file system",
    })
}
