use std::time::Duration;

use lambda_sandbox::{Config, Endpoint, FaultAction, Faults, LifecycleConfig, Status, occupy_port};
use serde_json::json;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn next_can_fail_and_come_back() {
    let faults = Faults::default()
        .with(Endpoint::ExtensionNext, FaultAction::Status(500, "{\"errorType\":\"x\"}".into()))
        .with(Endpoint::ExtensionNext, FaultAction::Reset)
        .with(Endpoint::ExtensionNext, FaultAction::Garbage(b"{".to_vec()))
        .with(Endpoint::ExtensionNext, FaultAction::Delay(Duration::from_millis(100)));
    let sandbox = start(Config { faults, ..with_extension(&[]) }).await;
    assert_eq!(sandbox.faults().remaining(Endpoint::ExtensionNext), 0);
    assert!(sandbox.init().duration_ms >= 100.0);
    let lines = extension_lines(&sandbox);
    for wanted in ["next refused: 500", "next failed: UnexpectedEof", "unknown event"] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted}: {lines:#?}");
    }
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    // While it runs, too.
    sandbox.faults().push(Endpoint::ExtensionNext, FaultAction::Status(502, String::new()));
    assert_eq!(invoke(&sandbox, json!([])).await.status, Status::Success);
    seen(&sandbox, "next refused: 502").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_and_subscription_can_be_refused() {
    let faults = Faults::default().with(Endpoint::Subscribe, FaultAction::Status(503, "no".into()));
    let sandbox = start(Config { faults, ..with_extension(&[("TYPES", "platform")]) }).await;
    seen(&sandbox, "subscribed: 503 no").await;

    let faults = Faults::default().with(Endpoint::Register, FaultAction::Status(403, "{}".into()));
    let lifecycle =
        LifecycleConfig { init_timeout: Duration::from_millis(300), ..LifecycleConfig::default() };
    let sandbox = start(Config { faults, lifecycle, ..with_extension(&[]) }).await;
    seen(&sandbox, "registered: 403").await;
    assert_eq!(sandbox.init().status, Status::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_meets_its_faults() {
    let faults = Faults::default()
        .with(Endpoint::RuntimeNext, FaultAction::Status(500, String::new()))
        .with(Endpoint::RuntimeResponse, FaultAction::Delay(Duration::from_millis(150)));
    let sandbox = start(Config { faults, ..with_extension(&[]) }).await;
    let outcome = invoke(&sandbox, json!([])).await;
    assert_eq!(outcome.status, Status::Success);
    assert!(outcome.duration_ms >= 150.0);
    assert_eq!(sandbox.faults().remaining(Endpoint::RuntimeNext), 0);
}

#[test]
fn a_port_can_be_taken() {
    let held = occupy_port(0).unwrap();
    let port = held.local_addr().unwrap().port();
    assert!(occupy_port(port).is_err());
    drop(held);
    assert!(occupy_port(port).is_ok());
}
