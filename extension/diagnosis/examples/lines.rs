//! Prints every line that the fixtures lead to, as the extension would write it, and one of metrics alone, for
//! checks in other languages: tests/emf.

// What the tests share with it reads the fixtures, and fails where they are not well formed.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use triage_diagnosis::{Level, MetricValue, MetricsLine, PROBLEMS, Timestamp, Unit};

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/whole/replay.rs"]
mod replay;

fn main() {
    for fixture in replay::fixtures() {
        for line in fixture.replay(&fixture.steps) {
            println!("{line}");
        }
    }
    let metric = |name, values| MetricValue { name, unit: Unit::Count, values };
    let metrics =
        [metric(PROBLEMS, vec![1.0; MetricsLine::MAX_VALUES]), metric("Timeouts", vec![1.0])];
    let alone = MetricsLine {
        function_name: "orders",
        namespace: "LambdaTriage",
        level: Level::Error,
        at: Timestamp::from_ms(1_772_366_400_000),
        metrics: &metrics,
    };
    println!("{}", alone.to_line());
}
