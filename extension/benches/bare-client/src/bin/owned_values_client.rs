//! Reads deliveries into values that own all they hold.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), bare_client::Error> {
    bare_client::run(telemetry_decoding::owned).await
}
