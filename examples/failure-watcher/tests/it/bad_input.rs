//! What is not as it should be.

use crate::told::*;
use failure_watcher::Handler;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;
use triage_diagnosis::Timestamp;

fn problem(lines: &[Value]) -> &str {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0]["diagnosis"]["problem"].as_str().unwrap_or_default()
}

#[test]
fn a_record_without_a_response_payload() {
    let mut record = record();
    record.as_object_mut().unwrap().remove("responsePayload");
    // The status alone stands for three errors.
    let lines = Told::new().lines(&record);
    assert_eq!(problem(&lines), "");
    assert_eq!(lines[0]["failure"]["statusCode"], 403);
    assert_eq!((&lines[0]["FunctionName"], &lines[0]["requestId"]), (&json!("orders"), &json!(ID)));
    assert_eq!(lines[0].get("_aws"), None, "it is no diagnosis, and counts in nothing");

    record.as_object_mut().unwrap().remove("responseContext");
    record["requestContext"]["condition"] = "ZeroReservedConcurrency".into();
    let lines = Told::new().lines(&record);
    assert_eq!(problem(&lines), "throttled");
    assert_eq!(lines[0]["diagnosis"]["cause"], "reserved-concurrency");
}

#[test]
fn a_payload_that_is_a_string() {
    let mut record = record();
    record["responsePayload"] = format!("EFSMountFailureException: {MOUNT}").into();
    assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
    record["responsePayload"] = MOUNT.into();
    assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
}

#[test]
fn a_payload_that_is_truncated_at_one_kilobyte() {
    let long = format!("{MOUNT} {}", "x".repeat(2_000));
    let document =
        json!({"errorType": "EFSMountFailureException", "errorMessage": long}).to_string();
    let mut record = record();
    record["responsePayload"] = document[..1024].into();
    assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
    let (head, _) = MOUNT.split_at(70);
    let cut = json!({"errorMessage": head}).to_string();
    record["responsePayload"] = cut[..cut.len() - 2].into();
    assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
    let dead = sqs([("{}", dead_letter("403", &long[..1024]))]);
    assert_eq!(problem(&Told::new().lines(&dead)), "efs-mount-failure");
}

#[test]
fn a_payload_that_is_encoded_twice() {
    let mut record = record();
    for _ in 0..3 {
        record["responsePayload"] = record["responsePayload"].to_string().into();
        assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
    }
    // So may the record itself be.
    let body = Value::String(crate::told::record().to_string()).to_string();
    assert_eq!(
        problem(&Told::new().lines(&sqs([(body.as_str(), json!({}))]))),
        "efs-mount-failure"
    );
}

#[test]
fn what_the_sender_put_into_the_request_does_not_decide_whether_its_failure_is_told() {
    for payload in odd_payloads() {
        let record = record_with(ID, &payload);
        let of_queue = sqs([(record.as_str(), json!({}))]).to_string();
        let notified = notification(&record, json!({})).to_string();
        let of_topic_in_queue = sqs([(notified.as_str(), json!({}))]).to_string();
        let of_topic = sns(&record, json!({})).to_string();
        let of_bus = event_bridge(json!("RECORD")).to_string().replace("\"RECORD\"", &record);
        for event in [&record, &of_queue, &of_topic_in_queue, &of_topic, &of_bus] {
            let (answer, lines) = Told::new().handle_text(event);
            assert_eq!(answer, json!({"batchItemFailures": []}));
            assert_eq!(problem(&lines), "efs-mount-failure");
            assert_eq!(
                (&lines[0]["FunctionName"], &lines[0]["requestId"]),
                (&json!("orders"), &json!(ID))
            );
        }
    }
    // What the function answered may hold such text as well.
    let cut = record().to_string().replace("abcdef0.", "abcdef0. \\ud83d");
    assert!(cut.contains("\\ud83d"));
    assert_eq!(problem(&Told::new().handle_text(&cut).1), "efs-mount-failure");
    let (_, lines) = Told::new().handle_text("{\"requestContext\":");
    assert_eq!(problem(&lines), "", "one line says that it was not taken");
}

#[test]
fn a_record_of_another_service() {
    for other in [
        json!({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "EFSIOException: x"}}}]}),
        json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "detail": record()}),
        json!({"requestContext": {"pipeArn": "arn:aws:pipes:eu-west-1:123456789012:pipe/x", "condition": "RetryAttemptsExhausted"}}),
        json!({"requestContext": {"functionArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:x"}}),
        json!({"requestContext": {"http": {"method": "GET"}}, "body": "EFSIOException: x"}),
        json!(null),
        json!(7),
        json!("EFSIOException: x"),
    ] {
        let (answer, lines) = Told::new().handle(&other);
        assert_eq!(answer, json!({"batchItemFailures": []}));
        assert_eq!(problem(&lines), "", "{other}");
        assert_eq!(lines[0]["level"], "WARN");
        assert!(!lines[0].to_string().contains("EFSIO"), "nothing of it is shown");
        let in_queue = sqs([(other.to_string().as_str(), json!({}))]);
        let (answer, lines) = Told::new().handle(&in_queue);
        let stays = json!([{"itemIdentifier": "message-0"}]);
        assert_eq!(answer["batchItemFailures"], stays, "it stays for whom it is meant for");
        assert_eq!(problem(&lines), "");
    }
    assert_eq!(Told::new().lines(&json!([])), [json!(null); 0]);
}

#[test]
fn conditions_that_are_not_known() {
    let mut record = record();
    record["requestContext"]["condition"] = "SomethingNew".into();
    let lines = Told::new().lines(&record);
    assert_eq!(problem(&lines), "efs-mount-failure");
    assert_eq!(lines[0]["diagnosis"]["evidence"]["condition"], "SomethingNew");
    record["responsePayload"] =
        json!({"errorType": "ValueError", "errorMessage": "order 7 of jane@example.com"});
    record["requestContext"]["requestId"] = "2".into();
    record["requestContext"]["condition"] = "private words".into();
    let lines = Told::new().lines(&record);
    assert_eq!(problem(&lines), "");
    assert!(!lines[0].to_string().contains("jane"), "{lines:#?}");
    assert!(!lines[0].to_string().contains("private"), "{lines:#?}");
}

#[test]
fn fields_of_other_types_and_sizes() {
    for (field, value) in [
        ("requestId", json!(7)),
        ("requestId", json!("x".repeat(100_000))),
        ("condition", json!(["a"])),
        ("condition", json!("x".repeat(100_000))),
        ("approximateInvokeCount", json!("3")),
        ("approximateInvokeCount", json!(-1)),
    ] {
        let mut record = record();
        record["requestContext"][field] = value;
        assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure", "{field}");
    }
    for (field, value) in
        [("statusCode", json!(70_000)), ("executedVersion", json!({})), ("functionError", json!(1))]
    {
        let mut record = record();
        record["responseContext"][field] = value;
        assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure", "{field}");
    }
    for timestamp in [json!(1_772_366_398_000_u64), json!("yesterday"), json!(null)] {
        let mut record = record();
        record["timestamp"] = timestamp;
        assert_eq!(problem(&Told::new().lines(&record)), "efs-mount-failure");
    }
    let mut record = record();
    record["requestContext"]["functionArn"] = format!("{ARN}:{}", "x".repeat(100_000)).into();
    assert_eq!(problem(&Told::new().lines(&record)), "", "no function has such a version");
}

#[test]
fn wrappings_without_end() {
    let mut event = record().to_string();
    for _ in 0..20 {
        event = event_bridge(serde_json::from_str(&event).unwrap()).to_string();
    }
    let (_, lines) = Told::new().handle(&serde_json::from_str(&event).unwrap());
    assert_eq!(problem(&lines), "");
}

#[test]
fn a_batch_of_ten_thousand() {
    let ids: Vec<String> =
        (0..10_000).map(|n| format!("{n:08}-b738-4d2c-8880-a18cdf61200e")).collect();
    let bodies: Vec<String> = ids.iter().map(|id| record_of(id).to_string()).collect();
    let event = sqs(bodies.iter().map(|body| (body.as_str(), json!({}))));
    let (answer, lines) = Told::new().handle(&event);
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let count: u64 = lines.iter().map(|line| line["EfsFailures"].as_u64().unwrap()).sum();
    let occurrences = lines.iter().map(|line| line["diagnosis"]["occurrences"].as_u64().unwrap());
    assert_eq!((count, occurrences.sum::<u64>()), (10_000, 10_000), "each counts");
    assert_eq!(lines.len(), 21, "and few lines tell of them");

    let unknown: Vec<String> = ids
        .iter()
        .map(|id| {
            let mut record = record_of(id);
            record["responsePayload"] = json!({"errorType": "ValueError"});
            record.to_string()
        })
        .collect();
    let event = sqs(unknown.iter().map(|body| (body.as_str(), json!({}))));
    let lines = Told::new().lines(&event);
    assert_eq!(lines.len(), 21);
    assert!(lines[20]["message"].as_str().unwrap().starts_with("9980 more"), "{}", lines[20]);

    let event = sqs(ids.iter().map(|id| (id.as_str(), json!({}))));
    let (answer, lines) = Told::new().handle(&event);
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 10_000);
    assert!(lines.len() <= 21);
}

#[test]
fn very_many_functions() {
    let bodies: Vec<String> = (0..3_000)
        .map(|n| {
            let mut record = record_of(&format!("{n:08}-b738-4d2c-8880-a18cdf61200e"));
            record["requestContext"]["functionArn"] = format!("{ARN}-{n}").into();
            record.to_string()
        })
        .collect();
    let lines = Told::new().lines(&sqs(bodies.iter().map(|body| (body.as_str(), json!({})))));
    let mut names: Vec<_> = lines.iter().map(|line| line["FunctionName"].to_string()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((lines.len(), names.len()), (3_000, 3_000));
}

#[test]
fn a_message_with_attributes_of_such_names_is_not_taken() {
    for attributes in [
        &[("ErrorCode", "429")][..],
        &[("ErrorMessage", MOUNT)],
        &[("RequestID", ID)],
        &[("RequestID", "order-7"), ("ErrorCode", "429"), ("ErrorMessage", "Rate Exceeded.")],
        &[("RequestID", "A1"), ("ErrorCode", "403"), ("ErrorMessage", MOUNT)],
        &[("RequestID", ID), ("ErrorCode", "E17"), ("ErrorMessage", "out of stock")],
        &[("RequestID", ID), ("ErrorCode", "7"), ("ErrorMessage", MOUNT)],
        &[("TARGET_ARN", ARN)],
        &[("TARGET_ARN", ARN), ("ERROR_MESSAGE", "Rate Exceeded.")],
    ] {
        let value = |text: &str| json!({"stringValue": text, "dataType": "String"});
        let named: Value =
            attributes.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
        let (answer, lines) = Told::new().handle(&sqs([(r#"{"order":7}"#, named)]));
        let stays = json!([{"itemIdentifier": "message-0"}]);
        assert_eq!(answer["batchItemFailures"], stays, "{attributes:?}");
        assert_eq!(problem(&lines), "");
    }
}

#[test]
fn a_problem_that_is_disabled_is_not_told_in_other_words() {
    let mut throttled = record_of("1");
    throttled["responseContext"]["statusCode"] = 429.into();
    throttled["responsePayload"] = json!(null);
    let mut unknown = record_of("2");
    unknown["responsePayload"] = json!({"errorType": "ValueError"});
    let mut told = Told::with(&[("TRIAGE_DISABLE", "throttled")]);
    assert_eq!(told.lines(&throttled), [json!(null); 0]);
    assert_eq!(problem(&told.lines(&unknown)), "", "what no detector knows is told");
}

#[test]
fn a_name_alone_is_a_suspicion_where_it_is_not_told_what_failed() {
    let mut record = record();
    record.as_object_mut().unwrap().remove("responseContext");
    record["responsePayload"] =
        json!({"errorType": "TooManyRequestsException", "errorMessage": "the shop is busy"});
    for (status, stage) in
        [(None, Some("suspected")), (Some(429), Some("confirmed")), (Some(200), None)]
    {
        if let Some(status) = status {
            record["responseContext"] = json!({"statusCode": status});
        }
        let lines = Told::new().lines(&record);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["diagnosis"]["stage"].as_str(), stage, "{status:?}");
    }
    // Whatever it was given up for, if that is told at all; and so the errors that have one meaning.
    record.as_object_mut().unwrap().remove("responseContext");
    for (error_type, message) in [
        ("TooManyRequestsException", "the shop is busy"),
        ("KMSDisabledException", "the key of the vault"),
        ("THROTTLING", "the shop is busy"),
    ] {
        record["responsePayload"] = json!({"errorType": error_type, "errorMessage": message});
        for condition in ["", "RetriesExhausted", "MaximumEventAgeExceeded", "retriesexhausted"] {
            record["requestContext"]["condition"] = condition.into();
            if condition.is_empty() {
                record["requestContext"].as_object_mut().unwrap().remove("condition");
            }
            for line in Told::new().lines(&record) {
                assert_ne!(line["diagnosis"]["stage"], "confirmed", "{line:#}");
            }
        }
        let mut letter = dead_letter("", &format!("our own: {error_type}: {message}"));
        letter.as_object_mut().unwrap().remove("ErrorCode");
        for line in Told::new().lines(&sqs([("{}", letter)])) {
            assert_ne!(line["diagnosis"]["stage"], "confirmed", "{line:#}");
        }
    }
    record["responsePayload"] =
        json!({"errorType": "TooManyRequestsException", "errorMessage": "the shop is busy"});
    record["responseContext"] = json!({"statusCode": 200});
    // It ran, though functionError is not there.
    let lines = Told::with(&[("TRIAGE_FUNCTION_ERRORS", "off")]).lines(&record);
    assert!(lines.iter().all(|line| line["level"] == "INFO"), "{lines:#?}");
}

/// Full until it is emptied.
struct Full(bool, Vec<u8>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 { Err(io::ErrorKind::StorageFull.into()) } else { self.1.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_could_not_be_written_is_told_when_it_comes_again() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut handler = Handler::new(|_| None, Full(true, Vec::new()), now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let left = Duration::from_secs(30);
    let first = runtime.block_on(handler.handle(&record().to_string(), left, || now));
    assert!(first.is_err(), "the event comes again");
    handler.out_mut().0 = false;
    runtime.block_on(handler.handle(&record().to_string(), left, || now)).unwrap();
    let line: Value = serde_json::from_slice(&handler.out_mut().1).unwrap();
    assert_eq!(line["diagnosis"]["problem"], "efs-mount-failure");
}

#[test]
fn a_tag_that_says_no() {
    for value in ["no", "No", " off ", "false", "0"] {
        assert!(failure_watcher::check::says_no(value), "{value}");
    }
    for value in ["yes", "", "on", "nothing", "1"] {
        assert!(!failure_watcher::check::says_no(value), "{value}");
    }
}
