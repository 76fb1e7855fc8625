//! Reads what the processes print: lines, and the frames of `_LAMBDA_TELEMETRY_LOG_FD`.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::log::{LogSource, LogStream};
use crate::telemetry::Telemetry;

/// A CloudWatch Logs event holds at most this many bytes; a longer line becomes several.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Records each line until the end of the stream; the last one may lack its line end.
pub(crate) async fn lines(
    mut from: impl AsyncRead + Unpin,
    source: LogSource,
    stream: LogStream,
    telemetry: Arc<Telemetry>,
) {
    let mut chunk = vec![0; 64 << 10];
    let mut line = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let mut rest = &chunk[..read];
        while !rest.is_empty() {
            let room = MAX_EVENT_BYTES - line.len();
            let window = &rest[..rest.len().min(room)];
            let end = window.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(&window[..end.unwrap_or(window.len())]);
            rest = &rest[end.map_or(window.len(), |end| end + 1)..];
            if end.is_some() || line.len() == MAX_EVENT_BYTES {
                telemetry.printed(&source, stream, &line);
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        telemetry.printed(&source, stream, &line);
    }
}

/// Records each frame as one event, whatever lines it holds.
///
/// A frame is a big-endian type `0xa55a00xx`, a length and, unless the type is `0xa55a0001`, a
/// time in µs; then the text. What is not a frame ends the reading, since no next one can be
/// found.
pub(crate) async fn frames(
    mut from: impl AsyncRead + Unpin,
    source: LogSource,
    telemetry: Arc<Telemetry>,
) {
    while let Ok(kind) = from.read_u32().await {
        if kind & 0xffff_0000 != 0xa55a_0000 {
            return;
        }
        let Ok(length) = from.read_u32().await else { return };
        if kind != 0xa55a_0001 && from.read_u64().await.is_err() {
            return;
        }
        let mut left = length as usize;
        while left > 0 {
            let mut text = vec![0; left.min(MAX_EVENT_BYTES)];
            if from.read_exact(&mut text).await.is_err() {
                return;
            }
            left -= text.len();
            telemetry.printed(&source, LogStream::Framed, text.trim_ascii_end());
        }
    }
}
