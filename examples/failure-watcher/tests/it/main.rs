//! The failure watcher from outside: what arrives, in every shape, and what it tells.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod any_input;
mod aws;
mod bad_input;
mod delivered;
mod denied;
mod function;
mod rows;
mod services;
mod shapes;
mod told;
