//! Healthy log records are not decoded.
//!
//! A record without any of the texts that are looked for leaves one trace alone: what it says of the lines of a
//! stack trace that the records behind it may be. For that only the last few matter.

use super::Triage;
use crate::broken_trace::surely_begins_anew;
use crate::decode::{Minute, PlainRecord};
use crate::{Body, Timestamp, fault_point};

/// Where lines begin anew, not much more than this is decoded in the end.
const TAIL_BYTES: usize = 1024;

/// What is to be remembered of records that were skipped one behind the other.
#[derive(Default)]
struct Skipped {
    /// The last lines.
    tail: Vec<PlainRecord>,
    /// Whether what came before them is of no matter.
    begins_anew: bool,
    /// When the last line came that is none of them.
    line_before_at: Option<Timestamp>,
}

impl Triage {
    /// Goes past the log records that come next in `body` and begin before the byte `until`, as far as
    /// [`Self::handle_record`] would make nothing of them, without decoding them. For all that is reported it
    /// is as if they had been handled. `made` is given the time of each.
    ///
    /// What comes next then may be any record or none: [`Body::next_record`] says.
    pub fn skip_healthy(&mut self, body: &mut Body, until: usize, mut made: impl FnMut(Timestamp)) {
        fault_point!("skip healthy");
        // What a line means to a trace is another question.
        if self.traces.trace.is_some() {
            return;
        }
        let Some(matcher) = self.matcher() else { return };
        let (mut skipped, mut minute) = (Skipped::default(), Minute::default());
        while body.position() < until {
            let Some(record) = body.next_without_text(&matcher, &mut minute) else { break };
            made(record.time);
            body.skip(&record);
            if record.is_text && !self.teller.function.concurrent {
                skipped.add_line(record, body);
            } else {
                skipped.forget();
            }
        }
        if skipped.begins_anew {
            self.traces.forget_lines(skipped.line_before_at);
        }
        for line in skipped.tail {
            if let Some(text) = body.text_of(&line) {
                self.traces.pass(&text, line.time);
            }
        }
    }
}

impl Skipped {
    fn add_line(&mut self, line: PlainRecord, body: &Body) {
        let is_long = self.tail.first().is_some_and(|first| line.end - first.end > TAIL_BYTES);
        if is_long
            && self.tail.last().is_some_and(|last| surely_begins_anew(body.raw_text_of(last)))
            && surely_begins_anew(body.raw_text_of(&line))
        {
            self.forget();
        }
        self.tail.push(line);
    }

    /// From here on nothing of it is of any matter, but when the last line came.
    fn forget(&mut self) {
        self.line_before_at = self.tail.last().map(|line| line.time).or(self.line_before_at);
        self.tail.clear();
        self.begins_anew = true;
    }
}

#[cfg(test)]
mod tests;
