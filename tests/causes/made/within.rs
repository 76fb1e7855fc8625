//! What waits for something within the sandbox, or for nothing.

use super::{Provocation, does};
use crate::order::{address, port};
use crate::runtime::Runtime::{Node, Python, Rust};
use serde_json::json;

pub(super) fn cpu_bound() -> Vec<Provocation> {
    let spin = |runtime| does(runtime, "spin", json!({}));
    let busy = |runtime| does(runtime, "busy", json!({"for_ms": "$end-60"}));
    vec![
        spin(Python),
        spin(Node).with_kept(),
        spin(Rust).with_kept(),
        spin(Python).with("threads", json!(2)),
        spin(Node).on("thread"),
        spin(Rust).on("thread"),
        spin(Rust).with("threads", json!(2)),
        spin(Python).on("thread").with_kept(),
        spin(Python).on("child"),
        spin(Rust).on("child"),
        spin(Node).on("child"),
        spin(Rust).in_style("spawn_blocking"),
        spin(Python).with_stream(),
        spin(Node).with_stream(),
        spin(Rust).with_stream(),
        spin(Python).with_helper(),
        spin(Python).at_quota(),
        spin(Node).at_quota(),
        spin(Rust).at_quota(),
        busy(Python).in_time(),
        busy(Node).in_time(),
        busy(Rust).in_time(),
    ]
}

pub(super) fn memory_pressure() -> Vec<Provocation> {
    let thrash = |own_mb: u64, memory_mb| Provocation {
        memory_mb: Some(memory_mb),
        ..does(Python, "thrash", json!({"path": "$here/large", "own_mb": own_mb, "delay_ms": 0}))
    };
    vec![thrash(86, 128), thrash(90, 128).on("thread"), thrash(88, 128).with_kept()]
}

pub(super) fn file_system_stall() -> Vec<Provocation> {
    let frozen = |provocation, freeze_after_ms| Provocation {
        freeze_after_ms: Some(freeze_after_ms),
        ..provocation
    };
    let write = |runtime| does(runtime, "write", json!({"path": "$disk/orders"}));
    // In the middle of writing, with the file open; or before it is opened.
    let amid = |runtime| frozen(write(runtime).with("delay_ms", json!(0)), 300);
    let before = |runtime| frozen(write(runtime).with("delay_ms", json!("%40")), 0);
    vec![
        amid(Python),
        before(Node).in_style("async").with_kept(),
        amid(Node),
        amid(Rust),
        before(Python).with_kept(),
        before(Rust).in_style("async"),
        amid(Python).on("thread"),
        amid(Python).on("child"),
        before(Node),
        before(Rust).with_kept(),
    ]
}

pub(super) fn child_process() -> Vec<Provocation> {
    let child = |runtime| does(runtime, "child", json!({}));
    let vfork = || child(Python).in_style("vfork").with("path", json!("$here/fifo"));
    let in_time = |runtime| child(runtime).with("for_ms", json!("$end-60")).in_time();
    vec![
        vfork(),
        child(Node),
        child(Python),
        child(Python).in_style("pipe").with_kept(),
        child(Rust),
        child(Node).in_style("sync").with_kept(),
        child(Python).with_kept(),
        child(Python).in_style("shell"),
        child(Rust).on("thread").with_kept(),
        child(Python).at_quota(),
        child(Node).at_quota(),
        in_time(Python),
        in_time(Node),
        in_time(Rust),
    ]
}

pub(super) fn idle() -> Vec<Provocation> {
    let sleep = |runtime| does(runtime, "sleep", json!({}));
    let in_time = |runtime| sleep(runtime).with("for_ms", json!("$end-60")).in_time();
    vec![
        sleep(Python),
        sleep(Node).in_style("promise"),
        sleep(Rust).in_style("async"),
        sleep(Python).in_style("event").with_kept(),
        sleep(Node),
        sleep(Python).in_style("queue"),
        sleep(Python).in_style("lock").with_kept(),
        sleep(Python).in_style("async"),
        sleep(Node).in_style("promise").with_closed(),
        sleep(Rust),
        sleep(Rust).in_style("lock").with_kept(),
        sleep(Rust).in_style("queue"),
        sleep(Rust).in_style("async").with("workers", json!(2)),
        sleep(Python).with_closed(),
        sleep(Node).with_closed(),
        sleep(Python).with_helper(),
        sleep(Rust).in_style("lock").with_helper(),
        sleep(Python).with_kept().at_quota(),
        sleep(Node).in_style("promise").at_quota(),
        in_time(Python).with_kept(),
        in_time(Node),
        in_time(Rust),
    ]
}

/// After a crash the function is initialized anew within the next invocation, at its cost.
pub(super) fn slow_init() -> Vec<Provocation> {
    let slow = |runtime, does_at_init: &str, for_ms: &str| Provocation {
        before: vec![json!({"trouble": "exit"})],
        init: Some(json!({"trouble": does_at_init, "for_ms": for_ms})),
        // What is left is not enough for what usually is.
        ..does(runtime, "sleep", json!({"for_ms": "%50", "delay_ms": 0}))
    };
    // Each invocation begins with an initialization that does not end in its time.
    let again_and_again = |runtime| {
        let mut slow = slow(runtime, "sleep", "%120");
        slow.before.extend(vec![json!({"trouble": "healthy"}); 2]);
        slow
    };
    // The first one runs into its own limit of 10 s.
    let beyond_its_limit = |runtime| Provocation {
        before: Vec::new(),
        init: Some(json!({"trouble": "sleep", "for_ms": 11_000})),
        ..does(runtime, "healthy", json!({"delay_ms": 0}))
    };
    vec![
        slow(Python, "sleep", "%75"),
        slow(Rust, "sleep", "%120"),
        slow(Node, "busy", "%75"),
        slow(Node, "sleep", "%120"),
        slow(Python, "busy", "%75"),
        slow(Rust, "busy", "%75"),
        slow(Python, "sleep", "%120"),
        again_and_again(Node),
        again_and_again(Python),
        beyond_its_limit(Python),
    ]
}

pub(super) fn extension_overhead() -> Vec<Provocation> {
    let held = |runtime, extension, trouble, fields| Provocation {
        other_extension: Some(extension),
        ..does(runtime, trouble, fields)
    };
    let none = || json!({"delay_ms": 0});
    vec![
        held(Python, "hang", "healthy", none()),
        held(Node, "hang", "sleep", json!({"for_ms": "%40", "delay_ms": 0})),
        held(Rust, "hang", "healthy", none()).with_kept(),
        held(Rust, "hang", "sleep", json!({"for_ms": "%70", "delay_ms": 0})),
        held(Python, "hang", "busy", json!({"for_ms": "%30", "delay_ms": 0})),
        held(Node, "hang", "healthy", none()).with_kept(),
    ]
}

/// What has no name here.
pub(super) fn unknown() -> Vec<Provocation> {
    let stop = |runtime| does(runtime, "stop", json!({}));
    let lock_file = || does(Python, "lock_file", json!({"path": "$here/lock"}));
    let local_socket = || does(Python, "local_socket", json!({"path": "$here/socket"}));
    // Between the calls of one that asks again and again whether something is done it sleeps.
    let polling = |runtime| {
        let fields = json!({
            "address": address::PEER, "port": port::ANSWERING, "after_ms": 0, "pause_ms": 150,
        });
        does(runtime, "calls", fields)
    };
    vec![
        stop(Node),
        lock_file(),
        polling(Python),
        polling(Node),
        does(Python, "half_busy", json!({})),
        stop(Python),
        local_socket(),
        stop(Python).with_kept(),
        local_socket().with_kept(),
        lock_file().with_kept(),
    ]
}
