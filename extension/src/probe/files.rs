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
        // ESRCH, the latter.
        const NO_PROCESS: i32 = 3;
        if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(NO_PROCESS) {
            return;
        }
        self.note_absent(what, error);
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

/// Where /proc is, and what it takes to read of it.
#[derive(Debug)]
pub(super) struct Proc<'a> {
    root: &'a Path,
    /// Whether there is time left.
    pub(super) budget: &'a Budget,
    /// What could not be read.
    pub(super) notes: &'a Notes,
    path: String,
    small: Box<[u8; SMALL_BYTES]>,
    chunk: Vec<u8>,
}

impl<'a> Proc<'a> {
    pub(super) fn at(root: &'a Path, budget: &'a Budget, notes: &'a Notes) -> Self {
        let small = Box::new([0; SMALL_BYTES]);
        Self { root, budget, notes, path: String::new(), small, chunk: Vec::new() }
    }

    fn path(&mut self, file: Arguments<'_>) -> &Path {
        self.path.clear();
        // Writing to a String does not fail.
        let _ = write!(self.path, "{}/{file}", self.root.display());
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
            for line in filled[..whole].split(|b| *b == b'\n') {
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

    /// A file as text, at most so many bytes of it.
    ///
    /// # Errors
    /// If it is not there or cannot be read from the beginning.
    pub(super) fn text(&mut self, file: Arguments<'_>, max_bytes: usize) -> io::Result<String> {
        let mut text = String::new();
        self.lines(file, max_bytes, |line| {
            text.push_str(line);
            text.push('\n');
        })?;
        Ok(text)
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
