//! A role without permissions: each check is skipped with one line, and the others go on.

use crate::aws::{ACTIONS, KEY, aws};
use crate::function::Running;
use crate::told::ARN;
use failure_watcher::{Handler, Settings, Watcher};
use serde_json::{Value, json};
use std::time::Duration;
use triage_diagnosis::{FunctionState, KeyState, Timestamp};

/// The problems that a check of `orders` and another tells, and its other lines, with so much denied.
async fn check(denied: &'static [&'static str]) -> (Vec<String>, Vec<String>) {
    let url = aws(denied, &[]).await;
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("TRIAGE_FUNCTIONS", "orders,orders-2"),
        ("TRIAGE_TAG", "watch"),
    ];
    let (answer, lines) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
    // Those of which something was answered.
    let functions = if denied.len() == ACTIONS.len() { 0 } else { 2 };
    assert_eq!(answer, json!({"functions": functions, "leftOut": 0}));
    let of = |line: &Value| line["diagnosis"]["problem"].as_str().map(str::to_owned);
    let mut problems: Vec<_> = lines.iter().filter_map(of).collect();
    problems.sort();
    problems.dedup();
    let others = lines.iter().filter(|line| of(line).is_none());
    (problems, others.map(|line| line["message"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_permissions_all_is_told() {
    let (problems, others) = check(&[]).await;
    assert_eq!(problems, ["function-pending", "kms-disabled", "recursion", "throttled"]);
    assert_eq!(others, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted_is_skipped_with_one_line_and_the_rest_goes_on() {
    for (denied, problems, line) in [
        (
            &["kms:DescribeKey"] as &'static [&'static str],
            &["function-pending", "recursion", "throttled"] as &[&str],
            "skipped: kms:DescribeKey is not permitted (arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef of orders)",
        ),
        (
            &["lambda:GetFunctionConfiguration"],
            &["recursion", "throttled"],
            "skipped 2 times: lambda:GetFunctionConfiguration is not permitted (first of all for orders)",
        ),
        (
            &["lambda:GetFunctionConcurrency"],
            &["function-pending", "kms-disabled", "recursion"],
            "skipped 2 times: lambda:GetFunctionConcurrency is not permitted (first of all for orders)",
        ),
        (
            &["lambda:GetFunctionRecursionConfig"],
            &["function-pending", "kms-disabled", "throttled"],
            "skipped 2 times: lambda:GetFunctionRecursionConfig is not permitted (first of all for orders)",
        ),
        (
            &["lambda:GetAccountSettings"],
            &["function-pending", "kms-disabled", "recursion", "throttled"],
            "skipped: lambda:GetAccountSettings is not permitted",
        ),
        (
            &["tag:GetResources"],
            &["function-pending", "kms-disabled", "recursion", "throttled"],
            "skipped: tag:GetResources is not permitted",
        ),
    ] {
        let (told, others) = check(denied).await;
        assert_eq!(told, problems, "{denied:?}");
        assert_eq!(others, [line], "{denied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_permission_nothing_breaks() {
    let (problems, others) = check(&ACTIONS).await;
    assert_eq!(problems, [""; 0]);
    assert_eq!(others.len(), 5, "{others:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_is_told() {
    let variables = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("TRIAGE_FUNCTIONS", "orders")];
    let (answer, lines) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
    assert_eq!(answer["functions"], 0, "nothing was answered");
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(
        messages.contains(&"skipped: lambda:GetFunctionConfiguration was not answered (orders)"),
        "{messages:?}"
    );
}

/// What is asked before the functions must leave them time, and a check must end in time to be told.
#[tokio::test]
async fn what_is_not_answered_costs_at_most_half_of_the_time() {
    const FIRST: [&[&str]; 2] = [&["tag:GetResources"], &["lambda:GetAccountSettings"]];
    for silent in FIRST {
        let action = silent[0];
        let url = aws(&[], silent).await;
        let lookup = |name: &str| {
            let value = match name {
                "AWS_ENDPOINT_URL" => url.as_str(),
                "AWS_REGION" => "eu-west-1",
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "x",
                "TRIAGE_FUNCTIONS" => "orders",
                "TRIAGE_TAG" => "watch",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut handler = Handler::new(lookup, Vec::new(), now);
        // Of which two seconds are kept back.
        let left = Duration::from_secs(6);
        let answer = handler.handle("{\"check\":true}", left, || now).await.unwrap();
        assert_eq!(answer, json!({"functions": 1, "leftOut": 0}), "{action}");
        let lines = String::from_utf8(std::mem::take(handler.out_mut())).unwrap();
        assert!(lines.contains(&format!("skipped: {action} was not answered")), "{lines}");
    }
}

/// A handler of these functions, whose checks have a second.
async fn handler_of(functions: &'static str) -> Handler<Vec<u8>> {
    let url = aws(&[], &[]).await;
    let lookup = |name: &str| {
        let value = match name {
            "AWS_ENDPOINT_URL" => url.as_str(),
            "AWS_REGION" => "eu-west-1",
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "x",
            "TRIAGE_FUNCTIONS" => functions,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Handler::new(lookup, Vec::new(), Timestamp::from_ms(0))
}

#[tokio::test]
async fn those_that_were_left_out_come_first_the_next_time() {
    let mut handler = handler_of("slow,orders").await;
    for looked_at in [0, 1, 0] {
        let left = Duration::from_secs(3);
        let now = || Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let answer = handler.handle("{\"check\":true}", left, now).await.unwrap();
        assert_eq!(answer, json!({"functions": looked_at, "leftOut": 2 - looked_at}));
    }
}

/// Names that cannot even be asked for are no reason to pass over the others.
#[tokio::test]
async fn what_is_wrong_with_one_function_keeps_no_other_from_being_looked_at() {
    let mut handler = handler_of("").await;
    let now = || Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let left = Duration::from_secs(60);
    // Three of them are no names, without their versions.
    let check = json!({"check": ["", ":a", ":b", "orders"]}).to_string();
    handler.handle(&check, left, now).await.unwrap();
    let lines = String::from_utf8(std::mem::take(handler.out_mut())).unwrap();
    for problem in ["recursion", "throttled"] {
        assert!(lines.contains(&format!("\"problem\":\"{problem}\"")), "{problem}: {lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_configuration_is_denied_has_its_name_all_the_same() {
    let url = aws(&["lambda:GetFunctionConfiguration"], &[]).await;
    for listed in ["orders:live", "123456789012:function:orders:live", "function:orders", ARN] {
        let variables = [("AWS_ENDPOINT_URL", url.as_str()), ("TRIAGE_FUNCTIONS", listed)];
        let (_, lines) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
        let told: Vec<_> = lines.iter().filter(|line| line["diagnosis"].is_object()).collect();
        assert!(!told.is_empty() && told.iter().all(|line| line["FunctionName"] == "orders"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_named_in_two_ways_is_looked_at_once() {
    let url = aws(&[], &[]).await;
    let names = format!("{ARN},orders,123456789012:function:orders,orders");
    let variables = [("AWS_ENDPOINT_URL", url.as_str()), ("TRIAGE_FUNCTIONS", names.as_str())];
    let mut running = Running::start(&variables).await;
    for check in [json!({"check": true}), json!({"check": ["orders", ARN]})] {
        assert_eq!(running.invoke(&check).await.0["functions"], 1, "{check}");
    }
}

/// AWS's clocks have each its own name.
#[tokio::test(flavor = "multi_thread")]
async fn each_clock_has_the_states_looked_at() {
    let url = aws(&[], &[]).await;
    let variables = [("AWS_ENDPOINT_URL", url.as_str()), ("TRIAGE_FUNCTIONS", "orders")];
    let mut running = Running::start(&variables).await;
    for source in ["aws.events", "aws.scheduler"] {
        let tick = json!({"detail-type": "Scheduled Event", "source": source, "detail": {}});
        assert_eq!(running.invoke(&tick).await.0["functions"], 1, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_says_no_holds_in_whatever_form_the_function_is_listed() {
    let url = aws(&[], &[]).await;
    for listed in ["left-alone", "left-alone:live", "123456789012:function:left-alone:live"] {
        let variables = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("TRIAGE_FUNCTIONS", listed),
            ("TRIAGE_TAG", "watch"),
        ];
        let (answer, _) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
        assert_eq!(answer["functions"], 0, "{listed}");
    }
}

/// Else a reserved concurrency of 0 that is meant would be told 288 times a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_tells_what_lasts_once_and_what_is_wrong_each_time() {
    let url = aws(&["lambda:GetFunctionRecursionConfig"], &[]).await;
    let variables =
        [("AWS_ENDPOINT_URL", url.as_str()), ("TRIAGE_FUNCTIONS", "orders,orders:live")];
    let mut running = Running::start(&variables).await;
    let tick = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    let stages = |lines: &[Value]| -> Vec<String> {
        let stage = |line: &Value| line["diagnosis"]["stage"].as_str().unwrap_or("-").to_owned();
        let mut stages: Vec<_> = lines.iter().map(stage).collect();
        stages.sort();
        stages
    };
    let first = stages(&running.invoke(&tick).await.1);
    assert!(first.contains(&"-".to_owned()) && first.contains(&"imminent".to_owned()), "{first:?}");
    let wrong: Vec<_> = first.iter().filter(|stage| *stage == "confirmed").cloned().collect();
    assert!(!wrong.is_empty());
    assert_eq!(stages(&running.invoke(&tick).await.1), wrong);
    let asked = running.invoke(&json!({"check": true})).await.1;
    assert_eq!(stages(&asked), first, "who asks is told all");
}

/// Lambda does not tell since when an idle function is being restored.
#[test]
fn a_function_that_is_restored_without_end_is_seen_by_two_checks() {
    let mut watcher = Watcher::new(Settings::default());
    let state = FunctionState {
        state: Some("Pending".to_owned()),
        state_reason_code: Some("Restoring".to_owned()),
        last_modified: Timestamp::parse("2025-11-07T02:33:00Z"),
        ..FunctionState::default()
    };
    let begun = Timestamp::parse("2026-03-01T12:00:00Z").unwrap().as_ms();
    let told: Vec<u64> = (0..=15)
        .step_by(5)
        .filter(|minutes| {
            let now = Timestamp::from_ms(begun + minutes * 60_000);
            watcher.handle_state("orders", "orders", &state, true, now);
            watcher.take_lines(now).iter().any(|line| line.contains("stuck-pending"))
        })
        .collect();
    assert_eq!(told, [10, 15]);
}

/// An update that failed long ago is not in use; the key that is, is what the next environment needs.
#[test]
fn an_update_that_failed_does_not_hide_what_the_key_is_now() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for (reason, key_state, problem, cause) in [
        ("DisabledKMSKey", Some("Disabled"), "kms-disabled", None),
        (
            "InvalidStateKMSKey",
            Some("PendingDeletion"),
            "kms-invalid-state",
            Some("pending-deletion"),
        ),
        ("KMSKeyNotFound", None, "kms-not-found", None),
    ] {
        let told = |state: FunctionState| {
            let mut watcher = Watcher::new(Settings::default());
            watcher.handle_state("orders", "orders", &state, true, now);
            let lines = watcher.take_lines(now).into_iter();
            let lines = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
            let of_key = |line: &Value| line["diagnosis"]["problem"] == problem;
            let of_key: Vec<Value> = lines.filter(of_key).collect();
            assert_eq!(of_key.len(), 1, "{of_key:#?}");
            of_key.into_iter().next().unwrap()
        };
        let key = |state: Option<&str>| {
            Some(KeyState { arn: KEY.to_owned(), state: state.map(str::to_owned) })
        };
        let failed = FunctionState {
            state: Some("Active".to_owned()),
            last_update_status: Some("Failed".to_owned()),
            last_update_status_reason_code: Some(reason.to_owned()),
            key: key(key_state),
            ..FunctionState::default()
        };
        let line = told(failed.clone());
        assert_eq!(line["diagnosis"]["stage"], "imminent");
        assert_eq!(line["diagnosis"]["evidence"]["keyArn"], KEY, "{line:#}");
        assert_eq!(line["diagnosis"]["evidence"]["keyState"].as_str(), key_state);
        assert_eq!(line["diagnosis"]["cause"].as_str(), cause);
        let message = line["message"].as_str().unwrap();
        assert!(!message.contains("not in use"), "{message}");
        // The key of now is sound.
        let line = told(FunctionState { key: key(Some("Enabled")), ..failed.clone() });
        assert!(line["message"].as_str().unwrap().contains("not in use"), "{line:#}");
        // Lambda's own word for the function is the surest.
        let line = told(FunctionState {
            state: Some("Failed".to_owned()),
            state_reason_code: Some(reason.to_owned()),
            ..failed
        });
        assert_eq!(line["diagnosis"]["stage"], "confirmed", "{line:#}");
    }
}
