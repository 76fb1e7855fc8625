//! Reads what the processes print: lines, and the frames of `_LAMBDA_TELEMETRY_LOG_FD`.

use std::sync::Arc;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use crate::log::{LogSource, LogStream};
use crate::telemetry::Telemetry;

/// A CloudWatch Logs event holds at most this many bytes; a longer line becomes several.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// How a process's output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// As it comes.
    #[default]
    Prompt,
    /// At most 100 KB a second.
    Slow,
    /// Not for now: the pipe fills.
    Paused,
    /// Never again: the pipe is closed.
    Closed,
}

/// What [`Reading::Slow`] reads at once, and the pause after it.
const SLOW_BYTES: usize = 512;
const SLOW_PAUSE: Duration = Duration::from_millis(5);

/// Records each line until the end of the stream; the last one may lack its line end.
pub(crate) async fn lines(
    mut from: impl AsyncRead + Unpin,
    source: LogSource,
    stream: LogStream,
    telemetry: Arc<Telemetry>,
    mut reading: watch::Receiver<Reading>,
) {
    let mut chunk = vec![0; 64 << 10];
    let mut line = Vec::new();
    loop {
        let now = *reading.borrow_and_update();
        if now == Reading::Closed {
            return;
        }
        let wanted = if now == Reading::Slow { SLOW_BYTES } else { chunk.len() };
        let read = tokio::select! {
            read = from.read(&mut chunk[..wanted]), if now != Reading::Paused => read,
            Ok(()) = reading.changed() => continue,
        };
        let Ok(read @ 1..) = read else { break };
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
        if now == Reading::Slow {
            tokio::time::sleep(SLOW_PAUSE).await;
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
