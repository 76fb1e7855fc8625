//! How long there is to read, and whether anybody waits for it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Asked between any two files: by a clock that nobody sets.
#[derive(Debug)]
pub(super) struct Budget {
    /// The end of the stage that is under way.
    stage_end: Cell<Instant>,
    signals: Arc<Signals>,
}

/// What the loop tells the thread that reads; it unparks that thread too.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The invocation is over.
    pub(super) cancelled: AtomicBool,
    /// The line about what was read first is written.
    pub(super) written: AtomicBool,
}

impl Budget {
    pub(super) fn until(stage_end: Instant, signals: Arc<Signals>) -> Self {
        Self { stage_end: Cell::new(stage_end), signals }
    }

    /// The next stage has until then.
    pub(super) fn next_stage(&self, end: Instant) {
        self.stage_end.set(end);
    }

    /// Whether the invocation is over, so that nothing is wanted any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.signals.cancelled.load(Ordering::Relaxed)
    }

    /// Whether nothing more is to be read in this stage.
    pub(super) fn is_over(&self) -> bool {
        self.is_cancelled() || Instant::now() >= self.stage_end.get()
    }

    /// Waits until then, at most until the end of the stage or until the invocation is over.
    pub(super) fn wait_until(&self, until: Instant) {
        self.wait(until, || false);
    }

    /// Leaves what little CPU there is to the line about what was read first, so long at most.
    pub(super) fn wait_until_written(&self, most: Duration) {
        let signals = &self.signals;
        self.wait(Instant::now() + most, || signals.written.load(Ordering::Relaxed));
    }

    fn wait(&self, until: Instant, is_done: impl Fn() -> bool) {
        let until = until.min(self.stage_end.get());
        while !self.is_cancelled() && !is_done() {
            let left = until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            std::thread::park_timeout(left);
        }
    }
}

/// Microseconds since then.
pub(super) fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}
