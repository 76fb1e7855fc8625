//! One entry of a file of signatures: TOML to a signature, or the reason why not.

use super::{CUSTOM_PREFIX, Key, NO_OTHER_STREAM, Part, Signature, SignatureError};
use crate::finding::Stage;
use crate::level::Level;
use regex_lite::{Regex, RegexBuilder};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const KEYS: [&str; 12] = [
    "id",
    "title",
    "any-of",
    "all-of",
    "none-of",
    "regex",
    "least-level",
    "level",
    "stage",
    "stream",
    "advice",
    "reference",
];
const MAX_ID_BYTES: usize = 48;
/// With these three and the longest ids of an invocation, a line still has its 4,095 bytes.
const MAX_TITLE_BYTES: usize = 100;
const MAX_ADVICE_BYTES: usize = 300;
const MAX_REFERENCE_BYTES: usize = 200;
const MAX_TEXTS: usize = 16;
const MAX_TEXT_BYTES: usize = 256;
/// Shorter parts stand in nearly every record.
const MIN_ANCHOR_BYTES: usize = 3;
const MAX_REGEX_BYTES: usize = 512;
/// Of the compiled regex. It bounds the time that one byte may take: some 450 states.
const MAX_COMPILED_BYTES: usize = 32 * 1024;
const MAX_CAPTURES: usize = 8;
const MAX_CAPTURE_NAME_BYTES: usize = 32;
/// What the lines have of their own.
const EVIDENCE_NAMES: [&str; 3] = ["excerpt", "firstAt", "lastAt"];

type Result<T> = std::result::Result<T, SignatureError>;
/// A reason, and where in the entry: None for what is not there.
type Flaw = (Option<usize>, String);

impl Part<'_> {
    /// None for what stands before the first entry, if that is only comments.
    pub(super) fn signature(&self) -> Result<Option<Signature>> {
        let text = str::from_utf8(self.bytes)
            .map_err(|error| self.error(error.valid_up_to(), "this is not UTF-8"))?;
        let root = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, &format!("this is not TOML: {}", error.message()))
        })?;
        let mut entry = None;
        for (name, value) in root.get_ref() {
            entry = match value.get_ref() {
                DeValue::Array(tables) if name.get_ref() == "signature" => match &tables[..] {
                    [table] => table.get_ref().as_table(),
                    _ => None,
                },
                _ => None,
            };
            if entry.is_none() {
                let name = clipped(name.get_ref());
                let reason = format!(
                    "`{name}` stands outside of the entries, which begin with [[signature]]"
                );
                return Err(self.error(value.span().start, &reason));
            }
        }
        let read = entry.map(|table| Entry(table).signature()).transpose();
        read.map_err(|(at, reason)| self.error(at.unwrap_or(0), &reason))
    }

    fn error(&self, at: usize, reason: &str) -> SignatureError {
        let before = &self.bytes[..at.min(self.bytes.len())];
        let line = self.line + before.iter().filter(|byte| **byte == b'\n').count();
        SignatureError { line, reason: reason.to_owned() }
    }
}

struct Entry<'a>(&'a DeTable<'a>);

/// A value, and where it stands.
type Value<'a> = &'a Spanned<DeValue<'a>>;

fn flaw<T>(value: Value<'_>, reason: String) -> std::result::Result<T, Flaw> {
    Err((Some(value.span().start), reason))
}

impl<'a> Entry<'a> {
    fn signature(&self) -> std::result::Result<Signature, Flaw> {
        for key in self.0.keys() {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) {
                let reason =
                    format!("there is no key `{}`, but {}", clipped(name), KEYS.join(", "));
                return Err((Some(key.span().start), reason));
            }
        }
        let id = self.id()?;
        let title = self.text("title", MAX_TITLE_BYTES)?.ok_or_else(|| missing("title"))?;
        let (any_of, all_of) = (self.texts("any-of")?, self.texts("all-of")?);
        self.word("stream", &[("function", ())])?;
        Ok(Signature {
            problem: format!("{CUSTOM_PREFIX}{id}"),
            title: title.to_owned(),
            advice: self.text("advice", MAX_ADVICE_BYTES)?.unwrap_or_default().to_owned(),
            reference: self.reference()?.to_owned(),
            level: self
                .word("level", &[("error", Level::Error), ("warn", Level::Warn)])?
                .unwrap_or(Level::Error),
            stage: self
                .word("stage", &[("confirmed", Stage::Confirmed), ("suspected", Stage::Suspected)])?
                .unwrap_or(Stage::Confirmed),
            least_level: self.least_level()?,
            keys: keys(&any_of, &all_of)?,
            all_of: owned(&all_of),
            none_of: owned(&self.texts("none-of")?),
            regex: self.regex()?,
        })
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        self.0.get(name)
    }

    /// A text of at least one and at most so many bytes, without control characters.
    fn text(&self, name: &str, max: usize) -> std::result::Result<Option<&'a str>, Flaw> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.get_ref().as_str() {
            Some(text) if is_text(text, 1, max) => Ok(Some(text)),
            _ => flaw(
                value,
                format!("`{name}` is not a text of 1 to {max} bytes without control characters"),
            ),
        }
    }

    fn id(&self) -> std::result::Result<&'a str, Flaw> {
        let value = self.value("id").ok_or_else(|| missing("id"))?;
        match value.get_ref().as_str().filter(|id| is_id(id)) {
            Some(id) => Ok(id),
            None => flaw(
                value,
                format!(
                    "`id` is not kebab-case (words of a-z and 0-9, joined by hyphens) of at most {MAX_ID_BYTES} bytes"
                ),
            ),
        }
    }

    fn reference(&self) -> std::result::Result<&'a str, Flaw> {
        let Some(address) = self.text("reference", MAX_REFERENCE_BYTES)? else { return Ok("") };
        let host = address.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || address.contains(char::is_whitespace) {
            return Err(self
                .flaw_of("reference", "`reference` is not an address that begins with https://"));
        }
        Ok(address)
    }

    fn least_level(&self) -> std::result::Result<Level, Flaw> {
        const LEVELS: [(&str, Level); 5] = [
            ("trace", Level::Trace),
            ("debug", Level::Debug),
            ("info", Level::Info),
            ("warn", Level::Warn),
            ("error", Level::Error),
        ];
        // Below it, loggers write what they would not have in production.
        Ok(self.word("least-level", &LEVELS)?.unwrap_or(Level::Info))
    }

    /// One of a few words.
    fn word<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> std::result::Result<Option<T>, Flaw> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text = value.get_ref().as_str();
        match words.iter().find(|(word, _)| text == Some(*word)) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None if name == "stream" => flaw(value, NO_OTHER_STREAM.to_owned()),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                flaw(value, format!("`{name}` is not one of {}", words.join(", ")))
            }
        }
    }

    fn texts(&self, name: &str) -> std::result::Result<Vec<(Value<'a>, &'a str)>, Flaw> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let Some(items) = value.get_ref().as_array().filter(|items| items.len() <= MAX_TEXTS)
        else {
            return flaw(value, format!("`{name}` is not a list of at most {MAX_TEXTS} texts"));
        };
        let text = |item: Value<'a>| match item.get_ref().as_str() {
            Some(text) if is_text(text, MIN_ANCHOR_BYTES, MAX_TEXT_BYTES) => Ok((item, text)),
            _ => flaw(
                item,
                format!(
                    "`{name}` holds what is not a text of {MIN_ANCHOR_BYTES} to {MAX_TEXT_BYTES} bytes without control characters"
                ),
            ),
        };
        items.iter().map(text).collect()
    }

    fn regex(&self) -> std::result::Result<Option<Regex>, Flaw> {
        let Some(pattern) = self.text("regex", MAX_REGEX_BYTES)? else { return Ok(None) };
        let built = RegexBuilder::new(pattern)
            .multi_line(true)
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| {
                self.flaw_of("regex", &format!("`regex` cannot be compiled: {error}"))
            })?;
        let names: Vec<&str> = built.capture_names().flatten().collect();
        if names.len() > MAX_CAPTURES {
            let reason = format!("`regex` has more than {MAX_CAPTURES} named groups");
            return Err(self.flaw_of("regex", &reason));
        }
        let is_name = |name: &str| {
            name.len() <= MAX_CAPTURE_NAME_BYTES
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !EVIDENCE_NAMES.contains(&name)
        };
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            let reason = format!(
                "`regex` has a group `{}`: a name begins with a letter, goes on with letters, digits and _, has at most {MAX_CAPTURE_NAME_BYTES} bytes and is none of {}",
                clipped(name),
                EVIDENCE_NAMES.join(", ")
            );
            return Err(self.flaw_of("regex", &reason));
        }
        Ok(Some(built))
    }

    fn flaw_of(&self, name: &str, reason: &str) -> Flaw {
        (self.value(name).map(|value| value.span().start), reason.to_owned())
    }
}

/// What is looked for: any text of `any-of`, or the one of `all-of` that stands out most.
fn keys(
    any_of: &[(Value<'_>, &str)],
    all_of: &[(Value<'_>, &str)],
) -> std::result::Result<Vec<Key>, Flaw> {
    let longest = || all_of.iter().max_by_key(|(_, text)| anchor(text).len()).into_iter().collect();
    let chosen: Vec<_> = if any_of.is_empty() { longest() } else { any_of.iter().collect() };
    if chosen.is_empty() {
        let reason = "there is no text in `any-of` or `all-of`: without one every record of a healthy function would have to be looked at";
        return Err((None, reason.to_owned()));
    }
    let key = |(value, text): &(Value<'_>, &str)| {
        let anchor = anchor(text);
        if anchor.len() < MIN_ANCHOR_BYTES {
            let reason = format!(
                "a text needs {MIN_ANCHOR_BYTES} letters, digits or the like in a row, of ASCII, which read the same in JSON"
            );
            return Err((Some(value.span().start), reason));
        }
        Ok(Key { text: (*text).to_owned(), anchor })
    };
    chosen.into_iter().map(key).collect()
}

/// The longest part of a text that JSON writers leave as it is. Some escape all that is not ASCII
/// or may mean something in HTML, and between a name and its value there is no space.
fn anchor(text: &str) -> Range<usize> {
    let is_plain = |c: char| {
        (c.is_ascii_graphic() || c == ' ')
            && !['"', '\\', '/', ':', '<', '>', '&', '\'', '+', '`'].contains(&c)
    };
    let (mut longest, mut start) = (0..0, 0);
    for piece in text.split_inclusive(|c| !is_plain(c)) {
        let plain = piece.trim_end_matches(|c| !is_plain(c));
        let trimmed = plain.trim_matches(' ');
        let from = start + (plain.len() - plain.trim_start_matches(' ').len());
        if trimmed.len() > longest.len() {
            longest = from..from + trimmed.len();
        }
        start += piece.len();
    }
    longest
}

fn missing(name: &str) -> Flaw {
    (None, format!("`{name}` is missing"))
}

fn owned(texts: &[(Value<'_>, &str)]) -> Vec<String> {
    texts.iter().map(|(_, text)| (*text).to_owned()).collect()
}

fn is_text(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && !text.contains(char::is_control)
}

/// The user's own word in a reason, short.
fn clipped(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_CAPTURE_NAME_BYTES)]
}

/// `payment-declined`
pub(super) fn is_id(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.len() <= MAX_ID_BYTES && name.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_reads_the_same_in_json() {
        for (text, looked_for) in [
            ("PaymentDeclined", "PaymentDeclined"),
            ("card was declined", "card was declined"),
            ("errorType: Declined", "errorType"),
            ("code: PaymentDeclined", "PaymentDeclined"),
            (r#"{"code":"declined"}"#, "declined"),
            ("zahlung für bestellung", "r bestellung"),
            ("it's declined", "s declined"),
            ("/mnt/orders", "orders"),
            ("ä:b", "b"),
            (": ", ""),
        ] {
            assert_eq!(&text[anchor(text)], looked_for);
        }
    }

    #[test]
    fn ids_are_kebab_case() {
        for id in ["a", "a-1", "payment-declined", "3ds"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", "-", "a-", "-a", "a--b", "A", "a_b", "a b", "ä"] {
            assert!(!is_id(id), "{id}");
        }
    }
}
