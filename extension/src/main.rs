//! Lambda Triage.
fn main() {}
