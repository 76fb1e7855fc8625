use std::time::Duration;

use lambda_sandbox::{
    Deployment, Destination, EventInvokeConfig, InvokeFailure, LambdaService, MAXIMUM_EVENT_AGE,
    ThrottleReason,
};
use serde_json::json as value;

use super::{HOUR, deployment, invoke_event, json, queue, service, told_to};

const THROTTLED: InvokeFailure =
    InvokeFailure::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded);

fn failures() -> Destination {
    queue("failures")
}

/// The seconds after the first at which attempts were made.
fn waits(service: &LambdaService) -> Vec<u64> {
    let attempts = service.attempts();
    let since = |at| attempts[0].at.duration_since(at).unwrap_or_else(|error| error.duration());
    attempts.iter().map(|attempt| since(attempt.at).as_secs()).collect()
}

fn condition(service: &LambdaService) -> String {
    let mut messages = service.messages(&failures());
    assert_eq!(messages.len(), 1);
    let record = json(&messages.remove(0).body);
    record["requestContext"]["condition"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_function_s_error_is_retried_twice_with_the_same_request_id() {
    let service = service([told_to("orders", failures())]).await;
    let answer = invoke_event(&service, "orders", value!({"steps": [{"error": "no"}]})).await;
    assert_eq!(answer.status, 202);
    assert!(service.attempts().is_empty(), "the clock stands still");
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!(service.attempts().len(), 1);
    service.advance(Duration::from_secs(59)).await.unwrap();
    assert_eq!(service.attempts().len(), 1);
    service.advance(Duration::from_secs(1)).await.unwrap();
    assert_eq!(service.attempts().len(), 2);
    service.advance(HOUR).await.unwrap();
    assert_eq!(waits(&service), [0, 60, 180]);
    for attempt in service.attempts() {
        assert_eq!(attempt.request_id, answer.request_id);
        assert_eq!(attempt.outcome.unwrap().request_id, answer.request_id);
    }
    assert_eq!(condition(&service), "RetriesExhausted");
}

#[tokio::test]
async fn an_error_before_the_function_is_retried_as_its_http_status_says() {
    for failure in InvokeFailure::ALL {
        if failure == InvokeFailure::AccessDenied {
            continue;
        }
        let service = service([told_to("orders", failures())]).await;
        invoke_event(&service, "orders", value!({})).await;
        service.fail("orders", failure, None).unwrap();
        service.advance(MAXIMUM_EVENT_AGE).await.unwrap();
        let is_lambdas = failure.status() == 429 || failure.status() >= 500;
        let expected = if is_lambdas { "EventAgeExceeded" } else { "RetriesExhausted" };
        assert_eq!(condition(&service), expected, "{failure}");
        let waits = waits(&service);
        if is_lambdas {
            assert_eq!(waits[..5], [0, 1, 3, 7, 15], "{failure}");
            assert!(*waits.last().unwrap() > 5 * 60 * 60);
        } else {
            assert_eq!(waits, [0, 60, 180], "{failure}");
        }
        let code = failure.code();
        assert!(service.attempts().iter().all(|attempt| attempt.error_type == Some(code)));
        assert!(service.sandboxes("orders").is_empty());
    }
}

#[tokio::test]
async fn an_event_outlives_a_failure_that_ends() {
    let on_success = queue("successes");
    let mut deployment = told_to("orders", failures());
    deployment.event_invoke_config.on_success = Some(on_success.clone());
    deployment.dead_letter = Some(queue("dead"));
    let service = service([deployment]).await;
    service.fail("orders", THROTTLED, Some(3)).unwrap();
    service.fail("orders", InvokeFailure::KmsDisabled, Some(1)).unwrap();
    invoke_event(&service, "orders", value!({"order": 7})).await;
    service.advance(HOUR).await.unwrap();
    assert_eq!(waits(&service), [0, 1, 3, 7, 15]);
    assert_eq!(service.all_messages().len(), 1, "the record of its success");
    let record = json(&service.messages(&on_success)[0].body);
    assert_eq!(record["requestContext"]["condition"], "Success");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 5);
    assert_eq!(record["responsePayload"], value!({"order": 7}));
}

#[tokio::test]
async fn retries_and_age_are_as_the_function_is_set() {
    for (attempts, age, failure, expected, told) in [
        (0, 6 * 3600, InvokeFailure::EfsMountFailure, vec![0], "RetriesExhausted"),
        (1, 6 * 3600, InvokeFailure::EfsMountFailure, vec![0, 60], "RetriesExhausted"),
        (2, 60, InvokeFailure::EfsMountFailure, vec![0], "EventAgeExceeded"),
        (0, 60, THROTTLED, vec![0, 1, 3, 7, 15, 31], "EventAgeExceeded"),
    ] {
        let event_invoke_config = EventInvokeConfig {
            maximum_retry_attempts: attempts,
            maximum_event_age: Duration::from_secs(age),
            on_failure: Some(failures()),
            ..EventInvokeConfig::default()
        };
        let service = service([Deployment { event_invoke_config, ..deployment("orders") }]).await;
        service.fail("orders", failure, None).unwrap();
        let sent = service.now();
        invoke_event(&service, "orders", value!({})).await;
        if told == "EventAgeExceeded" {
            service.advance(Duration::from_secs(age - 1)).await.unwrap();
            assert!(service.messages(&failures()).is_empty(), "it is not yet too old");
        }
        service.advance(MAXIMUM_EVENT_AGE).await.unwrap();
        assert_eq!(waits(&service), expected);
        assert_eq!(condition(&service), told);
        if told == "EventAgeExceeded" {
            let told_at = service.messages(&failures())[0].sent;
            assert_eq!(told_at.duration_since(sent).unwrap().as_secs(), age);
        }
    }
}

#[tokio::test]
async fn a_function_without_any_concurrency_gives_its_events_up_at_once() {
    let deployment = Deployment { reserved_concurrency: Some(0), ..told_to("orders", failures()) };
    let service = service([deployment]).await;
    invoke_event(&service, "orders", value!({})).await;
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!(condition(&service), "ZeroReservedConcurrency");
}

#[tokio::test]
async fn settings_that_lambda_would_not_take_are_refused() {
    let service = LambdaService::start().await.unwrap();
    let set = |event_invoke_config| Deployment { event_invoke_config, ..deployment("orders") };
    let wrong = [
        set(EventInvokeConfig { maximum_retry_attempts: 3, ..EventInvokeConfig::default() }),
        set(EventInvokeConfig {
            maximum_event_age: Duration::from_secs(59),
            ..EventInvokeConfig::default()
        }),
        set(EventInvokeConfig {
            maximum_event_age: MAXIMUM_EVENT_AGE + Duration::from_secs(1),
            ..EventInvokeConfig::default()
        }),
        Deployment {
            dead_letter: Some(Destination::EventBus("default".into())),
            ..deployment("orders")
        },
    ];
    for deployment in wrong {
        assert!(service.deploy(deployment).is_err());
    }
    assert!(service.fail("orders", THROTTLED, None).is_err(), "nothing was deployed");
}
