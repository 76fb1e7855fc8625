//! The subscription.

use crate::extensions_api::{Extension, excerpt};
use crate::runtime_api::{Answer, CallError};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use std::time::Duration;
use triage_diagnosis::fault_point;

const SUBSCRIBE_PATH: &str = "/2022-07-01/telemetry";
const IDENTIFIER_HEADER: &str = "Lambda-Extension-Identifier";

/// Newest first. Managed Instances take the newest alone; the others are for a platform (or an
/// emulator) that does not know it yet.
const SCHEMA_VERSIONS: [&str; 3] = ["2025-01-29", "2022-12-13", "2022-07-01"];

/// The subscription is made in the init phase, which is billed and has an end: an API that says
/// nothing for so long is done without.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Before it is asked a second time.
const SECOND_TRY_PAUSE: Duration = Duration::from_millis(20);

/// What came of it. Telemetry is what most of the diagnosis rests on, but to live without it is
/// better than to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// Telemetry will come, in this version of the schema.
    Made(&'static str),
    /// 200 without a word, where Lambda says "OK": of the emulators that answer so some deliver
    /// and some do not.
    Unconfirmed,
    /// It will not, or may not: why.
    Without(String),
}

/// Asks for the platform's and the function's records, soonest possible, on `port`. Not for
/// extensions' records: the extension's own lines are among them.
pub(crate) async fn subscribe(extension: &mut Extension, port: u16) -> Subscription {
    fault_point!("subscribe");
    let mut refusal = String::new();
    for version in SCHEMA_VERSIONS {
        // The least that the API takes: 25 ms, 1,000 items, 256 KiB.
        let body = format!(
            r#"{{"schemaVersion":"{version}","types":["platform","function"],"buffering":{{"timeoutMs":25,"maxItems":1000,"maxBytes":262144}},"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}"}}}}"#
        );
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, ask(extension, &body)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => return Subscription::Without(e.to_string()),
            Err(_) => return Subscription::Without("no answer".to_owned()),
        };
        match answer.status {
            StatusCode::OK if answer.body.is_empty() => return Subscription::Unconfirmed,
            StatusCode::OK => return Subscription::Made(version),
            status => refusal = format!("{status} {}", excerpt(&answer.body)),
        }
        if !answer.status.is_client_error() {
            // Also 202, by which emulators say that they have no telemetry.
            break;
        }
    }
    Subscription::Without(refusal)
}

/// Asks, and once more if there was no answer or the API failed: a hiccup must not cost the sandbox
/// all of its telemetry.
async fn ask(extension: &mut Extension, body: &str) -> Result<Answer, CallError> {
    let identifier = extension.identifier().to_owned();
    let headers = [(IDENTIFIER_HEADER, identifier.as_str()), ("Content-Type", "application/json")];
    let body = Bytes::copy_from_slice(body.as_bytes());
    let first = extension.api().call(Method::PUT, SUBSCRIBE_PATH, &headers, body.clone()).await;
    if first.as_ref().is_ok_and(|answer| !answer.status.is_server_error()) {
        return first;
    }
    tokio::time::sleep(SECOND_TRY_PAUSE).await;
    extension.api().call(Method::PUT, SUBSCRIBE_PATH, &headers, body).await
}
