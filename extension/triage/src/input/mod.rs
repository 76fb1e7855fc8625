//! The input: its bytes, cut into JSON values or lines in bounded memory, and what format it has.

mod format;
mod lines;
mod values;

pub(crate) use format::{Format, detect};
pub(crate) use lines::Lines;
pub(crate) use values::Values;

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// A place in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The line, from 1 on.
    pub(crate) line: u64,
    /// How many bytes stand before it.
    pub(crate) byte: u64,
}

impl Place {
    /// The beginning.
    pub(crate) const START: Self = Self { line: 1, byte: 0 };

    /// Past these bytes.
    fn pass(&mut self, bytes: &[u8]) {
        self.byte += bytes.len() as u64;
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}", self.line, self.byte)
    }
}

/// So much is looked at to tell the format, and read at a time.
const SAMPLE_BYTES: usize = 64 * 1024;

/// A beginning of the input to tell its format by, and all of the input. Of a pipe it is what is
/// there by now, but a line at least: who follows a log does not wait for more.
pub(crate) fn sampled(mut reader: impl Read) -> io::Result<(Vec<u8>, impl BufRead)> {
    let mut sample = vec![0; SAMPLE_BYTES];
    let mut filled = 0;
    while filled < sample.len() {
        let read = match reader.read(&mut sample[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let is_all_there_is = filled < sample.len() && sample[..filled].contains(&b'\n');
        if read == 0 || is_all_there_is {
            break;
        }
    }
    sample.truncate(filled);
    let all = Cursor::new(sample.clone()).chain(reader);
    Ok((sample, BufReader::with_capacity(SAMPLE_BYTES, all)))
}

/// What is to be read next; empty at the end.
fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Asked for again, as the borrow checker cannot tell that this one is given back.
            Ok(_) => return reader.fill_buf(),
            Err(error) => return Err(error),
        }
    }
}
