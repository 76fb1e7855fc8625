//! Each way by which the failure of a request may come.

use crate::told::*;
use serde_json::{Value, json};

/// What must be told of the file system that could not be mounted, whichever way it came.
#[track_caller]
fn assert_mount_failure(lines: &[Value]) {
    let [line] = lines else { panic!("{lines:#?}") };
    assert_eq!(line["diagnosis"]["problem"], "efs-mount-failure");
    assert_eq!(line["diagnosis"]["stage"], "confirmed");
    assert_eq!(line["diagnosis"]["view"], "outside");
    assert_eq!(line["requestId"], ID);
    assert_eq!(line["FunctionName"], "orders");
    assert_eq!((&line["EfsFailures"], &line["Problems"]), (&json!(1), &json!(1)));
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "LambdaTriage");
    assert_eq!(directive["Dimensions"], json!([["FunctionName"], []]));
    assert_eq!(line["_aws"]["Timestamp"], 1_772_366_400_000_u64, "when it was written");
    let evidence = &line["diagnosis"]["evidence"];
    assert_eq!(evidence["statusCode"], 403);
    assert!(evidence["accessPointArn"].as_str().unwrap().ends_with("fsap-0123456789abcdef0"));
    assert!(!line.to_string().contains("9e07af03"), "the event that failed stays private");
}

#[test]
fn a_destination_record_from_lambda_itself() {
    let lines = Told::new().lines(&record());
    assert_mount_failure(&lines);
    assert_eq!(lines[0]["functionArn"], format!("{ARN}:$LATEST"));
    assert_eq!(lines[0]["functionVersion"], "$LATEST");
    assert_eq!(lines[0]["timestamp"], "2026-03-01T11:59:58.000Z", "when it happened");
    assert_eq!(lines[0]["diagnosis"]["evidence"]["attempts"], 3);
    assert_eq!(lines[0]["diagnosis"]["evidence"]["condition"], "RetriesExhausted");
}

#[test]
fn a_destination_record_in_a_queue() {
    let body = record().to_string();
    let (answer, lines) = Told::new().handle(&sqs([(body.as_str(), json!({}))]));
    assert_mount_failure(&lines);
    assert_eq!(answer, json!({"batchItemFailures": []}));
}

#[test]
fn a_destination_record_in_a_topic() {
    assert_mount_failure(&Told::new().lines(&sns(&record().to_string(), json!({}))));
}

#[test]
fn a_destination_record_on_an_event_bus() {
    assert_mount_failure(&Told::new().lines(&event_bridge(record())));
}

#[test]
fn a_destination_record_in_a_topic_in_a_queue_with_and_without_raw_delivery() {
    let body = notification(&record().to_string(), json!({})).to_string();
    assert_mount_failure(&Told::new().lines(&sqs([(body.as_str(), json!({}))])));
    let raw = record().to_string();
    assert_mount_failure(&Told::new().lines(&sqs([(raw.as_str(), json!({}))])));
}

#[test]
fn a_destination_record_on_a_bus_in_a_topic_in_a_queue() {
    let event = event_bridge(record()).to_string();
    let body = notification(&event, json!({})).to_string();
    assert_mount_failure(&Told::new().lines(&sqs([(body.as_str(), json!({}))])));
}

#[test]
fn a_dead_letter_message_in_a_queue() {
    // Its body is the event that failed, whatever that is.
    for body in [r#"{"ORDER_IDS":["9e07af03"]}"#, "9e07af03, not JSON", &record().to_string()] {
        let mut told = Told::with(&[("TRIAGE_DEAD_LETTERS", "failures=orders")]);
        assert_mount_failure(&told.lines(&sqs([(body, dead_letter("403", MOUNT))])));
    }
}

#[test]
fn a_dead_letter_message_in_a_topic_and_in_a_queue_behind_it() {
    let settings = [("TRIAGE_DEAD_LETTERS", "failures=orders")];
    let attributes = of_topic(&dead_letter("403", MOUNT));
    let lines = Told::with(&settings).lines(&sns("{}", attributes.clone()));
    assert_mount_failure(&lines);
    let body = notification("{}", attributes).to_string();
    assert_mount_failure(&Told::with(&settings).lines(&sqs([(body.as_str(), json!({}))])));
}

#[test]
fn whose_dead_letters_a_queue_holds_is_set_or_not_known() {
    let queue = sqs([("{}", dead_letter("403", MOUNT))]);
    let topic = sns("{}", of_topic(&dead_letter("403", MOUNT)));
    for event in [queue, topic] {
        let told = |settings: &[(&str, &str)]| Told::with(settings).lines(&event).remove(0);
        let settings = [("TRIAGE_DEAD_LETTERS", "failures=billing")];
        assert_eq!(told(&settings)["FunctionName"], "billing");
        let line = told(&[]);
        assert_eq!(line.get("FunctionName"), None, "not even that of its sender's session");
        let dimensions = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(*dimensions, json!([[]]), "it counts among all functions'");
    }
}

fn batch(info: &str, stream: &str) -> Value {
    json!({
        "requestContext": {
            "requestId": ID,
            "functionArn": ARN,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 429, "executedVersion": "$LATEST"},
        "version": "1.0",
        "timestamp": "2026-03-01T11:59:58.021Z",
        info: {
            "shardId": "shardId-000000000001",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2026-03-01T11:59:57Z",
            "approximateArrivalOfLastRecord": "2026-03-01T11:59:57Z",
            "batchSize": 500,
            "streamArn": stream,
        },
    })
}

#[test]
fn the_records_of_event_source_mappings() {
    for (info, stream) in [
        ("KinesisBatchInfo", "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"),
        ("DDBStreamBatchInfo", "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026"),
    ] {
        let batch = batch(info, stream).to_string();
        for event in [sqs([(batch.as_str(), json!({}))]), sns(&batch, json!({}))] {
            let lines = Told::new().lines(&event);
            assert_eq!(lines.len(), 1, "{lines:#?}");
            assert_eq!(lines[0]["diagnosis"]["problem"], "throttled");
            assert_eq!(
                (&lines[0]["Throttles"], &lines[0]["FunctionName"]),
                (&json!(1), &json!("orders"))
            );
            assert_eq!(lines[0]["diagnosis"]["evidence"]["condition"], "RetryAttemptsExhausted");
        }
    }
}

#[test]
fn what_a_rule_of_event_bridge_could_not_deliver() {
    let attributes = json!({
        "RULE_ARN": {"stringValue": "arn:aws:events:eu-west-1:123456789012:rule/r", "dataType": "String"},
        "TARGET_ARN": {"stringValue": ARN, "dataType": "String"},
        "ERROR_CODE": {"stringValue": "NO_PERMISSIONS", "dataType": "String"},
        "ERROR_MESSAGE": {"stringValue": "no permission to invoke it", "dataType": "String"},
    });
    let lines = Told::new().lines(&sqs([("{}", attributes)]));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["diagnosis"]["problem"], "invoke-access-denied");
    assert_eq!(lines[0]["diagnosis"]["cause"], "no-resource-based-policy");
    assert_eq!(
        (&lines[0]["AccessDenied"], &lines[0]["FunctionName"]),
        (&json!(1), &json!("orders"))
    );
}

/// The handler let through what a call of its own met: that is not about the function of the line.
#[test]
fn what_a_function_that_it_called_met() {
    let mut record = record();
    record["responseContext"] =
        json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"});
    record["responsePayload"] = json!({
        "errorType": "TooManyRequestsException",
        "errorMessage": "An error occurred (TooManyRequestsException) when calling the Invoke operation: Rate Exceeded.",
    });
    let lines = Told::new().lines(&record);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["diagnosis"]["problem"], "throttled");
    let advice = lines[0]["diagnosis"]["advice"].as_str().unwrap();
    assert!(advice.contains("the called function's"), "{advice}");
    let before = json!({"statusCode": 429, "executedVersion": "$LATEST"});
    let mut record = record_of("other");
    record["responseContext"] = before;
    record["responsePayload"] = json!({"Message": "Rate Exceeded."});
    let lines = Told::new().lines(&record);
    let advice = lines[0]["diagnosis"]["advice"].as_str().unwrap();
    assert!(advice.contains("the function's"), "{advice}");
}

#[test]
fn what_a_schedule_could_not_deliver() {
    let string = |text: &str| json!({"stringValue": text, "dataType": "String"});
    let invoke = "arn:aws:scheduler:::aws-sdk:lambda:invoke";
    for (target, message, function, expected) in [
        (ARN, "{}", "orders", "throttled"),
        (invoke, r#"{"FunctionName": "billing", "Payload": "{}"}"#, "billing", "throttled"),
        (invoke, &format!(r#"{{"FunctionName": "{ARN}:live"}}"#), "orders", "throttled"),
        (invoke, r#"{"FunctionName": "123456789012:function:a"}"#, "a", "throttled"),
        // Nobody says whose it is.
        (invoke, "no JSON", "", "throttled"),
        (invoke, r#"{"FunctionName": "a b"}"#, "", "throttled"),
    ] {
        let attributes = json!({
            "TARGET_ARN": string(target),
            "SCHEDULE_ARN": string("arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s"),
            "ERROR_CODE": string("ThrottlingException"),
            "ERROR_MESSAGE": string("Rate exceeded"),
            "EXHAUSTED_RETRY_CONDITION": string("MaximumRetryAttempts"),
            "RETRY_ATTEMPTS": string("3"),
        });
        let (answer, lines) = Told::new().handle(&sqs([(message, attributes)]));
        assert_eq!(answer, json!({"batchItemFailures": []}));
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["diagnosis"]["problem"], expected);
        assert_eq!(lines[0]["FunctionName"].as_str().unwrap_or_default(), function, "{message}");
        assert!(lines[0].get("functionVersion").is_none(), "an alias is no version");
    }
    // Another target's dead letters are none of Lambda's.
    let other = json!({
        "TARGET_ARN": string("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"),
        "ERROR_CODE": string("ThrottlingException"),
    });
    let (answer, _) = Told::new().handle(&sqs([(r#"{"FunctionName": "orders"}"#, other)]));
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_dead_letter_of_a_bus_around_lambdas_own_event_tells_of_both_failures() {
    let string = |text: &str| json!({"stringValue": text, "dataType": "String"});
    let of_rule = json!({
        "RULE_ARN": string("arn:aws:events:eu-west-1:123456789012:rule/r"),
        "TARGET_ARN": string(&ARN.replace("orders", "mailer")),
        "ERROR_CODE": string("THROTTLING"),
    });
    let mut of_lambda = dead_letter("429", "Rate Exceeded.");
    of_lambda["RequestID"]["stringValue"] = format!("0{}", &ID[1..]).into();
    let record = record().to_string();
    let bus = event_bridge(serde_json::from_str(&record).unwrap()).to_string();
    let of_topic = sns(&record, json!({})).to_string();
    for (attributes, whose) in [(&of_rule, "mailer"), (&of_lambda, "watcher")] {
        for message in [&record, &bus, &of_topic] {
            // What any other letter was to bring, a stranger may have written.
            let is_lambdas = whose == "mailer" && message == &bus;
            let event = sqs([(message.as_str(), attributes.clone())]);
            let mut told = Told::with(&[("TRIAGE_DEAD_LETTERS", "failures=watcher")]);
            let (answer, mut lines) = told.handle(&event);
            assert_eq!(answer, json!({"batchItemFailures": []}));
            lines.sort_by_key(|line| line["diagnosis"]["problem"].to_string());
            let of = |line: &Value| {
                let problem = line["diagnosis"]["problem"].as_str().map(str::to_owned);
                problem.zip(line["FunctionName"].as_str().map(str::to_owned)).unwrap()
            };
            let expected = [("efs-mount-failure", "orders"), ("throttled", whose)];
            let expected = expected.map(|(problem, name)| (problem.into(), name.into()));
            let expected = &expected[usize::from(!is_lambdas)..];
            assert_eq!(lines.iter().map(of).collect::<Vec<_>>(), expected, "{message}");
            assert_eq!(told.lines(&event), [json!(null); 0], "the same message, delivered again");
        }
    }
    // Any other event is nobody's failure.
    let event = sqs([(r#"{"Records":[{"eventSource":"aws:s3"}]}"#, of_rule)]);
    assert_eq!(Told::new().lines(&event).len(), 1);
}

#[test]
fn a_mixture_is_told_function_by_function_and_answered_message_by_message() {
    let mut billing = record_of("11111111-b738-4d2c-8880-a18cdf61200e");
    billing["requestContext"]["functionArn"] = ARN.replace("orders", "billing").into();
    billing["responseContext"]["statusCode"] = 502.into();
    billing["responsePayload"] = json!({"errorType": "KMSDisabledException", "errorMessage":
        "Lambda was unable to decrypt the environment variables because the KMS key used is disabled."});
    let billing = event_bridge(billing).to_string();
    let success = {
        let mut success = record_of("22222222-b738-4d2c-8880-a18cdf61200e");
        success["requestContext"]["condition"] = "Success".into();
        success["responseContext"]["statusCode"] = 200.into();
        success["responsePayload"] = json!({"errorMessage": "of its own"});
        success.to_string()
    };
    let s3 = r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#;
    let dead = dead_letter("429", "Rate Exceeded.");
    let event = sqs([
        (s3, json!({})),
        (billing.as_str(), json!({})),
        ("{}", dead),
        ("not JSON", json!({})),
        (success.as_str(), json!({})),
    ]);
    let settings = [("TRIAGE_DEAD_LETTERS", "failures=orders")];
    let (answer, mut lines) = Told::with(&settings).handle(&event);
    let refused = json!([{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-3"}]);
    assert_eq!(answer["batchItemFailures"], refused);
    lines.sort_by_key(|line| line["FunctionName"].to_string());
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line.get("diagnosis").is_some())
        .map(|line| (&line["FunctionName"], &line["diagnosis"]["problem"]))
        .map(|(name, problem)| (name.as_str().unwrap(), problem.as_str().unwrap()))
        .collect();
    assert_eq!(told, [("billing", "kms-disabled"), ("orders", "throttled")]);
    assert_eq!(lines.len(), 4, "nothing is told of the one that succeeded");
    let warned: Vec<_> = lines.iter().filter_map(|line| line["messageId"].as_str()).collect();
    assert_eq!(warned, ["message-0", "message-3"]);
}

#[test]
fn what_the_function_itself_failed_of_is_told_unless_that_is_turned_off() {
    let mut failed = record();
    failed["responseContext"] =
        json!({"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"});
    failed["responsePayload"] = json!({"errorType": "Sandbox.Timedout",
        "errorMessage": format!("RequestId: {ID} Error: Task timed out after 3.00 seconds")});
    let lines = Told::new().lines(&failed);
    assert_eq!(lines[0]["diagnosis"]["problem"], "timeout");
    assert_eq!((&lines[0]["Timeouts"], &lines[0]["functionVersion"]), (&json!(1), &json!("7")));
    let dead = sqs([(
        "{}",
        dead_letter("200", &format!("RequestId: {ID} Error: Task timed out after 3.00 seconds")),
    )]);
    assert_eq!(Told::new().lines(&dead)[0]["diagnosis"]["problem"], "timeout");

    let mut quiet = Told::with(&[("TRIAGE_FUNCTION_ERRORS", "off")]);
    for left_out in [&failed, &dead] {
        let lines = quiet.lines(left_out);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["level"], "INFO");
        let message = "1 failures within functions not told: TRIAGE_FUNCTION_ERRORS is off";
        assert_eq!(lines[0]["message"], message);
    }
    assert_mount_failure(&quiet.lines(&record()));
    // The status says that it did not begin, whatever else the record says.
    let mut refused = record();
    refused["responseContext"]["functionError"] = "Unhandled".into();
    assert_mount_failure(&Told::with(&[("TRIAGE_FUNCTION_ERRORS", "off")]).lines(&refused));
}

#[test]
fn what_is_set_for_the_diagnosis_holds() {
    let mut told = Told::with(&[("TRIAGE_NAMESPACE", "Mine"), ("TRIAGE_DISABLE", "throttled")]);
    let line = &told.lines(&record())[0];
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Mine");
    let mut throttled = record_of("1");
    throttled["responseContext"]["statusCode"] = 429.into();
    throttled["responsePayload"] = json!(null);
    assert_eq!(told.lines(&throttled), [json!(null); 0]);
}
