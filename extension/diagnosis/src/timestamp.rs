//! Wall-clock time, as Lambda speaks of it.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A point of wall-clock time: milliseconds since the Unix epoch, the unit of `deadlineMs` and of
/// EMF's `Timestamp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last millisecond of the year 9999: RFC 3339 has no notation for what comes after.
    const MAX_MS: u64 = 253_402_300_799_999;

    /// From milliseconds since the Unix epoch; a time after the year 9999 becomes its last
    /// millisecond.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(if ms > Self::MAX_MS { Self::MAX_MS } else { ms })
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// From an RFC 3339 text as the Telemetry API writes it (`2022-10-12T00:00:15.064Z`). None for
    /// any other text and for times before the epoch.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::from_ms(u64::try_from(since_epoch.as_millis()).ok()?))
    }

    /// Milliseconds from `earlier` to this; 0 if `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This much later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self::from_ms(self.0.saturating_add(ms))
    }

    /// This much earlier; the epoch at the earliest.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_telemetry_writes() {
        for text in
            ["2022-10-12T00:00:15.064Z", "1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
        {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::parse("2022-10-12T00:00:15Z").unwrap().as_ms(), 1_665_532_815_000);
        assert_eq!(
            Timestamp::parse("2022-10-12T00:00:15.064999999Z").unwrap().as_ms(),
            1_665_532_815_064
        );
        for text in ["", "now", "2022-10-12", "2022-13-12T00:00:15Z", "2022-10-12T00:00:15"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_value_overflows_or_fails_to_print() {
        let last = Timestamp::from_ms(u64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(last.plus_ms(u64::MAX), last);
        assert_eq!(Timestamp::default().minus_ms(1).as_ms(), 0);
        assert_eq!(Timestamp::default().ms_since(last), 0);
    }
}
