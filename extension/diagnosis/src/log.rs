//! A function's log record as text, with the level of each line and the request it names.

use crate::aws_name::is_uuid;
use crate::fault_point;
use crate::level::Level;
use crate::record::FunctionLog;
pub(crate) use colours::without_colours;
use flat::{Flat, flatten};
pub(crate) use levels::level_of_line;
use retry::speaks_of_retry;
use std::borrow::Cow;
use std::ops::Range;

mod colours;
mod flat;
mod levels;
mod retry;

/// A log record that is worth a closer look.
#[derive(Debug)]
pub struct Log<'a> {
    /// The text to look at: the record's own or, for a JSON object, each field as a line
    /// `name: value`, and each item of a list as a line of its own.
    pub text: Cow<'a, str>,
    /// The request id that the record names as its own, where its format has a place for it.
    pub request_id: Option<String>,
    /// Whether it is JSON that names no level, or none that can be read: not an error report but
    /// some value that the function printed, which may quote another's error.
    pub is_bare_value: bool,
    /// Where the text is that of objects which others wrote, in its order.
    quoted: Vec<Range<usize>>,
    /// The level of the whole record, where its format has a place for it.
    level: Option<Level>,
}

/// How far before an error the words that it is tried again may stand in a long line.
const RETRY_REACH_BYTES: usize = 1024;

impl<'a> Log<'a> {
    pub(crate) fn read(record: &'a FunctionLog<'_>) -> Self {
        fault_point!("log view");
        let sent = record.sent();
        let is_json =
            matches!(record, FunctionLog::Json(_)) || sent.trim_start().starts_with(['{', '[']);
        match is_json.then(|| flatten(sent)) {
            Some(Ok(Flat { text, level, request_id, quoted, .. })) => Self {
                text: Cow::Owned(text),
                quoted,
                level: level.map(|(_, level)| level),
                is_bare_value: level.is_none() && !is_of_rubys_runtime(sent),
                request_id: request_id.map(|(_, id)| id),
            },
            _ => {
                let text = without_colours(Cow::Borrowed(sent));
                Self {
                    quoted: Vec::new(),
                    level: None,
                    // JSON that was cut off or cannot be read: whatever level it names is not known.
                    is_bare_value: matches!(record, FunctionLog::Json(_))
                        || is_printed_value(&text),
                    request_id: request_id_of_line(&text).map(str::to_owned),
                    text,
                }
            }
        }
    }

    /// An error that a record outside the function holds: no log line, so that it has no level.
    pub(crate) fn of_error(text: &'a str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            request_id: None,
            is_bare_value: false,
            quoted: Vec::new(),
            level: None,
        }
    }

    /// The level of the line that holds this byte, or else of the record. What is to be tried again
    /// is a warning at most.
    pub(crate) fn level_at(&self, at: usize) -> Option<Level> {
        let line = self.line_at(at);
        let level = self.written_level_at(at);
        let may_be_failure = level.is_none_or(|level| level > Level::Warn);
        let near = at.saturating_sub(RETRY_REACH_BYTES).max(line.start);
        let near = self.text.ceil_char_boundary(near)..line.end;
        let is_retried = || speaks_of_retry(&self.text) || speaks_of_retry(&self.text[near]);
        if may_be_failure && is_retried() { Some(Level::Warn) } else { level }
    }

    /// The level that the line names, or else the record.
    pub(crate) fn written_level_at(&self, at: usize) -> Option<Level> {
        self.level.or_else(|| {
            let level_of_line = |line| level_of_line(self.without_field(line));
            let own = level_of_line(&self.text[self.line_at(at)]);
            // java.util.logging has it in the second line.
            own.or_else(|| self.text.lines().take(2).find_map(level_of_line))
        })
    }

    /// A line of JSON without its field's name: `error: …` is no level there.
    fn without_field<'b>(&self, line: &'b str) -> &'b str {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-@".contains(c);
        match (self.is_bare_value, line.split_once(": ")) {
            (true, Some((name, value))) if name.chars().all(is_name) => value,
            _ => line,
        }
    }

    /// Whether what stands here is the text of an object that another wrote.
    pub(crate) fn is_quoted_at(&self, at: usize) -> bool {
        let next = self.quoted.partition_point(|quoted| quoted.end <= at);
        self.quoted.get(next).is_some_and(|quoted| quoted.contains(&at))
    }

    /// The line that holds this byte.
    pub(crate) fn line_at(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        start..end
    }
}

/// Whether a text begins as a value that was printed does: an object, or Python's bytes of one.
pub(crate) fn is_printed_value(text: &str) -> bool {
    let text = text.trim_start();
    let bytes = || text.strip_prefix("b'").or_else(|| text.strip_prefix("b\""));
    text.starts_with('{') || bytes().is_some_and(|text| text.starts_with('{'))
}

/// Whether it is what Lambda's Ruby prints of an error that the handler raised, in its own layout: no
/// level stands in it.
fn is_of_rubys_runtime(json: &str) -> bool {
    json.starts_with("{\n  \"errorMessage\": ") && json.contains("\n  \"errorType\": \"Function<")
}

/// A field of its own with the shape of a UUID: `time<tab>REQUEST-ID<tab>LEVEL<tab>…` (Node.js),
/// `[LEVEL]<tab>time<tab>REQUEST-ID<tab>…` (Python), `LEVEL …{requestId="REQUEST-ID" …` (Rust).
fn request_id_of_line(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    let field = line.split(['\t', ' ']).take(4).find(|word| is_uuid(word));
    let named = || {
        let (_, value) = line.split_once("requestId=")?;
        value.trim_start_matches('"').get(..36).filter(|word| is_uuid(word))
    };
    field.or_else(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-3333-4444-555555555555";

    fn text(text: &str) -> FunctionLog<'_> {
        FunctionLog::Text(Cow::Borrowed(text))
    }

    #[test]
    fn a_json_object_is_read_the_same_as_text_and_as_json() {
        let json = r#"{"level":"warn","message":"a\nb","error":{"name":"E","codes":[1,2]},"awsRequestId":"r"}"#;
        let (as_text, as_json) = (text(json), FunctionLog::Json(json));
        for log in [Log::read(&as_text), Log::read(&as_json)] {
            assert_eq!(log.text, "level: warn\nmessage: a\nb\nname: E\n1\n2\nawsRequestId: r\n");
            assert_eq!(log.level_at(0), Some(Level::Warn));
            assert_eq!(log.request_id.as_deref(), Some("r"));
        }
    }

    #[test]
    fn the_level_is_that_of_the_line() {
        for (line, level) in [
            (format!("[ERROR]\t2026-01-01T00:00:00.000Z\t{ID}\tx"), Some(Level::Error)),
            (format!("2026-01-01T00:00:00.000Z\t{ID}\tINFO\tx"), Some(Level::Info)),
            ("2026-01-01 00:00:00 <r> DEBUG Handler - x".to_owned(), Some(Level::Debug)),
            (format!("2026-01-01T00:00:00.000Z\t{ID}\tinfo\tx"), Some(Level::Info)),
            (format!("2026-01-01T00:00:00.000Z\t{ID}\tfail\tx"), Some(Level::Error)),
            ("dbug: App[0]\n      x".to_owned(), Some(Level::Debug)),
            ("info: retrying after E: x".to_owned(), Some(Level::Info)),
            ("[12:00:00 DBG] x".to_owned(), Some(Level::Debug)),
            ("{\"@l\":\"Warning\",\"@mt\":\"x\"}".to_owned(), Some(Level::Warn)),
            ("time=x level=warning msg=y".to_owned(), Some(Level::Warn)),
            ("an error of no level, Error: x".to_owned(), None),
            ("{\"level\":30,\"msg\":\"x\"}".to_owned(), Some(Level::Info)),
            ("{\"error\":\"E\"}".to_owned(), None),
            ("{\"message\":\"[INFO] E: x\"}".to_owned(), Some(Level::Info)),
            (
                "{\"message\":\"x\",\"level\":200,\"level_name\":\"INFO\"}".to_owned(),
                Some(Level::Info),
            ),
            ("[2026-01-01T00:00:00+00:00] orders.WARNING: x [] []".to_owned(), Some(Level::Warn)),
            ("INFO:root:an Error: x".to_owned(), Some(Level::Info)),
            ("ERROR:root:x".to_owned(), Some(Level::Error)),
            ("2026-01-01T00:00:00Z [info     ] x".to_owned(), Some(Level::Info)),
            ("2026-01-01T00:00:00Z [error    ] x".to_owned(), Some(Level::Error)),
            ("2026-01-01 00:00:00.0000|DEBUG|Orders.Function|x".to_owned(), Some(Level::Debug)),
            ("{\"@t\":\"2026-01-01T00:00:00Z\",\"@mt\":\"x\"}".to_owned(), Some(Level::Info)),
        ] {
            assert_eq!(Log::read(&text(&line)).level_at(0), level, "{line}");
        }
        let two = text("INFO first\nERROR second");
        assert_eq!(Log::read(&two).level_at(0), Some(Level::Info));
        assert_eq!(Log::read(&two).level_at(12), Some(Level::Error));
        let traceback = text("[ERROR] E: x\nTraceback\n  File y");
        assert_eq!(Log::read(&traceback).level_at(24), Some(Level::Error));
    }

    #[test]
    fn a_value_that_was_printed_is_no_report() {
        let is_bare = |line: &str| Log::read(&text(line)).is_bare_value;
        for line in
            ["{\"error\":\"E\"}", "{\"error\":", "b'{\"error\": \"E\"}'", "b\"{'error': 1}\""]
        {
            assert!(is_bare(line), "{line}");
        }
        let ruby = "{\n  \"errorMessage\": \"x\",\n  \"errorType\": \"Function<E>\"\n}";
        for line in ["E: x", "{\"level\":\"error\"}", "b'a'", ruby] {
            assert!(!is_bare(line), "{line}");
        }
        assert!(is_bare(&ruby.replace("\n  ", "")), "another's, printed anew");
    }

    #[test]
    fn the_request_id_stands_in_its_field() {
        for line in [
            format!("2026-01-01T00:00:00.000Z\t{ID}\tERROR\tx"),
            format!("[ERROR]\t2026-01-01T00:00:00.000Z\t{ID}\tx"),
            format!("2026-01-01T00:00:00.000Z {ID} Task timed out after 3.00 seconds"),
            format!("ERROR Lambda runtime invoke{{requestId=\"{ID}\" xrayTraceId=\"R\"}}: x"),
        ] {
            assert_eq!(Log::read(&text(&line)).request_id.as_deref(), Some(ID));
        }
        let elsewhere = format!("could not load the order with the id {ID}");
        assert_eq!(Log::read(&text(&elsewhere)).request_id, None);
    }
}
