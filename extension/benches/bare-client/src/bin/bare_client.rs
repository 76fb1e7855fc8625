//! Splits deliveries into records without copying them, and reads runtimeDone alone.

use serde::Deserialize;
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), hyper_client::Error> {
    hyper_client::run(timeouts).await
}

fn timeouts(delivery: &[u8]) -> serde_json::Result<Vec<String>> {
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
