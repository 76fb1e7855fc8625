//! The init phase: extensions, then the runtime, until all have asked for /next.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::config::InitializationType;
use crate::environment::{Environment, Failure};
use crate::error::SandboxError;
use crate::log::LogSource;
use crate::outcome::{InitOutcome, InitPhase, ShutdownReason, Status};
use crate::platform::Conclusion;
use crate::process::{ProcessSpec, describe_exit};
use crate::process_env;
use crate::shared::{Shared, ms};

/// The error type of a runtime that was killed since memory ran out.
pub(crate) const OUT_OF_MEMORY: &str = "Runtime.OutOfMemory";

/// An init, and what broke it.
pub(crate) type Initialized = (InitOutcome, Option<Failure>);

impl Shared {
    /// Brings a new environment up by `limit`. One that fails is ended.
    pub(crate) async fn initialize(
        self: &Arc<Self>,
        phase: InitPhase,
        limit: Instant,
    ) -> Result<Initialized, SandboxError> {
        let begin = Instant::now();
        self.thaw();
        self.telemetry.begin_environment();
        let names = self.config.extensions.iter().map(|extension| extension.name());
        let generation = self.change(|environment| environment.begin(names));
        self.emit_init_start(phase);

        let mut runtime_done = false;
        let run = self.bring_up(generation, phase, &mut runtime_done);
        let failure = match timeout_at(limit, run).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(failure))) => Some(failure),
            Ok(Err(error)) => {
                self.end_environment(ShutdownReason::Failure).await;
                return Err(error);
            }
            Err(_) => Some(Failure {
                status: Status::Timeout,
                error_type: "Sandbox.Timedout".into(),
                message: self.timeout_message(),
                payload: None,
            }),
        };
        let duration_ms = ms(begin.elapsed());
        let conclusion = match &failure {
            None => Conclusion::success(),
            Some(failure) => Conclusion {
                status: failure.status,
                // A timeout carries no error type.
                error_type: (failure.status != Status::Timeout).then(|| failure.error_type.clone()),
            },
        };
        if !runtime_done {
            self.emit_init_runtime_done(phase, &conclusion);
        }
        self.emit_init_report(phase, &conclusion, duration_ms);
        self.telemetry.end_subscribing();
        let reason = match conclusion.status {
            Status::Success => {
                self.change(|environment| {
                    environment.initializing = false;
                    environment.ready = true;
                });
                None
            }
            Status::Timeout => Some(ShutdownReason::Timeout),
            Status::Failure | Status::Error => Some(ShutdownReason::Failure),
        };
        if let Some(reason) = reason {
            self.end_environment(reason).await;
        }
        let Conclusion { status, error_type } = conclusion;
        Ok((InitOutcome { phase, status, error_type, duration_ms }, failure))
    }

    async fn bring_up(
        self: &Arc<Self>,
        generation: u64,
        phase: InitPhase,
        runtime_done: &mut bool,
    ) -> Result<Result<(), Failure>, SandboxError> {
        for index in 0..self.config.extensions.len() {
            self.start_extension(generation, index)?;
        }
        let registered = self.wait_for_init(|environment| environment.all_registered()).await;
        if let Err(failure) = registered {
            return Ok(Err(failure));
        }
        self.start_runtime(generation)?;
        let initialized = self
            .wait_for_init(|environment| {
                environment.runtime.asked.is_some() || environment.runtime.restore.is_some()
            })
            .await;
        if let Err(failure) = initialized {
            return Ok(Err(failure));
        }
        self.emit_init_runtime_done(phase, &Conclusion::success());
        *runtime_done = true;
        Ok(self.wait_for_init(|environment| environment.extensions_idle().is_some()).await)
    }

    async fn wait_for_init(&self, reached: impl Fn(&Environment) -> bool) -> Result<(), Failure> {
        self.wait_until(|environment| match environment.failure.clone() {
            Some(failure) => Some(Err(failure)),
            None => reached(environment).then_some(Ok(())),
        })
        .await
    }

    fn start_extension(
        self: &Arc<Self>,
        generation: u64,
        index: usize,
    ) -> Result<(), SandboxError> {
        let config = &self.config.extensions[index];
        let spec = ProcessSpec {
            program: config.path.clone(),
            args: Vec::new(),
            env: process_env::of_extension(self, &config.env),
            directory: None,
            source: LogSource::Extension(config.name()),
            framed_logs: false,
            pipe_bytes: config.pipe_bytes,
        };
        let shared = Arc::clone(self);
        let group = self.processes.spawn(spec, &self.telemetry, move |status| {
            shared.extension_ended(generation, index, status);
        })?;
        self.change(|environment| environment.extensions[index].group = group);
        Ok(())
    }

    fn start_runtime(self: &Arc<Self>, generation: u64) -> Result<(), SandboxError> {
        let function = &self.config.function;
        let (program, args) = function.command.split_first().ok_or(SandboxError::NoCommand)?;
        let spec = ProcessSpec {
            program: PathBuf::from(program),
            args: args.to_vec(),
            env: process_env::of_function(
                self,
                &format!("local/[{}]{generation}", function.version),
            ),
            directory: function.task_root.clone(),
            source: LogSource::Function,
            framed_logs: true,
            pipe_bytes: None,
        };
        let shared = Arc::clone(self);
        let group = self.processes.spawn(spec, &self.telemetry, move |status| {
            shared.runtime_ended(generation, status);
        })?;
        self.change(|environment| environment.runtime.group = group);
        if function.limit_memory {
            tokio::spawn(Arc::clone(self).watch_memory(generation, group));
        }
        Ok(())
    }

    fn extension_ended(&self, generation: u64, index: usize, status: ExitStatus) {
        self.change(|environment| {
            if environment.generation != generation {
                return;
            }
            environment.extensions[index].exit = Some((status, Instant::now()));
            environment.fail(Failure {
                status: Status::Failure,
                error_type: "Extension.Crash".into(),
                message: describe_exit(status),
                payload: None,
            });
        });
    }

    fn runtime_ended(&self, generation: u64, status: ExitStatus) {
        self.change(|environment| {
            if environment.generation != generation {
                return;
            }
            environment.runtime.exited = true;
            let error_type = match environment.runtime.out_of_memory {
                true => OUT_OF_MEMORY,
                false => "Runtime.ExitError",
            };
            let message = if status.code() == Some(0) && status.signal().is_none() {
                "Runtime exited without providing a reason".to_owned()
            } else {
                format!("Runtime exited with error: {}", describe_exit(status))
            };
            environment.fail(Failure {
                status: Status::Failure,
                error_type: error_type.into(),
                message,
                payload: None,
            });
        });
    }

    /// SnapStart: what happens between the snapshot and the first invocation.
    pub(crate) async fn restore(&self) -> Option<f64> {
        let begin = Instant::now();
        self.emit_restore("platform.restoreStart", None, None);
        self.thaw();
        self.change(|environment| {
            if let Some(waiter) = environment.runtime.restore.take() {
                // A runtime that is gone is noticed by its exit.
                let _ = waiter.send(());
            }
        });
        let limit = begin + self.config.lifecycle.init_timeout;
        let ready = self.wait_for_init(|environment| environment.runtime.asked.is_some());
        let conclusion = match timeout_at(limit, ready).await {
            Ok(Ok(())) => Conclusion::success(),
            Ok(Err(failure)) => {
                Conclusion { status: failure.status, error_type: Some(failure.error_type) }
            }
            Err(_) => Conclusion { status: Status::Timeout, error_type: None },
        };
        let took = ms(begin.elapsed());
        self.emit_restore("platform.restoreRuntimeDone", Some(&conclusion), None);
        self.emit_restore("platform.restoreReport", Some(&conclusion), Some(took));
        (conclusion.status == Status::Success).then_some(took)
    }

    /// Whether init makes a snapshot that is restored before the first invocation.
    pub(crate) fn is_snap_start(&self) -> bool {
        self.config.function.initialization_type == InitializationType::SnapStart
    }
}
