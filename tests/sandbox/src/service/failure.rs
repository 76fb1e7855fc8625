//! Why Lambda refuses an invocation before any environment starts.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::config::FunctionConfig;

/// What befalls every invocation of a function, before its environment is started.
///
/// Codes, HTTP statuses and members are those of the Lambda API's reference for Invoke. AWS publishes
/// few of the messages: those of the mounts and of KMS are what functions' callers have been seen to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeFailure {
    /// 403: the EFS file system could not be mounted.
    EfsMountFailure,
    /// 408: no connection to the EFS file system.
    EfsMountConnectivity,
    /// 408: connected, and the mount took too long.
    EfsMountTimeout,
    /// 502: the environment's key may not be used by the function's role.
    KmsAccessDenied,
    /// 502: the environment's key is disabled.
    KmsDisabled,
    /// 502: the environment's key is pending deletion.
    KmsInvalidState,
    /// 502: the environment's key is gone.
    KmsNotFound,
    /// 409: the function is in the state Pending.
    Pending,
    /// 429 with this reason.
    Throttled(ThrottleReason),
    /// 403: the caller may not invoke the function.
    AccessDenied,
}

/// The `Reason` of a `TooManyRequestsException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// All of the account's concurrency is in use.
    ConcurrentInvocationLimitExceeded,
    /// As many run as are reserved for the function.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More invocations a second than ten times the concurrency.
    FunctionInvocationRateLimitExceeded,
    /// The same of what is reserved.
    ReservedFunctionInvocationRateLimitExceeded,
    /// The caller asks too fast, of whatever function.
    CallerRateLimitExceeded,
    /// Too many snapshots are being made.
    ConcurrentSnapshotCreateLimitExceeded,
}

impl ThrottleReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::ConcurrentInvocationLimitExceeded,
        Self::ReservedFunctionConcurrentInvocationLimitExceeded,
        Self::FunctionInvocationRateLimitExceeded,
        Self::ReservedFunctionInvocationRateLimitExceeded,
        Self::CallerRateLimitExceeded,
        Self::ConcurrentSnapshotCreateLimitExceeded,
    ];

    /// The reason as Lambda spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
            Self::CallerRateLimitExceeded => "CallerRateLimitExceeded",
            Self::ConcurrentSnapshotCreateLimitExceeded => "ConcurrentSnapshotCreateLimitExceeded",
        }
    }
}

impl InvokeFailure {
    /// Every failure, throttling with its first reason.
    pub const ALL: [Self; 10] = [
        Self::EfsMountFailure,
        Self::EfsMountConnectivity,
        Self::EfsMountTimeout,
        Self::KmsAccessDenied,
        Self::KmsDisabled,
        Self::KmsInvalidState,
        Self::KmsNotFound,
        Self::Pending,
        Self::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded),
        Self::AccessDenied,
    ];

    /// The error's code, as `x-amzn-ErrorType` has it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::EfsMountFailure => "EFSMountFailureException",
            Self::EfsMountConnectivity => "EFSMountConnectivityException",
            Self::EfsMountTimeout => "EFSMountTimeoutException",
            Self::KmsAccessDenied => "KMSAccessDeniedException",
            Self::KmsDisabled => "KMSDisabledException",
            Self::KmsInvalidState => "KMSInvalidStateException",
            Self::KmsNotFound => "KMSNotFoundException",
            Self::Pending => "ResourceConflictException",
            Self::Throttled(_) => "TooManyRequestsException",
            Self::AccessDenied => "AccessDeniedException",
        }
    }

    /// The HTTP status that comes with it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::EfsMountFailure | Self::AccessDenied => 403,
            Self::EfsMountConnectivity | Self::EfsMountTimeout => 408,
            Self::Pending => 409,
            Self::Throttled(_) => 429,
            Self::KmsAccessDenied
            | Self::KmsDisabled
            | Self::KmsInvalidState
            | Self::KmsNotFound => 502,
        }
    }

    /// Whether Lambda answers so before it queues an asynchronous event: what concerns the request
    /// and not the function. AWS documents neither list; this is inferred from what is known at once.
    pub(crate) fn precedes_the_queue(self) -> bool {
        let of_the_caller = Self::Throttled(ThrottleReason::CallerRateLimitExceeded);
        self == Self::AccessDenied || self == of_the_caller
    }

    /// The answer for this function.
    pub(crate) fn error(self, function: &FunctionConfig) -> InvokeError {
        let reason = match self {
            Self::Throttled(reason) => Some(reason.as_str()),
            _ => None,
        };
        InvokeError {
            status: self.status(),
            code: self.code(),
            message: self.message(function),
            reason,
        }
    }

    fn message(self, function: &FunctionConfig) -> String {
        let FunctionConfig { region, account_id, .. } = function;
        let access_point = format!(
            "arn:aws:elasticfilesystem:{region}:{account_id}:access-point/fsap-0123456789abcdef0"
        );
        let key =
            format!("arn:aws:kms:{region}:{account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
        let decrypt = "Lambda was unable to decrypt the environment variables because";
        let check = "Please check the function's KMS key settings.";
        match self {
            Self::EfsMountFailure => format!(
                "The function could not mount the EFS file system with access point {access_point}."
            ),
            Self::EfsMountConnectivity => format!(
                "The function couldn't connect to the Amazon EFS file system with access point \
                 {access_point}. Check your network configuration and try again."
            ),
            Self::EfsMountTimeout => format!(
                "The function could not mount the EFS file system with access point \
                 {{{access_point}}} due to mount time out"
            ),
            Self::KmsAccessDenied => format!(
                "{decrypt} KMS access was denied. {check} KMS Exception: AccessDeniedExceptionKMS \
                 Message: User: arn:aws:sts::{account_id}:assumed-role/{name}-role/{name} is not \
                 authorized to perform: kms:Decrypt on resource: {key} because no identity-based \
                 policy allows the kms:Decrypt action",
                name = function.name
            ),
            Self::KmsDisabled => format!(
                "{decrypt} the KMS key used is disabled. {check} KMS Exception: \
                 DisabledExceptionKMS Message: {key} is disabled."
            ),
            Self::KmsInvalidState => format!(
                "{decrypt} the state of the KMS key used is not valid for Decrypt. {check} KMS \
                 Exception: KMSInvalidStateExceptionKMS Message: {key} is pending deletion."
            ),
            Self::KmsNotFound => format!("{decrypt} the KMS key was not found. {check}"),
            Self::Pending => "The operation cannot be performed at this time. The function is \
                 currently in the following state: Pending"
                .into(),
            Self::Throttled(_) => "Rate Exceeded.".into(),
            Self::AccessDenied => format!(
                "User: arn:aws:sts::{account_id}:assumed-role/caller-role/caller is not authorized \
                 to perform: lambda:InvokeFunction on resource: {} because no identity-based \
                 policy allows the lambda:InvokeFunction action",
                function.arn()
            ),
        }
    }
}

impl fmt::Display for InvokeFailure {
    /// `EFSMountFailureException`, `TooManyRequestsException:CallerRateLimitExceeded`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::Throttled(reason) => write!(f, ":{}", reason.as_str()),
            _ => Ok(()),
        }
    }
}

/// A text that names no [`InvokeFailure`].
#[derive(Debug, thiserror::Error)]
#[error("not one of {}", known())]
pub struct UnknownFailure;

fn known() -> String {
    let throttled = |failure: &InvokeFailure| matches!(failure, InvokeFailure::Throttled(_));
    let others = InvokeFailure::ALL.into_iter().filter(|failure| !throttled(failure));
    let reasons = ThrottleReason::ALL.into_iter().map(InvokeFailure::Throttled);
    others.chain(reasons).map(|failure| failure.to_string()).collect::<Vec<_>>().join(", ")
}

impl FromStr for InvokeFailure {
    type Err = UnknownFailure;

    /// Reads what [`Display`](fmt::Display) writes; throttling also without its reason.
    fn from_str(text: &str) -> Result<Self, UnknownFailure> {
        let (code, reason) = text.split_once(':').unzip();
        let failure = Self::ALL.into_iter().find(|failure| failure.code() == code.unwrap_or(text));
        match (failure.ok_or(UnknownFailure)?, reason) {
            (Self::Throttled(_), Some(reason)) => ThrottleReason::ALL
                .into_iter()
                .find(|known| known.as_str() == reason)
                .map(Self::Throttled)
                .ok_or(UnknownFailure),
            (failure, None) => Ok(failure),
            (_, Some(_)) => Err(UnknownFailure),
        }
    }
}

/// An error answer of the Invoke API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvokeError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) reason: Option<&'static str>,
}

impl InvokeError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), reason: None }
    }

    /// The members `Type`, message and, of throttling, `Reason`.
    pub(crate) fn body(&self) -> Value {
        let at_fault = if self.status == 500 { "Service" } else { "User" };
        // The API's model spells it in either way.
        let member = match self.code {
            "ResourceConflictException"
            | "TooManyRequestsException"
            | "InvalidRequestContentException"
            | "RequestTooLargeException" => "message",
            _ => "Message",
        };
        let mut body = json!({"Type": at_fault, member: self.message});
        if let Some(reason) = self.reason {
            body["Reason"] = reason.into();
        }
        body
    }

    /// Lambda keeps the event and tries again for as long as it may: throttling and errors of its own,
    /// which is how AWS's documentation puts it (429 and the 500 series).
    pub(crate) fn goes_back_to_the_queue(&self) -> bool {
        self.status == 429 || self.status >= 500
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_as_lambda_names_it() {
        let reasons = ThrottleReason::ALL.into_iter().map(InvokeFailure::Throttled);
        for failure in InvokeFailure::ALL.into_iter().chain(reasons) {
            assert_eq!(failure.to_string().parse::<InvokeFailure>().unwrap(), failure);
        }
        assert_eq!(
            "TooManyRequestsException".parse::<InvokeFailure>().unwrap(),
            InvokeFailure::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded)
        );
        for wrong in ["", "EFSMountFailure", "KMSDisabledException:x", "TooManyRequestsException:x"]
        {
            let error = wrong.parse::<InvokeFailure>().unwrap_err().to_string();
            assert!(error.contains("KMSDisabledException, "), "{error}");
        }
    }
}
