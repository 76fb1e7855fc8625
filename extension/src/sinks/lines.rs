//! Lines for standard output and standard error, each written by a plain thread of its own.
//!
//! `println!`, tokio's stdout and a tracing writer of their own all block on a full pipe or panic
//! on a closed one. Here whoever has a line puts it into a bounded queue and goes on; the thread
//! that may get stuck in `write` does nothing else, and leaving the process does not wait for it.
//! It starts with the first line of its stream, so a healthy sandbox has none, and nobody who
//! leaves standard error unread holds up the diagnoses.

use crate::panics::contained;
use std::collections::VecDeque;
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

/// How long a thread rests after a bug in its own loop.
const BUG_PAUSE: Duration = Duration::from_millis(100);

/// How long to leave a pipe alone that is full and set to non-blocking, or a system that is short of
/// what a write takes.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(10);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Diagnoses.
    Stdout,
    /// The extension's own log.
    Stderr,
}

/// A stream past std's buffer and lock: nothing of it is flushed or waited for at exit. It takes no
/// descriptor of its own, as none may be left.
struct Unbuffered<T>(T);

impl<T: AsFd> Write for Unbuffered<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(rustix::io::write(&self.0, bytes)?)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where a stream's lines end up: a stream of the process in the shipped program, anything else in tests.
type Sink = Box<dyn Write + Send>;

/// The queues and their threads. A clone is another handle to the same.
#[derive(Clone)]
pub(crate) struct Lines {
    stdout: Arc<Queue>,
    stderr: Arc<Queue>,
}

/// The lines of one stream.
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    written: Notify,
}

struct State {
    lines: VecDeque<Vec<u8>>,
    /// Bytes in the queue and in the line being written.
    bytes: usize,
    /// The thread's, once it runs. None if the stream is closed.
    sink: Option<Sink>,
    is_running: bool,
    lost: u64,
}

impl Lines {
    /// The process's own standard output and standard error.
    #[must_use]
    pub(crate) fn of_process() -> Self {
        Self::new(
            Some(Box::new(Unbuffered(std::io::stdout()))),
            Some(Box::new(Unbuffered(std::io::stderr()))),
        )
    }

    /// Any other two sinks; None for one that is closed.
    pub(crate) fn new(stdout: Option<Sink>, stderr: Option<Sink>) -> Self {
        Self { stdout: Queue::new(stdout), stderr: Queue::new(stderr) }
    }

    fn queue(&self, stream: Stream) -> &Arc<Queue> {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    /// Whether a line of any permitted length would be taken now, if a thread can be started.
    #[must_use]
    pub(crate) fn has_room(&self, stream: Stream) -> bool {
        self.queue(stream).lock().bytes + LINE_MAX_BYTES <= QUEUE_MAX_BYTES
    }

    /// Whether the stream's thread runs; starts it if it does not. There may be no thread left for
    /// it, as the function may have used them up; some later time there may.
    pub(crate) fn start(&self, stream: Stream) -> bool {
        let queue = self.queue(stream);
        queue.start(&mut queue.lock())
    }

    /// Whether everything taken has been written (or given up).
    #[must_use]
    pub(crate) fn is_drained(&self, stream: Stream) -> bool {
        self.queue(stream).lock().bytes == 0
    }

    /// Waits until [`Self::is_drained`]. It may never come: bound it.
    pub(crate) async fn drained(&self, stream: Stream) {
        while !self.is_drained(stream) {
            // One waiter at a time, and a permit is kept for it: no wake-up is missed.
            self.queue(stream).written.notified().await;
        }
    }

    /// How many lines were lost: no room, longer than [`LINE_MAX_BYTES`] or a closed pipe.
    #[must_use]
    pub(crate) fn lost(&self) -> u64 {
        self.stdout.lock().lost + self.stderr.lock().lost
    }

    /// Takes a line (without its newline) to be written, and says whether it was taken. Never
    /// waits.
    pub(crate) fn push(&self, stream: Stream, line: &str) -> bool {
        fault_point!("push");
        let queue = self.queue(stream);
        let mut state = queue.lock();
        let bytes = line.len() + 1;
        if bytes > LINE_MAX_BYTES
            || state.bytes + bytes > QUEUE_MAX_BYTES
            || !queue.start(&mut state)
        {
            state.lost += 1;
            return false;
        }
        let mut whole = Vec::with_capacity(bytes);
        whole.extend_from_slice(line.as_bytes());
        whole.push(b'\n');
        state.lines.push_back(whole);
        state.bytes += bytes;
        drop(state);
        queue.filled.notify_one();
        true
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Queue {
    fn new(sink: Option<Sink>) -> Arc<Self> {
        let lines = VecDeque::new();
        let state = State { lines, bytes: 0, sink, is_running: false, lost: 0 };
        Arc::new(Self { state: Mutex::new(state), filled: Condvar::new(), written: Notify::new() })
    }

    /// A panic while the lock is held leaves the queue as it was before or after one step: usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        if !state.is_running {
            let queue = self.clone();
            let thread = std::thread::Builder::new().name("lines".to_owned()).stack_size(64 * 1024);
            state.is_running = thread.spawn(move || queue.write_forever()).is_ok();
        }
        state.is_running
    }

    fn write_forever(&self) {
        let mut sink = self.lock().sink.take();
        loop {
            if contained(|| self.write_next(&mut sink)).is_none() {
                std::thread::sleep(BUG_PAUSE);
            }
        }
    }

    /// Waits for a line and writes it. A bug on the way costs the line.
    fn write_next(&self, sink: &mut Option<Sink>) {
        fault_point!("lines");
        let mut state = self.lock();
        let line = loop {
            match state.lines.pop_front() {
                Some(line) => break line,
                None => state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(state);
        let is_written = contained(|| {
            fault_point!("write");
            let is_written = sink.as_mut().is_some_and(|sink| write_whole(sink.as_mut(), &line));
            if !is_written {
                // Nobody will ever read it again: the reader has closed the pipe.
                *sink = None;
            }
            is_written
        });
        let mut state = self.lock();
        state.bytes -= line.len();
        state.lost += u64::from(is_written != Some(true));
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
            Err(e) if is_passing(e.kind()) => std::thread::sleep(FULL_PIPE_PAUSE),
            Err(_) => return false,
        }
    }
    true
}

/// Whether the same may be written later: the reader is still there. A function that takes all
/// memory may leave none for a pipe, too.
fn is_passing(error: ErrorKind) -> bool {
    use ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull, WouldBlock};
    matches!(error, WouldBlock | OutOfMemory | StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Paper;
    use std::io::{self, Read};

    fn drained(lines: &Lines, stream: Stream) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lines.drained(stream));
    }

    fn paper(paper: &Paper) -> Option<Sink> {
        Some(Box::new(paper.clone()))
    }

    #[test]
    fn writes_each_line_whole_to_its_stream_in_order() {
        let (out, err) = (Paper::default(), Paper::default());
        let lines = Lines::new(paper(&out), paper(&err));
        assert!(lines.push(Stream::Stdout, "one"));
        assert!(lines.push(Stream::Stderr, "two"));
        assert!(lines.push(Stream::Stdout, "three"));
        drained(&lines, Stream::Stdout);
        drained(&lines, Stream::Stderr);
        assert_eq!(out.text(), "one\nthree\n");
        assert_eq!(err.text(), "two\n");
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn a_reader_that_does_not_read_never_makes_a_push_wait_and_loses_nothing_that_was_taken() {
        let (mut reader, writer) = io::pipe().unwrap();
        let other = Paper::default();
        let lines = Lines::new(Some(Box::new(writer)), paper(&other));
        let line = "x".repeat(LINE_MAX_BYTES - 1);
        let mut taken = 0;
        while lines.has_room(Stream::Stdout) {
            assert!(lines.push(Stream::Stdout, &line), "room was promised");
            taken += 1;
            // Once the pipe (64 KiB) is full and the thread stuck, the queue fills.
            assert!(taken < 1000, "the queue has no bound");
        }
        assert!(!lines.push(Stream::Stdout, &line));
        assert_eq!(lines.lost(), 1);
        assert!(!lines.is_drained(Stream::Stdout));
        // The other stream does not wait for it.
        assert!(lines.push(Stream::Stderr, "read"));
        drained(&lines, Stream::Stderr);
        assert_eq!(other.text(), "read\n");

        let mut read = vec![0; taken * LINE_MAX_BYTES];
        reader.read_exact(&mut read).unwrap();
        drained(&lines, Stream::Stdout);
        assert_eq!(read.iter().filter(|&&b| b == b'\n').count(), taken);
        assert!(lines.has_room(Stream::Stdout));
    }

    #[test]
    fn a_closed_pipe_costs_its_own_lines_and_is_counted() {
        let err = Paper::default();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let lines = Lines::new(Some(Box::new(writer)), paper(&err));
        for _ in 0..3 {
            assert!(lines.push(Stream::Stdout, "nobody reads this"));
        }
        assert!(lines.push(Stream::Stderr, "somebody reads this"));
        drained(&lines, Stream::Stdout);
        drained(&lines, Stream::Stderr);
        assert_eq!(lines.lost(), 3);
        assert_eq!(err.text(), "somebody reads this\n");
    }

    #[test]
    fn what_the_system_has_no_means_for_is_written_when_it_has() {
        struct Short(Paper, Vec<ErrorKind>);
        impl Write for Short {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1.pop().map_or_else(|| self.0.write(bytes), |kind| Err(kind.into()))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let out = Paper::default();
        let shortages = vec![ErrorKind::OutOfMemory, ErrorKind::StorageFull, ErrorKind::WouldBlock];
        let lines = Lines::new(Some(Box::new(Short(out.clone(), shortages))), None);
        assert!(lines.push(Stream::Stdout, "one"));
        assert!(lines.push(Stream::Stdout, "two"));
        drained(&lines, Stream::Stdout);
        assert_eq!(out.text(), "one\ntwo\n");
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn a_stream_that_was_never_there_costs_its_lines() {
        let lines = Lines::new(None, None);
        assert!(lines.push(Stream::Stdout, "nobody reads this"));
        drained(&lines, Stream::Stdout);
        assert_eq!(lines.lost(), 1);
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
        let lines = Lines::new(Some(Box::new(Buggy(out.clone()))), None);
        assert!(lines.push(Stream::Stdout, "one"));
        assert!(lines.push(Stream::Stdout, "two"));
        drained(&lines, Stream::Stdout);
        assert_eq!(out.text(), "two\n");
        assert_eq!(lines.lost(), 1);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_whole() {
        let out = Paper::default();
        let lines = out.lines();
        assert!(!lines.push(Stream::Stdout, &"x".repeat(LINE_MAX_BYTES)));
        assert!(lines.push(Stream::Stdout, &"y".repeat(LINE_MAX_BYTES - 1)));
        drained(&lines, Stream::Stdout);
        assert_eq!(out.text().len(), LINE_MAX_BYTES);
        assert_eq!(lines.lost(), 1);
    }
}
