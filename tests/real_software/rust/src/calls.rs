//! The calls of AWS services.

use std::error::Error as StdError;

use aws_credential_types::Credentials;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_http_client::Builder;
use lambda_runtime::Error;

macro_rules! config {
    ($sdk:ident) => {{
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID"),
            variable("AWS_SECRET_ACCESS_KEY"),
            Some(variable("AWS_SESSION_TOKEN")),
            None,
            "environment",
        );
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new(variable("AWS_REGION")))
            .endpoint_url(variable("AWS_ENDPOINT_URL"))
            .retry_config($sdk::config::retry::RetryConfig::standard().with_max_attempts(2))
            .credentials_provider(credentials)
            .http_client(Builder::new().build_http())
    }};
}

/// Makes a call; its error is returned, or noted as `how` says.
pub(crate) async fn call(name: &str, target: &str, how: &str) -> Result<String, Error> {
    let target = target.to_owned();
    match name {
        "s3" => {
            let client =
                aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3).force_path_style(true).build());
            note(client.get_object().bucket("orders").key(target).send().await, how)
        }
        "sqs" => {
            let client = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs).build());
            let url = format!("{}/123456789012/{target}", std::env::var("AWS_ENDPOINT_URL")?);
            note(client.send_message().queue_url(url).message_body("order").send().await, how)
        }
        "lambda" => {
            let client = aws_sdk_lambda::Client::from_conf(config!(aws_sdk_lambda).build());
            note(
                client
                    .invoke()
                    .function_name(target)
                    .payload(aws_sdk_lambda::primitives::Blob::new("{}"))
                    .send()
                    .await,
                how,
            )
        }
        _ => {
            let client = aws_sdk_kms::Client::from_conf(config!(aws_sdk_kms).build());
            match name {
                "kms" => note(
                    client
                        .decrypt()
                        .key_id(target)
                        .ciphertext_blob(Blob::new("AQICAHh0aXMgaXMgbm90"))
                        .send()
                        .await,
                    how,
                ),
                "kms-encrypt" => note(
                    client.encrypt().key_id(target).plaintext(Blob::new("order")).send().await,
                    how,
                ),
                "kms-data-key" => note(
                    client
                        .generate_data_key()
                        .key_id(target)
                        .key_spec(aws_sdk_kms::types::DataKeySpec::Aes256)
                        .send()
                        .await,
                    how,
                ),
                _ => note(client.decrypt().ciphertext_blob(Blob::new(target)).send().await, how),
            }
        }
    }
}

/// Notes an error as people do.
pub(crate) fn note<T, E>(done: Result<T, E>, how: &str) -> Result<String, Error>
where
    E: StdError + Send + Sync + 'static,
{
    let Err(error) = done else { return Ok(String::new()) };
    match how {
        "tracing-debug" => tracing::error!(?error, "could not load the order"),
        "tracing-display" => tracing::error!(%error, "could not load the order"),
        "tracing-context" => {
            tracing::error!("could not load the order: {}", DisplayErrorContext(&error))
        }
        "tracing-warn" => tracing::warn!(?error, "going on without the order"),
        "tracing-info" => tracing::info!(?error, "not there, so made anew"),
        "stderr-debug" => eprintln!("{error:?}"),
        "stderr-context" => eprintln!("Error: {}", DisplayErrorContext(&error)),
        "stdout-pretty" => println!("{error:#?}"),
        _ => return Err(error.into()),
    }
    Ok("caught".to_owned())
}
