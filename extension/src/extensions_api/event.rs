//! The events of /next.
//!
//! `lambda-extension` gives them as they are documented; what its decoder refuses is read leniently
//! here.

use crate::panics::contained;
use lambda_extension::{InvokeEvent, NextEvent, ShutdownEvent};
use serde_json::Value;
use triage_diagnosis::{Invoke, Timestamp, fault_point};

/// An event of /next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An invocation has begun.
    Invoke(Invoke),
    /// The sandbox ends.
    Shutdown {
        /// `spindown`, `timeout`, `failure` or another word, in lower case; empty if there is none.
        reason: String,
        /// When the sandbox is killed; None if the event does not say.
        deadline: Option<Timestamp>,
    },
}

/// An event that is none of those that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventError {
    /// Not JSON, or no object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// Neither INVOKE nor SHUTDOWN.
    #[error("its type is neither INVOKE nor SHUTDOWN")]
    UnknownType,
    /// Nothing could be said of an invocation without one.
    #[error("its INVOKE has no request id")]
    NoRequestId,
    /// Nobody knows.
    #[error("there is a bug in reading it")]
    Bug,
}

impl Event {
    /// Reads an event: only its type and an INVOKE's request id must be there. A bug in reading it
    /// costs what it says, but for its being SHUTDOWN, after which no other event would come.
    ///
    /// # Errors
    /// If one of them is not.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, EventError> {
        contained(|| Self::read(body)).unwrap_or_else(|| {
            const SHUTDOWN: &[u8] = b"\"SHUTDOWN\"";
            let is_shutdown = |part: &[u8]| part.eq_ignore_ascii_case(SHUTDOWN);
            if body.windows(SHUTDOWN.len()).any(is_shutdown) {
                return Ok(Self::Shutdown { reason: String::new(), deadline: None });
            }
            Err(EventError::Bug)
        })
    }

    fn read(body: &[u8]) -> Result<Self, EventError> {
        fault_point!("event");
        match serde_json::from_slice(body) {
            Ok(event) => Self::documented(event),
            Err(_) => Self::lenient(body),
        }
    }

    fn documented(event: NextEvent) -> Result<Self, EventError> {
        match event {
            NextEvent::Invoke(InvokeEvent { request_id, .. }) if request_id.is_empty() => {
                Err(EventError::NoRequestId)
            }
            NextEvent::Invoke(event) => Ok(Self::Invoke(Invoke {
                request_id: event.request_id,
                deadline: deadline(event.deadline_ms),
                function_arn: event.invoked_function_arn,
                trace_header: Some(event.tracing.value).filter(|header| !header.is_empty()),
            })),
            NextEvent::Shutdown(ShutdownEvent { shutdown_reason, deadline_ms }) => {
                let reason = shutdown_reason.to_ascii_lowercase();
                Ok(Self::Shutdown { reason, deadline: deadline(deadline_ms) })
            }
        }
    }

    /// An event with a field missing, of another kind or in another spelling: a SHUTDOWN that is
    /// skipped would cost the last diagnoses.
    fn lenient(body: &[u8]) -> Result<Self, EventError> {
        let event: Value = serde_json::from_slice(body).map_err(|_| EventError::NotAnObject)?;
        let event = event.as_object().ok_or(EventError::NotAnObject)?;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let deadline = event.get("deadlineMs").and_then(milliseconds);
        match text("eventType") {
            Some(kind) if kind.eq_ignore_ascii_case("INVOKE") => Ok(Self::Invoke(Invoke {
                request_id: text("requestId")
                    .filter(|id| !id.is_empty())
                    .ok_or(EventError::NoRequestId)?
                    .to_owned(),
                deadline,
                function_arn: text("invokedFunctionArn").unwrap_or_default().to_owned(),
                trace_header: event
                    .get("tracing")
                    .and_then(|tracing| tracing.get("value"))
                    .and_then(Value::as_str)
                    .filter(|header| !header.is_empty())
                    .map(str::to_owned),
            })),
            Some(kind) if kind.eq_ignore_ascii_case("SHUTDOWN") => Ok(Self::Shutdown {
                reason: text("shutdownReason").unwrap_or_default().to_ascii_lowercase(),
                deadline,
            }),
            _ => Err(EventError::UnknownType),
        }
    }
}

/// A deadline as a number or as text.
fn milliseconds(value: &Value) -> Option<Timestamp> {
    deadline(match value {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    })
}

/// `deadlineMs`, in ms since the epoch; 0 stands for none, as some emulators send it.
fn deadline(ms: u64) -> Option<Timestamp> {
    (ms > 0).then(|| Timestamp::from_ms(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_documented_events() {
        let invoke = br#"{"eventType":"INVOKE","deadlineMs":676051,
            "requestId":"3da1f2dc-3222-475e-9205-e2e6c6318895",
            "invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:ExtensionTest",
            "tracing":{"type":"X-Amzn-Trace-Id",
              "value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1"}}"#;
        assert_eq!(
            Event::decode(invoke),
            Ok(Event::Invoke(Invoke {
                request_id: "3da1f2dc-3222-475e-9205-e2e6c6318895".to_owned(),
                deadline: Some(Timestamp::from_ms(676_051)),
                function_arn: "arn:aws:lambda:us-east-1:123456789012:function:ExtensionTest"
                    .to_owned(),
                trace_header: Some(
                    "Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1"
                        .to_owned()
                ),
            }))
        );
        let shutdown = br#"{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":42}"#;
        assert_eq!(
            Event::decode(shutdown),
            Ok(Event::Shutdown {
                reason: "spindown".to_owned(),
                deadline: Some(Timestamp::from_ms(42))
            })
        );
    }

    #[test]
    fn a_shutdown_in_any_spelling_and_with_any_reason_is_one() {
        for (body, reason) in [
            (r#"{"eventType":"SHUTDOWN","shutdownReason":"TIMEOUT","deadlineMs":"42"}"#, "timeout"),
            (r#"{"eventType":"Shutdown","shutdownReason":"ReleaseFail"}"#, "releasefail"),
            (r#"{"eventType":"shutdown","shutdownReason":7,"deadlineMs":-1}"#, ""),
            (r#"{"eventType":"SHUTDOWN"}"#, ""),
        ] {
            match Event::decode(body.as_bytes()) {
                Ok(Event::Shutdown { reason: found, .. }) => assert_eq!(found, reason, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_invoke_needs_only_its_request_id() {
        for body in [
            r#"{"eventType":"INVOKE","requestId":"a"}"#,
            r#"{"eventType":"invoke","requestId":"a","deadlineMs":0,"tracing":null}"#,
            r#"{"eventType":"INVOKE","requestId":"a","deadlineMs":null,"tracing":{"value":""}}"#,
        ] {
            let bare = Invoke {
                request_id: "a".to_owned(),
                deadline: None,
                function_arn: String::new(),
                trace_header: None,
            };
            assert_eq!(Event::decode(body.as_bytes()), Ok(Event::Invoke(bare)), "{body}");
        }
    }

    #[test]
    fn what_is_no_event_is_said_to_be_none() {
        for (body, error) in [
            ("", EventError::NotAnObject),
            ("null", EventError::NotAnObject),
            ("[]", EventError::NotAnObject),
            (r#"{"eventType":"INVO"#, EventError::NotAnObject),
            ("{}", EventError::UnknownType),
            (r#"{"eventType":7}"#, EventError::UnknownType),
            (r#"{"eventType":"RESTORE"}"#, EventError::UnknownType),
            (r#"{"eventType":"INVOKE"}"#, EventError::NoRequestId),
            (r#"{"eventType":"INVOKE","requestId":""}"#, EventError::NoRequestId),
        ] {
            assert_eq!(Event::decode(body.as_bytes()), Err(error), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::decode(&body);
        }
    }
}
