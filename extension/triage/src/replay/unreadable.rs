//! What could not be read, said on standard error.

use crate::input::Place;
use std::io::{Write, stderr};

/// More are counted.
const MAX_SINGLE: u64 = 10;

/// What could not be read so far.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    pieces: u64,
    bytes: u64,
    /// Lines with bytes that are not UTF-8.
    pub(crate) not_utf8: u64,
}

impl Unreadable {
    /// So many bytes at a place are not what they should be.
    pub(crate) fn note(&mut self, place: Place, bytes: u64, what: &str) {
        self.pieces += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.pieces <= MAX_SINGLE {
            // There is no other place to say it.
            let _ = writeln!(stderr(), "triage: {place}: not read: {bytes} bytes, {what}");
        }
    }

    /// Whether there is anything that could not be read.
    pub(crate) fn is_any(&self) -> bool {
        self.pieces > 0 || self.not_utf8 > 0
    }

    /// Sums up, if not all was told singly.
    pub(crate) fn tell_the_rest(&self) {
        let Self { pieces, bytes, not_utf8 } = self;
        if *pieces > MAX_SINGLE {
            let _ = writeln!(stderr(), "triage: not read in all: {pieces} pieces, {bytes} bytes");
        }
        if *not_utf8 > 0 {
            let _ = writeln!(stderr(), "triage: {not_utf8} lines hold bytes that are not UTF-8");
        }
    }
}
