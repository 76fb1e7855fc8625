//! Lambda could not connect to the EFS file system of a function that this one called
//! (`EFSMountConnectivityException`): the sandbox of the called function was never started.
//!
//! ## Causes
//! The security group of the mount target does not let NFS (TCP 2049) in from the function's security
//! group, the function's does not let it out, or the subnet has no route to the mount target.
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
//! Allow TCP 2049 from the function's security group to the mount target's, in both groups, and check
//! the network ACLs of both subnets.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "efs-mount-connectivity",
    title: "a called function could not connect to its EFS file system",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Allow TCP 2049 (NFS) from the called function's security group to that of the mount target, out of the one and into the other, and check the subnets' network ACLs.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html",
    outranks: &["function-pending"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        Text::error("EFSMountConnectivityException", View::Caller),
        Text::message("t connect to the Amazon EFS file system", View::Caller),
        Text::message("could not connect to the Amazon EFS file system", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str = "the function could not connect to its EFS file system";

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_state::reason(case, &["EFSMountConnectivityError"], OUTSIDE).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "a function it called could not connect to its EFS file system",
        })
    })
}
