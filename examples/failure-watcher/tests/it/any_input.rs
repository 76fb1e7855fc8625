//! Whatever stands in the place of a field, the watcher answers, and its lines are sound.

use crate::told::*;
use serde_json::{Value, json};

/// The events of all sources, each with what stands in a string as the value it is.
fn events() -> Vec<Value> {
    let body = record().to_string();
    vec![
        record(),
        sqs([(body.as_str(), json!({}))]),
        sqs([("{}", dead_letter("403", MOUNT))]),
        sqs([(notification(&body, json!({})).to_string().as_str(), json!({}))]),
        sns(&body, json!({})),
        sns("{}", of_topic(&dead_letter("429", "Rate Exceeded."))),
        event_bridge(record()),
        json!({"check": ["orders"]}),
        json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
    ]
}

/// The places in a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What may stand there instead.
fn others() -> [Value; 12] {
    [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("é\u{0}\n\"\\"),
        json!("{\"errorType\":\"EFSIOException\",\"errorMessage\":\"\\u"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([null, [{}], "x"]),
        json!({}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}], "errorType": {}}),
    ]
}

#[test]
fn each_field_may_be_anything_or_missing() {
    let mut told = Told::new();
    for event in events() {
        let mut all = Vec::new();
        places(&event, "", &mut all);
        for place in all {
            for other in others() {
                let mut changed = event.clone();
                *changed.pointer_mut(&place).unwrap() = other;
                check(&mut told, &changed);
            }
            if let Some((parent, name)) = place.rsplit_once('/') {
                let mut changed = event.clone();
                if let Value::Object(fields) = changed.pointer_mut(parent).unwrap() {
                    fields.remove(name);
                }
                check(&mut told, &changed);
            }
        }
    }
}

#[test]
fn each_beginning_of_a_message_is_taken() {
    let mut told = Told::new();
    let body = notification(&record().to_string(), json!({})).to_string();
    for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)) {
        let (answer, _) = told.handle(&sqs([(&body[..end], json!({}))]));
        assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": "message-0"}]));
    }
}

/// The answer has its form; [`Told::handle`] checks the lines.
fn check(told: &mut Told, event: &Value) {
    // As if it had not come before.
    told.now = told.now.plus_ms(2 * 60 * 60_000);
    let (answer, lines) = told.handle(event);
    assert!(answer["batchItemFailures"].is_array() || answer["functions"].is_u64(), "{answer}");
    for line in lines {
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert!(line.get("_aws").is_none_or(|_| line["diagnosis"]["view"] == "outside"), "{line}");
        assert!(!line.to_string().contains("9e07af03"), "{line}");
    }
}
