//! Which detectors' texts a log record holds, in one pass for all of them.

use crate::errno;
use crate::failed_call::{FailedCall, failed_call};
use crate::fault_point;
use crate::level::Level;
use crate::log::Log;
use crate::mention::{is_account, is_documented_or_counted, narrated_from, quoted_in};
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

/// No more of one record are looked at: they are repetitions.
const MAX_HITS: u16 = 256;

/// How much of what stands beside a text may say how it is meant.
const MAX_BESIDE_BYTES: usize = 512;

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

    /// Whether a record holds a text at all, however it stands.
    pub(crate) fn has_text(&self, record: &str) -> bool {
        self.search.is_match(record)
    }

    /// Whether a line may change what those before it tell: by a text, what a text needs beside it, or
    /// the name of what it is about.
    pub(crate) fn may_tell(&self, line: &str) -> bool {
        ["arn:aws", "EFS", "fork_exec("].iter().any(|sign| line.contains(sign))
            || speaks_of_kms(line)
            || self.has_text(line)
    }

    /// Calls `found` once for each detector (by its index) that has something to look at.
    pub(crate) fn scan(&self, record: &FunctionLog<'_>, found: impl FnMut(usize, &LogMatch<'_>)) {
        fault_point!("scan");
        // Healthy records end here, unparsed.
        if self.search.is_match(record.sent()) {
            self.scan_log(&Log::read(record), None, found);
        }
    }

    /// The same of an error that a record outside the function holds; `is_of_invoke` says that it is what
    /// Invoke answered, and not an error of the function that ran.
    pub(crate) fn scan_error(
        &self,
        text: &str,
        is_of_invoke: bool,
        found: impl FnMut(usize, &LogMatch<'_>),
    ) {
        let call = is_of_invoke.then_some(FailedCall::Invoke);
        self.scan_log(&Log::of_error(text), call, found);
    }

    fn scan_log(
        &self,
        log: &Log<'_>,
        call: Option<FailedCall>,
        mut found: impl FnMut(usize, &LogMatch<'_>),
    ) {
        let is_account = log.is_bare_value && is_account(&log.text);
        // Once for all hits and once for each line: a long record may hold very many.
        let about_kms = LazyCell::new(|| speaks_of_kms(&log.text));
        let about_efs = LazyCell::new(|| log.text.contains("EFS"));
        let failed_call = LazyCell::new(|| call.unwrap_or_else(|| failed_call(&log.text)));
        let quoted = LazyCell::new(|| quoted_in(&log.text));
        let mut line = (0..0, None, None);
        // For each signature by itself, as its texts may be of any kind: one that finds very many
        // must not hide what others would find.
        let detectors = self.texts.last().map_or(0, |(last, _)| last + 1);
        let (mut room, mut room_of_signatures) = (MAX_HITS, vec![MAX_HITS; detectors]);
        let mut hits: Vec<(usize, Hit)> = self
            .search
            .find_overlapping_iter(log.text.as_ref())
            .filter_map(|m| {
                let (index, text) = self.texts.get(m.pattern().as_usize())?;
                let room = match text.shape {
                    Shape::Anything => room_of_signatures.get_mut(*index)?,
                    Shape::ErrorName | Shape::Message | Shape::Errno => &mut room,
                };
                if *room == 0 {
                    return None;
                }
                // No more of it, as a long line may hold very many names.
                let earliest = m.start().saturating_sub(MAX_BESIDE_BYTES);
                let before = &log.text[log.text.ceil_char_boundary(earliest)..m.start()];
                let latest = log.text.floor_char_boundary(m.end() + MAX_BESIDE_BYTES);
                let after = &log.text[m.end()..latest];
                let is_hit = stands(text, before, after)
                    && match text.context {
                        Context::Any => true,
                        Context::Efs => *about_efs,
                        Context::Kms => *about_kms,
                        Context::Invoke => *failed_call == FailedCall::Invoke,
                        Context::NoOtherCall => *failed_call != FailedCall::Other,
                    };
                if !is_hit {
                    return None;
                }
                if !line.0.contains(&m.start()) {
                    let range = log.line_at(m.start());
                    let narrated = narrated_from(&log.text[range.clone()])
                        .filter(|_| log.written_level_at(m.start()).is_none());
                    let narrated = narrated.map(|from| range.start + from);
                    line = (range, log.level_at(m.start()), narrated);
                }
                let (_, level, narrated) = line;
                let is_narrated = narrated.is_some_and(|from| from <= m.start());
                let is_quoted = || {
                    let next = quoted.partition_point(|range| range.end <= m.start());
                    log.is_quoted_at(m.start())
                        || quoted.get(next).is_some_and(|range| range.contains(&m.start()))
                };
                let is_of_others = is_account || is_narrated || is_quoted();
                if is_of_others && text.shape != Shape::Anything {
                    return None;
                }
                *room -= 1;
                Some((*index, Hit { text, start: m.start(), end: m.end(), level }))
            })
            .collect();
        hits.sort_by_key(|(index, hit)| (*index, hit.start));
        for group in hits.chunk_by(|a, b| a.0 == b.0) {
            let hits = group.iter().map(|(_, hit)| *hit).collect();
            found(group[0].0, &LogMatch { log, hits });
        }
    }
}

fn stands(text: &Text, before: &str, after: &str) -> bool {
    match text.shape {
        Shape::Message | Shape::Anything => true,
        Shape::Errno => errno::is_reported(before, after),
        Shape::ErrorName => {
            is_whole_word(before, after)
                && is_reported(text.needle, before, after)
                && !is_documented_or_counted(before, after)
        }
    }
}

fn is_whole_word(before: &str, after: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    // A logger that quotes a text writes its line breaks as letters.
    let is_begin = !before.ends_with(is_word)
        || ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape));
    is_begin && !after.starts_with(is_word)
}

/// Whether an error's name stands where something reports it, and is not merely mentioned.
fn is_reported(name: &str, before: &str, after: &str) -> bool {
    // What it belongs to: `com.amazonaws.kms#`, `Amazon.KeyManagementService.Model.`,
    // `Aws::KMS::Errors::`.
    let (lead, path) = before.split_at(path_start(before));
    // A file's error, though a service may have one of the same name.
    if path.ends_with("java.nio.file.") {
        return false;
    }
    // `Name: message`, as stack traces, Go and Java print; not code: `Name::class`, `except Name:`.
    if after.starts_with(':') && !after.starts_with("::") {
        return true;
    }
    let in_brackets = || {
        // boto3: `An error occurred (Name) when calling …`.
        let is_boto3 = lead.ends_with('(') && after.starts_with(") when calling");
        // Rust: `unhandled error (Name)` and, where the class has another name, `Class [Name]: …`.
        let is_rust = (lead.ends_with("unhandled error (") && after.starts_with(')'))
            || (lead.ends_with(" [") && after.starts_with("]: "));
        // Ruby: `message (Aws::KMS::Errors::Name)`, `Function<Aws::KMS::Errors::Name>`.
        let is_ruby = path.ends_with("::Errors::")
            && ((lead.ends_with('(') && after.starts_with(')'))
                || (lead.ends_with('<') && after.starts_with('>')));
        let is_xml = lead.ends_with("<Code>") && after.starts_with("</Code>");
        is_boto3 || is_rust || is_ruby || is_xml
    };
    // `Name(Name { …`, `Name { message: …`, Rust's Debug.
    let is_variant = after.strip_prefix('(').is_some_and(|a| skip_space(a).starts_with(name))
        || after.strip_prefix(" {").is_some_and(|a| skip_space(a).starts_with("message: "));
    // `Name (client): message`, PHP.
    let has_side = || after.starts_with(" (client)") || after.starts_with(" (server)");
    // `com.amazonaws.kms#Name`, a service's own answer.
    path.ends_with('#') || is_variant || has_side() || in_brackets() || is_value(lead, after)
}

const LINE_BREAK: &str = "\\n";

/// A text from its first word on, behind line breaks that a logger may have written as letters.
fn skip_space(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix(LINE_BREAK).map_or(text, str::trim_start)
}

/// A text up to its last word likewise, the backslash of a quote that was to follow left out.
fn skip_space_back(text: &str) -> &str {
    let text = text.trim_end_matches('\\').trim_end();
    text.strip_suffix(LINE_BREAK).map_or(text, str::trim_end)
}

/// Where the path begins that a text ends in: names that are joined by `.`, `$`, `#` or `::`. No
/// farther back than paths are long: a record may hold very many names.
fn path_start(text: &str) -> usize {
    // No path is longer; a record may be one word of a megabyte with an error's name all over it.
    const MAX_PATH_BYTES: usize = 256;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '#');
    let begin = text.ceil_char_boundary(text.len().saturating_sub(MAX_PATH_BYTES));
    let mut rest = &text[begin..];
    loop {
        let shorter = rest.trim_end_matches(is_name);
        let shorter = shorter.strip_suffix("::").unwrap_or(shorter);
        if shorter.len() == rest.len() {
            return begin + rest.len();
        }
        rest = shorter;
    }
}

/// Whether what stands between these is a value: `"errorType": "Name"`, `Error Code: Name;`,
/// `error=Name`, `code: Some("Name")`. A bare word after a colon in running text is a mention.
fn is_value(before: &str, after: &str) -> bool {
    let quote: &[char] = &['"', '\''];
    let unquoted = before.strip_suffix(quote);
    let ends_here = if unquoted.is_some() {
        // JSON within JSON escapes its quotes.
        after.trim_start_matches('\\').starts_with(quote)
    } else {
        after.is_empty() || after.starts_with(['\n', '\r', ';', '}', ')', ' '])
    };
    let (key, is_bare) = (unquoted.unwrap_or(before), unquoted.is_none());
    let key = skip_space_back(key).trim_end_matches([' ', '\\', '"', '\'']);
    let key = key.strip_suffix("Some(").map_or(key, str::trim_end);
    ends_here
        && (key.ends_with('=') || key.ends_with(':'))
        && (!is_bare || key.ends_with('=') || !after.starts_with(' '))
}

/// A sign that a record is about AWS KMS: its ARNs, its actions, its name in SDKs' messages.
fn speaks_of_kms(record: &str) -> bool {
    const DENIED: &str = "is not authorized to perform: ";
    const SIGNS: [&str; 21] = [
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
        "Aws::KMS::",
        "com.amazonaws.kms",
        "services.kms.",
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
            r#"err="could not load\nDisabledException: x""#,
            r#"{"errorType":"software.amazon.awssdk.services.kms.model.DisabledException"}"#,
            "/var/task/app.rb:8:in `call': x (Aws::KMS::Errors::DisabledException)",
            r#"{"errorType":"Function<Aws::KMS::Errors::DisabledException>"}"#,
            "<Code>DisabledException</Code><Message>x</Message>",
            "x-amzn-ErrorType: DisabledException:http://internal.amazon.com/coral/com.amazonaws.kms/",
            "DisabledException (client): x - {",
            "unhandled error (DisabledException)",
            "KmsDisabled [DisabledException]: x",
            "DisabledException { message: Some(",
            r#"ServiceError(\n    DisabledException(\n        DisabledException {\n"#,
            r#"code: Some(\n    \"DisabledException\",\n)"#,
            "code: Some(\n    \"DisabledException\",\n)",
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
            "java.nio.file.DisabledException: x",
            "DisabledExceptionHandler: x",
            "use DisabledException::class",
            "We handle: DisabledException and others",
            "see DisabledException.",
            "rescue Aws::KMS::Errors::DisabledException => e",
            "retried on (DisabledException), [DisabledException] and <DisabledException>",
        ] {
            assert!(!reported(record), "{record}");
        }
    }
}
