//! A function that this one called cannot be invoked in the state it is in.
//!
//! ## Causes
//! - `pending`: it is being created or connected to its VPC.
//! - `stuck-pending`: it has been Pending for more than six minutes.
//! - `inactive`: it was idle for weeks and its resources were taken back; this invocation wakes it.
//! - `failed`: its last creation or update failed, or it could not be restored after it was idle.
//! - `update-failed`: its last update failed, so that what is invoked is what was before it.
//! - `update-in-progress`: an update is under way.
//! - `not-invocable`: it is in the state Deactivated or ActiveNonInvocable.
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
//! From outside: the error in the record of a failed request, or its HTTP status 409 (suspected); and what
//! GetFunctionConfiguration says: `failed`, `stuck-pending`, `update-failed` and `vpc-configuration` are
//! confirmed, `inactive` is imminent. Since when an idle function is being restored Lambda does not tell: then
//! `stuck-pending` takes two checks that saw it so, more than six minutes apart. `not-invocable`, which AWS's
//! guide does not describe, and an update that has been under way for more than an hour are suspected.
//!
//! ## What to do
//! Wait for `State: Active` (`aws lambda wait function-active-v2`) before invoking, and retry with
//! back-off; look at StateReason and LastUpdateStatusReason if it stays.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, Stage, View};
use crate::from_failed_request;
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::outside::FunctionState;
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
            name: "stuck-pending",
            advice: "Call UpdateFunctionCode, UpdateFunctionConfiguration or PublishVersion: Lambda then cancels what hangs and sets the state to Failed; afterwards update the function again, or delete and create it.",
        },
        Cause {
            name: "inactive",
            advice: "The called function was idle for weeks: this invocation activates it. Retry for a few minutes, or invoke it now and then if it must answer at once.",
        },
        Cause {
            name: "failed",
            advice: "The called function's creation or restoration failed: GetFunctionConfiguration tells StateReason and StateReasonCode; correct that and deploy it again.",
        },
        Cause {
            name: "update-failed",
            advice: "The last update of the function failed, and invocations use the code and configuration from before it: GetFunctionConfiguration tells LastUpdateStatusReason; correct that and update it again.",
        },
        Cause {
            name: "update-in-progress",
            advice: "An update of the called function is under way: retry with back-off, and let deployments publish versions behind an alias so that invocations keep a version that is ready.",
        },
        Cause {
            name: "not-invocable",
            advice: "Lambda invokes functions in the state Active alone: look at the function's StateReason and, on Managed Instances, at its capacity provider, and activate or deploy it again.",
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
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
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

const OUTSIDE: &str = "the function was in a state in which it cannot be invoked";

fn examine(case: &Case<'_>) -> Option<Finding> {
    if let Some(state) = from_state::state(case) {
        return from_state(case, state);
    }
    from_failed_request::status(case, 409, OUTSIDE).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "a function it called was in a state in which it cannot be invoked",
        })
    })
}

/// Longer than this, AWS's guide to troubleshooting calls a function stuck.
const STUCK_MS: u64 = 6 * 60_000;

fn from_state(case: &Case<'_>, state: &FunctionState) -> Option<Finding> {
    const OF_VPC: &[&str] =
        &["InvalidSubnet", "InvalidSecurityGroup", "InsufficientRolePermissions"];
    let of_vpc = from_state::reason(case, OF_VPC, "the function's VPC configuration is not valid");
    // That of a failed update is told as such, below.
    if let Some(finding) = of_vpc.filter(|finding| finding.stage == Stage::Confirmed) {
        return Some(finding.cause("vpc-configuration"));
    }
    let code = state.state_reason_code.as_deref();
    let finding = match state.state.as_deref()? {
        // What could not be restored returns to Inactive, and no invocation wakes it.
        name @ ("Failed" | "Inactive")
            if name == "Failed"
                || code.is_some_and(|code| code != "Idle" && code != "Restoring") =>
        {
            let until = match code {
                // Lambda's own, and nothing to correct.
                Some("InternalError") => {
                    "for an internal error of Lambda: it cannot be invoked until it is deployed again"
                }
                _ if name == "Failed" => "and cannot be invoked until it is corrected",
                _ => {
                    "and not for being idle: it cannot be invoked until the reason is corrected and it is \
                      deployed again"
                }
            };
            Finding::confirmed(case.at, format!("the function is {name}, {until}")).cause("failed")
        }
        "Inactive" => {
            let message = "the function is Inactive: the next invocation fails and wakes it";
            Finding::imminent(case.at, message.to_owned()).cause("inactive")
        }
        "Pending" => {
            // LastModified is when it was deployed, which is not when an idle function began to be restored.
            let created =
                state.last_modified.filter(|_| code.is_none_or(|code| code == "Creating"));
            let pending_ms = case.at.ms_since(created.or(state.pending_since)?);
            if pending_ms <= STUCK_MS {
                return None;
            }
            let minutes = pending_ms / 60_000;
            let message = format!("the function has been Pending for {minutes} minutes");
            let finding = Finding::confirmed(case.at, message).cause("stuck-pending");
            finding.evidence("pendingMs", Some(pending_ms))
        }
        name @ ("Deactivated" | "ActiveNonInvocable") => {
            let message = format!("the function is {name}: Lambda may not invoke it");
            Finding::suspected(case.at, message).cause("not-invocable")
        }
        // They end by themselves, and somebody asked for them.
        "Deactivating" | "Deleting" => return None,
        _ => return from_update(case, state),
    };
    Some(finding.evidence("stateReasonCode", code.filter(is_code)))
}

/// Some updates take many minutes: of a network, of a large image, of a snapshot.
const LONG_UPDATE_MS: u64 = 60 * 60_000;

/// The last update of a function that can be invoked.
fn from_update(case: &Case<'_>, state: &FunctionState) -> Option<Finding> {
    match state.last_update_status.as_deref()? {
        "Failed" => {
            let message = "the function's last update failed: invocations use what was before it";
            let finding = Finding::confirmed(case.at, message.to_owned()).cause("update-failed");
            let code = state.last_update_status_reason_code.as_deref();
            Some(finding.evidence("lastUpdateStatusReasonCode", code.filter(is_code)))
        }
        "InProgress" => {
            let updating_ms = case.at.ms_since(state.last_modified?);
            let minutes = updating_ms / 60_000;
            let message = format!(
                "an update of the function has been under way for {minutes} minutes: invocations use what \
                 was before it"
            );
            let finding = Finding::suspected(case.at, message).cause("update-in-progress");
            (updating_ms > LONG_UPDATE_MS)
                .then(|| finding.evidence("updatingMs", Some(updating_ms)))
        }
        _ => None,
    }
}

/// A word of Lambda's API, such as `ImageDeleted`, which may be one that is not known here; some have a dot.
fn is_code(code: &&str) -> bool {
    code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}
