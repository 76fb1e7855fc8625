//! However long the input, the memory is that of one record.

use crate::program::command;
use std::io::{self, BufWriter, Write};
use std::process::ChildStdin;

/// What an input of any size may take.
const MAX_PEAK_KB: u64 = 64 * 1024;

/// More than may be taken: what holds it whole is seen. With TRIAGE_TEST_ALL=1 more of it.
fn input_bytes() -> usize {
    let is_all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|all| !all.is_empty());
    if is_all { 400 * 1024 * 1024 } else { 80 * 1024 * 1024 }
}

const KMS: &str =
    "DisabledException: An error occurred (DisabledException) when calling the Decrypt operation";

/// Writes an input of at least so many bytes to the program, and gives its peak of memory in KB.
fn peak_kb(begin: &str, record: impl Fn(u64) -> String, between: &str, end: &str) -> u64 {
    let mut child = command(&["replay"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut stdin = BufWriter::with_capacity(256 * 1024, child.stdin.take().unwrap());
    let mut write = || -> io::Result<()> {
        stdin.write_all(begin.as_bytes())?;
        let mut written = 0;
        let mut n = 0;
        while written < input_bytes() {
            let record = record(n);
            written += record.len();
            n += 1;
            stdin.write_all(record.as_bytes())?;
            stdin.write_all(between.as_bytes())?;
        }
        stdin.write_all(record(n).as_bytes())?;
        stdin.write_all(end.as_bytes())?;
        stdin.flush()
    };
    write().expect("it reads to the end");
    // All but what is in the pipe has been worked through; it lives until its input is closed.
    let peak = peak_of(child.id());
    let open: ChildStdin = stdin.into_inner().unwrap();
    drop(open);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    peak
}

fn peak_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A few hundred log streams, one error in 100 records, 1 KB each.
fn event(n: u64) -> String {
    let at = 1_772_366_400_000 + n;
    let stream = format!("2026/03/01/[$LATEST]{:032}", n % 700);
    let text = if n.is_multiple_of(100) { KMS } else { "nothing of note" };
    let filler = "all is well ".repeat(75);
    format!(
        "{{\"logStreamName\":\"{stream}\",\"timestamp\":{at},\"message\":\"{text} {filler}\",\"ingestionTime\":{at},\"eventId\":\"{n}\"}}"
    )
}

#[test]
fn one_document_of_events_is_never_held_whole() {
    let peak = peak_kb("{\"events\":[\n", event, ",\n", "],\"searchedLogStreams\":[]}\n");
    assert!(peak < MAX_PEAK_KB, "{peak} KB");
}

#[test]
fn one_array_of_telemetry_on_one_line_is_never_held_whole() {
    let record = |n: u64| {
        let time = triage_diagnosis::Timestamp::from_ms(1_772_366_400_000 + n);
        let text = if n.is_multiple_of(100) { KMS } else { "nothing of note" };
        let filler = "all is well ".repeat(75);
        format!("{{\"time\":\"{time}\",\"type\":\"function\",\"record\":\"{text} {filler}\"}}")
    };
    let peak = peak_kb("[", record, ",", "]");
    assert!(peak < MAX_PEAK_KB, "{peak} KB");
}

#[test]
fn one_line_without_end_is_never_held_whole() {
    let peak = peak_kb(&format!("{KMS}: KMS\n"), |_| "x".repeat(1_000), "", "\n");
    assert!(peak < MAX_PEAK_KB, "{peak} KB");
}

/// They are put in order, but not all of them at once.
#[test]
fn failed_requests_with_long_messages_are_never_held_whole() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
    let filler = "all is well ".repeat(1_300);
    let record = |n: u64| {
        let at = triage_diagnosis::Timestamp::from_ms(1_772_366_400_000 - n);
        format!(
            "{{\"timestamp\":\"{at}\",\"requestContext\":{{\"requestId\":\"{n:08x}-b738-4d2c-8880-a18cdf61200e\",\"functionArn\":\"{arn}\",\"condition\":\"RetriesExhausted\",\"approximateInvokeCount\":3}},\"responseContext\":{{\"statusCode\":403}},\"responsePayload\":{{\"errorType\":\"EFSMountFailureException\",\"errorMessage\":\"{filler}\"}}}}"
        )
    };
    let peak = peak_kb("", record, "\n", "\n");
    assert!(peak < MAX_PEAK_KB, "{peak} KB");
}
