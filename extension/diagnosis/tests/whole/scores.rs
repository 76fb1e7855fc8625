//! `cargo score` passes, and fails where something is not as it must be.

use crate::corpus::{Healthy, corpus};
use crate::replay::{Fixture, fixtures};
use crate::score::Score;
use serde_json::json;
use triage_diagnosis::problems;

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect(name)
}

/// The score of what `problem`'s fixtures have become.
fn score(problem: &'static str, fixtures: &[Fixture]) -> Score {
    Score::of([problem].into_iter(), fixtures, &[healthy("stored")])
}

fn healthy(text: &str) -> Healthy {
    Healthy { file: "test".into(), line: 1, record: json!(text).to_string() }
}

#[test]
fn everything_is_found_and_nothing_else() {
    let score = Score::of(problems(), &fixtures(), &corpus());
    assert!(score.is_perfect(), "\n{score}");
}

#[test]
fn an_expectation_too_many_is_a_miss() {
    let mut fixture = fixture("kms-disabled/boto3-decrypt");
    assert!(score("kms-disabled", std::slice::from_ref(&fixture)).is_perfect());
    fixture.expected.push(json!({"diagnosis": {"problem": "kms-disabled"}}));
    let score = score("kms-disabled", &[fixture]);
    assert!(!score.is_perfect());
    assert_eq!((score.misses.len(), score.false_alarms.len()), (1, 0), "{score}");
    assert!(score.to_string().contains("50.0 %"), "{score}");
}

#[test]
fn an_expectation_too_few_is_a_false_alarm() {
    let mut fixture = fixture("kms-disabled/boto3-decrypt");
    fixture.expected.clear();
    let score = score("kms-disabled", &[fixture]);
    assert!(!score.is_perfect());
    assert_eq!((score.misses.len(), score.false_alarms.len()), (0, 1), "{score}");
}

#[test]
fn a_wrong_expectation_is_both() {
    let mut fixture = fixture("kms-disabled/boto3-decrypt");
    fixture.expected[0]["diagnosis"]["stage"] = json!("suspected");
    let score = score("kms-disabled", &[fixture]);
    assert!(!score.is_perfect());
    assert_eq!((score.misses.len(), score.false_alarms.len()), (1, 1), "{score}");
    assert!(score.to_string().ends_with("FAILED\n"), "{score}");
}

#[test]
fn a_healthy_record_that_is_told_is_a_false_alarm() {
    for stage in ["ERROR", "WARN"] {
        let told = healthy(&format!("[{stage}] KMSDisabledException: the key is disabled"));
        let fixture = fixture("kms-disabled/boto3-decrypt");
        let score = Score::of(["kms-disabled"].into_iter(), &[fixture], &[told]);
        assert!(!score.is_perfect(), "{stage}");
        assert_eq!(score.false_alarms[0].place, "test.ndjson:1");
    }
}

#[test]
fn neither_a_problem_without_cases_nor_an_empty_corpus_passes() {
    let fixture = fixture("kms-disabled/boto3-decrypt");
    let fixtures = std::slice::from_ref(&fixture);
    let score = score("kms-throttled", fixtures);
    assert_eq!(score.without_cases().collect::<Vec<_>>(), ["kms-throttled"]);
    assert!(!score.is_perfect());
    assert!(!Score::of(["kms-disabled"].into_iter(), fixtures, &[]).is_perfect());
}
