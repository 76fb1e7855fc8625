//! The table of every row of AWS's page holds what it says: each problem, metric and test exists, and each
//! fixture tells of that problem from that place.

use serde_json::Value;
use std::path::{Path, PathBuf};
use triage_diagnosis::detectors;

const HEADING: &str = "## Every row of AWS's page";
/// Of AWS's page, the rows that are failures.
const ROWS: [&str; 11] = [
    "lambda:InvokeFunction",
    "ResourceConflictException",
    "stuck in Pending",
    "all concurrency",
    "other accounts or services",
    "looping",
    "KMSDisabledException",
    "EFSMountFailureException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "EFSIOException",
];
/// The columns of places, and the views that lines from there have.
const PLACES: [&str; 4] = ["function", "caller", "outside", "outside"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The section of the project's README.
fn section() -> String {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = &text[text.find(HEADING).expect("README.md has the table")..];
    let end = section[2..].find("\n## ").map_or(section.len(), |end| end + 2);
    section[..end].to_owned()
}

/// What stands in code letters.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a fixture expects the problem from that view.
fn expects(fixture: &str, problem: &str, view: &str) -> bool {
    let path = root().join("tests/fixtures").join(fixture).join("expected.json");
    let Ok(text) = std::fs::read_to_string(&path) else { return false };
    let lines: Vec<Value> = serde_json::from_str(&text).unwrap();
    // The forerunner of efs-io is a timeout, which counts as a failure of EFS too.
    let is_forerunner = |line: &Value| {
        problem == "efs-io"
            && view == "function"
            && line["diagnosis"]["problem"] == "timeout"
            && line["EfsFailures"] == 1
    };
    lines.iter().any(|line| {
        is_forerunner(line)
            || line["diagnosis"]["problem"] == problem && line["diagnosis"]["view"] == view
    })
}

/// Whether a file has a test of that name.
fn is_test(path: &str, name: &str) -> bool {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let Some((before, _)) = text.split_once(&format!("fn {name}()")) else { return false };
    before.trim_end().trim_end_matches("async").trim_end().ends_with(']')
        && before.rfind("test").is_some_and(|at| before.len() - at < 80)
}

#[test]
fn each_row_names_problem_metric_and_tests_that_are_there() {
    let section = section();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), ROWS.len());
    for (row, name) in rows.iter().zip(ROWS) {
        let [title, problem, metric, places @ ..] = &row[..] else { panic!("{row:?}") };
        assert!(title.contains(name), "{title}: not {name}");
        let (problem, metric) = (problem.trim_matches('`'), metric.trim_matches('`'));
        let detector = detectors().iter().find(|detector| detector.problem == problem);
        let detector = detector.unwrap_or_else(|| panic!("{title}: there is no {problem}"));
        assert_eq!(detector.metric, metric, "{title}");
        assert_eq!(places.len(), PLACES.len(), "{title}");
        let mut proofs = 0;
        for (cell, view) in places.iter().zip(PLACES) {
            assert!(!cell.is_empty(), "{title}: nothing is said of {view}");
            for proof in codes(cell) {
                match proof.split_once("::") {
                    Some((path, test)) => assert!(is_test(path, test), "{title}: no {proof}"),
                    None if proof.contains('/') => {
                        assert!(expects(proof, problem, view), "{title}: {proof}, {view}");
                    }
                    None => {
                        assert!(
                            triage_diagnosis::problems().any(|p| p == proof),
                            "{title}: {proof}"
                        );
                        continue;
                    }
                }
                proofs += 1;
            }
            let is_unseen = cell.starts_with("no: ") || cell.starts_with("where a service");
            assert_eq!(codes(cell).is_empty(), is_unseen, "{title}: {cell}");
        }
        assert!(proofs > 0, "{title}: nothing proves it");
    }
}
