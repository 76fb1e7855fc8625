//! What the detectors of states have in common: a finding from what is known of a function outside.

use crate::aws_name::is_arn;
use crate::detector::{Case, CaseEvent};
use crate::finding::{Finding, Stage};
use crate::outside::{FunctionState, ReasonField};

/// What was asked about a function, where that is what the case is about.
pub(crate) fn state<'a>(case: &Case<'a>) -> Option<&'a FunctionState> {
    match case.event {
        CaseEvent::State(state) => Some(state),
        _ => None,
    }
}

/// A finding if Lambda gives one of these reasons: confirmed for the function's state, as Lambda said so;
/// imminent for the failure of its last update, as invocations use what was before it.
pub(crate) fn reason(case: &Case<'_>, codes: &[&str], message: &str) -> Option<Finding> {
    let reason = state(case)?.reason(codes)?;
    let finding = match reason.field {
        ReasonField::State => Finding::confirmed(case.at, message.to_owned()),
        ReasonField::LastUpdate => {
            let message =
                format!("the function's last update failed, and is not in use: {message}");
            Finding::imminent(case.at, message)
        }
    };
    Some(finding.evidence(reason.field.name(), Some(reason.code)))
}

/// What both tell of the key of the function's environment: Lambda's reason for the function's state first,
/// then what the key is now, and then the reason for the last update that failed: that one may be long ago.
pub(crate) fn reason_or_key(
    case: &Case<'_>,
    codes: &[&str],
    message: &str,
    of_key: impl FnOnce() -> Option<Finding>,
) -> Option<Finding> {
    let reason = reason(case, codes, message);
    if reason.as_ref().is_some_and(|finding| finding.stage == Stage::Confirmed) {
        return reason;
    }
    of_key().or(reason)
}

/// A finding if the key of the function's environment is in one of these states; None stands for a key
/// that is not there. Imminent: sandboxes that have begun run on.
pub(crate) fn key(case: &Case<'_>, states: &[Option<&str>], message: &str) -> Option<Finding> {
    let key = state(case)?.key.as_ref()?;
    if !states.contains(&key.state.as_deref()) {
        return None;
    }
    let arn = Some(key.arn.as_str()).filter(|arn| is_arn(arn));
    let message = arn.map_or_else(|| message.to_owned(), |arn| format!("{message}: {arn}"));
    let finding = Finding::imminent(case.at, message).evidence("keyArn", arn);
    // One of those that were looked for.
    Some(finding.evidence("keyState", key.state.as_deref()))
}
