//! The key of a function's environment variables.

use super::access::{Api, CallError};
use triage_diagnosis::KeyState;

pub(super) const ACTION: &str = "kms:DescribeKey";

/// Asks KMS in what state a key is. There being no such key is an answer.
pub(super) async fn ask(api: &Api, arn: &str) -> Result<KeyState, CallError> {
    let answer = api.kms.describe_key().key_id(arn).send().await;
    let missing = |error: &aws_sdk_kms::operation::describe_key::DescribeKeyError| {
        error.is_not_found_exception()
    };
    match answer {
        Ok(answer) => {
            let state = answer.key_metadata().and_then(|key| key.key_state());
            let Some(state) = state else {
                return Err(CallError::Refused(ACTION, "no key state".to_owned()));
            };
            Ok(KeyState { arn: arn.to_owned(), state: Some(state.as_str().to_owned()) })
        }
        Err(error) if error.as_service_error().is_some_and(missing) => {
            Ok(KeyState { arn: arn.to_owned(), state: None })
        }
        Err(error) => Err(CallError::of(ACTION, &error)),
    }
}
