//! A function whose behaviour is its event: a list of steps, such as
//! `{"steps":[{"print":"hello"},{"sleep_ms":50},{"exit":3}]}`; at its end it answers with the
//! event. Of a batch of SQS it says that each item was left undone whose body is `"undone"`;
//! it fails of one that begins with `"broken"`.
//! `FIXTURE_INIT` holds steps for its init, `FIXTURE_CONCURRENCY` how many invocations it takes at once.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

mod http;

const RUNTIME: &str = "/2018-06-01/runtime";

fn main() -> io::Result<()> {
    if let Ok(steps) = std::env::var("FIXTURE_INIT") {
        let steps: Value = serde_json::from_str(&steps)?;
        run(&steps, "")?;
    }
    let concurrency = std::env::var("FIXTURE_CONCURRENCY").ok().and_then(|n| n.parse().ok());
    for _ in 1..concurrency.unwrap_or(1) {
        std::thread::spawn(serve);
    }
    serve()
}

fn serve() -> io::Result<()> {
    loop {
        let next = http::call("GET", &format!("{RUNTIME}/invocation/next"), &[], &[])?;
        if next.status != 200 {
            continue;
        }
        let id = next.header("lambda-runtime-aws-request-id").unwrap_or_default().to_owned();
        let event = next.json();
        if event["headers"] == true {
            let names = [
                "aws-request-id",
                "deadline-ms",
                "invoked-function-arn",
                "trace-id",
                "client-context",
            ];
            for name in names {
                let name = format!("lambda-runtime-{name}");
                println!("{name}: {}", next.header(&name).unwrap_or("absent"));
            }
        }
        if run(&event["steps"], &id)? {
            continue;
        }
        if event["Records"][0]["body"] == r#""broken""# {
            answer(&id, "error", br#"{"errorMessage":"broken"}"#)?;
            continue;
        }
        match undone(&event) {
            Some(failures) => answer(&id, "response", failures.to_string().as_bytes())?,
            None => answer(&id, "response", &next.body)?,
        }
    }
}

/// The answer to a batch of SQS.
fn undone(event: &Value) -> Option<Value> {
    let records = event["Records"].as_array()?;
    let of_queue = records.iter().filter(|record| record["eventSource"] == "aws:sqs");
    let undone = of_queue.filter(|record| record["body"] == r#""undone""#);
    let items = undone.map(|record| json!({"itemIdentifier": record["messageId"]}));
    Some(json!({"batchItemFailures": items.collect::<Vec<_>>()}))
}

fn answer(id: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    let headers = [("lambda-runtime-function-error-type", "Function.FixtureError")];
    let path = format!("{RUNTIME}/invocation/{id}/{kind}");
    let answer = http::call("POST", &path, &headers, body)?;
    if answer.status != 202 {
        println!("answer refused: {}", answer.status);
    }
    Ok(())
}

/// Whether a step has answered the invocation.
fn run(steps: &Value, id: &str) -> io::Result<bool> {
    let mut answered = false;
    for step in steps.as_array().into_iter().flatten() {
        let Some((name, value)) = step.as_object().and_then(|step| step.iter().next()) else {
            continue;
        };
        let number = value.as_u64().unwrap_or_default();
        let text = value.as_str().unwrap_or_default();
        match name.as_str() {
            "print" => println!("{text}"),
            "print_error" => eprintln!("{text}"),
            "print_many" => {
                let mut out = io::stdout().lock();
                for line in 0..number {
                    writeln!(out, "line {line}")?;
                }
            }
            "print_environment" => {
                for (name, value) in std::env::vars() {
                    println!("env {name}={value}");
                }
            }
            "frame" => frame(text)?,
            "sleep_ms" => std::thread::sleep(Duration::from_millis(number)),
            "hang" => loop {
                std::thread::park();
            },
            "allocate_mb" => {
                // Written to, so that it is there.
                let bytes = vec![1_u8; usize::try_from(number).unwrap_or_default() << 20];
                println!("allocated {}", bytes.iter().filter(|byte| **byte == 1).count());
            }
            "exit" => std::process::exit(i32::try_from(number).unwrap_or(1)),
            "abort" => std::process::abort(),
            "spawn" => {
                std::process::Command::new("sleep").arg(text).spawn()?;
            }
            "init_error" => {
                let headers = [("lambda-runtime-function-error-type", "Runtime.FixtureInit")];
                let body =
                    json!({"errorType": "Runtime.FixtureInit", "errorMessage": text}).to_string();
                http::call("POST", &format!("{RUNTIME}/init/error"), &headers, body.as_bytes())?;
                std::process::exit(1);
            }
            "error" => {
                let body =
                    json!({"errorType": "Function.FixtureError", "errorMessage": text}).to_string();
                answer(id, "error", body.as_bytes())?;
                answered = true;
            }
            "respond_bytes" => {
                let body = vec![b'x'; usize::try_from(number).unwrap_or_default()];
                answer(id, "response", &body)?;
                answered = true;
            }
            "respond_then_exit" => {
                answer(id, "response", text.as_bytes())?;
                std::process::exit(1);
            }
            "restore_next" => {
                http::call("GET", &format!("{RUNTIME}/restore/next"), &[], &[])?;
            }
            _ => println!("unknown step {name}"),
        }
    }
    Ok(answered)
}

/// One frame on the descriptor of framed logs, opened by its path: no unsafe code.
fn frame(text: &str) -> io::Result<()> {
    let fd = std::env::var("_LAMBDA_TELEMETRY_LOG_FD").map_err(io::Error::other)?;
    let mut pipe = std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{fd}"))?;
    let mut frame = Vec::new();
    frame.extend_from_slice(&0xa55a_0003_u32.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
    frame.extend_from_slice(&0_u64.to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    pipe.write_all(&frame)
}
