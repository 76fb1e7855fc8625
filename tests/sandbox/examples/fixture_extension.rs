//! An extension whose behaviour is in its environment. It prints what it is told.
//!
//! - `FIXTURE_EVENTS`: events to register for; `INVOKE,SHUTDOWN`.
//! - `FIXTURE_TYPES`: telemetry types to subscribe to; none.
//! - `FIXTURE_BUFFERING`: the buffering object.
//! - `FIXTURE_PROTOCOL`: HTTP or TCP; HTTP.
//! - `FIXTURE_TELEMETRY_STATUSES`: the listener's first answers, then 200.
//! - `FIXTURE_ON_INVOKE`, `FIXTURE_ON_SHUTDOWN`, `FIXTURE_ON_INIT`: `exit N`, `hang`, `sleep N` in
//!   ms, `exit-error`, `init-error`.
//! - `FIXTURE_NAME`: a name to register under; its file's.
//! - `FIXTURE_PRINT_ENVIRONMENT`: prints the names of its variables.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

mod http;

const EXTENSION: &str = "/2020-01-01/extension";

fn main() -> io::Result<()> {
    let own_name = std::env::args()
        .next()
        .and_then(|path| Some(path.rsplit('/').next()?.to_owned()))
        .unwrap_or_default();
    let name = variable("FIXTURE_NAME").unwrap_or(own_name);
    println!("pid: {}", std::process::id());
    if variable("FIXTURE_PRINT_ENVIRONMENT").is_some() {
        for (name, value) in std::env::vars() {
            println!("env {name}={value}");
        }
    }
    let events = variable("FIXTURE_EVENTS").unwrap_or("INVOKE,SHUTDOWN".into());
    let events: Vec<&str> = events.split(',').filter(|event| !event.is_empty()).collect();
    let headers = [
        ("lambda-extension-name", name.as_str()),
        ("lambda-extension-accept-feature", "accountId"),
    ];
    let body = json!({"events": events}).to_string();
    let registered =
        http::call("POST", &format!("{EXTENSION}/register"), &headers, body.as_bytes())?;
    println!("registered: {} {}", registered.status, registered.json());
    let id = registered.header("lambda-extension-identifier").unwrap_or_default().to_owned();
    if let Some(types) = variable("FIXTURE_TYPES") {
        subscribe(&id, &types)?;
    }
    act("FIXTURE_ON_INIT", &id)?;
    loop {
        let next = http::call(
            "GET",
            &format!("{EXTENSION}/event/next"),
            &[("lambda-extension-identifier", &id)],
            &[],
        );
        let event = match next {
            Ok(next) if next.status == 200 => next.json(),
            Ok(next) => {
                println!("next refused: {} {}", next.status, next.json());
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            Err(error) => {
                println!("next failed: {:?}", error.kind());
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        println!("event: {event}");
        match event["eventType"].as_str() {
            Some("INVOKE") => act("FIXTURE_ON_INVOKE", &id)?,
            Some("SHUTDOWN") => {
                act("FIXTURE_ON_SHUTDOWN", &id)?;
                return Ok(());
            }
            _ => println!("unknown event"),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn act(variable_name: &str, id: &str) -> io::Result<()> {
    let Some(action) = variable(variable_name) else { return Ok(()) };
    let (verb, number) = action.split_once(' ').unwrap_or((&action, "0"));
    let number: u64 = number.parse().map_err(io::Error::other)?;
    let report = |kind: &str| {
        let headers = [
            ("lambda-extension-identifier", id),
            ("lambda-extension-function-error-type", "Extension.Fixture"),
        ];
        http::call("POST", &format!("{EXTENSION}/{kind}/error"), &headers, b"{}")
    };
    match verb {
        "exit" => std::process::exit(i32::try_from(number).unwrap_or(1)),
        "hang" => std::thread::sleep(Duration::from_secs(3600)),
        "sleep" => std::thread::sleep(Duration::from_millis(number)),
        "exit-error" => println!("reported: {}", report("exit")?.status),
        "init-error" => println!("reported: {}", report("init")?.status),
        _ => println!("unknown action {action}"),
    }
    Ok(())
}

fn subscribe(id: &str, types: &str) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut statuses: VecDeque<u16> = variable("FIXTURE_TELEMETRY_STATUSES")
        .iter()
        .flat_map(|statuses| statuses.split(','))
        .filter_map(|status| status.parse().ok())
        .collect();
    let tcp = variable("FIXTURE_PROTOCOL").as_deref() == Some("TCP");
    std::thread::spawn(move || {
        if tcp {
            return print_lines(&listener);
        }
        http::listen(&listener, move |body| {
            let records: Value = serde_json::from_slice(body).unwrap_or_default();
            let records = records.as_array().cloned().unwrap_or_default();
            let status = statuses.pop_front().unwrap_or(200);
            // The count first: it shows the batches.
            println!("batch: {} {status}", records.len());
            for record in records {
                println!("telemetry: {record}");
            }
            status
        })
    });
    let buffering: Value = match variable("FIXTURE_BUFFERING") {
        Some(buffering) => serde_json::from_str(&buffering)?,
        None => json!({"timeoutMs": 25}),
    };
    let version = variable("FIXTURE_SCHEMA_VERSION").unwrap_or("2025-01-29".into());
    let destination = if tcp {
        json!({"protocol": "TCP", "port": port})
    } else {
        let uri = format!("http://sandbox.localdomain:{port}/telemetry");
        json!({"protocol": "HTTP", "URI": uri})
    };
    let body = json!({
        "schemaVersion": version,
        "types": types.split(',').collect::<Vec<_>>(),
        "buffering": buffering,
        "destination": destination,
    });
    let answer = http::call(
        "PUT",
        "/2022-07-01/telemetry",
        &[("lambda-extension-identifier", id), ("content-type", "application/json")],
        body.to_string().as_bytes(),
    )?;
    println!("subscribed: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(())
}

fn print_lines(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        for line in io::BufReader::new(stream).lines() {
            println!("telemetry: {}", line?);
        }
    }
}
