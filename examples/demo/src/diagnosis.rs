//! Diagnoses as the function's log group holds them, and how they differ from the expected ones.

use crate::{Expected, FUNCTION, NAMESPACE};
use lambda_sandbox::{InvocationOutcome, LogEvent, LogSource, LogStream};
use serde_json::Value;

/// One line of the extension.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The line as it stands in the log.
    pub line: String,
    /// The same, read.
    pub json: Value,
}

impl Diagnosis {
    /// A text field of the diagnosis proper, such as `problem`; empty when it is absent.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.json["diagnosis"][field].as_str().unwrap_or_default()
    }

    /// The request id; empty when it is absent.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.json["requestId"].as_str().unwrap_or_default()
    }

    /// The metrics that the line's EMF declares, with their values, by name.
    #[must_use]
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let directives = self.json["_aws"]["CloudWatchMetrics"].as_array();
        let metrics = directives
            .into_iter()
            .flatten()
            .flat_map(|directive| directive["Metrics"].as_array().cloned().unwrap_or_default());
        let mut metrics: Vec<_> = metrics
            .filter_map(|metric| {
                let name = metric["Name"].as_str()?;
                Some((name.to_owned(), self.json[name].as_f64()?))
            })
            .collect();
        metrics.sort_by(|(one, _), (other, _)| one.cmp(other));
        metrics
    }
}

/// The lines that extensions wrote to standard output, in order.
///
/// # Errors
/// The first that is no diagnosis.
pub fn diagnoses(log: &[LogEvent]) -> Result<Vec<Diagnosis>, String> {
    read(log, |source| matches!(source, LogSource::Extension(_)))
}

/// The lines that a function wrote whose work is to diagnose, in order.
///
/// # Errors
/// The first that is no diagnosis.
pub fn printed_diagnoses(log: &[LogEvent]) -> Result<Vec<Diagnosis>, String> {
    read(log, |source| *source == LogSource::Function)
}

fn read(log: &[LogEvent], wanted: impl Fn(&LogSource) -> bool) -> Result<Vec<Diagnosis>, String> {
    log.iter()
        .filter(|event| wanted(&event.source) && event.stream == LogStream::Stdout)
        .map(|event| {
            let line = event.text.clone();
            match serde_json::from_str::<Value>(&line) {
                Ok(json) if json["diagnosis"]["problem"].is_string() => {
                    Ok(Diagnosis { line, json })
                }
                _ => Err(format!("not a diagnosis: {line}")),
            }
        })
        .collect()
}

/// How `found` differs from `expected`, a sentence each; empty when each expected diagnosis came
/// exactly once, nothing else came, and every line keeps to the output contract.
#[must_use]
pub fn differences(
    expected: &[Expected],
    outcomes: &[InvocationOutcome],
    found: &[Diagnosis],
) -> Vec<String> {
    let expected = expected.iter().map(|e| (outcomes[e.call].request_id.as_str(), e));
    differences_of(FUNCTION, expected, found)
}

/// The same of any function, where each diagnosis is expected of the request with this id.
pub fn differences_of<'a>(
    function: &str,
    expected: impl IntoIterator<Item = (&'a str, &'a Expected)>,
    found: &[Diagnosis],
) -> Vec<String> {
    let broken = |diagnosis| broken_contract(diagnosis, function);
    let mut differences: Vec<_> = found.iter().filter_map(broken).collect();
    let mut left: Vec<&Diagnosis> =
        found.iter().filter(|diagnosis| diagnosis.text("stage") != "imminent").collect();
    for (id, expected) in expected {
        let place = left.iter().position(|diagnosis| {
            diagnosis.request_id() == id && diagnosis.text("problem") == expected.problem
        });
        let Some(place) = place else {
            differences.push(format!("no {} was diagnosed for {id}", expected.problem));
            continue;
        };
        let diagnosis = left.remove(place);
        let mut metrics: Vec<_> =
            expected.metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        metrics.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (what, wanted, is) in [
            ("stage", expected.stage.to_owned(), diagnosis.text("stage").to_owned()),
            ("view", expected.view.to_owned(), diagnosis.text("view").to_owned()),
            ("metrics", format!("{metrics:?}"), format!("{:?}", diagnosis.metrics())),
        ] {
            if wanted != is {
                differences.push(format!("{}: {what} {is}, not {wanted}", expected.problem));
            }
        }
    }
    let unexpected =
        left.iter().map(|diagnosis| format!("nobody expected this line: {}", diagnosis.line));
    differences.extend(unexpected);
    differences
}

/// What is wrong with a line whatever it is about.
fn broken_contract(diagnosis: &Diagnosis, function: &str) -> Option<String> {
    let Diagnosis { line, json } = diagnosis;
    let stage = diagnosis.text("stage");
    let rules = [
        ("it is longer than 4,096 bytes with its newline", line.len() < 4096),
        ("it lacks a message", json["message"].as_str().is_some_and(|text| !text.is_empty())),
        ("it lacks advice", !diagnosis.text("advice").is_empty()),
        ("its reference is none", diagnosis.text("reference").starts_with("https://")),
        ("its level is none", matches!(json["level"].as_str(), Some("ERROR" | "WARN" | "INFO"))),
        ("it occurred more than once", json["diagnosis"]["occurrences"] == 1),
        ("it names another function", json["FunctionName"] == function),
        ("its metrics have another namespace", namespace_is_ours(json) || stage == "imminent"),
        ("an imminent problem counts", stage != "imminent" || diagnosis.metrics().is_empty()),
        ("a field is null", !holds_null(json)),
        ("its timestamp is not RFC 3339", {
            let timestamp = json["timestamp"].as_str().unwrap_or_default();
            timestamp.len() == 24 && timestamp.ends_with('Z')
        }),
    ];
    let broken = rules.into_iter().find(|(_, kept)| !kept)?;
    Some(format!("{}: {line}", broken.0))
}

fn namespace_is_ours(json: &Value) -> bool {
    json["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE
}

fn holds_null(json: &Value) -> bool {
    match json {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_sandbox::Status;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    fn outcome() -> InvocationOutcome {
        InvocationOutcome {
            request_id: "8e1c1d3b".to_owned(),
            status: Status::Timeout,
            error_type: None,
            payload: Default::default(),
            function_error: true,
            started: SystemTime::UNIX_EPOCH,
            duration_ms: 2000.0,
            post_runtime_ms: 0.0,
            init: None,
            extension_next_ms: BTreeMap::new(),
            max_memory_used_mb: 10,
        }
    }

    fn expected() -> Expected {
        Expected {
            call: 0,
            problem: "timeout",
            stage: "confirmed",
            view: "function",
            metrics: vec![("Timeouts", 1.0), ("Problems", 1.0)],
        }
    }

    fn diagnosis(change: impl FnOnce(&mut Value)) -> Diagnosis {
        let mut json = json!({
            "timestamp": "2026-11-23T03:30:53.123Z",
            "level": "ERROR",
            "message": "timed out after 2.00 s",
            "requestId": "8e1c1d3b",
            "diagnosis": {
                "problem": "timeout", "stage": "confirmed", "view": "function", "occurrences": 1,
                "advice": "Find out why.", "reference": "https://docs.aws.amazon.com/lambda/",
                "evidence": { "timeout_ms": 2000 }
            },
            "FunctionName": "orders", "Timeouts": 1, "Problems": 1,
            "_aws": { "Timestamp": 1_795_404_654_000_u64, "CloudWatchMetrics": [{
                "Namespace": "LambdaTriage", "Dimensions": [["FunctionName"], []],
                "Metrics": [{ "Name": "Timeouts", "Unit": "Count" },
                            { "Name": "Problems", "Unit": "Count" }] }] }
        });
        change(&mut json);
        Diagnosis { line: json.to_string(), json }
    }

    fn differ(found: &[Diagnosis]) -> Vec<String> {
        differences(&[expected()], &[outcome()], found)
    }

    #[test]
    fn one_good_line_is_right_and_an_imminent_one_before_it_too() {
        let line = diagnosis(|_| ());
        assert_eq!(differ(std::slice::from_ref(&line)), Vec::<String>::new());
        let imminent = diagnosis(|json| {
            json["diagnosis"]["stage"] = "imminent".into();
            json["_aws"] = json!({});
        });
        assert_eq!(differ(&[imminent, line]), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_noticed() {
        let line = || diagnosis(|_| ());
        assert_eq!(differ(&[]).len(), 1, "missing");
        assert_eq!(differ(&[line(), line()]).len(), 1, "twice");
        type Change = (&'static str, fn(&mut Value));
        let changes: [Change; 14] = [
            ("request", |json| json["requestId"] = "another".into()),
            ("problem", |json| json["diagnosis"]["problem"] = "near-timeout".into()),
            ("stage", |json| json["diagnosis"]["stage"] = "suspected".into()),
            ("view", |json| json["diagnosis"]["view"] = "caller".into()),
            ("value", |json| json["Timeouts"] = 2.into()),
            ("metric", |json| json["_aws"]["CloudWatchMetrics"][0]["Metrics"] = json!([])),
            ("namespace", |json| json["_aws"]["CloudWatchMetrics"][0]["Namespace"] = "AWS".into()),
            ("null", |json| json["traceId"] = Value::Null),
            ("message", |json| json["message"] = "".into()),
            ("advice", |json| json["diagnosis"]["advice"] = "".into()),
            ("occurrences", |json| json["diagnosis"]["occurrences"] = 2.into()),
            ("length", |json| json["diagnosis"]["evidence"]["a"] = "x".repeat(4096).into()),
            ("function", |json| json["FunctionName"] = "another".into()),
            ("counted", |json| json["diagnosis"]["stage"] = "imminent".into()),
        ];
        for (name, change) in changes {
            assert!(!differ(&[diagnosis(change)]).is_empty(), "{name}");
        }
    }
}
