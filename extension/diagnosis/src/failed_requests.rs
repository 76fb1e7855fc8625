//! Records of failed requests, as Lambda and the services around it leave them: JSON to [`FailedRequest`]s, in
//! whatever wrapping and mixture.

mod dead_letter;
mod delivered;
mod function_name;
mod json;
mod payload;
mod record;

pub use delivered::{Delivered, Delivery};
pub use function_name::{FunctionName, ListedName, is_name};
pub use json::json;

use crate::{FailedRequest, Timestamp};
use dead_letter::Attributes;
use record::{Recorded, timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Whose dead letters a queue or topic holds: the function's name by its own.
pub type DeadLetterNames = BTreeMap<String, String>;

/// Reads what a function is given as event, or what such an event holds: a record, a queue's or a topic's
/// message, an event of a bus, or a list of them; and the answer to SQS's ReceiveMessage.
#[must_use]
pub fn read(event: &Value, dead_letters: &DeadLetterNames) -> Vec<Item> {
    items(event).iter().map(|item| Item::read(item, dead_letters)).collect()
}

fn items(event: &Value) -> &[Value] {
    let list = [&event["Records"], &event["Messages"], event];
    let items = list.into_iter().find_map(Value::as_array);
    items.map_or(std::slice::from_ref(event), Vec::as_slice)
}

/// One message, record or event.
#[derive(Debug, PartialEq)]
pub struct Item {
    /// The id by which a queue's message is answered; None for what came in another way.
    pub message_id: Option<String>,
    /// What it tells: nothing of an invocation that succeeded; of a dead letter around the record of another
    /// function's failure, both.
    pub told: Result<Vec<Request>, NoFailure>,
}

/// A request that failed, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is known of it.
    pub failure: FailedRequest,
    /// The function; empty where nothing names it.
    pub function_name: String,
    /// Its version; empty if it is not told.
    pub function_version: String,
    /// The id of the message that tells of it, a queue's or a topic's, if it came in one.
    pub message_id: Option<String>,
}

/// Why an item tells of no invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFailure {
    /// It is neither JSON nor does it have the attributes of a dead-letter message.
    NotJson,
    /// It is JSON of something else.
    Other,
    /// It is a message that ReceiveMessage gave without its attributes, by which alone a dead letter is known.
    NoAttributes,
}

impl fmt::Display for NoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "it is no JSON",
            Self::Other => "it is none of the records of failed invocations",
            Self::NoAttributes => {
                "a dead letter is known by its message's attributes, and it came without any \
                 (--message-attribute-names All)"
            }
        })
    }
}

/// Wrappings within wrappings are looked into so deep.
const MAX_WRAPPINGS: usize = 8;

impl Item {
    fn read(item: &Value, dead_letters: &DeadLetterNames) -> Self {
        let is_sqs = item["eventSource"] == "aws:sqs";
        let message_id = item["messageId"].as_str().filter(|_| is_sqs).map(str::to_owned);
        let mut wrapping = Wrapping { dead_letters, at: None, function: None, message_id: None };
        Self { message_id, told: wrapping.open(item, MAX_WRAPPINGS) }
    }
}

type Told = Result<Vec<Request>, NoFailure>;

/// What the wrappings opened so far tell of what is in them.
struct Wrapping<'a> {
    dead_letters: &'a DeadLetterNames,
    /// When the message was sent.
    at: Option<Timestamp>,
    /// Whose failures come this way.
    function: Option<String>,
    /// The id of the innermost message: one of a topic's may stand in several of a queue's.
    message_id: Option<String>,
}

impl Wrapping<'_> {
    fn open(&mut self, json: &Value, depth: usize) -> Told {
        let Some(depth) = depth.checked_sub(1) else { return Err(NoFailure::Other) };
        if json["eventSource"] == "aws:sqs" {
            return self.open_sqs(json, depth);
        }
        if json["EventSource"] == "aws:sns" {
            return self.open_sns(&json["Sns"], depth);
        }
        if json["MessageId"].is_string() && json["Body"].is_string() {
            return self.open_received(json, depth);
        }
        if json["Type"] == "Notification" && json["TopicArn"].is_string() {
            return self.open_sns(json, depth);
        }
        if json["detail-type"].is_string() {
            let is_lambdas = json["source"] == "lambda";
            return if is_lambdas {
                self.open(&json["detail"], depth)
            } else {
                Err(NoFailure::Other)
            };
        }
        if let Value::String(text) = json {
            return self.open_text(text, depth);
        }
        match Recorded::read(json) {
            Recorded::Failure(failure, version) => Ok(vec![self.request(*failure, version)]),
            Recorded::Success => Ok(Vec::new()),
            Recorded::Other => Err(NoFailure::Other),
        }
    }

    fn open_text(&mut self, text: &str, depth: usize) -> Told {
        let json = json(text).map_err(|_| NoFailure::NotJson)?;
        self.open(&json, depth)
    }

    /// A message of a queue, as an event source mapping gives it.
    fn open_sqs(&mut self, json: &Value, depth: usize) -> Told {
        let attributes = &json["attributes"];
        self.at = timestamp(&attributes["SentTimestamp"]);
        self.message_id = json["messageId"].as_str().map(str::to_owned);
        self.came_by(&json["eventSourceARN"]);
        // SenderId does not say whose a dead letter is: it is a session of the function's role by the name
        // of `awslambda_`, a number and the time.
        let attributes = named(&json["messageAttributes"], "stringValue");
        self.open_message(&attributes, json["body"].as_str().unwrap_or_default(), depth)
    }

    /// A message of a queue, as ReceiveMessage gives it.
    fn open_received(&mut self, json: &Value, depth: usize) -> Told {
        self.at = timestamp(&json["Attributes"]["SentTimestamp"]);
        self.message_id = json["MessageId"].as_str().map(str::to_owned);
        let attributes = named(&json["MessageAttributes"], "StringValue");
        let told = self.open_message(&attributes, json["Body"].as_str().unwrap_or_default(), depth);
        told.map_err(|why| if attributes.is_empty() { NoFailure::NoAttributes } else { why })
    }

    /// A message of a topic, as a function gets it or as it stands in the body of a queue's message.
    fn open_sns(&mut self, json: &Value, depth: usize) -> Told {
        self.at = timestamp(&json["Timestamp"]).or(self.at);
        let message_id = json["MessageId"].as_str().map(str::to_owned);
        self.message_id = message_id.or(self.message_id.take());
        self.came_by(&json["TopicArn"]);
        let attributes = named(&json["MessageAttributes"], "Value");
        self.open_message(&attributes, json["Message"].as_str().unwrap_or_default(), depth)
    }

    fn open_message(&mut self, attributes: &Attributes, message: &str, depth: usize) -> Told {
        let Some(letter) = dead_letter::read(attributes, self.at, message) else {
            return self.open_text(message, depth);
        };
        self.function = letter.function_name.or(self.function.take());
        let is_of_bus = letter.failure.is_of_invoker;
        let mut told = vec![self.request(letter.failure, None)];
        // The event that a bus could not deliver may be Lambda's own, and tell of another's failure. Of any other
        // letter a stranger may have written the event.
        let event = if is_of_bus { json(message).unwrap_or_default() } else { Value::Null };
        if event["source"] == "lambda" {
            self.function = None;
            told.extend(self.open(&event, depth).unwrap_or_default());
        }
        Ok(told)
    }

    fn came_by(&mut self, arn: &Value) {
        let name = arn.as_str().and_then(|arn| arn.rsplit(':').next()).unwrap_or_default();
        self.function = self.dead_letters.get(name).cloned().or(self.function.take());
    }

    fn request(&self, failure: FailedRequest, version: Option<String>) -> Request {
        let of_arn = failure.function_arn.as_deref().and_then(FunctionName::of_arn);
        let (name, qualifier) = match of_arn {
            Some(function) => (Some(function.name), function.qualifier),
            None => (self.function.clone(), None),
        };
        let is_name = |name: &String| is_name(name);
        // An alias is none, and Lambda does not say of what failed before it ran which it stood for.
        let is_version =
            |text: &String| text == "$LATEST" || text.bytes().all(|b| b.is_ascii_digit());
        Request {
            failure,
            function_name: name.filter(is_name).unwrap_or_default(),
            function_version: version.or(qualifier).filter(is_version).unwrap_or_default(),
            message_id: self.message_id.clone(),
        }
    }
}

/// `{"NAME": {FIELD: "…"}}`
fn named(attributes: &Value, field: &str) -> Attributes {
    let text = |attribute: &Value| {
        let value = attribute.get(field)?;
        value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))
    };
    let attributes = attributes.as_object().into_iter().flatten();
    attributes.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}
