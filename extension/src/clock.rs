//! The wall clock, read in one place.
//!
//! Deadlines come from Lambda as wall-clock times, and a frozen sandbox may or may not count its
//! frozen time on the monotonic clock: so every decision here is made against the wall clock. Only
//! the last moments, in which nothing is frozen, go by the other one.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use triage_diagnosis::Timestamp;

/// What time it is. Cheap to clone; tests pass a clock of their own.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock. A time before 1970 is taken for 1970.
    #[must_use]
    pub(crate) fn system() -> Self {
        Self::new(|| {
            triage_diagnosis::fault_point!("clock");
            #[allow(clippy::disallowed_methods, reason = "the one place")]
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
            #[cfg(feature = "faults")]
            let ms = ms.saturating_add_signed(crate::faults::clock_offset_ms());
            Timestamp::from_ms(ms)
        })
    }

    /// Any other clock.
    pub(crate) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that shows `now` and goes on from there without ever being set.
    #[must_use]
    pub(crate) fn steady(now: Timestamp) -> Self {
        let begun = Instant::now();
        Self::new(move || {
            let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            now.plus_ms(elapsed_ms)
        })
    }

    /// The time now.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
