//! What a [`DeliveryFault`] makes of a batch.

use crate::listener::Listener;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::faults::DeliveryFault;
use crate::telemetry::Record;

/// Between the parts of a body that comes in parts.
const PART_PAUSE: Duration = Duration::from_millis(2);

/// One body: its records, and the JSON of each, junk included.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) records: Vec<Record>,
    pub(crate) json: Vec<String>,
}

/// The bodies that a batch goes out in.
pub(crate) fn parcels(fault: &DeliveryFault, mut batch: Vec<Record>) -> Vec<Parcel> {
    if let Some(seed) = fault.shuffled {
        fastrand::Rng::with_seed(seed).shuffle(&mut batch);
    }
    let middle = batch.len() / 2;
    let mut parcels = Vec::new();
    let mut parcel = Parcel::default();
    for (index, record) in batch.into_iter().enumerate() {
        if let Some(junk) = fault.junk.as_ref().filter(|_| index == middle) {
            parcel.json.push(junk.clone());
        }
        parcel.json.push(record.json.to_string());
        parcel.records.push(record);
        if fault.one_by_one {
            parcels.push(std::mem::take(&mut parcel));
        }
    }
    if !parcel.json.is_empty() {
        parcels.push(parcel);
    }
    parcels
}

/// Posts a body in so many parts, on a connection of its own; the status of the answer.
pub(crate) async fn post_in_parts(
    listener: Listener,
    path: &str,
    body: &[u8],
    parts: usize,
) -> Option<u16> {
    let mut stream = connect(listener, path, body.len()).await?;
    for part in body.chunks(body.len().div_ceil(parts).max(1)) {
        stream.write_all(part).await.ok()?;
        stream.flush().await.ok()?;
        tokio::time::sleep(PART_PAUSE).await;
    }
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// Posts half of a body and goes away.
pub(crate) async fn break_off(listener: Listener, path: &str, body: &[u8]) -> Option<()> {
    let mut stream = connect(listener, path, body.len()).await?;
    stream.write_all(&body[..body.len() / 2]).await.ok()?;
    stream.flush().await.ok()
}

async fn connect(listener: Listener, path: &str, length: usize) -> Option<TcpStream> {
    let mut stream = listener.connect().await?;
    stream.set_nodelay(true).ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: sandbox.localdomain:{}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
        listener.port
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    Some(stream)
}
