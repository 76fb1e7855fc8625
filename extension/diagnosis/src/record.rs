//! One record of the Telemetry API, as far as anything here looks at it.
//!
//! The shapes follow the [Event schema reference][1]; AWS's own examples omit fields, so all but
//! the request id may be absent.
//!
//! [1]: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html

use crate::Timestamp;
use std::borrow::Cow;

/// One record: when it was made and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// When the platform says it happened; absent where the record had no time that could be read.
    pub time: Option<Timestamp>,
    /// What it says.
    pub body: RecordBody<'a>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecordBody<'a> {
    /// `platform.initStart`
    InitStart(InitStart),
    /// `platform.initRuntimeDone`, `platform.initReport`, `platform.restoreRuntimeDone` or
    /// `platform.restoreReport`
    InitEnd(InitEnd),
    /// `platform.extension`
    Extension(ExtensionState),
    /// `platform.start`
    Start(Start),
    /// `platform.runtimeDone`
    RuntimeDone(RuntimeDone),
    /// `platform.report`
    Report(InvocationReport),
    /// `platform.logsDropped`
    LogsDropped(LogsDropped),
    /// `function`
    Function(FunctionLog<'a>),
    /// A type that nothing here looks at. New ones appear without notice.
    Unwatched,
}

/// `platform.initStart`: the sandbox initializes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitStart {
    /// Whether it does so within an invocation, after a crash or timeout of the one before (phase
    /// `invoke`): it takes its time from that invocation's.
    pub is_within_invocation: bool,
}

/// How the initialization of the sandbox, or its restore from a snapshot, ended: for its runtime
/// (`platform.initRuntimeDone`) or in all (`platform.initReport`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitEnd {
    /// Which.
    pub phase: InitPhase,
    /// How it ended.
    pub status: Status,
    /// The platform's name for the error, such as `Runtime.ImportModuleError`.
    pub error_type: Option<String>,
    /// `metrics.durationMs`
    pub duration_ms: Option<f64>,
}

/// When a sandbox initializes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitPhase {
    /// Before any invocation (phase `init`, or `snap-start` before the snapshot is taken).
    #[default]
    Init,
    /// Within an invocation, on its time, since the one before it failed (phase `invoke`).
    Invoke,
    /// The restore of a snapshot.
    Restore,
}

impl InitPhase {
    /// From the platform's word, in any case of letters; what is not known is the first phase.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        if word.eq_ignore_ascii_case("invoke") { Self::Invoke } else { Self::Init }
    }

    /// Its name in the lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
            Self::Restore => "restore",
        }
    }
}

/// `platform.extension`: the state that an extension of the sandbox is in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtensionState {
    /// The extension's name: that of its executable.
    pub name: Option<String>,
    /// The platform's name for the error, such as `Extension.LaunchError`.
    pub error_type: Option<String>,
}

/// `platform.start`: an invocation begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The invocation's request id.
    pub request_id: String,
    /// The X-Amzn-Trace-Id header, from `tracing.value`.
    pub trace_header: Option<String>,
    /// The function's ARN; sent by newer schemas only.
    pub function_arn: Option<String>,
}

/// `platform.runtimeDone`: the runtime has finished with an invocation, well or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeDone {
    /// The invocation's request id.
    pub request_id: String,
    /// How it ended.
    pub status: Status,
    /// The platform's name for the error, such as `Runtime.ExitError`.
    pub error_type: Option<String>,
    /// `metrics.durationMs`
    pub duration_ms: Option<f64>,
    /// `metrics.producedBytes`: the size of the response.
    pub produced_bytes: Option<u64>,
}

/// `platform.report`: the platform's account of an invocation. It often comes an invocation late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InvocationReport {
    /// The invocation's request id.
    pub request_id: String,
    /// How it ended.
    pub status: Status,
    /// The platform's name for the error, such as `Sandbox.Timedout`.
    pub error_type: Option<String>,
    /// `metrics.durationMs`
    pub duration_ms: Option<f64>,
    /// `metrics.maxMemoryUsedMB`: the most that the sandbox has used since it began.
    pub max_memory_used_mb: Option<u64>,
    /// `metrics.memorySizeMB`: what the function may use.
    pub memory_size_mb: Option<u64>,
}

/// `platform.logsDropped`: the platform could not deliver telemetry and threw it away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogsDropped {
    /// How many records are lost.
    pub records: Option<u64>,
    /// How many bytes they had.
    pub bytes: Option<u64>,
    /// The platform's reason, in prose.
    pub reason: Option<String>,
}

/// `function`: what the function wrote to its log.
#[derive(Clone, Debug, PartialEq)]
pub enum FunctionLog<'a> {
    /// Text, of one line or many.
    Text(Cow<'a, str>),
    /// JSON that is not a string: an object where the function logs in JSON, or any other JSON
    /// that the function printed. As it was sent.
    Json(&'a str),
}

impl FunctionLog<'_> {
    /// What was sent: the text, or the JSON as it stands.
    #[must_use]
    pub fn sent(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Json(json) => json,
        }
    }
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// `success`: says nothing of what the handler logged on its way.
    Success,
    /// `failure`: the runtime reported an error.
    Failure,
    /// `error`: the runtime or the sandbox broke.
    Error,
    /// `timeout`
    Timeout,
    /// None was given, or one that is not known here.
    #[default]
    Unknown,
}

impl Status {
    /// From the platform's word, in any case of letters.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "success" => Self::Success,
            "failure" => Self::Failure,
            "error" => Self::Error,
            "timeout" => Self::Timeout,
            _ => Self::Unknown,
        }
    }
}
