//! A JSON log record as lines of text, read in one pass.
//!
//! A tree of values would take up to a hundred times the memory of the text, and the extension
//! shares the function's.

use super::{level_of_number, level_of_word};
use crate::level::Level;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// Nested deeper than this, a log record's fields are left out.
const MAX_DEPTH: usize = 8;

/// Where loggers put the level; of several, the first in this list counts.
const LEVEL_KEYS: [&str; 12] = [
    "level",
    "log.level",
    "levelname",
    "severity",
    "Level",
    "LogLevel",
    "lvl",
    "@l",
    "log_level",
    "severity_text",
    "SeverityText",
    "L",
];

/// Where they put the request id. The last two may also be those of a request that the function
/// made.
const REQUEST_ID_KEYS: [&str; 6] = [
    "AWSRequestId",
    "awsRequestId",
    "aws_request_id",
    "function_request_id",
    "requestId",
    "request_id",
];

/// What a JSON record holds.
#[derive(Debug, Default)]
pub(super) struct Flat {
    /// Each field as a line `name: value`, and each item of a list as a line of its own.
    pub(super) text: String,
    /// The level that its own fields name, and the rank of the field.
    pub(super) level: Option<(usize, Level)>,
    /// The request id likewise.
    pub(super) request_id: Option<(usize, String)>,
    /// Whether it is Serilog's compact format, which leaves the level out at Information.
    is_compact: bool,
}

/// Reads a record.
///
/// # Errors
/// If it is not JSON.
pub(super) fn flatten(json: &str) -> serde_json::Result<Flat> {
    let mut flat = Flat::default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Field { name: "", depth: 0, flat: &mut flat }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if flat.is_compact && flat.level.is_none() {
        flat.level = Some((LEVEL_KEYS.len(), Level::Info));
    }
    Ok(flat)
}

/// A value with its name, which is empty for the items of a list: what stands in a list is not what
/// the list's name reports.
struct Field<'a> {
    name: &'a str,
    /// In how many others it stands.
    depth: usize,
    flat: &'a mut Flat,
}

impl Field<'_> {
    fn line(&mut self, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = match self.name {
            "" => writeln!(self.flat.text, "{value}"),
            name => writeln!(self.flat.text, "{name}: {value}"),
        };
    }

    /// Its rank among the names of the record's own fields.
    fn rank(&self, keys: &[&str]) -> Option<usize> {
        (self.depth == 1).then(|| keys.iter().position(|key| *key == self.name)).flatten()
    }

    fn level(&mut self, level: Option<Level>) {
        let found = self.rank(&LEVEL_KEYS).zip(level);
        if let Some((rank, level)) = found
            && self.flat.level.is_none_or(|(best, _)| rank < best)
        {
            self.flat.level = Some((rank, level));
        }
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > MAX_DEPTH {
            return IgnoredAny::deserialize(deserializer).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.line("null");
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        self.line(value);
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        self.line(value);
        self.level(Some(level_of_number(value)));
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.line(value);
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        if let Some(number) = Number::from_f64(value) {
            self.line(number);
        }
        Ok(())
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        self.flat.is_compact |= self.rank(&["@mt", "@m"]).is_some();
        self.line(value);
        self.level(level_of_word(value));
        if let Some(rank) = self.rank(&REQUEST_ID_KEYS)
            && self.flat.request_id.as_ref().is_none_or(|(best, _)| rank < *best)
        {
            self.flat.request_id = Some((rank, value.to_owned()));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { depth, flat, .. } = self;
        while items.next_element_seed(Field { name: "", depth: depth + 1, flat })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { depth, flat, .. } = self;
        while let Some(Name(name)) = fields.next_key()? {
            fields.next_value_seed(Field { name: &name, depth: depth + 1, flat })?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_names_counts_in_whatever_order_they_come() {
        let json = r#"{"lvl":"info","level":"warn","log":{"level":"error"},"request_id":"b","awsRequestId":"a"}"#;
        let flat = flatten(json).unwrap();
        assert_eq!(flat.level, Some((0, Level::Warn)));
        assert_eq!(flat.request_id, Some((1, "a".to_owned())));
        assert_eq!(flatten("[{\"level\":\"error\"}]").unwrap().level, None);
    }

    #[test]
    fn what_is_nested_too_deep_is_left_out() {
        let nested = format!("{}\"x\"{}", "{\"a\":".repeat(8), "}".repeat(8));
        assert_eq!(flatten(&nested).unwrap().text, "a: x\n");
        let nested = format!("{}\"x\"{}", "{\"a\":".repeat(9), "}".repeat(9));
        assert_eq!(flatten(&nested).unwrap().text, "");
        assert!(flatten("{} {}").is_err());
        assert!(flatten("{\"n\":1e999}").is_err());
    }
}
