//! The problems, by name.

use crate::sdk_error::{Sdk, ServiceError};
use crate::service_errors::SERVICE_ERRORS;
use crate::trace_header;
use lambda_runtime::{Context, Error};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// Answers at once and prints nothing.
    Healthy,
    /// Works on until long after the deadline.
    Timeout,
    /// Sleeps for `percent` of the time that is left, then answers.
    NearTimeout,
    /// Fails as a call to an AWS service fails; `caught`: logs the error and answers.
    ServiceError(&'static ServiceError),
    /// Logs the failed call of kms-disabled as a JSON object, as logging libraries do, and answers.
    JsonLog,
    /// Answers with `next`, the trace header of the next invocation in a chain.
    Recursion,
    /// Ends the process by a signal.
    Crash,
    /// Ends the process with status 1.
    Exit,
    /// Panics; the runtime client turns it into a failed invocation.
    Panic,
    /// Fills memory until a little over what the function has.
    OutOfMemory,
    /// Answers with more than the 6 MB that Lambda takes.
    LargeResponse,
    /// Prints `lines` lines, then answers.
    LogFlood,
}

/// The event.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    /// The name of a problem.
    problem: String,
    /// Of errors of AWS services: whether the handler catches the error, logs it and succeeds.
    #[serde(default)]
    caught: bool,
    /// Of errors of AWS services: which SDK's way of writing them to follow.
    #[serde(default)]
    sdk: Sdk,
    /// Of near-timeout: how much of the time that is left to sleep for.
    #[serde(default = "default_percent")]
    percent: u8,
    /// Of log-flood: how many lines to print.
    #[serde(default = "default_lines")]
    lines: u32,
}

fn default_percent() -> u8 {
    94
}

fn default_lines() -> u32 {
    10_000
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the event is not {{\"problem\": NAME}}: {0}; the names: {names}", names = names())]
    Event(#[from] serde_json::Error),
    #[error("there is no problem {0:?}; the names: {names}", names = names())]
    Name(String),
}

impl Request {
    pub(crate) fn from_event(event: Value) -> Result<Self, RequestError> {
        Ok(serde_json::from_value(event)?)
    }
}

fn names() -> String {
    let others = OTHERS.iter().map(|(name, _)| *name);
    others.chain(SERVICE_ERRORS.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
}

fn service_error(name: &str) -> Option<&'static ServiceError> {
    SERVICE_ERRORS.iter().find(|(other, _)| *other == name).map(|(_, error)| error)
}

fn cause_named(name: &str) -> Result<Cause, RequestError> {
    let other = OTHERS.iter().find(|(other, _)| *other == name).map(|(_, cause)| *cause);
    other
        .or_else(|| service_error(name).map(Cause::ServiceError))
        .ok_or_else(|| RequestError::Name(name.to_owned()))
}

/// Causes what `request` asks for.
pub(crate) async fn cause(request: &Request, context: &Context) -> Result<Value, Error> {
    match cause_named(&request.problem).map_err(|error| error.to_string())? {
        Cause::Healthy => Ok(json!({ "problem": null })),
        Cause::Timeout => {
            let overrun = Duration::from_secs(60);
            tokio::time::timeout(remaining(context) + overrun, ask_a_silent_server()).await??;
            Err("nothing stopped this function at its deadline".into())
        }
        Cause::NearTimeout => {
            let left = remaining(context);
            let slept = left * u32::from(request.percent.min(100)) / 100;
            tokio::time::sleep(slept).await;
            Ok(json!({ "slept_ms": slept.as_millis(), "remaining_ms": left.as_millis() }))
        }
        Cause::ServiceError(error) => {
            let text = request.sdk.text(error);
            if !request.caught {
                return Err(text.into());
            }
            println!("{text}");
            Ok(json!({ "caught": error.code }))
        }
        Cause::JsonLog => {
            let text = service_error("kms-disabled").map(|error| Sdk::Python.text(error));
            println!("{}", json!({ "level": "ERROR", "message": text, "logger": "root" }));
            Ok(json!({ "caught": text }))
        }
        Cause::Recursion => {
            let header = context.xray_trace_id.as_deref();
            let next = header.map(|header| trace_header::next_hop(header, &context.request_id));
            Ok(json!({ "next": next }))
        }
        Cause::Crash => std::process::abort(),
        Cause::Exit => std::process::exit(1),
        #[expect(clippy::panic, reason = "it was asked for")]
        Cause::Panic => panic!("the event asked for a panic"),
        Cause::OutOfMemory => Err(fill_memory(context.env_config.memory)),
        Cause::LargeResponse => Ok(json!({ "filler": "x".repeat(7 * 1024 * 1024) })),
        Cause::LogFlood => {
            let mut out = std::io::stdout().lock();
            for line in 1..=request.lines {
                writeln!(out, "INFO order {line} of {} has been stored", request.lines)?;
            }
            Ok(json!({ "lines": request.lines }))
        }
    }
}

/// As a client without a time-out of its own does, of a server that takes connections and never answers.
async fn ask_a_silent_server() -> std::io::Result<()> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut client = TcpStream::connect(server.local_addr()?).await?;
    client.write_all(b"GET /orders HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    client.read_u8().await?;
    Ok(())
}

fn remaining(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or_default()
}

/// Returns only where nothing limits the memory of this process to what the function has.
fn fill_memory(memory_mb: i32) -> Error {
    const BLOCK_MB: usize = 16;
    let memory_mb = usize::try_from(memory_mb).unwrap_or(0) + 64;
    let blocks: Vec<Vec<u8>> =
        (0..memory_mb / BLOCK_MB).map(|_| vec![1; BLOCK_MB * 1024 * 1024]).collect();
    format!("still running with {} MB in use", blocks.len() * BLOCK_MB).into()
}

/// The problems other than [`SERVICE_ERRORS`].
const OTHERS: &[(&str, Cause)] = &[
    ("healthy", Cause::Healthy),
    ("timeout", Cause::Timeout),
    ("near-timeout", Cause::NearTimeout),
    ("recursion", Cause::Recursion),
    ("crash", Cause::Crash),
    ("exit", Cause::Exit),
    ("panic", Cause::Panic),
    ("out-of-memory", Cause::OutOfMemory),
    ("response-too-large", Cause::LargeResponse),
    ("log-flood", Cause::LogFlood),
    ("json-log", Cause::JsonLog),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(event: Value) -> Request {
        Request::from_event(event).unwrap()
    }

    fn context(remaining_ms: u64) -> Context {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(now.as_millis()).unwrap() + remaining_ms;
        context
    }

    #[tokio::test(start_paused = true)]
    async fn sleeps_for_a_share_of_what_is_left() {
        let begun = tokio::time::Instant::now();
        cause(&request(json!({ "problem": "near-timeout", "percent": 50 })), &context(100_000))
            .await
            .unwrap();
        let slept = begun.elapsed().as_secs();
        assert!((49..=50).contains(&slept), "{slept}");
        assert!(cause(&request(json!({ "problem": "timeout" })), &context(3_000)).await.is_err());
        assert!(begun.elapsed().as_secs() > slept + 30);
    }

    #[tokio::test]
    async fn an_error_fails_the_invocation_unless_it_is_caught() {
        for problem in ["kms-disabled", "efs-mount-failure"] {
            let failed = cause(&request(json!({ "problem": problem })), &context(1_000)).await;
            assert!(failed.unwrap_err().to_string().contains("Exception"));
            let caught = request(json!({ "problem": problem, "caught": true }));
            assert!(cause(&caught, &context(1_000)).await.is_ok());
        }
    }

    #[tokio::test]
    async fn what_is_not_known_is_answered_with_the_names() {
        let unknown = cause(&request(json!({ "problem": "flood" })), &context(1_000)).await;
        for error in [
            unknown.unwrap_err().to_string(),
            Request::from_event(json!({})).unwrap_err().to_string(),
            Request::from_event(Value::Null).unwrap_err().to_string(),
        ] {
            assert!(error.contains("healthy, timeout, near-timeout"), "{error}");
        }
    }

    #[test]
    fn names_are_distinct_and_every_text_holds_its_code() {
        let all = names();
        let mut names: Vec<_> = all.split(", ").collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OTHERS.len() + SERVICE_ERRORS.len());
        for (name, error) in SERVICE_ERRORS {
            for sdk in Sdk::ALL {
                let text = sdk.text(error);
                assert!(text.contains(error.code) || sdk == Sdk::Java, "{name}: {text}");
                assert!(!text.contains('\n'), "{name}: {text}");
            }
        }
    }
}
