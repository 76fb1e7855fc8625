//! Prints every line that the fixtures lead to, as the extension would write it, for checks in other
//! languages: tests/emf.

// What the tests share with it reads the fixtures, and fails where they are not well formed.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/whole/replay.rs"]
mod replay;

fn main() {
    for fixture in replay::fixtures() {
        for line in fixture.replay(&fixture.steps) {
            println!("{line}");
        }
    }
}
