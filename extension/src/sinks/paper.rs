//! Something to write on, for tests.

use super::Lines;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// What is written can be read in every clone.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    /// Lines of both streams that end up on this.
    pub(crate) fn lines(&self) -> Lines {
        Lines::new(Some(Box::new(self.clone())), Some(Box::new(self.clone())))
    }

    /// What is written so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // One byte at a time: a short write is not the end of a line.
        self.0.lock().unwrap().push(bytes[0]);
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
