//! The handle of one execution environment.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::capture::Reading;
use crate::config::{Config, RuntimeApiForm};
use crate::door::Door;
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::log::{LogEvent, LogSource, LogStream};
use crate::metrics::MetricStore;
use crate::outcome::{
    ExtensionExit, InitOutcome, InitPhase, Invocation, InvocationOutcome, ShutdownReason, Status,
};
use crate::server;
use crate::shared::Shared;

/// How many log events an error shows.
const SHOWN_EVENTS: usize = 100;

/// One execution environment. Dropping it kills every process it started, and so does a death of
/// the process that holds it.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    init: InitOutcome,
    server: JoinHandle<std::convert::Infallible>,
    /// The same for the extensions.
    door: Door,
}

impl Sandbox {
    /// Starts the extensions, then the runtime, and waits for the end of the init phase. The
    /// environment is frozen then, as one with provisioned concurrency is.
    ///
    /// A function that fails to initialize is no error here: see [`Sandbox::init`].
    ///
    /// # Errors
    /// When the configuration is unusable, a program cannot be run or loopback fails.
    pub async fn start(config: Config) -> Result<Self, SandboxError> {
        check(&config)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(SandboxError::io("listen on loopback"))?;
        let port = listener.local_addr().map_err(SandboxError::io("listen on loopback"))?.port();
        let door = Door::new().map_err(SandboxError::io("listen on loopback"))?;
        let shared = Arc::new(Shared::new(config, port, door.port())?);
        door.open(&shared).map_err(SandboxError::io("listen on loopback"))?;
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        let init = InitOutcome {
            phase: InitPhase::Init,
            status: Status::Failure,
            error_type: None,
            duration_ms: 0.0,
        };
        // From here on a drop, also of this future, leaves no process behind.
        let mut sandbox = Self { shared, init, server, door };
        let shared = &sandbox.shared;
        let limit = Instant::now() + shared.config.lifecycle.init_timeout;
        let (init, _) = shared.initialize(InitPhase::Init, limit).await?;
        if init.status == Status::Success {
            shared.freeze();
        }
        {
            let mut phase = shared.phase.lock().await;
            phase.cold_start = Some(init.clone());
            phase.to_restore = shared.is_snap_start();
        }
        sandbox.init = init;
        Ok(sandbox)
    }

    /// How the init phase went. After a failure the next invocation tries again.
    #[must_use]
    pub fn init(&self) -> &InitOutcome {
        &self.init
    }

    /// Makes one invocation and waits until its invoke phase is over: until the runtime and every
    /// extension have asked for /next, or the environment was reset.
    ///
    /// Calls at the same time run one after the other, or at once on Managed Instances. A call
    /// that is dropped runs on.
    ///
    /// # Errors
    /// After [`Sandbox::shutdown`], or when a program can no longer be run.
    pub async fn invoke(&self, invocation: Invocation) -> Result<InvocationOutcome, SandboxError> {
        let invoke = Arc::clone(&self.shared).invoke(invocation);
        // The task neither panics nor is it cancelled but with the whole runtime.
        tokio::spawn(invoke).await.unwrap_or(Err(SandboxError::ShutDown))
    }

    /// Ends the environment as Lambda does; how each running extension ended. Nothing, when it
    /// has ended before.
    pub async fn shutdown(&self, reason: ShutdownReason) -> Vec<ExtensionExit> {
        // Managed Instances hold the phase only while they start.
        let _phase = self.shared.phase.lock().await;
        if self.shared.shut_down.swap(true, Ordering::SeqCst) {
            return Vec::new();
        }
        self.shared.end_environment(reason).await
    }

    /// How every extension process so far ended, those of resets included.
    #[must_use]
    pub fn extension_exits(&self) -> Vec<ExtensionExit> {
        self.shared.environment().exits.clone()
    }

    /// The log group so far, in order of arrival; the oldest events go beyond 200,000.
    #[must_use]
    pub fn log(&self) -> Vec<LogEvent> {
        self.shared.telemetry.log_from(0)
    }

    /// The log events from `position` on, where the first event ever has position 0: to follow
    /// the log, ask from the sum of what came so far.
    #[must_use]
    pub fn log_from(&self, position: usize) -> Vec<LogEvent> {
        self.shared.telemetry.log_from(position)
    }

    /// The metrics that CloudWatch would have extracted so far.
    #[must_use]
    pub fn metrics(&self) -> MetricStore {
        self.shared.telemetry.metrics()
    }

    /// Waits for a log event that `wanted` accepts, those already there included.
    ///
    /// # Errors
    /// [`SandboxError::NotSeen`] when none came within `limit`.
    pub async fn wait_for_log(
        &self,
        wanted: impl Fn(&LogEvent) -> bool,
        limit: Duration,
    ) -> Result<LogEvent, SandboxError> {
        let from = |position| self.shared.telemetry.log_from(position);
        self.wait_for(limit, from, wanted).await
    }

    /// Every record that exists so far as telemetry, in order, whether or not it was delivered;
    /// the oldest go beyond 200,000.
    #[must_use]
    pub fn telemetry(&self) -> Vec<serde_json::Value> {
        self.shared.telemetry.records_from(0)
    }

    /// Waits for a telemetry record that `wanted` accepts, those already there included.
    ///
    /// # Errors
    /// [`SandboxError::NotSeen`] when none came within `limit`.
    pub async fn wait_for_telemetry(
        &self,
        wanted: impl Fn(&serde_json::Value) -> bool,
        limit: Duration,
    ) -> Result<serde_json::Value, SandboxError> {
        let from = |position| self.shared.telemetry.records_from(position);
        self.wait_for(limit, from, wanted).await
    }

    async fn wait_for<T>(
        &self,
        limit: Duration,
        from: impl Fn(usize) -> Vec<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<T, SandboxError> {
        let mut changes = self.shared.telemetry.changes();
        let seen = async {
            let mut position = 0;
            loop {
                let new = from(position);
                position += new.len();
                if let Some(found) = new.into_iter().find(&wanted) {
                    return found;
                }
                // The sender lives as long as self.
                let _ = changes.changed().await;
            }
        };
        timeout(limit, seen).await.map_err(|_| {
            let first_shown = self.shared.telemetry.log_end().saturating_sub(SHOWN_EVENTS);
            let events = self.shared.telemetry.log_from(first_shown);
            SandboxError::NotSeen {
                waited: limit,
                log: events.iter().map(|event| format!("{event}\n")).collect(),
            }
        })
    }

    /// Posts these bytes to every telemetry subscriber, past buffering and retries, thawed for
    /// the time of it; the HTTP status of each in order of subscription, `None` when there was no
    /// answer within 5 s.
    pub async fn deliver_raw(&self, body: impl Into<Bytes>) -> Vec<Option<u16>> {
        let body = body.into();
        let _hold = self.shared.processes.hold_thawed();
        let mut statuses = Vec::new();
        for subscriber in self.shared.telemetry.subscribers() {
            statuses.push(subscriber.deliver_raw(body.clone()).await);
        }
        statuses
    }

    /// The telemetry records that the extension of this name has taken: delivered, and answered
    /// with 200; the oldest go beyond 200,000.
    #[must_use]
    pub fn taken_by(&self, extension: &str) -> Vec<serde_json::Value> {
        self.shared.telemetry.taken_by(extension)
    }

    /// Steps the environment's wall clock: the times and deadlines that it tells, not how long
    /// anything takes.
    ///
    /// # Errors
    /// When the clock's file cannot be written.
    pub fn step_clock(&self, by_ms: i64) -> Result<(), SandboxError> {
        self.shared.clock.step(by_ms).map_err(SandboxError::io("write the clock's file"))
    }

    /// Stops every process for this long, in whatever it is doing, while the environment's clock
    /// goes forward by `clock_ms`: to them a freeze of that length.
    ///
    /// # Errors
    /// When the clock's file cannot be written.
    pub async fn pause(&self, time: Duration, clock_ms: u64) -> Result<(), SandboxError> {
        let _stopped = self.shared.processes.hold_stopped();
        self.step_clock(clock_ms.cast_signed())?;
        tokio::time::sleep(time).await;
        Ok(())
    }

    /// Kills the runtime, as the kernel would for want of memory.
    pub fn kill_runtime(&self) {
        let group = self.shared.environment().runtime.group;
        self.shared.processes.kill(group);
    }

    /// The process id of an extension, of those that run.
    #[must_use]
    pub fn extension_pid(&self, name: &str) -> Option<u32> {
        let environment = self.shared.environment();
        let running = environment.extensions.iter().filter(|e| e.exit.is_none() && e.group != 0);
        running.filter(|e| e.name == name).map(|e| e.group.cast_unsigned()).next()
    }

    /// The process id of the runtime, while it runs.
    #[must_use]
    pub fn runtime_pid(&self) -> Option<u32> {
        let environment = self.shared.environment();
        let runtime = &environment.runtime;
        (runtime.group != 0 && !runtime.exited).then(|| runtime.group.cast_unsigned())
    }

    /// From now on one stream of an extension is read so; pipes that were closed stay closed.
    pub fn read_output(&self, extension: &str, stream: LogStream, reading: Reading) {
        let source = LogSource::Extension(extension.to_owned());
        self.shared.processes.reading(&source, stream).send_replace(reading);
    }

    /// Refuses every connection of the extensions and closes those there are, or takes them again.
    ///
    /// # Errors
    /// When the port cannot be listened on again.
    pub async fn refuse_extensions(&self, refuse: bool) -> Result<(), SandboxError> {
        if refuse {
            self.door.close().await;
            return Ok(());
        }
        self.door.open(&self.shared).map_err(SandboxError::io("listen on loopback"))
    }

    /// The faults in force; more can be pushed.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.config.faults
    }

    /// Whether the environment is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.shared.processes.is_frozen()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.shut_down.store(true, Ordering::SeqCst);
        self.shared.processes.close();
        self.shared.telemetry.close();
        self.server.abort();
    }
}

fn check(config: &Config) -> Result<(), SandboxError> {
    let invalid =
        |setting, problem: &str| SandboxError::InvalidSetting { setting, problem: problem.into() };
    let function = &config.function;
    if function.command.is_empty() {
        return Err(SandboxError::NoCommand);
    }
    if function.timeout.is_zero() || function.timeout > Duration::from_secs(900) {
        return Err(invalid("function.timeout", "not above 0 and at most 900 s"));
    }
    if function.max_concurrency == 0 {
        return Err(invalid("function.max_concurrency", "0"));
    }
    let mut names: Vec<String> = config.extensions.iter().map(|e| e.name()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid("extensions", "two have the same file name"));
    }
    if let RuntimeApiForm::UrlWithPrefix(prefix) = &config.runtime_api
        && (prefix.is_empty() || prefix.starts_with('/') || prefix.ends_with('/'))
    {
        return Err(invalid("runtime_api", "a prefix is not empty and has no outer slash"));
    }
    Ok(())
}
