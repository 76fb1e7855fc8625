//! The local Lambda with real processes: the fixtures among the examples.

mod apis;
mod faults;
mod lifecycle;
mod logs;
mod managed;
mod support;
mod telemetry;
