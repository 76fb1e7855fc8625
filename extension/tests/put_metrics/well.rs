//! What arrives while the API takes it.

use crate::ministack::ministack;
use crate::runs::{config, end, expected, problems, to, trouble};
use lambda_sandbox::{InitializationType, Invocation, Sandbox, Status};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_equals_what_the_lines_would_have_carried() {
    let Some(ministack) = ministack() else { return };
    let namespace = "Triage/Equal";
    let sandbox = Sandbox::start(config(namespace, &to(&ministack.url()))).await.unwrap();
    trouble(&sandbox, 4).await;
    let run = end(&sandbox, namespace).await;
    let expected = expected(namespace, 4).await;
    assert!(problems(&expected) >= 8.0, "{expected:#?}");
    assert_eq!(ministack.read(namespace), expected);
    // Nothing counts twice: no line carries metrics, though each shows their values.
    assert!(run.embedded.is_empty(), "{:?}", run.embedded);
    assert!(run.lines.iter().all(|line| line["_aws"].is_null() && line["Problems"] == 1));
    assert_eq!(run.said, Vec::<String>::new());
}

/// A timeout is told after SHUTDOWN: the first connection is made in the last moments.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_the_last_moments_arrives() {
    let Some(ministack) = ministack() else { return };
    let namespace = "Triage/Last";
    let mut config = config(namespace, &to(&ministack.url()));
    config.function.timeout = Duration::from_secs(1);
    let sandbox = Sandbox::start(config).await.unwrap();
    let hangs = Invocation::new(json!({ "steps": [{ "sleep_ms": 60_000 }] }).to_string());
    assert_eq!(sandbox.invoke(hangs).await.unwrap().status, Status::Timeout);
    let run = end(&sandbox, namespace).await;
    assert!(run.embedded.is_empty(), "{:?}", run.embedded);
    let read = ministack.read(namespace);
    assert_eq!(problems(&read), 1.0);
    assert_eq!(read[&("Timeouts".to_owned(), String::new())].sum, 1.0);
}

/// With SnapStart there are no keys in the environment.
#[tokio::test(flavor = "multi_thread")]
async fn with_snap_start_credentials_come_from_the_container_endpoint() {
    let Some(ministack) = ministack() else { return };
    let namespace = "Triage/SnapStart";
    let mut config = config(namespace, &to(&ministack.url()));
    config.function.initialization_type = InitializationType::SnapStart;
    let sandbox = Sandbox::start(config).await.unwrap();
    trouble(&sandbox, 1).await;
    let run = end(&sandbox, namespace).await;
    assert_eq!(run.said, Vec::<String>::new());
    assert!(run.embedded.is_empty(), "{:?}", run.embedded);
    assert_eq!(problems(&ministack.read(namespace)), 2.0);
}

/// No thread, no connection, no word, while all is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_function_sees_nothing_of_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let namespace = "Triage/Healthy";
    let sandbox = Sandbox::start(config(namespace, &to(&url))).await.unwrap();
    for _ in 0..20 {
        let invocation = Invocation::new(json!({ "steps": [{ "sleep_ms": 20 }] }).to_string());
        assert_eq!(sandbox.invoke(invocation).await.unwrap().post_runtime_ms, 0.0);
    }
    let run = end(&sandbox, namespace).await;
    assert_eq!((run.lines.len(), run.said.len()), (0, 0));
    assert!(listener.accept().is_err(), "it has connected");
}

/// Whatever is asked to be logged: what signs requests is in none of it.
#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_printed() {
    let Some(ministack) = ministack() else { return };
    let namespace = "Triage/Secrets";
    let url = ministack.url();
    let variables = [&to(&url)[..], &[("TRIAGE_LOG", "trace")]].concat();
    let sandbox = Sandbox::start(config(namespace, &variables)).await.unwrap();
    trouble(&sandbox, 1).await;
    let run = end(&sandbox, namespace).await;
    assert_eq!(problems(&ministack.read(namespace)), 2.0);
    let printed = format!("{:?}{:?}", run.lines, run.said);
    assert!(printed.contains("lambda-triage DEBUG"), "{printed}");
    for secret in ["ASIAEXAMPLE", "of-the-local-lambda", "AWS4-HMAC"] {
        assert!(!printed.contains(secret), "{secret} is in {printed}");
    }
}
