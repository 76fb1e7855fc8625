//! The real extension binary on real function processes in a local Lambda.
//!
//! The scenarios and what each must lead to are those of `cargo demo`; here each is played in an
//! environment of its own, by the Rust function and by the Python one.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod callee;
mod container_image;
mod environment;
mod frozen;
mod kinds;
mod lifecycle;
mod outside;
#[path = "../../extension/diagnosis/tests/whole/planted.rs"]
mod planted;
mod platform;
mod python;
mod scenarios;
mod sdk_texts;
mod secrets;
