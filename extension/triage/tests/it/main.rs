//! The program itself, as it is built: what it reads, tells and withstands.

// A test may read the fixtures, and fail where something is not as it must be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bounds;
mod failed_requests;
mod fixtures;
mod hostile;
mod log_forms;
mod manual;
mod program;
/// The pure crate's own tests read the fixtures with the same code.
#[allow(dead_code, reason = "they use more of it")]
#[path = "../../../diagnosis/tests/whole/replay.rs"]
mod replay;
