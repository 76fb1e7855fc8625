//! Which detectors' texts a log record holds, in one pass for all of them.

use crate::fault_point;
use crate::level::Level;
use crate::log::Log;
use crate::mention::{is_account, is_documented_or_counted, narrated_from};
use crate::record::FunctionLog;
use crate::text::{Context, Shape, Text};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::cell::LazyCell;

/// The texts of one detector in one log record: at least one.
#[derive(Debug)]
pub struct LogMatch<'a> {
    /// The record.
    pub log: &'a Log<'a>,
    /// What was found, in the record's order.
    pub hits: Vec<Hit>,
}

/// One text in a record.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Which.
    pub text: &'static Text,
    /// Where it begins, in bytes of the record's text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The level of the line it stands in, if the line has one.
    pub level: Option<Level>,
}

/// All texts of a set of detectors.
#[derive(Debug)]
pub(crate) struct Matcher {
    texts: Vec<(usize, &'static Text)>,
    search: AhoCorasick,
}

/// A record that holds more is looked at no further: they are repetitions.
const MAX_HITS: usize = 256;

impl Matcher {
    /// The texts of each detector. None where they cannot be searched for; they are constants, so
    /// tests would show it.
    pub(crate) fn new(detectors: impl Iterator<Item = &'static [Text]>) -> Option<Self> {
        fault_point!("matcher");
        let texts: Vec<(usize, &'static Text)> = detectors
            .enumerate()
            .flat_map(|(index, texts)| texts.iter().map(move |text| (index, text)))
            .collect();
        // The contiguous NFA takes a tenth of the DFA's memory and time to build.
        let search = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .build(texts.iter().map(|(_, text)| text.needle))
            .ok()?;
        Some(Self { texts, search })
    }

    /// Calls `found` once for each detector (by its index) that has something to look at.
    pub(crate) fn scan(
        &self,
        record: &FunctionLog<'_>,
        mut found: impl FnMut(usize, &LogMatch<'_>),
    ) {
        fault_point!("scan");
        // Healthy records end here, unparsed.
        if !self.search.is_match(record.sent()) {
            return;
        }
        let log = Log::read(record);
        if log.is_bare_value && is_account(&log.text) {
            return;
        }
        // Once for all hits and once for each line: a long record may hold very many.
        let about_kms = LazyCell::new(|| speaks_of_kms(&log.text));
        let about_efs = LazyCell::new(|| log.text.contains("EFS"));
        let mut line = (0..0, None, None);
        let mut hits: Vec<(usize, Hit)> = self
            .search
            .find_overlapping_iter(log.text.as_ref())
            .filter_map(|m| {
                let (index, text) = self.texts.get(m.pattern().as_usize())?;
                let (before, after) = (&log.text[..m.start()], &log.text[m.end()..]);
                let is_hit = stands(text, before, after)
                    && match text.context {
                        Context::Any => true,
                        Context::Efs => *about_efs,
                        Context::Kms => *about_kms,
                    };
                if !is_hit {
                    return None;
                }
                if !line.0.contains(&m.start()) {
                    let range = log.line_at(m.start());
                    let narrated = narrated_from(&log.text[range.clone()]);
                    let narrated = narrated.map(|from| range.start + from);
                    line = (range, log.level_at(m.start()), narrated);
                }
                let (_, level, narrated) = line;
                if level.is_none() && narrated.is_some_and(|from| from <= m.start()) {
                    return None;
                }
                Some((*index, Hit { text, start: m.start(), end: m.end(), level }))
            })
            .take(MAX_HITS)
            .collect();
        hits.sort_by_key(|(index, hit)| (*index, hit.start));
        for group in hits.chunk_by(|a, b| a.0 == b.0) {
            let hits = group.iter().map(|(_, hit)| *hit).collect();
            found(group[0].0, &LogMatch { log: &log, hits });
        }
    }
}

fn stands(text: &Text, before: &str, after: &str) -> bool {
    match text.shape {
        Shape::Message => true,
        Shape::ErrorName => {
            is_whole_word(before, after)
                && is_reported(text.needle, before, after)
                && !is_documented_or_counted(before, after)
        }
    }
}

fn is_whole_word(before: &str, after: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !before.ends_with(is_word) && !after.starts_with(is_word)
}

/// Whether an error's name stands where something reports it, and is not merely mentioned.
fn is_reported(name: &str, before: &str, after: &str) -> bool {
    // `Name: message`, as stack traces, Go and Java print; not code: `Name::class`, `except Name:`.
    if after.starts_with(':') && !after.starts_with("::") {
        return true;
    }
    // `An error occurred (Name) when calling …`, boto3.
    if before.ends_with('(') && after.starts_with(") when calling") {
        return true;
    }
    // `Name(Name { …`, Rust's Debug.
    if after.strip_prefix('(').is_some_and(|a| a.trim_start().starts_with(name)) {
        return true;
    }
    // `com.amazonaws.kms#Name`, a service's own answer.
    if before.ends_with('#') {
        return true;
    }
    let quote: &[char] = &['"', '\''];
    let unquoted = before.strip_suffix(quote);
    let ends_here = if unquoted.is_some() {
        // JSON within JSON escapes its quotes.
        after.trim_start_matches('\\').starts_with(quote)
    } else {
        after.is_empty() || after.starts_with(['\n', '\r', ';', '}', ')', ' '])
    };
    // `"errorType": "Name"`, `Error Code: Name;`, `error=Name`. A bare word after a colon in running
    // text is a mention.
    let (key, is_bare) = (unquoted.unwrap_or(before), unquoted.is_none());
    let key = key.trim_end_matches([' ', '\\', '"', '\'']);
    ends_here
        && (key.ends_with('=') || key.ends_with(':'))
        && (!is_bare || key.ends_with('=') || !after.starts_with(' '))
}

/// A sign that a record is about AWS KMS: its ARNs, its actions, its name in SDKs' messages.
fn speaks_of_kms(record: &str) -> bool {
    const DENIED: &str = "is not authorized to perform: ";
    const SIGNS: [&str; 18] = [
        "AWSKMS",
        "KeyManagementService",
        "Service: Kms",
        "KMS: ",
        "KmsException",
        "kms.amazonaws.com",
        "kms#",
        "aws_sdk_kms",
        "client-kms",
        "the Decrypt operation",
        "the Encrypt operation",
        "the ReEncrypt operation",
        "the Sign operation",
        "the Verify operation",
        "the DescribeKey operation",
        "the GetPublicKey operation",
        "the GenerateDataKey",
        "TrentService",
    ];
    // What IAM denied says whose it was, though a KMS key may stand beside it.
    if let Some((_, action)) = record.split_once(DENIED) {
        return action.starts_with("kms:");
    }
    // An ARN or an action, and not a field `sse_kms: true` or the encryption `aws:kms:dsse`.
    let is_named = |(at, _): (usize, &str)| {
        let (before, after) = (&record[..at], &record[at + "kms:".len()..]);
        let is_action = !before.ends_with(|c: char| c.is_alphanumeric() || "_:/".contains(c))
            && after.starts_with(|c: char| c.is_ascii_uppercase());
        let partition = |c: char| c.is_ascii_lowercase() || c == '-';
        let is_arn = before
            .strip_suffix(':')
            .is_some_and(|before| before.trim_end_matches(partition).ends_with("arn:"));
        is_action || is_arn
    };
    SIGNS.iter().any(|sign| record.contains(sign)) || record.match_indices("kms:").any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(record: &str) -> bool {
        let name = "DisabledException";
        let start = record.find(name).unwrap();
        let (before, after) = (&record[..start], &record[start + name.len()..]);
        is_whole_word(before, after) && is_reported(name, before, after)
    }

    #[test]
    fn an_error_that_is_reported() {
        for record in [
            "An error occurred (DisabledException) when calling the Decrypt operation: x",
            "botocore.errorfactory.DisabledException: An error occurred",
            "com.amazonaws.services.kms.model.DisabledException: arn is disabled.",
            "(Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: a)",
            "operation error KMS: Decrypt, api error DisabledException: arn is disabled",
            r#"{"errorType": "DisabledException", "errorMessage": "x"}"#,
            r#"{\"errorType\":\"DisabledException\",\"errorMessage\":\"x\"}"#,
            r#"{"__type":"com.amazonaws.kms#DisabledException"}"#,
            "  name: 'DisabledException',",
            "ServiceError(ServiceError { source: DisabledException(DisabledException { message: ",
            "errorType: DisabledException\nerrorMessage: x",
            "level=error code=DisabledException op=Decrypt",
        ] {
            assert!(reported(record), "{record}");
        }
    }

    #[test]
    fn a_record_about_kms() {
        for record in [
            "NotFoundException: Alias arn:aws-us-gov:kms:us-gov-west-1:1:alias/x is not found.",
            "(NotFoundException) when calling the Sign operation: Invalid keyId 'abc'",
            "Amazon.KeyManagementService.Model.NotFoundException: Invalid keyId 'abc'",
            "AccessDeniedException: User: x is not authorized to perform: kms:Decrypt on y",
            "AccessDeniedException: needs kms:Decrypt",
        ] {
            assert!(speaks_of_kms(record), "{record}");
        }
        for record in [
            "errorType: NotFoundException\nsse_kms: true",
            "NotFoundException: order 7; bucket encrypted with aws:kms:dsse",
            "AccessDeniedException: User: x is not authorized to perform: dynamodb:GetItem\nkey: arn:aws:kms:x:1:key/a",
            "AccessDeniedException: no ssm:GetParameter on arn:aws:ssm:x:1:parameter/kms:key",
        ] {
            assert!(!speaks_of_kms(record), "{record}");
        }
    }

    #[test]
    fn an_error_in_a_list_is_mentioned() {
        let matcher = Matcher::new(crate::detectors().iter().map(|d| d.texts)).unwrap();
        let seen = |json: &str| {
            let mut seen = 0;
            matcher.scan(&FunctionLog::Json(json), |_, _| seen += 1);
            seen
        };
        assert_eq!(seen(r#"{"level":"ERROR","retryable":["KMSDisabledException"]}"#), 0);
        assert_eq!(seen(r#"{"Retry":[{"ErrorEquals":["EFSIOException"]}]}"#), 0);
        assert_eq!(seen(r#"{"errorType":"KMSDisabledException"}"#), 1);
        assert_eq!(seen(r#"{"stack":["KMSDisabledException: x","  at y"]}"#), 1);
    }

    #[test]
    fn an_error_that_is_mentioned() {
        for record in [
            "retry on DisabledException or throttling",
            "catch (DisabledException e) {",
            r#"retryable: ["DisabledException", "Throttling"]"#,
            "MyDisabledException: x",
            "DisabledExceptionHandler: x",
            "use DisabledException::class",
            "We handle: DisabledException and others",
            "see DisabledException.",
        ] {
            assert!(!reported(record), "{record}");
        }
    }
}
