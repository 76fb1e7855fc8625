//! The built function in the local Lambda: bytes in, log lines, metrics and alarms out.

use crate::told::*;
use lambda_sandbox::{
    Config, FunctionConfig, Invocation, LogSource, Sandbox, ShutdownReason, StackSettings, Status,
    Template,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Far above what anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The watcher, running.
pub(crate) struct Running {
    sandbox: Sandbox,
    read: usize,
}

impl Running {
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let function = FunctionConfig {
            name: "failure-watcher".into(),
            timeout: PATIENCE,
            env: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..FunctionConfig::new([env!("CARGO_BIN_EXE_failure-watcher")])
        };
        let sandbox = Sandbox::start(Config { function, ..Config::default() }).await.unwrap();
        Self { sandbox, read: 0 }
    }

    /// The answer to an event, and the lines that it led to.
    pub(crate) async fn invoke(&mut self, event: &Value) -> (Value, Vec<Value>) {
        self.invoke_with(event.to_string()).await
    }

    /// The same for an event as it is written.
    async fn invoke_with(&mut self, event: String) -> (Value, Vec<Value>) {
        let outcome = self.sandbox.invoke(Invocation::new(event)).await.unwrap();
        assert_eq!(outcome.status, Status::Success, "{}", outcome.payload_text());
        let log = self.sandbox.log_from(self.read);
        self.read += log.len();
        let lines = log.iter().filter(|event| event.source == LogSource::Function);
        let lines = lines.map(|event| serde_json::from_str(event.text.trim_end()).unwrap());
        (serde_json::from_slice(&outcome.payload).unwrap(), lines.collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_function_prints_becomes_metrics_of_the_function_that_failed_and_its_alarms() {
    let mut running = Running::start(&[]).await;
    let body = record().to_string();
    let event = sqs([(body.as_str(), json!({})), ("no record", json!({}))]);
    let (answer, lines) = running.invoke(&event).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "message-1"}]}));
    let problems: Vec<_> = lines.iter().map(|line| &line["diagnosis"]["problem"]).collect();
    assert_eq!(problems, [&Value::Null, &json!("efs-mount-failure")]);

    // What it remembers it remembers from one invocation to the next.
    let (_, lines) = running.invoke(&record()).await;
    assert_eq!(lines, [json!(null); 0]);

    let metrics = running.sandbox.metrics();
    assert_eq!(metrics.rejected().len(), 0, "{:?}", metrics.rejected());
    let orders = [("FunctionName", "orders")];
    for name in ["EfsFailures", "Problems"] {
        assert_eq!(metrics.sum("LambdaTriage", &orders, name), 1.0);
        assert_eq!(metrics.sum("LambdaTriage", &[], name), 1.0);
        let own = [("FunctionName", "failure-watcher")];
        assert_eq!(metrics.sum("LambdaTriage", &own, name), 0.0, "it is not its own failure");
    }
    // The alarms that the extension's templates make, as they are.
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sam/monitoring.yaml");
    let template = Template::parse(&std::fs::read_to_string(template).unwrap()).unwrap();
    let parameters = [
        ("FunctionName", "orders"),
        ("LogGroup", "/aws/lambda/orders"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:oncall"),
    ];
    let parameters = parameters.map(|(name, value)| (name.into(), value.into())).into();
    let stack = template.stack(StackSettings { parameters, ..StackSettings::default() }).unwrap();
    let now = SystemTime::now();
    let hour = Duration::from_secs(3_600);
    let fired = stack.alarms().unwrap().fired(&metrics, now - hour, now + hour);
    assert!(fired.contains("lambda-triage.orders.EfsFailures"), "{fired:?}");
    running.sandbox.shutdown(ShutdownReason::Spindown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_is_taken_by_the_function_as_it_is_by_the_library() {
    let mut running = Running::start(&[("TRIAGE_DEAD_LETTERS", "failures=orders")]).await;
    let body = |at: usize| record_of(&format!("{at}{}", &ID[1..])).to_string();
    let mut dead = dead_letter("403", MOUNT);
    dead["RequestID"]["stringValue"] = format!("5{}", &ID[1..]).into();
    let record = |at: usize| serde_json::from_str::<Value>(&body(at)).unwrap();
    for event in [
        record(0),
        sqs([(body(1).as_str(), json!({}))]),
        sns(&body(2), json!({})),
        event_bridge(record(3)),
        sqs([(notification(&body(4), json!({})).to_string().as_str(), json!({}))]),
        sns("{}", of_topic(&dead)),
    ] {
        let (_, lines) = running.invoke(&event).await;
        assert_eq!(lines.len(), 1, "{event}: {lines:#?}");
        assert_eq!(lines[0]["diagnosis"]["problem"], "efs-mount-failure");
        assert_eq!(lines[0]["FunctionName"], "orders");
    }
    running.sandbox.shutdown(ShutdownReason::Spindown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sender_put_into_the_request_does_not_decide_whether_the_function_takes_it() {
    let mut running = Running::start(&[]).await;
    for (at, payload) in odd_payloads().into_iter().enumerate() {
        let record = record_with(&format!("{at}{}", &ID[1..]), &payload);
        let (_, lines) = running.invoke_with(record).await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["diagnosis"]["problem"], "efs-mount-failure");
    }
    running.sandbox.shutdown(ShutdownReason::Spindown).await;
}
