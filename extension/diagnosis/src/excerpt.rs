//! What of a log line may leave: the matched error text, short, with all masked that is not known to
//! be harmless.

use crate::fault_point;
use crate::mask::{is_boundary, mask_around};

/// Room for a denied action, its principal, its resource and the reason.
const MAX_BYTES: usize = 400;
/// How much of the line before the match is kept: room for the class name and the key's ARN.
const MAX_BEFORE: usize = 120;
/// How far before the excerpt a name such as `secret` is looked for.
const MAX_LEAD: usize = 200;

/// The part of a record around the bytes `start..end`: within their line, at most 400 bytes, with
/// control characters replaced and what is not known to be harmless masked.
#[must_use]
pub(crate) fn excerpt(text: &str, start: usize, end: usize) -> String {
    fault_point!("excerpt");
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    let line_end = end + error_fields(whole_words(&text[end..line_end]));
    let line = &text[line_start..line_end];
    // Whole words, and with what stands before the cut in mind: it may name a secret.
    let from = own_field(line, word_before(line, start - line_start), start - line_start);
    let lead = word_before(line, from.saturating_sub(MAX_LEAD));
    let found = start - line_start - lead..end - line_start - lead;
    let masked = mask_around(&line[lead..], found, from - lead);
    let mut out: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.len() > MAX_BYTES {
        out.truncate(out.floor_char_boundary(MAX_BYTES));
        out.push('…');
    }
    out.trim().to_owned()
}

/// As much of what follows the match as is looked at: masking makes it shorter, so more than what
/// leaves. No word is parted, as a part of a secret may not look like one.
fn whole_words(after: &str) -> &str {
    const MAX_AFTER: usize = 2 * MAX_BYTES;
    if after.len() <= MAX_AFTER {
        return after;
    }
    let near = &after[..after.floor_char_boundary(MAX_AFTER)];
    &near[..near.rfind(is_boundary).unwrap_or(0)]
}

/// Where the field begins whose value holds the match, if the line holds an object as JSON, Python
/// or Node.js writes it: the fields before it are the function's own business.
fn own_field(line: &str, from: usize, start: usize) -> usize {
    let before = &line[from..start];
    let is_object = ["\":", "':", ": '", ": \""].iter().any(|mark| before.contains(mark));
    let field = before.rfind([',', '{']).filter(|_| is_object);
    field.map_or(from, |at| from + at + 1)
}

/// How much of what follows the match belongs to the error: all of it or, in an object, up to the
/// first field that is none of an error's.
fn error_fields(after: &str) -> usize {
    const FIELDS: [&str; 14] = [
        "errorType",
        "errorMessage",
        "error",
        "message",
        "Message",
        "msg",
        "code",
        "Code",
        "name",
        "type",
        "__type",
        "$fault",
        "stack",
        "stackTrace",
    ];
    let is_foreign = |(at, _): &(usize, &str)| {
        let quotes = ['\\', '"', '\''];
        let rest = after[at + 1..].trim_start().trim_start_matches(quotes);
        let is_name = |c: char| c.is_alphanumeric() || "_$-.".contains(c);
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        let rest = rest[name.len()..].trim_start_matches(quotes).trim_start();
        !name.is_empty() && rest.starts_with(':') && !FIELDS.contains(&name)
    };
    after.match_indices([',', '{']).find(is_foreign).map_or(after.len(), |(at, _)| at)
}

/// The start of a word that stands up to 120 bytes before this one, or the byte itself if words
/// are longer than that.
fn word_before(line: &str, at: usize) -> usize {
    let earliest = line.floor_char_boundary(at.saturating_sub(MAX_BEFORE));
    if earliest == 0 {
        return 0;
    }
    let at = line.floor_char_boundary(at);
    let mut chars = line[earliest..at].char_indices();
    chars.find(|(_, c)| is_boundary(*c)).map_or(at, |(gap, c)| earliest + gap + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_of_one_line() {
        let text = "before\nx DisabledException: \u{1b}[31mkey\u{7}\r\nafter";
        let start = text.find("Disabled").unwrap();
        let out = excerpt(text, start, start + 17);
        assert_eq!(out, "*** DisabledException:  [***");
        let long = format!("{} DisabledException: {}", "wörd ".repeat(50), "ä".repeat(500));
        let start = long.find("Disabled").unwrap();
        let out = excerpt(&long, start, start + 17);
        assert!(out.len() <= MAX_BYTES + 3 && out.contains("DisabledException"), "{out}");
    }

    #[test]
    fn a_secret_that_the_cut_would_split_is_masked_all_the_same() {
        let text = format!("{}token={} DisabledException: x", "a ".repeat(10), "s3cr3t".repeat(12));
        let start = text.find("Disabled").unwrap();
        assert!(!excerpt(&text, start, start + 17).contains("cr3t"));
    }

    #[test]
    fn no_cut_shows_the_beginning_of_a_secret() {
        // Masked, this is so short that what was cut off far behind the match comes into view.
        for secret in ["AKIAIOSFODNN7EXAMPLE", "postgres://a:AKIAIOSFODNN7EX@b", "token=AKIAIOSF"] {
            for pad in 0..60 {
                let text = format!(
                    "DisabledException: {}{}",
                    "b".repeat(pad),
                    format!(" {secret}").repeat(60)
                );
                let out = excerpt(&text, 0, 17);
                assert!(!out.contains("AKIA"), "{pad}: {out}");
            }
        }
    }

    #[test]
    fn no_cut_parts_a_secret_from_its_name() {
        for pad in 0..400 {
            let text = format!("x password: hunter2 {} DisabledException: x", "b".repeat(pad));
            let start = text.find("Disabled").unwrap();
            assert!(!excerpt(&text, start, start + 17).contains("hunter2"), "{pad}");
        }
    }

    #[test]
    fn an_excerpt_of_a_line_without_spaces_holds_the_match_and_not_its_beginning() {
        let text =
            format!(r#"{{"name":"Doe",{}"errorType":"DisabledException"}}"#, "1,".repeat(500));
        let start = text.find("Disabled").unwrap();
        let out = excerpt(&text, start, start + 17);
        assert!(out.contains("DisabledException") && !out.contains("Doe"), "{out}");
    }

    #[test]
    fn a_long_word_before_the_match_is_left_out_up_to_the_match() {
        let text = format!("com.{}KMSDisabledException: gone", "example.".repeat(12));
        let start = text.find("KMS").unwrap();
        let out = excerpt(&text, start, start + 20);
        assert_eq!(out, "***KMSDisabledException: gone");
    }

    #[test]
    fn fields_beside_the_error_stay_out() {
        for (text, expected) in [
            (
                r#"x {"ssn":"1","errorType":"DisabledException","errorMessage":"no","order":{"mail":"m"}}"#,
                r#""errorType":"DisabledException","errorMessage":"no""#,
            ),
            (
                r#"{\"ssn\":\"1\",\"errorType\":\"DisabledException\",\"mail\":\"m\"}"#,
                r#"\"errorType\":\"DisabledException\""#,
            ),
            (
                r#"{"message":"DisabledException: a, an","mail":"m"}"#,
                r#""message":"DisabledException: a, an""#,
            ),
            (
                "{'ssn': '1', 'errorType': 'DisabledException', 'mail': 'm'}",
                "'errorType': 'DisabledException'",
            ),
            ("{ ssn: '1', name: 'DisabledException', mail: 'm' }", "name: 'DisabledException'"),
            ("DisabledException: key a, an {on}", "DisabledException: key a, an {on}"),
        ] {
            let start = text.find("Disabled").unwrap();
            assert_eq!(excerpt(text, start, start + 17), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_one_bounded_line(text in "\\PC{0,80}[\n\t]{0,2}\\PC{0,400}", at in 0usize..200) {
            let start = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let out = excerpt(&text, start, start);
            proptest::prop_assert!(out.len() <= MAX_BYTES + 3);
            proptest::prop_assert!(!out.contains(char::is_control));
        }
    }
}
