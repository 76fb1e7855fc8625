//! The failures that no sandbox of the function sees: what its caller's extension says of them, and what
//! the failure watcher says.

use crate::{
    Diagnosis, Expected, TIMEOUT, diagnoses, differences_of, printed_diagnoses, problem_maker,
};
use lambda_sandbox::{
    AttemptRecord, Config, Deployment, Destination, EventInvokeConfig, ExtensionConfig,
    FunctionConfig, Invocation, InvocationType, InvokeFailure, LambdaService, LogEvent, LogSource,
    MAXIMUM_EVENT_AGE, Message, MetricStore, SandboxError, cargo_bin,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The function that calls, with the extension.
pub const CALLER: &str = "checkout";
/// The function that is called and fails, with the extension too.
pub const CALLEE: &str = "catalog";

const WATCHER: &str = "failure-watcher";
/// How long a line may take that waits for no later event: far longer than it does.
const PROMPT: Duration = Duration::from_millis(400);

/// A failure of the called function before any sandbox of it starts.
#[derive(Clone, Copy, Debug)]
pub struct OutsideScene {
    /// One line for a heading.
    pub title: &'static str,
    /// What happens, for somebody who watches.
    pub story: &'static str,
    /// What befalls each invocation of the called function.
    pub failure: InvokeFailure,
    problem: &'static str,
    metric: &'static str,
}

/// All of them, in an order for watching.
#[must_use]
pub fn outside_scenes() -> [OutsideScene; 2] {
    [
        OutsideScene {
            title: "A function whose file system cannot be reached",
            story: "checkout calls catalog with the AWS SDK for Rust, and waits; then once more, \
                    without waiting. Lambda cannot mount catalog's file system, so that catalog never \
                    starts, and its extension sees nothing. What checkout waited for, checkout's \
                    extension tells. Of the other call checkout learns nothing: Lambda tries it three \
                    times, and then tells the queue of failures.",
            failure: InvokeFailure::EfsMountConnectivity,
            problem: "efs-mount-connectivity",
            metric: "EfsFailures",
        },
        OutsideScene {
            title: "A function whose environment cannot be decrypted",
            story: "The same with the KMS key of catalog's environment variables disabled. That is an \
                    error of Lambda's own, for which it tries for six hours; its clock is set forward \
                    here.",
            failure: InvokeFailure::KmsDisabled,
            problem: "kms-disabled",
            metric: "KmsErrors",
        },
    ]
}

/// The functions of these scenes in a local Lambda.
#[derive(Debug)]
pub struct Outside {
    service: LambdaService,
}

/// What happened in a scene.
#[derive(Debug)]
pub struct Played {
    /// The request id of the call that was waited for, which is what the caller's diagnosis is about.
    pub call: String,
    /// The attempts to work through the other call's event; the outside diagnosis is about their request.
    pub attempts: Vec<AttemptRecord>,
    /// What Lambda told the queue of failures.
    pub messages: Vec<Message>,
    /// The caller's diagnoses.
    pub caller: Vec<Diagnosis>,
    /// Those of the failure watcher.
    pub outside: Vec<Diagnosis>,
}

impl Outside {
    /// Builds the functions and deploys them: the caller and the called one with the extension, and the
    /// failure watcher, which reads the queue that the called one's failures are told to.
    ///
    /// # Errors
    /// When something cannot be built.
    pub async fn new(extension: &Path) -> Result<Self, SandboxError> {
        let service = LambdaService::start().await?;
        let failures = Destination::Queue("failures".into());
        let mut caller = deployment(CALLER, vec![bin("caller")?]);
        caller.config.extensions = vec![ExtensionConfig::new(extension)];
        // The SDK's own retries would make each scene some seconds longer.
        caller.config.function.env.push(("AWS_MAX_ATTEMPTS".into(), "1".into()));
        let mut callee = deployment(CALLEE, problem_maker()?);
        callee.config.extensions = vec![ExtensionConfig::new(extension)];
        callee.event_invoke_config =
            EventInvokeConfig { on_failure: Some(failures.clone()), ..Default::default() };
        service.deploy(caller)?;
        service.deploy(callee)?;
        service.deploy(deployment(WATCHER, vec![bin(WATCHER)?]))?;
        service.subscribe(failures, WATCHER, 10);
        Ok(Self { service })
    }

    /// Plays a scene.
    ///
    /// # Errors
    /// When the sandbox fails, or what was printed is no diagnosis.
    pub async fn play(&self, scene: &OutsideScene) -> Result<Played, OutsideError> {
        let service = &self.service;
        let before = (service.attempts().len(), service.all_messages().len());
        let logged = [CALLER, WATCHER].map(|function| self.log(function).len());
        service.fail(CALLEE, scene.failure, None)?;
        let call = self.call(false).await?;
        self.call(true).await?;
        service.advance(MAXIMUM_EVENT_AGE).await?;
        service.recover(CALLEE)?;
        self.await_line(&call).await?;
        Ok(Played {
            call,
            attempts: service.attempts().split_off(before.0),
            messages: service.all_messages().split_off(before.1),
            caller: diagnoses(&self.log(CALLER)[logged[0]..]).map_err(OutsideError::Line)?,
            outside: printed_diagnoses(&self.log(WATCHER)[logged[1]..])
                .map_err(OutsideError::Line)?,
        })
    }

    /// Waits for the line about a request of the caller. One that did not reach its extension before
    /// the freeze comes with the next invocation, so some are made that call nobody.
    async fn await_line(&self, request_id: &str) -> Result<(), OutsideError> {
        let is_it = |event: &LogEvent| {
            matches!(event.source, LogSource::Extension(_)) && event.text.contains(request_id)
        };
        for sandbox in self.service.sandboxes(CALLER) {
            for _ in 0..3 {
                if sandbox.wait_for_log(is_it, PROMPT).await.is_ok() {
                    break;
                }
                self.invoke(json!({})).await?;
            }
        }
        Ok(())
    }

    /// Has the caller call; the request id of its own invocation.
    async fn call(&self, asynchronous: bool) -> Result<String, OutsideError> {
        let event = json!({"function": CALLEE, "asynchronous": asynchronous, "caught": true});
        self.invoke(event).await
    }

    async fn invoke(&self, event: Value) -> Result<String, OutsideError> {
        let invocation = Invocation::new(event.to_string());
        let kind = InvocationType::RequestResponse;
        let answer = self.service.invoke(CALLER, kind, invocation).await;
        if answer.status != 200 || answer.function_error {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(OutsideError::Caller(body));
        }
        Ok(answer.request_id)
    }

    /// The environments of the called function that were ever started: none.
    #[must_use]
    pub fn environments_of_callee(&self) -> usize {
        self.service.sandboxes(CALLEE).len()
    }

    /// Ends all; the metrics that CloudWatch would have extracted.
    pub async fn end(&self) -> MetricStore {
        self.service.shutdown().await;
        let mut metrics = MetricStore::default();
        for function in [CALLER, WATCHER] {
            for sandbox in self.service.sandboxes(function) {
                metrics.extend(sandbox.metrics());
            }
        }
        metrics
    }

    fn log(&self, function: &str) -> Vec<LogEvent> {
        self.service.sandboxes(function).iter().flat_map(|sandbox| sandbox.log()).collect()
    }
}

impl OutsideScene {
    /// How what was told differs from what should be, a sentence each.
    #[must_use]
    pub fn differences(&self, played: &Played) -> Vec<String> {
        let of_caller = Expected::confirmed(0, self.problem, "caller", self.metric);
        let outside = Expected::confirmed(0, self.problem, "outside", self.metric);
        let event = played.attempts.first().filter(|attempt| attempt.function == CALLEE);
        let event = event.map_or("", |attempt| attempt.request_id.as_str());
        let mut differences =
            differences_of(CALLER, [(played.call.as_str(), &of_caller)], &played.caller);
        differences.extend(differences_of(CALLEE, [(event, &outside)], &played.outside));
        let named =
            |line: &Diagnosis| line.json["diagnosis"]["evidence"]["calledFunctionName"] == CALLEE;
        if !played.caller.iter().all(named) {
            differences.push(format!("{}: the caller does not name {CALLEE}", self.problem));
        }
        differences
    }
}

/// Why a scene could not be played.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The caller, which catches errors, failed.
    #[error("{CALLER} failed: {0}")]
    Caller(String),
    /// Something else than a diagnosis was printed.
    #[error("{0}")]
    Line(String),
}

fn bin(name: &str) -> Result<String, SandboxError> {
    Ok(cargo_bin(name)?.to_string_lossy().into_owned())
}

fn deployment(name: &str, command: Vec<String>) -> Deployment {
    let function =
        FunctionConfig { name: name.to_owned(), timeout: TIMEOUT, ..FunctionConfig::new(command) };
    Deployment::new(Config { function, ..Config::default() })
}
