use std::collections::BTreeMap;
use std::time::Duration;

use lambda_sandbox::{
    Config, FunctionConfig, InitializationType, Invocation, LifecycleConfig, RuntimeApiForm, Status,
};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn registration_tells_about_the_function() {
    let sandbox = start(with_extension(&[])).await;
    let line = seen(&sandbox, "registered: 200 ").await;
    let body: Value = serde_json::from_str(line.strip_prefix("registered: 200 ").unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"functionName": "orders", "functionVersion": "$LATEST", "handler": "app.handler",
            "accountId": "123456789012"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_has_rules() {
    let lifecycle =
        LifecycleConfig { init_timeout: Duration::from_millis(400), ..LifecycleConfig::default() };
    for (variable, value, error_type) in [
        ("NAME", "another", "Extension.InvalidExtensionName"),
        ("EVENTS", "INVOKE,PARTY", "Extension.InvalidEventType"),
    ] {
        let config =
            Config { lifecycle: lifecycle.clone(), ..with_extension(&[(variable, value)]) };
        let sandbox = start(config).await;
        assert_eq!(sandbox.init().status, Status::Timeout, "it never registers");
        let line = seen(&sandbox, "registered: 403 ").await;
        assert!(line.contains(error_type) && line.contains("errorMessage"), "{line}");
        // Without an identifier it can ask for nothing.
        seen(&sandbox, "next refused: 403").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_is_told_about_the_invocation() {
    let sandbox = start(with_extension(&[])).await;
    let invocation = Invocation::new(r#"{"headers":true}"#)
        .with_request_id("00000000-0000-4000-8000-000000000001")
        .with_trace_header(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=1:abcdef12:3",
        );
    let header = invocation.trace_header.clone().unwrap();
    let outcome = sandbox.invoke(invocation).await.unwrap();
    assert_eq!(outcome.request_id, "00000000-0000-4000-8000-000000000001");
    let lines = function_lines(&sandbox);
    let value = |name: &str| {
        let found = lines.iter().find_map(|l| l.strip_prefix(&format!("lambda-runtime-{name}: ")));
        found.unwrap().to_owned()
    };
    assert_eq!(value("aws-request-id"), outcome.request_id);
    assert_eq!(value("trace-id"), header);
    assert_eq!(
        value("invoked-function-arn"),
        "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    );
    let event = &events(&sandbox)[0];
    assert_eq!(event["tracing"]["value"], header);
    assert_eq!(event["deadlineMs"].to_string(), value("deadline-ms"));
    assert_eq!(event["invokedFunctionArn"], value("invoked-function-arn"));
}

fn variables(lines: &[String]) -> BTreeMap<String, String> {
    let pairs = lines.iter().filter_map(|line| line.strip_prefix("env ")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_sees_its_variables_and_no_more() {
    let mut config = with_extension(&[("PRINT_ENVIRONMENT", "1")]);
    config.function.env = [
        ("TABLE", "orders"),
        ("_PRIVATE", "1"),
        ("AWS_XRAY_NAME", "x"),
        ("AWS_REGION", "mars-1"),
        ("TZ", "Europe/Paris"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let sandbox = start(config).await;
    invoke(&sandbox, json!([{"print_environment": 1}])).await;

    let function = variables(&function_lines(&sandbox));
    for name in [
        "_HANDLER",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "LAMBDA_TASK_ROOT",
        "AWS_SESSION_TOKEN",
        "_LAMBDA_TELEMETRY_LOG_FD",
        "_PRIVATE",
    ] {
        assert!(function.contains_key(name), "{name}");
    }
    assert_eq!(function["AWS_REGION"], "eu-west-1", "reserved names win");
    assert_eq!(function["TZ"], "Europe/Paris");

    let extension = variables(&extension_lines(&sandbox));
    let own = ["PATH", "LD_LIBRARY_PATH", "LANG", "FIXTURE_PRINT_ENVIRONMENT"];
    let names: Vec<&str> =
        extension.keys().map(String::as_str).filter(|name| !own.contains(name)).collect();
    assert_eq!(
        names,
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "TABLE",
            "TZ",
        ]
    );
    assert_eq!(extension["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_has_the_endpoint_of_the_extensions_where_that_is_asked_for() {
    for has_one_endpoint in [false, true] {
        let config = Config { has_one_endpoint, ..with_extension(&[("PRINT_ENVIRONMENT", "1")]) };
        let sandbox = start(config).await;
        let outcome = invoke(&sandbox, json!([{"print_environment": 1}])).await;
        assert_eq!(outcome.status, Status::Success);
        let function = variables(&function_lines(&sandbox));
        let extension = variables(&extension_lines(&sandbox));
        let name = "AWS_LAMBDA_RUNTIME_API";
        assert_eq!(function[name] == extension[name], has_one_endpoint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snap_start_credentials_come_from_an_endpoint() {
    let mut config = with_extension(&[("PRINT_ENVIRONMENT", "1")]);
    config.function.initialization_type = InitializationType::SnapStart;
    let sandbox = start(config).await;
    let extension = variables(&extension_lines(&sandbox));
    assert!(!extension.contains_key("AWS_ACCESS_KEY_ID"));
    assert!(extension.contains_key("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    assert!(extension.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_may_have_a_scheme_and_a_prefix() {
    let runtime_api = RuntimeApiForm::UrlWithPrefix(".rt".into());
    let sandbox = start(Config { runtime_api, ..with_extension(&[("TYPES", "platform")]) }).await;
    seen(&sandbox, "subscribed: 200").await;
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_without_any_extension() {
    let config = Config { function: function(), ..Config::default() };
    let sandbox = start(config).await;
    let outcome = invoke(&sandbox, json!([])).await;
    assert_eq!((outcome.status, outcome.post_runtime_ms), (Status::Success, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_can_be_a_shell_script() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        println!("left out: no curl");
        return;
    }
    let script = r#"
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        while :; do
            answer=$(curl -sS -i "$api/next") || exit 1
            id=$(echo "$answer" | grep -i lambda-runtime-aws-request-id | tr -d '[:space:]' | cut -d: -f2)
            event=$(echo "$answer" | tail -n 1)
            curl -sS -o /dev/null -d "got $event" "$api/$id/response"
        done"#;
    let function = FunctionConfig::new(["sh", "-c", script]);
    let sandbox = start(Config { function, ..Config::default() }).await;
    let outcome = sandbox.invoke(Invocation::new(r#"{"order":1}"#)).await.unwrap();
    assert_eq!(outcome.payload_text(), r#"got {"order":1}"#);
}
