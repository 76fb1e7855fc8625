//! In a caller's log the errors of an invocation name the function that was called, whether the call was
//! synchronous or not, and no other.

use serde_json::{Value, json};
use triage_diagnosis::{Body, Function, Settings, Timestamp, Triage, View, detectors};

/// The lines that one record of the log leads to.
fn told(record: &str) -> Vec<Value> {
    let function = Function { name: "orders".into(), ..Function::default() };
    let mut triage = Triage::new(Settings::default(), function);
    let json = json!([{"time": "2026-03-01T12:00:00.000Z", "type": "function", "record": record}]);
    let mut body = Body::new(json.to_string().into_bytes());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    while let Some(record) = body.next_record() {
        triage.handle_record(record.unwrap(), now);
    }
    triage.finish(now);
    let report = || triage.poll_report(now);
    std::iter::from_fn(report)
        .map(|report| serde_json::from_str(&report.to_line(true)).unwrap())
        .collect()
}

/// The names of errors that Invoke gives, each with its problem.
fn errors() -> impl Iterator<Item = (&'static str, &'static str)> {
    let callers = detectors().iter().filter(|detector| detector.views.contains(&View::Caller));
    let texts = callers.flat_map(|d| d.texts.iter().map(|text| (d.problem, text)));
    // Not those that other services give, nor words of a message.
    let errors = texts.filter(|(_, text)| {
        text.view != Some(View::Function) && text.needle.ends_with("Exception")
    });
    errors.map(|(problem, text)| (problem, text.needle))
}

#[test]
fn each_error_names_the_called_function_synchronous_or_not() {
    let mut problems = Vec::new();
    for (problem, error) in errors() {
        for kind in ["RequestResponse", "Event"] {
            for (record, name) in [
                (
                    format!(
                        "[ERROR] {error}: An error occurred ({error}) when calling the Invoke operation: x\n\
                         Traceback (most recent call last):\n  File \"/var/task/app.py\", line 5, in handler\n    \
                         client.invoke(FunctionName=\"catalog\", InvocationType=\"{kind}\")"
                    ),
                    Some("catalog"),
                ),
                (
                    format!(
                        "[ERROR] {error}: An error occurred ({error}) when calling the Invoke operation: x\n\
                         Traceback (most recent call last):\n  File \"/var/task/app.py\", line 5, in handler\n    \
                         client.invoke(FunctionName=target, InvocationType=\"{kind}\")"
                    ),
                    None,
                ),
                (
                    format!(
                        "2026-03-01T12:00:00.000Z\tx\tERROR\tcould not call {{\n  FunctionName: 'catalog',\n  \
                         InvocationType: '{kind}'\n}} {error}: x\n    at /var/task/node_modules/@aws-sdk/client-lambda/index.js:1"
                    ),
                    Some("catalog"),
                ),
            ] {
                let lines = told(&record);
                assert_eq!(lines.len(), 1, "{record}: {lines:#?}");
                let diagnosis = &lines[0]["diagnosis"];
                assert_eq!(diagnosis["problem"], problem, "{record}");
                assert_eq!(diagnosis["view"], "caller", "{record}");
                let named = diagnosis["evidence"].get("calledFunctionName");
                assert_eq!(named.and_then(Value::as_str), name, "{record}");
                let message = lines[0]["message"].as_str().unwrap();
                assert_eq!(message.ends_with(": catalog"), name.is_some(), "{message}");
            }
        }
        problems.push(problem);
    }
    problems.dedup();
    assert!(problems.len() >= 13, "{problems:?}");
}
