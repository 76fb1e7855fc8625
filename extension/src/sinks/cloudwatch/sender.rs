//! The thread that talks to CloudWatch.

use super::access::ApiAccess;
use super::client::Api;
use super::link::{Answer, Link, Order, PutError};
use crate::panics::{contained, contained_future};
use std::io;
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use triage_diagnosis::fault_point;

/// Enough for TLS and the SDK in a build without optimization, too. Only what is used is taken.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Begins the thread. The client is made there, with the first order.
///
/// # Errors
/// If there is no thread left.
pub(super) fn start(
    access: ApiAccess,
    function_name: String,
    namespace: String,
) -> io::Result<Link> {
    let (orders, to_do) = unbounded_channel();
    let (done, answers) = unbounded_channel();
    let thread = std::thread::Builder::new().name("metrics".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(move || {
        // Names are looked up on a thread of the runtime's: on one, however many of them hang.
        let runtime = contained(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(1)
                .build_local(LocalOptions::default())
        });
        // Without it the channels close, which the loop takes for an answer.
        let Some(Ok(runtime)) = runtime else { return };
        let api = || Api::new(&access, function_name, namespace);
        contained(|| runtime.block_on(work(api, to_do, done)));
    })?;
    Ok(Link { orders, answers })
}

async fn work(
    api: impl FnOnce() -> Api,
    mut orders: UnboundedReceiver<Order>,
    done: UnboundedSender<Answer>,
) {
    fault_point!("metrics thread");
    let api = api();
    while let Some(order) = orders.recv().await {
        let put = contained_future(api.put(&order.data, order.time)).await;
        let result = put.unwrap_or(Err(PutError::Bug));
        if done.send(Answer { number: order.number, result }).is_err() {
            return;
        }
    }
}
