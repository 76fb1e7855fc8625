//! The provocations: what makes a function wait, for each cause.

use crate::order::{address, port};
use crate::runtime::Runtime::{self, Node, Python, Rust};
use serde_json::{Value, json};

pub(crate) const CPU_BOUND: &str = "cpu-bound";
/// No cause at all: right where nothing known was made.
pub(crate) const UNKNOWN: &str = "unknown";

/// Every cause that there is.
pub(crate) const ALL: [&str; 13] = [
    "unreachable-peer",
    "refused-peer",
    "awaiting-peer",
    "peer-not-reading",
    "dns",
    CPU_BOUND,
    "memory-pressure",
    "file-system-stall",
    "child-process",
    "idle",
    "slow-init",
    "extension-overhead",
    UNKNOWN,
];

/// The cause of this name, if it is one.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    ALL.into_iter().find(|cause| *cause == name)
}

/// A way to make a cause.
#[derive(Clone, Debug)]
pub(crate) struct Provocation {
    pub(crate) made: &'static str,
    pub(crate) runtime: Runtime,
    /// See `functions/`.
    pub(crate) event: Value,
    /// Events of the invocations before.
    pub(crate) before: Vec<Value>,
    /// What each initialization does.
    pub(crate) init: Option<Value>,
    /// What another extension does at INVOKE.
    pub(crate) other_extension: Option<&'static str>,
    /// Whether the invocation ends just before its deadline.
    pub(crate) ends_in_time: bool,
    /// Whether it has the CPU time of 128 MB.
    pub(crate) has_quota: bool,
    /// The memory that there is.
    pub(crate) memory_mb: Option<u32>,
    /// When the file system is frozen.
    pub(crate) freeze_after_ms: Option<u64>,
}

/// The ways to make this cause. The first two are what is played where not all is.
pub(crate) fn provocations(made: &'static str) -> Vec<Provocation> {
    let of_runtimes = match made {
        "unreachable-peer" => unreachable_peer(),
        "refused-peer" => refused_peer(),
        "awaiting-peer" => awaiting_peer(),
        "peer-not-reading" => peer_not_reading(),
        "dns" => dns(),
        CPU_BOUND => cpu_bound(),
        "memory-pressure" => memory_pressure(),
        "file-system-stall" => file_system_stall(),
        "child-process" => child_process(),
        "idle" => idle(),
        "slow-init" => slow_init(),
        "extension-overhead" => extension_overhead(),
        _ => unknown(),
    };
    of_runtimes.into_iter().map(|provocation| Provocation { made, ..provocation }).collect()
}

/// What a function does with an event, all else as usual.
fn does(runtime: Runtime, trouble: &str, fields: Value) -> Provocation {
    let mut event = fields;
    event["trouble"] = json!(trouble);
    Provocation {
        made: UNKNOWN,
        runtime,
        event,
        before: Vec::new(),
        init: None,
        other_extension: None,
        ends_in_time: false,
        has_quota: false,
        memory_mb: None,
        freeze_after_ms: None,
    }
}

impl Provocation {
    /// With connections beside it on which an answer came, and that are kept.
    fn with_kept(mut self) -> Self {
        self.event["beside"] = json!({
            "address": address::PEER, "port": port::ANSWERING, "count": 3,
        });
        self
    }

    /// With connections that the other side has closed since.
    fn with_closed(mut self) -> Self {
        self = self.with_kept();
        self.event["beside"]["port"] = json!(port::ANSWERING_ONCE);
        self
    }

    /// With another connection on which something waits for news that never come.
    fn with_stream(self) -> Self {
        self.with("stream", json!({"address": address::PEER, "port": 443}))
    }

    fn in_style(self, style: &str) -> Self {
        self.with("style", json!(style))
    }

    /// In another thread, or in a child process.
    fn on(self, place: &str) -> Self {
        self.with("on", json!(place))
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.event[field] = value;
        self
    }

    fn at_quota(self) -> Self {
        Self { has_quota: true, ..self }
    }

    fn in_time(self) -> Self {
        Self { ends_in_time: true, ..self }
    }
}

fn unreachable_peer() -> Vec<Provocation> {
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
        v4(Rust).in_style("async").with("workers", json!(2)),
        with_time_out(Python).with_kept().at_quota(),
        v4(Node).at_quota(),
        late(Rust).at_quota(),
        v4(Python).with("timeout_ms", json!("$end-60")).in_time(),
    ]
}

fn refused_peer() -> Vec<Provocation> {
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

fn awaiting_peer() -> Vec<Provocation> {
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

fn peer_not_reading() -> Vec<Provocation> {
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

fn dns() -> Vec<Provocation> {
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

fn cpu_bound() -> Vec<Provocation> {
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
        spin(Python).at_quota(),
        spin(Node).at_quota(),
        spin(Rust).at_quota(),
        busy(Python).in_time(),
        busy(Node).in_time(),
        busy(Rust).in_time(),
    ]
}

fn memory_pressure() -> Vec<Provocation> {
    let thrash = |own_mb: u64, memory_mb| Provocation {
        memory_mb: Some(memory_mb),
        ..does(Python, "thrash", json!({"path": "$here/large", "own_mb": own_mb, "delay_ms": 0}))
    };
    vec![thrash(86, 128), thrash(90, 128).on("thread"), thrash(88, 128).with_kept()]
}

fn file_system_stall() -> Vec<Provocation> {
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

fn child_process() -> Vec<Provocation> {
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
        child(Rust).on("thread").with_kept(),
        child(Python).at_quota(),
        child(Node).at_quota(),
        in_time(Python),
        in_time(Node),
        in_time(Rust),
    ]
}

fn idle() -> Vec<Provocation> {
    let sleep = |runtime| does(runtime, "sleep", json!({}));
    let in_time = |runtime| sleep(runtime).with("for_ms", json!("$end-60")).in_time();
    vec![
        sleep(Python),
        sleep(Node).in_style("promise").with_kept(),
        sleep(Rust).in_style("async").with_kept(),
        sleep(Python).in_style("event").with_kept(),
        sleep(Node),
        sleep(Python).in_style("queue"),
        sleep(Python).in_style("lock").with_kept(),
        sleep(Python).in_style("async"),
        sleep(Node).with_kept(),
        sleep(Rust),
        sleep(Rust).in_style("lock").with_kept(),
        sleep(Rust).in_style("queue"),
        sleep(Rust).in_style("async").with("workers", json!(2)),
        sleep(Python).with_closed(),
        sleep(Node).with_closed(),
        sleep(Python).with_kept().at_quota(),
        sleep(Node).in_style("promise").with_kept().at_quota(),
        in_time(Python).with_kept(),
        in_time(Node),
        in_time(Rust),
    ]
}

/// After a crash the function is initialized anew within the next invocation, at its cost.
fn slow_init() -> Vec<Provocation> {
    let slow = |runtime, does_at_init: &str, for_ms: &str| Provocation {
        before: vec![json!({"trouble": "exit"})],
        init: Some(json!({"trouble": does_at_init, "for_ms": for_ms})),
        // What is left is not enough for what usually is.
        ..does(runtime, "sleep", json!({"for_ms": "%50", "delay_ms": 0}))
    };
    vec![
        slow(Python, "sleep", "%75"),
        slow(Rust, "sleep", "%120"),
        slow(Node, "busy", "%75"),
        slow(Node, "sleep", "%120"),
        slow(Python, "busy", "%75"),
        slow(Rust, "busy", "%75"),
        slow(Python, "sleep", "%120"),
    ]
}

fn extension_overhead() -> Vec<Provocation> {
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
fn unknown() -> Vec<Provocation> {
    let stop = |runtime| does(runtime, "stop", json!({}));
    let lock_file = || does(Python, "lock_file", json!({"path": "$here/lock"}));
    let local_socket = || does(Python, "local_socket", json!({"path": "$here/socket"}));
    vec![
        stop(Node),
        lock_file(),
        stop(Python),
        local_socket(),
        stop(Python).with_kept(),
        local_socket().with_kept(),
        lock_file().with_kept(),
    ]
}
