//! The shell around the diagnosis: everything that waits, reads or writes.
//!
//! One rule outranks all others: an observer never breaks or slows what it observes. Whatever
//! happens here, the extension keeps asking for the next event until SHUTDOWN; what it cannot do
//! it leaves out, counts, and says once. See `ARCHITECTURE.md`.

mod backoff;
mod clock;
mod config;
mod extensions_api;
#[cfg(feature = "faults")]
mod faults;
mod flush;
mod log;
mod panics;
mod plainly;
mod polling;
mod run;
mod runtime_api;
mod shutdown;
mod signatures;
mod sinks;
mod start;
mod telemetry_api;

pub use start::start;

#[cfg(test)]
#[path = "../tests/stand_in/mod.rs"]
mod stand_in;
