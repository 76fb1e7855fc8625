//! What of a log line may be shown.
//!
//! Which words are secret cannot be told: a password may be any word. What is harmless can. So a
//! text is shown as far as it is made of the words of AWS's own error texts, of AWS's names and ids,
//! and of statuses, counts and times; everything else is masked. This costs the words of the function's own
//! texts, which stand in its log anyway.

use crate::aws_name::{is_arn, is_endpoint, is_region, is_resource_id, is_uuid, shown_arn};
use crate::fault_point;
use crate::vocabulary::is_composed_of_words;
use std::ops::Range;

/// What stands for what is not shown.
pub(crate) const MASK: &str = "***";

/// The text with everything masked that is not known to be harmless. Several masked words in a row
/// are one mask, so that not even their number is told.
#[must_use]
pub(crate) fn mask(text: &str) -> String {
    mask_around(text, 0..0, 0)
}

/// The same from the byte `from` on. What is in `found` is shown: the error text that was looked
/// for.
pub(crate) fn mask_around(text: &str, found: Range<usize>, from: usize) -> String {
    fault_point!("mask");
    let mut out = Masked::default();
    let mut context = Context::default();
    let mut start = 0;
    for piece in text.split_inclusive(is_boundary) {
        let word = piece.trim_end_matches(is_boundary);
        let (end, gap) = (start + word.len(), &piece[word.len()..]);
        let hit = found.start.clamp(start, end)..found.end.clamp(start, end);
        if hit.is_empty() {
            let is_whole = start >= from;
            let is_shown = is_whole && context.may_show(word);
            let shown = if is_shown { word.len() } else { 0 };
            // Of a principal's ARN, all but the name of its session.
            let in_part = || is_whole && context.value.is_none();
            let shown = shown_arn(word).filter(|_| in_part()).map_or(shown, str::len);
            if end > from {
                out.put(&word[..shown], true);
                out.put(&word[shown..], false);
            }
            context.go_on(word, gap);
        } else {
            // What is looked for ends whatever value was begun before it.
            context = Context::default();
            for (part, is_found) in
                [(start..hit.start, false), (hit.clone(), true), (hit.end..end, false)]
            {
                let (is_whole, part) = (part.start >= from, &text[part]);
                out.put(part, is_found || (is_whole && context.may_show(part)));
            }
            context.go_on(word, gap);
        }
        if end >= from {
            out.gap.push_str(gap);
        }
        start += piece.len();
    }
    out.text + &out.gap
}

/// The part `captured` of a text, with everything masked that is named as a secret, or is one by
/// what `is_secret` says of its word: for what somebody has asked for.
pub(crate) fn mask_secrets(
    text: &str,
    captured: Range<usize>,
    is_secret: fn(&str) -> bool,
) -> String {
    let within = |start: usize, end: usize| {
        let start = start.clamp(captured.start, captured.end);
        &text[start..end.clamp(start, captured.end)]
    };
    let mut out = Masked::default();
    let mut context = Context::default();
    let mut start = 0;
    for piece in text.split_inclusive(is_boundary) {
        if start >= captured.end {
            break;
        }
        let word = piece.trim_end_matches(is_boundary);
        let end = start + word.len();
        let part = within(start, end);
        if !part.is_empty() {
            let is_shown =
                context.value.is_none() && assigns_secret(word).is_none() && !is_secret(word);
            out.put(part, is_shown);
        }
        context.go_on(word, &piece[word.len()..]);
        start += piece.len();
        out.gap.push_str(within(end, start));
    }
    out.text + &out.gap
}

/// What ends a word; a backslash, as JSON within JSON escapes its quotes.
#[inline]
pub(crate) fn is_boundary(c: char) -> bool {
    let is_bracket = matches!(
        c,
        '"' | '\'' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '`' | '\\'
    );
    is_bracket || c.is_whitespace() || c.is_control()
}

/// What was put so far.
#[derive(Default)]
struct Masked {
    text: String,
    /// What stands between the last word and the next.
    gap: String,
    is_masked: bool,
}

impl Masked {
    fn put(&mut self, part: &str, is_shown: bool) {
        if part.is_empty() {
            return;
        }
        let gap = std::mem::take(&mut self.gap);
        if is_shown {
            self.text.push_str(&gap);
            self.text.push_str(part);
        } else if !self.is_masked {
            self.text.push_str(&gap);
            self.text.push_str(MASK);
        }
        self.is_masked = !is_shown;
    }
}

/// What the words before say of the next one.
#[derive(Default)]
struct Context {
    /// The last two words, in lower case and without punctuation.
    last: String,
    before_last: String,
    /// Whether the last one names a secret.
    is_secret_name: bool,
    /// In the value of a secret.
    value: Option<Value>,
}

/// The value of something that is named as a secret, which may consist of harmless words.
struct Value {
    /// What ends it, if it is quoted.
    quote: Option<char>,
    is_begun: bool,
}

impl Context {
    /// Whether a word is known to be harmless here.
    fn may_show(&self, word: &str) -> bool {
        let core = word.trim_matches(is_punctuation);
        let is_operator = core.is_empty() && word.len() <= 3;
        if self.value.is_some() || assigns_secret(word) == Some(true) {
            return word.is_empty();
        }
        is_operator
            || (!core.is_empty() && is_composed_of_words(core))
            || is_arn(core)
            || is_region(core)
            || is_resource_id(core)
            || is_endpoint(core)
            || (is_uuid(core) && self.announces_id())
            || (is_small_number(core) && self.announces_number())
    }

    /// Whether the id of a request or a KMS key is to follow: of any other UUID it is not known
    /// whether it opens something.
    fn announces_id(&self) -> bool {
        let key_of_secrets =
            ["api", "access", "secret", "private", "session", "signing", "license"];
        match self.last.as_str() {
            "requestid" | "awsrequestid" | "keyid" => true,
            "id" => matches!(self.before_last.as_str(), "request" | "key"),
            "key" => !key_of_secrets.contains(&self.before_last.as_str()),
            _ => false,
        }
    }

    /// Whether a status, a count or a time is to follow: a number may be a person's age or a card's
    /// code.
    fn announces_number(&self) -> bool {
        let last = self.last.as_str();
        match last {
            "code" => self.before_last == "status",
            "count" => self.before_last == "attempt",
            "status" => matches!(self.before_last.as_str(), "exit" | "http"),
            "retries" => self.before_last == "max",
            _ => matches!(
                last,
                "after" | "attempts" | "errno" | "http" | "httpstatuscode" | "statuscode"
            ),
        }
    }

    /// Goes on past a word and what stands after it.
    fn go_on(&mut self, word: &str, gap: &str) {
        let core = word.trim_matches(is_punctuation);
        if let Some(value) = &mut self.value {
            value.is_begun |= !word.is_empty();
            let is_over = match value.quote {
                Some(quote) => gap.contains(quote),
                None => gap.contains([',', ';', ')', ']', '}', '\n']),
            };
            if value.is_begun && is_over {
                self.value = None;
            } else if !value.is_begun && value.quote.is_none() {
                value.quote = first_quote(gap);
            }
        } else {
            let assigns = match assigns_secret(word) {
                // The value is in the word, or begins there.
                Some(true) => Some(true),
                Some(false) => Some(false),
                None => {
                    let links = ["is", "was", "are", "equals"];
                    let is_link =
                        (core.is_empty() && word.contains(['=', ':'])) || links.contains(&word);
                    (self.is_secret_name && is_link).then_some(false)
                }
            };
            self.value = assigns.map(|is_begun| Value { quote: first_quote(gap), is_begun });
        }
        if core.is_empty() {
            return;
        }
        self.is_secret_name = is_secret_name(core);
        let bare = core.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        self.before_last = std::mem::replace(&mut self.last, bare.to_ascii_lowercase());
    }
}

/// Whether a word gives a value to the name of a secret, and whether the value, or its beginning, is
/// in the word: `password=` and `password=x`.
fn assigns_secret(word: &str) -> Option<bool> {
    // The service's ARNs and actions name no value.
    if word.starts_with("arn:") || word.starts_with("secretsmanager:") {
        return None;
    }
    let at = word.find(['=', ':']).filter(|at| is_secret_name(&word[..*at]))?;
    Some(!word[at..].trim_matches(is_punctuation).is_empty())
}

/// What the name of a secret has in it, in lower case.
const SECRET_NAMES: [&str; 12] = [
    "passphrase",
    "passwort",
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "apikey",
    "auth",
    "credential",
    "cookie",
    "signature",
];

fn is_secret_name(name: &str) -> bool {
    let name = name.as_bytes();
    let stands_in = |part: &[u8], secret: &str| {
        part.get(..secret.len()).is_some_and(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
    };
    // `InvalidGrantTokenException` is the name of an error.
    let is_error = || stands_in(&name[name.len().saturating_sub(9)..], "exception");
    let is_begin = |at: &usize| matches!(name[*at] | 0x20, b'a' | b'c' | b'p' | b's' | b't');
    let is_secret = |at: usize| SECRET_NAMES.iter().any(|secret| stands_in(&name[at..], secret));
    (0..name.len()).filter(is_begin).any(is_secret) && !is_error()
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ':' | '!' | '?' | '=' | '#' | '|' | '*' | '-' | '+' | '&' | '>' | '…')
}

fn first_quote(gap: &str) -> Option<char> {
    gap.chars().find(|c| matches!(c, '"' | '\'' | '`'))
}

/// A status, a count or a time: `400`, `3.00`.
fn is_small_number(word: &str) -> bool {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let is_short = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    is_short(whole, 3) && is_short(fraction, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_wherever_the_name_stands_and_in_any_case() {
        for name in SECRET_NAMES {
            for name in
                [name.to_owned(), format!("DB_{}", name.to_ascii_uppercase()), format!("{name}s")]
            {
                assert!(is_secret_name(&name), "{name}");
                assert!(!is_secret_name(&format!("{name}Exception")), "{name}");
                assert!(is_secret_name(&format!("{name}ExceptionS")), "{name}");
            }
            assert!(!is_secret_name(&name[1..]), "{name}");
            assert!(!is_secret_name(&name[..name.len() - 1]), "{name}");
        }
        for name in ["", "p", "é", "exception", "parts"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_masked() {
        for text in [
            "key AKIAIOSFODNN7EXAMPLE was",
            "aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0 x",
            "password=hunter2 x",
            r#"{"password" : "hunter2"}"#,
            "Authorization: Bearer abc.def.ghi",
            "at eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3",
            "GET https://x.example/a?sig=abc&b=1 failed",
            "postgres://admin:hunter2@db.example/orders",
            "Cookie: theme=dark; sid=hunter2",
            "root:hunter2@tcp(10.0.0.1:3306)/orders",
            "id 5f4dcc3b5aa765d61d8327deb882cf99",
            "the password is correcthorsebatterystaple",
            "4111 1111 1111 1111, 411 111 111 and 4111-1111-1111-1111",
            "token 12345678-90ab-cdef-1234-567890abcdef",
            "api key 12345678-90ab-cdef-1234-567890abcdef",
            "-----BEGIN PRIVATE KEY----- MIIEvQ",
            "mail someone@example.org",
            "code 123, code: 123 and id 123",
        ] {
            let harmless = [
                "key",
                "was",
                "aws",
                "at",
                "failed",
                "and",
                "id",
                "the",
                "is",
                "api",
                "token",
                "GET",
                "PRIVATE",
                "KEY",
                "password",
                "Authorization",
                "code",
            ];
            for word in mask(text).split(|c: char| is_boundary(c) || is_punctuation(c)) {
                assert!(word.is_empty() || harmless.contains(&word), "{text} -> {word}");
            }
        }
    }

    #[test]
    fn the_value_of_a_secret_is_masked_though_it_is_of_harmless_words() {
        for text in [
            "secret=access",
            "secret = access",
            "token: access key",
            "the token is access",
            r#""token":"access key""#,
            r#"{\"secret\":\"access key\"}"#,
            "token 'is' access",
            "secret:='access key'",
            "client_secret: access",
        ] {
            let masked = mask(text);
            assert!(!masked.contains("access"), "{text} -> {masked}");
        }
        assert_eq!(mask("token: access, which is denied"), "token: ***, which is denied");
        assert_eq!(
            mask(r#"{"token":"access key","code":"denied"}"#),
            r#"{"token":"***","code":"denied"}"#
        );
    }

    #[test]
    fn what_a_person_needs_stays() {
        for text in [
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef is disabled.",
            "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
            "An error occurred (KMSDisabledException) when calling the Decrypt operation",
            "User: arn:aws:iam::123456789012:role/orders-role is not authorized",
            "InvalidGrantTokenException: The grant token used is not valid",
            "EFSMountConnectivityException: The function couldn't connect to the Amazon EFS",
            "perform: secretsmanager:GetSecretValue on resource",
            "RequestId: 11111111-2222-3333-4444-555555555555",
            "Key '12345678-90ab-cdef-1234-567890abcdef' does not exist",
            "(Service: Kms, Status Code: 400, Request ID: 5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e) (SDK Attempt Count: 1)",
            "operation error KMS: Decrypt, https response error StatusCode: 400, RequestID: 5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e, api error AccessDeniedException: User",
            "software.amazon.awssdk.services.kms.model.KmsInvalidStateException: null",
            "because no identity-based policy allows the kms:Decrypt action",
            "Task timed out after 3.00 seconds",
            "HTTP 502, exit status 1, Status Code: 400; (reached max retries: 4)",
            r#""$metadata":{"httpStatusCode":400,"attempts":1}"#,
            "endpoint kms.eu-west-1.amazonaws.com in eu-west-1",
            "[Errno 13] Permission denied",
            "extras: Some({\"aws_request_id\": \"5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e\"}) }",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn of_a_principal_the_role_is_shown_and_not_the_session() {
        assert_eq!(
            mask(
                "User: arn:aws:sts::123456789012:assumed-role/orders-role/hunter is not authorized"
            ),
            "User: arn:aws:sts::123456789012:assumed-role/orders-role/*** is not authorized"
        );
        assert!(!mask("token=arn:aws:iam::123456789012:user/a").contains("arn"));
        assert!(!mask("token: arn:aws:iam::123456789012:user/a").contains("arn"));
    }

    #[test]
    fn what_was_looked_for_is_shown_within_a_word_that_is_not() {
        let text = "a org.hunter2.KMSDisabledException: key";
        let start = text.find("KMS").unwrap();
        assert_eq!(mask_around(text, start..start + 20, 0), "a ***KMSDisabledException: key");
        assert_eq!(mask_around(text, start..start + 20, 5), "***KMSDisabledException: key");
    }
}
