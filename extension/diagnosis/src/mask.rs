//! Masks what looks like a secret in a text that may leave.

const MASK: &str = "***";

/// Masks, word by word, what looks like a secret: keys and tokens by their shape, and whatever
/// follows a name such as `password`. Query strings and user information of URLs go too.
#[must_use]
pub(crate) fn mask(text: &str) -> String {
    mask_from(text, 0)
}

/// The text from this byte on, masked as in the whole text. Of a word that it parts, the rest, or
/// the whole if something in it is masked.
pub(crate) fn mask_from(text: &str, from: usize) -> String {
    crate::fault_point!("mask");
    let mut out = String::with_capacity(text.len() - from);
    let (mut at, mut masks_next, mut is_cookie) = (0, false, false);
    // The quote that ends the secret, and whether the secret has begun; whether a query goes on.
    let (mut quote, mut is_begun, mut is_query) = (None, false, false);
    // Whether the last word that was masked is itself the name of a secret.
    let mut is_name = false;
    for piece in text.split_inclusive(is_boundary) {
        let word = piece.trim_end_matches(is_boundary);
        let tail = &piece[word.len()..];
        let is_assignment = matches!(word, "=" | ":" | ":=" | "=>");
        let mark = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
        let goes_on = tail.starts_with([',', ';', '(', ')', '[', ']', '{', '}']);
        let masked = if is_query {
            is_query = goes_on;
            String::new()
        } else if word.is_empty() || (masks_next && is_assignment) {
            if !is_begun {
                quote = mark;
            } else if mark == quote {
                // What seemed to be a secret was the name of one: `token= "password":"…"`.
                (masks_next, is_begun) = (is_name, false);
            }
            word.to_owned()
        } else if masks_next || is_cookie {
            // `Authorization: Bearer abc`: the scheme is not yet the secret.
            is_begun = quote.is_some() && mark != quote;
            is_name = is_secret_name(word) || is_scheme(word);
            masks_next = is_begun || is_name;
            MASK.to_owned()
        } else {
            // A cookie header holds several; where it ends cannot be told.
            is_cookie = word.to_ascii_lowercase().contains("cookie");
            let (masked, expects_value) = mask_word(word);
            quote = mark.filter(|_| word.ends_with(['=', ':']));
            is_query = goes_on
                && word
                    .split_once('?')
                    .is_some_and(|(path, query)| path.contains("://") || query.contains('='));
            masks_next = expects_value;
            masked
        };
        if at + piece.len() > from {
            let rest = word.get(from.saturating_sub(at)..).filter(|_| masked == word);
            out.push_str(rest.unwrap_or(&masked));
            out.push_str(tail);
        }
        at += piece.len();
    }
    out
}

/// What ends a word; a backslash, as JSON within JSON escapes its quotes.
pub(crate) fn is_boundary(c: char) -> bool {
    let brackets = ['"', '\'', ',', ';', '(', ')', '[', ']', '{', '}', '<', '>', '`', '\\'];
    c.is_whitespace() || brackets.contains(&c)
}

/// The schemes of an Authorization header, before its secret.
fn is_scheme(word: &str) -> bool {
    ["basic", "bearer", "digest", "negotiate", "token"].iter().any(|s| word.eq_ignore_ascii_case(s))
}

/// The word with its secret parts masked, and whether its value is yet to come.
fn mask_word(word: &str) -> (String, bool) {
    if let Some((scheme, rest)) = word.split_once("://") {
        let (whole, rest) = (rest, rest.split(['?', '#']).next().unwrap_or(rest));
        // A password may hold a `?` or `#` as it is.
        let authority = rest.split('/').next().unwrap_or(rest);
        if authority.contains(':') && !rest.contains('@') && whole.contains('@') {
            return (format!("{scheme}://{MASK}"), false);
        }
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let path: Vec<String> = rest.split('/').map(|part| mask_word(part).0).collect();
        return (format!("{scheme}://{}", path.join("/")), false);
    }
    // The same without a scheme: a query, user information, form fields.
    if let Some((path, query)) = word.split_once('?')
        && query.contains('=')
    {
        return (mask_word(path).0, false);
    }
    if let Some((user, host)) = word.rsplit_once('@')
        && user.contains(':')
    {
        return (format!("{MASK}@{}", mask_word(host).0), false);
    }
    if word.contains('&') {
        let fields: Vec<String> = word.split('&').map(|field| mask_word(field).0).collect();
        return (fields.join("&"), false);
    }
    // `arn:aws:secretsmanager:…` and `secretsmanager:GetSecretValue` name no value that follows.
    let is_aws_name = word.starts_with("arn:") || word.starts_with("secretsmanager:");
    if let Some(at) = word.find(['=', ':']).filter(|at| at + 1 < word.len() && !is_aws_name) {
        let (name, value) = (&word[..at], &word[at + 1..]);
        if is_secret_name(name) {
            let separator = &word[at..=at];
            return if is_secret_name(value) || is_scheme(value) {
                (word.to_owned(), true)
            } else {
                (format!("{name}{separator}{MASK}"), false)
            };
        }
    }
    if !is_aws_name && is_secret_name(word.trim_end_matches([':', '='])) {
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
    const NAMES: [&str; 16] = [
        "passphrase",
        "passwort",
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
    const SHORT_NAMES: [&str; 11] = [
        "pass",
        "auth",
        "sig",
        "jwt",
        "sid",
        "session",
        "sessionid",
        "session_id",
        "accountkey",
        "access_key",
        "accesskey",
    ];
    // `InvalidGrantTokenException` is a name of an error, `x-api-token` one of a secret.
    !name.ends_with("exception")
        && (SHORT_NAMES.contains(&name.as_str()) || NAMES.iter().any(|s| name.contains(s)))
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
            (r#"{\"password\":\"hunter2\"}"#, "hunter2"),
            (r#"token= \"password\":\"hunter2\""#, "hunter2"),
            ("Authorization: Basic dXNlcjpodW50ZXI", "dXNl"),
            ("Cookie: theme=dark; sid=hunter2", "hunter2"),
            ("user=bob&password=hunter2", "hunter2"),
            ("postgres://admin:hun#ter2@db", "hun"),
            ("postgres://admin:hunter2?x@db", "hunter2"),
            ("password 'hun hunter2' x", "hunter2"),
            ("password=\"hun hunter2\" x", "hunter2"),
            ("https://u:p@h/x?sig=hunter2,hunter2&c=(hunter2) x", "hunter2"),
            ("GET /login?user=bob&password=hunter2 *** 500", "hunter2"),
            ("root:hunter2@tcp(10.0.0.1:3306)/orders", "hunter2"),
            ("password := hunter2", "hunter2"),
            ("AccountKey=hunter2", "hunter2"),
            ("pass=hunter2", "hunter2"),
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
            "perform: secretsmanager:GetSecretValue on arn:aws:secretsmanager:x:1:secret:a as no",
            "RequestId: 11111111-2222-3333-4444-555555555555",
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
