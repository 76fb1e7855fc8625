//! The provocations: what makes a function wait, for each cause.

mod beside;
mod peers;
mod within;

use crate::order::{address, port};
use crate::runtime::Runtime;
use serde_json::{Value, json};

pub(crate) const CPU_BOUND: &str = "cpu-bound";
/// No cause at all: right where nothing known was made.
pub(crate) const UNKNOWN: &str = "unknown";

/// Every cause that there is.
const CAUSES: [&str; 13] = [
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

/// What is made: every cause by itself, and some with something beside them that must not be named.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    CAUSES.into_iter().chain(beside::ROWS)
}

/// The cause of this name, if it is one.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    CAUSES.into_iter().find(|cause| *cause == name)
}

/// What is right to name where this was made.
pub(crate) fn cause_of(made: &'static str) -> &'static str {
    made.split_once(", ").map_or(made, |(cause, _)| cause)
}

/// Whether something is beside it: then it is right as well to name nothing.
pub(crate) fn is_beside(made: &str) -> bool {
    beside::ROWS.contains(&made)
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
    /// Whether an adapter calls it over loopback.
    pub(crate) is_adapted: bool,
    /// Whether a shell starts it, and stays.
    pub(crate) is_below_shell: bool,
    /// Whether there is a peer far away.
    pub(crate) is_far: bool,
}

/// The ways to make this cause. The first two are what is played where not all is.
pub(crate) fn provocations(made: &'static str) -> Vec<Provocation> {
    let of_runtimes = match made {
        "unreachable-peer" => peers::unreachable_peer(),
        "refused-peer" => peers::refused_peer(),
        "awaiting-peer" => peers::awaiting_peer(),
        "peer-not-reading" => peers::peer_not_reading(),
        "dns" => peers::dns(),
        CPU_BOUND => within::cpu_bound(),
        "memory-pressure" => within::memory_pressure(),
        "file-system-stall" => within::file_system_stall(),
        "child-process" => within::child_process(),
        "idle" => within::idle(),
        "slow-init" => within::slow_init(),
        "extension-overhead" => within::extension_overhead(),
        UNKNOWN => within::unknown(),
        row => beside::provocations(row),
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
        is_adapted: false,
        is_below_shell: false,
        is_far: false,
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

    /// With a process beside that nobody waits for.
    fn with_helper(self) -> Self {
        self.with("helper", json!(true))
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
