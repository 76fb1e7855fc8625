//! From telemetry to lines, through pipes that are full, closed or slow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod running;
mod stand_in;
mod telemetry_records;

use running::Running;
use serde_json::Value;
use stand_in::{Call, StandIn, now_ms, post};
use std::io::Write;
use std::time::{Duration, Instant};
use telemetry_records::{runtime_done, time, total};

/// A delivery that says that these invocations have timed out.
fn timeouts(request_ids: &[String]) -> String {
    let records: Vec<_> =
        request_ids.iter().map(|id| runtime_done(id, "timeout", now_ms())).collect();
    format!("[{}]", records.join(","))
}

/// A delivery in which each of these invocations has logged this error.
fn errors(request_ids: &[String], error: &str) -> String {
    let record = |id: &String| {
        let log = format!(r#"{{"requestId":"{id}","level":"ERROR","message":"{error}: no"}}"#);
        format!(r#"{{"time":"{}","type":"function","record":{log}}}"#, time(now_ms()))
    };
    format!("[{}]", request_ids.iter().map(record).collect::<Vec<_>>().join(","))
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}-{n}")).collect()
}

fn leaves(api: &StandIn, extension: &mut Running) -> Duration {
    assert!(extension.is_running());
    let asked = api.seen(Call::Next).len();
    api.invoke("the-last");
    api.wait_for(Call::Next, asked + 1);
    api.shutdown("spindown");
    let (status, took) = extension.wait();
    assert_eq!(status.code(), Some(0));
    took
}

#[test]
fn what_telemetry_shows_becomes_a_line() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[("AWS_LAMBDA_FUNCTION_NAME", "orders")]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    post(api.telemetry_address(), timeouts(&ids("a", 1)).as_bytes());
    leaves(&api, &mut extension);
    extension.wait_for_stdout("\n");
    let line: Value = serde_json::from_str(extension.stdout().trim_end()).unwrap();
    assert_eq!(line["diagnosis"]["problem"], "timeout");
    assert_eq!(line["requestId"], "a-0");
    assert_eq!(line["FunctionName"], "orders");
    assert_eq!(extension.stderr(), "");
}

#[test]
fn a_delivery_sent_again_counts_once() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    // Log lines, which the diagnosis cannot tell from a second occurrence.
    let body = format!(
        r#"[{{"time":"{}","type":"function","record":"KMSDisabledException: x"}}]"#,
        time(now_ms())
    );
    for _ in 0..5 {
        post(to, body.as_bytes());
    }
    leaves(&api, &mut extension);
    extension.wait_for_stdout("\n");
    let out = extension.stdout();
    assert_eq!(total(&out, "KmsErrors") + total(&out, "SuspectedProblems"), 1.0, "{out}");
}

#[test]
fn a_delivery_that_breaks_off_and_is_sent_again_counts_once() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let record = format!(
        r#"{{"time":"{}","type":"function","record":"KMSDisabledException: x"}}"#,
        time(now_ms())
    );
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[{record},").unwrap();
    drop(stream);
    post(to, format!("[{record}]").as_bytes());
    leaves(&api, &mut extension);
    extension.wait_for_stdout("\n");
    let out = extension.stdout();
    assert_eq!(total(&out, "KmsErrors") + total(&out, "SuspectedProblems"), 1.0, "{out}");
    assert!(!out.contains("telemetry-dropped"), "{out}");
}

#[test]
fn of_a_body_that_is_too_long_the_beginning_is_read_and_the_rest_counted() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let text = "x".repeat(2 * 1024 * 1024);
    let body = format!(
        r#"[{},{{"time":"{}","type":"function","record":"{text}"}}]"#,
        runtime_done("a", "timeout", now_ms()),
        time(now_ms())
    );
    assert_eq!(post(api.telemetry_address(), body.as_bytes()).unwrap(), "HTTP/1.1 200 OK");
    leaves(&api, &mut extension);
    extension.wait_for_stdout("telemetry-dropped");
    let out = extension.stdout();
    assert_eq!(total(&out, "Timeouts"), 1.0, "{out}");
    assert_eq!(total(&out, "TelemetryDropped"), 1.0, "{out}");
}

/// Its sender is gone without a word, as may be after a freeze.
#[test]
fn what_came_of_a_delivery_that_does_not_go_on_is_read() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    let body = timeouts(&["a".to_owned()]).replace(']', ",{\"time\"");
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len() + 1);
    let mut stream = std::net::TcpStream::connect(api.telemetry_address()).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    extension.wait_for_stdout("\"timeout\"");
    extension.wait_for_stdout("\"telemetry-dropped\"");
    leaves(&api, &mut extension);
    assert_eq!(total(&extension.stdout(), "Timeouts"), 1.0, "{}", extension.stdout());
}

#[test]
fn what_was_found_is_written_at_sigterm() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    post(api.telemetry_address(), timeouts(&["a".to_owned()]).as_bytes());
    extension.sigterm();
    assert_eq!(extension.wait().0.code(), Some(0));
    extension.wait_for_stdout("\"timeout\"");
}

#[test]
fn telemetry_that_follows_shutdown_is_still_read() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    let to = api.telemetry_address();
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    let body = errors(&["a".to_owned()], "KMSDisabledException");
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // The beginning is received when the answer to a later delivery is there.
    stand_in::post(to, b"[]");
    api.shutdown("spindown");
    std::thread::sleep(Duration::from_millis(60));
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(extension.wait().0.code(), Some(0));
    extension.wait_for_stdout("\"requestId\":\"a\"");
    assert_eq!(total(&extension.stdout(), "KmsErrors"), 1.0, "{}", extension.stdout());
}

#[test]
fn the_last_records_of_an_invocation_that_was_cut_off_are_waited_for() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    let to = api.telemetry_address();
    api.event(format!(
        r#"{{"eventType":"SHUTDOWN","shutdownReason":"failure","deadlineMs":{}}}"#,
        now_ms() + 2_000
    ));
    // Longer than the quiet after which an invocation that is over is left.
    std::thread::sleep(Duration::from_millis(120));
    post(to, errors(&["a".to_owned()], "KMSDisabledException").as_bytes());
    assert_eq!(extension.wait().0.code(), Some(0));
    extension.wait_for_stdout("\"requestId\":\"a\"");
    assert_eq!(total(&extension.stdout(), "KmsErrors"), 1.0, "{}", extension.stdout());
}

/// SHUTDOWN comes while there is more telemetry to work through than fits into the time that late
/// telemetry is waited for.
#[test]
fn what_was_taken_before_shutdown_is_worked_through_or_told_as_left_out() {
    const DELIVERIES: usize = 4;
    const ERRORS: usize = 6_000;
    for left_ms in [2_000, 600] {
        let api = StandIn::start();
        let mut extension = Running::start(&api, &[]);
        let to = api.telemetry_address();
        api.wait_for(Call::Next, 1);
        let senders = (0..DELIVERIES).map(|n| {
            let body = errors(&ids(&n.to_string(), ERRORS), "KMSDisabledException");
            assert!(body.len() < 1024 * 1024, "{}", body.len());
            std::thread::spawn(move || post(to, body.as_bytes()))
        });
        for sender in senders.collect::<Vec<_>>() {
            assert!(sender.join().unwrap().is_some(), "it was taken");
        }
        let deadline_ms = now_ms() + left_ms;
        api.event(format!(
            r#"{{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":{deadline_ms}}}"#
        ));
        let (status, took) = extension.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_millis(left_ms), "{took:?}");
        let stdout = extension.stdout();
        let occurrences = |problem: &str| -> u64 {
            let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let told = lines.filter(|line| line["diagnosis"]["problem"] == problem);
            told.map(|line| line["diagnosis"]["occurrences"].as_u64().unwrap()).sum()
        };
        let found = occurrences("kms-disabled");
        assert!(
            found == (DELIVERIES * ERRORS) as u64 || occurrences("telemetry-dropped") > 0,
            "with {left_ms} ms: {found} of all, and not a word of the rest"
        );
    }
}

#[test]
fn in_end_mode_next_is_asked_for_after_runtime_done_and_what_it_showed_is_written_before() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[("TRIAGE_FLUSH", "end")]);
    let to = api.telemetry_address();
    api.invoke("first");
    api.wait_for(Call::Next, 2);
    // Experience: telemetry is prompt, and an invocation takes 5 s.
    let (start, done) = (time(now_ms()), runtime_done("first", "success", now_ms() + 5_000));
    let body = format!(
        r#"[{{"time":"{start}","type":"platform.start","record":{{"requestId":"first"}}}},{done}]"#
    );
    post(to, body.as_bytes());

    api.event(stand_in::invoke("second", now_ms() + 60_000));
    // Whatever else comes does not end the wait.
    post(to, br#"[{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"hello"}]"#);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(api.seen(Call::Next).len(), 2, "asked {:?} too soon", begun.elapsed());
    let done = Instant::now();
    post(to, timeouts(&["second".to_owned()]).as_bytes());
    let asked = api.wait_for(Call::Next, 3);
    assert!(asked.at > done);
    assert!(asked.at - done < Duration::from_secs(3), "it waited for its cap");
    extension.wait_for_stdout("\"second\"");
    leaves(&api, &mut extension);
}

/// The body takes far longer to be worked through than an answer to INVOKE.
#[test]
fn next_is_asked_for_in_the_middle_of_a_long_delivery() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.wait_for(Call::Next, 1);
    let errors = errors(&ids("r", 5_000), "KMSDisabledException");
    let last = runtime_done("the-last-record", "timeout", now_ms());
    let body = format!("{},{last}]", errors.trim_end_matches(']'));
    assert!(body.len() < 1024 * 1024, "{}", body.len());
    post(to, body.as_bytes());
    api.invoke("a");
    let asked = api.wait_for(Call::Next, 2).at;
    let asked_ms = now_ms() - u64::try_from(asked.elapsed().as_millis()).unwrap();
    extension.wait_for_stdout("the-last-record");
    let stdout = extension.stdout();
    let line = stdout.lines().find(|line| line.contains("the-last-record")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let written_ms = line["_aws"]["Timestamp"].as_u64().unwrap();
    assert!(written_ms >= asked_ms, "the whole delivery came first");
    leaves(&api, &mut extension);
}

/// The report came in the freeze, and the time to wait for it was over in the freeze, too.
#[test]
fn after_a_freeze_what_has_arrived_is_read_before_a_timer_decides() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    let to = api.telemetry_address();
    api.event(stand_in::invoke("a", now_ms() + 1_000));
    api.wait_for(Call::Next, 2);
    let done = runtime_done("a", "success", now_ms()).replace("3000.0", "960.0");
    post(to, format!("[{done}]").as_bytes());
    api.event(stand_in::invoke("b", now_ms() + 1_000));
    api.wait_for(Call::Next, 3);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(extension.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let report = runtime_done("a", "timeout", now_ms()).replace("runtimeDone", "report");
    let posted = std::thread::spawn(move || post(to, format!("[{report}]").as_bytes()));
    std::thread::sleep(Duration::from_millis(800));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    assert!(posted.join().unwrap().is_some());
    leaves(&api, &mut extension);
    extension.wait_for_stdout("\"timeout\"");
    assert!(!extension.stdout().contains("near-timeout"), "{}", extension.stdout());
}
