//! The Lambda service before the environments: functions by name, the Invoke API, asynchronous events,
//! destinations.

mod delivery;
mod deployment;
mod destination;
mod event_queue;
mod failure;
mod function;
mod invoke_api;
mod record;

pub use deployment::{Deployment, EventInvokeConfig};
pub use destination::{Destination, Message, MessageAttribute};
pub use event_queue::MAXIMUM_EVENT_AGE;
pub use failure::{InvokeFailure, ThrottleReason, UnknownFailure};
pub use invoke_api::{InvocationType, InvokeAnswer};
pub use record::ResponseForm;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::SandboxError;
use crate::outcome::{Invocation, InvocationOutcome, ShutdownReason};
use crate::sandbox::Sandbox;
use crate::server;
use delivery::{Due, Subscription};
use destination::Place;
use event_queue::{Attempt, QueuedEvent};
use failure::InvokeError;
use function::Function;
use invoke_api::{MAX_EVENT_BYTES, MAX_REQUEST_BYTES, request_id};
use record::LastAttempt;

/// A local Lambda service: several functions, each with its environments, behind one Invoke API on
/// loopback. Dropping it ends them all.
///
/// Synchronous invocations are made at once. Asynchronous events wait in a queue, whose clock stands
/// still but for [`advance`](Self::advance): six hours of retries take no longer than the attempts
/// themselves.
#[derive(Debug)]
pub struct LambdaService {
    service: Arc<Service>,
    server: JoinHandle<Infallible>,
}

#[derive(Debug)]
pub(crate) struct Service {
    endpoint: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: SystemTime,
    functions: HashMap<String, Arc<Function>>,
    due: Vec<Due>,
    attempts: Vec<AttemptRecord>,
    messages: Vec<Message>,
    subscriptions: Vec<Subscription>,
}

/// One attempt to work through an asynchronous event.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The function's name.
    pub function: String,
    /// That of the event, the same for each attempt.
    pub request_id: String,
    /// When it was made, by the service's clock.
    pub at: SystemTime,
    /// The code with which Lambda refused it, before the function began.
    pub error_type: Option<&'static str>,
    /// How the function fared, where it began.
    pub outcome: Option<InvocationOutcome>,
}

impl LambdaService {
    /// A service without functions. Its clock begins at the present time.
    ///
    /// # Errors
    /// When loopback fails.
    pub async fn start() -> Result<Self, SandboxError> {
        let failed = || SandboxError::io("listen on loopback");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed())?);
        let state = State {
            now: SystemTime::now(),
            functions: HashMap::new(),
            due: Vec::new(),
            attempts: Vec::new(),
            messages: Vec::new(),
            subscriptions: Vec::new(),
        };
        let service = Arc::new(Service { endpoint, state: Mutex::new(state) });
        let of_requests = Arc::clone(&service);
        let handle = move |request| invoke_api::handle(Arc::clone(&of_requests), request);
        let server = tokio::spawn(server::serve_with(listener, handle));
        Ok(Self { service, server })
    }

    /// What functions find in `AWS_ENDPOINT_URL_LAMBDA`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.service.endpoint
    }

    /// Adds a function, or puts it in the place of one of the same name. No environment is started
    /// before it is invoked.
    ///
    /// # Errors
    /// When a setting is one that Lambda would not take.
    pub fn deploy(&self, deployment: Deployment) -> Result<(), SandboxError> {
        deployment.check()?;
        let name = deployment.config.function.name.clone();
        self.service.lock().functions.insert(name, Arc::new(Function::new(deployment)));
        Ok(())
    }

    /// From now on so many invocations of a function fail so, or all of them, each before any
    /// environment starts; after those that earlier calls asked for.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn fail(
        &self,
        function: &str,
        failure: InvokeFailure,
        times: Option<u32>,
    ) -> Result<(), SandboxError> {
        self.service.function(function)?.fail(failure, times);
        Ok(())
    }

    /// Ends the failures that [`fail`](Self::fail) began.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn recover(&self, function: &str) -> Result<(), SandboxError> {
        self.service.function(function)?.recover();
        Ok(())
    }

    /// Invokes a function as a request to the Invoke API would.
    pub async fn invoke(
        &self,
        function: &str,
        invocation_type: InvocationType,
        invocation: Invocation,
    ) -> InvokeAnswer {
        self.service.invoke(function, invocation_type, invocation).await
    }

    /// Starts an environment of a function, as provisioned concurrency does.
    ///
    /// # Errors
    /// When there is no such function, or it cannot be run.
    pub async fn provision(&self, function: &str) -> Result<(), SandboxError> {
        self.service.function(function)?.provision(&self.service.endpoint).await
    }

    /// Every environment of a function that was ever started, in order; none, when there is no such
    /// function.
    #[must_use]
    pub fn sandboxes(&self, function: &str) -> Vec<Arc<Sandbox>> {
        self.service.function(function).map(|function| function.started()).unwrap_or_default()
    }

    /// The service's clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.service.lock().now
    }

    /// Lets the service's clock run on: makes each attempt that falls due, in order, and hands what
    /// arrives at destinations to their subscribers. What falls due at once is made with zero too.
    ///
    /// # Errors
    /// When an environment cannot be started.
    pub async fn advance(&self, by: Duration) -> Result<(), SandboxError> {
        self.service.advance(by).await
    }

    /// The attempts so far to work through asynchronous events, in order.
    #[must_use]
    pub fn attempts(&self) -> Vec<AttemptRecord> {
        self.service.lock().attempts.clone()
    }

    /// What arrived at a destination so far, in order.
    #[must_use]
    pub fn messages(&self, destination: &Destination) -> Vec<Message> {
        let state = self.service.lock();
        state.messages.iter().filter(|m| m.destination == *destination).cloned().collect()
    }

    /// What arrived anywhere so far, in order.
    #[must_use]
    pub fn all_messages(&self) -> Vec<Message> {
        self.service.lock().messages.clone()
    }

    /// What arrived at a destination, as the events that Lambda would invoke a subscribed function with, each of one message.
    #[must_use]
    pub fn events(&self, destination: &Destination) -> Vec<Bytes> {
        let place = self.service.place();
        self.messages(destination).iter().map(|message| message.event(&place)).collect()
    }

    /// Invokes a function with what arrives at a queue, topic or event bus from now on. A queue is read
    /// in batches of up to `batch_size`, and answered for item by item, as with
    /// `ReportBatchItemFailures`: what the function did not get done comes again with the next
    /// [`advance`](Self::advance). Functions that are destinations need no subscription.
    pub fn subscribe(&self, destination: Destination, function: &str, batch_size: usize) {
        let subscription = Subscription::new(destination, function, batch_size);
        self.service.lock().subscriptions.push(subscription);
    }

    /// Messages of a queue that a subscribed function has not got done yet.
    #[must_use]
    pub fn left_in_queue(&self, queue: &Destination) -> usize {
        let state = self.service.lock();
        let of_queue = state.subscriptions.iter().filter(|s| s.destination == *queue);
        of_queue.map(Subscription::waiting).sum()
    }

    /// Ends every environment.
    pub async fn shutdown(&self) {
        let functions: Vec<_> = self.service.lock().functions.values().cloned().collect();
        for sandbox in functions.iter().flat_map(|function| function.started()) {
            sandbox.shutdown(ShutdownReason::Spindown).await;
        }
    }
}

impl Drop for LambdaService {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn function(&self, name: &str) -> Result<Arc<Function>, SandboxError> {
        let function = self.lock().functions.get(name).cloned();
        function.ok_or_else(|| SandboxError::NoFunction { name: name.into() })
    }

    /// Account and region, which are those of every function by default.
    fn place(&self) -> Place {
        let crate::FunctionConfig { region, account_id, .. } = crate::FunctionConfig::default();
        Place { region, account_id }
    }

    fn not_found(&self, name: &str, qualifier: Option<&str>) -> InvokeError {
        let arn = Destination::Function(name.to_owned()).arn(&self.place());
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        let message = format!("Function not found: {arn}{qualifier}");
        InvokeError::new(404, "ResourceNotFoundException", message)
    }

    /// The error, if a function has no such version: there are no aliases.
    pub(crate) fn refuses_qualifier(&self, name: &str, qualifier: &str) -> Option<InvokeError> {
        let function = self.function(name).ok()?;
        let is_its = function.deployment.config.function.version == qualifier;
        (!is_its).then(|| self.not_found(name, Some(qualifier)))
    }

    pub(crate) async fn invoke(
        &self,
        name: &str,
        invocation_type: InvocationType,
        invocation: Invocation,
    ) -> InvokeAnswer {
        let id = invocation.request_id.clone().unwrap_or_else(request_id);
        let invocation = invocation.with_request_id(&id);
        match self.answer(name, invocation_type, invocation).await {
            Ok(answer) => answer,
            Err(error) => InvokeAnswer::of_error(&error, id),
        }
    }

    async fn answer(
        &self,
        name: &str,
        invocation_type: InvocationType,
        invocation: Invocation,
    ) -> Result<InvokeAnswer, InvokeError> {
        let id = invocation.request_id.clone().unwrap_or_default();
        let function = self.function(name).map_err(|_| self.not_found(name, None))?;
        check_payload(&invocation.payload, invocation_type)?;
        match invocation_type {
            InvocationType::DryRun => {
                let refused = function.take_failure(|failure| failure.precedes_the_queue());
                refused.map_or(Ok(()), |failure| Err(function.error(failure)))?;
                Ok(InvokeAnswer::empty(204, id))
            }
            InvocationType::Event => {
                let refused = function.take_failure(|failure| failure.precedes_the_queue());
                refused.map_or(Ok(()), |failure| Err(function.error(failure)))?;
                self.lock().queue(name, invocation);
                Ok(InvokeAnswer::empty(202, id))
            }
            InvocationType::RequestResponse => {
                let ran = function.run(invocation, &self.endpoint).await.map_err(|error| {
                    InvokeError::new(500, "ServiceException", error.to_string())
                })?;
                match ran {
                    LastAttempt::Refused(error) => Err(error),
                    LastAttempt::Ran(outcome) => Ok(InvokeAnswer {
                        function_error: outcome.function_error,
                        executed_version: Some(function.deployment.config.function.version.clone()),
                        body: outcome.payload.clone(),
                        outcome: Some(*outcome),
                        ..InvokeAnswer::empty(200, id)
                    }),
                }
            }
        }
    }

    /// Makes one attempt, and says how it went.
    async fn attempt(&self, event: &QueuedEvent) -> Result<(Attempt, LastAttempt), SandboxError> {
        let function = self.function(&event.function)?;
        let invocation = Invocation {
            payload: event.payload.clone(),
            request_id: Some(event.request_id.clone()),
            trace_header: event.trace_header.clone(),
            client_context: event.client_context.clone(),
        };
        let last = function.run(invocation, &self.endpoint).await?;
        let attempt = match &last {
            LastAttempt::Ran(outcome) if outcome.function_error => Attempt::Error,
            LastAttempt::Ran(_) => Attempt::Success,
            LastAttempt::Refused(error) if error.status == 429 && function.is_stopped() => {
                Attempt::ZeroReservedConcurrency
            }
            LastAttempt::Refused(error) if error.goes_back_to_the_queue() => Attempt::NotTaken,
            LastAttempt::Refused(_) => Attempt::Error,
        };
        Ok((attempt, last))
    }
}

impl State {
    fn queue(&mut self, function: &str, invocation: Invocation) {
        let Invocation { payload, request_id, trace_header, client_context } = invocation;
        self.due.push(Due::Attempt(QueuedEvent {
            function: function.to_owned(),
            request_id: request_id.unwrap_or_else(invoke_api::request_id),
            payload: if payload.is_empty() { Bytes::from_static(b"{}") } else { payload },
            trace_header,
            client_context,
            received: self.now,
            due: self.now,
            attempts: 0,
            errors: 0,
        }));
    }
}

fn check_payload(payload: &Bytes, invocation_type: InvocationType) -> Result<(), InvokeError> {
    let most = match invocation_type {
        InvocationType::Event => MAX_EVENT_BYTES,
        InvocationType::RequestResponse | InvocationType::DryRun => MAX_REQUEST_BYTES,
    };
    if payload.len() > most {
        let message = format!(
            "{} byte payload is too large for the {invocation_type:?} invocation type (limit {most} bytes)",
            payload.len()
        );
        return Err(InvokeError::new(413, "RequestTooLargeException", message));
    }
    let is_json =
        payload.is_empty() || serde_json::from_slice::<serde_json::Value>(payload).is_ok();
    if is_json {
        return Ok(());
    }
    let message = "Could not parse request body into json";
    Err(InvokeError::new(400, "InvalidRequestContentException", message))
}
