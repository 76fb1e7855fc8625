//! Invocations on Lambda Managed Instances: several at once, no INVOKE events, no runtimeDone,
//! and a deadline that ends neither code nor environment.

use std::sync::Arc;

use tokio::time::timeout_at;

use crate::environment::Answer;
use crate::error::SandboxError;
use crate::invoke::Run;
use crate::outcome::{InitPhase, Invocation, InvocationOutcome, ShutdownReason, Status};
use crate::platform::Conclusion;
use crate::shared::Shared;

impl Shared {
    pub(crate) async fn invoke_managed(
        self: Arc<Self>,
        invocation: Invocation,
    ) -> Result<InvocationOutcome, SandboxError> {
        // The semaphore is never closed.
        let _permit = self.concurrency.acquire().await.map_err(|_| SandboxError::ShutDown)?;
        let mut run = Run::begin(&self, invocation);
        let generation = {
            let mut phase = self.phase.lock().await;
            if self.is_shut_down() {
                return Err(SandboxError::ShutDown);
            }
            run.init = phase.cold_start.take().filter(|init| init.status == Status::Success);
            if !self.environment().ready {
                self.emit_start(&run.event);
                let (init, failure) = self.initialize(InitPhase::Invoke, run.deadline).await?;
                run.init = Some(init);
                if let Some(failure) = failure {
                    return Ok(self.conclude_broken(run, failure, None));
                }
            } else {
                self.emit_start(&run.event);
            }
            self.change(|environment| {
                environment.runtime.send(run.event.clone());
                environment.generation
            })
        };
        let id = run.event.request_id.clone();
        let answered = self.wait_until(|environment| {
            if environment.generation != generation {
                return Some(Err(None));
            }
            if let Some(answer) =
                environment.runtime.in_flight.get(&id).and_then(|f| f.answer.clone())
            {
                return Some(Ok(answer));
            }
            match environment.failure.clone() {
                Some(failure) => Some(Err(Some(failure))),
                None => environment.ending.then_some(Err(None)),
            }
        });
        let end = timeout_at(run.deadline, answered).await;
        self.change(|environment| environment.runtime.forget(&id));
        match end {
            Ok(Ok(Answer { payload, error_type, .. })) => {
                let status = if error_type.is_some() { Status::Error } else { Status::Success };
                Ok(self.conclude(run, Conclusion { status, error_type }, payload))
            }
            Ok(Err(failure)) => {
                let failure = failure.unwrap_or_else(|| crate::environment::Failure {
                    status: Status::Failure,
                    error_type: "Sandbox.Failure".into(),
                    message: "The environment has ended".into(),
                    payload: None,
                });
                let outcome = self.conclude_broken(run, failure, None);
                let _phase = self.phase.lock().await;
                // The first of those it took down ends the environment.
                let broken = {
                    let environment = self.environment();
                    environment.generation == generation && environment.ready
                };
                if broken {
                    self.end_environment(ShutdownReason::Failure).await;
                }
                Ok(outcome)
            }
            Err(_) => Ok(self.conclude_timeout(run)),
        }
    }
}
