//! The concurrency that is reserved for a function, and the account's pool.

use super::access::{Api, CallError};
use tokio::time::Instant;
use triage_diagnosis::AccountConcurrency;

pub(super) const RESERVED: &str = "lambda:GetFunctionConcurrency";
pub(super) const OF_ACCOUNT: &str = "lambda:GetAccountSettings";

/// How many concurrent executions are reserved for a function, if any are.
pub(super) async fn reserved(api: &Api, function: &str) -> Result<Option<u64>, CallError> {
    let answer = api.lambda.get_function_concurrency().function_name(function).send().await;
    let answer = answer.map_err(|error| CallError::of(RESERVED, &error))?;
    Ok(answer.reserved_concurrent_executions().and_then(|n| u64::try_from(n).ok()))
}

/// The account's pool in this Region, if it is told by then.
pub(super) async fn account(api: &Api, by: Instant) -> Result<AccountConcurrency, CallError> {
    let answer = tokio::time::timeout_at(by, api.lambda.get_account_settings().send()).await;
    let answer = answer.map_err(|_| CallError::Unanswered(OF_ACCOUNT))?;
    let answer = answer.map_err(|error| CallError::of(OF_ACCOUNT, &error))?;
    let pool = answer.account_limit().and_then(|limit| {
        Some(AccountConcurrency {
            limit: u64::try_from(limit.concurrent_executions()).ok()?,
            unreserved: u64::try_from(limit.unreserved_concurrent_executions()?).ok()?,
        })
    });
    pool.ok_or_else(|| CallError::Refused(OF_ACCOUNT, "no limit".to_owned()))
}
