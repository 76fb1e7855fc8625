//! What the test orders from a stage, and what the stage tells of it. Both sides are made from this
//! file.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The addresses on a stage. Those of the peers are in a network namespace of their own.
#[allow(dead_code, reason = "each side uses its own")]
pub(crate) mod address {
    /// Where the peers are, with what each port does in [`super::port`].
    pub(crate) const PEER: &str = "10.0.3.7";
    /// The same.
    pub(crate) const PEER_V6: &str = "fd00:3::7";
    /// An address in the same network that nobody has: what is sent there gets lost.
    pub(crate) const NOBODY: &str = "10.0.3.99";
    /// The same.
    pub(crate) const NOBODY_V6: &str = "fd00:3::99";
    /// The same peers, a quarter of a second away.
    pub(crate) const FAR: &str = "10.0.5.7";
    /// The sandbox itself.
    pub(crate) const LOOPBACK: &str = "127.0.0.1";
}

/// What the ports of a peer do.
#[allow(dead_code, reason = "each side uses its own")]
pub(crate) mod port {
    /// Answers each request; `GET /N` after N milliseconds.
    pub(crate) const ANSWERING: u16 = 8080;
    /// The same for one request, then it closes the connection.
    pub(crate) const ANSWERING_ONCE: u16 = 8081;
    /// Accept, read and never say a word.
    pub(crate) const SILENT: [u16; 4] = [443, 3306, 5432, 6379];
    /// Accepts and never reads.
    pub(crate) const NOT_READING: u16 = 9092;
    /// Accepts and reads little by little.
    pub(crate) const READING_SLOWLY: u16 = 9094;
    /// Where a function in the sandbox is a server itself, which an adapter calls.
    pub(crate) const ADAPTED: u16 = 8000;
    /// Nobody listens there.
    pub(crate) const CLOSED: u16 = 27017;
    /// A server within the sandbox that never answers, as another extension might.
    pub(crate) const SILENT_ON_LOOPBACK: u16 = 2773;
}

/// One environment to make and the invocations to play in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The runtime's program and arguments.
    pub(crate) command: Vec<String>,
    pub(crate) task_root: PathBuf,
    /// The function's variables.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) timeout_s: u64,
    pub(crate) memory_mb: u32,
    /// The extension under test.
    pub(crate) extension: PathBuf,
    /// Another one beside it, with the variables that say what it does.
    pub(crate) other_extension: Option<(PathBuf, Vec<(String, String)>)>,
    /// One invocation for each; the last one counts.
    pub(crate) events: Vec<Value>,
    /// A folder for this order alone.
    pub(crate) directory: PathBuf,
    /// Control groups that the function and its extensions belong to.
    pub(crate) control_groups: Vec<PathBuf>,
    /// The one of them that bounds memory: then /proc/meminfo tells of it, as that of a microVM of
    /// this size would.
    pub(crate) memory_group: Option<PathBuf>,
    /// Whether there is a file system below [`Order::disk`].
    pub(crate) has_disk: bool,
    /// How long after the beginning of the last invocation that file system is frozen, until its
    /// deadline is over.
    pub(crate) freeze_after_ms: Option<u64>,
    /// Whether an adapter calls the function over loopback.
    pub(crate) is_adapted: bool,
    /// Whether there is a peer far away.
    pub(crate) is_far: bool,
}

impl Order {
    /// Where the file system is mounted that can be frozen.
    #[allow(dead_code, reason = "of use to the stage alone")]
    pub(crate) fn disk(&self) -> PathBuf {
        self.directory.join("disk")
    }

    /// The order that lies in this file.
    #[allow(dead_code, reason = "of use to the stage alone")]
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

/// What became of the last invocation of an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) request_id: String,
    /// As in `platform.report`.
    pub(crate) status: String,
    pub(crate) duration_ms: f64,
    /// The lines of the extension under test, all invocations together, with how long after the
    /// beginning of the last invocation each came.
    pub(crate) lines: Vec<(i64, String)>,
    /// What it wrote to standard error.
    pub(crate) complaints: Vec<String>,
    /// What the function wrote.
    pub(crate) function_log: Vec<String>,
}
