//! Reads deliveries into values that own all they hold, as is easiest to write.

use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), hyper_client::Error> {
    hyper_client::run(timeouts).await
}

fn timeouts(delivery: &[u8]) -> serde_json::Result<Vec<String>> {
    let records: Vec<Value> = serde_json::from_slice(delivery)?;
    let timed_out = records.iter().filter(|record| {
        record["type"] == "platform.runtimeDone" && record["record"]["status"] == "timeout"
    });
    let id = |record: &Value| record["record"]["requestId"].as_str().map(str::to_owned);
    Ok(timed_out.filter_map(id).collect())
}
