//! The credentials of a function with SnapStart: asked for over HTTP, kept until shortly before they
//! expire. Those of a snapshot are not in its environment, as they would be old when it is restored.

use super::awake::within;
use crate::clock::Clock;
use crate::runtime_api::{Endpoint, RuntimeApi};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use hyper::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use triage_diagnosis::Timestamp;

/// How long the answer may take. It comes from within the sandbox.
const ANSWER: Duration = Duration::from_secs(1);
/// So long before they expire, new ones are asked for.
const BEFORE_EXPIRY_MS: u64 = 5 * 60_000;

/// Asks `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
pub(super) struct ContainerCredentials {
    endpoint: Endpoint,
    token: Option<String>,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    credentials: Credentials,
    expires: Option<Timestamp>,
}

impl ContainerCredentials {
    pub(super) fn new(endpoint: Endpoint, token: Option<String>, clock: Clock) -> Self {
        Self { endpoint, token, clock, kept: Mutex::default() }
    }

    /// Those that are kept are not taken any more, whatever their time says.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn provide(&self) -> Result {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        let is_good = |kept: &&Kept| {
            kept.expires.is_none_or(|expires| expires.ms_since(now) > BEFORE_EXPIRY_MS)
        };
        if let Some(kept) = kept.as_ref().filter(is_good) {
            return Ok(kept.credentials.clone());
        }
        let fetched = within(ANSWER, &self.clock, self.fetch()).await.result;
        match fetched.unwrap_or_else(|| Err(unavailable("no answer in time"))) {
            Ok(new) => Ok(kept.insert(new).credentials.clone()),
            // They may be asked for again with the next request.
            Err(e) => kept
                .as_ref()
                .filter(|kept| kept.expires.is_none_or(|expires| expires > now))
                .map(|kept| kept.credentials.clone())
                .ok_or(e),
        }
    }

    async fn fetch(&self) -> std::result::Result<Kept, CredentialsError> {
        let headers = self.token.as_ref().map(|token| ("Authorization", token.as_str()));
        // A connection of its own: they are asked for every few hours.
        let mut api = RuntimeApi::new(self.endpoint.clone());
        let answer = api.call(Method::GET, "", headers.as_slice(), "").await;
        // The errors that carry bytes of the answer stay here.
        let answer = answer.map_err(|_| unavailable("no answer"))?;
        if !answer.status.is_success() {
            return Err(unavailable(answer.status.as_str()));
        }
        parse(&answer.body).ok_or_else(|| unavailable("an answer without keys"))
    }
}

fn parse(body: &[u8]) -> Option<Kept> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let (id, secret, token) = (text("AccessKeyId")?, text("SecretAccessKey")?, text("Token"));
    let expires = answer["Expiration"].as_str().and_then(Timestamp::parse);
    // Kept here and not by the SDK, so the SDK need not know when they expire.
    let credentials = Credentials::new(id, secret, token, None, "container");
    Some(Kept { credentials, expires })
}

fn unavailable(why: &str) -> CredentialsError {
    CredentialsError::provider_error(format!("the container endpoint gives {why}"))
}

/// A handle to them, for the SDK.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<ContainerCredentials>);

impl ProvideCredentials for Shared {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.provide())
    }
}

/// No token is ever printed.
impl std::fmt::Debug for ContainerCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerCredentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers each request with the next body, and counts them.
    async fn endpoint(bodies: Vec<(u16, String)>) -> (Endpoint, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<AtomicU64>::default();
        let counted = asked.clone();
        tokio::spawn(async move {
            for (status, body) in bodies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..n]).to_lowercase();
                assert!(request.starts_with("get /2021-04-23/credentials http/1.1"), "{request}");
                assert!(request.contains("authorization: sesame"), "{request}");
                counted.fetch_add(1, Ordering::Relaxed);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (Endpoint::parse(&format!("http://{address}/2021-04-23/credentials")).unwrap(), asked)
    }

    fn body(id: &str, expires: &str) -> (u16, String) {
        let body = serde_json::json!({
            "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "token", "Expiration": expires,
        });
        (200, body.to_string())
    }

    #[tokio::test]
    async fn they_are_asked_for_once_and_again_before_they_expire() {
        let bodies = ["12", "18", "18"].map(|hour| format!("2026-03-01T{hour}:00:00Z"));
        let ids = ["first", "second", "third"];
        let bodies = ids.iter().zip(&bodies).map(|(id, at)| body(id, at)).collect();
        let (endpoint, asked) = endpoint(bodies).await;
        let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap().as_ms();
        let ms = Arc::new(AtomicU64::new(noon - BEFORE_EXPIRY_MS - 1));
        let m = ms.clone();
        let clock = Clock::new(move || Timestamp::from_ms(m.load(Ordering::Relaxed)));
        let provider = ContainerCredentials::new(endpoint, Some("sesame".to_owned()), clock);
        for (later_ms, id, so_often) in
            [(0, "first", 1), (0, "first", 1), (1, "second", 2), (60_000, "second", 2)]
        {
            ms.fetch_add(later_ms, Ordering::Relaxed);
            let credentials = provider.provide().await.unwrap();
            assert_eq!(credentials.access_key_id(), id);
            assert_eq!(credentials.session_token(), Some("token"));
            assert_eq!(asked.load(Ordering::Relaxed), so_often);
        }
        provider.forget().await;
        assert_eq!(provider.provide().await.unwrap().access_key_id(), "third");
    }

    #[tokio::test]
    async fn those_that_are_good_still_are_used_while_no_others_are_to_be_had() {
        let bodies = vec![body("first", "2026-03-01T12:00:00Z"), (500, String::new())];
        let (endpoint, asked) = endpoint(bodies).await;
        let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap().as_ms();
        let ms = Arc::new(AtomicU64::new(noon - BEFORE_EXPIRY_MS - 1));
        let m = ms.clone();
        let clock = Clock::new(move || Timestamp::from_ms(m.load(Ordering::Relaxed)));
        let provider = ContainerCredentials::new(endpoint, Some("sesame".to_owned()), clock);
        for now in [noon - BEFORE_EXPIRY_MS - 1, noon - BEFORE_EXPIRY_MS, noon - 1] {
            ms.store(now, Ordering::Relaxed);
            assert_eq!(provider.provide().await.unwrap().access_key_id(), "first");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        ms.store(noon, Ordering::Relaxed);
        provider.provide().await.unwrap_err();
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_without_a_word_of_it() {
        let bodies = vec![(403, "hunter2".to_owned()), (200, r#"{"Token":"hunter2"}"#.to_owned())];
        let (endpoint, _) = endpoint(bodies).await;
        let provider =
            ContainerCredentials::new(endpoint, Some("sesame".to_owned()), Clock::system());
        for why in ["403", "an answer without keys", "no answer"] {
            let error = provider.provide().await.unwrap_err();
            let told = format!("{error:?}");
            assert!(told.contains(why) && !told.contains("hunter2"), "{told}");
        }
    }
}
