//! What happens when there is a bug here: it is told where, and everything else goes on.

use crate::sinks::{Lines, Stream};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;
use triage_diagnosis::fault_point;

/// So many panics are told of; a bug in the way of every record must not become a storm.
const TOLD: u32 = 10;

/// What is told of panics in this process. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    lines: Lines,
    panics: Arc<AtomicU32>,
    under_way: Arc<AtomicU32>,
}

/// From now on a panic writes the place where it happened, and never its message: that may quote
/// a log line or a payload.
pub(crate) fn tell_only_the_place(lines: Lines) -> Telling {
    let telling = Telling { lines, panics: Arc::default(), under_way: Arc::default() };
    let hooked = telling.clone();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let nth = hooked.panics.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if nth > TOLD {
            return;
        }
        let place = info.location().map(|place| (place.file().to_owned(), place.line()));
        hooked.under_way.fetch_add(1, Ordering::Relaxed);
        let one = One(hooked.clone());
        // A panic within the hook would end the process, and the bug may be in the very code that
        // writes: so what is told is told outside. Without a thread left it stays untold.
        let _ = std::thread::Builder::new().name("bug".to_owned()).stack_size(64 * 1024).spawn(
            move || {
                fault_point!("hook");
                let at = place.map(|(file, line)| format!(" at {file}:{line}")).unwrap_or_default();
                let line =
                    format!("lambda-triage ERROR: a bug in the extension{at} (number {nth})");
                one.0.lines.push(Stream::Stderr, &line);
            },
        );
    }));
    telling
}

impl Telling {
    /// Waits, so long at most, until everything told is written; not at all if there was no panic.
    pub(crate) fn finish(&self, time: Duration) {
        const STEP: Duration = Duration::from_millis(1);
        let is_told =
            || self.under_way.load(Ordering::Relaxed) == 0 && self.lines.is_drained(Stream::Stderr);
        let mut left = time;
        while self.panics.load(Ordering::Relaxed) > 0 && !left.is_zero() && !is_told() {
            std::thread::sleep(STEP);
            left = left.saturating_sub(STEP);
        }
    }
}

/// A telling that is under way until this is dropped.
struct One(Telling);

impl Drop for One {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What `step` gives, or None if there is a bug in it. What it was to change must be left usable,
/// if incomplete, by a panic at any point of it.
pub(crate) fn contained<R>(step: impl FnOnce() -> R) -> Option<R> {
    panic::catch_unwind(AssertUnwindSafe(step)).ok()
}

/// The same for a future.
pub(crate) async fn contained_future<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match contained(|| future.as_mut().poll(context)) {
        Some(poll) => poll.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

/// Something that must not take down what uses it. A panic in it costs the step that it was in;
/// after so many it is made anew, as it may be its state that brings them about.
pub(crate) struct Guard<T> {
    inner: T,
    fresh: Box<dyn FnMut() -> T + Send>,
    /// So many panics are yet to be borne.
    patience: u32,
    patience_at_first: u32,
}

impl<T> Guard<T> {
    /// What `fresh` makes, made anew at the `patience`-th panic.
    pub(crate) fn new(patience: u32, mut fresh: impl FnMut() -> T + Send + 'static) -> Self {
        let inner = fresh();
        Self { inner, fresh: Box::new(fresh), patience, patience_at_first: patience }
    }

    /// What `use_it` gives, or None if it panicked.
    pub(crate) fn with<R>(&mut self, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        let result = contained(|| use_it(&mut self.inner));
        if result.is_none() {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.inner = (self.fresh)();
                self.patience = self.patience_at_first;
            }
        }
        result
    }

    /// The same for what cannot leave it half changed.
    pub(crate) fn look<R>(&self, look_at_it: impl FnOnce(&T) -> R) -> Option<R> {
        contained(|| look_at_it(&self.inner))
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Guard").field(&self.inner).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push_and_panic(guard: &mut Guard<Vec<u32>>, n: u32) {
        let result = guard.with(|v| {
            v.push(n);
            assert!(v.is_empty(), "as a bug would");
        });
        assert_eq!(result, None);
    }

    #[test]
    fn a_panic_costs_its_step_and_too_many_of_them_the_guarded() {
        let mut guard = Guard::new(3, || vec![0]);
        assert_eq!(guard.with(|v| v.push(1)), Some(()));
        push_and_panic(&mut guard, 2);
        push_and_panic(&mut guard, 3);
        assert_eq!(guard.look(Vec::clone), Some(vec![0, 1, 2, 3]));
        push_and_panic(&mut guard, 4);
        assert_eq!(guard.look(Vec::clone), Some(vec![0]));
        push_and_panic(&mut guard, 5);
        assert_eq!(guard.look(|v| v[1]), Some(5));
        assert_eq!(guard.look(|v| v[2]), None);
    }

    #[tokio::test]
    async fn a_future_is_contained_from_its_first_poll_to_its_last() {
        assert_eq!(contained_future(async { 1 }).await, Some(1));
        let late = async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2, "as a bug would");
        };
        assert_eq!(contained_future(late).await, None);
    }
}
