//! What fixtures hold of a function's outside.

use serde_json::Value;
use triage_diagnosis::{AccountConcurrency, FailedRequest, FunctionState, KeyState, Timestamp};

/// A failed request by the names of its record's fields.
pub(crate) fn failed_request(json: &Value) -> FailedRequest {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    FailedRequest {
        request_id: text("requestId").unwrap_or_default(),
        function_arn: text("functionArn"),
        at: text("timestamp").and_then(|text| Timestamp::parse(&text)),
        condition: text("condition"),
        attempts: json["approximateInvokeCount"].as_u64(),
        status_code: json["statusCode"].as_u64().map(|code| u16::try_from(code).unwrap()),
        has_run: json["functionError"].is_string(),
        is_of_invoker: json["isOfInvoker"] == true,
        error_type: text("errorType"),
        error_message: text("errorMessage"),
    }
}

/// A function's state by the names of Lambda's and KMS's fields.
pub(crate) fn function_state(json: &Value) -> FunctionState {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    FunctionState {
        function_arn: text(&json["FunctionArn"]),
        state: text(&json["State"]),
        state_reason_code: text(&json["StateReasonCode"]),
        last_update_status: text(&json["LastUpdateStatus"]),
        last_update_status_reason_code: text(&json["LastUpdateStatusReasonCode"]),
        last_modified: text(&json["LastModified"]).and_then(|text| Timestamp::parse(&text)),
        pending_since: text(&json["pendingSince"]).and_then(|text| Timestamp::parse(&text)),
        key: text(&json["KMSKeyArn"]).map(|arn| KeyState { arn, state: text(&json["KeyState"]) }),
        reserved_concurrency: json["ReservedConcurrentExecutions"].as_u64(),
        account: json["ConcurrentExecutions"].as_u64().map(|limit| AccountConcurrency {
            limit,
            unreserved: json["UnreservedConcurrentExecutions"].as_u64().unwrap(),
        }),
        recursive_loop: text(&json["RecursiveLoop"]),
    }
}
