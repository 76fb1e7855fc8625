//! A function that this one called cannot be invoked in the state it is in.
//!
//! ## Causes
//! - `pending`: it is being created or connected to its VPC.
//! - `inactive`: it was idle for weeks and its resources were taken back; this invocation wakes it.
//! - `failed`: its last creation or update failed.
//! - `update-in-progress`: an update is under way.
//! - `snap-start`: its snapshot is being made.
//! - `vpc-configuration`: its subnet or security group does not exist, or Lambda may not use EC2 for it.
//!
//! ## Evidence
//! The error's message in the log of the function that called: confirmed where the line reports the
//! error, suspected where it is a warning. `ResourceConflictException` alone says nothing, as
//! AddPermission and others give it too: what counts is the message about the state, in a record that
//! does not name another operation. `calledFunctionArn` or `calledFunctionName` is there if the text
//! names it.
//!
//! `SnapStartException` and `SnapStartTimeoutException` (the called function's restore hooks failed or
//! were too slow), `EC2UnexpectedException`, `InvalidRuntimeException` and `InvalidZipFileException` are
//! none of these, and nothing is told of them. Of a Pending or Failed state of the function itself nothing
//! can be seen: it is not invoked.
//!
//! ## What to do
//! Wait for `State: Active` (`aws lambda wait function-active-v2`) before invoking, and retry with
//! back-off; look at StateReason and LastUpdateStatusReason if it stays.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "function-pending",
    title: "a called function was in a state in which it cannot be invoked",
    level: Level::Error,
    metric: "StateConflicts",
    advice: "Wait until the called function's State is Active and LastUpdateStatus is Successful (GetFunctionConfiguration tells the reason), and retry the invocation with back-off.",
    causes: &[
        Cause {
            name: "pending",
            advice: "The called function is being created or connected to its VPC: retry with back-off, and after a deployment wait for State Active; if it stays Pending, look at StateReason.",
        },
        Cause {
            name: "inactive",
            advice: "The called function was idle for weeks: this invocation activates it. Retry for a few minutes, or invoke it now and then if it must answer at once.",
        },
        Cause {
            name: "failed",
            advice: "The called function's creation failed: GetFunctionConfiguration tells StateReason and StateReasonCode; correct that and deploy it again.",
        },
        Cause {
            name: "update-in-progress",
            advice: "An update of the called function is under way: retry with back-off, and let deployments publish versions behind an alias so that invocations keep a version that is ready.",
        },
        Cause {
            name: "snap-start",
            advice: "The snapshot of the called function's version is being made: wait until its State is Active, and retry.",
        },
        Cause {
            name: "vpc-configuration",
            advice: "The called function's subnet or security group does not exist any more, or its role may not manage network interfaces: correct its VPC configuration and its role (AWSLambdaVPCAccessExecutionRole).",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html",
    outranks: &[],
    views: &[View::Caller],
    signs: &[Sign::Log],
    knobs: &[],
    texts: &[
        Text::message("function is currently in the following state: Pending", View::Caller)
            .about_no_other_call()
            .names("pending"),
        Text::message("function is currently in the following state: Inactive", View::Caller)
            .about_no_other_call()
            .names("inactive"),
        Text::message("function is currently in the following state: Failed", View::Caller)
            .about_no_other_call()
            .names("failed"),
        Text::message("function is currently in the following state: ", View::Caller)
            .about_no_other_call(),
        Text::message(
            "The function is inactive and its VPC connection is no longer available",
            View::Caller,
        )
        .about_no_other_call()
        .names("inactive"),
        // UpdateFunctionCode and its like say this much more often.
        Text::message("cannot be performed at this time. An update is in progress", View::Caller)
            .about_invoke()
            .names("update-in-progress"),
        Text::error("ResourceNotReadyException", View::Caller).about_invoke(),
        Text::error("SnapStartNotReadyException", View::Caller)
            .about_no_other_call()
            .names("snap-start"),
        Text::error("InvalidSubnetIDException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
        Text::error("InvalidSubnetIdException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
        Text::error("InvalidSecurityGroupIDException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
        Text::error("InvalidSecurityGroupIdException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
        Text::error("EC2AccessDeniedException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
        Text::error("Ec2AccessDeniedException", View::Caller)
            .about_no_other_call()
            .names("vpc-configuration"),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |_| "a function it called was in a state in which it cannot be invoked")
}
