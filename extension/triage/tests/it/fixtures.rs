//! On every fixture the program tells what the extension tells.

use crate::program::{options, run};
use crate::replay::{Fixture, Step, fixtures};

const FUNCTION: [&str; 3] = ["replay", "--function-name=orders", "--function-version=$LATEST"];

fn assert_told(fixture: &Fixture, how: &str, input: &str) {
    let options = options(fixture);
    let arguments: Vec<&str> =
        FUNCTION.into_iter().chain(options.iter().map(String::as_str)).collect();
    let ran = run(&arguments, input.as_bytes());
    let (answers, unexpected) = fixture.compare(ran.lines());
    let missing: Vec<_> = answers.iter().filter(|(_, line)| line.is_none()).collect();
    let name = &fixture.name;
    assert!(missing.is_empty(), "{name} {how}: {missing:#?} among {unexpected:#?}");
    assert!(unexpected.is_empty(), "{name} {how}: not expected: {unexpected:#?}");
    assert_eq!(
        ran.code,
        i32::from(!fixture.expected.is_empty()),
        "{}: {}",
        fixture.name,
        ran.stderr
    );
}

/// The fixture's steps with each delivery as `deliver` writes it.
fn written(fixture: &Fixture, deliver: impl Fn(&[String]) -> String) -> String {
    let steps = fixture.steps.iter().map(|step| match step {
        Step::Event(event) => format!("{event}\n"),
        Step::Records(records) => deliver(records),
    });
    steps.collect()
}

#[test]
fn as_lines() {
    for fixture in fixtures() {
        assert_told(&fixture, "as lines", &written(&fixture, |records| records.join("\n") + "\n"));
    }
}

#[test]
fn as_arrays() {
    for fixture in fixtures() {
        let arrays = written(&fixture, |records| format!("[{}]\n", records.join(",")));
        assert_told(&fixture, "as arrays", &arrays);
    }
}
