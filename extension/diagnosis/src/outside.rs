//! What can be known of a function from outside its sandboxes: records of requests that failed, and the
//! state that Lambda, KMS and the account keep of it.

use crate::Timestamp;
use crate::excerpt::excerpt;

/// A request to a function that failed for good, as Lambda, or the service in front of it, recorded it.
///
/// The shape is that of the [record of an asynchronous invocation][1]; dead-letter messages and the
/// records of event source mappings hold parts of it.
///
/// [1]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedRequest {
    /// The request id; empty where none is told.
    pub request_id: String,
    /// The function's ARN, with the qualifier that it was invoked by.
    pub function_arn: Option<String>,
    /// When the record was made.
    pub at: Option<Timestamp>,
    /// Why it was given up: `RetriesExhausted`, `EventAgeExceeded`, `ZeroReservedConcurrency`,
    /// `RetryAttemptsExhausted` or another.
    pub condition: Option<String>,
    /// How often it was tried, about.
    pub attempts: Option<u64>,
    /// The HTTP status that Invoke answered with: 200 where the function ran.
    pub status_code: Option<u16>,
    /// Whether it failed within the function (`functionError`), and not before any sandbox began.
    pub has_run: bool,
    /// Whether the service that invoked the function recorded it, as EventBridge does: then the error is what
    /// Invoke answered, and not the function.
    pub is_of_invoker: bool,
    /// The error's name, such as `EFSMountFailureException`.
    pub error_type: Option<String>,
    /// The error's message.
    pub error_message: Option<String>,
}

impl FailedRequest {
    /// The error as an SDK prints it, `Name: message`; None if it is not told.
    pub(crate) fn error_text(&self) -> Option<String> {
        let message = self.error_message.as_deref().filter(|message| !message.is_empty());
        match (self.error_type.as_deref().filter(|name| !name.is_empty()), message) {
            (Some(name), Some(message)) => Some(format!("{name}: {message}")),
            (Some(name), None) => Some(format!("{name}:")),
            (None, message) => message.map(str::to_owned),
        }
    }

    /// As much of the error as may be shown where no detector knows it: words of AWS's own texts, short.
    #[must_use]
    pub fn shown_error(&self) -> Option<String> {
        Some(excerpt(&self.error_text()?, 0, 0)).filter(|text| !text.is_empty())
    }
}

/// What is asked about a function, as far as it could be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionState {
    /// Its ARN.
    pub function_arn: Option<String>,
    /// `State`: `Pending`, `Active`, `Inactive`, `Failed` or another.
    pub state: Option<String>,
    /// `StateReasonCode`
    pub state_reason_code: Option<String>,
    /// `LastUpdateStatus`: `Successful`, `Failed` or `InProgress`.
    pub last_update_status: Option<String>,
    /// `LastUpdateStatusReasonCode`
    pub last_update_status_reason_code: Option<String>,
    /// `LastModified`
    pub last_modified: Option<Timestamp>,
    /// Since when it has been seen in the state `Pending`, each time that it was asked for; None if it is
    /// not, or was not asked for before.
    pub pending_since: Option<Timestamp>,
    /// The key of its environment variables, where it is a customer's.
    pub key: Option<KeyState>,
    /// How many concurrent executions are reserved for it; None if none are, or it is not known.
    pub reserved_concurrency: Option<u64>,
    /// The account's pool of concurrent executions in the Region.
    pub account: Option<AccountConcurrency>,
    /// `RecursiveLoop`: `Allow` or `Terminate`.
    pub recursive_loop: Option<String>,
}

/// A KMS key as DescribeKey tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyState {
    /// Its ARN.
    pub arn: String,
    /// `KeyState`: `Enabled`, `Disabled`, `PendingDeletion`, `PendingImport`, `Unavailable` or another;
    /// None if there is no such key.
    pub state: Option<String>,
}

/// The account's concurrent executions in a Region (GetAccountSettings).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountConcurrency {
    /// `ConcurrentExecutions`: how many there may be in all.
    pub limit: u64,
    /// `UnreservedConcurrentExecutions`: how many are reserved for no function.
    pub unreserved: u64,
}

/// What a reason code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasonField {
    /// `StateReasonCode`
    State,
    /// `LastUpdateStatusReasonCode`
    LastUpdate,
}

impl ReasonField {
    /// Its name in the evidence.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::State => "stateReasonCode",
            Self::LastUpdate => "lastUpdateStatusReasonCode",
        }
    }
}

/// Lambda's reason for what is not as it should be.
pub(crate) struct Reason<'a> {
    pub(crate) field: ReasonField,
    pub(crate) code: &'a str,
}

impl FunctionState {
    /// Lambda's reason for a state or an update that is not as it should be, if it is one of these.
    pub(crate) fn reason<'a>(&'a self, codes: &[&str]) -> Option<Reason<'a>> {
        let is_failed = |status: &Option<String>| status.as_deref() == Some("Failed");
        let is_well = self.state.as_deref() == Some("Active");
        let state = self.state_reason_code.as_deref().filter(|_| !is_well);
        let update = self.last_update_status_reason_code.as_deref();
        let update = update.filter(|_| is_failed(&self.last_update_status));
        [(ReasonField::State, state), (ReasonField::LastUpdate, update)]
            .into_iter()
            .filter_map(|(field, code)| Some(Reason { field, code: code? }))
            .find(|reason| codes.contains(&reason.code))
    }
}
