//! What a sandbox is made of. Every field has a default that suits a small function.

use std::path::PathBuf;
use std::time::Duration;

use crate::faults::Faults;

/// The whole sandbox: one function, its extensions, and how the local Lambda behaves.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The function and its runtime.
    pub function: FunctionConfig,
    /// External extensions, started in this order before the runtime.
    pub extensions: Vec<ExtensionConfig>,
    /// Time limits, freezing and spelling.
    pub lifecycle: LifecycleConfig,
    /// How the Telemetry API answers and delivers.
    pub telemetry: TelemetryBehaviour,
    /// The form of `AWS_LAMBDA_RUNTIME_API`.
    pub runtime_api: RuntimeApiForm,
    /// Whether the function is given the very endpoint that the extensions have, as on Lambda; else
    /// one of its own, which [`refuse_extensions`](crate::Sandbox::refuse_extensions) leaves alone.
    pub has_one_endpoint: bool,
    /// Scripted faults, in force from the start. More can be added while it runs.
    pub faults: Faults,
}

/// The function: a process that speaks the Runtime API, and the settings AWS keeps for it.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// Function name.
    pub name: String,
    /// Version, `$LATEST` or a number.
    pub version: String,
    /// Program and arguments of the runtime process. The program may be a bare name on `PATH`; a
    /// relative path counts from the task root.
    pub command: Vec<String>,
    /// `_HANDLER`, and the `handler` that extensions are told at registration.
    pub handler: String,
    /// The customer's environment variables. Extensions see them too.
    pub env: Vec<(String, String)>,
    /// The function's timeout: covers the runtime and the extensions together.
    pub timeout: Duration,
    /// Memory size in MB.
    pub memory_mb: u32,
    /// Whether the runtime is killed when all processes together hold more than that. Else the
    /// size is told to the processes and reported, and no more.
    pub limit_memory: bool,
    /// Text or JSON logs.
    pub log_format: LogFormat,
    /// How the environment was brought up.
    pub initialization_type: InitializationType,
    /// `LAMBDA_TASK_ROOT` and the working directory; the current directory when `None`.
    pub task_root: Option<PathBuf>,
    /// Twelve digits.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Concurrent invocations that one Managed Instances environment takes; unused otherwise.
    pub max_concurrency: u32,
}

impl Default for FunctionConfig {
    fn default() -> Self {
        Self {
            name: "function".into(),
            version: "$LATEST".into(),
            command: Vec::new(),
            handler: "app.handler".into(),
            env: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            limit_memory: false,
            log_format: LogFormat::Text,
            initialization_type: InitializationType::OnDemand,
            task_root: None,
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            max_concurrency: 10,
        }
    }
}

impl FunctionConfig {
    /// The default function run by `command` (program and arguments).
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The function's ARN without a qualifier.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account_id, self.name)
    }
}

/// One external extension binary.
#[derive(Debug, Clone, Default)]
pub struct ExtensionConfig {
    /// The executable, as Lambda would find it in `/opt/extensions`. Its file name is its name.
    pub path: PathBuf,
    /// Variables for this extension alone, over those that the function's environment gives it.
    pub env: Vec<(String, String)>,
    /// How many bytes each of its output pipes holds, as the system rounds it; the system's own
    /// size when `None`.
    pub pipe_bytes: Option<i32>,
}

impl ExtensionConfig {
    /// The extension at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// The file name, which is the name the extension must register under.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The log format configured for the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Plain lines; platform lines are START, END, REPORT.
    #[default]
    Text,
    /// JSON objects; a line that is not one is wrapped.
    Json,
}

/// `AWS_LAMBDA_INITIALIZATION_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitializationType {
    /// `on-demand`.
    #[default]
    OnDemand,
    /// `provisioned-concurrency`.
    ProvisionedConcurrency,
    /// `snap-start`: init, snapshot, then restore before the first invocation.
    SnapStart,
    /// `lambda-managed-instances`: concurrent invocations, no freeze, no runtimeDone, JSON logs.
    ManagedInstances,
}

impl InitializationType {
    /// The value as Lambda spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
            Self::SnapStart => "snap-start",
            Self::ManagedInstances => "lambda-managed-instances",
        }
    }
}

/// Time limits and habits of the local Lambda.
#[derive(Debug, Clone)]
pub struct LifecycleConfig {
    /// Limit of the init phase; after it the init starts anew inside the first invocation.
    pub init_timeout: Duration,
    /// What SHUTDOWN leaves to the extensions, in all, before SIGKILL.
    pub shutdown_timeout: Duration,
    /// SIGSTOP between invocations. Never on Managed Instances.
    pub freeze: bool,
    /// The letters of `shutdownReason`.
    pub reason_case: ReasonCase,
    /// A file that always holds what the environment's clock was stepped by, in ms, for processes
    /// that can be told to live by it. See [`Sandbox::step_clock`](crate::Sandbox::step_clock).
    pub clock_file: Option<PathBuf>,
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(2),
            freeze: true,
            reason_case: ReasonCase::Lower,
            clock_file: None,
        }
    }
}

/// How `shutdownReason` is spelt: the documentation shows both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReasonCase {
    /// `spindown`, `timeout`, `failure`.
    #[default]
    Lower,
    /// `SPINDOWN`, `TIMEOUT`, `FAILURE`.
    Upper,
}

/// The form of the `AWS_LAMBDA_RUNTIME_API` that processes are given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RuntimeApiForm {
    /// `127.0.0.1:PORT`, as Lambda does.
    #[default]
    HostPort,
    /// `http://127.0.0.1:PORT/PREFIX`, as some emulators do. The prefix has no leading slash.
    UrlWithPrefix(String),
}

/// How the Telemetry API answers a subscription and delivers.
#[derive(Debug, Clone)]
pub struct TelemetryBehaviour {
    /// The answer to a subscription.
    pub answer: SubscriptionAnswer,
    /// The schema versions taken; any other is refused with 400.
    pub schema_versions: Vec<String>,
    /// How long after the end of an invocation its `platform.report` exists. As on Lambda the
    /// environment is frozen by then, so it is delivered with the next invocation or SHUTDOWN.
    pub report_delay: Duration,
    /// The most records that wait for one subscriber; more become `platform.logsDropped`.
    pub max_queued_records: usize,
    /// The most bytes of records that wait for one subscriber.
    pub max_queued_bytes: usize,
}

impl Default for TelemetryBehaviour {
    fn default() -> Self {
        Self {
            answer: SubscriptionAnswer::Accepted,
            schema_versions: ["2022-07-01", "2022-12-13", "2025-01-29"].map(String::from).into(),
            report_delay: Duration::from_millis(19),
            max_queued_records: 20_000,
            max_queued_bytes: 8 << 20,
        }
    }
}

/// The answer to `PUT /2022-07-01/telemetry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubscriptionAnswer {
    /// 200 `OK` when the subscription is valid.
    #[default]
    Accepted,
    /// 202 `Telemetry.NotSupported`, as AWS's own emulator answers.
    NotSupported,
    /// This status, whatever was asked.
    Refused(u16),
    /// 200 with an empty body, and nothing is ever delivered, as some emulators do.
    AcceptedAndSilent,
}
