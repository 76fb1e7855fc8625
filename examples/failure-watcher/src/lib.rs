//! Tells of the failures that no sandbox sees, from outside: records of failed requests, dead-letter
//! messages, and the states of functions and keys. The diagnosis is `triage-diagnosis`, the same that the
//! extension makes; this crate reads what arrives and asks AWS.
//!
//! Data flows one way: event → [`Arrival`] → [`Watcher`] → lines.

mod arrival;
pub mod check;
mod dead_letter;
mod delivered;
mod function_name;
mod handler;
mod lasting;
mod payload;
mod record;
mod settings;
mod watcher;

pub use arrival::{Arrival, CheckOf, Item, NoFailure, Request};
pub use handler::Handler;
pub use settings::{BadSetting, FunctionChoice, Settings};
pub use watcher::Watcher;
