//! Files of /proc, read within bounds.

use super::Budget;
use std::fmt::{Arguments, Write};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file of one thread, process or descriptor is shorter.
const SMALL_BYTES: usize = 4_096;
/// What is read of a longer one at once.
const CHUNK_BYTES: usize = 32 * 1024;

/// What could not be read in this sandbox, each told once.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Vec<&'static str>>);

impl Notes {
    /// Tells it, unless that was done or what was to be read has ended meanwhile.
    pub(super) fn note(&self, what: &'static str, error: &io::Error) {
        if !has_ended(error) {
            self.note_absent(what, error);
        }
    }

    /// The same also of what is not there.
    pub(super) fn note_absent(&self, what: &'static str, error: &io::Error) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&what) {
            told.push(what);
            drop(told);
            tracing::debug!("{what} cannot be read here: {error}");
        }
    }
}

/// Whether what was to be read has ended meanwhile: it is no loss then.
pub(super) fn has_ended(error: &io::Error) -> bool {
    // ESRCH, of a process or thread that was found before.
    const NO_PROCESS: i32 = 3;
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(NO_PROCESS)
}

/// Where /proc is, and what it takes to read of it.
#[derive(Debug)]
pub(super) struct Proc<'a> {
    /// Whether there is time left.
    pub(super) budget: &'a Budget,
    /// What could not be read.
    pub(super) notes: &'a Notes,
    /// The root and, behind it, what was read last.
    path: String,
    root_bytes: usize,
    small: Box<[u8; SMALL_BYTES]>,
    chunk: Vec<u8>,
}

impl<'a> Proc<'a> {
    pub(super) fn at(root: &Path, budget: &'a Budget, notes: &'a Notes) -> Self {
        let small = Box::new([0; SMALL_BYTES]);
        let path = format!("{}/", root.display());
        let root_bytes = path.len();
        Self { budget, notes, path, root_bytes, small, chunk: Vec::new() }
    }

    fn path(&mut self, file: Arguments<'_>) -> &Path {
        self.path.truncate(self.root_bytes);
        // Writing to a String does not fail.
        let _ = self.path.write_fmt(file);
        Path::new(&self.path)
    }

    /// The first 4 KiB of a file, read at once: the kernel makes such a file for the first read.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub(super) fn small(&mut self, file: Arguments<'_>) -> io::Result<&[u8]> {
        let mut open = File::open(self.path(file))?;
        let read = open.read(&mut self.small[..])?;
        Ok(&self.small[..read])
    }

    /// A file of lines, at most so many bytes of it, handed over line by line. Says whether that was
    /// all.
    ///
    /// # Errors
    /// If it is not there or cannot be read from the beginning.
    pub(super) fn lines(
        &mut self,
        file: Arguments<'_>,
        max_bytes: usize,
        mut take: impl FnMut(&str),
    ) -> io::Result<bool> {
        let mut open = File::open(self.path(file))?;
        let mut left = max_bytes;
        self.chunk.resize(CHUNK_BYTES, 0);
        // What is there of a line that is not whole.
        let mut held = 0;
        loop {
            let room = left.min(CHUNK_BYTES - held);
            if room == 0 || self.budget.is_over() {
                return Ok(false);
            }
            let read = match open.read(&mut self.chunk[held..held + room]) {
                Ok(read) => read,
                Err(e) if left == max_bytes => return Err(e),
                Err(_) => return Ok(false),
            };
            left -= read;
            let filled = &self.chunk[..held + read];
            let whole = match read {
                0 => filled.len(),
                _ => filled.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1),
            };
            let lines = filled[..whole].strip_suffix(b"\n").unwrap_or(&filled[..whole]);
            // At the end there is nothing left but what had no end.
            let lines = (whole > 0).then(|| lines.split(|b| *b == b'\n'));
            for line in lines.into_iter().flatten() {
                if let Ok(line) = std::str::from_utf8(line) {
                    take(line);
                }
            }
            if read == 0 {
                return Ok(true);
            }
            held = filled.len() - whole;
            self.chunk.copy_within(whole..whole + held, 0);
        }
    }

    /// A file as text, whole lines of at most so many bytes of it, and whether that was all.
    ///
    /// # Errors
    /// If it is not there or cannot be read from the beginning.
    pub(super) fn text(
        &mut self,
        file: Arguments<'_>,
        max_bytes: usize,
    ) -> io::Result<(String, bool)> {
        let mut text = String::new();
        let is_whole = self.lines(file, max_bytes, |line| {
            text.push_str(line);
            text.push('\n');
        })?;
        Ok((text, is_whole))
    }

    /// Where a link leads; nothing there is touched.
    ///
    /// # Errors
    /// If it is none, or may not be read.
    pub(super) fn link(&mut self, file: Arguments<'_>) -> io::Result<PathBuf> {
        std::fs::read_link(self.path(file))
    }

    /// The numbers that a folder's entries are, at most so many of them, into `numbers`. Says
    /// whether those were all.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub(super) fn numbers(
        &mut self,
        folder: Arguments<'_>,
        max: usize,
        numbers: &mut Vec<u32>,
    ) -> io::Result<bool> {
        numbers.clear();
        for entry in std::fs::read_dir(self.path(folder))? {
            let Ok(entry) = entry else { return Ok(false) };
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if numbers.len() == max || self.budget.is_over() {
                return Ok(false);
            }
            numbers.push(number);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use crate::clock::Clock;
    use crate::log::LogSubscriber;
    use crate::sinks::{Paper, Stream};
    use tracing::level_filters::LevelFilter;
    use triage_diagnosis::Timestamp;

    fn lines(tree: &Tree, max_bytes: usize) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let take = |line: &str| lines.push(line.to_owned());
        let is_whole = tree.proc().lines(format_args!("table"), max_bytes, take).unwrap();
        (lines, is_whole)
    }

    #[test]
    fn lines_are_whole_wherever_a_reading_ends() {
        let tree = Tree::new();
        let wanted: Vec<String> = (0..20_000).map(|n| format!("line {n}")).collect();
        tree.file("table", wanted.join("\n"));
        assert!(lines(&tree, 1_000_000) == (wanted.clone(), true));
        let (part, is_whole) = lines(&tree, 100_000);
        assert!(!is_whole && part.len() > 8_000 && part[..] == wanted[..part.len()]);
        // What is no text costs its line, what has no end everything behind it.
        tree.file("table", b"a\n\xff\nb\n");
        assert_eq!(lines(&tree, 1_000).0, ["a", "b"]);
        tree.file("table", b"a\n".iter().copied().chain([b'x'; 100_000]).collect::<Vec<_>>());
        assert_eq!(lines(&tree, 1_000_000), (vec!["a".to_owned()], false));
    }

    #[test]
    fn a_small_file_is_read_as_far_as_it_may_go() {
        let tree = Tree::new();
        tree.file("x", vec![b'7'; SMALL_BYTES * 2]);
        assert_eq!(tree.proc().small(format_args!("x")).unwrap().len(), SMALL_BYTES);
        tree.file("x", "");
        assert!(tree.proc().small(format_args!("x")).unwrap().is_empty());
        assert!(tree.proc().small(format_args!("none")).is_err());
        assert!(tree.proc().small(format_args!("20")).is_err(), "a folder");
    }

    #[test]
    fn what_cannot_be_read_here_is_told_once_at_debug_level() {
        let paper = Paper::default();
        let lines = paper.lines();
        let clock = Clock::new(|| Timestamp::from_ms(1_000_000));
        let subscriber = LogSubscriber::new(LevelFilter::DEBUG, lines.clone(), clock);
        let notes = Notes::default();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..3 {
                notes.note("wchan", &ErrorKind::PermissionDenied.into());
                // It has ended.
                notes.note("schedstat", &ErrorKind::NotFound.into());
                notes.note("schedstat", &io::Error::from_raw_os_error(3));
                notes.note_absent("net tables", &ErrorKind::NotFound.into());
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lines.drained(Stream::Stderr));
        let told = paper.text();
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.contains("DEBUG: wchan cannot be read here: permission denied"), "{told}");
        assert!(told.contains("DEBUG: net tables cannot be read here: "), "{told}");
    }
}
