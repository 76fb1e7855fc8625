//! The pure crate from outside: the catalogue of detectors, the fixtures, the state machine.

// A test may read the fixtures, and fail where something is not as it must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod attempts;
mod callee;
mod catalogue;
mod contract;
mod corpus;
mod events;
mod fixtures;
mod lines;
mod loggers;
mod near_misses;
mod planted;
mod properties;
mod random;
mod replay;
mod score;
mod scores;
mod secrets;
mod shapes;
mod signatures;
mod silence;
mod storms;
mod workspace;
