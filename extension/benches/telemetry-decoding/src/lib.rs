//! Two ways to find the invocations that timed out in a delivery of telemetry, a JSON array: each gives
//! their request ids.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    record: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeDone {
    request_id: String,
    status: String,
}

/// Splits it into records without copying them, and reads runtimeDone alone.
///
/// # Errors
/// If it is not as documented.
pub fn borrowed(delivery: &[u8]) -> serde_json::Result<Vec<String>> {
    let mut ids = Vec::new();
    for record in serde_json::from_slice::<Vec<Record<'_>>>(delivery)? {
        if record.r#type == "platform.runtimeDone" {
            let done: RuntimeDone = serde_json::from_str(record.record.get())?;
            if done.status == "timeout" {
                ids.push(done.request_id);
            }
        }
    }
    Ok(ids)
}

/// Reads it into values that own all they hold, as is easiest to write.
///
/// # Errors
/// If it is not JSON.
pub fn owned(delivery: &[u8]) -> serde_json::Result<Vec<String>> {
    let records: Vec<Value> = serde_json::from_slice(delivery)?;
    let timed_out = records.iter().filter(|record| {
        record["type"] == "platform.runtimeDone" && record["record"]["status"] == "timeout"
    });
    let id = |record: &Value| record["record"]["requestId"].as_str().map(str::to_owned);
    Ok(timed_out.filter_map(id).collect())
}
