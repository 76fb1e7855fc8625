//! The HTTP side of the Extensions API: one kept connection to `AWS_LAMBDA_RUNTIME_API`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use triage_diagnosis::fault_point;

/// The longest answer that is read. An INVOKE event holds no payload: some hundred bytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// A connection on which nothing comes for so long is probed. Soon, as a function may have no more
/// than some seconds.
const PROBE_AFTER: Duration = Duration::from_secs(1);
/// And again so long after; the least there is.
const PROBE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// So many probes without an answer, and the connection is given up.
const PROBES: u32 = 3;

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    authority: String,
    base_path: String,
}

/// `AWS_LAMBDA_RUNTIME_API` names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AWS_LAMBDA_RUNTIME_API holds no host and port")]
pub(crate) struct EndpointError;

impl Endpoint {
    /// From `host:port` as on Lambda; local emulators add a scheme and a path
    /// (`http://127.0.0.1:9000/.rt`).
    ///
    /// # Errors
    /// If there is no host in it, or it is not HTTP.
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        fault_point!("endpoint");
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = text.parse().map_err(|_| EndpointError)?;
        let authority = uri.authority().ok_or(EndpointError)?;
        if uri.scheme_str() != Some("http") || authority.host().is_empty() {
            return Err(EndpointError);
        }
        let host = authority.host();
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{host}:{port}"),
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The same for a text that holds an address as Lambda and the emulators write it, without the
    /// parser of URIs: what is left where there is a bug in it.
    pub(crate) fn plainly(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix("http://").unwrap_or(text);
        let (authority, base_path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let base_path = base_path.trim_end_matches('/');
        Self { authority: authority.to_owned(), base_path: base_path.to_owned() }
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// What comes before each path, without a slash at its end.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }
}

/// A call that got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody listens there.
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// The answer broke off or is longer than any that the API gives.
    #[error("the answer cannot be read: {0}")]
    Answer(#[source] Box<dyn Error + Send + Sync>),
    /// What was to be asked is no HTTP request.
    #[error("{0}")]
    Request(#[from] hyper::http::Error),
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

/// The client. It has no time-out of its own; dropping a call gives its connection up.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    endpoint: Endpoint,
    connection: Option<SendRequest<Full<Bytes>>>,
    is_probed: bool,
}

impl RuntimeApi {
    /// A client that connects at its first call.
    #[must_use]
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, connection: None, is_probed: false }
    }

    /// The same for a process that a snapshot is taken of while it waits for an answer (SnapStart).
    /// What is restored may hold a connection whose other end is gone without a word; whoever waits
    /// on it waits for ever, and holds up the function. So the system asks the other end from time to
    /// time whether it is there (TCP keep-alive). However long the answer takes, a system that is
    /// there answers that by itself, and no probe is sent or missed while this one stands still.
    #[must_use]
    pub(crate) fn probed(endpoint: Endpoint) -> Self {
        Self { is_probed: true, ..Self::new(endpoint) }
    }

    /// Where the API is.
    #[must_use]
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Another client of the same API.
    #[must_use]
    pub(crate) fn fresh(&self) -> Self {
        Self { is_probed: self.is_probed, ..Self::new(self.endpoint.clone()) }
    }

    /// Asks, on the kept connection or a new one.
    ///
    /// # Errors
    /// If no whole answer came. A kept connection may have gone stale in a freeze: the next call
    /// makes a new one.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, CallError> {
        fault_point!("call");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint.base_path))
            .header(HOST, &self.endpoint.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;

        let mut connection = match self.connection.take() {
            Some(mut kept) => match kept.ready().await {
                Ok(()) => kept,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let answer = connection.send_request(request).await;
        // Only a snapshot makes them go unanswered, and it is restored once. One that does not
        // answer them at all must not lose a connection to them again.
        self.is_probed &= !answer.as_ref().is_err_and(is_timed_out);
        let (parts, body) = answer?.into_parts();
        let body =
            Limited::new(body, ANSWER_MAX_BYTES).collect().await.map_err(CallError::Answer)?;
        self.connection = Some(connection);
        fault_point!("answer");
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        let stream =
            TcpStream::connect(&self.endpoint.authority).await.map_err(CallError::Connect)?;
        // Requests are small and each waits for its answer. Only a matter of speed.
        let _ = stream.set_nodelay(true);
        if self.is_probed {
            let probes = TcpKeepalive::new()
                .with_time(PROBE_AFTER)
                .with_interval(PROBE_AGAIN_AFTER)
                .with_retries(PROBES);
            // Without them it is as without a snapshot.
            let _ = SockRef::from(&stream).set_tcp_keepalive(&probes);
        }
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the connection; its error also reaches the call that is under way.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Whether the system gave the connection up since its other end did not answer.
fn is_timed_out(error: &hyper::Error) -> bool {
    let error = error.source().and_then(<dyn Error>::downcast_ref::<io::Error>);
    error.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_carry_a_scheme_and_a_path() {
        for (text, authority, base_path) in [
            ("127.0.0.1:9001", "127.0.0.1:9001", ""),
            ("169.254.100.1:9001", "169.254.100.1:9001", ""),
            ("http://127.0.0.1:9000/.rt", "127.0.0.1:9000", "/.rt"),
            ("http://127.0.0.1:9000/.rt/", "127.0.0.1:9000", "/.rt"),
            ("127.0.0.1:9000/.rt/orders", "127.0.0.1:9000", "/.rt/orders"),
            ("localhost", "localhost:80", ""),
            ("[::1]:9001", "[::1]:9001", ""),
        ] {
            let expected =
                Endpoint { authority: authority.to_owned(), base_path: base_path.to_owned() };
            assert_eq!(Endpoint::parse(text).as_ref(), Ok(&expected), "{text}");
            if text.contains(":9") {
                assert_eq!(Endpoint::plainly(text), expected, "{text}");
            }
        }
        for text in ["", "http://", "https://127.0.0.1:9001", ":9001", "a b", "file:///tmp"] {
            assert_eq!(Endpoint::parse(text), Err(EndpointError), "{text}");
        }
    }
}
