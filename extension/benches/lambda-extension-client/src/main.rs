//! An extension as the crate lambda-extension has one write it: its loop, its listener, its types of
//! telemetry. Tells of timeouts. What `cargo bench-extension` measures beside ours.

use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, LambdaTelemetryRecord, NextEvent,
    SharedService, Status, service_fn,
};
use serde_json::Value;
use std::io::Write;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Extension::new()
        .with_events(&["INVOKE", "SHUTDOWN"])
        .with_events_processor(service_fn(next_event))
        .with_telemetry_types(&["platform", "function"])
        // A function's record is an object where it logs JSON; as a String, one would cost its whole delivery.
        .with_telemetry_record_type::<Value>()
        .with_telemetry_processor(SharedService::new(service_fn(telemetry)))
        .run()
        .await
}

async fn next_event(event: LambdaEvent) -> Result<(), Error> {
    if let NextEvent::Shutdown(_) = event.next {
        // Its loop has no end of its own.
        std::process::exit(0);
    }
    Ok(())
}

async fn telemetry(records: Vec<LambdaTelemetry<Value>>) -> Result<(), Error> {
    for LambdaTelemetry { record, .. } in records {
        if let LambdaTelemetryRecord::PlatformRuntimeDone {
            request_id,
            status: Status::Timeout,
            ..
        } = record
        {
            let line = format!("{{\"problem\":\"timeout\",\"requestId\":\"{request_id}\"}}\n");
            std::io::stdout().write_all(line.as_bytes())?;
        }
    }
    Ok(())
}
