//! What Lambda tells of an asynchronous event that left its queue: invocation records for destinations,
//! and the attributes of a dead-letter message.

use std::time::SystemTime;

use bytes::Bytes;
use serde_json::{Value, json};

use super::event_queue::{Condition, QueuedEvent};
use super::failure::InvokeError;
use crate::outcome::InvocationOutcome;

/// The most of an error's message that a dead-letter message carries.
const MAX_ERROR_MESSAGE_BYTES: usize = 1024;

/// How much an invocation record tells of an error before the function began. AWS documents it for
/// errors of the function alone, so whoever reads records must get along with each of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseForm {
    /// `responseContext` with the HTTP status, and the error as a document in `responsePayload`.
    #[default]
    Document,
    /// The same, with the document as JSON in a string.
    EncodedTwice,
    /// `responsePayload` is the message, a string.
    Text,
    /// That string, cut off after 1 KB.
    TextOfOneKilobyte,
    /// `responseContext` alone.
    ContextAlone,
    /// Neither.
    Absent,
}

impl ResponseForm {
    /// Every form.
    pub const ALL: [Self; 6] = [
        Self::Document,
        Self::EncodedTwice,
        Self::Text,
        Self::TextOfOneKilobyte,
        Self::ContextAlone,
        Self::Absent,
    ];
}

/// How the last attempt ended.
#[derive(Debug, Clone)]
pub(crate) enum LastAttempt {
    Ran(Box<InvocationOutcome>),
    Refused(InvokeError),
}

/// All that is told of an event at its end.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) event: &'a QueuedEvent,
    pub(crate) condition: Condition,
    pub(crate) at: SystemTime,
    pub(crate) last: &'a LastAttempt,
    /// Without a version.
    pub(crate) function_arn: &'a str,
    pub(crate) version: &'a str,
}

impl End<'_> {
    pub(crate) fn qualified_arn(&self) -> String {
        format!("{}:{}", self.function_arn, self.version)
    }

    /// The invocation record, version 1.0.
    pub(crate) fn record(&self, form: ResponseForm) -> Value {
        let mut record = json!({
            "version": "1.0",
            "timestamp": humantime::format_rfc3339_millis(self.at).to_string(),
            "requestContext": {
                "requestId": self.event.request_id,
                "functionArn": self.qualified_arn(),
                "condition": self.condition.as_str(),
                "approximateInvokeCount": self.event.attempts,
            },
            "requestPayload": parsed(&self.event.payload),
        });
        let context = |status: u16| json!({"statusCode": status, "executedVersion": self.version});
        match self.last {
            LastAttempt::Ran(outcome) => {
                record["responseContext"] = context(200);
                if outcome.function_error {
                    record["responseContext"]["functionError"] = "Unhandled".into();
                }
                record["responsePayload"] = parsed(&outcome.payload);
            }
            LastAttempt::Refused(error) => {
                if form != ResponseForm::Absent {
                    record["responseContext"] = context(error.status);
                }
                if let Some(payload) = payload(error, form) {
                    record["responsePayload"] = payload;
                }
            }
        }
        record
    }

    /// The HTTP status, and what is said of the error: 200 for one of the function itself.
    pub(crate) fn dead_letter_error(&self) -> (u16, String) {
        match self.last {
            LastAttempt::Ran(outcome) => {
                let document = parsed(&outcome.payload);
                let message = document["errorMessage"].as_str().unwrap_or_default();
                (200, clipped(message).into())
            }
            LastAttempt::Refused(error) => (error.status, clipped(&error.message).into()),
        }
    }
}

fn payload(error: &InvokeError, form: ResponseForm) -> Option<Value> {
    let document = json!({"errorType": error.code, "errorMessage": error.message});
    let text = || format!("{}: {}", error.code, error.message);
    match form {
        ResponseForm::Document => Some(document),
        ResponseForm::EncodedTwice => Some(document.to_string().into()),
        ResponseForm::Text => Some(text().into()),
        ResponseForm::TextOfOneKilobyte => {
            // Long enough to be cut off.
            let text = format!("{} {}", text(), "\u{2026}".repeat(MAX_ERROR_MESSAGE_BYTES));
            Some(clipped(&text).into())
        }
        ResponseForm::ContextAlone | ResponseForm::Absent => None,
    }
}

fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_ERROR_MESSAGE_BYTES)]
}

/// A payload as JSON; what is none, as a string.
fn parsed(payload: &Bytes) -> Value {
    serde_json::from_slice(payload)
        .unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into())
}
