//! Splits deliveries into borrowed records.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), bare_client::Error> {
    bare_client::run(telemetry_decoding::borrowed).await
}
