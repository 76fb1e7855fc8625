//! The alarms of the templates at work on the extension's own lines: each fires where it must and is quiet
//! where it must be, also for lines that are late or stand for many diagnoses, and however far
//! CloudWatch's evaluation range goes.

use crate::told::{Told, fixtures, kms_storm, replay, time};
use crate::{TEMPLATES, stack};
use lambda_sandbox::{AlarmState, Alarms, MetricStore};
use std::collections::BTreeSet;
use std::time::Duration;
use triage_deploy::{Meaning, POLICIES};
use triage_diagnosis::detectors;

const MINUTE_MS: u64 = 60_000;

/// The alarms of a template, on the function and on the fleet, for each range that CloudWatch may have.
fn every_range(template: &str) -> impl Iterator<Item = Alarms> {
    let alarms = stack(template, &[("FleetAlarms", "yes")]).alarms().unwrap();
    (0..=4).map(move |extra| alarms.clone().with_extra_periods(extra))
}

/// The alarms that fire from the first line on until an hour after the last.
fn fired(alarms: &Alarms, told: &[Told], late: Duration) -> BTreeSet<String> {
    let mut metrics = MetricStore::default();
    told.iter().for_each(|told| told.put(&mut metrics, late));
    let begin = told.iter().map(|told| told.at_ms).min().unwrap_or(1_772_366_400_000);
    let end = told.iter().map(|told| told.at_ms).max().unwrap_or(begin);
    alarms.fired(&metrics, time(begin - 10 * MINUTE_MS), time(end + 60 * MINUTE_MS))
}

fn on_time(alarms: &Alarms, told: &[Told]) -> BTreeSet<String> {
    // What CloudWatch Logs takes as a rule.
    fired(alarms, told, Duration::from_secs(5))
}

/// Of the function and of the fleet, with the composite alarms where one of them is in their rule.
fn expected(metrics: &[&str]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = metrics
        .iter()
        .flat_map(|metric| {
            [format!("lambda-triage.orders.{metric}"), format!("lambda-triage.{metric}")]
        })
        .collect();
    let is_sick = |metric: &&str| {
        POLICIES.iter().any(|policy| policy.metric == *metric && policy.meaning != Meaning::Warning)
    };
    if metrics.iter().any(is_sick) {
        names.extend(["lambda-triage.orders.IsSick".into(), "lambda-triage.FleetIsSick".into()]);
    }
    names
}

/// A line that confirms the problem, from its fixtures.
fn confirmed(problem: &str) -> Told {
    let lines = fixtures(problem).into_iter().flat_map(|fixture| replay(&fixture));
    let mut lines = lines.filter(Told::is_confirmed);
    let found = lines.find(|told| told.line["diagnosis"]["problem"] == problem);
    found.unwrap_or_else(|| panic!("no fixture confirms {problem}"))
}

/// The same line in other minutes.
fn at_minutes(told: &Told, minutes: &[u64]) -> Vec<Told> {
    minutes.iter().map(|minute| told.clone().later(minute * MINUTE_MS)).collect()
}

/// Whether an alarm waits for a problem that lasts.
fn lasts(metric: &str) -> bool {
    POLICIES.iter().any(|policy| policy.metric == metric && policy.datapoints_to_alarm > 1)
}

#[test]
fn each_problem_raises_the_alarms_of_its_metric_and_no_other() {
    for template in TEMPLATES {
        for alarms in every_range(template) {
            for detector in detectors() {
                let told = confirmed(detector.problem);
                let mut metrics = vec![detector.metric];
                metrics.extend(told.line.get("RecursionDepth").map(|_| "RecursionDepth"));
                let once = on_time(&alarms, std::slice::from_ref(&told));
                if lasts(detector.metric) {
                    assert_eq!(once, BTreeSet::new(), "{} once", detector.problem);
                    let thrice = on_time(&alarms, &at_minutes(&told, &[0, 4, 9]));
                    assert_eq!(thrice, expected(&metrics), "{} thrice", detector.problem);
                } else {
                    assert_eq!(once, expected(&metrics), "{}", detector.problem);
                }
            }
        }
    }
}

#[test]
fn nothing_fires_while_all_is_well() {
    let healthy: Vec<Told> =
        fixtures("healthy").iter().flat_map(|fixture| replay(fixture)).collect();
    for alarms in every_range(TEMPLATES[0]) {
        assert_eq!(on_time(&alarms, &healthy), BTreeSet::new());
        // Nor does one not know its state.
        let metrics = MetricStore::default();
        for transition in alarms.history(&metrics, time(1_772_366_400_000), time(1_772_373_600_000))
        {
            assert_eq!(transition.state, AlarmState::Ok, "{transition:?}");
        }
    }
}

#[test]
fn what_lasts_for_less_than_three_minutes_of_fifteen_is_no_alarm() {
    for problem in ["near-timeout", "throttled", "function-pending"] {
        let told = confirmed(problem);
        for alarms in every_range(TEMPLATES[0]) {
            // Many within a minute, and two minutes; then a minute each half hour.
            let burst: Vec<Told> = (0..9).map(|n| told.clone().later(n * 1000)).collect();
            let burst = [burst, at_minutes(&told, &[5])].concat();
            assert_eq!(on_time(&alarms, &burst), BTreeSet::new(), "{problem}");
            let rare = at_minutes(&told, &[0, 30, 60, 90, 120]);
            assert_eq!(on_time(&alarms, &rare), BTreeSet::new(), "{problem}");
        }
    }
}

#[test]
fn warnings_are_warnings_however_many_there_are() {
    for problem in ["near-timeout", "telemetry-dropped"] {
        let told = confirmed(problem);
        let metric = detectors().iter().find(|d| d.problem == problem).unwrap().metric;
        let storm: Vec<Told> = (0..15).map(|n| told.clone().later(n * 1000)).collect();
        let later = |minute: u64| storm.iter().map(move |t| t.clone().later(minute * MINUTE_MS));
        let storm: Vec<Told> = (0..4).flat_map(later).collect();
        for alarms in every_range(TEMPLATES[0]) {
            assert_eq!(on_time(&alarms, &storm), expected(&[metric, "Problems"]), "{problem}");
        }
    }
    assert_eq!(
        expected(&["NearTimeouts", "Problems", "TelemetryDropped"]).len(),
        6,
        "no one is sick"
    );
}

#[test]
fn a_suspicion_that_lasts_is_a_warning() {
    let lines = fixtures("recursion").into_iter().flat_map(|fixture| replay(&fixture));
    let suspected: Vec<Told> =
        lines.filter(|told| told.line["diagnosis"]["stage"] == "suspected").take(1).collect();
    for alarms in every_range(TEMPLATES[0]) {
        assert_eq!(on_time(&alarms, &suspected), BTreeSet::new());
        let thrice = on_time(&alarms, &at_minutes(&suspected[0], &[0, 2, 4]));
        assert_eq!(thrice, expected(&["SuspectedProblems"]));
    }
}

#[test]
fn imminent_is_no_alarm() {
    for problem in ["timeout", "near-timeout"] {
        for fixture in fixtures(problem) {
            for told in replay(&fixture) {
                let is_imminent = told.line["diagnosis"]["stage"] == "imminent";
                assert!(!is_imminent || told.line.get("_aws").is_none(), "{fixture:?}");
            }
        }
    }
}

#[test]
fn lines_that_come_minutes_late_fire_too_but_for_the_fast_path() {
    for alarms in every_range(TEMPLATES[0]) {
        for detector in detectors().iter().filter(|detector| !lasts(detector.metric)) {
            let told = confirmed(detector.problem);
            let late = fired(&alarms, std::slice::from_ref(&told), Duration::from_secs(200));
            let missing: Vec<_> = expected(&[detector.metric]).difference(&late).cloned().collect();
            assert_eq!(missing, Vec::<String>::new(), "{}", detector.problem);
        }
        for problem in ["near-timeout", "throttled"] {
            let told = at_minutes(&confirmed(problem), &[0, 1, 2]);
            assert!(!fired(&alarms, &told, Duration::from_secs(200)).is_empty(), "{problem}");
        }
    }
}

#[test]
fn an_event_that_is_told_at_the_next_thaw_counts_when_it_is_told() {
    // The end of the fixture is a minute or more after the failure; the metric has the time of the line.
    let told = confirmed("timeout").later(45 * MINUTE_MS);
    for alarms in every_range(TEMPLATES[0]) {
        assert_eq!(on_time(&alarms, std::slice::from_ref(&told)), expected(&["Timeouts"]));
    }
}

#[test]
fn a_folded_storm_is_one_alarm_with_every_problem_counted() {
    let told = kms_storm(3000, 100);
    let mut metrics = MetricStore::default();
    told.iter().for_each(|told| told.put(&mut metrics, Duration::from_secs(5)));
    assert!(told.len() < 200, "{} lines", told.len());
    let dimensions = [("FunctionName", "orders")];
    assert_eq!(metrics.sum("LambdaTriage", &dimensions, "KmsErrors"), 3000.0);
    assert_eq!(metrics.sum("LambdaTriage", &[], "Problems"), 3000.0);
    for alarms in every_range(TEMPLATES[0]) {
        assert_eq!(on_time(&alarms, &told), expected(&["KmsErrors", "Problems"]));
        let until = time(told.last().unwrap().at_ms + 60 * MINUTE_MS);
        let history = alarms.history(&metrics, time(told[0].at_ms - MINUTE_MS), until);
        let sick: Vec<_> = history.iter().filter(|t| t.alarm.ends_with("orders.IsSick")).collect();
        let states: Vec<_> = sick.iter().map(|transition| transition.state).collect();
        assert_eq!(
            states,
            [AlarmState::Ok, AlarmState::Alarm, AlarmState::Ok],
            "one alarm, not many"
        );
    }
}

#[test]
fn a_few_problems_a_minute_are_no_storm() {
    let told = kms_storm(60, 10_000);
    for alarms in every_range(TEMPLATES[0]) {
        assert_eq!(on_time(&alarms, &told), expected(&["KmsErrors"]));
    }
}

#[test]
fn the_user_says_how_many_count_and_how_deep_is_too_deep() {
    let with = |name, value| {
        stack(TEMPLATES[0], &[("FleetAlarms", "yes"), (name, value)]).alarms().unwrap()
    };
    let alarms = with("ProblemsPerMinute", "8");
    assert_eq!(on_time(&alarms, &kms_storm(60, 10_000)), BTreeSet::new());
    assert_eq!(on_time(&alarms, &kms_storm(60, 7_000)), expected(&["KmsErrors"]));
    // More than are worth a warning, and fewer than make the function sick.
    let alarms = with("ProblemsPerMinute", "50");
    assert_eq!(on_time(&alarms, &kms_storm(60, 4_000)), expected(&["Problems"]));
    // What is told at all is a matter of TRIAGE_RECURSION_DEPTH.
    let alarms = with("RecursionDepth", "40");
    assert_eq!(on_time(&alarms, &[confirmed("recursion")]), expected(&["Recursions"]));
}

#[test]
fn recursion_is_told_within_a_minute_of_the_line_and_past_a_composite_alarm_that_fires_already() {
    let alarms = stack(TEMPLATES[0], &[]).alarms().unwrap();
    let lines = fixtures("recursion").into_iter().flat_map(|fixture| replay(&fixture));
    let deep =
        lines.filter(Told::is_confirmed).find(|told| told.line.get("RecursionDepth").is_some());
    let deep = deep.unwrap().later(2 * MINUTE_MS);
    let mut metrics = MetricStore::default();
    confirmed("kms-disabled").put(&mut metrics, Duration::ZERO);
    deep.put(&mut metrics, Duration::from_secs(1));
    let history = alarms.history(
        &metrics,
        time(deep.at_ms - 10 * MINUTE_MS),
        time(deep.at_ms + 10 * MINUTE_MS),
    );
    let enters = |name: &str| {
        let is_it =
            |t: &&lambda_sandbox::Transition| t.alarm == name && t.state == AlarmState::Alarm;
        history.iter().find(is_it).unwrap_or_else(|| panic!("{name} did not fire")).at
    };
    let depth = "lambda-triage.orders.RecursionDepth";
    let delay = enters(depth).duration_since(time(deep.at_ms)).unwrap();
    assert!(delay <= Duration::from_secs(60), "{delay:?}");
    assert!(enters("lambda-triage.orders.IsSick") < enters(depth));
    assert_eq!(alarms.actions(depth), [crate::TOPIC]);
}
