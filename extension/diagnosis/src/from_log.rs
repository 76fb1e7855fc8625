//! What the detectors of error texts have in common: a finding from a log line.

use crate::aws_name::{is_arn, shown_arn};
use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::excerpt::excerpt;
use crate::finding::{Finding, Stage, View};
use crate::level::Level;
use crate::mask::{MASK, is_boundary};
use crate::matching::{Hit, LogMatch};
use crate::vocabulary::is_composed_of_words;

/// A finding for the texts of a detector in a log record: confirmed, as the service that failed said
/// so; suspected where the line is a mere warning, for a retry may have helped, or a JSON object
/// without a level, which may quote the error of another; none where every line that holds one is below that, for then the function only speaks of the error.
///
/// `message` is given the view and begins the sentence; the entity, if the record names one, ends
/// it.
pub(crate) fn finding(
    case: &Case<'_>,
    message: fn(Option<View>) -> &'static str,
) -> Option<Finding> {
    let CaseEvent::Logged(LogMatch { log, hits }) = case.event else { return None };
    let stage = |hit: &Hit| stage(hit.level, log.is_bare_value);
    let hit = hits.iter().filter(|hit| stage(hit).is_some()).rev().max_by_key(|hit| {
        // The one that says most: whose failure, what cause; of several the first, as what repeats
        // it further on, a stack or a `Caused by`, says less.
        (stage(hit), hit.text.view, hit.text.cause.is_some())
    })?;
    let text = log.text.as_ref();
    let own_arn = case.attempt.and_then(|attempt| attempt.function_arn.as_deref());
    // The line of the error knows best what it is about.
    let line = &text[log.line_at(hit.start)];
    let near_arn = |service, kind| arn(line, service, kind).or_else(|| arn(text, service, kind));
    let key = near_arn(":kms:", ":key/");
    let alias = near_arn(":kms:", ":alias/");
    let access_point = near_arn(":elasticfilesystem:", ":access-point/");
    let callee = near_arn(":lambda:", ":function:").filter(|arn| Some(*arn) != own_arn);
    let entity = match hit.text.view {
        Some(View::Function) | None => key.or(alias),
        Some(View::Caller) => access_point.or(callee).or(key).or(alias),
    };
    let denied = denied(line).or_else(|| denied(text));
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
            .evidence("aliasArn", alias)
            .evidence("accessPointArn", access_point)
            .evidence("calledFunctionArn", callee)
            .evidence("operation", operation(line).or_else(|| operation(text)))
            .evidence("action", denied.as_ref().map(|denied| denied.action))
            .evidence("principal", denied.and_then(|denied| denied.principal)),
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

/// A longer one is not shown.
const MAX_ARN_BYTES: usize = 256;

/// The first ARN of a service and kind of resource, in any partition.
fn arn<'a>(text: &'a str, service: &str, kind: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(at) = text[from..].find("arn:aws") {
        let start = from + at;
        let reach = text.floor_char_boundary(start + MAX_ARN_BYTES + 1);
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || ":/_-+=@$.".contains(c));
        let arn = text[start..reach].split(is_end).next()?;
        // None begins within another: a long record may hold very many beginnings, and no byte of
        // it is looked at twice.
        from = start + arn.len();
        let is_whole = arn.len() <= MAX_ARN_BYTES;
        let arn = arn.trim_end_matches([':', '.', '/']);
        if is_whole && arn.contains(service) && arn.contains(kind) && is_arn(arn) {
            return Some(arn);
        }
    }
    None
}

/// The SDK operation that failed, as boto3 and the SDK for Go say it.
fn operation(text: &str) -> Option<&str> {
    let boto3 = || text.split_once(") when calling the ")?.1.split_once(" operation");
    let go = || text.split_once("operation error ")?.1.split_once(": ")?.1.split_once(',');
    // A function may have put anything there.
    [boto3(), go()].into_iter().flatten().map(|(name, _)| name).find(|name| is_operation(name))
}

/// `Decrypt`, `ListObjectsV2`
fn is_operation(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && name.bytes().filter(u8::is_ascii_digit).count() <= 2
        && name.bytes().any(|b| b.is_ascii_lowercase())
}

/// What IAM refused, and to whom.
struct Denied<'a> {
    action: &'a str,
    principal: Option<String>,
}

/// `User: ARN is not authorized to perform: kms:Decrypt on …`
fn denied(text: &str) -> Option<Denied<'_>> {
    let (before, after) = text.split_once(" is not authorized to perform: ")?;
    let action = after.split(is_boundary).next()?;
    let (_, name) = action.split_once(':')?;
    if !is_composed_of_words(action) || !is_operation(name) {
        return None;
    }
    let principal = before.rsplit(is_boundary).next().and_then(|arn| {
        let shown = shown_arn(arn).filter(|a| a.len() + MASK.len() <= MAX_ARN_BYTES)?;
        Some(if shown == arn { arn.to_owned() } else { format!("{shown}{MASK}") })
    });
    Some(Denied { action, principal })
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
    fn what_begins_like_an_arn_is_looked_at_once() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
        assert_eq!(arn(&format!("arn:aws{key}"), ":kms:", ":key/"), None);
        let long = "arn:aws".repeat(100_000);
        assert_eq!(arn(&format!("{long} {key}"), ":kms:", ":key/"), Some(key));
    }

    #[test]
    fn finds_the_operation() {
        for text in [
            "An error occurred (X) when calling the GenerateDataKey operation: y",
            "operation error KMS: GenerateDataKey, https response error StatusCode: 400",
        ] {
            assert_eq!(operation(text), Some("GenerateDataKey"));
        }
        assert_eq!(operation("when calling the Hunter operation"), None);
        for text in ["secret=1", "hunter", "AKIA1234567890", "AKIAIOSFODNN7EXAMPLE", "A b"] {
            assert_eq!(operation(&format!("(X) when calling the {text} operation")), None);
            assert_eq!(operation(&format!("operation error {text}: {text}, x")), None);
        }
    }

    #[test]
    fn finds_what_was_denied_and_to_whom() {
        let role = "arn:aws:iam::123456789012:role/orders-role";
        let session = "arn:aws:sts::123456789012:assumed-role/orders-role/";
        for (user, principal) in [
            (role.to_owned(), Some(role.to_owned())),
            (format!("{session}hunter@example.org"), Some(format!("{session}***"))),
            ("hunter".to_owned(), None),
        ] {
            let text = format!("User: {user} is not authorized to perform: kms:Decrypt on x");
            let found = denied(&text).unwrap();
            assert_eq!((found.action, found.principal), ("kms:Decrypt", principal));
        }
        for action in [
            "kms:CreateGrant",
            "kms:DeriveSharedSecret",
            "kms:GenerateDataKeyPairWithoutPlaintext",
            "kms:GenerateMac",
            "kms:GenerateRandom",
            "kms:ReEncryptFrom",
            "kms:RetireGrant",
            "kms:VerifyMac",
            "secretsmanager:GetSecretValue",
        ] {
            let text = format!("x is not authorized to perform: {action} on x");
            assert_eq!(denied(&text).map(|denied| denied.action), Some(action));
        }
        for action in ["kms:hunter2", "kms:Hunter", "hunter:Decrypt", "Decrypt", ""] {
            assert!(denied(&format!("x is not authorized to perform: {action} on x")).is_none());
        }
    }
}
