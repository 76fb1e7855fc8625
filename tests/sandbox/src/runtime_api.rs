//! The Runtime API, 2018-06-01.

use std::sync::Arc;

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::environment::{Answer, Event, Failure};
use crate::outcome::Status;
use crate::server::{Reply, error_reply, header, json_reply, not_found, reply};
use crate::shared::Shared;

/// 6 MB and 100 bytes, as Lambda counts.
const MAX_RESPONSE_BYTES: usize = 6_291_556;

pub(crate) async fn handle(
    shared: &Arc<Shared>,
    method: &Method,
    path: &[&str],
    request: Request<Incoming>,
) -> Reply {
    match (method, path) {
        (&Method::GET, ["invocation", "next"]) => next(shared).await,
        (&Method::POST, ["invocation", id, "response"]) => answer(shared, id, request, false).await,
        (&Method::POST, ["invocation", id, "error"]) => answer(shared, id, request, true).await,
        (&Method::POST, ["init", "error"]) => fail(shared, request, "Runtime.InitError").await,
        (&Method::GET, ["restore", "next"]) => restore_next(shared).await,
        (&Method::POST, ["restore", "error"]) => {
            fail(shared, request, "Runtime.RestoreError").await
        }
        _ => not_found(),
    }
}

async fn next(shared: &Arc<Shared>) -> Reply {
    let event = match shared.change(|environment| environment.runtime.ask()) {
        Ok(event) => event,
        Err(receiver) => match receiver.await {
            Ok(event) => event,
            Err(_) => return gone(),
        },
    };
    invocation(shared, event)
}

fn invocation(shared: &Shared, event: Event) -> Reply {
    let mut response = reply(200, event.payload);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    set(headers, "lambda-runtime-aws-request-id", &event.request_id);
    set(headers, "lambda-runtime-deadline-ms", &event.deadline_ms.to_string());
    set(headers, "lambda-runtime-invoked-function-arn", &shared.config.function.arn());
    set(headers, "lambda-runtime-trace-id", &event.trace_header);
    if let Some(context) = &event.client_context {
        set(headers, "lambda-runtime-client-context", context);
    }
    response
}

/// A value that no header can hold is left out.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

async fn answer(shared: &Shared, id: &str, request: Request<Incoming>, is_error: bool) -> Reply {
    match shared.environment().runtime.in_flight.get(id) {
        None => return error_reply(400, "InvalidRequestID", "Invalid request ID"),
        Some(in_flight) if in_flight.answer.is_some() => {
            return error_reply(403, "InvalidStateTransition", "The invocation has its answer");
        }
        Some(_) => {}
    }
    let error_type = is_error.then(|| {
        let named = header(&request, "lambda-runtime-function-error-type");
        platform_error_type(named.unwrap_or_default())
    });
    let mut body = request.into_body();
    let mut payload = BytesMut::new();
    let mut first_byte = None;
    let mut too_large = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return error_reply(400, "Runtime.TruncatedResponse", "The body ended early");
        };
        first_byte.get_or_insert_with(Instant::now);
        if let Ok(data) = frame.into_data() {
            // The rest is read, so that the runtime sees the answer.
            too_large |= payload.len() + data.len() > MAX_RESPONSE_BYTES;
            if !too_large {
                payload.extend_from_slice(&data);
            }
        }
    }
    let last_byte = Instant::now();
    let mut answer = Answer {
        payload: payload.freeze(),
        error_type,
        first_byte: first_byte.unwrap_or(last_byte),
        last_byte,
    };
    if too_large {
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        );
        let error_type = "Function.ResponseSizeTooLarge";
        answer.payload =
            json!({"errorType": error_type, "errorMessage": message}).to_string().into();
        answer.error_type = Some(error_type.into());
    }
    let known = shared.change(|environment| {
        let in_flight = environment.runtime.in_flight.get_mut(id);
        in_flight.map(|in_flight| in_flight.answer = Some(answer)).is_some()
    });
    match (known, too_large) {
        (false, _) => error_reply(400, "InvalidRequestID", "Invalid request ID"),
        (true, true) => error_reply(413, "RequestEntityTooLarge", "Exceeded maximum payload size"),
        (true, false) => json_reply(202, &json!({"status": "OK"})),
    }
}

/// The error type as the platform shows it: `Runtime.` or `Function.` and a word in CamelCase. Any
/// other name that a runtime gives becomes that family's `Unknown`.
fn platform_error_type(named: &str) -> String {
    let word = named.strip_prefix("Runtime.").or_else(|| named.strip_prefix("Function."));
    let is_word = word.is_some_and(|word| {
        word.len() > 1
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphabetic())
    });
    if is_word {
        named.to_owned()
    } else if named.starts_with("Runtime.") {
        "Runtime.Unknown".to_owned()
    } else {
        "Function.Unknown".to_owned()
    }
}

async fn fail(shared: &Shared, request: Request<Incoming>, default_type: &str) -> Reply {
    let error_type = header(&request, "lambda-runtime-function-error-type").map(str::to_owned);
    let Ok(body) = request.into_body().collect().await else { return gone() };
    let body = body.to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    let named = error_type.or_else(|| text("errorType"));
    let failure = Failure {
        status: Status::Error,
        error_type: named.map_or(default_type.to_owned(), |named| platform_error_type(&named)),
        message: text("errorMessage").unwrap_or_default(),
        payload: Some(body),
    };
    shared.change(|environment| environment.fail(failure));
    json_reply(202, &json!({"status": "OK"}))
}

async fn restore_next(shared: &Shared) -> Reply {
    let (waiter, receiver) = oneshot::channel();
    shared.change(|environment| environment.runtime.restore = Some(waiter));
    match receiver.await {
        Ok(()) => reply(200, ""),
        Err(_) => gone(),
    }
}

/// The environment ended under the call.
fn gone() -> Reply {
    error_reply(500, "Sandbox.Failure", "The environment has ended")
}

#[cfg(test)]
mod tests {
    use super::platform_error_type;

    #[test]
    fn only_the_platforms_families_of_errors_are_shown() {
        for (named, shown) in [
            ("Runtime.HandlerNotFound", "Runtime.HandlerNotFound"),
            ("Function.OrderRefused", "Function.OrderRefused"),
            ("Runtime.", "Runtime.Unknown"),
            ("Runtime.not_found", "Runtime.Unknown"),
            ("Function.lower", "Function.Unknown"),
            ("unhandled", "Function.Unknown"),
            ("", "Function.Unknown"),
        ] {
            assert_eq!(platform_error_type(named), shown, "{named}");
        }
    }
}
