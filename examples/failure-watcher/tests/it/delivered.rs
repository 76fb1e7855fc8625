//! One request that comes more than once, or by two ways.

use crate::told::*;
use serde_json::{Value, json};

fn problem(lines: &[Value]) -> &str {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0]["diagnosis"]["problem"].as_str().unwrap_or_default()
}

#[test]
fn what_is_delivered_twice_counts_once_within_the_window() {
    let mut told = Told::with(&[("TRIAGE_DEAD_LETTERS", "failures=orders")]);
    let body = record().to_string();
    let twice = sqs([(body.as_str(), json!({})), (body.as_str(), json!({}))]);
    assert_eq!(problem(&told.lines(&twice)), "efs-mount-failure");
    let (answer, lines) = told.handle(&twice);
    assert_eq!((answer, lines.len()), (json!({"batchItemFailures": []}), 0));
    // The same request, as a dead letter too.
    assert_eq!(told.lines(&sqs([("{}", dead_letter("403", MOUNT))])).len(), 0);
    told.now = told.now.plus_ms(60 * 60_000);
    assert_eq!(problem(&told.lines(&record())), "efs-mount-failure");
}

/// What is told of one request that comes by these ways, one after the other: the stage and the function.
fn told_of(ways: &[&Value]) -> Vec<[String; 2]> {
    let mut told = Told::new();
    let lines: Vec<Value> = ways.iter().chain(ways).flat_map(|way| told.lines(way)).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |line: &Value| [text(&line["diagnosis"]["stage"]), text(&line["FunctionName"])];
    lines.iter().map(of).collect()
}

#[test]
fn of_one_request_by_two_ways_the_one_that_says_more_is_told() {
    let whole = record().to_string();
    let whole = sqs([(whole.as_str(), json!({}))]);
    let mut bare = record();
    bare["responsePayload"] = json!(null);
    let letter = |code, message| sqs([("{}", dead_letter(code, message))]);
    let silent = letter("403", "Forbidden");
    let anonymous = letter("403", MOUNT);
    let [confirmed, of_nobody] = ["orders", ""].map(|name| ["confirmed".into(), name.into()]);
    let unknown = |name: &str| [String::new(), name.to_owned()];
    for less in [&silent, &anonymous, &bare] {
        assert_eq!(told_of(&[&whole, less]), std::slice::from_ref(&confirmed));
    }
    // What nothing was made of, and what told of no function, stands in nobody's way.
    assert_eq!(told_of(&[&silent, &whole]), [unknown(""), confirmed.clone()]);
    assert_eq!(told_of(&[&bare, &whole]), [unknown("orders"), confirmed.clone()]);
    assert_eq!(told_of(&[&bare, &anonymous]), [unknown("orders"), of_nobody.clone()]);
    assert_eq!(told_of(&[&anonymous, &whole]), [of_nobody, confirmed]);
}

#[test]
fn a_suspicion_that_becomes_certain_is_told() {
    let mut pending = record();
    pending["responseContext"]["statusCode"] = 409.into();
    pending["responsePayload"] = json!({"errorType": "ResourceConflictException", "errorMessage":
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"});
    let mut bare = pending.clone();
    bare["responsePayload"] = json!(null);
    let [suspected, confirmed] =
        ["suspected", "confirmed"].map(|s| [s.to_owned(), "orders".into()]);
    assert_eq!(told_of(&[&bare, &pending]), [suspected, confirmed.clone()]);
    assert_eq!(told_of(&[&pending, &bare]), [confirmed]);
}

#[test]
fn an_id_that_is_none_of_lambdas_tells_no_request_from_another() {
    let of = |id: &str, name: &str| {
        let mut record = record_of(id);
        record["requestContext"]["functionArn"] = ARN.replace("orders", name).into();
        record.to_string()
    };
    for id in ["-", "1", ID] {
        let (orders, billing) = (of(id, "orders"), of(id, "billing"));
        let event = sqs([(orders.as_str(), json!({})), (billing.as_str(), json!({}))]);
        let mut told = Told::new();
        let lines = told.lines(&event);
        let mut names: Vec<_> = lines.iter().map(|line| line["FunctionName"].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, [Some("billing"), Some("orders")], "{id}");
        assert_eq!(told.lines(&event), [json!(null); 0], "the same messages, delivered again");
    }
}

#[test]
fn what_has_no_request_id_counts_once_by_its_message() {
    let rule = json!({
        "TARGET_ARN": {"stringValue": ARN, "dataType": "String"},
        "ERROR_CODE": {"stringValue": "NO_PERMISSIONS", "dataType": "String"},
    });
    let mut event = sqs([("{}", rule.clone())]);
    let mut told = Told::new();
    assert_eq!(problem(&told.lines(&event)), "invoke-access-denied");
    assert_eq!(told.lines(&event), [json!(null); 0], "the same message, delivered again");
    event["Records"][0]["messageId"] = "another".into();
    assert_eq!(problem(&told.lines(&event)), "invoke-access-denied");
    let of_topic = sns("{}", of_topic(&rule));
    assert_eq!(problem(&told.lines(&of_topic)), "invoke-access-denied");
    assert_eq!(told.lines(&of_topic), [json!(null); 0]);
}
