//! The handle of one execution environment.
#![allow(clippy::unimplemented, clippy::unused_async)]

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Config, ExtensionExit, Faults, InitOutcome, Invocation, InvocationOutcome, LogEvent,
    MetricStore, SandboxError, ShutdownReason,
};

/// One execution environment. Dropping it kills every process it started.
#[derive(Debug)]
pub struct Sandbox {
    faults: Faults,
}

impl Sandbox {
    /// Starts the extensions, then the runtime, and waits for the end of the init phase.
    ///
    /// A function that fails to initialize is no error here: see [`Sandbox::init`].
    ///
    /// # Errors
    /// When the configuration is unusable, a program cannot be run or loopback fails.
    pub async fn start(config: Config) -> Result<Self, SandboxError> {
        Ok(Self { faults: config.faults })
    }

    /// How the init phase went.
    #[must_use]
    pub fn init(&self) -> InitOutcome {
        unimplemented!()
    }

    /// Makes one invocation and waits until its invoke phase is over: until the runtime and every
    /// extension have asked for /next, or the environment was reset.
    ///
    /// Calls at the same time run one after the other, or at once on Managed Instances.
    ///
    /// # Errors
    /// After [`Sandbox::shutdown`], or when a program can no longer be run.
    pub async fn invoke(&self, _invocation: Invocation) -> Result<InvocationOutcome, SandboxError> {
        unimplemented!()
    }

    /// Ends the environment as Lambda does; how each running extension ended.
    pub async fn shutdown(&self, _reason: ShutdownReason) -> Vec<ExtensionExit> {
        unimplemented!()
    }

    /// How every extension process so far ended, those of resets included.
    #[must_use]
    pub fn extension_exits(&self) -> Vec<ExtensionExit> {
        unimplemented!()
    }

    /// The log group so far, in order of arrival.
    #[must_use]
    pub fn log(&self) -> Vec<LogEvent> {
        unimplemented!()
    }

    /// The metrics that CloudWatch would have extracted so far.
    #[must_use]
    pub fn metrics(&self) -> MetricStore {
        unimplemented!()
    }

    /// Waits for a log event that `wanted` accepts, those already there included.
    ///
    /// # Errors
    /// [`SandboxError::NotSeen`] when none came within `limit`.
    pub async fn wait_for_log(
        &self,
        _wanted: impl Fn(&LogEvent) -> bool,
        _limit: Duration,
    ) -> Result<LogEvent, SandboxError> {
        unimplemented!()
    }

    /// Posts these bytes to every telemetry subscriber, past buffering and retries, thawing for
    /// the time of it; the HTTP status of each in order of subscription, `None` when there was no
    /// answer within 5 s.
    pub async fn deliver_raw(&self, _body: impl Into<Bytes>) -> Vec<Option<u16>> {
        unimplemented!()
    }

    /// Every record that exists so far as telemetry, in order, whether or not it was delivered.
    #[must_use]
    pub fn telemetry(&self) -> Vec<serde_json::Value> {
        unimplemented!()
    }

    /// The faults in force; more can be pushed.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether the environment is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        unimplemented!()
    }
}
