//! What of a log line may leave: the matched error text, short, with what looks secret masked.

const MASK: &str = "***";
const MAX_BYTES: usize = 240;
/// How much of the line before the match is kept: room for the class name and `An error occurred`.
const MAX_BEFORE: usize = 80;

/// The part of a record around the bytes `start..end`: within their line, at most 240 bytes, with
/// control characters replaced and tokens that look like secrets masked.
#[must_use]
pub(crate) fn excerpt(text: &str, start: usize, end: usize) -> String {
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    let from = begin(text, line_start, start);
    let to = floor(text, line_end.min(end + 2 * MAX_BYTES));
    // Whole words first, so that no secret is cut short of what makes it look like one.
    let masked = mask(&text[from..to]);
    let mut out: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.len() > MAX_BYTES {
        out.truncate(floor(&out, MAX_BYTES));
        out.push('…');
    }
    out.trim().to_owned()
}

/// Where to begin so that some of the line before the match is kept, and no part of a word: the
/// rest of it might be what makes it a secret.
fn begin(text: &str, line_start: usize, start: usize) -> usize {
    let earliest = floor(text, start.saturating_sub(MAX_BEFORE).max(line_start));
    if earliest == line_start {
        return earliest;
    }
    let mut before = text[earliest..start].char_indices();
    let gap = before.find(|(_, c)| c.is_whitespace() || is_bracket(*c));
    gap.map_or(start, |(at, c)| earliest + at + c.len_utf8())
}

/// The nearest character boundary at or before this byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Masks, word by word, what looks like a secret: keys and tokens by their shape, and whatever
/// follows a name such as `password`. Query strings and user information of URLs go too.
#[must_use]
pub(crate) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut masks_next = false;
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || is_bracket(c)) {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || is_bracket(c));
        let tail = &piece[word.len()..];
        if word.is_empty() {
            out.push_str(piece);
            continue;
        }
        if masks_next && !matches!(word, "=" | ":") {
            out.push_str(MASK);
            // `Authorization: Bearer abc`: the scheme is not yet the secret.
            masks_next = is_secret_name(word);
        } else {
            let (masked, expects_value) = mask_word(word);
            out.push_str(&masked);
            masks_next = expects_value || (masks_next && matches!(word, "=" | ":"));
        }
        out.push_str(tail);
    }
    out
}

fn is_bracket(c: char) -> bool {
    matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '`')
}

/// The word with its secret parts masked, and whether its value is yet to come.
fn mask_word(word: &str) -> (String, bool) {
    if let Some((scheme, rest)) = word.split_once("://") {
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let path: Vec<String> = rest.split('/').map(|part| mask_word(part).0).collect();
        return (format!("{scheme}://{}", path.join("/")), false);
    }
    if let Some(at) = word.find(['=', ':']).filter(|at| at + 1 < word.len()) {
        let (name, value) = (&word[..at], &word[at + 1..]);
        if is_secret_name(name) {
            let separator = &word[at..=at];
            return if is_secret_name(value) {
                (word.to_owned(), true)
            } else {
                (format!("{name}{separator}{MASK}"), false)
            };
        }
    }
    if is_secret_name(word.trim_end_matches([':', '='])) {
        return (word.to_owned(), true);
    }
    if looks_like_a_key(word) {
        return (MASK.to_owned(), false);
    }
    let parts = word.split_inclusive([':', '=', '/', '&', '|', '@']);
    let masked = parts.map(|part| {
        let bare = part.trim_end_matches([':', '=', '/', '&', '|', '@']);
        if looks_random(bare) { part.replacen(bare, MASK, 1) } else { part.to_owned() }
    });
    (masked.collect(), false)
}

fn is_secret_name(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "password",
        "passwd",
        "pwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "authorization",
        "bearer",
        "credential",
        "cookie",
        "private_key",
        "signature",
    ];
    let name = name.to_ascii_lowercase();
    // `InvalidGrantTokenException` is a name of an error, `x-api-token` one of a secret.
    !name.ends_with("exception") && NAMES.iter().any(|secret| name.contains(secret))
}

/// Access key ids, and long words that mix letters and digits as only generated ones do. UUIDs
/// (key and request ids) and plain numbers are none.
fn looks_random(word: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'_' | b'-' | b'.');
    if word.len() < 16 || !word.bytes().all(is_token) {
        return false;
    }
    let is_access_key = ["AKIA", "ASIA", "AROA", "AIDA"].iter().any(|p| word.starts_with(p))
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    is_access_key
        || (word.len() >= 20
            && !is_aws_id(word)
            && digits >= 3
            && letters >= 6
            && changes_of_kind(word) >= 6)
}

/// Base64 of 24 bytes or more, as secret access keys are; paths change their kind less often.
fn looks_like_a_key(word: &str) -> bool {
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    word.len() >= 32 && word.bytes().all(is_base64) && changes_of_kind(word) >= 10
}

/// How often neighbours differ in being a digit or a capital.
fn changes_of_kind(word: &str) -> usize {
    let kind = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    word.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

/// UUIDs, and `prefix-<hex>` as AWS names resources.
fn is_aws_id(word: &str) -> bool {
    let mut groups = word.split('-');
    let is_hex = |group: &str| group.bytes().all(|b| b.is_ascii_hexdigit());
    let first = groups.next().unwrap_or_default();
    let is_prefix = first.len() <= 6 && first.bytes().all(|b| b.is_ascii_lowercase());
    let mut rest = groups.peekable();
    rest.peek().is_some() && (is_prefix || is_hex(first)) && rest.all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (text, secret) in [
            ("key AKIAIOSFODNN7EXAMPLE was", "AKIAIOSFODNN7EXAMPLE"),
            ("aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0 x", "wJalrXUtnFEMI"),
            ("password=hunter2 x", "hunter2"),
            ("password: hunter2", "hunter2"),
            (r#"{"password":"hunter2"}"#, "hunter2"),
            (r#"{"password" : "hunter2"}"#, "hunter2"),
            ("Authorization: Bearer abc.def.ghi", "abc"),
            ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3", "eyJh"),
            ("at eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3", "eyJh"),
            ("GET https://x.example/a?sig=abc&b=1 failed", "sig=abc"),
            ("postgres://admin:hunter2@db.example/orders", "hunter2"),
            ("X-Amz-Security-Token=IQoJb3JpZ2luX2VjEJr", "IQoJ"),
            ("id ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
        ] {
            let masked = mask(text);
            assert!(!masked.contains(secret), "{text} -> {masked}");
            assert!(masked.contains(MASK) || text.contains("://"), "{text} -> {masked}");
        }
    }

    #[test]
    fn what_a_person_needs_stays() {
        for text in [
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
            "An error occurred (KMSDisabledException) when calling the Decrypt operation",
            "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized",
            "InvalidGrantTokenException: The grant is invalid",
            "EFSMountConnectivityException: The function couldn't connect to the Amazon EFS",
            "RequestId: 11111111-2222-3333-4444-555555555555",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn an_excerpt_is_short_and_of_one_line() {
        let text = "before\nx DisabledException: \u{1b}[31mkey\u{7}\r\nafter";
        let start = text.find("Disabled").unwrap();
        let out = excerpt(text, start, start + 17);
        assert_eq!(out, "x DisabledException:  [31mkey");
        let long = format!("{} DisabledException: {}", "wörd ".repeat(50), "ä".repeat(500));
        let start = long.find("Disabled").unwrap();
        let out = excerpt(&long, start, start + 17);
        assert!(out.len() <= MAX_BYTES + 3 && out.contains("DisabledException"), "{out}");
    }

    #[test]
    fn an_excerpt_of_a_line_without_spaces_holds_the_match() {
        let blob = "\"field\":1,".repeat(10_000);
        let text = format!("{{{blob}\"errorType\":\"DisabledException\",{blob}}}");
        let start = text.find("Disabled").unwrap();
        let out = excerpt(&text, start, start + 17);
        assert!(out.contains("errorType\":\"DisabledException"), "{out}");
        let word = "x".repeat(100_000);
        let text = format!("{word}.DisabledException");
        assert_eq!(excerpt(&text, word.len() + 1, text.len()), "DisabledException");
    }

    #[test]
    fn a_secret_that_the_cut_would_split_is_masked_all_the_same() {
        let text = format!("{}token={} DisabledException: x", "a ".repeat(10), "s3cr3t".repeat(12));
        let start = text.find("Disabled").unwrap();
        assert!(!excerpt(&text, start, start + 17).contains("cr3t"));
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
