//! A stack trace, or the dump of an error, that comes line by line, each a record of its own.
//!
//! What a program writes to its standard output is cut into records at its line breaks, where the
//! runtime's own logger frames it whole. A line by itself may then lack the level, the service, or the key
//! that it is about. So the last line that began anew is remembered with a few that went on from it and,
//! from the first line on that holds a text that is looked for, the lines are joined.

use crate::Timestamp;
use crate::finding::Finding;
use crate::level::Level;
use crate::log::{is_printed_value, level_of_line, without_colours};

/// Of a line that began anew so much is remembered: its level, time and request id, and first words.
const MAX_HEAD_BYTES: usize = 256;
/// And with what went on from it so much; of more, what is between.
const MAX_RECENT_BYTES: usize = 1024;
/// A longer record is no line of a trace.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// What is joined; of more, the beginning is left out.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Records of one trace. Those of Java have hundreds of frames.
const MAX_RECORDS: usize = 1_024;
/// How often a trace is looked at: each look goes through all of it.
const MAX_LOOKS: usize = 32;
/// The lines of a trace are written at once, and so are within this of one another.
const MAX_GAP_MS: u64 = 1_000;
/// A finding that the lines to come may say more of waits this long for them.
const HOLD_MS: u64 = 100;

/// What has come of a trace, if one has begun.
#[derive(Debug, Default)]
pub(crate) struct BrokenTraces {
    /// The beginning of the last line that began anew, and the last lines that went on from it.
    recent: String,
    /// How many bytes of it are that beginning.
    head_bytes: usize,
    last_at: Timestamp,
    /// Between Python's `Traceback (most recent call last):` and the error, which is not indented.
    is_in_traceback: bool,
    /// Whether the last line announced something, mostly by a colon at its end.
    announces: bool,
    pub(crate) trace: Option<Trace>,
}

/// The lines of a trace from the first on that holds a text.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The line that began anew, where it was another, and these lines.
    pub(crate) text: String,
    pub(crate) at: Timestamp,
    /// The detectors of which it was told: what else it says of them is no other sign.
    pub(crate) told: Vec<usize>,
    pub(crate) held: Held,
    first: String,
    records: usize,
    looks: usize,
}

/// Findings of a trace that the lines to come may say more of.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) findings: Vec<(usize, Finding)>,
    /// The invocation that they are of.
    pub(crate) request_id: Option<String>,
    since: Option<Timestamp>,
}

impl BrokenTraces {
    /// Whether a record goes on from the one before.
    pub(crate) fn goes_on(&mut self, record: &str, at: Timestamp) -> bool {
        let line = record.trim_end();
        let gap_ms = at.ms_since(self.last_at).max(self.last_at.ms_since(at));
        let is_fit = line.len() <= MAX_LINE_BYTES && !line.contains('\n') && gap_ms <= MAX_GAP_MS;
        // As Lambda's runtime for Python puts it: the error, and then its traceback.
        let is_traceback_of_error = self.trace.is_some() && line.starts_with(TRACEBACK);
        let goes_on = is_fit
            && (continues(line)
                || is_traceback_of_error
                || self.announces && is_printed_value(line)
                || self.ends_traceback(line)
                || self.warns_of(line, gap_ms))
            && self.trace.as_ref().is_none_or(|trace| trace.takes(line));
        self.is_in_traceback &= goes_on && continues(line);
        self.is_in_traceback |= line.starts_with(TRACEBACK);
        self.announces = line.ends_with(':') || line == RAISED;
        self.last_at = at;
        if !goes_on {
            self.recent.clear();
            let first = line.lines().next().unwrap_or_default();
            self.recent.push_str(&first[..first.floor_char_boundary(MAX_HEAD_BYTES)]);
            self.head_bytes = self.recent.len();
        }
        goes_on
    }

    /// The error at the end of Python's traceback.
    fn ends_traceback(&self, line: &str) -> bool {
        self.is_in_traceback && !line.starts_with(TRACEBACK)
    }

    /// Whether this is the error that a warning was written with, as loggers put it: on the next line,
    /// and at the same time. That of a line at INFO or below may as well be the program's end.
    fn warns_of(&self, line: &str, gap_ms: u64) -> bool {
        let is_error = || {
            let name = line.split(':').next().unwrap_or_default();
            line.starts_with(TRACEBACK)
                || (name.bytes().filter(|b| *b == b'.').count() > 1 && !name.contains(' '))
        };
        gap_ms <= 1 && is_error() && self.level() == Some(Level::Warn)
    }

    /// That of the line that began anew.
    fn level(&self) -> Option<Level> {
        level_of_line(&without_colours(self.recent.lines().next()?.into()))
    }

    /// Remembers a line that goes on and tells nothing: the next one may need it.
    pub(crate) fn remember(&mut self, record: &str) {
        let line = record.trim_end();
        if self.recent.len() + line.len() > MAX_RECENT_BYTES {
            self.recent.truncate(self.head_bytes);
        }
        self.recent.push('\n');
        self.recent.push_str(&line[..line.floor_char_boundary(MAX_HEAD_BYTES)]);
    }

    /// A line has come that tells nothing, while there was no trace.
    pub(crate) fn pass(&mut self, record: &str, at: Timestamp) {
        if self.goes_on(record, at) {
            self.remember(record);
        }
    }

    /// Lines have come of which nothing is to be remembered, the last of them `at` this time, if any.
    pub(crate) fn forget_lines(&mut self, at: Option<Timestamp>) {
        self.last_at = at.unwrap_or(self.last_at);
        self.interrupt();
    }

    /// A record has come that is no line.
    pub(crate) fn interrupt(&mut self) {
        self.recent.clear();
        self.head_bytes = 0;
        (self.is_in_traceback, self.announces) = (false, false);
    }

    /// Begins to join lines, with one that holds a text. `told` are the detectors of which it was told.
    pub(crate) fn begin(&mut self, record: &str, at: Timestamp, goes_on: bool, told: Vec<usize>) {
        let line = record.trim_end();
        // Nothing goes on from JSON that is whole, and what is added would make it unreadable.
        if line.len() > MAX_LINE_BYTES || (line.starts_with('{') && line.ends_with('}')) {
            return;
        }
        let mut text = String::new();
        if goes_on && !self.recent.is_empty() {
            text.push_str(&self.recent);
            text.push('\n');
        }
        text.push_str(line);
        self.trace = Some(Trace {
            text,
            at,
            told,
            held: Held::default(),
            first: line.to_owned(),
            records: 1,
            looks: 0,
        });
    }

    /// When what is held must be told.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        Some(self.trace.as_ref()?.held.since?.plus_ms(HOLD_MS))
    }

    /// Whether that is now. A clock that is set back must not hold it up.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let since = self.trace.as_ref().and_then(|trace| trace.held.since);
        since.is_some_and(|since| now < since || now >= since.plus_ms(HOLD_MS))
    }
}

impl Trace {
    /// Whether there is room for a line, and it is not the one before over again.
    fn takes(&self, line: &str) -> bool {
        let is_repeated = self.records == 1 && line == self.first;
        self.records < MAX_RECORDS && !is_repeated
    }

    /// Joins a line, and says whether to look at the trace again: `may_tell`, if this line may make a
    /// difference.
    pub(crate) fn join(&mut self, record: &str, may_tell: bool) -> bool {
        self.records += 1;
        let line = record.trim_end();
        if !may_tell && line.trim_start().starts_with(FRAME) {
            return false;
        }
        if self.text.len() + line.len() >= MAX_TEXT_BYTES {
            let head = self.text.find('\n').unwrap_or(0);
            self.text.truncate(head);
        }
        self.text.push('\n');
        self.text.push_str(line);
        self.looks += usize::from(may_tell);
        may_tell && self.looks <= MAX_LOOKS
    }

    /// Whether the last line shows that another follows.
    fn is_unfinished(&self) -> bool {
        self.text.ends_with(['(', '{', '[', ','])
    }

    /// Holds a finding back if the next line may name what it is about. Else it is to be told.
    pub(crate) fn hold(
        &mut self,
        detector: usize,
        finding: Finding,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Option<Finding> {
        const ENTITIES: [&str; 4] = ["keyArn", "aliasArn", "accessPointArn", "calledFunctionArn"];
        self.held.findings.retain(|(held, _)| *held != detector);
        let names_entity = ENTITIES.iter().any(|name| finding.evidence.contains_key(*name));
        if names_entity || !self.is_unfinished() {
            self.told.push(detector);
            return Some(finding);
        }
        self.held.findings.push((detector, finding));
        self.held.request_id = request_id.map(str::to_owned);
        self.held.since.get_or_insert(now);
        None
    }
}

const TRACEBACK: &str = "Traceback (most recent call last)";
const FRAME: &str = "at ";
/// What Lambda's Ruby says before the JSON of an error.
const RAISED: &str = "Error raised from handler method";

/// Whether a line looks like a part of what the one before began.
fn continues(line: &str) -> bool {
    const BEGINNINGS: [&str; 14] = [
        FRAME,
        "Caused by: ",
        "Suppressed: ",
        "... ",
        "}",
        ")",
        "]",
        "---> ",
        "--- End of ",
        "During handling of the above exception",
        "The above exception was the direct cause",
        "Stack trace:",
        "Stack backtrace:",
        "#",
    ];
    let trimmed = line.trim_start();
    if trimmed.len() < line.len() {
        return !begins_with_time(trimmed);
    }
    let Some(first) = line.as_bytes().first() else { return true };
    // Few lines begin like one of them: the first byte says it of nearly all.
    let begins = |with: &str| with.as_bytes().first() == Some(first) && line.starts_with(with);
    BEGINNINGS.iter().any(|beginning| begins(beginning))
}

/// Whether a line, in the escapes of JSON and without its quotes, goes on from no other, whatever came
/// before but a line of a traceback; and so what was remembered before it is of no matter behind it. Not all
/// such lines are seen.
pub(crate) fn surely_begins_anew(line: &str) -> bool {
    let is_apart = line.starts_with(|c: char| c.is_ascii_graphic() && !"\\{b".contains(c));
    is_apart
        && !continues(line)
        && !line.starts_with(TRACEBACK)
        && surely_names_no_error(line.as_bytes())
}

/// Whether this is not the name of an error, or a long one, as far as [`BrokenTraces::warns_of`] would have it.
fn surely_names_no_error(line: &[u8]) -> bool {
    let mut dots = 0;
    let mut rest = line;
    loop {
        rest = match rest {
            [b' ', ..] => return true,
            [b':', ..] | [] => return dots < 2,
            [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            [b'\\', ..] => return false,
            [byte, rest @ ..] => {
                dots += usize::from(*byte == b'.');
                rest
            }
        }
    }
}

/// `2026-03-01…`, `12:00:00…`
fn begins_with_time(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let next = line.as_bytes().get(digits);
    matches!((digits, next), (4, Some(b'-' | b'/')) | (2, Some(b':' | b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    #[test]
    fn a_line_goes_on_or_begins_anew() {
        for line in [
            "    at handler (file:///var/task/index.mjs:9:3)",
            "\tat com.example.Handler.handleRequest(Handler.java:42)",
            "Caused by: com.example.Error: x",
            "  '$metadata': {",
            "}",
            "        400,",
            "#0 /var/task/index.php(98): call()",
            "",
        ] {
            let mut traces = BrokenTraces::default();
            assert!(!traces.goes_on("E: x", at(0)), "{line}");
            assert!(traces.goes_on(line, at(1)), "{line}");
            assert!(!traces.goes_on(line, at(5_000)), "{line}, long after");
        }
        for line in ["E: x", "  2026-03-01T12:00:00Z ERROR x", "{\"a\":1}", "  a\nb", "INFO x"] {
            let mut traces = BrokenTraces::default();
            traces.goes_on("E: x", at(0));
            assert!(!traces.goes_on(line, at(0)), "{line}");
        }
    }

    #[test]
    fn an_error_belongs_to_its_traceback_and_to_the_warning_before_it() {
        let goes_on = |lines: &[&str], ms: u64| {
            let mut traces = BrokenTraces::default();
            let times = (0..).map(|n| at(n * ms));
            lines.iter().zip(times).map(|(line, at)| traces.goes_on(line, at)).collect::<Vec<_>>()
        };
        let python = [TRACEBACK, "  File \"app.py\"", "a.b.E: x", "a.b.E: x"];
        assert_eq!(goes_on(&python, 1), [false, true, true, false]);
        for body in ["b'{\"a\": 1}'", "{\"a\": 1}"] {
            assert_eq!(goes_on(&["DEBUG Response body:", body], 1), [false, true]);
            assert_eq!(goes_on(&["DEBUG Response body", body], 1), [false, false]);
        }
        let warning = ["WARN failed", TRACEBACK, "  File", "E: x"];
        assert_eq!(goes_on(&warning, 0), [false, true, true, true]);
        assert_eq!(goes_on(&["INFO begun", TRACEBACK, "  File", "E: x"], 0)[..2], [false, false]);
        assert_eq!(goes_on(&["WARN failed", "com.example.E: x"], 0), [false, true]);
        assert_eq!(goes_on(&["WARN failed", "com.example.E: x"], 9), [false, false]);
        assert_eq!(goes_on(&["WARN failed", "E: x"], 0), [false, false]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut traces = BrokenTraces::default();
        traces.goes_on("E: x", at(0));
        traces.begin("E: x", at(0), false, Vec::new());
        let line = format!("  {}", "y".repeat(1_000));
        let mut joined = 1;
        while traces.goes_on(&line, at(0)) {
            let trace = traces.trace.as_mut().unwrap();
            let looked = trace.join(&line, true);
            assert_eq!(looked, joined <= MAX_LOOKS);
            assert!(trace.text.len() <= MAX_TEXT_BYTES && trace.text.starts_with("E: x\n"));
            joined += 1;
        }
        assert_eq!(joined, MAX_RECORDS);
    }
}
