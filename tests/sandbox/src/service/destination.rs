//! Where Lambda sends what became of an event, and the events that a function subscribed to it is given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A destination of invocation records, or a dead-letter target, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A function of the same account, which is invoked asynchronously; of records alone.
    Function(String),
    /// An SQS queue.
    Queue(String),
    /// An SNS topic.
    Topic(String),
    /// An EventBridge event bus; of records alone.
    EventBus(String),
}

/// The account and region of everything that is named.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) region: String,
    pub(crate) account_id: String,
}

impl Destination {
    pub(crate) fn arn(&self, place: &Place) -> String {
        let Place { region, account_id } = place;
        match self {
            Self::Function(name) => format!("arn:aws:lambda:{region}:{account_id}:function:{name}"),
            Self::Queue(name) => format!("arn:aws:sqs:{region}:{account_id}:{name}"),
            Self::Topic(name) => format!("arn:aws:sns:{region}:{account_id}:{name}"),
            Self::EventBus(name) => {
                format!("arn:aws:events:{region}:{account_id}:event-bus/{name}")
            }
        }
    }
}

/// What arrived at a destination.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it arrived.
    pub destination: Destination,
    /// When, by the service's clock.
    pub sent: SystemTime,
    /// The body: an invocation record, for an event bus in its envelope; or of a dead letter the
    /// event's payload as it was.
    pub body: Bytes,
    /// Of a dead letter: `RequestID`, `ErrorCode` and `ErrorMessage`.
    pub attributes: Vec<MessageAttribute>,
    pub(crate) id: String,
}

/// An attribute of a message of SQS or SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// Its name.
    pub name: &'static str,
    /// `String` or `Number`.
    pub data_type: &'static str,
    /// Its value.
    pub value: String,
}

impl Message {
    pub(crate) fn new(destination: Destination, sent: SystemTime, body: impl Into<Bytes>) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        Self { destination, sent, body: body.into(), attributes: Vec::new(), id }
    }

    /// The same as a dead letter.
    pub(crate) fn with_error(mut self, request_id: &str, status: u16, message: String) -> Self {
        let attribute = |name, data_type, value| MessageAttribute { name, data_type, value };
        self.attributes = vec![
            attribute("RequestID", "String", request_id.to_owned()),
            attribute("ErrorCode", "Number", status.to_string()),
            attribute("ErrorMessage", "String", message),
        ];
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The message as SQS's event source mapping has it, received for the nth time.
    pub(crate) fn sqs_record(&self, place: &Place, receive_count: u32) -> Value {
        let sent = since_epoch(self.sent).as_millis().to_string();
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|attribute| {
                let value = json!({
                    "stringValue": attribute.value, "stringListValues": [], "binaryListValues": [],
                    "dataType": attribute.data_type,
                });
                (attribute.name.to_owned(), value)
            })
            .collect();
        json!({
            "messageId": self.id,
            "receiptHandle": format!("handle-{}-{receive_count}", self.id),
            "body": self.text(),
            "attributes": {
                "ApproximateReceiveCount": receive_count.to_string(),
                "SentTimestamp": sent,
                // The function's role, by a session that does not name the function.
                "SenderId": "AROAEXAMPLEEXAMPLE000:awslambda_215_20260301115959000",
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": attributes,
            // Nobody here checks it.
            "md5OfBody": "00000000000000000000000000000000",
            "eventSource": "aws:sqs",
            "eventSourceARN": self.destination.arn(place),
            "awsRegion": place.region,
        })
    }

    /// The event of one notification, as SNS invokes a function with it.
    pub(crate) fn sns_event(&self, place: &Place) -> Value {
        let arn = self.destination.arn(place);
        let sent = humantime::format_rfc3339_millis(self.sent).to_string();
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|a| (a.name.to_owned(), json!({"Type": a.data_type, "Value": a.value})))
            .collect();
        let host = format!("https://sns.{}.amazonaws.com", place.region);
        json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": format!("{arn}:{}", self.id),
            "Sns": {
                "Type": "Notification",
                "MessageId": self.id,
                "TopicArn": arn,
                "Subject": null,
                "Message": self.text(),
                "Timestamp": sent,
                "SignatureVersion": "1",
                "Signature": "EXAMPLE",
                "SigningCertUrl": format!("{host}/SimpleNotificationService-0.pem"),
                "UnsubscribeUrl": format!("{host}/?Action=Unsubscribe&SubscriptionArn={arn}"),
                "MessageAttributes": attributes,
            },
        }]})
    }

    /// The events that a subscribed function is given of this and no other message.
    pub(crate) fn event(&self, place: &Place) -> Bytes {
        match &self.destination {
            Destination::Queue(_) => sqs_event([self.sqs_record(place, 1)]),
            Destination::Topic(_) => self.sns_event(place).to_string().into(),
            Destination::Function(_) | Destination::EventBus(_) => self.body.clone(),
        }
    }
}

/// A batch of an event source mapping.
pub(crate) fn sqs_event(records: impl IntoIterator<Item = Value>) -> Bytes {
    json!({"Records": records.into_iter().collect::<Vec<_>>()}).to_string().into()
}

/// An invocation record in the envelope of EventBridge.
pub(crate) fn event_bridge_event(
    bus: &Destination,
    place: &Place,
    function: &str,
    at: SystemTime,
    succeeded: bool,
    record: &Value,
) -> Value {
    let result = if succeeded { "Success" } else { "Failure" };
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": format!("Lambda Function Invocation Result - {result}"),
        "source": "lambda",
        "account": place.account_id,
        "time": humantime::format_rfc3339_seconds(at).to_string(),
        "region": place.region,
        "resources": [bus.arn(place), function],
        "detail": record,
    })
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}
