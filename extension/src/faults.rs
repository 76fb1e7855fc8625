//! Bugs and a clock on demand, for tests: only with the feature `faults`, which nothing that ships
//! has.

use std::ffi::OsString;
use std::sync::LazyLock;

/// Which places panic when: `place:n` or `place:n+`, separated by commas (see
/// [`triage_diagnosis::faults::arm`]).
const BUGS: &str = "TRIAGE_FAULT_BUGS";
/// The path of a file that holds a number of milliseconds, with or without a sign, by which the
/// clock is ahead. It is read anew each time; where it cannot be read, the clock is right.
const CLOCK: &str = "TRIAGE_FAULT_CLOCK";

/// Arms what the environment asks for. What makes no sense ends the process at once, so that no
/// test passes by a mistake in it.
pub(crate) fn arm() {
    let bugs = std::env::var(BUGS).unwrap_or_default();
    if triage_diagnosis::faults::arm(&bugs).is_err() {
        std::process::exit(78);
    }
}

/// How far the clock is ahead, in ms.
pub(crate) fn clock_offset_ms() -> i64 {
    static PATH: LazyLock<Option<OsString>> = LazyLock::new(|| std::env::var_os(CLOCK));
    let text = PATH.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
