//! Tells of the failures that no sandbox sees, from outside: records of failed requests, dead-letter
//! messages, and the states of functions and keys. The diagnosis is `triage-diagnosis`, the same that the
//! extension makes, and so is the reading of records; this crate answers events and asks AWS.
//!
//! Data flows one way: event → [`Arrival`] → [`Watcher`] → lines.

mod arrival;
pub mod check;
mod handler;
mod lasting;
mod settings;
mod watcher;

pub use arrival::{Arrival, CheckOf};
pub use handler::Handler;
pub use settings::{BadSetting, FunctionChoice, Settings};
pub use watcher::Watcher;
