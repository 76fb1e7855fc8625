//! Every fixture gives what it must, however its records arrive.

use crate::replay::{Fixture, Step, fixtures};
use serde_json::{Value, json};

/// What an alarm and a reader of one line go by, without what depends on which record came first.
fn essence(lines: &[Value]) -> Vec<Value> {
    let mut essence: Vec<Value> = lines
        .iter()
        // A line without metrics only counts more signs of what has been told.
        .filter(|line| line.get("_aws").is_some())
        .map(|line| {
            let names = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
            let values = names.iter().map(|name| {
                let name = name["Name"].as_str().unwrap();
                (name.to_owned(), line[name].clone())
            });
            json!({
                "problem": line["diagnosis"]["problem"], "stage": line["diagnosis"]["stage"],
                "cause": line["diagnosis"]["cause"], "view": line["diagnosis"]["view"],
                "requestId": line["requestId"], "values": values.collect::<Value>(),
            })
        })
        .collect();
    essence.sort_by_key(Value::to_string);
    essence
}

/// A timeout is told at the first sign of it: what else telemetry tells of its cause may come later.
fn told_at_first_sign(mut essence: Vec<Value>) -> Vec<Value> {
    for line in essence.iter_mut().filter(|line| line["problem"] == "timeout") {
        if ["slow-init", "extension-overhead"].iter().any(|cause| line["cause"] == *cause) {
            line["cause"] = Value::Null;
        }
    }
    essence.sort_by_key(Value::to_string);
    essence
}

fn map_records(steps: &[Step], mut change: impl FnMut(&[String]) -> Vec<Step>) -> Vec<Step> {
    steps
        .iter()
        .flat_map(|step| match step {
            Step::Event(_) => vec![step.clone()],
            Step::Records(records) => change(records),
        })
        .collect()
}

fn check_whole(fixture: &Fixture) {
    let (answers, unexpected) = fixture.compare(fixture.replay(&fixture.steps));
    let missing: Vec<_> = answers.iter().filter(|(_, line)| line.is_none()).collect();
    let name = &fixture.name;
    assert!(missing.is_empty() && unexpected.is_empty(), "{name}: {missing:#?} {unexpected:#?}");
}

fn check_split(fixture: &Fixture) {
    let split = map_records(&fixture.steps, |records| {
        records.iter().map(|record| Step::Records(vec![record.clone()])).collect()
    });
    let (whole, split) = (fixture.replay(&fixture.steps), fixture.replay(&split));
    assert_eq!(essence(&whole), essence(&split), "{}", fixture.name);
}

/// A program's standard output is cut into records at its line breaks, where the runtime's own logger
/// frames a whole stack trace.
fn check_line_by_line(fixture: &Fixture) {
    let lines = map_records(&fixture.steps, |records| {
        vec![Step::Records(records.iter().flat_map(|record| lines_of(record)).collect())]
    });
    let (whole, lines) = (fixture.replay(&fixture.steps), fixture.replay(&lines));
    assert_eq!(essence(&whole), essence(&lines), "{}", fixture.name);
}

/// The records that a record is if each of its lines is one.
fn lines_of(record: &str) -> Vec<String> {
    let Ok(mut value) = serde_json::from_str::<Value>(record) else {
        return vec![record.to_owned()];
    };
    let Some(text) = value["record"].as_str().map(str::to_owned) else {
        return vec![record.to_owned()];
    };
    let mut record_of = |line: &str| {
        value["record"] = line.into();
        value.to_string()
    };
    text.split('\n').map(&mut record_of).collect()
}

/// So much is shuffled of each fixture, which keeps these tests fast where they are not optimized.
const ENOUGH_BYTES: usize = 15_000;

fn check_reordered(fixture: &Fixture) {
    // The lines of a trace that came line by line mean nothing in another order.
    if fixture.given["ordered"] == true {
        return;
    }
    let mut random = fastrand::Rng::with_seed(7);
    let whole = told_at_first_sign(essence(&fixture.replay(&fixture.steps)));
    // A long recording holds many invocations, each of which is one more try.
    let tries = (ENOUGH_BYTES / fixture.bytes()).clamp(1, 20);
    for _ in 0..tries {
        let shuffled = map_records(&fixture.steps, |records| {
            let mut records = records.to_vec();
            random.shuffle(&mut records);
            vec![Step::Records(records)]
        });
        let essence = told_at_first_sign(essence(&fixture.replay(&shuffled)));
        let order: Vec<&String> = shuffled.iter().filter_map(first_record).collect();
        assert_eq!(whole, essence, "{} in the order {order:#?}", fixture.name);
    }
}

fn first_record(step: &Step) -> Option<&String> {
    match step {
        Step::Records(records) => records.first(),
        Step::Event(_) => None,
    }
}

/// As on Lambda, where what was buffered at the freeze comes with the next invocation.
fn check_late(fixture: &Fixture) {
    let mut late = fixture.steps.clone();
    for at in 1..late.len() {
        if matches!((&late[at - 1], &late[at]), (Step::Records(_), Step::Event(_))) {
            late.swap(at - 1, at);
        }
    }
    let (whole, late) = (fixture.replay(&fixture.steps), fixture.replay(&late));
    assert_eq!(essence(&whole), essence(&late), "{}", fixture.name);
}

/// The shell recognizes a delivery that comes a second time; the state machine must not count
/// twice what bears an identity of its own even so.
fn check_duplicated(fixture: &Fixture) {
    if fixture.problem == "telemetry-dropped" {
        return;
    }
    let twice = map_records(&fixture.steps, |records| {
        vec![Step::Records(records.to_vec()), Step::Records(records.to_vec())]
    });
    let (whole, twice) = (fixture.replay(&fixture.steps), fixture.replay(&twice));
    assert_eq!(essence(&whole), essence(&twice), "{}", fixture.name);
}

fn check_lines(fixture: &Fixture) {
    for line in fixture.replay(&fixture.steps) {
        assert!(line.to_string().len() <= triage_diagnosis::MAX_LINE_BYTES);
        // What is only about to happen counts in no metric.
        if line["diagnosis"]["stage"] == "imminent" {
            assert!(line.get("_aws").is_none(), "{line:#}");
            continue;
        }
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "LambdaTriage");
        assert_eq!(directive["Dimensions"], json!([["FunctionName"], []]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{line:#}");
        }
    }
}

#[test]
fn whole() {
    fixtures().iter().for_each(check_whole);
}

#[test]
fn split_record_by_record() {
    fixtures().iter().for_each(check_split);
}

#[test]
fn a_stack_trace_counts_once_however_many_records_it_is() {
    fixtures().iter().for_each(check_line_by_line);
}

#[test]
fn reordered() {
    fixtures().iter().for_each(check_reordered);
}

#[test]
fn delivered_after_the_next_event() {
    fixtures().iter().for_each(check_late);
}

#[test]
fn duplicated() {
    fixtures().iter().for_each(check_duplicated);
}

#[test]
fn every_line_is_short_and_names_what_it_counts() {
    fixtures().iter().for_each(check_lines);
}
