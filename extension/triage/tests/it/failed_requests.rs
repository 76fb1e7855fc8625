//! Records of requests that failed before any sandbox began: what the failure watcher would have told.

use crate::program::run;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";

fn record(id: &str) -> Value {
    json!({
        "version": "1.0",
        "timestamp": "2026-03-01T11:59:58.000Z",
        "requestContext": {
            "requestId": id, "functionArn": format!("{ARN}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 3,
        },
        "requestPayload": {"card": "s3cr3t"},
        "responseContext": {"statusCode": 502, "executedVersion": "$LATEST"},
        "responsePayload": {"errorType": "KMSDisabledException", "errorMessage":
            "Lambda was unable to decrypt the environment variables because the KMS key used is disabled."},
    })
}

/// What `aws sqs receive-message --message-attribute-names All --attribute-names All` prints of a
/// dead-letter queue.
fn received(id: &str) -> Value {
    let text = |text: &str| json!({"StringValue": text, "DataType": "String"});
    json!({"Messages": [{
        "MessageId": "m", "ReceiptHandle": "r", "MD5OfBody": "x", "Body": "{\"card\":\"s3cr3t\"}",
        "Attributes": {"SentTimestamp": "1772366398000"},
        "MessageAttributes": {"RequestID": text(id), "ErrorCode": text("429"), "ErrorMessage": text("Rate Exceeded.")},
    }]})
}

fn of_stream(id: &str) -> Value {
    json!({
        "requestContext": {
            "requestId": id, "functionArn": ARN, "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 403, "executedVersion": "$LATEST", "functionError": null},
        "version": "1.0", "timestamp": "2026-03-01T11:59:58.000Z",
        "KinesisBatchInfo": {"shardId": "shardId-000000000001", "batchSize": 500},
    })
}

#[test]
fn records_letters_and_events_are_told_each_once() {
    let [a, b, c, d] =
        ["a", "b", "c", "d"].map(|n| format!("e4b46cbf-b738-4d2c-8880-a18cdf61200{n}"));
    let queued = json!({"Records": [
        {"messageId": "1", "eventSource": "aws:sqs", "body": record(&b).to_string(), "attributes": {}},
        {"messageId": "2", "eventSource": "aws:sqs", "body": "another's", "attributes": {}},
    ]});
    let values = [&record(&a), &queued, &received(&c), &of_stream(&d), &record(&a)];
    let input: String = values.map(|value| format!("{value}\n")).concat();
    let ran = run(&["replay", "--function-name=billing"], input.as_bytes());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.problems(), ["kms-disabled", "kms-disabled", "throttled"]);
    let lines = ran.lines();
    assert!(lines.iter().all(|line| line["diagnosis"]["view"] == "outside"), "{lines:#?}");
    let of: Vec<_> = lines.iter().map(|line| line["FunctionName"].as_str().unwrap()).collect();
    assert_eq!(of, ["orders", "orders", "billing"], "a letter does not say whose it is");
    assert!(!ran.stdout.contains("s3cr3t"));
    assert!(ran.stderr.contains("no record of a failed request"), "{}", ran.stderr);
    let counted = "4 failed requests, 1 for none of the known problems";
    assert!(ran.stderr.contains(counted), "{}", ran.stderr);
}

#[test]
fn what_the_sender_put_into_the_request_decides_neither_the_format_nor_what_is_told() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let payloads = [r#""a\ud83d""#, "1e400", &deep, "{}"];
    let lines: String = (0..)
        .zip(payloads)
        .map(|(n, payload)| {
            let record = record(&format!("e4b46cbf-b738-4d2c-8880-a18cdf61200{n}")).to_string();
            record.replace(r#"{"card":"s3cr3t"}"#, payload) + "\n"
        })
        .collect();
    assert!(lines.contains(&deep));
    let ran = run(&["replay"], lines.as_bytes());
    assert_eq!(ran.problems(), ["kms-disabled"; 4], "{ran:?}");
    assert!(ran.stderr.contains("4 failed requests"), "{}", ran.stderr);
}

#[test]
fn of_one_request_by_two_ways_the_one_that_says_more_is_told() {
    let id = "e4b46cbf-b738-4d2c-8880-a18cdf61200a";
    let mut silent = received(id);
    let error = &mut silent["Messages"][0]["MessageAttributes"];
    error["ErrorCode"]["StringValue"] = "502".into();
    error["ErrorMessage"]["StringValue"] = "Bad Gateway".into();
    for [first, second] in [[&silent, &record(id)], [&record(id), &silent]] {
        let ran = run(&["replay"], format!("{first}\n{second}\n{first}\n").as_bytes());
        assert_eq!(ran.problems(), ["kms-disabled"], "{ran:?}");
        assert!(ran.stderr.contains("1 failed request"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("none of the known"), "{}", ran.stderr);
    }
}

#[test]
fn a_list_and_what_a_person_reads() {
    let list: Vec<Value> = (10..50).map(|n| record(&format!("id-{n}"))).collect();
    let list = serde_json::to_string_pretty(&list).unwrap();
    let ran = run(&["replay", "--output=text"], list.as_bytes());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("view outside") && ran.stdout.contains("orders"), "{}", ran.stdout);
    // Folded as the failure watcher folds them.
    assert!(ran.stdout.contains("20 times"), "{}", ran.stdout);
    assert!(ran.stderr.contains("40 failed requests"), "{}", ran.stderr);
}

/// Queues are read in no order, and files may be written newest first; and a clock may have been wrong.
#[test]
fn what_is_told_does_not_hang_on_the_order_of_the_records() {
    let at = |n: usize, time: &str| {
        let mut record = record(&format!("e4b46cbf-b738-4d2c-8880-a18cdf6120{n:02}"));
        record["timestamp"] = time.into();
        record
    };
    let mut hourly: Vec<Value> = (0..48)
        .map(|n| at(n, &format!("2026-03-{:02}T{:02}:00:00.000Z", 1 + n / 24, n % 24)))
        .collect();
    let told = |records: &[Value]| {
        let ran = run(&["replay"], serde_json::to_string(records).unwrap().as_bytes());
        let of = |line: &Value| line["diagnosis"]["occurrences"].as_u64().unwrap();
        ran.lines().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(told(&hourly), [1; 48]);
    hourly.reverse();
    assert_eq!(told(&hourly), [1; 48], "newest first");
    hourly.insert(0, at(60, "2099-01-01T00:00:00.000Z"));
    assert_eq!(told(&hourly), [1; 49], "beside one of the far future");
}

/// It would be a false all-clear.
#[test]
fn messages_without_their_attributes_are_not_passed_over() {
    let mut received = received("e4b46cbf-b738-4d2c-8880-a18cdf61200a");
    received["Messages"][0].as_object_mut().unwrap().remove("MessageAttributes");
    let ran = run(&["replay"], format!("{received:#}").as_bytes());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--message-attribute-names All"), "{}", ran.stderr);
}

#[test]
fn what_is_no_record_is_said() {
    for (input, code) in [("{}", 2), ("not JSON", 2), ("{\"Records\":[]}", 0), ("[]", 0)] {
        let ran = run(&["replay", "--format=failed-requests"], input.as_bytes());
        assert_eq!(ran.code, code, "{input}: {ran:?}");
        assert_eq!(ran.stdout, "", "{input}");
    }
}
