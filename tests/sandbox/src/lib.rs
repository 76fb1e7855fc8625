//! A local AWS Lambda on loopback.
//!
//! A [`Sandbox`] is one execution environment. It starts real extension binaries and a real
//! runtime process, serves them the Runtime, Extensions and Telemetry APIs, and treats them as
//! Lambda does: init, invoke, deadline, freeze, SHUTDOWN, kill, suppressed init. What they print
//! becomes telemetry and a log group, and EMF in it becomes metrics.
//!
//! A [`LambdaService`] is what stands before the environments of several functions: the Invoke API for
//! real AWS SDKs, failures before any environment starts, the queue of asynchronous events, and what
//! Lambda writes to destinations and dead-letter queues.
//!
//! ```no_run
//! # async fn demo() -> Result<(), lambda_sandbox::SandboxError> {
//! use lambda_sandbox::{Config, ExtensionConfig, FunctionConfig, Invocation, Sandbox, ShutdownReason};
//!
//! let sandbox = Sandbox::start(Config {
//!     function: FunctionConfig { name: "orders".into(), ..FunctionConfig::new(["./bootstrap"]) },
//!     extensions: vec![ExtensionConfig::new("./my-extension")],
//!     ..Config::default()
//! })
//! .await?;
//! let outcome = sandbox.invoke(Invocation::new(r#"{"order":1}"#)).await?;
//! println!("{:?} after {} ms", outcome.status, outcome.duration_ms);
//! sandbox.shutdown(ShutdownReason::Spindown).await;
//! for event in sandbox.log() {
//!     println!("{event}");
//! }
//! # Ok(()) }
//! ```

mod alarms;
mod capture;
mod cargo_bin;
mod clock;
mod config;
mod disorder;
mod door;
mod emf;
mod ending;
mod environment;
mod error;
mod extensions_api;
mod faults;
mod guard;
mod init;
mod invoke;
mod listener;
mod log;
mod managed;
mod memory;
mod metrics;
mod outcome;
mod platform;
mod process;
mod process_env;
mod runtime_api;
mod sandbox;
mod server;
mod service;
mod shared;
mod subscriber;
mod telemetry;
mod telemetry_api;

pub use alarms::{
    AlarmState, Alarms, Comparison, MetricAlarm, Stack, StackSettings, Statistic, Template,
    TemplateError, Transition, TreatMissingData,
};
pub use capture::Reading;
pub use cargo_bin::{cargo_bin, cargo_bin_as_shipped, cargo_bin_with_faults, cargo_example};
pub use config::{
    Config, ExtensionConfig, FunctionConfig, InitializationType, LifecycleConfig, LogFormat,
    ReasonCase, RuntimeApiForm, SubscriptionAnswer, TelemetryBehaviour,
};
pub use error::SandboxError;
pub use faults::{DeliveryFault, Endpoint, FaultAction, Faults, occupy_port};
pub use log::{LogEvent, LogSource, LogStream};
pub use metrics::{Datapoint, MetricKey, MetricStore, RejectedEmf};
pub use outcome::{
    ExtensionExit, InitOutcome, InitPhase, Invocation, InvocationOutcome, ShutdownReason, Status,
};
pub use sandbox::Sandbox;
pub use service::{
    AttemptRecord, Deployment, Destination, EventInvokeConfig, InvocationType, InvokeAnswer,
    InvokeFailure, LambdaService, MAXIMUM_EVENT_AGE, Message, MessageAttribute, ResponseForm,
    ThrottleReason, UnknownFailure,
};
