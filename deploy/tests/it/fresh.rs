//! The generated files are as the detectors say, and no metric is left out.

use crate::{TEMPLATES, in_deploy, read};
use std::collections::BTreeSet;
use triage_deploy::{GROUPS, POLICIES, dashboard_template, monitoring, with_resources};

/// Writes the file anew and fails if it was not as it should be.
fn assert_fresh(path: &str, expected: &str) {
    if std::fs::read_to_string(in_deploy(path)).unwrap_or_default() != expected {
        std::fs::write(in_deploy(path), expected).unwrap();
        panic!("deploy/{path} was stale; it is written anew: look at it and run the tests again");
    }
}

#[test]
fn the_templates_are_fresh() {
    let stale = TEMPLATES.map(|path| {
        let expected = with_resources(&read(path)).expect("the template lost its marks");
        std::panic::catch_unwind(|| assert_fresh(path, &expected)).is_err()
    });
    assert_eq!(stale, [false; 2]);
}

#[test]
fn the_module_is_fresh() {
    let files = [
        ("terraform/monitoring.json", monitoring()),
        ("terraform/dashboard.json.tftpl", dashboard_template()),
    ];
    let stale =
        files.map(|(path, text)| std::panic::catch_unwind(|| assert_fresh(path, &text)).is_err());
    assert_eq!(stale, [false; 2]);
}

#[test]
fn the_manuals_table_is_fresh() {
    const BEGIN: &str = "<!-- From here cargo test -p triage-deploy writes this file. -->\n";
    const END: &str = "<!-- To here. -->\n";
    let text = read("README.md");
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    assert_fresh("README.md", &format!("{before}{BEGIN}{}{END}{after}", triage_deploy::table()));
}

#[test]
fn each_metric_has_one_alarm_and_is_in_one_row_of_the_dashboard() {
    let metrics = triage_diagnosis::metrics();
    let alarms: Vec<_> = POLICIES.iter().map(|policy| policy.metric).collect();
    assert_eq!(alarms, metrics, "deploy/src/alarms.rs: POLICIES");
    // The sum of all stands above the rows.
    let mut shown: Vec<_> =
        GROUPS.iter().flat_map(|group| group.metrics).copied().chain(["Problems"]).collect();
    shown.sort_unstable();
    assert_eq!(shown, metrics, "deploy/src/dashboard.rs: GROUPS");
}

#[test]
fn each_problem_counts_in_some_alarm_and_its_advice_is_shown() {
    let counted: BTreeSet<_> = POLICIES.iter().flat_map(|policy| policy.problems()).collect();
    assert_eq!(counted, triage_diagnosis::problems().collect());
    let body = triage_deploy::body();
    for detector in triage_diagnosis::detectors() {
        assert!(body.contains(&format!("**{}**", detector.problem)), "{}", detector.problem);
    }
}
