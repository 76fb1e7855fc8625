//! The record of an invocation that failed: of an asynchronous one, or of an event source mapping.

use super::function_name::FunctionName;
use super::payload::PayloadError;
use crate::{FailedRequest, Timestamp};
use serde_json::Value;

/// What a JSON object is that may be a record.
#[derive(Debug, PartialEq)]
pub(crate) enum Recorded {
    /// A request that failed, and the version that ran.
    Failure(Box<FailedRequest>, Option<String>),
    /// One that succeeded.
    Success,
    /// Another's record.
    Other,
}

impl Recorded {
    /// Reads a [record of an asynchronous invocation][1], or that of a stream's batch, which has
    /// `KinesisBatchInfo` or `DDBStreamBatchInfo` in place of the payloads.
    ///
    /// [1]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    pub(crate) fn read(json: &Value) -> Self {
        let context = &json["requestContext"];
        let Some(arn) = context["functionArn"].as_str() else { return Self::Other };
        let Some(function) = FunctionName::of_arn(arn) else { return Self::Other };
        let condition = context["condition"].as_str();
        let response = &json["responseContext"];
        let has_failed = response["functionError"].as_str().is_some_and(|error| !error.is_empty());
        if condition == Some("Success") && !has_failed {
            return Self::Success;
        }
        let error = PayloadError::of(&json["responsePayload"]);
        let status_code = status_code(&response["statusCode"]);
        let request = FailedRequest {
            request_id: request_id(context["requestId"].as_str()),
            function_arn: Some(arn.to_owned()),
            at: timestamp(&json["timestamp"]),
            condition: condition.map(str::to_owned),
            attempts: context["approximateInvokeCount"].as_u64(),
            status_code,
            // Invoke answers 200 where the function ran, and nowhere else, whatever else the record says.
            has_run: status_code.map_or(has_failed, |status| status == 200),
            is_of_invoker: false,
            error_type: error.error_type,
            error_message: error.error_message,
        };
        let version = response["executedVersion"].as_str().map(str::to_owned);
        Self::Failure(Box::new(request), version.or(function.qualifier))
    }
}

/// A request id, if it looks like one; else empty.
pub(crate) fn request_id(text: Option<&str>) -> String {
    let is_id = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.filter(is_id).unwrap_or_default().to_owned()
}

/// Whether it is 8-4-4-4-12 hexadecimal digits, as each request id of Lambda's.
pub(crate) fn is_uuid(id: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    id.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && id.split('-').all(is_hex)
}

/// A number or, as some stand-ins have it, its digits.
fn status_code(value: &Value) -> Option<u16> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|code| u16::try_from(code).ok()),
    }
}

/// RFC 3339 as AWS writes it, or milliseconds as some stand-ins do.
pub(crate) fn timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => {
            Timestamp::parse(text).or_else(|| text.parse().ok().map(Timestamp::from_ms))
        }
        value => value.as_u64().map(Timestamp::from_ms),
    }
}
