//! On every fixture the program tells what the extension tells.

use crate::program::{options, run};
use crate::replay::{Fixture, Step, fixtures};
use std::collections::BTreeMap;

const FUNCTION: [&str; 3] = ["replay", "--function-name=orders", "--function-version=$LATEST"];

/// All but those of what only the extension sees, the function's processes, and of what is seen outside.
pub(crate) fn told_by_records() -> Vec<Fixture> {
    const OTHERS: [&str; 3] = ["snapshot", "failedRequest", "functionState"];
    let is_other = |step: &Step| matches!(step, Step::Event(event) if OTHERS.iter().any(|name| event.get(*name).is_some()));
    let mut fixtures = fixtures();
    fixtures.retain(|fixture| !fixture.steps.iter().any(is_other));
    fixtures
}

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
    for fixture in told_by_records() {
        assert_told(&fixture, "as lines", &written(&fixture, |records| records.join("\n") + "\n"));
    }
}

#[test]
fn as_arrays() {
    for fixture in told_by_records() {
        let arrays = written(&fixture, |records| format!("[{}]\n", records.join(",")));
        assert_told(&fixture, "as arrays", &arrays);
    }
}

const SHUTDOWN: &str = "{\"at\":\"2026-03-01T12:00:09.000Z\",\"next\":{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\"}}\n";

fn is_shutdown(step: &&Step) -> bool {
    matches!(step, Step::Event(event) if event["next"]["eventType"] == "SHUTDOWN")
}

/// One file of every fixture, each a sandbox of its own; those that ask for options of their own are
/// files of their own.
#[test]
fn as_one_file() {
    let mut files: BTreeMap<Vec<String>, Vec<Fixture>> = BTreeMap::new();
    for fixture in told_by_records() {
        files.entry(options(&fixture)).or_default().push(fixture);
    }
    for (options, fixtures) in files {
        let mut file = String::new();
        let mut ends = 0;
        for fixture in &fixtures {
            file += &written(fixture, |records| records.join("\n") + "\n");
            let of_this = fixture.steps.iter().filter(is_shutdown).count();
            if of_this == 0 {
                // Of several that run several invocations at once nothing else tells.
                file += SHUTDOWN;
            }
            ends += of_this.max(1);
        }
        let arguments: Vec<&str> =
            FUNCTION.into_iter().chain(options.iter().map(String::as_str)).collect();
        let ran = run(&arguments, file.as_bytes());
        // One sandbox is told of after another.
        let mut lines = ran.lines();
        for fixture in &fixtures {
            let rest = lines.split_off(fixture.expected.len().min(lines.len()));
            let (answers, unexpected) = fixture.compare(std::mem::replace(&mut lines, rest));
            let missing: Vec<_> = answers.iter().filter(|(_, line)| line.is_none()).collect();
            let name = &fixture.name;
            assert!(missing.is_empty(), "{name}: {missing:#?} among {unexpected:#?}");
        }
        assert!(lines.is_empty(), "{lines:#?}");
        let sandboxes = format!(" in {ends} environment");
        assert!(ran.stderr.contains(&sandboxes), "{sandboxes}: {}", ran.stderr);
    }
}
