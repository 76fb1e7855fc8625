//! What the server, the lifecycle and the handle have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::config::{Config, InitializationType, RuntimeApiForm};
use crate::environment::Environment;
use crate::error::SandboxError;
use crate::outcome::InitOutcome;
use crate::process::Processes;
use crate::telemetry::Telemetry;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Of the APIs, for the runtime.
    pub(crate) port: u16,
    /// The same for the extensions.
    pub(crate) extensions_port: u16,
    pub(crate) clock: Arc<Clock>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) processes: Arc<Processes>,
    environment: Mutex<Environment>,
    changed: watch::Sender<u64>,
    /// Held by whoever moves the environment through a phase.
    pub(crate) phase: tokio::sync::Mutex<Phase>,
    /// Managed Instances: as many invocations at once as the function takes.
    pub(crate) concurrency: Semaphore,
    pub(crate) shut_down: AtomicBool,
}

/// What the lifecycle remembers from one phase to the next.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// The init phase, until an invocation has been told of it.
    pub(crate) cold_start: Option<InitOutcome>,
    /// SnapStart: the snapshot has not been restored yet.
    pub(crate) to_restore: bool,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        port: u16,
        extensions_port: u16,
    ) -> Result<Self, SandboxError> {
        let clock = Clock::new(config.lifecycle.clock_file.clone());
        let clock = Arc::new(clock.map_err(SandboxError::io("write the clock's file"))?);
        let telemetry = Telemetry::new(&config, Arc::clone(&clock));
        Ok(Self {
            port,
            extensions_port,
            clock,
            telemetry: Arc::new(telemetry),
            processes: Arc::new(Processes::new()?),
            environment: Mutex::default(),
            changed: watch::channel(0).0,
            phase: tokio::sync::Mutex::default(),
            concurrency: Semaphore::new(config.function.max_concurrency as usize),
            shut_down: AtomicBool::new(false),
            config,
        })
    }

    pub(crate) fn is_managed(&self) -> bool {
        self.config.function.initialization_type == InitializationType::ManagedInstances
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API` for a port.
    pub(crate) fn runtime_api(&self, port: u16) -> String {
        let address = format!("127.0.0.1:{port}");
        match &self.config.runtime_api {
            RuntimeApiForm::HostPort => address,
            RuntimeApiForm::UrlWithPrefix(prefix) => format!("http://{address}/{prefix}"),
        }
    }

    /// The environment, to read it.
    pub(crate) fn environment(&self) -> MutexGuard<'_, Environment> {
        self.environment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the environment and wakes those who wait for a condition of it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Environment) -> T) -> T {
        let result = change(&mut self.environment());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// Waits until `condition` gives a value.
    pub(crate) async fn wait_until<T>(
        &self,
        mut condition: impl FnMut(&mut Environment) -> Option<T>,
    ) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(value) = condition(&mut self.environment()) {
                return value;
            }
            // The sender lives as long as self.
            let _ = changes.changed().await;
        }
    }

    /// SIGSTOP to all, when freezing is on.
    pub(crate) fn freeze(&self) {
        if self.config.lifecycle.freeze && !self.is_managed() {
            self.telemetry.set_frozen(true);
            self.processes.set_frozen(true);
        }
    }

    /// SIGCONT to all.
    pub(crate) fn thaw(&self) {
        self.processes.set_frozen(false);
        self.telemetry.set_frozen(false);
    }
}

/// Milliseconds to the microsecond, as telemetry shows them.
pub(crate) fn ms(duration: Duration) -> f64 {
    // At most 2^53 µs: 285 years.
    duration.as_micros() as f64 / 1000.0
}
