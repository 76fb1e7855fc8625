//! A JSON log record as lines of text, read in one pass.
//!
//! A tree of values would take up to a hundred times the memory of the text, and the extension
//! shares the function's.

use super::colours::without_colours;
use super::levels::{level_of_number, level_of_severity_number, level_of_word};
use crate::level::Level;
use crate::mention::EventFields;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::ops::Range;

/// Nested deeper than this, a log record's fields are left out.
const MAX_DEPTH: usize = 8;
/// More objects of others are taken for the record's own.
const MAX_QUOTED: usize = 1_024;

/// Where loggers put the level; of several, the first in this list counts.
const LEVEL_KEYS: [&str; 18] = [
    "level",
    "log.level",
    "levelname",
    "level_name",
    "severity",
    "Level",
    "LogLevel",
    "logLevel",
    "loglevel",
    "log_level",
    "lvl",
    "@l",
    "severity_text",
    "severityText",
    "SeverityText",
    "L",
    "severityNumber",
    "SeverityNumber",
];
/// The rank of a level within an object: `{"log":{"level":…}}` of ECS, `{"record":{"level":{"name":…}}}`
/// of loguru.
const INNER_LEVEL_RANK: usize = 1;
const LEVEL_HOLDERS: [&str; 2] = ["log", "record"];

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
    /// Where the text is that of objects of others, in its order.
    pub(super) quoted: Vec<Range<usize>>,
    /// Whether Serilog's compact format wrote it, which leaves out the level `Information`.
    is_compact: bool,
}

/// Reads a record.
///
/// # Errors
/// If it is not JSON.
pub(super) fn flatten(json: &str) -> serde_json::Result<Flat> {
    let mut flat = Flat::default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Field { name: "", depth: 0, level: None, flat: &mut flat }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if flat.is_compact {
        flat.level.get_or_insert((LEVEL_KEYS.len(), Level::Info));
    }
    Ok(flat)
}

/// A value with its name, which is empty for the items of a list: what stands in a list is not what
/// the list's name reports.
struct Field<'a> {
    name: &'a str,
    /// In how many others it stands.
    depth: usize,
    /// The rank among the names of levels, if it is one.
    level: Option<usize>,
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

    fn level(&mut self, level: Option<Level>) {
        let found = self.level.zip(level);
        if let Some((rank, level)) = found
            && self.flat.level.is_none_or(|(best, _)| rank < best)
        {
            self.flat.level = Some((rank, level));
        }
    }

    fn number(&mut self, number: i64) {
        let is_severity = self.name.ends_with("everityNumber");
        self.level(if is_severity {
            level_of_severity_number(number)
        } else {
            Some(level_of_number(number))
        });
    }

    /// The rank of a field of this one among the names of levels.
    fn level_rank(&self, name: &str) -> Option<usize> {
        match self.depth {
            0 => LEVEL_KEYS.iter().position(|key| *key == name),
            1 if LEVEL_HOLDERS.contains(&self.name) => {
                (name == "level").then_some(INNER_LEVEL_RANK)
            }
            _ => self.level.filter(|_| name == "name"),
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
        self.number(i64::try_from(value).unwrap_or(i64::MAX));
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.line(value);
        self.number(value);
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        if let Some(number) = Number::from_f64(value) {
            self.line(number);
        }
        Ok(())
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        let value = &*without_colours(Cow::Borrowed(value));
        self.line(value);
        self.level(level_of_word(value));
        let rank = REQUEST_ID_KEYS.iter().position(|key| *key == self.name);
        if let Some(rank) = rank.filter(|_| self.depth == 1)
            && self.flat.request_id.as_ref().is_none_or(|(best, _)| rank < *best)
        {
            self.flat.request_id = Some((rank, value.to_owned()));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { depth, flat, .. } = self;
        let depth = depth + 1;
        while items.next_element_seed(Field { name: "", depth, level: None, flat })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let start = self.flat.text.len();
        let mut names = EventFields::default();
        while let Some(Name(name)) = fields.next_key()? {
            let level = self.level_rank(&name);
            let depth = self.depth + 1;
            self.flat.is_compact |= depth == 1 && name == "@t";
            names.note(&name);
            fields.next_value_seed(Field { name: &name, depth, level, flat: self.flat })?;
        }
        if names.is_of_another(self.depth == 0) {
            let quoted = &mut self.flat.quoted;
            // Those in it.
            quoted.truncate(quoted.partition_point(|inner| inner.start < start));
            if quoted.len() < MAX_QUOTED {
                quoted.push(start..self.flat.text.len());
            }
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
    fn where_the_objects_of_others_are() {
        let quoted = |json: &str| {
            let flat = flatten(json).unwrap();
            flat.quoted.iter().map(|range| flat.text[range.clone()].to_owned()).collect::<Vec<_>>()
        };
        let message = r#"{"messageId":"1","body":"x"}"#;
        assert_eq!(
            quoted(&format!(r#"{{"level":"error","Records":[{message},{message}],"e":"y"}}"#)),
            ["messageId: 1\nbody: x\n", "messageId: 1\nbody: x\n"]
        );
        let nested = format!(r#"{{"a":{{"requestPayload":{message},"responsePayload":1}},"b":2}}"#);
        assert_eq!(quoted(&nested), ["messageId: 1\nbody: x\nresponsePayload: 1\n"]);
        assert_eq!(quoted(message), [""; 0], "the record's own");
        let answer = r#"{"functionError":"Unhandled","p":{"errorType":"E"}}"#;
        assert_eq!(quoted(answer), ["functionError: Unhandled\nerrorType: E\n"]);
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
