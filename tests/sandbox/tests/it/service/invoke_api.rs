use lambda_sandbox::{
    Deployment, InvocationType, InvokeFailure, LogSource, ShutdownReason, ThrottleReason,
};
use serde_json::json as value;

use super::{deployment, invoke_event, json, request, service};
use crate::support::{EXTENSION, events, extension_lines, function_lines};

const INVOKE: &str = "/2015-03-31/functions/orders/invocations";

#[tokio::test]
async fn a_function_that_runs_answers_for_itself() {
    let service = service([deployment("orders")]).await;
    let trace = "Root=1-6a3b1c2d-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0";
    let event = r#"{"headers":true}"#;
    let headers = [("X-Amzn-Trace-Id", trace)];
    let (answer, body) = request(&service, INVOKE, &headers, event).await;
    assert_eq!((answer.status().as_u16(), &body[..]), (200, event.as_bytes()));
    assert_eq!(answer.headers()["x-amz-executed-version"], "$LATEST");
    assert!(answer.headers().get("x-amz-function-error").is_none());
    let sandbox = service.sandboxes("orders").remove(0);
    let log: Vec<_> = sandbox.log().into_iter().map(|event| event.text).collect();
    let id = answer.headers()["x-amzn-requestid"].to_str().unwrap();
    assert!(log.contains(&format!("lambda-runtime-aws-request-id: {id}")), "{log:?}");
    assert!(log.contains(&format!("lambda-runtime-trace-id: {trace}")), "{log:?}");

    let failing = r#"{"steps":[{"error":"no such order"}]}"#;
    let (answer, body) = request(&service, INVOKE, &[], failing).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(json(&body)["errorMessage"], "no such order");
    assert_eq!(service.sandboxes("orders").len(), 1, "the environment is used again");
}

#[tokio::test]
async fn what_a_caller_says_besides_reaches_the_function() {
    let service = service([deployment("orders")]).await;
    // {"custom":{"a":"b"}}
    let headers = [("X-Amz-Client-Context", "eyJjdXN0b20iOnsiYSI6ImIifX0=")];
    let (answer, _) = request(&service, INVOKE, &headers, r#"{"headers":true}"#).await;
    assert_eq!(answer.status(), 200);
    let log = service.sandboxes("orders").remove(0).log();
    let context = r#"lambda-runtime-client-context: {"custom":{"a":"b"}}"#;
    assert!(log.iter().any(|event| event.text == context), "{log:?}");
    for wrong in ["{}", "W10=", "AAEC"] {
        let (answer, _) = request(&service, INVOKE, &[("X-Amz-Client-Context", wrong)], "{}").await;
        assert_eq!(answer.status(), 400, "{wrong}");
        assert_eq!(answer.headers()["x-amzn-errortype"], "InvalidRequestContentException");
    }
}

#[tokio::test]
async fn another_version_is_not_found() {
    let service = service([deployment("orders")]).await;
    let named = "/2015-03-31/functions/orders:live/invocations".to_owned();
    for (path, status) in [
        (format!("{INVOKE}?Qualifier=%24LATEST"), 200),
        (format!("{INVOKE}?Qualifier=live"), 404),
        (named, 404),
    ] {
        let (answer, body) = request(&service, &path, &[], "{}").await;
        assert_eq!(answer.status(), status, "{path}");
        if status == 404 {
            assert_eq!(answer.headers()["x-amzn-errortype"], "ResourceNotFoundException");
            assert!(json(&body)["Message"].as_str().unwrap().ends_with("function:orders:live"));
        }
    }
}

#[tokio::test]
async fn each_failure_before_init_is_answered_as_lambda_does() {
    let service = service([deployment("orders")]).await;
    let reasons = ThrottleReason::ALL.into_iter().map(InvokeFailure::Throttled);
    for failure in InvokeFailure::ALL.into_iter().chain(reasons) {
        service.fail("orders", failure, Some(1)).unwrap();
        let (answer, body) = request(&service, INVOKE, &[], "{}").await;
        let (status, code) = match failure {
            InvokeFailure::EfsMountFailure => (403, "EFSMountFailureException"),
            InvokeFailure::EfsMountConnectivity => (408, "EFSMountConnectivityException"),
            InvokeFailure::EfsMountTimeout => (408, "EFSMountTimeoutException"),
            InvokeFailure::KmsAccessDenied => (502, "KMSAccessDeniedException"),
            InvokeFailure::KmsDisabled => (502, "KMSDisabledException"),
            InvokeFailure::KmsInvalidState => (502, "KMSInvalidStateException"),
            InvokeFailure::KmsNotFound => (502, "KMSNotFoundException"),
            InvokeFailure::Pending => (409, "ResourceConflictException"),
            InvokeFailure::Throttled(_) => (429, "TooManyRequestsException"),
            InvokeFailure::AccessDenied => (403, "AccessDeniedException"),
        };
        assert_eq!(answer.status(), status, "{failure}");
        assert_eq!(answer.headers()["x-amzn-errortype"], code);
        let body = json(&body);
        assert_eq!(body["Type"], "User");
        let message = body["Message"].as_str().or(body["message"].as_str()).unwrap();
        assert!(message.len() > 10, "{body}");
        let reason = match failure {
            InvokeFailure::Throttled(reason) => value!(reason.as_str()),
            _ => value!(null),
        };
        assert_eq!(body["Reason"], reason, "{failure}");
    }
    assert!(service.sandboxes("orders").is_empty(), "nothing was started");
}

#[tokio::test]
async fn an_extension_hears_of_no_failure_before_init() {
    let service = service([deployment("orders")]).await;
    // While nothing has been started yet.
    for (number, failure) in InvokeFailure::ALL.into_iter().enumerate() {
        service.fail("orders", failure, None).unwrap();
        assert!(request(&service, INVOKE, &[], "{}").await.0.status().as_u16() >= 400);
        invoke_event(&service, "orders", value!({"number": number})).await;
        service.advance(super::HOUR * 6).await.unwrap();
        service.recover("orders").unwrap();
    }
    assert!(service.attempts().len() > 8 * 3);
    assert!(service.attempts().iter().all(|attempt| attempt.error_type.is_some()));
    assert!(service.sandboxes("orders").is_empty());
    // And beside an environment that is there.
    let first = request(&service, INVOKE, &[], "{}").await.0;
    for failure in InvokeFailure::ALL {
        service.fail("orders", failure, Some(1)).unwrap();
        request(&service, INVOKE, &[], "{}").await;
    }
    let last = request(&service, INVOKE, &[], "{}").await.0;
    let sandboxes = service.sandboxes("orders");
    assert_eq!(sandboxes.len(), 1);
    sandboxes[0].shutdown(ShutdownReason::Spindown).await;
    let told = events(&sandboxes[0]);
    let invoked: Vec<_> = told.iter().filter(|event| event["eventType"] == "INVOKE").collect();
    let ids: Vec<_> = invoked.iter().map(|event| event["requestId"].clone()).collect();
    let expected = [&first, &last]
        .map(|answer| value!(answer.headers()["x-amzn-requestid"].to_str().unwrap()));
    assert_eq!(ids, expected, "{:#?}", extension_lines(&sandboxes[0]));
    let is_its_own = |source: &LogSource| *source == LogSource::Extension(EXTENSION.into());
    let starts = sandboxes[0].log().into_iter().filter(|e| e.text.starts_with("START")).count();
    assert_eq!(starts, 2);
    assert!(sandboxes[0].log().iter().any(|event| is_its_own(&event.source)));
}

#[tokio::test]
async fn what_is_no_request_is_refused_as_lambda_does() {
    let service = service([deployment("orders")]).await;
    let missing = INVOKE.replace("orders", "missing");
    let long: &'static str = Box::leak(format!("\"{}\"", "x".repeat(1 << 20)).into_boxed_str());
    for (path, kind, body, status, code) in [
        (missing.as_str(), "RequestResponse", "{}", 404, "ResourceNotFoundException"),
        (&missing, "Event", "{}", 404, "ResourceNotFoundException"),
        (INVOKE, "RequestResponse", "{", 400, "InvalidRequestContentException"),
        (INVOKE, "Event", "{", 400, "InvalidRequestContentException"),
        (INVOKE, "Event", long, 413, "RequestTooLargeException"),
        (INVOKE, "event", "{}", 400, "InvalidParameterValueException"),
        ("/2015-03-31/functions/orders", "Event", "{}", 404, "UnknownOperationException"),
    ] {
        let (answer, _) = request(&service, path, &[("x-amz-invocation-type", kind)], body).await;
        assert_eq!(answer.status(), status, "{path} {kind}");
        assert_eq!(answer.headers()["x-amzn-errortype"], code, "{path} {kind}");
    }
    let (answer, body) = request(&service, &missing, &[], "").await;
    assert_eq!(answer.status(), 404);
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:missing";
    assert_eq!(json(&body)["Message"], format!("Function not found: {arn}"));
    assert!(service.sandboxes("orders").is_empty());
}

#[tokio::test]
async fn an_event_is_taken_whatever_befalls_it_later_but_for_what_concerns_the_caller() {
    let service = service([deployment("orders")]).await;
    let headers = [("x-amz-invocation-type", "Event")];
    for failure in InvokeFailure::ALL {
        service.fail("orders", failure, None).unwrap();
        let (answer, body) = request(&service, INVOKE, &headers, "{}").await;
        let expected = if failure == InvokeFailure::AccessDenied { 403 } else { 202 };
        assert_eq!(answer.status(), expected, "{failure}");
        assert_eq!(body.is_empty(), expected == 202);
        service.recover("orders").unwrap();
    }
    let too_fast = InvokeFailure::Throttled(ThrottleReason::CallerRateLimitExceeded);
    service.fail("orders", too_fast, Some(1)).unwrap();
    assert_eq!(request(&service, INVOKE, &headers, "{}").await.0.status(), 429);
    let dry = [("x-amz-invocation-type", "DryRun")];
    assert_eq!(request(&service, INVOKE, &dry, "{}").await.0.status(), 204);
    assert!(service.sandboxes("orders").is_empty());
}

#[tokio::test]
async fn reserved_concurrency_throttles_for_real() {
    let service =
        service([Deployment { reserved_concurrency: Some(1), ..deployment("orders") }]).await;
    let slow =
        request(&service, INVOKE, &[], r#"{"steps":[{"print":"begun"},{"sleep_ms":60000}]}"#);
    let throttled = async {
        while service.sandboxes("orders").is_empty() {
            tokio::task::yield_now().await;
        }
        let sandbox = service.sandboxes("orders").remove(0);
        crate::support::seen(&sandbox, "begun").await;
        request(&service, INVOKE, &[], "{}").await
    };
    let (answer, body) = tokio::select! {
        _ = slow => unreachable!("it sleeps"),
        answer = throttled => answer,
    };
    assert_eq!(answer.status(), 429);
    assert_eq!(json(&body)["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test]
async fn two_invocations_at_once_have_an_environment_each() {
    let service = service([deployment("orders")]).await;
    let event = r#"{"steps":[{"sleep_ms":300}]}"#;
    let (one, other) =
        tokio::join!(request(&service, INVOKE, &[], event), request(&service, INVOKE, &[], event));
    assert_eq!((one.0.status().as_u16(), other.0.status().as_u16()), (200, 200));
    assert_eq!(service.sandboxes("orders").len(), 2);
    let answer = service.invoke("orders", InvocationType::RequestResponse, Default::default());
    assert_eq!(answer.await.status, 200);
    assert_eq!(service.sandboxes("orders").len(), 2, "one of them is used again");
}

#[tokio::test]
async fn a_function_finds_the_service_unless_it_is_told_another_endpoint() {
    let mut elsewhere = deployment("elsewhere");
    let endpoint = ("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    elsewhere.config.function.env.push(endpoint);
    let service = service([deployment("orders"), elsewhere]).await;
    for (function, expected) in [
        ("orders", format!("env AWS_ENDPOINT_URL_LAMBDA={}", service.endpoint())),
        ("elsewhere", "env AWS_ENDPOINT_URL=http://127.0.0.1:1".to_owned()),
    ] {
        let path = INVOKE.replace("orders", function);
        let printing = r#"{"steps":[{"print_environment":true}]}"#;
        assert_eq!(request(&service, &path, &[], printing).await.0.status(), 200);
        let sandbox = service.sandboxes(function).remove(0);
        let of_endpoint = |line: &String| line.starts_with("env AWS_ENDPOINT_URL");
        let lines = function_lines(&sandbox).into_iter().filter(of_endpoint);
        assert_eq!(lines.collect::<Vec<_>>(), [expected]);
    }
}
