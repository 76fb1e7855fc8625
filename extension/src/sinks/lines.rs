//! Lines for standard output and standard error, written by one plain thread.
//!
//! `println!`, tokio's stdout and a tracing writer of their own all block on a full pipe or panic
//! on a closed one. Here whoever has a line puts it into a bounded queue and goes on; the one
//! thread that may get stuck in `write` does nothing else, and leaving the process does not wait
//! for it. It starts with the first line, so a healthy sandbox never has it.

use crate::panics::contained;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use triage_diagnosis::fault_point;

/// The longest line with its newline, in bytes: PIPE_BUF, so that a line and another process's
/// line on the same pipe never mix.
pub(crate) const LINE_MAX_BYTES: usize = 4096;

/// The most bytes that wait for the thread.
const QUEUE_MAX_BYTES: usize = 8 * LINE_MAX_BYTES;

/// How long the thread rests after a bug in its own loop.
const BUG_PAUSE: Duration = Duration::from_millis(100);

/// How long to leave a pipe alone that is full and set to non-blocking.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(10);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Diagnoses.
    Stdout,
    /// The extension's own log.
    Stderr,
}

/// Where a stream's lines end up: a file in the shipped program, anything else in tests.
type Sink = Box<dyn Write + Send>;

/// A sink as the writing thread has it.
enum Sinking {
    Unopened,
    Open(Sink),
    Closed,
}

/// Opens a stream's sink; called in the writing thread, for a stream's first line.
type Open = dyn Fn(Stream) -> std::io::Result<Sink> + Send + Sync;

/// The queue and its thread. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    written: Notify,
    open: Box<Open>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Stream, Vec<u8>)>,
    /// Bytes in the queue and in the line being written.
    bytes: usize,
    thread: Thread,
    lost: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    NotStarted,
    Running,
}

impl Lines {
    /// The process's own standard output and standard error.
    #[must_use]
    pub(crate) fn of_process() -> Self {
        Self::new(|stream| {
            // A descriptor of our own, past std's buffers and locks: nothing of it is flushed or
            // waited for at exit.
            let fd = match stream {
                Stream::Stdout => std::io::stdout().as_fd().try_clone_to_owned()?,
                Stream::Stderr => std::io::stderr().as_fd().try_clone_to_owned()?,
            };
            Ok(Box::new(File::from(fd)) as Sink)
        })
    }

    /// Any other two sinks.
    pub(crate) fn new(
        open: impl Fn(Stream) -> std::io::Result<Box<dyn Write + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                filled: Condvar::new(),
                written: Notify::new(),
                open: Box::new(open),
            }),
        }
    }

    /// Whether a line of any permitted length would be taken now.
    #[must_use]
    pub(crate) fn has_room(&self) -> bool {
        self.shared.lock().bytes + LINE_MAX_BYTES <= QUEUE_MAX_BYTES
    }

    /// Whether everything taken has been written (or given up).
    #[must_use]
    pub(crate) fn is_drained(&self) -> bool {
        self.shared.lock().bytes == 0
    }

    /// Waits until [`Self::is_drained`]. It may never come: bound it.
    pub(crate) async fn drained(&self) {
        while !self.is_drained() {
            // One waiter at a time, and a permit is kept for it: no wake-up is missed.
            self.shared.written.notified().await;
        }
    }

    /// How many lines were lost: no room, longer than [`LINE_MAX_BYTES`] or a closed pipe.
    #[must_use]
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Takes a line (without its newline) to be written, and says whether it was taken. Never
    /// waits.
    pub(crate) fn push(&self, stream: Stream, line: &str) -> bool {
        fault_point!("push");
        let mut state = self.shared.lock();
        let bytes = line.len() + 1;
        if state.thread == Thread::NotStarted {
            let shared = self.shared.clone();
            state.thread = match std::thread::Builder::new()
                .name("lines".to_owned())
                .stack_size(64 * 1024)
                .spawn(move || shared.write_forever())
            {
                Ok(_) => Thread::Running,
                // No threads left, as the function may have used them up: the next line tries again.
                Err(_) => Thread::NotStarted,
            };
        }
        if state.thread == Thread::NotStarted
            || bytes > LINE_MAX_BYTES
            || state.bytes + bytes > QUEUE_MAX_BYTES
        {
            state.lost += 1;
            return false;
        }
        let mut whole = Vec::with_capacity(bytes);
        whole.extend_from_slice(line.as_bytes());
        whole.push(b'\n');
        state.queue.push_back((stream, whole));
        state.bytes += bytes;
        drop(state);
        self.shared.filled.notify_one();
        true
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Shared {
    /// A panic while the lock is held leaves the queue as it was before or after one step: usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_forever(&self) {
        let mut sinks = [Sinking::Unopened, Sinking::Unopened];
        loop {
            if contained(|| self.write_next(&mut sinks)).is_none() {
                std::thread::sleep(BUG_PAUSE);
            }
        }
    }

    /// Waits for a line and writes it. A bug on the way costs the line.
    fn write_next(&self, sinks: &mut [Sinking; 2]) {
        fault_point!("lines");
        let mut state = self.lock();
        let (stream, line) = loop {
            match state.queue.pop_front() {
                Some(next) => break next,
                None => {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        let [stdout, stderr] = sinks;
        let sink = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        let written = contained(|| {
            fault_point!("write");
            if let Sinking::Unopened = sink {
                *sink = (self.open)(stream).map_or(Sinking::Closed, Sinking::Open);
            }
            if let Sinking::Open(file) = sink
                && write_whole(file.as_mut(), &line)
            {
                return true;
            }
            // Nobody will ever read it again: the reader has closed the pipe.
            *sink = Sinking::Closed;
            false
        });
        let mut state = self.lock();
        state.bytes -= line.len();
        state.lost += u64::from(written != Some(true));
        let drained = state.bytes == 0;
        drop(state);
        if drained {
            self.written.notify_one();
        }
    }
}

/// Writes all of `bytes`, and says whether it could.
fn write_whole(sink: &mut dyn Write, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return false,
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PIPE_PAUSE),
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Paper;
    use std::io::{self, Read};

    fn drained(lines: &Lines) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(lines.drained());
    }

    #[test]
    fn writes_each_line_whole_to_its_stream_in_order() {
        let (out, err) = (Paper::default(), Paper::default());
        let (o, e) = (out.clone(), err.clone());
        let lines = Lines::new(move |stream| {
            Ok(Box::new(if stream == Stream::Stdout { o.clone() } else { e.clone() }))
        });
        assert!(lines.push(Stream::Stdout, "one"));
        assert!(lines.push(Stream::Stderr, "two"));
        assert!(lines.push(Stream::Stdout, "three"));
        drained(&lines);
        assert_eq!(out.text(), "one\nthree\n");
        assert_eq!(err.text(), "two\n");
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn a_reader_that_does_not_read_never_makes_a_push_wait_and_loses_nothing_that_was_taken() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::new(move |_| Ok(Box::new(writer.try_clone()?)));
        let line = "x".repeat(LINE_MAX_BYTES - 1);
        let mut taken = 0;
        while lines.has_room() {
            assert!(lines.push(Stream::Stdout, &line), "room was promised");
            taken += 1;
            // Once the pipe (64 KiB) is full and the thread stuck, the queue fills.
            assert!(taken < 1000, "the queue has no bound");
        }
        assert!(!lines.push(Stream::Stdout, &line));
        assert_eq!(lines.lost(), 1);
        assert!(!lines.is_drained());

        let mut read = vec![0; taken * LINE_MAX_BYTES];
        reader.read_exact(&mut read).unwrap();
        drained(&lines);
        assert_eq!(read.iter().filter(|&&b| b == b'\n').count(), taken);
        assert!(lines.has_room());
    }

    #[test]
    fn a_closed_pipe_costs_its_own_lines_and_is_counted() {
        let err = Paper::default();
        let e = err.clone();
        let lines = Lines::new(move |stream| match stream {
            Stream::Stdout => {
                let (reader, writer) = io::pipe()?;
                drop(reader);
                Ok(Box::new(writer))
            }
            Stream::Stderr => Ok(Box::new(e.clone())),
        });
        for _ in 0..3 {
            assert!(lines.push(Stream::Stdout, "nobody reads this"));
        }
        assert!(lines.push(Stream::Stderr, "somebody reads this"));
        drained(&lines);
        assert_eq!(lines.lost(), 3);
        assert_eq!(err.text(), "somebody reads this\n");
    }

    #[test]
    fn a_bug_in_writing_costs_the_line_and_is_counted() {
        struct Buggy(Paper);
        impl Write for Buggy {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                assert!(!bytes.starts_with(b"one"), "as a bug would");
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let out = Paper::default();
        let o = out.clone();
        let lines = Lines::new(move |_| Ok(Box::new(Buggy(o.clone()))));
        assert!(lines.push(Stream::Stdout, "one"));
        assert!(lines.push(Stream::Stdout, "two"));
        drained(&lines);
        assert_eq!(out.text(), "two\n");
        assert_eq!(lines.lost(), 1);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_whole() {
        let out = Paper::default();
        let lines = out.lines();
        assert!(!lines.push(Stream::Stdout, &"x".repeat(LINE_MAX_BYTES)));
        assert!(lines.push(Stream::Stdout, &"y".repeat(LINE_MAX_BYTES - 1)));
        drained(&lines);
        assert_eq!(out.text().len(), LINE_MAX_BYTES);
        assert_eq!(lines.lost(), 1);
    }
}
