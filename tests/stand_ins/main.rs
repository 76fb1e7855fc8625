//! The real binary under Lambdas that other people made, or with their habits.
//!
//! What `lambda-simulator` is for is in `simulator/`, a package of its own.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod cargo_lambda;
mod emulator;
#[path = "../../extension/tests/running/mod.rs"]
mod running;
#[path = "../../extension/tests/stand_in/mod.rs"]
mod stand_in;
