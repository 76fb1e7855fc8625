//! What a detector is, what it is shown and what it answers.

use crate::invocation::Attempt;
use crate::matching::LogMatch;
use crate::record::{InvocationReport, LogsDropped, RuntimeDone};
use crate::{Dropped, Settings, Timestamp};
use serde_json::{Map, Value};

/// One detector: everything that is said of a problem, and the rule that sees it. It lives in one
/// file under `detectors/`, whose `//!` text is its manual.
#[derive(Debug)]
pub struct Detector {
    /// The problem's name in the lines, in kebab-case.
    pub problem: &'static str,
    /// What it is, in a few words, for tables.
    pub title: &'static str,
    /// The level of a line that confirms it.
    pub level: Level,
    /// The CloudWatch metric that a confirmed one counts in.
    pub metric: &'static str,
    /// What to do, when the finding names no cause with advice of its own.
    pub advice: &'static str,
    /// The finer causes it may name.
    pub causes: &'static [Cause],
    /// The page that explains it.
    pub reference: &'static str,
    /// Problems that need no line of their own in an invocation in which this one is found.
    pub outranks: &'static [&'static str],
    /// What a user may set about it.
    pub knobs: &'static [Knob],
    /// The texts it looks for in the function's log.
    pub texts: &'static [Text],
    /// The rule. It keeps no state: all it may use is the case.
    pub examine: fn(&Case<'_>) -> Option<Finding>,
}

/// A finer cause of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Its name in the lines, in kebab-case.
    pub name: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// A setting that changes what a detector does.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// The environment variable.
    pub variable: &'static str,
    /// Its default, as one would write it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// How much a line weighs: CloudWatch's filters and Lambda's log levels go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `TRACE`
    Trace,
    /// `DEBUG`
    Debug,
    /// `INFO`
    Info,
    /// `WARN`
    Warn,
    /// `ERROR`, and whatever is above it.
    Error,
}

impl Level {
    /// As Lambda's JSON log format writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A text that a detector looks for in a log line.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// What to find; the case of letters counts.
    pub needle: &'static str,
    /// How it must stand to mean that the error happened.
    pub shape: Shape,
    /// What else the record must hold.
    pub context: Context,
    /// Whose failure it tells of.
    pub view: View,
    /// The finer cause it names, if any.
    pub cause: Option<&'static str>,
}

impl Text {
    /// The name of an error class or code.
    #[must_use]
    pub(crate) const fn error(needle: &'static str, view: View) -> Self {
        Self { needle, shape: Shape::ErrorName, context: Context::Any, view, cause: None }
    }

    /// Words of an error's message.
    #[must_use]
    pub(crate) const fn message(needle: &'static str, view: View) -> Self {
        Self { shape: Shape::Message, ..Self::error(needle, view) }
    }

    /// Counts only in a record that speaks of KMS.
    #[must_use]
    pub(crate) const fn about_kms(self) -> Self {
        Self { context: Context::Kms, ..self }
    }

    /// Names a finer cause.
    #[must_use]
    pub(crate) const fn names(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

/// How a text must stand in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The name of an error class or code: a whole word, where SDKs and runtimes print the error
    /// they report (`Name: …`, `(Name) when calling`, `"__type": "…#Name"`), and not a mention.
    ErrorName,
    /// Words that only the error's own message has.
    Message,
}

/// What else a record must hold for a text to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nothing.
    Any,
    /// A sign that the error is of AWS KMS: other services have errors of the same name.
    Kms,
}

/// Whose failure a diagnosis tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// This function's own.
    Function,
    /// That of a function it called.
    Caller,
}

impl View {
    /// Its name in the lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Caller => "caller",
        }
    }
}

/// How sure a diagnosis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What is seen fits, but may have another explanation. Counts in `SuspectedProblems` alone.
    Suspected,
    /// The platform or the service that failed said so. Counts in its metric and in `Problems`.
    Confirmed,
}

impl Stage {
    /// Its name in the lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
        }
    }
}

/// What a detector is shown: what has just happened, to which invocation, in which sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What has just happened.
    pub event: CaseEvent<'a>,
    /// When, by the platform's clock where it told.
    pub at: Timestamp,
    /// The invocation it happened to, as far as it is known; None for what belongs to none.
    pub attempt: Option<&'a Attempt>,
    /// The timeout, in milliseconds: the longest time that an invocation of this sandbox had when
    /// it began, rounded up to a second. None while none is known.
    pub timeout_ms: Option<u64>,
    /// The user's settings.
    pub settings: &'a Settings,
}

/// What has just happened.
#[derive(Clone, Copy, Debug)]
pub enum CaseEvent<'a> {
    /// An invocation has begun, and this is what is known of the chain of invocations it is in.
    Invoked(&'a crate::chain::Sighting),
    /// A log record holds texts of this detector.
    Logged(&'a LogMatch<'a>),
    /// `platform.runtimeDone`
    RuntimeDone(&'a RuntimeDone),
    /// `platform.report`
    Report(&'a InvocationReport),
    /// SHUTDOWN, with the platform's reason in lower case.
    Shutdown(&'a str),
    /// Telemetry is lost: what follows may be incomplete.
    TelemetryLost(&'a Loss),
}

/// How telemetry was lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// The platform gave up delivering.
    Platform(LogsDropped),
    /// The extension could not take in what was delivered.
    Overflow(Dropped),
    /// What was delivered could not be read.
    Malformed {
        /// How many pieces.
        pieces: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// More invocations were open at once than are kept.
    Attempts {
        /// How many were given up unfinished.
        forgotten: u64,
    },
}

/// What a detector has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How sure it is.
    pub stage: Stage,
    /// Whose failure it is.
    pub view: View,
    /// The finer cause, one of the detector's.
    pub cause: Option<&'static str>,
    /// When it happened.
    pub at: Timestamp,
    /// One sentence for a person.
    pub message: String,
    /// What it rests on: camelCase names to values.
    pub evidence: Map<String, Value>,
    /// Values for metrics of its own, beside the count of its problem.
    pub values: Vec<(&'static str, f64)>,
    /// How many signs of it there were: log records that told of it count one each.
    pub occurrences: u64,
    /// Whether a later record may explain it away, so that it waits for the platform's report.
    pub awaits_report: bool,
}

impl Finding {
    /// A confirmed failure of this function, without evidence yet.
    #[must_use]
    pub fn confirmed(at: Timestamp, message: String) -> Self {
        Self {
            stage: Stage::Confirmed,
            view: View::Function,
            cause: None,
            at,
            message,
            evidence: Map::new(),
            values: Vec::new(),
            occurrences: 1,
            awaits_report: false,
        }
    }

    /// A suspected failure of this function, without evidence yet.
    #[must_use]
    pub fn suspected(at: Timestamp, message: String) -> Self {
        Self { stage: Stage::Suspected, ..Self::confirmed(at, message) }
    }

    /// Names the cause.
    #[must_use]
    pub fn cause(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// Adds evidence; a None is left out.
    #[must_use]
    pub fn evidence<V: Into<Value>>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            self.evidence.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Waits for the platform's report before it is told.
    #[must_use]
    pub fn awaiting_report(self) -> Self {
        Self { awaits_report: true, ..self }
    }

    /// Takes in another finding of the same problem in the same invocation: the surer one speaks,
    /// the evidence is that of both.
    pub(crate) fn merge(&mut self, mut other: Self, adds_occurrences: bool) {
        let occurrences = if adds_occurrences {
            self.occurrences.saturating_add(other.occurrences)
        } else {
            self.occurrences.max(other.occurrences)
        };
        // Of two that are equally sure, the one that needs nothing more says more.
        let rank = |finding: &Self| (finding.stage, !finding.awaits_report);
        if rank(&other) > rank(self) {
            std::mem::swap(self, &mut other);
        }
        for (name, value) in other.evidence {
            self.evidence.entry(name).or_insert(value);
        }
        self.cause = self.cause.or(other.cause);
        self.at = self.at.min(other.at);
        self.awaits_report &= other.awaits_report;
        self.occurrences = occurrences;
    }
}
