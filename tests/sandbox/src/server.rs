//! The HTTP server of the three APIs: routing and scripted faults.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::RuntimeApiForm;
use crate::faults::{Endpoint, FaultAction};
use crate::shared::Shared;
use crate::{extensions_api, runtime_api, telemetry_api};

pub(crate) type Reply = Response<Full<Bytes>>;

/// Closes the connection without an answer.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scripted reset")
    }
}

impl std::error::Error for Reset {}

/// Serves the three APIs until dropped; every connection ends with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    serve_with(listener, move |request| handle(Arc::clone(&shared), request)).await
}

/// The same with whatever answers a request.
pub(crate) async fn serve_with<H, F, E>(listener: TcpListener, handle: H) -> Infallible
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Reply, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or a connection that was gone at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let handle = handle.clone();
        connections.spawn(async move {
            // An error is the peer's going away, or a scripted reset.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(handle))
                .await;
        });
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Reset> {
    let path = request.uri().path().to_owned();
    let path = match &shared.config.runtime_api {
        RuntimeApiForm::HostPort => path.as_str(),
        RuntimeApiForm::UrlWithPrefix(prefix) => path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(prefix.as_str()))
            .unwrap_or(&path),
    };
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let method = request.method().clone();
    let endpoint = match (&method, &segments[..]) {
        (&Method::POST, ["2020-01-01", "extension", "register"]) => Some(Endpoint::Register),
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            Some(Endpoint::ExtensionNext)
        }
        (&Method::PUT, ["2022-07-01", "telemetry"]) => Some(Endpoint::Subscribe),
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => {
            Some(Endpoint::RuntimeNext)
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", _, "response"]) => {
            Some(Endpoint::RuntimeResponse)
        }
        _ => None,
    };
    if let Some(action) = endpoint.and_then(|endpoint| shared.config.faults.take(endpoint)) {
        match action {
            FaultAction::Status(status, body) => return Ok(reply(status, body)),
            FaultAction::Garbage(body) => return Ok(reply(200, body)),
            FaultAction::Reset => return Err(Reset),
            FaultAction::Delay(delay) => tokio::time::sleep(delay).await,
        }
    }
    Ok(match (&method, &segments[..]) {
        (_, ["2018-06-01", "runtime", rest @ ..]) => {
            runtime_api::handle(&shared, &method, rest, request).await
        }
        (_, ["2020-01-01", "extension", rest @ ..]) => {
            extensions_api::handle(&shared, &method, rest, request).await
        }
        (&Method::PUT, ["2022-07-01", "telemetry"]) => {
            telemetry_api::subscribe(&shared, request).await
        }
        (&Method::GET, ["2021-04-23", "credentials"]) => extensions_api::credentials(&shared),
        _ => not_found(),
    })
}

/// An answer with this status and body.
pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A JSON answer.
pub(crate) fn json_reply(status: u16, body: &serde_json::Value) -> Reply {
    let mut response = reply(status, body.to_string());
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

/// An error answer in the form that all three APIs share.
pub(crate) fn error_reply(status: u16, error_type: &str, message: &str) -> Reply {
    json_reply(status, &json!({"errorType": error_type, "errorMessage": message}))
}

pub(crate) fn not_found() -> Reply {
    reply(404, "404 page not found\n")
}

/// A header's text.
pub(crate) fn header<'a, B>(request: &'a Request<B>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
