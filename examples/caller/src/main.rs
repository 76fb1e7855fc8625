//! A Lambda function that invokes another.
//!
//! The event `{"function": "catalog"}` names it; one that names none calls nobody, and keeps this function
//! warm. `"asynchronous": true` asks Lambda to queue the
//! invocation, and does not wait for it; `"caught": true` logs an error, with the function's name, and
//! answers.

use aws_credential_types::Credentials;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Config, Region};
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Request {
    /// Name or ARN.
    function: Option<String>,
    #[serde(default)]
    asynchronous: bool,
    #[serde(default)]
    caught: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let client = Client::from_conf(config());
    lambda_runtime::run(service_fn(|event| handle(&client, event))).await
}

/// What Lambda gives a function in its environment, and where somebody asks for another endpoint, that.
fn config() -> Config {
    let variable = |name: &str| std::env::var(name).ok();
    let named = |name: &str| variable(name).unwrap_or_default();
    let credentials = Credentials::new(
        named("AWS_ACCESS_KEY_ID"),
        named("AWS_SECRET_ACCESS_KEY"),
        variable("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(named("AWS_REGION")))
        .retry_config(retries(variable("AWS_MAX_ATTEMPTS").as_deref()))
        .credentials_provider(credentials)
        .http_client(http_client);
    let endpoints = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"];
    config.set_endpoint_url(endpoints.into_iter().find_map(variable));
    config.build()
}

/// The SDK's own, but for the number of attempts where that is set.
fn retries(attempts: Option<&str>) -> RetryConfig {
    let retries = RetryConfig::standard();
    match attempts.and_then(|attempts| attempts.parse().ok()) {
        Some(attempts) => retries.with_max_attempts(attempts),
        None => retries,
    }
}

async fn handle(client: &Client, event: LambdaEvent<Request>) -> Result<Value, Error> {
    let Request { function, asynchronous, caught } = event.payload;
    let Some(function) = function else { return Ok(json!({ "status": null })) };
    let kind = if asynchronous { InvocationType::Event } else { InvocationType::RequestResponse };
    let invoked = client
        .invoke()
        .function_name(&function)
        .invocation_type(kind)
        .payload(Blob::new("{}"))
        .send()
        .await;
    match invoked {
        Ok(answer) => Ok(json!({
            "status": answer.status_code(),
            "functionError": answer.function_error(),
        })),
        Err(error) if caught => {
            let error = DisplayErrorContext(&error);
            tracing::error!(function_name = function, %error, "could not invoke it");
            Ok(json!({ "caught": function }))
        }
        Err(error) => Err(error.into()),
    }
}
