//! A function that calls another through a real AWS SDK, where the other fails before it begins: what
//! the caller's extension says, and that the other's says nothing.

use crate::environment::{extension, shown};
use crate::python::awslambdaric;
use demo::{Diagnosis, config, diagnoses};
use lambda_sandbox::{
    Config, Deployment, Invocation, InvocationType, InvokeAnswer, InvokeFailure, LambdaService,
    LogFormat, ShutdownReason, ThrottleReason, cargo_bin,
};
use serde_json::{Value, json};
use std::path::Path;

const CALLEE: &str = "catalog";
const CALLEE_ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:catalog";

/// The Rust function that calls another.
fn rust_caller() -> Config {
    config(vec![cargo_bin("caller").unwrap().to_string_lossy().into_owned()], extension())
}

/// The Python one; None without a Python that has AWS's runtime client and boto3.
fn python_caller() -> Option<Config> {
    let command = awslambdaric("caller.handler", &["boto3"])?;
    let mut config = config(command, extension());
    config.function.handler = "caller.handler".to_owned();
    config.function.task_root =
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/end_to_end/functions"));
    config.function.env.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()));
    // Loading boto3 takes a while, and is not what is looked at.
    config.function.timeout = std::time::Duration::from_secs(30);
    Some(config)
}

/// The caller as `orders`, without the SDK's retries, and the function that it calls.
async fn deployed(mut caller: Config) -> LambdaService {
    caller.function.env.push(("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned()));
    let mut callee = config(demo::problem_maker().unwrap(), extension());
    callee.function.name = CALLEE.to_owned();
    let service = LambdaService::start().await.unwrap();
    service.deploy(Deployment::new(caller)).unwrap();
    service.deploy(Deployment::new(callee)).unwrap();
    service
}

async fn call(service: &LambdaService, asynchronous: bool, caught: bool) -> InvokeAnswer {
    let event = json!({"function": CALLEE, "asynchronous": asynchronous, "caught": caught});
    let invocation = Invocation::new(event.to_string());
    service.invoke(demo::FUNCTION, InvocationType::RequestResponse, invocation).await
}

/// Every failure, throttling once for each reason.
fn failures() -> impl Iterator<Item = InvokeFailure> {
    let is_throttled = |failure: &InvokeFailure| matches!(failure, InvokeFailure::Throttled(_));
    let others = InvokeFailure::ALL.into_iter().filter(move |failure| !is_throttled(failure));
    others.chain(ThrottleReason::ALL.into_iter().map(InvokeFailure::Throttled))
}

fn problem(failure: InvokeFailure) -> &'static str {
    match failure {
        InvokeFailure::EfsMountFailure => "efs-mount-failure",
        InvokeFailure::EfsMountConnectivity => "efs-mount-connectivity",
        InvokeFailure::EfsMountTimeout => "efs-mount-timeout",
        InvokeFailure::KmsAccessDenied => "kms-access-denied",
        InvokeFailure::KmsDisabled => "kms-disabled",
        InvokeFailure::KmsInvalidState => "kms-invalid-state",
        InvokeFailure::KmsNotFound => "kms-not-found",
        InvokeFailure::Pending => "function-pending",
        InvokeFailure::Throttled(_) => "throttled",
        InvokeFailure::AccessDenied => "invoke-access-denied",
    }
}

/// What one call must lead to in the caller's log.
struct Told {
    answer: InvokeAnswer,
    failure: InvokeFailure,
    caught: bool,
}

/// Calls the failing function in each way, then ends all; what must be told, and the diagnoses.
async fn play(service: &LambdaService) -> (Vec<Told>, Vec<Diagnosis>) {
    let mut told = Vec::new();
    for failure in failures() {
        service.fail(CALLEE, failure, None).unwrap();
        for (asynchronous, caught) in [(false, false), (false, true), (true, true)] {
            let answer = call(service, asynchronous, caught).await;
            let at_once = [
                InvokeFailure::AccessDenied,
                InvokeFailure::Throttled(ThrottleReason::CallerRateLimitExceeded),
            ];
            if asynchronous && !at_once.contains(&failure) {
                // It is queued: what befalls it later no caller learns.
                let answer: Value = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(answer["status"], 202, "{failure}");
                continue;
            }
            assert_eq!(answer.function_error, !caught, "{failure}: {:?}", answer.body);
            told.push(Told { answer, failure, caught });
        }
        service.recover(CALLEE).unwrap();
    }
    assert!(service.sandboxes(CALLEE).is_empty(), "the called function was never started");
    let sandbox = service.sandboxes(demo::FUNCTION).remove(0);
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let found = diagnoses(&sandbox.log()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.len(), told.len(), "{}", shown(&sandbox));
    (told, found)
}

/// The one line of a call is right; its evidence.
fn evidence<'a>(told: &Told, found: &'a [Diagnosis]) -> &'a Value {
    let lines: Vec<_> =
        found.iter().filter(|line| line.request_id() == told.answer.request_id).collect();
    let [line] = lines[..] else { panic!("{}: {} lines", told.failure, lines.len()) };
    let expected = [problem(told.failure), "confirmed", "caller"];
    let fields = ["problem", "stage", "view"].map(|field| line.text(field));
    assert_eq!(fields, expected, "{}", line.line);
    &line.json["diagnosis"]["evidence"]
}

/// The callee is named where the log line names it, and nothing else is taken for its name.
fn assert_callee(told: &Told, evidence: &Value) {
    let name = told.caught.then_some(CALLEE);
    if told.failure == InvokeFailure::AccessDenied {
        assert_eq!(evidence["calledFunctionArn"], CALLEE_ARN);
    } else {
        assert_eq!(evidence["calledFunctionName"], json!(name), "{}: {evidence}", told.failure);
    }
}

#[tokio::test]
async fn the_rust_sdk_s_words_are_diagnosed() {
    let service = deployed(rust_caller()).await;
    let (told, found) = play(&service).await;
    for told in &told {
        let evidence = evidence(told, &found);
        assert_callee(told, evidence);
        if let InvokeFailure::Throttled(reason) = told.failure {
            assert_eq!(evidence["reason"], reason.as_str());
        }
    }
}

#[tokio::test]
async fn boto3_s_words_are_diagnosed() {
    for log_format in [LogFormat::Text, LogFormat::Json] {
        let Some(mut caller) = python_caller() else { return };
        caller.function.log_format = log_format;
        let service = deployed(caller).await;
        let (told, found) = play(&service).await;
        for told in &told {
            let evidence = evidence(told, &found);
            assert_callee(told, evidence);
            assert_eq!(evidence["operation"], "Invoke");
        }
    }
}

/// Where the SDK tries again and gives up, it says so within the text.
#[tokio::test]
async fn an_sdk_that_has_tried_again_is_diagnosed_once() {
    for mut caller in [Some(rust_caller()), python_caller()].into_iter().flatten() {
        caller.function.timeout = std::time::Duration::from_secs(30);
        let service = LambdaService::start().await.unwrap();
        caller.function.env.push(("AWS_MAX_ATTEMPTS".to_owned(), "2".to_owned()));
        caller.function.env.push(("AWS_RETRY_MODE".to_owned(), "standard".to_owned()));
        service.deploy(Deployment::new(caller)).unwrap();
        let mut callee = Config::default();
        callee.function.name = CALLEE.to_owned();
        service.deploy(Deployment::new(callee)).unwrap();
        service.fail(CALLEE, InvokeFailure::KmsDisabled, Some(2)).unwrap();
        let answer = call(&service, false, false).await;
        let sandbox = service.sandboxes(demo::FUNCTION).remove(0);
        sandbox.shutdown(ShutdownReason::Spindown).await;
        let found = diagnoses(&sandbox.log()).unwrap();
        let told = Told { answer, failure: InvokeFailure::KmsDisabled, caught: false };
        assert_eq!(found.len(), 1, "{}", shown(&sandbox));
        evidence(&told, &found);
    }
}

#[tokio::test]
async fn a_function_that_runs_is_called_through_the_service() {
    let service = deployed(rust_caller()).await;
    let answer = call(&service, false, false).await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    // `{}` names no problem, which is this function's own error.
    assert_eq!(answer, json!({"status": 200, "functionError": "Unhandled"}));
    let sandbox = service.sandboxes(demo::FUNCTION).remove(0);
    sandbox.shutdown(ShutdownReason::Spindown).await;
    assert!(diagnoses(&sandbox.log()).unwrap().is_empty(), "{}", shown(&sandbox));
    assert_eq!(service.sandboxes(CALLEE).len(), 1);
}
