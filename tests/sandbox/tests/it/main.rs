//! The local Lambda with real processes: the fixtures among the examples.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which the allowance for tests leaves out"
)]

mod apis;
mod command;
mod disorder;
mod faults;
mod lifecycle;
mod logs;
mod managed;
mod service;
mod support;
mod telemetry;
