//! The watcher without a Lambda around it, and the shapes that AWS publishes.

use failure_watcher::Handler;
use serde_json::{Value, json};
use std::time::Duration;
use triage_diagnosis::Timestamp;

pub(crate) const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
pub(crate) const ID: &str = "e4b46cbf-b738-4d2c-8880-a18cdf61200e";
pub(crate) const MOUNT: &str = "The function could not mount the EFS file system with access point \
                                arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0.";

/// A watcher whose lines are kept, and a clock that stands.
pub(crate) struct Told {
    handler: Handler<Vec<u8>>,
    pub(crate) now: Timestamp,
}

impl Told {
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Self { handler: Handler::new(lookup, Vec::new(), now), now }
    }

    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The answer to an event, and the lines that it led to.
    pub(crate) fn handle(&mut self, event: &Value) -> (Value, Vec<Value>) {
        self.handle_text(&event.to_string())
    }

    /// The same for an event as it is written.
    pub(crate) fn handle_text(&mut self, event: &str) -> (Value, Vec<Value>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let now = self.now;
        let answer = runtime.block_on(self.handler.handle(event, Duration::from_secs(30), || now));
        let written = std::mem::take(self.handler.out_mut());
        let text = String::from_utf8(written).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let lines = text.lines().inspect(|line| assert!(line.len() <= 4_095, "{line}"));
        let is_of_callee = |line: &str| line.contains(" it called");
        let lines = lines.inspect(|line| {
            assert_eq!(line.contains("called function"), is_of_callee(line), "{line}");
        });
        (answer.unwrap(), lines.map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The lines alone.
    pub(crate) fn lines(&mut self, event: &Value) -> Vec<Value> {
        self.handle(event).1
    }
}

/// An invocation record, version 1.0, of a function whose file system cannot be mounted.
pub(crate) fn record() -> Value {
    json!({
        "version": "1.0",
        "timestamp": "2026-03-01T11:59:58.000Z",
        "requestContext": {
            "requestId": ID,
            "functionArn": format!("{ARN}:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"ORDER_IDS": ["9e07af03"]},
        "responseContext": {"statusCode": 403, "executedVersion": "$LATEST"},
        "responsePayload": {"errorType": "EFSMountFailureException", "errorMessage": MOUNT},
    })
}

/// The same with another request id.
pub(crate) fn record_of(request_id: &str) -> Value {
    let mut record = record();
    record["requestContext"]["requestId"] = request_id.into();
    record
}

/// JSON that anybody may send and serde_json alone refuses: half an emoji, a number beyond the doubles, and
/// what is nested deep.
pub(crate) fn odd_payloads() -> [String; 4] {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    [r#""a\ud83d""#.into(), r#"{"\udc4d":"\ud83d x"}"#.into(), "-1e400".into(), deep]
}

/// A record, as it is written, of a request with this payload.
pub(crate) fn record_with(request_id: &str, payload: &str) -> String {
    let mut record = record_of(request_id);
    record["requestPayload"] = "PAYLOAD".into();
    record.to_string().replace("\"PAYLOAD\"", payload)
}

/// An event of an event source mapping for a queue, with these bodies and attributes.
pub(crate) fn sqs<'a>(messages: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let records: Vec<Value> = messages
        .into_iter()
        .enumerate()
        .map(|(at, (body, attributes))| {
            json!({
                "messageId": format!("message-{at}"),
                "receiptHandle": "x",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1772366399000",
                    "SenderId": "AROAEXAMPLE:awslambda_215_20260301115959000",
                    "ApproximateFirstReceiveTimestamp": "1772366399500",
                },
                "messageAttributes": attributes,
                "md5OfBody": "x",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:failures",
                "awsRegion": "eu-west-1",
            })
        })
        .collect();
    json!({"Records": records})
}

/// An event of a topic's subscription.
pub(crate) fn sns(message: &str, attributes: Value) -> Value {
    json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:failures:1",
        "Sns": notification(message, attributes),
    }]})
}

/// A topic's message, as it also stands in the body of a queue's.
pub(crate) fn notification(message: &str, attributes: Value) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "m",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:failures",
        "Subject": null,
        "Message": message,
        "Timestamp": "2026-03-01T11:59:58.000Z",
        "MessageAttributes": attributes,
    })
}

/// What EventBridge makes of a record.
pub(crate) fn event_bridge(detail: Value) -> Value {
    json!({
        "version": "0",
        "id": "i",
        "detail-type": "Lambda Function Invocation Result - Failure",
        "source": "lambda",
        "account": "123456789012",
        "time": "2026-03-01T11:59:58Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:event-bus/default", format!("{ARN}:$LATEST")],
        "detail": detail,
    })
}

/// The attributes of a dead-letter message, as a queue has them.
pub(crate) fn dead_letter(code: &str, message: &str) -> Value {
    json!({
        "RequestID": {"stringValue": ID, "dataType": "String"},
        "ErrorCode": {"stringValue": code, "dataType": "Number"},
        "ErrorMessage": {"stringValue": message, "dataType": "String"},
    })
}

/// As a topic has them.
pub(crate) fn of_topic(attributes: &Value) -> Value {
    let attributes = attributes.as_object().unwrap().iter();
    let of_topic =
        |value: &Value| json!({"Type": value["dataType"], "Value": value["stringValue"]});
    attributes.map(|(name, value)| (name.clone(), of_topic(value))).collect()
}
