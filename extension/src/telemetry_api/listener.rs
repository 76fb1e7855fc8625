//! Takes whatever bytes come and answers 200.
//!
//! The platform sends a delivery again until it is answered with 200, so that any other answer
//! brings the same trouble back for ever. What the bytes mean is found out later, elsewhere.

use super::inbox::Inbox;
use crate::panics::contained_future;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use triage_diagnosis::fault_point;

/// The port that is tried first. Lambda's own API is on 9001; 9002 and 9003 are the defaults of
/// other extensions.
pub(crate) const DEFAULT_PORT: u16 = 9327;

/// How many ports are tried from [`DEFAULT_PORT`] on, before the system is asked for any.
const PORTS: u16 = 16;

/// The longest delivery that is taken whole. Lambda's are at most twice the `maxBytes` of the
/// subscription (256 KiB) and some metadata.
pub(crate) const BODY_MAX_BYTES: usize = 1024 * 1024;

/// More connections than that, and the one that was used least recently is closed. There is no
/// time-out on idle ones: a freeze makes every connection look idle, and to close the platform's
/// at each thaw would delay what it is about to send.
const CONNECTIONS_MAX: usize = 32;

/// What a connection may hold of what it reads: 32 of them are to stay within a few MiB.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// In more parts than that comes no delivery of Lambda's. A sender of single bytes could keep the
/// extension busy with little effort: it is cut short and hung up on.
const PARTS_MAX: u32 = 16 * 1024;
/// How long to wait after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the next part of a delivery may take. Then what has come is taken.
const PART_TIMEOUT: Duration = Duration::from_secs(5);
/// And again as long as this, since after a freeze the time is over before the part can be there.
const PART_SECOND_CHANCE: Duration = Duration::from_millis(500);

/// Binds the listener, on every address: `sandbox.localdomain` is not the loopback address.
///
/// # Errors
/// If no port at all can be bound.
pub(crate) async fn bind() -> io::Result<TcpListener> {
    fault_point!("bind");
    for port in DEFAULT_PORT..DEFAULT_PORT + PORTS {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await
}

/// Serves until it is aborted. A bug costs the connection that it comes from.
pub(crate) async fn serve(listener: TcpListener, inbox: Inbox) {
    let mut connections = Vec::new();
    let clock = Arc::new(AtomicU64::new(0));
    loop {
        let accepted = accept(&listener, &inbox, &mut connections, &clock);
        if !matches!(contained_future(accepted).await, Some(Ok(()))) {
            // It must not spin.
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

async fn accept(
    listener: &TcpListener,
    inbox: &Inbox,
    connections: &mut Vec<Connection>,
    clock: &Arc<AtomicU64>,
) -> io::Result<()> {
    let stream = match listener.accept().await {
        Ok((stream, _)) => stream,
        Err(e) => {
            tracing::debug!("no connection was accepted: {e}");
            // No descriptors left, most likely. One of these makes way, as the request for /next may
            // need one, too.
            close_one(connections);
            return Err(e);
        }
    };
    fault_point!("accept");
    connections.retain(|connection| !connection.task.is_finished());
    if connections.len() >= CONNECTIONS_MAX {
        close_one(connections);
        // It gives its descriptor back at its next turn: before another is accepted.
        tokio::task::yield_now().await;
    }
    let used = Arc::new(AtomicU64::new(clock.fetch_add(1, Ordering::Relaxed)));
    let task = tokio::spawn(serve_connection(stream, inbox.clone(), used.clone(), clock.clone()));
    connections.push(Connection { task: task.abort_handle(), used });
    Ok(())
}

/// Closes the connection that was used least recently.
fn close_one(connections: &mut Vec<Connection>) {
    let all = connections.iter().enumerate();
    if let Some((index, _)) = all.min_by_key(|(_, c)| c.used.load(Ordering::Relaxed)) {
        connections.swap_remove(index).task.abort();
    }
}

struct Connection {
    task: AbortHandle,
    /// When it brought its last delivery, in deliveries and connections since the beginning.
    used: Arc<AtomicU64>,
}

async fn serve_connection(
    stream: TcpStream,
    inbox: Inbox,
    used: Arc<AtomicU64>,
    clock: Arc<AtomicU64>,
) {
    fault_point!("connection");
    // An answer is one small packet; only a matter of speed.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        // A thousand connections that say nothing count for less than the one that delivers.
        used.store(clock.fetch_add(1, Ordering::Relaxed) + (1 << 32), Ordering::Relaxed);
        receive(request, inbox.clone())
    });
    // Its error ends this connection and tells nothing: a peer that spoke no HTTP or went away.
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Reads a delivery, whatever its method and path.
async fn receive(
    request: Request<Incoming>,
    inbox: Inbox,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    let expected_bytes = body.size_hint().lower().try_into().unwrap_or(usize::MAX);
    let mut delivery = inbox.reserve(expected_bytes);
    fault_point!("receive");
    let mut answer = Response::new(Empty::new());
    let mut parts = 0;
    loop {
        parts += 1;
        if parts > PARTS_MAX {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            delivery.cut_short();
            break;
        }
        let frame = match tokio::time::timeout(PART_TIMEOUT, body.frame()).await {
            Ok(frame) => Ok(frame),
            Err(_) => tokio::time::timeout(PART_SECOND_CHANCE, body.frame()).await,
        };
        match frame {
            Ok(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    delivery.extend(bytes, BODY_MAX_BYTES);
                }
            }
            Ok(None) => break,
            // Its sender is gone, has no answer and will send it again.
            Ok(Some(Err(_))) => return Ok(answer),
            Err(_) => {
                delivery.cut_short();
                break;
            }
        }
    }
    delivery.commit();
    Ok(answer)
}
