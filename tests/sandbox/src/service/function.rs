//! A deployed function: what befalls its invocations, and its environments.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::deployment::Deployment;
use super::failure::{InvokeError, InvokeFailure, ThrottleReason};
use super::record::LastAttempt;
use crate::error::SandboxError;
use crate::outcome::Invocation;
use crate::sandbox::Sandbox;

/// Where AWS SDKs look for the endpoint of Lambda. Where the function is told another, that stands.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"];

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) deployment: Deployment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Each with the invocations that it still befalls; `None`: all.
    failures: VecDeque<(InvokeFailure, Option<u32>)>,
    running: u32,
    idle: Vec<Arc<Sandbox>>,
    /// Every environment ever started.
    started: Vec<Arc<Sandbox>>,
}

/// One of the invocations that run at once; gives its place back.
struct Place<'a>(&'a Function);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl Function {
    pub(crate) fn new(deployment: Deployment) -> Self {
        Self { deployment, state: Mutex::default() }
    }

    /// Adds a failure behind those that wait.
    pub(crate) fn fail(&self, failure: InvokeFailure, times: Option<u32>) {
        if times != Some(0) {
            self.lock().failures.push_back((failure, times));
        }
    }

    pub(crate) fn recover(&self) {
        self.lock().failures.clear();
    }

    pub(crate) fn started(&self) -> Vec<Arc<Sandbox>> {
        self.lock().started.clone()
    }

    /// What befalls this invocation, if it is of a kind that `wanted` accepts.
    pub(crate) fn take_failure(
        &self,
        wanted: impl Fn(InvokeFailure) -> bool,
    ) -> Option<InvokeFailure> {
        let mut state = self.lock();
        let (failure, left) = state.failures.front_mut()?;
        let failure = *failure;
        if !wanted(failure) {
            return None;
        }
        if let Some(left) = left {
            *left -= 1;
            if *left == 0 {
                state.failures.pop_front();
            }
        }
        Some(failure)
    }

    pub(crate) fn error(&self, failure: InvokeFailure) -> InvokeError {
        failure.error(&self.deployment.config.function)
    }

    /// Whether it may run at all.
    pub(crate) fn is_stopped(&self) -> bool {
        self.deployment.reserved_concurrency == Some(0)
    }

    /// Invokes it, unless a failure befalls it first: then no environment is started, nor does one
    /// that is there hear of it. `endpoint` is the service's.
    ///
    /// # Errors
    /// When an environment cannot be started.
    pub(crate) async fn run(
        &self,
        invocation: Invocation,
        endpoint: &str,
    ) -> Result<LastAttempt, SandboxError> {
        if let Some(failure) = self.take_failure(|_| true) {
            return Ok(LastAttempt::Refused(self.error(failure)));
        }
        let Some(_place) = self.enter() else {
            let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
            return Ok(LastAttempt::Refused(self.error(InvokeFailure::Throttled(reason))));
        };
        let idle = self.lock().idle.pop();
        let sandbox = match idle {
            Some(sandbox) => sandbox,
            None => self.start(endpoint).await?,
        };
        let outcome = sandbox.invoke(invocation).await?;
        self.lock().idle.push(sandbox);
        Ok(LastAttempt::Ran(Box::new(outcome)))
    }

    /// Starts an environment for an invocation to come.
    pub(crate) async fn provision(&self, endpoint: &str) -> Result<(), SandboxError> {
        let sandbox = self.start(endpoint).await?;
        self.lock().idle.push(sandbox);
        Ok(())
    }

    async fn start(&self, endpoint: &str) -> Result<Arc<Sandbox>, SandboxError> {
        let mut config = self.deployment.config.clone();
        let variables = &mut config.function.env;
        if !variables.iter().any(|(name, _)| ENDPOINTS.contains(&name.as_str())) {
            variables.push((ENDPOINTS[0].into(), endpoint.into()));
        }
        let sandbox = Arc::new(Sandbox::start(config).await?);
        self.lock().started.push(Arc::clone(&sandbox));
        Ok(sandbox)
    }

    fn enter(&self) -> Option<Place<'_>> {
        let mut state = self.lock();
        if self.deployment.reserved_concurrency.is_some_and(|most| state.running >= most) {
            return None;
        }
        state.running += 1;
        Some(Place(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
