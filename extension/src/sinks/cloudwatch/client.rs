//! PutMetricData through AWS's SDK.

use super::access::{ApiAccess, CredentialSource};
use super::awake::{AwakeSleep, Worked, within};
use super::credentials::{ContainerCredentials, Shared};
use super::link::PutError;
use super::pending::Datum;
use super::transport::{Transport, Unconnected};
use crate::clock::Clock;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{
    BehaviorVersion, Config, IdentityCache, Region, StalledStreamProtectionConfig,
};
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use triage_diagnosis::{Unit, fault_point};

/// How long a connection may take, with the lookup of the name and TLS: less than there is for it at the
/// end of a sandbox, so that what is told then tells whether there was one.
const CONNECT: Duration = Duration::from_millis(700);
/// How long a try may take: after the connection is made, the answer has two seconds.
const TRY: Duration = CONNECT.saturating_add(Duration::from_secs(2));
/// The second try is the last, after a pause of so many ms.
const PAUSE_MS: std::ops::Range<u64> = 50..250;

type PutFailure = SdkError<PutMetricDataError>;

/// The client of one function's metrics.
pub(super) struct Api {
    client: Client,
    clock: Clock,
    /// Where the credentials may be had anew.
    container: Option<Shared>,
    function_name: String,
    namespace: String,
    host: String,
}

impl Api {
    /// Connects to nothing yet.
    pub(super) fn new(access: &ApiAccess, function_name: String, namespace: String) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .http_client(Transport::new(CONNECT))
            // The SDK's own timers would all be over after a freeze: the time for the answer is taken here.
            .sleep_impl(AwakeSleep)
            // What may have been taken must not be tried again, as it would count twice: so the tries
            // are made here.
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .disable_request_compression(true)
            .identity_cache(IdentityCache::no_cache());
        let (clock, mut container) = (Clock::system(), None);
        let config = match access.credentials.clone() {
            CredentialSource::Environment { id, secret, token } => {
                let credentials = Credentials::new(id, secret, token, None, "environment");
                config.credentials_provider(credentials)
            }
            CredentialSource::Container { endpoint, token } => {
                let credentials = ContainerCredentials::new(endpoint, token, clock.clone());
                let shared = container.insert(Shared(Arc::new(credentials)));
                config.credentials_provider(shared.clone())
            }
        };
        let config = match &access.endpoint_url {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        let client = Client::from_conf(config.build());
        Self { client, clock, container, function_name, namespace, host: access.host() }
    }

    /// Sends metrics, within that much time awake. A second try is made only of what was surely not taken.
    ///
    /// # Errors
    /// If the API has not said that it took them.
    pub(super) async fn put(&self, data: &[Datum], time: Duration) -> Result<(), PutError> {
        fault_point!("put metrics");
        let put = within(time, &self.clock, self.tries(self.metric_data(data))).await;
        let late =
            || Err(PutError::Unanswered("within the time there was").seen_over(put.was_frozen));
        put.result.unwrap_or_else(late)
    }

    async fn tries(&self, data: Vec<MetricDatum>) -> Result<(), PutError> {
        let mut was_tried_again = false;
        loop {
            let (result, was_frozen) = self.try_once(data.clone()).await;
            let Err(error) = result else { return Ok(()) };
            // However often: each took a freeze, and the time awake for all is bounded.
            let is_interrupted = was_frozen && error.is_unsent();
            if !is_interrupted {
                let again = !was_tried_again
                    && (is_worth_another_try(&error) || self.renews_credentials(&error).await);
                if !again {
                    return Err(error.seen_over(was_frozen));
                }
                was_tried_again = true;
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(PAUSE_MS))).await;
        }
    }

    /// How it went, and whether there was a freeze amid it.
    async fn try_once(&self, data: Vec<MetricDatum>) -> (Result<(), PutError>, bool) {
        let request = self.client.put_metric_data().namespace(&self.namespace);
        let request = request.set_metric_data(Some(data)).send();
        let Worked { result, was_frozen } = within(TRY, &self.clock, request).await;
        let result = match result {
            Some(Ok(_)) => Ok(()),
            Some(Err(e)) => Err(self.put_error(&e)),
            None => Err(PutError::Unanswered("in time")),
        };
        (result, was_frozen)
    }

    /// Whether others are used from now on, as these are taken no more: they may have been renewed before
    /// their time, and this clock may be wrong.
    async fn renews_credentials(&self, error: &PutError) -> bool {
        let Some(Shared(container)) = &self.container else { return false };
        let is_stale = matches!(error, PutError::Refused { code, .. } if is_stale(code));
        if is_stale {
            container.forget().await;
        }
        is_stale
    }

    /// Each datum under the function's name and without it.
    fn metric_data(&self, data: &[Datum]) -> Vec<MetricDatum> {
        let name = Dimension::builder().name("FunctionName").value(&self.function_name).build();
        // CloudWatch takes no dimension without a value.
        let named = (!self.function_name.is_empty()).then(|| vec![name]);
        let dimension_sets: Vec<_> = named.into_iter().chain([Vec::new()]).collect();
        let datum = |datum: &Datum, dimensions: &[Dimension]| {
            let seconds = i64::try_from(datum.at.as_ms() / 1_000).unwrap_or(i64::MAX);
            MetricDatum::builder()
                .metric_name(datum.name)
                .timestamp(DateTime::from_secs(seconds))
                .unit(match datum.unit {
                    Unit::Count => StandardUnit::Count,
                    Unit::None => StandardUnit::None,
                })
                .set_dimensions(Some(dimensions.to_vec()))
                .set_values(Some(datum.values.iter().map(|(value, _)| *value).collect()))
                .set_counts(Some(datum.values.iter().map(|(_, count)| *count as f64).collect()))
                .build()
        };
        let data = data.iter();
        data.flat_map(|d| dimension_sets.iter().map(move |dimensions| datum(d, dimensions)))
            .collect()
    }

    fn put_error(&self, error: &PutFailure) -> PutError {
        if let Some(error) = find::<CredentialsError>(error) {
            return PutError::Credentials(
                error.source().map_or_else(String::new, ToString::to_string),
            );
        }
        if let Some(response) = error.raw_response() {
            let status = response.status().as_u16();
            if status >= 400 {
                let code: String = error.code().unwrap_or_default().chars().take(60).collect();
                let hint = hint(&code, status);
                return PutError::Refused { status, code, hint };
            }
            return PutError::Unanswered("but with something unreadable");
        }
        if find::<Unconnected>(error).is_some() {
            let host = self.host.clone();
            return match is_untrusted(error) {
                true => PutError::Untrusted(host),
                false => PutError::Unreachable(host),
            };
        }
        match error {
            SdkError::ConstructionFailure(_) => PutError::Bug,
            SdkError::DispatchFailure(e) if !e.is_timeout() => {
                PutError::Unanswered("the connection broke")
            }
            _ => PutError::Unanswered("in time"),
        }
    }
}

/// Whether the API has surely not taken them, and may do so a moment later.
fn is_worth_another_try(error: &PutError) -> bool {
    match error {
        // The SDK sets its clock by the answer to a request that was signed by a wrong one.
        PutError::Refused { status, code, .. } => {
            *status == 503 || is_throttling(code, *status) || is_skew(code)
        }
        // Another error of the service, or of something in between, does not say that nothing was taken; and
        // where there was no connection, there is seldom one a moment later.
        PutError::Unreachable(_)
        | PutError::Untrusted(_)
        | PutError::Credentials(_)
        | PutError::Unanswered(_)
        | PutError::Frozen
        | PutError::NoThread
        | PutError::Bug => false,
    }
}

fn is_throttling(code: &str, status: u16) -> bool {
    status == 429
        || code.contains("Throttl")
        || code == "RequestLimitExceeded"
        || code == "TooManyRequestsException"
}

fn is_stale(code: &str) -> bool {
    code.starts_with("ExpiredToken")
        || matches!(code, "InvalidClientTokenId" | "UnrecognizedClientException")
}

fn is_skew(code: &str) -> bool {
    matches!(
        code,
        "RequestTimeTooSkewed"
            | "RequestExpired"
            | "RequestInTheFuture"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
    )
}

fn hint(code: &str, status: u16) -> &'static str {
    if code.starts_with("AccessDenied") {
        " (the function's role needs cloudwatch:PutMetricData)"
    } else if code.starts_with("ExpiredToken") {
        " (the credentials have expired)"
    } else if is_skew(code) {
        " (this clock and CloudWatch's differ)"
    } else if status == 403 {
        " (the credentials are not accepted)"
    } else if status >= 500 && status != 503 {
        " (if it has these metrics all the same, they count twice)"
    } else {
        ""
    }
}

/// Whether TLS refused the other end: rustls tells of it within errors of input and output.
fn is_untrusted(error: &PutFailure) -> bool {
    let mut next = find::<io::Error>(error);
    while let Some(error) = next {
        if error.kind() == io::ErrorKind::InvalidData {
            return true;
        }
        next = error.get_ref().and_then(|inner| inner.downcast_ref());
    }
    false
}

/// An error of this type, or one that it rests on.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests;
