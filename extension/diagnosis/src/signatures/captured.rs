//! What a signature's regex has captured, as it may be shown.
//!
//! The excerpts of log lines show only what is known to be harmless, since nobody has asked for the
//! rest. Here somebody has, by name: an order's number is wanted, though nothing tells it from a
//! person's. So it is the other way about: a value is shown but for what is known to be secret, by
//! the name before it (`password: …`) or by its own shape. Both are told by the whole word in the
//! line, even if the regex has captured a part.

use crate::mask::{MASK, mask_secrets};
use std::ops::Range;

/// The longest value, the mark of a cut included.
const MAX_BYTES: usize = 128;
const CUT: &str = "…";

/// The part `captured` of a line as evidence; None if nothing is there.
pub(super) fn shown(line: &str, captured: Range<usize>) -> Option<String> {
    let value = if holds_card_number(&line[captured.clone()]) {
        MASK.to_owned()
    } else {
        mask_secrets(line, captured, is_secret)
    };
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut value = value.trim().to_owned();
    if value.len() > MAX_BYTES {
        value.truncate(value.floor_char_boundary(MAX_BYTES - CUT.len()));
        value.push_str(CUT);
    }
    (!value.is_empty()).then_some(value)
}

/// What services put before the keys and tokens that they give out.
const TOKEN_PREFIXES: [&str; 20] = [
    "eyJ",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "whsec_",
    "AIza",
    "npm_",
    "pypi-",
];
/// So much more makes a token of it.
const MIN_TOKEN_BYTES: usize = 12;
/// Letters and digits in a row, as in a digest. Ids that sort by time (ULID, KSUID, ObjectId) are
/// shorter, and a UUID has hyphens.
const MIN_DIGEST_BYTES: usize = 32;
/// Upper and lower case letters and digits in a row, joined by what base64 has beside them.
const MIN_BASE64_BYTES: usize = 40;

/// Whether a word has the shape of a key, a token or an address with either in it.
fn is_secret(word: &str) -> bool {
    let is_private_address = word.contains("://") && word.contains(['@', '?']);
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "+/_-".contains(c);
    is_private_address || word.split(|c| !is_of_token(c)).any(is_key_or_token)
}

fn is_key_or_token(run: &str) -> bool {
    let is_token =
        |prefix: &&str| run.strip_prefix(*prefix).is_some_and(|rest| rest.len() >= MIN_TOKEN_BYTES);
    let is_digest = |part: &str| {
        part.len() >= MIN_DIGEST_BYTES
            && part.contains(|c: char| c.is_ascii_digit())
            && part.contains(|c: char| c.is_ascii_alphabetic())
    };
    let is_base64 = || {
        run.len() >= MIN_BASE64_BYTES
            && run.contains(|c: char| c.is_ascii_digit())
            && run.contains(|c: char| c.is_ascii_uppercase())
            && run.contains(|c: char| c.is_ascii_lowercase())
    };
    TOKEN_PREFIXES.iter().any(is_token)
        || holds_access_key_id(run)
        || run.split(|c: char| !c.is_ascii_alphanumeric()).any(is_digest)
        || is_base64()
}

/// `AKIA` or `ASIA` and 16 capitals and digits, as AWS names its keys.
fn holds_access_key_id(run: &str) -> bool {
    let is_id = |(at, _): (usize, &str)| {
        let rest = &run.as_bytes()[at + 4..];
        rest.len() >= 16 && rest[..16].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    ["AKIA", "ASIA"].iter().any(|prefix| run.match_indices(prefix).any(is_id))
}

/// Whether a text holds 15 or 16 digits, in groups or not, that begin and check as the number of a
/// payment card does (Luhn).
fn holds_card_number(text: &str) -> bool {
    let is_gap = |c: char| c == ' ' || c == '-';
    text.split(|c: char| !(c.is_ascii_digit() || is_gap(c))).any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        let doubled = |n: u32| if n > 4 { 2 * n - 9 } else { 2 * n };
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, n)| if place % 2 == 1 { doubled(*n) } else { *n })
            .sum();
        matches!(digits.len(), 15 | 16) && matches!(digits[0], 2..=6) && sum.is_multiple_of(10)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(line: &str, part: &str) -> Option<String> {
        let start = line.find(part).unwrap();
        shown(line, start..start + part.len())
    }

    #[test]
    fn what_was_asked_for_is_shown() {
        for (line, part) in [
            ("order A-1047 was declined", "A-1047"),
            ("order=18446744073709551615", "18446744073709551615"),
            (
                "order 12345678-90ab-cdef-1234-567890abcdef failed",
                "12345678-90ab-cdef-1234-567890abcdef",
            ),
            ("order 01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("customer 507f1f77bcf86cd799439011", "507f1f77bcf86cd799439011"),
            ("charge ch_3MmlLrLkdIwHu7ix0snN0B15", "ch_3MmlLrLkdIwHu7ix0snN0B15"),
            ("mail jane@example.org bounced", "jane@example.org"),
            ("GET https://shop.example/orders/17 failed", "https://shop.example/orders/17"),
            (
                "table arn:aws:dynamodb:eu-west-1:123456789012:table/Orders",
                "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders",
            ),
            ("token expired for order 17", "17"),
            ("größe zu groß", "größe zu groß"),
            ("reason: card was declined, order 17", "card was declined, order 17"),
            ("at 1772366400045 ms", "1772366400045"),
        ] {
            assert_eq!(captured(line, part).as_deref(), Some(part), "{line}");
        }
    }

    #[test]
    fn what_is_secret_by_its_shape_or_name_is_masked() {
        for (line, part, expected) in [
            ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE", "***"),
            // A part of it is no less secret.
            ("key AKIAIOSFODNN7EXAMPLE used", "IOSFOD", "***"),
            (
                "x wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0",
                "***",
            ),
            ("order 17 token=abc", "17 token=abc", "17 ***"),
            ("order 17 password: hunter2 left", "17 password: hunter2 left", "17 ***"),
            ("Authorization: Bearer abc", "Bearer abc", "***"),
            (r#"{"password":"hunter2"}"#, "hunter2", "***"),
            (
                "at eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNry",
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNry",
                "***",
            ),
            ("id 5f4dcc3b5aa765d61d8327deb882cf99", "5f4dcc3b5aa765d61d8327deb882cf99", "***"),
            (
                "by ghp_16C7e42F292c6912E7710c838347Ae178B4a",
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
                "***",
            ),
            ("GET https://x.example/a?sig=abc failed", "https://x.example/a?sig=abc", "***"),
            ("to postgres://a:hunter2@db/x", "postgres://a:hunter2@db/x", "***"),
            ("card 4111 1111 1111 1111 declined", "4111 1111 1111 1111", "***"),
            ("card 4111-1111-1111-1111 declined", "4111-1111-1111-1111 declined", "***"),
        ] {
            let found = captured(line, part).unwrap();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_value_is_short_and_of_one_line() {
        assert_eq!(captured("a\u{1b}[31mred\r\nb", "\u{1b}[31mred\r\nb").unwrap(), "[31mred  b");
        assert_eq!(captured("a \t b", " \t "), None);
        for text in ["x ".repeat(500), "ä ".repeat(500)] {
            let value = shown(&text, 0..text.len()).unwrap();
            assert!((MAX_BYTES - 4..=MAX_BYTES).contains(&value.len()), "{}", value.len());
            assert!(value.ends_with(CUT));
        }
    }
}
