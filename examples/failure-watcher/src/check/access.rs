//! How AWS is reached and in whose name, from Lambda's own variables; and what its errors mean.

use aws_credential_types::Credentials;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};
use std::fmt;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(3);
/// How long one call may take, with its tries.
const OPERATION: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;

/// What it takes to ask AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    region: String,
    /// `AWS_ENDPOINT_URL`; None for AWS's own.
    endpoint_url: Option<String>,
    id: String,
    secret: String,
    token: Option<String>,
}

/// Nothing secret is ever printed.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Why AWS cannot be asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Without it there is no endpoint to call.
    #[error("AWS_REGION names no region")]
    Region,
    /// Lambda gives them to each function, but for one with SnapStart.
    #[error("there are no credentials in the environment")]
    Credentials,
}

impl Access {
    /// Reads the variables that Lambda sets, through `lookup`.
    ///
    /// # Errors
    /// If no request could be made.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        Ok(Self {
            region: lookup("AWS_REGION").ok_or(AccessError::Region)?,
            endpoint_url: lookup("AWS_ENDPOINT_URL"),
            id: lookup("AWS_ACCESS_KEY_ID").ok_or(AccessError::Credentials)?,
            secret: lookup("AWS_SECRET_ACCESS_KEY").ok_or(AccessError::Credentials)?,
            token: lookup("AWS_SESSION_TOKEN"),
        })
    }
}

/// The clients.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) kms: aws_sdk_kms::Client,
    pub(super) tagging: aws_sdk_resourcegroupstagging::Client,
}

/// The settings that the three clients' types of configuration have in common.
macro_rules! configured {
    ($sdk:ident, $access:expr, $http:expr) => {{
        let access: &Access = $access;
        let token = access.token.clone();
        let (id, secret) = (access.id.clone(), access.secret.clone());
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.connect_timeout(CONNECT).operation_attempt_timeout(TRY);
        let timeouts = timeouts.operation_timeout(OPERATION).build();
        let mut config = $sdk::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .credentials_provider(Credentials::new(id, secret, token, None, "environment"))
            .http_client($http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES));
        config.set_endpoint_url(access.endpoint_url.clone());
        $sdk::Client::from_conf(config.build())
    }};
}

impl Api {
    pub(super) fn new(access: &Access) -> Self {
        let ring = tls::rustls_provider::CryptoMode::Ring;
        let http: SharedHttpClient =
            Builder::new().tls_provider(tls::Provider::Rustls(ring)).build_https();
        Self {
            lambda: configured!(aws_sdk_lambda, access, http.clone()),
            kms: configured!(aws_sdk_kms, access, http.clone()),
            tagging: configured!(aws_sdk_resourcegroupstagging, access, http),
        }
    }
}

/// Why a question has no answer. Nothing of the answer's text is kept: it may name what is not ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum CallError {
    /// The role lacks the permission.
    #[error("{0} is not permitted")]
    NotPermitted(&'static str),
    /// AWS gave another error.
    #[error("{0} failed: {1}")]
    Refused(&'static str, String),
    /// There is no function of this name: it was misspelt, or deleted since. It is the user's own setting.
    #[error("there is no function {0}")]
    NoFunction(String),
    /// There was no answer.
    #[error("{0} was not answered")]
    Unanswered(&'static str),
}

impl CallError {
    /// The failure of a call, by the IAM action that it needs.
    pub(super) fn of<E: ProvideErrorMetadata>(action: &'static str, error: &SdkError<E>) -> Self {
        let code = match error {
            SdkError::ConstructionFailure(_) => {
                return Self::Refused(action, "no such name".to_owned());
            }
            SdkError::ResponseError(_) => "",
            error => match error.as_service_error() {
                Some(refused) => refused.code().unwrap_or_default(),
                None => return Self::Unanswered(action),
            },
        };
        if code.starts_with("AccessDenied") || code == "UnauthorizedOperation" {
            return Self::NotPermitted(action);
        }
        let is_name = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let status = error.raw_response().map(|response| response.status().as_u16());
        Self::Refused(
            action,
            match (is_name && !code.is_empty(), status) {
                (true, _) => code.to_owned(),
                (false, Some(status)) => format!("HTTP {status}"),
                (false, None) => "no reason".to_owned(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_needs_a_region_and_credentials() {
        let all = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ];
        let without = |left_out: &str| {
            Access::from_lookup(|name| {
                let found = all.iter().find(|(known, _)| *known == name && name != left_out);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(without("AWS_REGION"), Err(AccessError::Region));
        assert_eq!(without("AWS_ACCESS_KEY_ID"), Err(AccessError::Credentials));
        assert_eq!(without("AWS_SECRET_ACCESS_KEY"), Err(AccessError::Credentials));
        let access = without("").unwrap();
        assert!(!format!("{access:?}").contains("s3cr3t"));
    }
}
