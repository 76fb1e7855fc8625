//! Lambda could not reach the S3 Files file system of a function that this one called
//! (`S3FilesMountConnectivityException`): the sandbox was never started.
//!
//! ## Causes
//! No mount target in the Availability Zone of one of the function's subnets, or a security group or
//! network ACL that does not let TCP 2049 through.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! never starts, so nothing inside it can tell. `accessPointArn`, `fileSystemId` and
//! `calledFunctionArn` or `calledFunctionName` are there if the text names them.
//!
//! ## What to do
//! Allow TCP 2049 between the function's and the mount target's security groups, and give each of the
//! function's Availability Zones a mount target.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "s3-files-mount-connectivity",
    title: "a called function could not reach its S3 Files file system",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Allow TCP 2049 from the called function's security group to the mount target's, both ways, and check that each subnet's Availability Zone has a mount target of the S3 Files file system.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html",
    outranks: &["s3-files-mount-failure"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("S3FilesMountConnectivityException", View::Caller),
        Text::message(
            "t make a network connection to the configured S3 Files access point",
            View::Caller,
        ),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |view| match view {
        Some(View::Outside) => "the function could not connect to its S3 Files file system",
        _ => "a function it called could not reach its S3 Files file system",
    })
}
