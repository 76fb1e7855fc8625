//! What waits for a peer: for its connection, its words, its reading, or for its name.

use super::{Provocation, does};
use crate::order::{address, port};
use crate::runtime::Runtime::{self, Node, Python, Rust};
use serde_json::json;

pub(super) fn unreachable_peer() -> Vec<Provocation> {
    let connect = |runtime, address: &str| {
        does(runtime, "connect", json!({"address": address, "port": 5432}))
    };
    let v4 = |runtime| connect(runtime, address::NOBODY);
    let v6 = |runtime| connect(runtime, address::NOBODY_V6);
    // Begun so late that no SYN was sent twice.
    let late = |runtime| v4(runtime).with("delay_ms", json!("$end-400"));
    let with_time_out = |runtime| v4(runtime).with("timeout_ms", json!(60_000));
    vec![
        with_time_out(Python).with_kept(),
        v4(Node).with_kept(),
        v4(Rust),
        v6(Python),
        v6(Node),
        v6(Rust).in_style("async").with_kept(),
        late(Node),
        late(Python).with("timeout_ms", json!(60_000)),
        late(Rust).in_style("async"),
        v4(Python).in_style("async").with_kept(),
        v4(Python).on("child"),
        v4(Rust).on("child").with_kept(),
        v4(Python).on("thread"),
        v4(Python).with_stream(),
        with_time_out(Python).with_closed(),
        v4(Node).with_helper(),
        v4(Rust).in_style("async").with("workers", json!(2)),
        with_time_out(Python).with_kept().with("delay_ms", json!("%30")).at_quota(),
        v4(Node).at_quota(),
        // Each look may come a turn of 100 ms later there, and a SYN of less than 300 ms tells nothing.
        v4(Rust).with("delay_ms", json!("$end-600")).at_quota(),
        v4(Python).with("timeout_ms", json!("$end-60")).in_time(),
    ]
}

pub(super) fn refused_peer() -> Vec<Provocation> {
    let refused = |runtime, address: &str, pause_ms: u64| {
        let fields = json!({"address": address, "port": port::CLOSED, "pause_ms": pause_ms});
        does(runtime, "refused", fields)
    };
    vec![
        refused(Python, address::PEER, 20),
        refused(Node, address::LOOPBACK, 10),
        refused(Rust, address::PEER_V6, 50),
        refused(Node, address::PEER, 50).with_kept(),
        refused(Rust, address::LOOPBACK, 5).in_style("async").with_kept(),
        refused(Python, address::LOOPBACK, 5),
        refused(Python, address::PEER_V6, 50).with_kept(),
        refused(Python, address::PEER, 20).on("child"),
        refused(Rust, address::PEER, 20).on("thread"),
        refused(Node, address::PEER, 20).at_quota(),
        refused(Python, address::PEER, 50).at_quota(),
    ]
}

pub(super) fn awaiting_peer() -> Vec<Provocation> {
    let of = |trouble: &'static str| {
        move |runtime, port: u16| {
            does(runtime, trouble, json!({"address": address::PEER, "port": port}))
        }
    };
    let request = of("request");
    // The server speaks first, as MySQL's does.
    let greeting = of("greeting");
    let on_loopback = |runtime| {
        let fields = json!({"address": address::LOOPBACK, "port": port::SILENT_ON_LOOPBACK});
        does(runtime, "request", fields)
    };
    let v6 = |runtime| request(runtime, 5432).with("address", json!(address::PEER_V6));
    vec![
        request(Python, 443).with("timeout_ms", json!(60_000)).with_kept(),
        request(Node, 5432).with_kept(),
        request(Rust, 6379),
        request(Rust, 443).in_style("async").with_kept(),
        greeting(Python, 3306).with("timeout_ms", json!(60_000)).with_kept(),
        greeting(Node, 3306),
        greeting(Rust, 3306).in_style("async").with_kept(),
        request(Python, 5432),
        request(Python, 5432).in_style("async").with_kept(),
        request(Python, 443).on("thread").with_kept(),
        request(Python, 443).on("child"),
        request(Rust, 443).in_style("async").with("workers", json!(2)).with_kept(),
        on_loopback(Python),
        on_loopback(Node),
        v6(Node).with_kept(),
        v6(Python).with("timeout_ms", json!(60_000)),
        request(Python, 5432).with_closed(),
        request(Python, 443).with_helper(),
        request(Rust, 443).with_helper(),
        request(Node, 443).with_kept().at_quota(),
        request(Python, 443).with("timeout_ms", json!(60_000)).with_kept().at_quota(),
        answered_late(Python).with_kept().in_time(),
        answered_late(Node).with_kept().in_time(),
        answered_late(Rust).in_time(),
    ]
}

fn answered_late(runtime: Runtime) -> Provocation {
    let fields = json!({
        "address": address::PEER, "port": port::ANSWERING, "after_ms": "$end-60",
    });
    does(runtime, "request", fields)
}

pub(super) fn peer_not_reading() -> Vec<Provocation> {
    let push = |runtime| {
        let fields = json!({"address": address::PEER, "port": port::NOT_READING});
        does(runtime, "push", fields)
    };
    vec![
        push(Python).with("timeout_ms", json!(60_000)),
        push(Node).with_kept(),
        push(Rust),
        push(Python).with_kept(),
        push(Rust).in_style("async").with_kept(),
        push(Python).on("thread"),
        push(Rust).on("child"),
        push(Node).with("address", json!(address::PEER_V6)),
        push(Node).at_quota(),
    ]
}

pub(super) fn dns() -> Vec<Provocation> {
    let resolve = |runtime| does(runtime, "resolve", json!({"name": "orders.example.com"}));
    // A resolver of one's own, as DNS libraries are.
    let query = |runtime| does(runtime, "query", json!({"address": address::PEER}));
    vec![
        resolve(Python),
        resolve(Node).with_kept(),
        resolve(Rust).in_style("async").with_kept(),
        resolve(Rust),
        resolve(Python).on("thread").with_kept(),
        resolve(Node).in_style("ares"),
        resolve(Python).on("child"),
        query(Python).with("timeout_ms", json!(1000)),
        query(Node),
        query(Rust).with_kept(),
        resolve(Python).with_kept().at_quota(),
        resolve(Node).at_quota(),
    ]
}
