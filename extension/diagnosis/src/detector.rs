//! What a detector is and what it is shown.

use crate::chain::Sighting;
use crate::finding::{Finding, View};
use crate::input::Dropped;
use crate::invocation::Attempt;
use crate::level::Level;
use crate::matching::LogMatch;
use crate::mounts::Mount;
use crate::outside::{FailedRequest, FunctionState};
use crate::record::{ExtensionState, InitEnd, InvocationReport, LogsDropped, RuntimeDone};
use crate::text::Text;
use crate::{Settings, Timestamp};

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
    /// Whose failures it tells of.
    pub views: &'static [View],
    /// What it is seen by; any of them will do.
    pub signs: &'static [Sign],
    /// What a user may set about it.
    pub knobs: &'static [Knob],
    /// The texts it looks for in the function's log.
    pub texts: &'static [Text],
    /// The rule. It keeps no state: all it may use is the case.
    pub examine: fn(&Case<'_>) -> Option<Finding>,
}

/// What a problem can be seen by, which also says how late its alarm can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The INVOKE event.
    Invoke,
    /// A record of the function's own log.
    Log,
    /// `platform.initRuntimeDone` or `platform.initReport`, and those of a restore
    InitDone,
    /// `platform.extension`
    Extension,
    /// A look at the function's processes shortly before the deadline.
    Deadline,
    /// `platform.runtimeDone`
    RuntimeDone,
    /// `platform.report`
    Report,
    /// The SHUTDOWN event with its reason.
    Shutdown,
    /// What is known of lost telemetry.
    TelemetryLost,
    /// The record of a failed request, outside the function.
    FailedRequest,
    /// What Lambda, KMS and the account tell of the function's state, outside the function.
    State,
}

impl Sign {
    /// What it is, for the manual.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Log => "the function's log",
            Self::InitDone => "platform.initRuntimeDone, platform.initReport",
            Self::Extension => "platform.extension",
            Self::Deadline => "a look at the function's processes shortly before the deadline",
            Self::RuntimeDone => "platform.runtimeDone",
            Self::Report => "platform.report",
            Self::Shutdown => "SHUTDOWN",
            Self::TelemetryLost => "platform.logsDropped, the extension's own counters",
            Self::FailedRequest => "outside: records of failed requests",
            Self::State => "outside: states of functions and keys",
        }
    }
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

/// What a detector is shown: what has just happened, to which invocation, in which sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What has just happened.
    pub event: CaseEvent<'a>,
    /// When, by the platform's clock where it told.
    pub at: Timestamp,
    /// The invocation it happened to, as far as it is known; None for what belongs to none.
    pub attempt: Option<&'a Attempt>,
    /// The record that it is about, where it is seen from outside the function.
    pub failed_request: Option<&'a FailedRequest>,
    /// The timeout, in milliseconds: the longest time that an invocation of this sandbox had when
    /// it began, rounded up to a second. None while none is known.
    pub timeout_ms: Option<u64>,
    /// What is mounted in this sandbox; None while that is not known.
    pub mounts: Option<&'a [Mount]>,
    /// How the sandbox's initialization ended, where that is known.
    pub init: Option<&'a InitEnd>,
    /// How much of the invocation's time the initialization took so far, in milliseconds, where it is a
    /// part of it.
    pub init_ms: Option<u64>,
    /// The names of all extensions that the platform has told of, this one's too.
    pub extension_names: &'a [String],
    /// The user's settings.
    pub settings: &'a Settings,
}

/// What has just happened.
#[derive(Clone, Copy, Debug)]
pub enum CaseEvent<'a> {
    /// An invocation has begun, and this is what is known of the chain of invocations it is in.
    Invoked(&'a Sighting),
    /// A log record holds texts of this detector.
    Logged(&'a LogMatch<'a>),
    /// `platform.initRuntimeDone`, `platform.initReport` or those of a restore
    InitDone(&'a InitEnd),
    /// `platform.extension`
    Extension(&'a ExtensionState),
    /// The function's processes were looked at shortly before the deadline: how long there is left, in
    /// milliseconds.
    Deadline(u64),
    /// `platform.runtimeDone`
    RuntimeDone(&'a RuntimeDone),
    /// `platform.report`
    Report(&'a InvocationReport),
    /// SHUTDOWN, with the platform's reason in lower case.
    Shutdown(&'a str),
    /// A request to the function failed, as a record outside tells.
    FailedRequest(&'a FailedRequest),
    /// What is known of the function's state, outside of it.
    State(&'a FunctionState),
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
