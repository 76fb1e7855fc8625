//! The least that an extension on tokio and hyper can do: register, listen, subscribe, poll, and tell
//! of timeouts. What `cargo bench-extension` measures beside ours; how it reads telemetry is left to
//! its programs.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write;
use tokio::net::{TcpListener, TcpStream};

/// Whatever may go wrong; it ends the program.
pub type Error = Box<dyn std::error::Error>;

/// Gives the request ids of the invocations that timed out by a delivery of telemetry, a JSON array.
pub type Timeouts = fn(&[u8]) -> serde_json::Result<Vec<String>>;

/// Does what an extension does, until SHUTDOWN.
///
/// # Errors
/// If an API cannot be reached or does not answer as documented.
pub async fn run(timeouts: Timeouts) -> Result<(), Error> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let (mut api, connection) = handshake(TokioIo::new(TcpStream::connect(&host).await?)).await?;
    tokio::spawn(connection);

    let name = [("Lambda-Extension-Name", "bare_client")];
    let events = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
    let (id, _) =
        call(&mut api, &host, "POST", "/2020-01-01/extension/register", &name, events).await?;

    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |request| answer(request, timeouts));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    let id = [("Lambda-Extension-Identifier", id.as_str())];
    let subscription = format!(
        r#"{{"schemaVersion":"2022-07-01","types":["platform","function"],"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}"}}}}"#
    );
    call(&mut api, &host, "PUT", "/2022-07-01/telemetry", &id, &subscription).await?;
    loop {
        let next = "/2020-01-01/extension/event/next";
        let (_, event) = call(&mut api, &host, "GET", next, &id, "").await?;
        let event: serde_json::Value = serde_json::from_slice(&event)?;
        if event["eventType"] == "SHUTDOWN" {
            return Ok(());
        }
    }
}

/// Takes a delivery, and answers 200 even if it cannot be read.
async fn answer(
    request: Request<Incoming>,
    timeouts: Timeouts,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    if let Ok(body) = request.into_body().collect().await {
        for id in timeouts(&body.to_bytes()).unwrap_or_default() {
            let line = format!("{{\"problem\":\"timeout\",\"requestId\":\"{id}\"}}\n");
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
    }
    Ok(Response::new(Empty::new()))
}

async fn call(
    api: &mut SendRequest<Full<Bytes>>,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(String, Bytes), Error> {
    let mut request = Request::builder().method(method).uri(path).header("Host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = api.send_request(request.body(Full::new(Bytes::from(body.to_owned())))?).await?;
    let id = answer.headers().get("Lambda-Extension-Identifier");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    Ok((id, answer.into_body().collect().await?.to_bytes()))
}
