//! Bytes to JSON values, one at a time: lines of values, arrays of them, and the `events` of what
//! `aws logs filter-log-events` and `get-log-events` print.
//!
//! It only looks for where a value begins and ends; what reads the value says whether it is one.
//! So a value that is broken costs itself, and an input of any size needs the memory of one value.

use super::{Place, fill};
use std::io::{self, BufRead};

/// Longer values are not kept: Lambda's and CloudWatch's records hold at most 1 MB of text, which
/// JSON may write with up to twice as many bytes, rarely with more.
const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;
/// After so much that is no value a broken one is given up, and the next `{` begins another.
const MAX_SKIPPED_BYTES: u64 = 32 * 1024 * 1024;

/// The values of the input.
pub(crate) struct Values<R> {
    reader: R,
    at: Place,
    /// The value so far, or what stands between values.
    piece: Vec<u8>,
    begin: Place,
    skipped: u64,
    /// Braces and brackets that are open in it. 0 while between values.
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    is_line_start: bool,
    is_in_envelope: bool,
}

/// A part of the input.
pub(crate) struct Piece<'a> {
    /// Its bytes: of an object, if it is whole, else of something that is none.
    pub(crate) bytes: &'a [u8],
    /// Where it begins.
    pub(crate) place: Place,
    /// How many of its bytes were too many and were left out.
    pub(crate) left_out: u64,
    /// Whether it is what stands beside the `events`: `"nextToken": "…"`.
    pub(crate) is_beside_events: bool,
}

/// What a byte does.
enum Then {
    GoOn,
    /// The piece ends before this byte.
    EndBefore,
    /// The piece ends with this byte.
    EndAfter,
    /// What began is not a value, but what holds the values: they begin after this byte.
    Open,
}

impl<R: BufRead> Values<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            at: Place::START,
            piece: Vec::new(),
            begin: Place::START,
            skipped: 0,
            depth: 0,
            in_string: false,
            is_escaped: false,
            is_line_start: true,
            is_in_envelope: false,
        }
    }

    /// Whether an object with a list `events` has begun.
    pub(crate) fn is_in_envelope(&self) -> bool {
        self.is_in_envelope
    }

    /// How far it has been read.
    pub(crate) fn place(&self) -> Place {
        self.at
    }

    /// The next value, or what stands in its place. None at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.piece.clear();
        self.skipped = 0;
        loop {
            let chunk = fill(&mut self.reader)?;
            let Some(&byte) = chunk.first() else {
                return Ok((!self.piece.is_empty()).then(|| self.end()));
            };
            // Most of all bytes stand in strings, and of these most mean nothing.
            let run = if self.in_string && !self.is_escaped {
                memchr::memchr3(b'"', b'\\', b'\n', chunk).unwrap_or(chunk.len())
            } else {
                0
            };
            if run > 0 {
                let kept = run.min(MAX_VALUE_BYTES.saturating_sub(self.piece.len()));
                self.piece.extend_from_slice(&chunk[..kept]);
                self.skipped += (run - kept) as u64;
                self.at.byte += run as u64;
                self.is_line_start = false;
                self.reader.consume(run);
            } else {
                let then = self.look_at(byte);
                if matches!(then, Then::EndBefore) {
                    return Ok(Some(self.end()));
                }
                self.reader.consume(1);
                self.at.byte += 1;
                self.at.line += u64::from(byte == b'\n');
                self.is_line_start = byte == b'\n';
                match then {
                    Then::EndAfter => return Ok(Some(self.end())),
                    Then::Open => {
                        self.is_in_envelope = true;
                        self.piece.clear();
                        self.skipped = 0;
                        self.depth = 0;
                    }
                    Then::EndBefore | Then::GoOn => {}
                }
            }
            if self.skipped > MAX_SKIPPED_BYTES {
                return Ok(Some(self.end()));
            }
        }
    }

    fn end(&mut self) -> Piece<'_> {
        self.depth = 0;
        self.in_string = false;
        self.is_escaped = false;
        Piece {
            bytes: &self.piece,
            place: self.begin,
            left_out: self.skipped,
            is_beside_events: self.is_in_envelope && self.piece.first() != Some(&b'{'),
        }
    }

    fn look_at(&mut self, byte: u8) -> Then {
        let is_begun = !self.piece.is_empty();
        match byte {
            // No string holds one: this one was cut off, and what is next begins on the next line.
            b'\n' if self.in_string => return Then::EndAfter,
            // So is a value cut off if another begins with a line.
            b'{' if self.is_line_start && is_begun => return Then::EndBefore,
            _ if self.in_string => {
                if self.is_escaped {
                    self.is_escaped = false;
                } else if byte == b'\\' {
                    self.is_escaped = true;
                } else if byte == b'"' {
                    self.in_string = false;
                }
            }
            b'{' | b'[' | b']' | b',' | b'\n' if self.depth == 0 && is_begun => {
                return Then::EndBefore;
            }
            b'[' | b']' | b',' if self.depth == 0 => return Then::GoOn,
            _ if !is_begun && (byte.is_ascii_whitespace() || b"\xEF\xBB\xBF".contains(&byte)) => {
                return Then::GoOn;
            }
            b'[' if self.depth == 1 && ends_with_events_key(&self.piece) => return Then::Open,
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.keep(byte);
                self.depth = self.depth.saturating_sub(1);
                return if self.depth == 0 { Then::EndAfter } else { Then::GoOn };
            }
            _ => {}
        }
        self.keep(byte);
        Then::GoOn
    }

    fn keep(&mut self, byte: u8) {
        if self.piece.is_empty() {
            self.begin = self.at;
        }
        if self.piece.len() < MAX_VALUE_BYTES {
            self.piece.push(byte);
        } else {
            self.skipped += 1;
        }
    }
}

fn ends_with_events_key(piece: &[u8]) -> bool {
    let name = piece.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
    name.is_some_and(|name| name.ends_with(b"\"events\"") && !name.ends_with(b"\\\"events\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let read = |capacity| {
            let mut values = Values::new(io::BufReader::with_capacity(capacity, text.as_bytes()));
            let mut all = Vec::new();
            while let Some(piece) = values.next().unwrap() {
                let at = usize::try_from(piece.place.byte).unwrap();
                assert!(text.as_bytes()[at..].starts_with(piece.bytes), "{text}");
                all.push(String::from_utf8_lossy(piece.bytes).into_owned());
            }
            assert_eq!(values.place().byte, text.len() as u64);
            all
        };
        assert_eq!(read(1), read(1_000), "however it is read");
        read(7)
    }

    #[test]
    fn finds_the_values_of_lines_arrays_and_envelopes() {
        let value = r#"{"a":"}\"{","b":[{"c":1}]}"#;
        for text in [
            format!("{value}\n{value}\n"),
            format!("[{value},{value}]"),
            format!("[\n  {value},\n  {value}\n]\n"),
            format!("{value}{value}"),
            format!("{{\"events\":[{value},{value}]}}"),
            format!("{{\n    \"events\": [\n        {value},\n        {value}\n    ]\n}}\n"),
        ] {
            let objects: Vec<_> =
                pieces(&text).into_iter().filter(|p| p.starts_with('{')).collect();
            assert_eq!(objects, [value, value], "{text}");
        }
    }

    #[test]
    fn what_stands_around_the_events_is_none_of_them() {
        let text = r#"{"searchedLogStreams":[],"events":[{"a":1}],"nextToken":"{x"}"#;
        let mut values = Values::new(text.as_bytes());
        assert_eq!(values.next().unwrap().unwrap().bytes, br#"{"a":1}"#);
        assert!(values.is_in_envelope());
        while let Some(piece) = values.next().unwrap() {
            assert!(piece.is_beside_events);
        }
        // Deeper, or within a string, it is part of a value.
        assert_eq!(pieces(r#"{"r":{"events":["INVOKE"]}}"#).len(), 1);
        assert_eq!(pieces(r#"{"r":"\"events\":[1]"}"#).len(), 1);
    }

    #[test]
    fn a_broken_value_costs_itself() {
        for broken in [r#"{"a":"never ends}"#, r#"{"a":{"#, "nonsense", "}", "\"", "{]"] {
            let found = pieces(&format!("{{\"x\":1}}\n{broken}\n{{\"y\":2}}\n"));
            assert_eq!(found.first().map(String::as_str), Some("{\"x\":1}"), "{broken}");
            assert_eq!(found.last().map(String::as_str), Some("{\"y\":2}"), "{broken}: {found:?}");
        }
        assert_eq!(pieces("{\"x\":1}{\"y\":"), ["{\"x\":1}", "{\"y\":"]);
        // Where no value begins with a line.
        let found = pieces("{\"events\": [\n  {\"a\": \"never ends\n  },\n  {\"y\":2}\n]}\n");
        assert!(found.contains(&"{\"y\":2}".to_owned()), "{found:?}");
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out_and_the_next_is_whole() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
        let text = format!("[{long},{{\"y\":2}}]");
        let mut values = Values::new(io::BufReader::new(text.as_bytes()));
        let piece = values.next().unwrap().unwrap();
        assert_eq!(piece.bytes.len() as u64 + piece.left_out, long.len() as u64);
        assert_eq!(values.next().unwrap().unwrap().bytes, b"{\"y\":2}");
        assert!(values.piece.capacity() <= 2 * MAX_VALUE_BYTES);
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let text = format!("[{{\"a\":\"{}{{\"y\":2}}", "x".repeat(40 * 1024 * 1024));
        let mut values = Values::new(io::BufReader::new(text.as_bytes()));
        let mut last = Vec::new();
        while let Some(piece) = values.next().unwrap() {
            last = piece.bytes.to_vec();
        }
        assert_eq!(last, b"{\"y\":2}");
    }
}
