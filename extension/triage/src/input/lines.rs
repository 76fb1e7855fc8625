//! Bytes to lines of text.

use super::{Place, fill};
use std::borrow::Cow;
use std::io::{self, BufRead};

/// Of a longer line only so much is looked at: CloudWatch Logs takes no longer event.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The lines of the input.
pub(crate) struct Lines<R> {
    reader: R,
    at: Place,
    line: Vec<u8>,
}

/// A line without its end.
pub(crate) struct Line<'a> {
    /// Bytes that are not UTF-8 are replaced by U+FFFD.
    pub(crate) text: Cow<'a, str>,
    /// Where it begins.
    pub(crate) place: Place,
    /// How many of its bytes were too many and were left out.
    pub(crate) left_out: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, at: Place::START, line: Vec::new() }
    }

    /// Where the next line begins.
    pub(crate) fn place(&self) -> Place {
        self.at
    }

    /// The next line; None at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let place = self.at;
        let mut left_out = 0;
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() && self.at == place {
                return Ok(None);
            }
            let newline = memchr::memchr(b'\n', chunk);
            let text = &chunk[..newline.unwrap_or(chunk.len())];
            let kept = text.len().min(MAX_LINE_BYTES - self.line.len());
            self.line.extend_from_slice(&text[..kept]);
            left_out += (text.len() - kept) as u64;
            let is_end = newline.is_some() || chunk.is_empty();
            let used = text.len() + usize::from(newline.is_some());
            self.at.pass(&chunk[..used]);
            self.reader.consume(used);
            if is_end {
                let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                return Ok(Some(Line { text: String::from_utf8_lossy(line), place, left_out }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(String, u64, u64, u64)> {
        // Three bytes at a time: each end of a chunk is met.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, bytes));
        let mut all = Vec::new();
        while let Some(Line { text, place, left_out }) = lines.next().unwrap() {
            all.push((text.into_owned(), place.line, place.byte, left_out));
        }
        all
    }

    #[test]
    fn tells_each_line_and_where_it_begins() {
        let found = lines(b"one\r\n\n\xfftwo\nthree");
        let expected = [("one", 1, 0), ("", 2, 5), ("\u{fffd}two", 3, 6), ("three", 4, 11)];
        let expected = expected.map(|(text, line, byte)| (text.to_owned(), line, byte, 0));
        assert_eq!(found, expected);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; 10 * MAX_LINE_BYTES];
        bytes.extend(b"\nnext\n");
        let mut lines = Lines::new(&bytes[..]);
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.text.len(), line.left_out), (MAX_LINE_BYTES, 9 * MAX_LINE_BYTES as u64));
        assert_eq!(lines.next().unwrap().unwrap().text, "next");
        assert!(lines.line.capacity() <= 2 * MAX_LINE_BYTES);
    }
}
