use std::process::{Command, Output};

use lambda_sandbox::cargo_example;

use crate::support::{EXTENSION, PATIENCE, running};

fn sandbox(arguments: &[&str], event: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lambda-sandbox"))
        .args(arguments)
        .args(["--invoke", event, "--"])
        .arg(cargo_example("fixture_function").unwrap())
        .output()
        .unwrap()
}

#[test]
fn it_prints_the_log_the_outcome_and_the_metrics() {
    let extension = cargo_example(EXTENSION).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let emf = |unit: &str| {
        serde_json::json!({"N": 2, "_aws": {"Timestamp": now.as_millis() as u64,
            "CloudWatchMetrics": [{"Namespace": "Shop", "Dimensions": [[]],
                "Metrics": [{"Name": "N", "Unit": unit}]}]}})
        .to_string()
    };
    let event = serde_json::json!({"steps": [{"print": emf("Count")}, {"print": emf("Pieces")}]});
    let arguments = ["--extension", &extension.to_string_lossy(), "--timeout", "20"];
    let output = sandbox(&arguments, &event.to_string());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for wanted in [
        "START RequestId",
        "extension fixture_extension event: {",
        "=> success in ",
        "=> extension fixture_extension exited with 0",
        "=> Shop N [] sum 2 Count, 1 values",
        "=> rejected EMF: metric N has the unknown unit \"Pieces\"",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains('\x1b'), "no colour but on a terminal");
}

const ALARMS: &str = "
Parameters: {Name: {Type: String}}
Resources:
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties: {AlarmName: !Ref Name, Namespace: Shop, MetricName: N, Statistic: Sum, Period: 60,
      EvaluationPeriods: 1, Threshold: 2, ComparisonOperator: GreaterThanOrEqualToThreshold,
      TreatMissingData: notBreaching}
  Others:
    Type: AWS::CloudWatch::Alarm
    Properties: {AlarmName: others, Namespace: Shop, MetricName: O, Statistic: Sum, Period: 60,
      EvaluationPeriods: 1, Threshold: 2, ComparisonOperator: GreaterThanOrEqualToThreshold,
      TreatMissingData: notBreaching}
";

#[test]
fn it_says_which_alarms_of_a_template_fire() {
    let template = concat!(env!("CARGO_TARGET_TMPDIR"), "/alarms.yaml");
    std::fs::write(template, ALARMS).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let emf = serde_json::json!({"N": 2, "_aws": {"Timestamp": now.as_millis() as u64,
        "CloudWatchMetrics": [{"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "N"}]}]}});
    let event = serde_json::json!({"steps": [{"print": emf.to_string()}]}).to_string();
    let output = sandbox(&["--alarms", template, "--parameter", "Name=errors"], &event);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("=> alarm errors\n=> 1 alarms are quiet"), "{text}");
    let output = sandbox(&["--alarms", template], &event);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("parameter Name: it has no default and must be given"), "{text}");
}

#[test]
fn a_function_that_fails_is_no_failure_of_the_sandbox() {
    let output = sandbox(&["--timeout", "0.3"], r#"{"steps":[{"sleep_ms":60000}]}"#);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("=> timeout in ") && text.contains("after 0.30 seconds"), "{text}");
}

#[test]
fn errors_of_the_sandbox_are_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_lambda-sandbox"))
        .args(["--", "/no/such/function"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("lambda-sandbox: cannot run /no/such/function"), "{text}");
}

#[test]
fn even_killed_it_leaves_no_process_behind() {
    let extension = cargo_example(EXTENSION).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda-sandbox"))
        .args(["--extension", &extension.to_string_lossy(), "--timeout", "600"])
        .args(["--invoke", r#"{"steps":[{"spawn":"31536002"},{"sleep_ms":600000}]}"#, "--"])
        .arg(cargo_example("fixture_function").unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| running("31536002") == 1);
    command.kill().unwrap();
    command.wait().unwrap();
    wait_until(|| running("31536002") == 0);
}

fn wait_until(reached: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + PATIENCE;
    while !reached() {
        assert!(std::time::Instant::now() < limit, "not reached");
        std::thread::yield_now();
    }
}

#[test]
fn a_failure_before_init_is_answered_and_nothing_is_run() {
    let extension = cargo_example(EXTENSION).unwrap();
    let extension = extension.to_string_lossy();
    let arguments = ["--extension", &extension, "--fail", "KMSDisabledException"];
    let output = sandbox(&arguments, "{}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with(r#"=> 502 KMSDisabledException {"Message":"Lambda was"#), "{text}");
    assert_eq!(text.lines().collect::<Vec<_>>()[1..], ["=> no metrics"], "{text}");
}

#[test]
fn what_becomes_of_an_event_is_shown() {
    let arguments = ["--name", "orders", "--fail", "EFSMountTimeoutException", "--async"];
    let targets = ["--on-failure", "events:default", "--dead-letter", "sqs:dead"];
    let output = sandbox(&[&arguments[..], &targets[..]].concat(), r#"{"order":7}"#);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let lines: Vec<_> = text.lines().collect();
    for (line, start) in lines.iter().zip([
        "=> 202 queued",
        "=> attempt after 0s: EFSMountTimeoutException, request ",
        "=> attempt after 1m: EFSMountTimeoutException, request ",
        "=> attempt after 3m: EFSMountTimeoutException, request ",
        r#"=> events:default {"account":"123456789012","detail":{"#,
        r#"=> sqs:dead {"order":7} RequestID=""#,
        "=> no metrics",
    ]) {
        assert!(line.starts_with(start), "{line} is not {start}");
    }
    let output = sandbox(&["--async", "--on-success", "sns:done"], r#"{"order":7}"#);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("=> attempt after 0s: success, request "), "{text}");
    assert!(text.contains(r#"=> sns:done {"requestContext":{"#), "{text}");
}

#[test]
fn what_is_no_failure_and_no_destination_is_refused_with_what_is() {
    for (arguments, told) in [
        (["--fail", "EFSMountFailure"], "EFSMountFailureException, "),
        (["--callee", "catalog"], "not NAME=ERROR"),
        (["--callee", "catalog=Broken"], "KMSDisabledException, "),
        (["--on-failure", "failures"], "not sqs:NAME, sns:NAME"),
        (["--on-failure", "sqs:failures"], "--async"),
    ] {
        let output = sandbox(&arguments, "{}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(told), "{text}");
    }
}
