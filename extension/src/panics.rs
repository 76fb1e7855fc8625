//! What happens when there is a bug here: it is told where, and everything else goes on.

use crate::sinks::{Lines, Stream};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicU32, Ordering};

/// So many panics are told of; a bug in the way of every record must not become a storm.
const TOLD: u32 = 10;

/// From now on a panic writes the place where it happened, and never its message: that may quote
/// a log line or a payload.
pub(crate) fn tell_only_the_place(lines: Lines) {
    let count = AtomicU32::new(0);
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let nth = count.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if nth > TOLD {
            return;
        }
        let line = match info.location() {
            Some(place) => format!(
                "lambda-triage ERROR: a bug in the extension at {}:{} (number {nth})",
                place.file(),
                place.line()
            ),
            None => format!("lambda-triage ERROR: a bug in the extension (number {nth})"),
        };
        lines.push_from_hook(Stream::Stderr, &line);
    }));
}

/// Something that must not take down what uses it. After a panic it is made anew, since nobody
/// knows what state it was left in.
pub(crate) struct Guard<T> {
    inner: T,
    fresh: Box<dyn Fn() -> T + Send>,
}

impl<T> Guard<T> {
    /// What `fresh` makes.
    pub(crate) fn new(fresh: impl Fn() -> T + Send + 'static) -> Self {
        Self { inner: fresh(), fresh: Box::new(fresh) }
    }

    /// What `use_it` gives, or None if it panicked.
    pub(crate) fn with<R>(&mut self, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        // Nothing of what a panic may have left half done is seen again.
        let result = panic::catch_unwind(AssertUnwindSafe(|| use_it(&mut self.inner)));
        if result.is_err() {
            self.inner = (self.fresh)();
        }
        result.ok()
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

    #[test]
    fn after_a_panic_the_guarded_is_new_and_usable() {
        let mut guard = Guard::new(|| vec![0]);
        assert_eq!(guard.with(|v| v.push(1)), Some(()));
        assert_eq!(
            guard.with(|v| {
                v.push(2);
                assert!(v.is_empty(), "as a bug would");
            }),
            None
        );
        assert_eq!(guard.with(|v| v.clone()), Some(vec![0]));
    }
}
