//! Against a Lambda, KMS and SQS of ministack's, driven by boto3.

use crate::function::Running;
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

struct Ministack {
    child: Child,
    python: String,
    address: SocketAddr,
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server; None, after a line that says why, where it cannot be had. With `TRIAGE_TEST_ALL` set that
/// is a failure.
fn ministack() -> Option<Ministack> {
    let python = std::env::var("TRIAGE_TEST_SERVICES").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import ministack, boto3"]).output();
    let missing = match probe {
        Ok(probe) if probe.status.success() => return Some(start(python)),
        Ok(probe) => {
            let error = String::from_utf8_lossy(&probe.stderr).into_owned();
            error.lines().last().unwrap_or("it failed").to_owned()
        }
        Err(error) => error.to_string(),
    };
    // Not eprintln, which the test harness would capture.
    let line = format!("skipped: checks against ministack, since {python} lacks it: {missing}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    assert!(!all, "there is no ministack");
    None
}

fn start(python: String) -> Ministack {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new(&python)
        .args(["-m", "ministack"])
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", address.port().to_string())
        .env("LOG_LEVEL", "ERROR")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Ministack { child, python, address };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(server.child.try_wait().unwrap().is_none(), "ministack has ended");
        assert!(begun.elapsed() < PATIENCE, "ministack does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

impl Ministack {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `services.py` prints.
    fn prepare(&self) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/services.py");
        let prepared = Command::new(&self.python)
            .arg(script)
            .args([&self.url(), "eu-west-1"])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(prepared.status.success(), "{:?}", prepared.status);
        serde_json::from_slice(&prepared.stdout).unwrap()
    }
}

/// `FUNCTION problem/cause stage` of each line that is a diagnosis, in their order.
fn told(lines: &[Value]) -> Vec<String> {
    let diagnosed = lines.iter().filter(|line| line.get("diagnosis").is_some());
    let mut told: Vec<String> = diagnosed
        .map(|line| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let d = &line["diagnosis"];
            assert_eq!(d["view"], "outside");
            let (problem, cause) = (text(&d["problem"]), text(&d["cause"]));
            format!("{} {problem}/{cause} {}", text(&line["FunctionName"]), text(&d["stage"]))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn states_and_messages_of_real_services() {
    let Some(server) = ministack() else { return };
    let prepared = server.prepare();
    let url = server.url();
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("TRIAGE_TAG", "watch"),
        ("TRIAGE_DEAD_LETTERS", "orders-dead-letters=orders"),
    ];
    let mut running = Running::start(&variables).await;

    // A schedule's event, as EventBridge sends it.
    let scheduled = json!({
        "version": "0", "id": "i", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": "2026-03-01T12:00:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/check"], "detail": {},
    });
    let (answer, lines) = running.invoke(&scheduled).await;
    assert_eq!(answer, json!({"functions": 5, "leftOut": 0}), "{lines:#?}");
    let expected = [
        "billing kms-invalid-state/pending-deletion imminent",
        "greedy throttled/account-concurrency imminent",
        "lost kms-not-found/- imminent",
        "orders kms-disabled/- imminent",
        "orders recursion/allowed imminent",
        "orders throttled/reserved-concurrency imminent",
    ];
    assert_eq!(told(&lines), expected, "none of the one whose tag says no, or that is healthy");
    let disabled =
        lines.iter().find(|line| line["diagnosis"]["problem"] == "kms-disabled").unwrap();
    assert_eq!(disabled["diagnosis"]["evidence"]["keyArn"], prepared["disabledKey"]);
    assert_eq!(disabled["functionArn"], prepared["functionArn"]);
    assert!(!lines.iter().any(|line| line.to_string().contains("s3cr3t")), "no environment value");
    assert!(
        lines.iter().all(|line| line.get("_aws").is_none()),
        "what is imminent counts in nothing"
    );

    // What lasts is not told at each check of a schedule; who asks is answered.
    let (answer, lines) = running.invoke(&scheduled).await;
    assert_eq!((answer, lines), (json!({"functions": 5, "leftOut": 0}), vec![]));
    let (_, lines) = running.invoke(&json!({"check": true})).await;
    assert_eq!(told(&lines), expected);

    // On request, by name: but for the one whose tag says no.
    let (answer, lines) = running.invoke(&json!({"check": ["left-alone", "billing"]})).await;
    assert_eq!(answer["functions"], 1);
    assert_eq!(told(&lines), ["billing kms-invalid-state/pending-deletion imminent"]);
    let left = lines.iter().any(|line| line["message"] == "1 not looked at: their tag says no");
    assert!(left, "{lines:#?}");
    let (_, lines) = running.invoke(&json!({"check": ["missing"]})).await;
    let is_named =
        lines.iter().any(|line| line["message"] == "skipped: there is no function missing");
    assert!(is_named && lines.len() == 1, "{lines:#?}");

    // Real messages of a real queue.
    let (answer, lines) = running.invoke(&prepared["event"]).await;
    let expected = ["billing kms-disabled/- confirmed", "orders efs-mount-failure/- confirmed"];
    assert_eq!(told(&lines), expected, "{lines:#?}");
    assert_eq!(
        answer["batchItemFailures"],
        json!([{"itemIdentifier": prepared["otherMessageId"]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_a_tag_that_says_no() {
    let Some(server) = ministack() else { return };
    server.prepare();
    let url = server.url();
    let mut variables =
        vec![("AWS_ENDPOINT_URL", url.as_str()), ("TRIAGE_FUNCTIONS", "greedy,left-alone")];
    let (answer, lines) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
    assert_eq!(answer["functions"], 2, "{lines:#?}");
    variables.push(("TRIAGE_TAG", "watch=not-this"));
    let (answer, lines) = Running::start(&variables).await.invoke(&json!({"check": true})).await;
    assert_eq!(answer["functions"], 1, "{lines:#?}");
    assert_eq!(told(&lines), ["greedy throttled/account-concurrency imminent"]);
}
