//! Dead-letter messages: the event that failed, with attributes that say why.

use super::function_name::{FunctionName, ListedName, is_name};
use super::json::json;
use super::record::is_uuid;
use crate::{FailedRequest, Timestamp};
use std::collections::BTreeMap;

/// A message's attributes, by name: those of a queue and of a topic alike.
pub(crate) type Attributes = BTreeMap<String, String>;

/// A dead letter: what it tells, and whose it is where it names a function in another way than by its ARN.
pub(crate) struct DeadLetter {
    pub(crate) failure: FailedRequest,
    pub(crate) function_name: Option<String>,
}

/// What the attributes of a dead-letter message tell; None if it is none. The message itself is the
/// event that failed: it is looked at only for the function that a schedule would have invoked.
pub(crate) fn read(
    attributes: &Attributes,
    at: Option<Timestamp>,
    message: &str,
) -> Option<DeadLetter> {
    let of_lambda =
        of_lambda(attributes, at).map(|failure| DeadLetter { failure, function_name: None });
    of_lambda.or_else(|| of_event_bridge(attributes, at, message))
}

/// [Lambda's][1]: `RequestID`, `ErrorCode` (the HTTP status, 200 for an error of the function), and
/// `ErrorMessage`, the first kilobyte.
///
/// [1]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
fn of_lambda(attributes: &Attributes, at: Option<Timestamp>) -> Option<FailedRequest> {
    let text = |name: &str| attributes.get(name).map(String::as_str);
    let (code, message) = (text("ErrorCode"), text("ErrorMessage"));
    // Others have attributes of such names too; the request's id Lambda always gives, and as a UUID.
    let request_id = text("RequestID").map(str::trim).filter(|id| is_uuid(id))?;
    if code.is_none() && message.is_none() {
        return None;
    }
    // Not given for what never was invoked; another's codes are none of HTTP.
    let status = |code: &str| code.trim().parse().ok().filter(|code| (100..600).contains(code));
    let status_code = match code {
        Some(code) => Some(status(code)?),
        None => None,
    };
    Some(FailedRequest {
        request_id: request_id.to_owned(),
        at,
        status_code,
        has_run: status_code == Some(200),
        error_message: message.map(str::to_owned),
        ..FailedRequest::default()
    })
}

/// [EventBridge's][1], of a rule or a schedule whose target is a function, and [Scheduler's][2] of a
/// schedule whose target is Lambda's Invoke: what that is called with is then the message.
///
/// [1]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
/// [2]: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
fn of_event_bridge(
    attributes: &Attributes,
    at: Option<Timestamp>,
    message: &str,
) -> Option<DeadLetter> {
    let text = |name: &str| attributes.get(name).cloned();
    let target = text("TARGET_ARN")?;
    // Others may have a target too.
    let is_event_bridges = ["RULE_ARN", "SCHEDULE_ARN", "ERROR_CODE"]
        .iter()
        .any(|name| attributes.contains_key(*name));
    if !is_event_bridges {
        return None;
    }
    let named = match FunctionName::of_arn(&target) {
        Some(_) => target,
        None if is_invoke(&target) => invoked(message).unwrap_or_default(),
        None => return None,
    };
    let is_arn = FunctionName::of_arn(&named).is_some();
    // Rules have a word of their own; Scheduler gives the error's name, which others have for themselves.
    let error_type = text("ERROR_CODE").map(|code| match code.as_str() {
        "ThrottlingException" => "THROTTLING".to_owned(),
        _ => code,
    });
    let failure = FailedRequest {
        function_arn: is_arn.then(|| named.clone()),
        at,
        condition: text("EXHAUSTED_RETRY_CONDITION"),
        attempts: text("RETRY_ATTEMPTS").and_then(|attempts| attempts.trim().parse().ok()),
        is_of_invoker: true,
        error_type,
        error_message: text("ERROR_MESSAGE"),
        ..FailedRequest::default()
    };
    let function_name = (!is_arn).then(|| ListedName::of(&named).name().to_owned());
    Some(DeadLetter { failure, function_name: function_name.filter(|name| is_name(name)) })
}

/// `arn:aws:scheduler:::aws-sdk:lambda:invoke`, or that of `invokeAsync`.
fn is_invoke(target: &str) -> bool {
    let parts: Vec<&str> = target.split(':').collect();
    matches!(
        parts[..],
        ["arn", _, "scheduler", "", "", "aws-sdk", "lambda", "invoke" | "invokeAsync"]
    )
}

/// The function that Invoke was to be called with.
fn invoked(message: &str) -> Option<String> {
    let parameters = json(message).ok()?;
    parameters["FunctionName"].as_str().map(str::to_owned)
}
