//! Lines of a log to the records they are made of: what stands before a record is taken off, and the
//! lines of one record are put together again.

use super::platform_line::{self, PlatformLine};
use super::sandboxes::function_of;
use std::time::UNIX_EPOCH;
use triage_diagnosis::Timestamp;

/// A record of more text is cut here: CloudWatch Logs takes no longer event.
const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// A function's own time stands near the beginning of its line.
const MAX_BEGINNING_BYTES: usize = 96;
/// A time that a function wrote is taken for that of its line if it is no further ahead.
const MAX_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// A record of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogRecord {
    /// Its log stream; empty where the line did not name it.
    pub(crate) stream: String,
    /// When it was written, as far as the line tells.
    pub(crate) at: Option<Timestamp>,
    /// What was written.
    pub(crate) text: String,
}

/// What stands before the records of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Prefix {
    /// Nothing, as far as is known. A line of Lambda's own shows it.
    #[default]
    None,
    /// A time: the CloudWatch console, its exports, `aws logs tail --format short`.
    Time,
    /// A time and the log stream, in whatever order: `aws logs tail`, `sam logs`.
    Stream,
}

/// Puts records together.
#[derive(Debug, Default)]
pub(crate) struct LogLines {
    prefix: Prefix,
    record: Option<LogRecord>,
    is_platform: bool,
    /// Between `Traceback (most recent call last):` and the error at its end, which is not indented.
    is_in_traceback: bool,
    latest: Timestamp,
}

impl LogLines {
    /// Takes in a line; gives the record that it shows to be whole.
    pub(crate) fn push(&mut self, line: &str) -> Option<LogRecord> {
        let split = split(line);
        let is_platform = |text: &str| !matches!(platform_line::read(text), PlatformLine::Function);
        let begins_with_stream = !split.stream.is_empty();
        if begins_with_stream {
            self.prefix = Prefix::Stream;
        } else if self.prefix != Prefix::Stream && split.at.is_some() && is_platform(split.text) {
            self.prefix = Prefix::Time;
        }
        let is_prefixed = match self.prefix {
            Prefix::None => false,
            Prefix::Time => split.at.is_some(),
            Prefix::Stream => begins_with_stream,
        };
        let text = if is_prefixed { split.text } else { line };
        let is_of_platform = is_platform(text);
        let ends_traceback = self.is_in_traceback && is_error(line);
        self.is_in_traceback = text.starts_with(TRACEBACK)
            || self.is_in_traceback && text.starts_with([' ', '\t']) && !is_prefixed;
        let continues = !is_prefixed
            && !is_of_platform
            && !self.is_platform
            && (self.prefix != Prefix::None || ends_traceback || is_continuation(line));
        if continues && let Some(record) = &mut self.record {
            if record.text.len() + line.len() < MAX_RECORD_BYTES {
                record.text.push('\n');
                record.text.push_str(line);
            }
            return None;
        }
        let at = if is_prefixed { split.at } else { self.own_time(line) };
        self.latest = self.latest.max(at.unwrap_or_default());
        self.is_platform = is_of_platform;
        let (stream, text) = (split.stream.to_owned(), text.to_owned());
        let whole = self.take();
        // An empty line is no record, but may be part of one.
        self.record = (!text.trim().is_empty()).then_some(LogRecord { stream, at, text });
        whole
    }

    /// The last record.
    pub(crate) fn take(&mut self) -> Option<LogRecord> {
        self.record.take()
    }

    /// The time in a line without a prefix: the function's, or Lambda's in `Task timed out`.
    fn own_time(&self, line: &str) -> Option<Timestamp> {
        let beginning = &line[..line.floor_char_boundary(MAX_BEGINNING_BYTES)];
        let mut starts = beginning.match_indices("20").map(|(at, _)| at);
        let at = starts.find_map(|at| Some(time(&line[at..])?.0))?;
        let is_near =
            self.latest == Timestamp::default() || at.ms_since(self.latest) <= MAX_AHEAD_MS;
        is_near.then_some(at)
    }
}

/// Whether a line in a log without prefixes belongs to the record before it: a stack trace, or the
/// further lines of an object.
fn is_continuation(line: &str) -> bool {
    line.starts_with([' ', '\t', '}', ']', ')'])
        || line.starts_with(TRACEBACK)
        || line.starts_with("Caused by: ")
}

const TRACEBACK: &str = "Traceback (most recent call last)";

/// Whether a line is what Python ends a traceback with, `botocore.exceptions.ClientError: …`. What
/// Lambda writes of an uncaught exception has the error before the traceback instead.
fn is_error(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim_end();
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    is_name && (name.starts_with(|c: char| c.is_ascii_uppercase()) || name.contains('.'))
}

struct Split<'a> {
    at: Option<Timestamp>,
    stream: &'a str,
    text: &'a str,
}

/// A line as if it had a prefix.
fn split(line: &str) -> Split<'_> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    if function_of(first).is_some() {
        let (at, text) = after_time(rest).unzip();
        return Split { at, stream: first, text: text.unwrap_or(rest) };
    }
    match after_time(line) {
        Some((at, text)) => {
            let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
            if function_of(word).is_some() {
                return Split { at: Some(at), stream: word, text: rest };
            }
            Split { at: Some(at), stream: "", text }
        }
        None => Split { at: None, stream: "", text: line },
    }
}

fn after_time(line: &str) -> Option<(Timestamp, &str)> {
    let (at, bytes) = time(line)?;
    let rest = &line[bytes..];
    // Further blanks are the record's: a line of a stack trace is known by them.
    Some((at, rest.strip_prefix([' ', '\t', ','])?))
        // `TIME<tab>REQUEST-ID<tab>…`, `TIME REQUEST-ID Task timed out …`: the record's own.
        .filter(|(_, text)| !begins_with_request_id(text))
}

fn begins_with_request_id(text: &str) -> bool {
    let word = text.split(['\t', ' ']).next().unwrap_or_default();
    word.len() == 36 && word.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// The time that a text begins with, and of how many bytes it is: `2026-03-01T12:00:00`, with a
/// space in place of the `T`, a fraction, and a zone (UTC without one).
fn time(text: &str) -> Option<(Timestamp, usize)> {
    const SECONDS: usize = "2026-03-01T12:00:00".len();
    let whole = text.get(..SECONDS)?;
    if !whole.starts_with("20") || !matches!(whole.as_bytes()[10], b'T' | b' ') {
        return None;
    }
    let since_epoch = humantime::parse_rfc3339_weak(whole).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    let mut rest = &text[SECONDS..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let padded = format!("{:0<3}", &fraction[..digits]);
            ms = padded[..3].parse().ok()?;
            rest = &fraction[digits..];
        }
    }
    let mut offset_s = 0;
    if let Some(after) = rest.strip_prefix('Z') {
        rest = after;
    } else if let Some((sign, after)) =
        rest.strip_prefix('+').map(|r| (1, r)).or_else(|| rest.strip_prefix('-').map(|r| (-1, r)))
        && let (Some(hours), Some(minutes)) = (after.get(..2), {
            let minutes = after.get(2..).unwrap_or_default();
            minutes.strip_prefix(':').unwrap_or(minutes).get(..2)
        })
        && let (Ok(hours), Ok(minutes)) = (hours.parse::<i64>(), minutes.parse::<i64>())
    {
        offset_s = sign * (hours * 60 + minutes) * 60;
        let colon = usize::from(after.as_bytes().get(2) == Some(&b':'));
        rest = &after[4 + colon..];
    }
    let ms_since_epoch = u64::try_from(seconds - offset_s).ok()? * 1_000 + ms;
    Some((Timestamp::from_ms(ms_since_epoch), text.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";
    const STREAM: &str = "2026/03/01/[$LATEST]0123456789abcdef";

    fn records(text: &str) -> Vec<LogRecord> {
        let mut lines = LogLines::default();
        let mut all: Vec<_> = text.lines().filter_map(|line| lines.push(line)).collect();
        all.extend(lines.take());
        all
    }

    fn ms(text: &str) -> Option<Timestamp> {
        Timestamp::parse(text)
    }

    #[test]
    fn reads_times_of_every_notation() {
        for (text, expected, bytes) in [
            ("2026-03-01T12:00:00.123Z x", "2026-03-01T12:00:00.123Z", 24),
            ("2026-03-01T12:00:00 x", "2026-03-01T12:00:00.000Z", 19),
            ("2026-03-01 12:00:00,5 x", "2026-03-01T12:00:00.500Z", 21),
            ("2026-03-01T12:00:00.123456+00:00 x", "2026-03-01T12:00:00.123Z", 32),
            ("2026-03-01T12:00:00.123+02:00", "2026-03-01T10:00:00.123Z", 29),
            ("2026-03-01T12:00:00-0130\tx", "2026-03-01T13:30:00.000Z", 24),
        ] {
            assert_eq!(time(text), Some((ms(expected).unwrap(), bytes)), "{text}");
        }
        for text in ["", "2026-03-01", "2026-13-01T12:00:00Z", "20 items", "2026-03-01Tééééé"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn takes_off_what_tools_put_before_a_record() {
        let start = format!("START RequestId: {ID} Version: $LATEST");
        let error = format!("2026-03-01T12:00:00.020Z\t{ID}\tERROR\tx");
        for (before, stream) in [
            (format!("2026-03-01T12:00:00.001000+00:00 {STREAM} "), STREAM),
            (format!("{STREAM} 2026-03-01T12:00:00.001000 "), STREAM),
            ("2026-03-01T12:00:00.001Z ".to_owned(), ""),
            ("2026-03-01T12:00:00.001Z\t".to_owned(), ""),
        ] {
            let found = records(&format!("{before}{start}\n{before}{error}\n  at y\nz\n"));
            let at = ms("2026-03-01T12:00:00.001Z");
            let stream = stream.to_owned();
            let text = format!("{error}\n  at y\nz");
            assert_eq!(
                found,
                [
                    LogRecord { stream: stream.clone(), at, text: start.clone() },
                    LogRecord { stream, at, text },
                ],
                "{before}"
            );
        }
    }

    #[test]
    fn lines_without_a_prefix_stay_whole_and_tell_their_own_time() {
        let timed_out = format!("2026-03-01T12:00:03.021Z {ID} Task timed out after 3.00 seconds");
        let python = format!(
            "[ERROR]\t2026-03-01T12:00:01.000Z\t{ID}\tx\nTraceback (most recent call last):\n  File"
        );
        let text = format!(
            "START RequestId: {ID} Version: 1\n{python}\n\nplain\n{timed_out}\nEND RequestId: {ID}\n"
        );
        let found = records(&text);
        let texts: Vec<_> = found.iter().map(|record| record.text.as_str()).collect();
        let (start, end) =
            (format!("START RequestId: {ID} Version: 1"), format!("END RequestId: {ID}"));
        assert_eq!(texts, [&start, &python, "plain", &timed_out, &end]);
        assert_eq!(found[0].at, None);
        assert_eq!(found[1].at, ms("2026-03-01T12:00:01.000Z"));
        assert_eq!(found[3].at, ms("2026-03-01T12:00:03.021Z"));
    }

    #[test]
    fn a_date_among_the_data_is_not_the_time_of_the_line() {
        let text = format!(
            "2026-03-01T12:00:01.000Z\t{ID}\tINFO\tx\n{{\"expires\":\"2030-01-01T00:00:00Z\"}}\n"
        );
        assert_eq!(records(&text)[1].at, None);
    }

    #[test]
    fn a_traceback_ends_with_its_error() {
        let traceback = format!("{TRACEBACK}:\n  File \"app.py\", line 8, in handler\n    x(");
        for (error, is_its) in [
            ("BlockingIOError: [Errno 11] Resource temporarily unavailable", true),
            ("botocore.exceptions.ClientError: An error occurred", true),
            ("KeyError", true),
            ("[INFO] another line", false),
            ("another line: x", false),
            ("Another line: x", false),
        ] {
            let found = records(&format!("could not start\n{traceback}\n{error}\nError: later"));
            let whole = format!("could not start\n{traceback}");
            let texts: Vec<_> = found.iter().map(|record| record.text.as_str()).collect();
            if is_its {
                assert_eq!(texts, [&format!("{whole}\n{error}"), "Error: later"]);
            } else {
                assert_eq!(texts, [&whole, error, "Error: later"]);
            }
        }
    }

    #[test]
    fn what_is_indented_stays_so_behind_a_time() {
        let found = records(
            "2026-03-01T12:00:00.001Z START RequestId: 79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01 Version: 1\n2026-03-01T12:00:00.001Z   at x",
        );
        assert_eq!(found[1].text, "  at x");
    }

    #[test]
    fn a_record_of_endless_lines_is_cut() {
        let text = format!("x\n{}", " y\n".repeat(MAX_RECORD_BYTES));
        assert!(records(&text)[0].text.len() <= MAX_RECORD_BYTES);
    }
}
