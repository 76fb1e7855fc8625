//! Bytes of a telemetry delivery to records.

use crate::Record;

/// One delivery of the Telemetry API: a JSON array or lines of JSON, read record by record.
#[derive(Debug)]
pub struct Body {
    text: String,
    at: usize,
}

/// A part of a delivery that could not be read as a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// How many bytes were skipped.
    pub bytes: usize,
}

impl Body {
    /// Any bytes at all; what is not UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Self { text, at: 0 }
    }

    /// The next record, or what was skipped because it was none. None at the end.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, Malformed>> {
        let _ = &self.text;
        None
    }

    /// How many bytes have been worked through so far: the measure for a caller that works in
    /// slices.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}
