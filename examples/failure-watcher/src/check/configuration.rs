//! The state of a function and of its last update, and the key of its environment.

use super::access::{Api, CallError};
use triage_diagnosis::failed_requests::{FunctionName, ListedName};
use triage_diagnosis::{FunctionState, Timestamp};

pub(super) const ACTION: &str = "lambda:GetFunctionConfiguration";

/// What a function's configuration tells.
pub(super) struct Configuration {
    pub(super) name: String,
    pub(super) state: FunctionState,
    pub(super) key_arn: Option<String>,
}

/// Of a function whose configuration may not be read.
pub(super) fn unknown(function: &str) -> Configuration {
    let function_arn = FunctionName::of_arn(function).map(|_| function.to_owned());
    Configuration {
        name: ListedName::of(function).name().to_owned(),
        state: FunctionState { function_arn, ..FunctionState::default() },
        key_arn: None,
    }
}

/// Asks for it, by the function's name or ARN; None if there is no such function. Its environment
/// variables are not looked at.
pub(super) async fn ask(api: &Api, function: &str) -> Result<Option<Configuration>, CallError> {
    let answer = api.lambda.get_function_configuration().function_name(function).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let refused = error.as_service_error();
            return match refused.is_some_and(|e| e.is_resource_not_found_exception()) {
                true => Ok(None),
                false => Err(CallError::of(ACTION, &error)),
            };
        }
    };
    let word = |text: Option<&str>| text.map(str::to_owned);
    let name = answer.function_name().map(str::to_owned);
    Ok(Some(Configuration {
        name: name.unwrap_or_else(|| unknown(function).name),
        key_arn: word(answer.kms_key_arn()).filter(|arn| !arn.is_empty()),
        state: FunctionState {
            function_arn: word(answer.function_arn()),
            state: word(answer.state().map(|state| state.as_str())),
            state_reason_code: word(answer.state_reason_code().map(|code| code.as_str())),
            last_update_status: word(answer.last_update_status().map(|status| status.as_str())),
            last_update_status_reason_code: word(
                answer.last_update_status_reason_code().map(|code| code.as_str()),
            ),
            last_modified: answer.last_modified().and_then(last_modified),
            ..FunctionState::default()
        },
    }))
}

/// `2021-04-04T19:41:12.000+0000`
fn last_modified(text: &str) -> Option<Timestamp> {
    let utc = text.strip_suffix("+0000").or_else(|| text.strip_suffix("+00:00"));
    Timestamp::parse(&format!("{}Z", utc.or_else(|| text.strip_suffix('Z'))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_as_lambda_writes_it() {
        let at = Timestamp::parse("2021-04-04T19:41:12.345Z");
        assert!(at.is_some());
        for text in ["2021-04-04T19:41:12.345+0000", "2021-04-04T19:41:12.345Z"] {
            assert_eq!(last_modified(text), at);
        }
        assert_eq!(last_modified("2021-04-04T19:41:12.345+0200"), None);
        assert_eq!(last_modified(""), None);
    }
}
