//! The service before the environments.

mod asynchronous;
mod destinations;
mod invoke_api;
mod subscriptions;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lambda_sandbox::{
    Config, Deployment, Destination, EventInvokeConfig, FunctionConfig, InvocationType,
    InvokeAnswer, LambdaService,
};
use serde_json::Value;

use crate::support::{extension, function};

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// The fixture function with the fixture extension, which prints what it is told.
pub(crate) fn deployment(name: &str) -> Deployment {
    let config = Config {
        function: FunctionConfig { name: name.into(), ..function() },
        extensions: vec![extension(&[])],
        ..Config::default()
    };
    Deployment::new(config)
}

/// The same, whose failures are told to this destination.
pub(crate) fn told_to(name: &str, on_failure: Destination) -> Deployment {
    let event_invoke_config =
        EventInvokeConfig { on_failure: Some(on_failure), ..EventInvokeConfig::default() };
    Deployment { event_invoke_config, ..deployment(name) }
}

pub(crate) async fn service(deployments: impl IntoIterator<Item = Deployment>) -> LambdaService {
    let service = LambdaService::start().await.unwrap();
    for deployment in deployments {
        service.deploy(deployment).unwrap();
    }
    service
}

pub(crate) fn queue(name: &str) -> Destination {
    Destination::Queue(name.into())
}

pub(crate) fn topic(name: &str) -> Destination {
    Destination::Topic(name.into())
}

pub(crate) async fn invoke_event(
    service: &LambdaService,
    function: &str,
    event: Value,
) -> InvokeAnswer {
    let invocation = lambda_sandbox::Invocation::new(event.to_string());
    service.invoke(function, InvocationType::Event, invocation).await
}

/// A request to the service, as it goes over the wire.
pub(crate) async fn request(
    service: &LambdaService,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> (Response<()>, Bytes) {
    let address = service.endpoint().strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(path).header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
