//! Causes a named problem on request.
fn main() {}
