//! The extension's own log: `tracing` events as lines on standard error.
//!
//! A subscriber of our own: it writes through the queue of [`Lines`], limits the rate, and needs no
//! more than one line of text. `tracing-subscriber`'s `fmt` in its place was measured to add 48 KB
//! to the program, 84 KB to its memory and five crates, and would still need the rate limit.

use crate::clock::Clock;
use crate::panics::contained;
use crate::sinks::{LINE_MAX_BYTES, Lines, Stream};
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use triage_diagnosis::{Timestamp, fault_point};

/// So many lines in a minute; the rest are counted and the count is told with the next line.
const LINES_PER_MINUTE: u32 = 20;
const MINUTE_MS: u64 = 60_000;
/// Longer text is cut.
const TEXT_MAX_BYTES: usize = 1024;
/// What every line begins with, so that it can be told from the function's own.
const PREFIX: &str = "lambda-triage";

/// Writes events of a level and above to standard error.
#[derive(Debug)]
pub(crate) struct LogSubscriber {
    level: LevelFilter,
    lines: Lines,
    clock: Clock,
    rate: Mutex<Rate>,
}

#[derive(Debug, Default)]
struct Rate {
    minute: Timestamp,
    lines: u32,
    left_out: u64,
}

impl LogSubscriber {
    /// From `level` up, into `lines`.
    #[must_use]
    pub(crate) fn new(level: LevelFilter, lines: Lines, clock: Clock) -> Self {
        Self { level, lines, clock, rate: Mutex::default() }
    }

    /// How many lines were left out before this one, or None if this one is to be left out.
    fn admit(&self) -> Option<u64> {
        let now = self.clock.now();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        // Also if the clock was set back.
        if now.ms_since(rate.minute) >= MINUTE_MS || now < rate.minute {
            rate.minute = now;
            rate.lines = 0;
        }
        if rate.lines >= LINES_PER_MINUTE {
            rate.left_out += 1;
            return None;
        }
        rate.lines += 1;
        Some(std::mem::take(&mut rate.left_out))
    }
}

impl Subscriber for LogSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What libraries log may quote requests, and what signs them.
        *metadata.level() <= self.level && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    /// Whoever logs goes on, whatever bug is here.
    fn event(&self, event: &Event<'_>) {
        let _ = contained(|| self.write(event));
    }

    // Spans are not used here, and none of what is used makes any.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl LogSubscriber {
    fn write(&self, event: &Event<'_>) {
        fault_point!("log");
        let Some(left_out) = self.admit() else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        let level = event.metadata().level();
        let note = match left_out {
            0 => String::new(),
            n => format!(" ({n} lines were left out before this one)"),
        };
        let line = format!("{PREFIX} {level}: {}{note}", text.0);
        debug_assert!(line.len() < LINE_MAX_BYTES);
        self.lines.push(Stream::Stderr, &line);
    }
}

/// An event's message and fields, on one line and cut to [`TEXT_MAX_BYTES`].
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `Text` fails only by its length, and then enough is written.
        let _ = match field.name() {
            "message" => write!(self, "{value:?}"),
            name => write!(self, " {name}={value:?}"),
        };
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for c in part.chars() {
            if self.0.len() + c.len_utf8() > TEXT_MAX_BYTES {
                return Err(fmt::Error);
            }
            self.0.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Paper;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tracing::{debug, error, info, warn};

    fn logged(level: LevelFilter, log: impl FnOnce(&AtomicU64)) -> Vec<String> {
        let paper = Paper::default();
        let lines = paper.lines();
        let ms = Arc::new(AtomicU64::new(1_000_000));
        let m = ms.clone();
        let clock = Clock::new(move || Timestamp::from_ms(m.load(Ordering::Relaxed)));
        let subscriber = LogSubscriber::new(level, lines.clone(), clock);
        tracing::subscriber::with_default(subscriber, || log(&ms));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lines.drained(Stream::Stderr));
        paper.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn writes_the_level_and_what_is_above_it() {
        let lines = logged(LevelFilter::WARN, |_| {
            error!("one");
            warn!(port = 7, name = "x", "two {}", 2);
            info!("three");
            debug!("four");
        });
        assert_eq!(
            lines,
            ["lambda-triage ERROR: one", "lambda-triage WARN: two 2 port=7 name=\"x\""]
        );
    }

    /// They may quote requests, and what signs them.
    #[test]
    fn what_libraries_log_is_not_written() {
        let lines = logged(LevelFilter::TRACE, |_| {
            error!(target: "aws_smithy_runtime::client", "hunter2");
            warn!(target: "hyper_util", "hunter2");
            error!("ours");
        });
        assert_eq!(lines, ["lambda-triage ERROR: ours"]);
    }

    #[test]
    fn a_storm_is_cut_and_counted() {
        let lines = logged(LevelFilter::WARN, |ms| {
            for n in 0..50 {
                warn!("storm {n}");
            }
            ms.fetch_add(59_999, Ordering::Relaxed);
            warn!("still the same minute");
            ms.fetch_add(1, Ordering::Relaxed);
            warn!("after");
            warn!("later");
        });
        assert_eq!(lines.len(), 22);
        assert_eq!(lines[20], "lambda-triage WARN: after (31 lines were left out before this one)");
        assert_eq!(lines[21], "lambda-triage WARN: later");
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let lines = logged(LevelFilter::WARN, |_| {
            warn!("a\r\nb\x1b");
            warn!("{}", "ä".repeat(10_000));
        });
        assert_eq!(lines[0], "lambda-triage WARN: a  b ");
        assert_eq!(lines[1].len(), "lambda-triage WARN: ".len() + TEXT_MAX_BYTES);
        assert_eq!(lines.len(), 2);
    }
}
