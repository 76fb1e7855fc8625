//! The Invoke API: `POST /2015-03-31/functions/NAME/invocations`.
//!
//! A function has its one version, and no aliases: another `Qualifier` finds no function. What `LogType`
//! asks for is not answered, and 429 comes without `Retry-After`.

use std::convert::Infallible;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request};

use super::Service;
use super::failure::InvokeError;
use crate::outcome::{Invocation, InvocationOutcome};
use crate::server::{Reply, header, reply};

/// What one synchronous request may hold, and one asynchronous event.
pub(crate) const MAX_REQUEST_BYTES: usize = 6 * 1024 * 1024;
pub(crate) const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// `X-Amz-Invocation-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationType {
    /// The caller waits for the function's answer.
    #[default]
    RequestResponse,
    /// The event is queued; the caller learns no more than that.
    Event,
    /// Nothing is run: only whether it might be.
    DryRun,
}

/// What the Invoke API answers.
#[derive(Debug, Clone)]
pub struct InvokeAnswer {
    /// The HTTP status: 200, 202 for a queued event, 204 for a dry run, or that of an error.
    pub status: u16,
    /// `x-amzn-ErrorType`, of an error of the invocation.
    pub error_type: Option<&'static str>,
    /// Whether `X-Amz-Function-Error` is there: the function ran, and failed.
    pub function_error: bool,
    /// `x-amzn-RequestId`.
    pub request_id: String,
    /// `X-Amz-Executed-Version`, where the function ran.
    pub executed_version: Option<String>,
    /// The function's answer, or the error as JSON.
    pub body: Bytes,
    /// How the function fared, where it ran: more than the API tells.
    pub outcome: Option<InvocationOutcome>,
}

impl InvokeAnswer {
    pub(crate) fn of_error(error: &InvokeError, request_id: String) -> Self {
        Self {
            status: error.status,
            error_type: Some(error.code),
            function_error: false,
            request_id,
            executed_version: None,
            body: error.body().to_string().into(),
            outcome: None,
        }
    }

    pub(crate) fn empty(status: u16, request_id: String) -> Self {
        Self {
            status,
            error_type: None,
            function_error: false,
            request_id,
            executed_version: None,
            body: Bytes::new(),
            outcome: None,
        }
    }

    fn reply(self) -> Reply {
        let mut reply = reply(self.status, self.body);
        let mut set = |name: &'static str, value: &str| {
            // Ids, codes and versions: always a header's text.
            if let Ok(value) = HeaderValue::from_str(value) {
                reply.headers_mut().insert(HeaderName::from_static(name), value);
            }
        };
        set("x-amzn-requestid", &self.request_id);
        if self.status != 204 {
            set("content-type", "application/json");
        }
        if let Some(error_type) = self.error_type {
            set("x-amzn-errortype", error_type);
        }
        if self.function_error {
            set("x-amz-function-error", "Unhandled");
        }
        if let Some(version) = &self.executed_version {
            set("x-amz-executed-version", version);
        }
        reply
    }
}

pub(crate) async fn handle(
    service: Arc<Service>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (name, qualifier) = match (request.method(), &segments[..]) {
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            let (name, qualifier) = function_name(name);
            let query = request.uri().query().unwrap_or_default();
            let asked = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="));
            (name, asked.map(decoded).or(qualifier))
        }
        _ => {
            let error = InvokeError::new(404, "UnknownOperationException", "");
            return Ok(InvokeAnswer::of_error(&error, request_id()).reply());
        }
    };
    let invocation_type = match header(&request, "x-amz-invocation-type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            let message = format!("{other} is no invocation type");
            let error = InvokeError::new(400, "InvalidParameterValueException", message);
            return Ok(InvokeAnswer::of_error(&error, request_id()).reply());
        }
    };
    let client_context = match header(&request, "x-amz-client-context").map(client_context) {
        Some(None) => {
            let message = "Client context must be a valid Base64-encoded JSON object.";
            let error = InvokeError::new(400, "InvalidRequestContentException", message);
            return Ok(InvokeAnswer::of_error(&error, request_id()).reply());
        }
        context => context.flatten(),
    };
    let trace_header = header(&request, "x-amzn-trace-id").map(str::to_owned);
    let Ok(body) = request.into_body().collect().await else {
        let error = InvokeError::new(400, "InvalidRequestContentException", "The body broke off");
        return Ok(InvokeAnswer::of_error(&error, request_id()).reply());
    };
    let invocation =
        Invocation { trace_header, client_context, ..Invocation::new(body.to_bytes()) };
    if let Some(error) =
        qualifier.and_then(|qualifier| service.refuses_qualifier(&name, &qualifier))
    {
        return Ok(InvokeAnswer::of_error(&error, request_id()).reply());
    }
    // A caller that goes away does not end what it began.
    let answered =
        tokio::spawn(async move { service.invoke(&name, invocation_type, invocation).await });
    let answer = answered.await.unwrap_or_else(|_| {
        let error = InvokeError::new(500, "ServiceException", "The service is shut down");
        InvokeAnswer::of_error(&error, request_id())
    });
    Ok(answer.reply())
}

pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The name and the qualifier, if there is one, of a name, a partial ARN or an ARN, as they stand in a path.
fn function_name(named: &str) -> (String, Option<String>) {
    let named = decoded(named);
    let name = named.split_once("function:").map_or(named.as_str(), |(_, name)| name);
    let mut parts = name.split(':').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next())
}

/// What may be escaped in them.
fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%3a", ":").replace("%24", "$")
}

/// The JSON that stands in the header in Base64; None if it does not.
fn client_context(header: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(header).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    serde_json::from_str::<serde_json::Map<_, _>>(&text)
        .ok()
        .map(|_: serde_json::Map<String, _>| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_each_way_that_lambda_takes() {
        for (named, qualifier) in [
            ("orders", None),
            ("orders:live", Some("live")),
            ("orders%3A%24LATEST", Some("$LATEST")),
            ("123456789012:function:orders", None),
            ("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders", None),
            ("arn:aws:lambda:eu-west-1:123456789012:function:orders:7", Some("7")),
        ] {
            let expected = ("orders".to_owned(), qualifier.map(str::to_owned));
            assert_eq!(function_name(named), expected, "{named}");
        }
    }
}
