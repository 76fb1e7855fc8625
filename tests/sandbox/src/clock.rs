//! The wall clock of the environment: the system's, and what it was stepped by since.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct Clock {
    /// Where the offset is written for processes that live by this clock.
    file: Option<PathBuf>,
    offset_ms: Mutex<i64>,
}

impl Clock {
    pub(crate) fn new(file: Option<PathBuf>) -> io::Result<Self> {
        let clock = Self { file, offset_ms: Mutex::default() };
        clock.step(0)?;
        Ok(clock)
    }

    /// Sets the clock forward, or back.
    pub(crate) fn step(&self, by_ms: i64) -> io::Result<()> {
        let mut offset_ms = self.lock();
        let stepped = offset_ms.saturating_add(by_ms);
        if let Some(file) = &self.file {
            // By a rename: whoever reads it sees the whole number.
            let new = file.with_extension("new");
            std::fs::write(&new, stepped.to_string())?;
            std::fs::rename(&new, file)?;
        }
        *offset_ms = stepped;
        Ok(())
    }

    pub(crate) fn now(&self) -> SystemTime {
        let offset_ms = *self.lock();
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let now = SystemTime::now();
        let stepped = if offset_ms < 0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        stepped.unwrap_or(now)
    }

    /// Milliseconds since 1970, this long from now.
    pub(crate) fn epoch_ms_in(&self, delay: Duration) -> u64 {
        let since = (self.now() + delay).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Now, as telemetry spells it.
    pub(crate) fn rfc3339(&self) -> String {
        humantime::format_rfc3339_millis(self.now()).to_string()
    }

    fn lock(&self) -> MutexGuard<'_, i64> {
        self.offset_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
