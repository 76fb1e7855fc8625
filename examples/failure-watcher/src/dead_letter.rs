//! Dead-letter messages: the event that failed, with attributes that say why.

use crate::function_name::FunctionName;
use crate::record::request_id;
use std::collections::BTreeMap;
use triage_diagnosis::{FailedRequest, Timestamp};

/// A message's attributes, by name: those of a queue and of a topic alike.
pub(crate) type Attributes = BTreeMap<String, String>;

/// What the attributes of a dead-letter message tell; None if it is none. The message itself is the
/// event that failed, and is not looked at.
pub(crate) fn read(attributes: &Attributes, at: Option<Timestamp>) -> Option<FailedRequest> {
    of_lambda(attributes, at).or_else(|| of_event_bridge(attributes, at))
}

/// [Lambda's][1]: `RequestID`, `ErrorCode` (the HTTP status, 200 for an error of the function), and
/// `ErrorMessage`, the first kilobyte.
///
/// [1]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
fn of_lambda(attributes: &Attributes, at: Option<Timestamp>) -> Option<FailedRequest> {
    let text = |name: &str| attributes.get(name).map(String::as_str);
    let (code, message) = (text("ErrorCode"), text("ErrorMessage"));
    // Others have attributes of such names too; the request's id Lambda always gives.
    let request_id = request_id(text("RequestID"));
    if request_id.is_empty() || (code.is_none() && message.is_none()) {
        return None;
    }
    // Not given for what never was invoked.
    let status_code = code.and_then(|code| code.trim().parse().ok());
    Some(FailedRequest {
        request_id,
        at,
        status_code,
        has_run: status_code == Some(200),
        error_message: message.map(str::to_owned),
        ..FailedRequest::default()
    })
}

/// [EventBridge's][1], of a rule or a schedule whose target is a function.
///
/// [1]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
fn of_event_bridge(attributes: &Attributes, at: Option<Timestamp>) -> Option<FailedRequest> {
    let text = |name: &str| attributes.get(name).cloned();
    let arn = text("TARGET_ARN").filter(|arn| FunctionName::of_arn(arn).is_some())?;
    Some(FailedRequest {
        function_arn: Some(arn),
        at,
        condition: text("EXHAUSTED_RETRY_CONDITION"),
        attempts: text("RETRY_ATTEMPTS").and_then(|attempts| attempts.trim().parse().ok()),
        error_type: text("ERROR_CODE"),
        error_message: text("ERROR_MESSAGE"),
        ..FailedRequest::default()
    })
}
