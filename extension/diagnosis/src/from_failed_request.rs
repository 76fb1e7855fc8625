//! What detectors make of the record of a failed request that holds no text.

use crate::detector::{Case, CaseEvent};
use crate::finding::Finding;

/// A finding if Invoke answered with this status: suspected, as the status alone may have another reason.
pub(crate) fn status(case: &Case<'_>, status_code: u16, message: &str) -> Option<Finding> {
    let CaseEvent::FailedRequest(request) = case.event else { return None };
    let is_it = !request.has_run && request.status_code == Some(status_code);
    is_it.then(|| Finding::suspected(case.at, message.to_owned()))
}
