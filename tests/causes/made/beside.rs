//! What a function waits for with something else beside it that is none of its trouble: that must not be
//! named, and nothing be named where there is none.

use super::{Provocation, does};
use crate::order::{address, port};
use crate::runtime::Runtime::{self, Node, Python, Rust};
use serde_json::{Value, json};

/// The rows: what is right to name, and what is beside it.
pub(super) const ROWS: [&str; 15] = [
    "awaiting-peer, beside a beacon",
    "awaiting-peer, beside a refused tracer",
    "awaiting-peer, beside a computing thread",
    "awaiting-peer, beside a log shipper",
    "awaiting-peer, beside an accepted connection",
    "child-process, beside a beacon",
    "cpu-bound, beside a beacon",
    "cpu-bound, beside a refused tracer",
    "idle, beside an accepted connection",
    "idle, beside answered connections",
    "idle, beside a listener",
    "idle, beside a log shipper",
    "idle, below a shell",
    "unknown, connections to far away",
    "unknown, a slow upload",
];

pub(super) fn provocations(row: &str) -> Vec<Provocation> {
    match row {
        "awaiting-peer, beside a beacon" => beside_beacons(),
        "awaiting-peer, beside a refused tracer" => beside_tracers(),
        "awaiting-peer, beside a computing thread" => vec![
            silent(Rust).beside(json!({"trouble": "spin"})),
            silent(Python).beside(json!({"trouble": "spin"})),
            silent(Node).beside(json!({"trouble": "spin", "on": "thread"})),
            timed(Python).beside(json!({"trouble": "spin"})),
        ],
        "awaiting-peer, beside a log shipper" => vec![
            silent(Rust).in_style("async").beside(shipper()),
            silent(Node).beside(shipper()),
            timed(Python).beside(shipper()),
        ],
        "awaiting-peer, beside an accepted connection" => vec![
            served(Node, silent(Node)),
            served(Rust, silent(Rust).in_style("async")).in_style("async"),
            served(Python, silent(Python)),
            served(Python, timed(Python)),
        ],
        "child-process, beside a beacon" => vec![
            does(Python, "child", json!({})).beside(beacon()),
            does(Rust, "child", json!({})).on("thread").beside(beacon()),
            does(Node, "child", json!({})).in_style("sync").beside(beacon()),
        ],
        "cpu-bound, beside a beacon" => vec![
            does(Python, "spin", json!({})).beside(beacon()),
            does(Rust, "spin", json!({})).beside(beacon()),
            spin_after_a_while().beside(on_thread(beacon())),
        ],
        "cpu-bound, beside a refused tracer" => vec![
            traced(does(Rust, "spin", json!({}))),
            traced(does(Python, "spin", json!({}))),
            spin_after_a_while().beside(on_thread(
                json!({"trouble": "refused", "address": address::LOOPBACK, "port": 8126, "pause_ms": 300}),
            )),
        ],
        "idle, beside an accepted connection" => vec![
            served(Node, promise()),
            served(Rust, lost(Rust, "async")).in_style("async"),
            served(Python, lost(Python, "event")),
        ],
        "idle, beside answered connections" => vec![
            promise().with_kept(),
            lost(Rust, "async").with_kept(),
            does(Node, "sleep", json!({})).with_kept(),
        ],
        "idle, beside a listener" => vec![
            listening(lost(Python, "event")),
            listening(lost(Rust, "lock")),
            listening(lost(Python, "lock")),
            listening(promise()),
            listening(lost(Rust, "queue")),
        ],
        "idle, beside a log shipper" => vec![
            promise().beside(shipper()),
            lost(Rust, "async").beside(shipper()),
            does(Python, "ship", json!({})).in_style("async").to(address::PEER, 443).five_times(),
            lost(Python, "event").beside(shipper()),
        ]
        .into_iter()
        .map(shipping_before)
        .collect(),
        "idle, below a shell" => vec![
            promise().below_shell(),
            lost(Python, "event").below_shell(),
            lost(Rust, "async").below_shell(),
            lost(Python, "sleep").below_shell(),
        ],
        "unknown, connections to far away" => [Python, Node, Rust]
            .into_iter()
            .flat_map(|runtime| {
                let connects = || does(runtime, "connects", json!({})).to(address::FAR, 8080).far();
                let sync = if runtime == Python {
                    connects().with("timeout_ms", json!(60_000))
                } else {
                    connects().in_style("async")
                };
                [connects(), sync]
            })
            .collect(),
        "unknown, a slow upload" => [Python, Node, Rust]
            .into_iter()
            .flat_map(|runtime| {
                let push = || does(runtime, "push", json!({}));
                [
                    push().to(address::PEER, port::READING_SLOWLY),
                    push().to(address::FAR, port::SILENT[0]).far(),
                ]
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A request that is never answered, waited for in the call itself or in the event loop.
fn silent(runtime: Runtime) -> Provocation {
    does(runtime, "request", json!({})).to(address::PEER, 5432)
}

/// The same with a time-out, which makes it a poll.
fn timed(runtime: Runtime) -> Provocation {
    silent(runtime).with("timeout_ms", json!(60_000))
}

/// Nothing that could come.
fn lost(runtime: Runtime, style: &str) -> Provocation {
    does(runtime, "sleep", json!({})).in_style(style)
}

/// A worker begins only while the loop turns.
fn spin_after_a_while() -> Provocation {
    does(Node, "spin", json!({"delay_ms": 200}))
}

fn promise() -> Provocation {
    lost(Node, "promise")
}

/// What tells a service that is out of reach how things are, again and again.
fn beacon() -> Value {
    json!({"trouble": "connect", "address": address::NOBODY, "port": 443})
}

/// What looks for its agent, which is not there, once a second: shortly before the end too.
fn tracer() -> Value {
    json!({
        "trouble": "refused", "address": address::LOOPBACK, "port": 8126, "pause_ms": 1_000,
        "delay_ms": "$end-70",
    })
}

/// What sends to a collector that never answers.
fn shipper() -> Value {
    json!({
        "trouble": "ship", "style": "async", "times": 5, "address": address::PEER, "port": 443,
    })
}

/// In a thread of its own where there is one event loop.
fn on_thread(mut background: Value) -> Value {
    background["on"] = json!("thread");
    background
}

fn in_loop(mut background: Value) -> Value {
    background["style"] = json!("async");
    background
}

fn beside_beacons() -> Vec<Provocation> {
    vec![
        silent(Python).beside(beacon()),
        silent(Rust).beside(beacon()),
        timed(Python).beside(beacon()),
        silent(Node).beside(beacon()),
        silent(Node).beside(on_thread(beacon())),
        silent(Rust).in_style("async").beside(in_loop(beacon())),
        silent(Rust).in_style("async").beside(beacon()),
        silent(Python).in_style("async").beside(beacon()),
    ]
}

fn beside_tracers() -> Vec<Provocation> {
    vec![
        traced(silent(Python)),
        traced(timed(Python)),
        traced(silent(Node)),
        traced(silent(Rust)),
        traced(silent(Rust).in_style("async")),
    ]
}

/// In an environment that has seen a dozen refusals.
fn traced(provocation: Provocation) -> Provocation {
    let before = json!({
        "trouble": "refused", "address": address::LOOPBACK, "port": 8126, "pause_ms": 1, "times": 12,
    });
    Provocation { before: vec![before], ..provocation }.beside(tracer())
}

/// Beside a connection that was there before the first invocation.
fn listening(provocation: Provocation) -> Provocation {
    let listen = json!({"trouble": "listen", "address": address::PEER, "port": port::ANSWERING});
    Provocation { init: Some(json!({"trouble": "healthy", "background": listen})), ..provocation }
}

/// In an environment in which each invocation before has shipped its log.
fn shipping_before(provocation: Provocation) -> Provocation {
    let before = json!({"trouble": "healthy", "background": shipper()});
    Provocation { before: vec![before; 2], ..provocation }
}

/// After it has answered in part what the adapter asked for over loopback.
fn served(runtime: Runtime, then: Provocation) -> Provocation {
    Provocation {
        is_adapted: true,
        ..does(runtime, "serve", json!({"then": then.event})).to(address::LOOPBACK, port::ADAPTED)
    }
}

impl Provocation {
    fn to(self, address: &str, port: u16) -> Self {
        self.with("address", json!(address)).with("port", json!(port))
    }

    fn beside(self, background: Value) -> Self {
        self.with("background", background)
    }

    fn five_times(self) -> Self {
        self.with("times", json!(5))
    }

    /// Started by a shell that stays.
    fn below_shell(self) -> Self {
        Self { is_below_shell: true, ..self }
    }

    /// With a peer at the end of a long way.
    fn far(self) -> Self {
        Self { is_far: true, ..self }
    }
}
