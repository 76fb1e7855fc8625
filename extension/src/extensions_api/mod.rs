//! The Extensions API: register, then ask for events until SHUTDOWN.
//!
//! The registration of the crate `lambda-extension` is not used: it tells only the HTTP status of a
//! refusal, so that neither a refused INVOKE could be known nor a user be helped, and it loses the
//! identifier, and with it the function, when the answer's body lacks a field. Its loop ends on one
//! failed /next.

mod event;

use crate::backoff::Backoff;
use crate::panics::contained;
use crate::plainly;
use crate::runtime_api::{Answer, CallError, Endpoint, RuntimeApi};
pub(crate) use event::Event;
use hyper::{Method, StatusCode};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use triage_diagnosis::fault_point;

const REGISTER_PATH: &str = "/2020-01-01/extension/register";
const NEXT_PATH: &str = "/2020-01-01/extension/event/next";
const IDENTIFIER_HEADER: &str = "Lambda-Extension-Identifier";
/// How often a registration is tried that got no answer or a 5xx.
const REGISTER_ATTEMPTS: u32 = 6;
/// The pause after an event that is skipped, and the first one after a poll that fails.
const NEXT_PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause between two polls that fail.
const NEXT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// The pause after a call by the plainest means that came to nothing.
const PLAIN_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no registration. The one reason for the extension to exit before SHUTDOWN: without
/// an identifier it can neither poll nor report an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// The API says no.
    #[error("Lambda refused to register the extension {name:?}: {status} {reason}")]
    Refused {
        /// The name it asked to be registered under.
        name: String,
        /// The HTTP status.
        status: StatusCode,
        /// What the API says of it.
        reason: String,
    },
    /// There is no API where `AWS_LAMBDA_RUNTIME_API` points to.
    #[error("the Extensions API does not answer: {0}")]
    Unreachable(#[source] CallError),
    /// An answer without the header that every later call needs.
    #[error("the Extensions API registered the extension without an identifier")]
    NoIdentifier,
}

/// A registered extension.
#[derive(Debug)]
pub(crate) struct Extension {
    api: RuntimeApi,
    identifier: String,
}

/// What the registration told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Whether INVOKE events will come.
    pub(crate) invoke_events: bool,
    /// The function's name.
    pub(crate) function_name: Option<String>,
    /// The function's version.
    pub(crate) function_version: Option<String>,
}

/// The name to register under: Lambda wants the file name of the executable.
#[must_use]
pub(crate) fn extension_name(argv0: Option<OsString>) -> String {
    let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    argv0
        .and_then(|path| file_name(Path::new(&path)))
        .or_else(|| std::env::current_exe().ok().and_then(|path| file_name(&path)))
        .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned())
}

impl Extension {
    /// Registers for INVOKE and SHUTDOWN, or for SHUTDOWN alone if `invoke_events` is not wanted
    /// or refused, as it is on Lambda Managed Instances.
    ///
    /// # Errors
    /// If the API does not register it or does not answer.
    pub(crate) async fn register(
        mut api: RuntimeApi,
        name: &str,
        invoke_events: bool,
    ) -> Result<(Self, Registration), RegisterError> {
        fault_point!("register");
        let mut refusal = None;
        let attempts: &[bool] = if invoke_events { &[true, false] } else { &[false] };
        for &invoke_events in attempts {
            let answer = register_for(&mut api, name, invoke_events).await?;
            if !answer.status.is_success() {
                let is_refusal = answer.status.is_client_error();
                refusal.get_or_insert(RegisterError::Refused {
                    name: name.to_owned(),
                    status: answer.status,
                    reason: excerpt(&answer.body),
                });
                // An API that fails may come to take INVOKE; only one that refuses will not.
                if is_refusal {
                    continue;
                }
                break;
            }
            let identifier = answer
                .headers
                .get(IDENTIFIER_HEADER)
                .and_then(|value| value.to_str().ok())
                .ok_or(RegisterError::NoIdentifier)?
                .to_owned();
            let (function_name, function_version) =
                contained(|| function(&answer.body)).unwrap_or_default();
            if let Some(refusal) = &refusal {
                tracing::warn!(
                    "registered for SHUTDOWN alone, so that several invocations at once are \
                     assumed: {refusal}"
                );
            }
            let registration = Registration { invoke_events, function_name, function_version };
            return Ok((Self { api, identifier }, registration));
        }
        Err(refusal.unwrap_or(RegisterError::NoIdentifier))
    }

    /// The same by the plainest means, for when there is a bug in the other way. None if that fails
    /// too.
    pub(crate) async fn register_plainly(
        endpoint: Endpoint,
        name: &str,
    ) -> Option<(Self, Registration)> {
        for attempt in 0..REGISTER_ATTEMPTS {
            // Where INVOKE is refused.
            let invoke_events = attempt % 2 == 0;
            if let Some(identifier) = plainly::register(&endpoint, name, invoke_events).await {
                let extension = Self { api: RuntimeApi::new(endpoint), identifier };
                return Some((
                    extension,
                    Registration { invoke_events, ..Registration::default() },
                ));
            }
            tokio::time::sleep(PLAIN_PAUSE).await;
        }
        None
    }

    /// The identifier that goes on every call.
    #[must_use]
    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The connection, for the other API that takes the identifier.
    pub(crate) fn api(&mut self) -> &mut RuntimeApi {
        &mut self.api
    }

    /// The same extension on a connection of its own.
    #[must_use]
    pub(crate) fn fresh(&self) -> Self {
        Self { api: self.api.fresh(), identifier: self.identifier.clone() }
    }

    /// The next event. It has no time-out, since a sandbox may be frozen for hours, and no error:
    /// whatever goes wrong is tried again, for ever, since an extension that stops asking fails
    /// its function. (A 500 stands for a state that the platform cannot leave; it ends the sandbox
    /// itself then.)
    pub(crate) async fn next(&mut self) -> Event {
        fault_point!("next");
        let mut backoff = Backoff::new(NEXT_PAUSE_MIN, NEXT_PAUSE_MAX);
        let mut is_told = false;
        let mut is_first = true;
        loop {
            let answer = self
                .api
                .call(Method::GET, NEXT_PATH, &[(IDENTIFIER_HEADER, &self.identifier)], "")
                .await;
            let (trouble, pause) = match answer {
                Ok(Answer { status, body, .. }) if status.is_success() => {
                    match Event::decode(&body) {
                        Ok(event) => return event,
                        // The API is well, and its next event may be one to know.
                        Err(e) => (format!("skipped an event: {e}"), NEXT_PAUSE_MIN),
                    }
                }
                Ok(Answer { status, body, .. }) => {
                    let trouble =
                        format!("asking for the next event failed: {status} {}", excerpt(&body));
                    (trouble, backoff.next_pause())
                }
                // A kept connection that has gone stale is no trouble yet.
                Err(e) if std::mem::take(&mut is_first) => {
                    tracing::debug!("asking for the next event failed: {e}; asking again");
                    continue;
                }
                Err(e) => (format!("asking for the next event failed: {e}"), backoff.next_pause()),
            };
            if std::mem::replace(&mut is_told, true) {
                tracing::debug!("{trouble}; asking again");
            } else {
                tracing::warn!("{trouble}; asking again");
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The same by the plainest means, for when there is a bug in the other way.
    pub(crate) async fn next_plainly(&self) -> Event {
        loop {
            let body = plainly::next(self.api.endpoint(), &self.identifier).await;
            match body.map(|body| Event::decode(&body)) {
                Some(Ok(event)) => return event,
                Some(Err(_)) | None => tokio::time::sleep(PLAIN_PAUSE).await,
            }
        }
    }
}

/// The name and version of the function, from the answer to the registration.
fn function(answer: &[u8]) -> (Option<String>, Option<String>) {
    fault_point!("registration");
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    (text("functionName"), text("functionVersion"))
}

async fn register_for(
    api: &mut RuntimeApi,
    name: &str,
    invoke_events: bool,
) -> Result<Answer, RegisterError> {
    let body = if invoke_events {
        r#"{"events":["INVOKE","SHUTDOWN"]}"#
    } else {
        r#"{"events":["SHUTDOWN"]}"#
    };
    let headers = [("Lambda-Extension-Name", name), ("Content-Type", "application/json")];
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
    loop {
        let answer = api.call(Method::POST, REGISTER_PATH, &headers, body).await;
        let last = backoff.attempts() + 1 >= REGISTER_ATTEMPTS;
        match answer {
            Ok(answer) if last || !answer.status.is_server_error() => return Ok(answer),
            Err(e) if last => return Err(RegisterError::Unreachable(e)),
            Ok(_) | Err(_) => backoff.pause().await,
        }
    }
}

/// The beginning of what the API says of an error, on one line.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const MAX_CHARS: usize = 200;
    String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_executables_file_name() {
        assert_eq!(extension_name(Some("/opt/extensions/triage".into())), "triage");
        assert_eq!(extension_name(Some("triage".into())), "triage");
        // The test's own executable.
        assert!(extension_name(None).starts_with("lambda_triage-"));
        assert!(extension_name(Some("".into())).starts_with("lambda_triage-"));
    }

    #[test]
    fn an_excerpt_is_short_and_one_line() {
        assert_eq!(excerpt(b"a\nb\x1b[31m"), "a b [31m");
        assert_eq!(excerpt(&vec![b'x'; 1000]).len(), 200);
    }
}
