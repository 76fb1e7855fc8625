//! Errors of AWS services, as AWS's SDKs write them to a function's log.

use serde::Deserialize;

/// An error answer of an AWS service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceError {
    pub(crate) service: Service,
    /// The error code that the service answers.
    pub(crate) code: &'static str,
    /// The HTTP status that comes with it.
    pub(crate) status: u16,
    pub(crate) message: &'static str,
    /// What the SDKs for Java and Rust call the error's type; None where the service's model does
    /// not hold it. Such an error has a general type, and Java's text then lacks the code.
    pub(crate) class: Option<&'static str>,
}

/// The service that answers, and the operation that was asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    /// KMS, Decrypt: the handler's own call.
    Kms,
    /// Lambda, Invoke: the function that was called could not run.
    Lambda,
}

/// The SDK whose way of writing an error is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sdk {
    /// aws-sdk-rust's `DisplayErrorContext`.
    #[default]
    Rust,
    /// botocore, as the last line of a traceback.
    Python,
    /// AWS SDK for Java 2, `Throwable.toString`.
    Java,
    /// AWS SDK for JavaScript 3, as the Node runtime logs an uncaught error.
    JavaScript,
    /// AWS SDK for Go 2, `error.Error`.
    Go,
}

impl Sdk {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] =
        [Self::Rust, Self::Python, Self::Java, Self::JavaScript, Self::Go];

    /// What the log holds when the call fails with `error`. The request ids are made up.
    pub(crate) fn text(self, error: &ServiceError) -> String {
        const REQUEST_ID: &str = "5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e";
        let ServiceError { service, code, status, message, class } = *error;
        let (sdk_service, operation, java_service, java_package) = match service {
            Service::Kms => ("KMS", "Decrypt", "Kms", "kms"),
            Service::Lambda => ("Lambda", "Invoke", "Lambda", "lambda"),
        };
        match self {
            Self::Rust => {
                let detail =
                    if message.is_empty() { String::new() } else { format!(": {message}") };
                let shown = match class {
                    Some(class) if class == code => format!("{code}{detail}"),
                    Some(class) => format!("{class} [{code}]{detail}"),
                    None => format!("unhandled error ({code})"),
                };
                let variant = class.unwrap_or("Unhandled");
                let message = Some(message).filter(|message| !message.is_empty());
                format!(
                    "service error: {shown}: {shown} (ServiceError(ServiceError {{ source: \
                     {variant}({variant} {{ message: {message:?}, meta: ErrorMetadata {{ code: \
                     Some({code:?}), message: {message:?}, extras: Some({{\"aws_request_id\": \
                     {REQUEST_ID:?}}}) }} }}), raw: Response {{ .. }} }}))"
                )
            }
            Self::Python => {
                let kind = match class {
                    Some(_) => format!("botocore.errorfactory.{code}"),
                    None => "botocore.exceptions.ClientError".to_owned(),
                };
                format!(
                    "{kind}: An error occurred ({code}) when calling the {operation} operation: \
                     {message}"
                )
            }
            Self::Java => {
                let class = class.map_or_else(|| format!("{java_service}Exception"), str::to_owned);
                let message = if message.is_empty() { "null" } else { message };
                format!(
                    "software.amazon.awssdk.services.{java_package}.model.{class}: {message} \
                     (Service: {java_service}, Status Code: {status}, Request ID: {REQUEST_ID}) \
                     (SDK Attempt Count: 1)"
                )
            }
            Self::JavaScript => {
                // From the SDK an error without a message reads so.
                let message = if message.is_empty() { "UnknownError" } else { message };
                let error = serde_json::json!({
                    "errorType": code,
                    "errorMessage": message,
                    "$fault": "client",
                    "$metadata": {
                        "httpStatusCode": status,
                        "requestId": REQUEST_ID,
                        "attempts": 1,
                        "totalRetryDelay": 0
                    },
                    "stack": [
                        format!("{code}: {message}"),
                        "    at async Runtime.handler (file:///var/task/index.mjs:9:3)"
                    ]
                });
                format!("Invoke Error \t{error}")
            }
            Self::Go => {
                let api_error = if class.is_none() { "api error " } else { "" };
                format!(
                    "operation error {sdk_service}: {operation}, https response error StatusCode: \
                     {status}, RequestID: {REQUEST_ID}, {api_error}{code}: {message}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT: ServiceError = ServiceError {
        service: Service::Lambda,
        code: "EFSMountFailureException",
        status: 403,
        message: "The function could not mount it.",
        class: Some("EfsMountFailureException"),
    };
    const DENIED: ServiceError = ServiceError {
        service: Service::Kms,
        code: "AccessDeniedException",
        status: 400,
        message: "User: x is not authorized to perform: kms:Decrypt",
        class: None,
    };

    #[test]
    fn follows_each_sdk() {
        assert_eq!(
            Sdk::Python.text(&MOUNT),
            "botocore.errorfactory.EFSMountFailureException: An error occurred \
             (EFSMountFailureException) when calling the Invoke operation: The function could not \
             mount it."
        );
        assert!(Sdk::Java.text(&MOUNT).starts_with(
            "software.amazon.awssdk.services.lambda.model.EfsMountFailureException: The function \
             could not mount it. (Service: Lambda, Status Code: 403, Request ID: "
        ));
        assert!(
            Sdk::Go
                .text(&MOUNT)
                .ends_with(", EFSMountFailureException: The function could not mount it.")
        );
        assert!(Sdk::Rust.text(&MOUNT).starts_with(
            "service error: EfsMountFailureException [EFSMountFailureException]: The function"
        ));
        assert!(Sdk::JavaScript.text(&MOUNT).contains(r#""errorType":"EFSMountFailureException""#));
    }

    #[test]
    fn errors_outside_the_model_lose_their_type() {
        assert!(Sdk::Python.text(&DENIED).starts_with("botocore.exceptions.ClientError: An error"));
        assert!(!Sdk::Java.text(&DENIED).contains("AccessDeniedException"));
        assert!(Sdk::Go.text(&DENIED).contains("api error AccessDeniedException: User"));
        assert!(Sdk::Rust.text(&DENIED).contains("unhandled error (AccessDeniedException)"));
    }
}
