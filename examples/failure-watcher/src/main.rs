//! The failure watcher as a Lambda function.

use failure_watcher::Handler;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use triage_diagnosis::Timestamp;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    // One event at a time, as Lambda gives them.
    let handler = Mutex::new(Handler::new(lookup, std::io::stdout(), now()));
    // The event's text: what the runtime itself refused, nobody would tell.
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let left = left.unwrap_or(Duration::ZERO);
        let answer = handler.lock().await.handle(event.payload.get(), left, now).await;
        answer.map_err(Error::from)
    }))
    .await
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
