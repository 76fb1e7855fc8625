//! `triage replay`: what the extension would have told, from what is left of an incident.

mod cloudwatch;
mod diagnosed;
mod labelled;
mod log_line;
mod output;
mod outside;
mod platform_line;
mod progress;
mod sandbox;
mod sandboxes;
mod settings;
mod steps;
mod summary;
mod unreadable;

pub(crate) use self::settings::ReplayOptions;

use crate::input::{Format, Lines, Place, Values, detect, sampled};
use crate::signatures;
use cloudwatch::{Entry, LogEvent};
use log_line::{LogLines, LogRecord};
use output::Output;
use outside::Outside;
use sandboxes::{Counts, Sandboxes};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write, stderr};
use std::path::PathBuf;
use triage_diagnosis::Body;
use triage_diagnosis::failed_requests::{self, DeadLetterNames, NoFailure};
use triage_diagnosis::signatures::Signatures;
use unreadable::Unreadable;

/// Why the input could not be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The file cannot be opened.
    #[error("{}: {error}", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The input ended in an error.
    #[error("the input cannot be read on ({place}): {error}")]
    Read {
        /// Where.
        place: Place,
        /// Why.
        error: io::Error,
    },
    /// The output ended in an error. A reader that is gone is none.
    #[error("the output cannot be written: {0}")]
    Write(io::Error),
    /// There is nothing in it.
    #[error("the input is empty")]
    Empty,
    /// Its first bytes say that it is no text of UTF-8.
    #[error("the input is {encoding}: {remedy}")]
    Encoded {
        /// What it is.
        encoding: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Nothing in it could be read.
    #[error("nothing in the input can be read as {0}; --format names another format")]
    Nothing(&'static str),
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No problem.
    Nothing,
    /// At least one.
    Problems,
}

/// Replays the input and tells what is found in it.
pub(crate) fn replay(options: &ReplayOptions) -> Result<Found, ReplayError> {
    let (reader, size): (Box<dyn Read>, Option<u64>) = match &options.file {
        Some(path) if path.as_os_str() != "-" => {
            let open = |error| ReplayError::Open { path: path.clone(), error };
            let file = File::open(path).map_err(open)?;
            let metadata = file.metadata().map_err(open)?;
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        }
        _ => {
            if io::stdin().is_terminal() {
                let _ = writeln!(stderr(), "triage: reading from the terminal; Ctrl-D ends it");
            }
            (Box::new(io::stdin()), None)
        }
    };
    let signatures = signatures(options)?;
    let begin = |error| ReplayError::Read { place: Place::START, error };
    let (sample, reader) = sampled(reader).map_err(begin)?;
    if sample.is_empty() {
        return Err(ReplayError::Empty);
    }
    encoded(&sample)?;
    let format = options.format.unwrap_or_else(|| detect(&sample));
    drop(sample);
    let mut replay = Replay {
        sandboxes: Sandboxes::new(
            options.settings(),
            signatures,
            options.function(),
            options.timeout_ms(),
            options.mounts(),
        ),
        outside: (format == Format::FailedRequests)
            .then(|| Outside::new(options.settings(), options.function())),
        output: Output::new(options, size),
        unreadable: Unreadable::default(),
        records: 0,
    };
    let read = match format {
        Format::Telemetry => replay.telemetry(Values::new(reader)),
        Format::Cloudwatch => replay.cloudwatch(Values::new(reader)),
        Format::FailedRequests => replay.failed_requests(Values::new(reader)),
        Format::Text => replay.text(Lines::new(reader)),
    };
    replay.end(read, format)
}

/// Refuses what would be read without finding anything in it: a calm that nothing stands behind.
///
/// # Errors
/// If the input begins as UTF-16 or as a compressed file does.
fn encoded(sample: &[u8]) -> Result<(), ReplayError> {
    const GZIP: &[u8] = &[0x1F, 0x8B, 0x08];
    const ZSTANDARD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
    // A byte order mark and a letter of ASCII.
    let is_utf16 = matches!(sample, [0xFF, 0xFE, 1..=0x7F, 0, ..] | [0xFE, 0xFF, 0, 1..=0x7F, ..]);
    let (encoding, remedy) = if is_utf16 {
        ("UTF-16, as PowerShell's > writes it", "write it with `| Out-File -Encoding utf8`")
    } else if sample.starts_with(GZIP) {
        ("compressed", "use `gzip -dc FILE | triage replay`")
    } else if sample.starts_with(ZSTANDARD) {
        ("compressed", "use `zstd -dc FILE | triage replay`")
    } else {
        return Ok(());
    };
    Err(ReplayError::Encoded { encoding, remedy })
}

/// The user's own signatures.
fn signatures(options: &ReplayOptions) -> Result<Signatures, ReplayError> {
    let Some(path) = &options.signatures else { return Ok(Signatures::default()) };
    let open = |error| ReplayError::Open { path: path.clone(), error };
    signatures::read(path).map(Signatures::keep).map_err(open)
}

struct Replay {
    sandboxes: Sandboxes,
    /// Where the input is of records of failed requests.
    outside: Option<Outside>,
    output: Output,
    unreadable: Unreadable,
    /// What could be read.
    records: u64,
}

/// Why a replay ends early.
enum Stop {
    Read(Place, io::Error),
    /// The reader of the output is gone.
    Gone,
    Write(io::Error),
}

impl From<io::Error> for Stop {
    /// From an error of the output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Gone } else { Self::Write(error) }
    }
}

impl Replay {
    /// Telemetry is that of one sandbox after another.
    fn telemetry(&mut self, mut values: Values<impl BufRead>) -> Result<(), Stop> {
        loop {
            let at = values.place();
            let Some(piece) = values.next().map_err(|error| Stop::Read(at, error))? else {
                self.output.progress(values.place().byte);
                return Ok(());
            };
            let place = piece.place;
            let left_out = piece.left_out;
            if let Some(step) = steps::read(piece.bytes) {
                self.sandboxes.step(step);
                self.records += 1;
            } else {
                let mut body = Body::new(piece.bytes.to_vec());
                while let Some(record) = body.next_record() {
                    match record {
                        Ok(record) => {
                            self.sandboxes.telemetry(record);
                            self.records += 1;
                        }
                        Err(malformed) => {
                            self.sandboxes.of_stream("", |s| s.malformed(malformed));
                            self.output.clear_progress();
                            let bytes = malformed.bytes as u64 + left_out;
                            self.unreadable.note(place, bytes, "no telemetry record");
                        }
                    }
                }
            }
            self.tell(place)?;
        }
    }

    /// What `aws logs filter-log-events` and `get-log-events` print: each log stream is a sandbox.
    fn cloudwatch(&mut self, mut values: Values<impl BufRead>) -> Result<(), Stop> {
        loop {
            let at = values.place();
            let Some(piece) = values.next().map_err(|error| Stop::Read(at, error))? else {
                self.output.progress(values.place().byte);
                return Ok(());
            };
            let place = piece.place;
            match cloudwatch::read(piece.bytes) {
                Some(Entry::Event(LogEvent { stream, at, message })) => {
                    let message = message.trim_end_matches('\n');
                    self.sandboxes.of_stream(&stream, |sandbox| sandbox.log_event(message, at));
                    self.records += 1;
                }
                Some(Entry::Searched) => {}
                None if piece.is_beside_events => {}
                None => {
                    let bytes = piece.bytes.len() as u64 + piece.left_out;
                    self.output.clear_progress();
                    self.unreadable.note(place, bytes, "no log event");
                }
            }
            self.tell(place)?;
        }
    }

    /// Records of requests that failed, in whatever they came in.
    fn failed_requests(&mut self, mut values: Values<impl BufRead>) -> Result<(), Stop> {
        // --function-name says whose those are that do not say it.
        let dead_letters = DeadLetterNames::new();
        loop {
            let at = values.place();
            let Some(piece) = values.next().map_err(|error| Stop::Read(at, error))? else {
                self.output.progress(values.place().byte);
                return Ok(());
            };
            let place = piece.place;
            let bytes = piece.bytes.len() as u64 + piece.left_out;
            let read = failed_requests::json(&String::from_utf8_lossy(piece.bytes));
            let items = read.map(|json| failed_requests::read(&json, &dead_letters));
            let mut unread = items.is_err().then_some(NoFailure::NotJson);
            for item in items.unwrap_or_default() {
                match (item.told, &mut self.outside) {
                    (Ok(requests), Some(outside)) => {
                        requests.into_iter().for_each(|request| outside.request(request));
                    }
                    (Ok(_), _) => {}
                    (Err(why), _) => {
                        unread = Some(why);
                        continue;
                    }
                }
                self.records += 1;
            }
            if let Some(why) = unread {
                self.output.clear_progress();
                let what = format!("no record of a failed request: {why}");
                self.unreadable.note(place, bytes, &what);
            }
            self.tell(place)?;
        }
    }

    fn text(&mut self, mut lines: Lines<impl BufRead>) -> Result<(), Stop> {
        let mut records = LogLines::default();
        loop {
            let place = lines.place();
            let line = lines.next().map_err(|error| Stop::Read(place, error))?;
            let is_end = line.is_none();
            let whole = match line {
                None => records.take(),
                Some(line) => {
                    if line.left_out > 0 {
                        self.output.clear_progress();
                        self.unreadable.note(line.place, line.left_out, "the end of a line");
                    }
                    if line.text.contains('\u{fffd}') {
                        self.unreadable.not_utf8 += 1;
                    } else if !line.text.is_empty() {
                        self.records += 1;
                    }
                    records.push(&line.text)
                }
            };
            if let Some(LogRecord { stream, at, text }) = whole {
                self.sandboxes.of_stream(&stream, |sandbox| sandbox.log_event(&text, at));
            }
            self.tell(place)?;
            if is_end {
                return Ok(());
            }
        }
    }

    fn tell(&mut self, place: Place) -> Result<(), Stop> {
        let outside = self.outside.as_mut().map(Outside::told).unwrap_or_default();
        for told in self.sandboxes.told().into_iter().chain(outside) {
            self.output.tell(&told)?;
        }
        self.output.progress(place.byte);
        Ok(())
    }

    fn end(mut self, read: Result<(), Stop>, format: Format) -> Result<Found, ReplayError> {
        let unread = match read {
            Ok(()) => None,
            Err(Stop::Read(place, error)) => Some(ReplayError::Read { place, error }),
            Err(stop) => return self.stopped(stop),
        };
        self.sandboxes.finish();
        if let Some(outside) = &mut self.outside {
            outside.finish();
        }
        let told = self.tell(Place::START);
        self.output.clear_progress();
        self.unreadable.tell_the_rest();
        if let Some(error) = unread {
            return told.map_or_else(|stop| self.stopped(stop), |()| Err(error));
        }
        // Lines are looked at, whatever bytes are in them.
        let has_told = format == Format::Text && self.output.found() == Found::Problems;
        if self.records == 0 && self.unreadable.is_any() && !has_told {
            return Err(ReplayError::Nothing(match format {
                Format::Telemetry => "telemetry",
                Format::Cloudwatch => "events of CloudWatch Logs",
                Format::FailedRequests => "records of failed requests",
                Format::Text => "text",
            }));
        }
        let outside = self.outside.as_ref().map(|outside| (outside.requests, outside.unknown));
        let counts = Counts { outside, ..self.sandboxes.counts() };
        match told.and_then(|()| Ok(self.output.summary(counts)?)) {
            Ok(()) => Ok(self.output.found()),
            Err(stop) => self.stopped(stop),
        }
    }

    fn stopped(&self, stop: Stop) -> Result<Found, ReplayError> {
        match stop {
            Stop::Gone => Ok(self.output.found()),
            Stop::Write(error) => Err(ReplayError::Write(error)),
            Stop::Read(place, error) => Err(ReplayError::Read { place, error }),
        }
    }
}
