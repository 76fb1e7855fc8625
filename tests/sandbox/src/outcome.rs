//! What is asked of the sandbox and what it answers.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// One invocation to make.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The event, as the function receives it; empty means `{}`.
    pub payload: Bytes,
    /// The request id; a fresh UUID when `None`. An asynchronous retry repeats it.
    pub request_id: Option<String>,
    /// The caller's `X-Amzn-Trace-Id`, passed on as it is; a fresh unsampled Root when `None`.
    pub trace_header: Option<String>,
    /// The client context, JSON.
    pub client_context: Option<String>,
}

impl Invocation {
    /// An invocation with this event.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), ..Self::default() }
    }

    /// The same with this `X-Amzn-Trace-Id`.
    #[must_use]
    pub fn with_trace_header(mut self, header: impl Into<String>) -> Self {
        self.trace_header = Some(header.into());
        self
    }

    /// The same with this request id.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }
}

/// A status as the Telemetry API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The runtime answered.
    Success,
    /// The runtime or an extension broke: an exit, a crash, an error of the platform.
    Failure,
    /// The handler reported an error.
    Error,
    /// The deadline passed.
    Timeout,
}

impl Status {
    /// `success`, `failure`, `error` or `timeout`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

/// How one invocation went.
#[derive(Debug, Clone)]
pub struct InvocationOutcome {
    /// The request id.
    pub request_id: String,
    /// As in `platform.report`.
    pub status: Status,
    /// As in `platform.report`, such as `Runtime.ExitError`; absent on success and on a timeout.
    pub error_type: Option<String>,
    /// What Invoke would answer: the function's response, or its error as JSON.
    pub payload: Bytes,
    /// Whether Invoke would carry `X-Amz-Function-Error`.
    pub function_error: bool,
    /// When the invoke phase began.
    pub started: SystemTime,
    /// From the begin of the invoke phase to the runtime's answer (or its end by force).
    pub duration_ms: f64,
    /// From the runtime's answer until every extension had asked for /next. Billed.
    pub post_runtime_ms: f64,
    /// An init that belongs to this invocation: the cold start before it, or a suppressed init
    /// inside it (`InitPhase::Invoke`).
    pub init: Option<InitOutcome>,
    /// For each extension that was sent INVOKE: the time from that answer to its next /next, in
    /// ms. Absent for one that did not ask in time.
    pub extension_next_ms: BTreeMap<String, f64>,
    /// The largest resident memory seen, all processes together, in MB.
    pub max_memory_used_mb: u64,
}

impl InvocationOutcome {
    /// The payload as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn payload_text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// The phase an init ran in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitPhase {
    /// The init phase proper.
    Init,
    /// Inside an invocation, at its cost: after a timeout, a crash or a failed init.
    Invoke,
}

impl InitPhase {
    /// `init` or `invoke`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
        }
    }
}

/// How an init went.
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// The phase it ran in.
    pub phase: InitPhase,
    /// Success, Error (reported by the runtime or an extension), Failure (an exit) or Timeout.
    pub status: Status,
    /// Such as `Runtime.ExitError` or `Extension.InitError`.
    pub error_type: Option<String>,
    /// How long it took, in ms.
    pub duration_ms: f64,
}

/// Why the environment shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// The environment was idle.
    Spindown,
    /// An invocation ran into its deadline.
    Timeout,
    /// The runtime or an extension failed.
    Failure,
}

impl ShutdownReason {
    /// `spindown`, `timeout` or `failure`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// How an extension process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionExit {
    /// The extension's name.
    pub name: String,
    /// The reason the environment was ended for.
    pub reason: ShutdownReason,
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// From the SHUTDOWN event (or the kill, when it was sent none) to its exit.
    pub took: Duration,
    /// Whether the sandbox killed it: it was not subscribed to SHUTDOWN, or outstayed its time.
    pub killed: bool,
}
