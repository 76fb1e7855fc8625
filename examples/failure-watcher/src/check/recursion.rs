//! Whether Lambda stops a loop of a function.

use super::access::{Api, CallError};

pub(super) const ACTION: &str = "lambda:GetFunctionRecursionConfig";

/// `Allow` or `Terminate`.
pub(super) async fn ask(api: &Api, function: &str) -> Result<Option<String>, CallError> {
    let answer = api.lambda.get_function_recursion_config().function_name(function).send().await;
    let answer = answer.map_err(|error| CallError::of(ACTION, &error))?;
    Ok(answer.recursive_loop().map(|recursive_loop| recursive_loop.as_str().to_owned()))
}
