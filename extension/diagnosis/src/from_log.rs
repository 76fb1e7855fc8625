//! What the detectors of error texts have in common: a finding from a log line.

use crate::aws_name::is_arn;
use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::excerpt::excerpt;
use crate::finding::{Finding, Stage, View};
use crate::level::Level;
use crate::matching::{Hit, LogMatch};

/// A finding for the texts of a detector in a log record: confirmed, as the service that failed said
/// so; suspected where the line is a mere warning, for a retry may have helped, or a JSON object
/// without a level, which may quote the error of another; none where every line that holds one is below that, for then the function only speaks of the error.
///
/// `message` is given the view and begins the sentence; the entity, if the record names one, ends
/// it.
pub(crate) fn finding(case: &Case<'_>, message: fn(View) -> &'static str) -> Option<Finding> {
    let CaseEvent::Logged(LogMatch { log, hits }) = case.event else { return None };
    let stage = |hit: &Hit| stage(hit.level, log.is_bare_value);
    let hit = hits.iter().filter(|hit| stage(hit).is_some()).max_by_key(|hit| {
        // The one that says most: whose failure, what cause.
        (stage(hit), hit.text.view, hit.text.cause.is_some())
    })?;
    let text = log.text.as_ref();
    let own_arn = case.attempt.and_then(|attempt| attempt.function_arn.as_deref());
    let key = arn(text, ":kms:", ":key/");
    let access_point = arn(text, ":elasticfilesystem:", ":access-point/");
    let callee = arn(text, ":lambda:", ":function:").filter(|arn| Some(*arn) != own_arn);
    let entity = match hit.text.view {
        View::Function => key,
        View::Caller => access_point.or(callee).or(key),
    };
    let message = message(hit.text.view);
    let finding = Finding {
        stage: stage(hit)?,
        // After the warning of a first try the last one may fail: then it is told once, as certain.
        awaits_report: stage(hit)? == Stage::Suspected,
        view: hit.text.view,
        cause: hit.text.cause,
        ..Finding::confirmed(
            case.at,
            entity.map_or_else(|| message.to_owned(), |entity| format!("{message}: {entity}")),
        )
    };
    Some(
        finding
            // Without it the problem is the same.
            .evidence("excerpt", contained(|| excerpt(text, hit.start, hit.end)))
            .evidence("keyArn", key)
            .evidence("accessPointArn", access_point)
            .evidence("calledFunctionArn", callee)
            .evidence("operation", operation(text)),
    )
}

fn stage(level: Option<Level>, is_bare_value: bool) -> Option<Stage> {
    match level {
        None if is_bare_value => Some(Stage::Suspected),
        None | Some(Level::Error) => Some(Stage::Confirmed),
        Some(Level::Warn) => Some(Stage::Suspected),
        Some(Level::Info | Level::Debug | Level::Trace) => None,
    }
}

/// The first ARN of a service and kind of resource, in any partition.
fn arn<'a>(text: &'a str, service: &str, kind: &str) -> Option<&'a str> {
    const MAX_ARN_BYTES: usize = 256;
    text.match_indices("arn:aws").find_map(|(start, _)| {
        // No further than it may reach: a long record may hold very many beginnings.
        let reach = text.floor_char_boundary(start + MAX_ARN_BYTES + 1);
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || ":/_-+=@$.".contains(c));
        let arn = text[start..reach].split(is_end).next().filter(|a| a.len() <= MAX_ARN_BYTES)?;
        let arn = arn.trim_end_matches([':', '.', '/']);
        (arn.contains(service) && arn.contains(kind) && is_arn(arn)).then_some(arn)
    })
}

/// The SDK operation that failed, as boto3 says it.
fn operation(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("when calling the ")?;
    let (operation, _) = rest.split_once(" operation")?;
    // A function may have put anything there; `ListObjectsV2`.
    let is_name = operation.len() <= 64
        && operation.starts_with(|c: char| c.is_ascii_uppercase())
        && operation.bytes().all(|b| b.is_ascii_alphanumeric())
        && operation.bytes().filter(u8::is_ascii_digit).count() <= 2
        && operation.bytes().any(|b| b.is_ascii_lowercase());
    is_name.then_some(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_arns_of_every_partition() {
        for arn_text in [
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234567890abcdef1234567890abcdef",
            "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
        ] {
            for sentence in [
                format!("see arn:aws:iam::1:role/x and {arn_text} is disabled."),
                format!("\"{arn_text}\""),
                format!("key {arn_text}: no"),
            ] {
                assert_eq!(arn(&sentence, ":kms:", ":key/"), Some(arn_text));
            }
        }
        assert_eq!(arn("arn:aws:kms:eu-west-1:1:alias/x", ":kms:", ":key/"), None);
    }

    #[test]
    fn finds_the_operation() {
        let text = "An error occurred (X) when calling the GenerateDataKey operation: y";
        assert_eq!(operation(text), Some("GenerateDataKey"));
        for text in ["secret=1", "hunter", "AKIA1234567890", "AKIAIOSFODNN7EXAMPLE", "A b"] {
            assert_eq!(operation(&format!("when calling the {text} operation")), None);
        }
    }
}
