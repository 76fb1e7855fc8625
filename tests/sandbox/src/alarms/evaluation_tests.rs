use std::time::{Duration, SystemTime};

use serde_json::json;

use super::*;
use crate::alarms::{StackSettings, Template};

/// A whole minute.
const START_S: u64 = 1_795_404_660;

fn at(minutes: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(START_S as f64 + minutes * 60.0)
}

fn template(alarm: &str) -> String {
    format!(
        "Resources:\n  Errors:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      \
         AlarmName: errors\n      Namespace: Shop\n      MetricName: Errors\n      Statistic: Sum\n      \
         Period: 60\n      Threshold: 1\n      ComparisonOperator: GreaterThanOrEqualToThreshold\n      \
         {alarm}\n"
    )
}

fn alarms(template: &str) -> Result<Alarms, TemplateError> {
    Template::parse(template)?.stack(StackSettings::default())?.alarms()
}

/// Takes in `value` at a time, `late` minutes after it was measured.
fn put(store: &mut MetricStore, minutes: f64, late: f64, value: serde_json::Value) {
    let time_ms = since_epoch(at(minutes)).as_millis() as u64;
    let line = json!({"Errors": value, "_aws": {"Timestamp": time_ms, "CloudWatchMetrics": [{
        "Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Errors"}]}]}});
    store.extract(&line.to_string(), at(minutes + late));
    assert_eq!(store.rejected(), []);
}

/// The rows of AWS's two tables: N and M, five periods from the oldest (0 does not breach, X does, - is
/// missing), and the state with missing, ignore, breaching, notBreaching. `?` is the state it had.
const ROWS: &str = "
3 3 0-X-X OK OK OK OK
3 3 0---- OK OK OK OK
3 3 ----- INSUFFICIENT ? ALARM OK
3 3 0XX-X ALARM ALARM ALARM ALARM
3 3 ----X INSUFFICIENT ? ALARM OK
3 3 X---- ALARM ? ALARM OK
3 2 0-X-X ALARM ALARM ALARM ALARM
3 2 00X0X ALARM ALARM ALARM ALARM
3 2 0-X-- OK OK ALARM OK
3 2 ----0 OK OK ALARM OK
3 2 ----X INSUFFICIENT ? ALARM OK
";

#[test]
fn missing_data_is_treated_as_awss_tables_say() {
    for row in ROWS.lines().filter(|row| !row.is_empty()) {
        let columns: Vec<&str> = row.split_whitespace().collect();
        let treatments = ["missing", "ignore", "breaching", "notBreaching"];
        for (treatment, expected) in treatments.iter().zip(&columns[3..]) {
            let alarms = alarms(&template(&format!(
                "EvaluationPeriods: {}\n      DatapointsToAlarm: {}\n      TreatMissingData: {treatment}",
                columns[0], columns[1]
            )))
            .unwrap();
            let range: Vec<_> = columns[2]
                .chars()
                .rev()
                .map(|c| match c {
                    '-' => None,
                    c => Some(c == 'X'),
                })
                .collect();
            for current in [AlarmState::Ok, AlarmState::Alarm] {
                let expected = match *expected {
                    "OK" => AlarmState::Ok,
                    "ALARM" => AlarmState::Alarm,
                    "INSUFFICIENT" => AlarmState::InsufficientData,
                    _ => current,
                };
                let state = verdict(&alarms.metric[0], &range, current);
                assert_eq!(state, expected, "{row}, {treatment}, it was {current:?}");
            }
        }
    }
}

#[test]
fn an_alarm_goes_when_its_data_have_left_the_range() {
    let alarms =
        alarms(&template("EvaluationPeriods: 1\n      TreatMissingData: notBreaching")).unwrap();
    let mut store = MetricStore::default();
    put(&mut store, 3.5, 0.1, json!(1));
    for extra in 0..4 {
        let history = alarms.clone().with_extra_periods(extra).history(&store, at(0.0), at(20.0));
        let steps: Vec<_> = history.iter().map(|t| (t.at, t.state)).collect();
        let expected = [
            (at(0.0), AlarmState::Ok),
            (at(4.0), AlarmState::Alarm),
            (at(5.0 + extra as f64), AlarmState::Ok),
        ];
        assert_eq!(steps, expected, "{extra}");
    }
}

#[test]
fn late_data_count_while_their_period_is_in_the_range() {
    let alarms = |n: usize| {
        let text = format!(
            "EvaluationPeriods: {n}\n      DatapointsToAlarm: 1\n      TreatMissingData: notBreaching"
        );
        alarms(&template(&text)).unwrap().with_extra_periods(0)
    };
    let mut store = MetricStore::default();
    put(&mut store, 3.5, 3.0, json!(1));
    assert!(alarms(1).fired(&store, at(0.0), at(20.0)).is_empty());
    assert_eq!(alarms(5).history(&store, at(0.0), at(20.0))[1].at, at(7.0));
}

#[test]
fn a_line_with_many_values_is_as_many_datapoints() {
    let mut store = MetricStore::default();
    put(&mut store, 1.5, 0.0, json!([2, 7, 3]));
    for (statistic, threshold, fires) in [
        ("Sum", 12, true),
        ("Sum", 13, false),
        ("Maximum", 7, true),
        ("Maximum", 8, false),
        ("Minimum", 2, true),
        ("Minimum", 3, false),
        ("Average", 4, true),
        ("Average", 5, false),
        ("SampleCount", 3, true),
        ("SampleCount", 4, false),
    ] {
        let text = template("EvaluationPeriods: 1")
            .replace("Statistic: Sum", &format!("Statistic: {statistic}"));
        let text = text.replace("Threshold: 1\n", &format!("Threshold: {threshold}\n"));
        let fired = !alarms(&text).unwrap().fired(&store, at(0.0), at(5.0)).is_empty();
        assert_eq!(fired, fires, "{statistic} {threshold}");
    }
}

#[test]
fn m_of_n_needs_m_periods_and_not_m_values() {
    let alarms = alarms(&template(
        "EvaluationPeriods: 15\n      DatapointsToAlarm: 3\n      TreatMissingData: notBreaching",
    ))
    .unwrap()
    .with_extra_periods(0);
    let fires = |minutes: &[f64]| {
        let mut store = MetricStore::default();
        minutes.iter().for_each(|minute| put(&mut store, *minute, 0.0, json!(1)));
        !alarms.fired(&store, at(0.0), at(60.0)).is_empty()
    };
    assert!(!fires(&[1.1, 1.2, 1.3, 1.4]));
    assert!(!fires(&[1.1, 9.5]));
    assert!(fires(&[1.1, 5.0, 15.9]));
    assert!(!fires(&[1.1, 5.0, 16.1]));
}

fn composite(rule: &str) -> String {
    let alarm = template("EvaluationPeriods: 1\n      TreatMissingData: notBreaching");
    format!(
        "{alarm}  Sick:\n    Type: AWS::CloudWatch::CompositeAlarm\n    Properties:\n      \
         AlarmName: sick\n      AlarmRule: !Sub '{rule}'\n      AlarmActions: ['arn:aws:sns:x']\n"
    )
}

#[test]
fn a_composite_alarm_follows_its_rule_within_the_same_minute() {
    let alarms = alarms(&composite("ALARM(\"${Errors}\")")).unwrap();
    let mut store = MetricStore::default();
    put(&mut store, 3.5, 0.0, json!(1));
    let sick: Vec<_> = alarms.history(&store, at(0.0), at(20.0));
    let sick: Vec<_> = sick.iter().filter(|t| t.alarm == "sick").map(|t| (t.at, t.state)).collect();
    assert_eq!(
        sick,
        [(at(0.0), AlarmState::Ok), (at(4.0), AlarmState::Alarm), (at(7.0), AlarmState::Ok)]
    );
    assert_eq!(alarms.actions("sick"), ["arn:aws:sns:x"]);
    assert!(alarms.actions("errors").is_empty());
}

#[test]
fn what_cloudwatch_would_refuse_is_refused() {
    for (text, reason) in [
        (composite("ALARM(nobody)"), "nobody, which is not there"),
        (composite("ALARM(sick)"), "rests on itself"),
        (composite("ALARM("), "ends too early"),
        (composite("ALARM(errors)").replace("AlarmName: sick", "AlarmName: errors"), "same name"),
        (template("EvaluationPeriods: 0"), "EvaluationPeriods"),
        (template("EvaluationPeriods: 2\n      DatapointsToAlarm: 3"), "3 of 2"),
        (template("EvaluationPeriods: 1441"), "further back"),
        (template("EvaluationPeriods: 1\n      TreatMissingData: fine"), "treated as fine"),
        (template("EvaluationPeriods: 1\n      Metrics: []"), "Metrics is not modelled"),
        (template("EvaluationPeriods: 1").replace("Period: 60", "Period: 45"), "45 s"),
        (template("EvaluationPeriods: 1").replace("Statistic: Sum", "Statistic: p99"), "p99"),
        (template("EvaluationPeriods: 1").replace("Threshold: 1", "Threshold: .nan"), "Threshold"),
    ] {
        let error = alarms(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error} does not say {reason}");
    }
}
