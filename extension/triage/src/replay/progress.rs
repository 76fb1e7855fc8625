//! How far a replay is, on a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);
/// How many bytes pass before the clock is looked at.
const STEP_BYTES: u64 = 64 * 1024;

/// A line on standard error that is written over.
#[derive(Debug)]
pub(crate) struct Progress {
    is_wanted: bool,
    size: Option<u64>,
    looked_at: u64,
    shown: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Of an input whose size is known or not. Shown on a terminal alone.
    pub(crate) fn new(size: Option<u64>) -> Self {
        let is_wanted = stderr().is_terminal();
        Self { is_wanted, size, looked_at: 0, shown: None, is_shown: false }
    }

    /// So many bytes have been worked through, and so many problems found.
    pub(crate) fn update(&mut self, bytes: u64, problems: u64) {
        if !self.is_wanted || bytes < self.looked_at + STEP_BYTES {
            return;
        }
        self.looked_at = bytes;
        let now = Instant::now();
        // What is over at once needs no progress.
        if now.duration_since(*self.shown.get_or_insert(now)) < PAUSE {
            return;
        }
        self.shown = Some(now);
        self.is_shown = true;
        let _ = write!(stderr(), "\r{}\x1b[K", line(bytes, self.size, problems));
    }

    /// Makes room for other output.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(bytes: u64, size: Option<u64>, problems: u64) -> String {
    let read = match size {
        Some(size) if size > 0 => {
            let percent = (bytes.min(size) as f64 * 100.0 / size as f64).floor();
            format!("{percent} % of {}", amount(size))
        }
        _ => format!("{} read", amount(bytes)),
    };
    format!("{read}, {problems} problems")
}

/// `1.2 GB`
pub(crate) fn amount(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1_000.0 && unit + 1 < units.len() {
        amount /= 1_000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_percent_where_the_size_is_known() {
        assert_eq!(line(450_000_000, Some(1_000_000_000), 2), "45 % of 1.0 GB, 2 problems");
        assert_eq!(line(450_000, None, 0), "450.0 kB read, 0 problems");
        // A file may grow while it is read.
        assert_eq!(line(2_000, Some(1_000), 0), "100 % of 1.0 kB, 0 problems");
        assert_eq!(amount(999), "999 bytes");
    }
}
