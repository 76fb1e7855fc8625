use std::time::Duration;

use lambda_sandbox::{Deployment, Destination, EventInvokeConfig, InvokeFailure, LambdaService};
use serde_json::{Value, json as value};

use super::{deployment, invoke_event, json, queue, service, told_to, topic};

/// What a function answered, which is what it was invoked with.
async fn answers(service: &LambdaService, function: &str) -> Vec<Value> {
    let attempts = service.attempts().into_iter().filter(|attempt| attempt.function == function);
    attempts.map(|attempt| json(&attempt.outcome.unwrap().payload)).collect()
}

#[tokio::test]
async fn a_function_that_is_a_destination_is_invoked_with_the_record() {
    let watcher = Destination::Function("watcher".into());
    let service = service([told_to("orders", watcher), deployment("watcher")]).await;
    service.fail("orders", InvokeFailure::EfsMountFailure, None).unwrap();
    let failed = invoke_event(&service, "orders", value!({})).await;
    service.advance(Duration::from_secs(180)).await.unwrap();
    let answers = answers(&service, "watcher").await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["requestContext"]["requestId"], failed.request_id);
}

#[tokio::test]
async fn topics_and_buses_invoke_their_subscribers() {
    for destination in [topic("failures"), Destination::EventBus("default".into())] {
        let service =
            service([told_to("orders", destination.clone()), deployment("watcher")]).await;
        service.subscribe(destination.clone(), "watcher", 1);
        service.fail("orders", InvokeFailure::KmsDisabled, None).unwrap();
        invoke_event(&service, "orders", value!({})).await;
        service.advance(super::HOUR * 6).await.unwrap();
        let ran = service.attempts().into_iter().filter(|attempt| attempt.function == "watcher");
        assert_eq!(ran.count(), 1, "{destination:?}");
    }
}

fn telling_at_once(name: &str) -> Deployment {
    let event_invoke_config =
        EventInvokeConfig { maximum_retry_attempts: 0, ..EventInvokeConfig::default() };
    Deployment { event_invoke_config, dead_letter: Some(queue("failures")), ..deployment(name) }
}

#[tokio::test]
async fn a_queue_is_read_in_batches_and_what_was_left_undone_comes_again() {
    let service = service([telling_at_once("orders"), deployment("watcher")]).await;
    service.subscribe(queue("failures"), "watcher", 10);
    service.fail("orders", InvokeFailure::Pending, None).unwrap();
    for number in 0..12 {
        // A dead letter's body is the event as it was sent.
        let event = if number == 3 { value!("undone") } else { value!({"number": number}) };
        invoke_event(&service, "orders", event).await;
    }
    service.advance(Duration::ZERO).await.unwrap();
    let sandbox = service.sandboxes("watcher").remove(0);
    let invocations = || sandbox.log().iter().filter(|e| e.text.starts_with("START")).count();
    let left = || service.left_in_queue(&queue("failures"));
    assert_eq!((invocations(), left()), (2, 1), "twelve in batches of ten");
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!((invocations(), left()), (3, 1), "that one alone");
    // Where the function itself fails, nothing of the batch is done.
    invoke_event(&service, "orders", value!({"number": 12})).await;
    service.fail("watcher", InvokeFailure::Pending, Some(1)).unwrap();
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!((invocations(), left()), (3, 2));
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!((invocations(), left()), (4, 1));
}

#[tokio::test]
async fn of_a_batch_that_the_function_fails_of_nothing_is_done() {
    let service = service([telling_at_once("orders"), deployment("watcher")]).await;
    service.subscribe(queue("failures"), "watcher", 10);
    service.fail("orders", InvokeFailure::Pending, None).unwrap();
    invoke_event(&service, "orders", value!("broken")).await;
    invoke_event(&service, "orders", value!({})).await;
    service.advance(Duration::ZERO).await.unwrap();
    assert_eq!(service.left_in_queue(&queue("failures")), 2);
}
