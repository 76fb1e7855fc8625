//! The function's log group: what the processes printed and what the platform adds.

use std::fmt;
use std::time::SystemTime;

/// Who wrote a log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// The function's runtime process.
    Function,
    /// The extension of this name.
    Extension(String),
    /// Lambda itself: START, END, REPORT and their JSON forms.
    Platform,
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function => f.write_str("function"),
            Self::Extension(name) => write!(f, "extension {name}"),
            Self::Platform => f.write_str("platform"),
        }
    }
}

/// The way an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The framed log descriptor named by `_LAMBDA_TELEMETRY_LOG_FD`.
    Framed,
    /// Made by the platform.
    Platform,
}

/// One event of the function's log group, as CloudWatch Logs would hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When it was written.
    pub time: SystemTime,
    /// Who wrote it.
    pub source: LogSource,
    /// The way it came.
    pub stream: LogStream,
    /// The text, without its line end. Bytes that are not UTF-8 are shown as U+FFFD.
    pub text: String,
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.text)
    }
}
