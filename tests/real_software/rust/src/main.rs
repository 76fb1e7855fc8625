//! A function whose calls go wrong in ways chosen by the event, with the AWS SDK for Rust; see
//! `../python/app.py`.

mod calls;
mod trouble;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("PLAIN_TRACING").is_ok() {
        tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stdout).init();
    } else if std::env::var("JSON_TRACING").is_ok() {
        tracing_subscriber::fmt().json().with_writer(std::io::stdout).init();
    } else {
        lambda_runtime::tracing::init_default_subscriber();
    }
    lambda_runtime::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let text = |name: &str| event.payload[name].as_str().unwrap_or_default().to_owned();
    let (call, target, how) = (text("call"), text("target"), text("how"));
    let done = match call.as_str() {
        "kms" | "kms-encrypt" | "kms-data-key" | "kms-ciphertext" | "s3" | "sqs" | "lambda" => {
            calls::call(&call, &target, &how).await
        }
        other => trouble::cause(other, &target, &how).await,
    };
    done.map(|text| if text.is_empty() { json!({ "done": call }) } else { text.into() })
}
