//! Where CloudWatch's API is and who may call it, from Lambda's own variables.

use crate::runtime_api::Endpoint;
use hyper::Uri;
use std::fmt;

/// What it takes to call the API.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiAccess {
    /// `AWS_REGION`
    pub(super) region: String,
    /// `AWS_ENDPOINT_URL_CLOUDWATCH`, else `AWS_ENDPOINT_URL`; None for AWS's own.
    pub(super) endpoint_url: Option<String>,
    pub(super) credentials: CredentialSource,
}

/// Whom requests are signed for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum CredentialSource {
    /// The function's role, as Lambda puts it into the environment; good for as long as the sandbox is.
    Environment {
        /// `AWS_ACCESS_KEY_ID`
        id: String,
        /// `AWS_SECRET_ACCESS_KEY`
        secret: String,
        /// `AWS_SESSION_TOKEN`
        token: Option<String>,
    },
    /// With SnapStart: to be asked for, and asked for anew before they expire.
    Container {
        /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`
        endpoint: Endpoint,
        /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`
        token: Option<String>,
    },
}

/// Why the API cannot be called at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessError {
    /// Without it there is no endpoint to call.
    #[error("AWS_REGION names no region")]
    Region,
    /// Not even an endpoint to ask for some.
    #[error(
        "there are no credentials in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_CONTAINER_CREDENTIALS_FULL_URI)"
    )]
    Credentials,
    /// The user's own endpoint.
    #[error("AWS_ENDPOINT_URL_CLOUDWATCH or AWS_ENDPOINT_URL is no http or https URL")]
    EndpointUrl,
}

impl ApiAccess {
    /// Reads the variables through `lookup`, which gives a variable's value, or None if it is empty or
    /// not set.
    ///
    /// # Errors
    /// If no request could be made.
    pub(crate) fn from_lookup(
        lookup: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, AccessError> {
        let region = lookup("AWS_REGION").or_else(|| lookup("AWS_DEFAULT_REGION"));
        let region = region.filter(|region| is_region(region)).ok_or(AccessError::Region)?;
        let endpoint_url =
            lookup("AWS_ENDPOINT_URL_CLOUDWATCH").or_else(|| lookup("AWS_ENDPOINT_URL"));
        if endpoint_url.as_deref().is_some_and(|url| !is_url(url)) {
            return Err(AccessError::EndpointUrl);
        }
        let keys = (lookup("AWS_ACCESS_KEY_ID"), lookup("AWS_SECRET_ACCESS_KEY"));
        let credentials = if let (Some(id), Some(secret)) = keys {
            let token = lookup("AWS_SESSION_TOKEN");
            CredentialSource::Environment { id, secret, token }
        } else {
            let uri = lookup("AWS_CONTAINER_CREDENTIALS_FULL_URI");
            let endpoint = uri.and_then(|uri| Endpoint::parse(&uri).ok());
            let endpoint = endpoint.ok_or(AccessError::Credentials)?;
            let token = lookup("AWS_CONTAINER_AUTHORIZATION_TOKEN");
            CredentialSource::Container { endpoint, token }
        };
        Ok(Self { region, endpoint_url, credentials })
    }

    /// What is told of the endpoint where it cannot be reached: never more of a URL than its host.
    pub(super) fn host(&self) -> String {
        let own = self.endpoint_url.as_ref().and_then(|url| url.parse::<Uri>().ok());
        let own = own.and_then(|url| url.host().map(str::to_owned));
        own.unwrap_or_else(|| format!("CloudWatch in {}", self.region))
    }
}

fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_url(text: &str) -> bool {
    let url = text.parse::<Uri>().ok();
    url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    })
}

/// No key and no token is ever printed.
impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment { .. } => "Environment",
            Self::Container { .. } => "Container",
        })
    }
}

/// No key and no token is ever printed.
impl fmt::Debug for ApiAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAccess").field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 3] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<ApiAccess, AccessError> {
        ApiAccess::from_lookup(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn with(more: &[(&'static str, &'static str)]) -> Result<ApiAccess, AccessError> {
        read(&[more, &KEYS].concat())
    }

    #[test]
    fn lambdas_variables_are_enough() {
        let access = with(&[("AWS_SESSION_TOKEN", "token")]).unwrap();
        let keys = CredentialSource::Environment {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "hunter2".to_owned(),
            token: Some("token".to_owned()),
        };
        assert_eq!(access.credentials, keys);
        assert_eq!((access.region.as_str(), &access.endpoint_url), ("eu-west-1", &None));
        assert!(!format!("{access:?}").contains("hunter2"));
    }

    #[test]
    fn with_snap_start_the_container_endpoint_gives_them() {
        let access = read(&[
            ("AWS_REGION", "eu-west-1"),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://169.254.100.1:9001/2021-04-23/credentials",
            ),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token"),
        ]);
        let endpoint = Endpoint::parse("169.254.100.1:9001/2021-04-23/credentials").unwrap();
        let token = Some("token".to_owned());
        assert_eq!(access.unwrap().credentials, CredentialSource::Container { endpoint, token });
    }

    #[test]
    fn the_services_own_endpoint_goes_before_that_of_all() {
        let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let own = ("AWS_ENDPOINT_URL_CLOUDWATCH", "https://monitoring.example/?secret");
        assert_eq!(with(&[all]).unwrap().host(), "127.0.0.1");
        assert_eq!(with(&[all, own]).unwrap().host(), "monitoring.example");
        assert_eq!(with(&[]).unwrap().host(), "CloudWatch in eu-west-1");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (access, error) in [
            (read(&[]), AccessError::Region),
            (with(&[("AWS_REGION", "Europe!")]), AccessError::Region),
            (read(&KEYS[..2]), AccessError::Credentials),
            (with(&[("AWS_ENDPOINT_URL", "127.0.0.1:1")]), AccessError::EndpointUrl),
            (with(&[("AWS_ENDPOINT_URL", "ftp://127.0.0.1")]), AccessError::EndpointUrl),
        ] {
            assert_eq!(access, Err(error));
        }
    }
}
