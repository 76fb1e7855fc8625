//! The wall clock, read in one place.
//!
//! Deadlines come from Lambda as wall-clock times, and a frozen sandbox may or may not count its
//! frozen time on the monotonic clock: so every decision here is made against the wall clock.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
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
