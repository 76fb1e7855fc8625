use std::time::Duration;

use lambda_sandbox::{
    Deployment, Destination, EventInvokeConfig, InvokeFailure, MAXIMUM_EVENT_AGE, Message,
    ResponseForm,
};
use serde_json::{Value, json as value};

use super::{deployment, invoke_event, json, queue, service, told_to, topic};

/// The event of an invocation whose EFS mount failed, as this destination's subscriber gets it; and
/// the request id.
async fn failed_mount(deployment: Deployment, destination: &Destination) -> (Value, String) {
    let service = service([deployment]).await;
    service.fail("orders", InvokeFailure::EfsMountFailure, None).unwrap();
    let answer = invoke_event(&service, "orders", value!({"order": 7})).await;
    service.advance(Duration::from_secs(180)).await.unwrap();
    let mut events = service.events(destination);
    assert_eq!(events.len(), 1);
    (json(&events.remove(0)), answer.request_id)
}

/// What a record of this failure says, wherever it is sent.
fn assert_record(record: &Value, request_id: &str) {
    assert_eq!(record["version"], "1.0");
    assert!(humantime::parse_rfc3339(record["timestamp"].as_str().unwrap()).is_ok());
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST";
    let context = value!({"requestId": request_id, "functionArn": arn,
        "condition": "RetriesExhausted", "approximateInvokeCount": 3});
    assert_eq!(record["requestContext"], context);
    assert_eq!(record["requestPayload"], value!({"order": 7}));
    let context = value!({"statusCode": 403, "executedVersion": "$LATEST"});
    assert_eq!(record["responseContext"], context);
    assert_eq!(record["responsePayload"]["errorType"], "EFSMountFailureException");
}

#[tokio::test]
async fn a_record_reaches_each_kind_of_destination_in_its_own_shape() {
    let function = Destination::Function("failure-watcher".into());
    let (event, id) = failed_mount(told_to("orders", function.clone()), &function).await;
    assert_record(&event, &id);

    let (event, id) = failed_mount(told_to("orders", queue("failures")), &queue("failures")).await;
    let message = &event["Records"][0];
    assert_eq!(message["eventSource"], "aws:sqs");
    assert_eq!(message["eventSourceARN"], "arn:aws:sqs:eu-west-1:123456789012:failures");
    assert_eq!(message["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(message["messageAttributes"], value!({}));
    assert_record(&json(message["body"].as_str().unwrap().as_bytes()), &id);

    let (event, id) = failed_mount(told_to("orders", topic("failures")), &topic("failures")).await;
    let record = &event["Records"][0];
    assert_eq!(record["EventSource"], "aws:sns");
    assert_eq!(record["Sns"]["TopicArn"], "arn:aws:sns:eu-west-1:123456789012:failures");
    assert_record(&json(record["Sns"]["Message"].as_str().unwrap().as_bytes()), &id);

    let bus = Destination::EventBus("default".into());
    let (event, id) = failed_mount(told_to("orders", bus.clone()), &bus).await;
    assert_eq!(event["source"], "lambda");
    assert_eq!(event["detail-type"], "Lambda Function Invocation Result - Failure");
    assert_eq!(event["resources"][1], event["detail"]["requestContext"]["functionArn"]);
    assert_record(&event["detail"], &id);
}

#[tokio::test]
async fn a_dead_letter_is_the_event_itself_with_three_attributes() {
    for dead_letter in [queue("dead"), topic("dead")] {
        let deployment =
            Deployment { dead_letter: Some(dead_letter.clone()), ..deployment("orders") };
        let (event, id) = failed_mount(deployment, &dead_letter).await;
        let record = &event["Records"][0];
        let (body, attributes, kind, value) = match dead_letter {
            Destination::Queue(_) => {
                (&record["body"], &record["messageAttributes"], "dataType", "stringValue")
            }
            _ => (&record["Sns"]["Message"], &record["Sns"]["MessageAttributes"], "Type", "Value"),
        };
        assert_eq!(body, r#"{"order":7}"#);
        assert_eq!(attributes["RequestID"][value], id);
        assert_eq!(attributes["RequestID"][kind], "String");
        assert_eq!(attributes["ErrorCode"][value], "403");
        assert_eq!(attributes["ErrorCode"][kind], "Number");
        let message = attributes["ErrorMessage"][value].as_str().unwrap();
        assert!(message.starts_with("The function could not mount the EFS"), "{message}");
    }
}

#[tokio::test]
async fn a_dead_letter_of_a_function_s_error_has_status_200_and_at_most_1_kb_of_its_message() {
    let dead_letter = queue("dead");
    let deployment = Deployment {
        dead_letter: Some(dead_letter.clone()),
        ..told_to("orders", queue("failures"))
    };
    let service = service([deployment]).await;
    let event = value!({"steps": [{"error": "é".repeat(2000)}]});
    invoke_event(&service, "orders", event.clone()).await;
    service.advance(MAXIMUM_EVENT_AGE).await.unwrap();
    let [letter]: [Message; 1] = service.messages(&dead_letter).try_into().unwrap();
    assert_eq!(json(&letter.body), event);
    let attribute = |name| letter.attributes.iter().find(|a| a.name == name).unwrap();
    assert_eq!(attribute("ErrorCode").value, "200");
    assert_eq!(attribute("ErrorMessage").value, "é".repeat(512));
    let record = json(&service.messages(&queue("failures"))[0].body);
    let context = value!({"statusCode": 200, "executedVersion": "$LATEST",
        "functionError": "Unhandled"});
    assert_eq!(record["responseContext"], context);
    assert_eq!(record["responsePayload"]["errorType"], "Function.FixtureError");
}

#[tokio::test]
async fn records_of_failures_before_init_take_each_form_that_they_might_have() {
    for form in ResponseForm::ALL {
        let event_invoke_config = EventInvokeConfig {
            maximum_retry_attempts: 0,
            on_failure: Some(queue("failures")),
            response_form: form,
            ..EventInvokeConfig::default()
        };
        let service = service([Deployment { event_invoke_config, ..deployment("orders") }]).await;
        service.fail("orders", InvokeFailure::EfsMountTimeout, None).unwrap();
        invoke_event(&service, "orders", value!({})).await;
        service.advance(Duration::ZERO).await.unwrap();
        let record = json(&service.messages(&queue("failures"))[0].body);
        let code = "EFSMountTimeoutException";
        let payload = &record["responsePayload"];
        let status = record["responseContext"]["statusCode"].as_u64();
        assert_eq!(status, (form != ResponseForm::Absent).then_some(408), "{form:?}");
        match form {
            ResponseForm::Document => assert_eq!(payload["errorType"], code),
            ResponseForm::EncodedTwice => {
                let document = json(payload.as_str().unwrap().as_bytes());
                assert_eq!(document["errorType"], code);
            }
            ResponseForm::Text => assert!(payload.as_str().unwrap().starts_with(code)),
            ResponseForm::TextOfOneKilobyte => {
                let text = payload.as_str().unwrap();
                assert!(text.starts_with(code) && (1020..=1024).contains(&text.len()));
            }
            ResponseForm::ContextAlone | ResponseForm::Absent => {
                assert!(record.get("responsePayload").is_none());
            }
        }
        assert!(!record.to_string().contains("null"), "{record}");
    }
}
