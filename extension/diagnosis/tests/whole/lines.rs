//! What a line says, and when there is one.

use crate::events::*;
use serde_json::Value;
use triage_diagnosis::*;

#[test]
fn an_error_after_a_warning_counts_as_certain_and_once() {
    for closes_between in [false, true] {
        let mut triage = triage(false);
        let mut lines = Vec::new();
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        triage.handle_invoke(invoke("a", now), now);
        triage.handle_record(log("[WARN] try 1: KMSDisabledException: x", now), now);
        drain(&mut triage, now, &mut lines);
        if closes_between {
            triage.finish(now);
            drain(&mut triage, now, &mut lines);
        }
        triage.handle_record(log(KMS, now.plus_ms(50)), now);
        triage.handle_record(log(KMS, now.plus_ms(51)), now);
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        assert_eq!(sum(&lines, "KmsErrors"), 1, "{lines:#?}");
        assert_eq!(sum(&lines, "Problems"), 1);
        assert_eq!(sum(&lines, "SuspectedProblems"), u64::from(closes_between));
    }
}

#[test]
fn a_timeout_prints_one_line_however_its_signals_come() {
    const LINE: &str = "2026-03-01T12:00:00.000Z 2 Task timed out after 3.00 seconds";
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for is_polled in [false, true] {
        for log_is_first in [false, true] {
            let (mut triage, mut lines) = (triage(false), Vec::new());
            triage.handle_invoke(invoke("2", now), now);
            let mut signals = [done("2", Status::Timeout, now), log(LINE, now)];
            if log_is_first {
                signals.reverse();
            }
            for signal in signals {
                triage.handle_record(signal, now);
                if is_polled {
                    drain(&mut triage, now, &mut lines);
                }
            }
            triage.finish(now);
            drain(&mut triage, now, &mut lines);
            assert_eq!((lines.len(), occurrences(&lines)), (1, 1), "{lines:#?}");
        }
    }
}

#[test]
fn a_success_beyond_the_timeout_shows_that_the_timeout_is_not_known() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let deadline = Some(now.plus_ms(1_700));
    triage.handle_invoke(Invoke { deadline, ..invoke("a", now) }, now);
    let mut record = done("a", Status::Success, now.plus_ms(1_300));
    if let RecordBody::RuntimeDone(done) = &mut record.body {
        done.duration_ms = Some(2_600.0);
    }
    triage.handle_record(record, now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_shutdown_blames_none_of_several_invocations_that_run_at_once() {
    let (mut triage, mut lines) = (triage(true), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in ["a", "b"] {
        let body = RecordBody::Start(Start { request_id: id.into(), ..Start::default() });
        triage.handle_record(Record { time: Some(now), body }, now);
    }
    triage.handle_shutdown(&Shutdown { reason: "timeout".into() }, now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_field_without_a_value_is_absent() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(Invoke { function_arn: String::new(), ..invoke("a", now) }, now);
    triage.handle_record(done("a", Status::Timeout, now), now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines[0].get("functionArn"), None);
}

#[test]
fn a_handler_that_speaks_of_a_timeout_has_none() {
    for text in [
        "[INFO]\t2026-03-01T12:00:00.000Z\ta\tTask timed out after 2 tries",
        "[ERROR]\t2026-03-01T12:00:00.000Z\ta\tTask timed out after 30.00 seconds",
        "job a Task timed out after 30 seconds",
        "2026-03-01T12:00:00.000Z a Task timed out after 3.00 seconds, retrying",
        "2026-03-01T12:00:00.000Z a  foo Task timed out after 3.00 seconds",
    ] {
        let (mut triage, mut lines) = (triage(false), Vec::new());
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        triage.handle_invoke(invoke("a", now), now);
        triage.handle_record(log(text, now), now);
        triage.handle_record(done("a", Status::Success, now), now);
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        assert!(lines.is_empty(), "{text}: {lines:#?}");
    }
}

#[test]
fn a_line_tells_when_it_happened_and_when_it_was_written() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log(KMS, now.plus_ms(5)), now.plus_ms(10));
    drain(&mut triage, now.plus_ms(40), &mut lines);
    assert_eq!(lines[0]["timestamp"], now.plus_ms(5).to_string());
    assert_eq!(lines[0]["_aws"]["Timestamp"], now.plus_ms(40).as_ms());
    assert_eq!(
        (&lines[0]["level"], &lines[0]["FunctionName"]),
        (&"ERROR".into(), &"orders".into())
    );
    // More signs of it: one line, at the time of the last.
    triage.handle_record(log(KMS, now.plus_ms(50)), now.plus_ms(60));
    triage.handle_record(log(KMS, now.plus_ms(70)), now.plus_ms(80));
    triage.finish(now.plus_ms(90));
    drain(&mut triage, now.plus_ms(90), &mut lines);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["timestamp"], now.plus_ms(70).to_string());
    assert_eq!(lines[1]["diagnosis"]["evidence"]["firstAt"], now.plus_ms(50).to_string());
    assert_eq!(lines[1].get("_aws"), None);
}

#[test]
fn what_is_suspected_is_a_warning() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log("WARN KMSDisabledException: x", now), now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines[0]["level"], "WARN");
}

#[test]
fn a_function_is_not_named_as_the_one_it_called() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for (named, expected) in [("orders", None), ("archive", Some("archive"))] {
        let (mut triage, mut lines) = (triage(false), Vec::new());
        triage.handle_invoke(invoke("a", now), now);
        let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
        let text = format!("EFSIOException: {} failed", arn(named));
        triage.handle_record(log(&text, now), now);
        drain(&mut triage, now, &mut lines);
        let called = lines[0]["diagnosis"]["evidence"].get("calledFunctionArn");
        assert_eq!(called.and_then(Value::as_str), expected.map(arn).as_deref());
    }
}

#[test]
fn without_a_name_the_metrics_are_those_of_all_functions() {
    let mut triage = Triage::new(Settings::default(), Function::default());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log(KMS, now), now);
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([[]]));
    assert_eq!((lines[0].get("FunctionName"), lines[0].get("functionVersion")), (None, None));
}

#[test]
fn what_is_suspected_explains_nothing_that_is_certain() {
    let (mut triage, mut lines) = (triage(false), Vec::new());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(log("[WARN] KMSDisabledException: x", now), now);
    triage.handle_record(log("[ERROR] KMSAccessDeniedException: y", now), now);
    triage.finish(now);
    drain(&mut triage, now, &mut lines);
    assert_eq!((sum(&lines, "KmsErrors"), sum(&lines, "SuspectedProblems")), (1, 1));
}

#[test]
fn json_that_cannot_be_read_confirms_nothing() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for text in [
        r#"{"level":"INFO","msg":"retry after KMSDisabledException: x","cut":"#,
        r#"{"level":"INFO","msg":"retry after KMSDisabledException: x","n":1e999}"#,
        r#"[{"level":"INFO","msg":"KMSDisabledException: x"}]"#,
    ] {
        let (mut triage, mut lines) = (triage(false), Vec::new());
        triage.handle_invoke(invoke("a", now), now);
        triage.handle_record(log(text, now), now);
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        assert_eq!(sum(&lines, "KmsErrors"), 0, "{text}");
    }
}

#[test]
fn a_shutdown_is_about_the_invocation_that_began_last() {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let (mut triage, mut lines) = (triage(false), Vec::new());
    triage.handle_invoke(invoke("a", now), now);
    triage.handle_record(done("earlier", Status::Success, now.minus_ms(10)), now);
    triage.handle_shutdown(&Shutdown { reason: "timeout".into() }, now.plus_ms(3_000));
    triage.finish(now.plus_ms(3_001));
    drain(&mut triage, now.plus_ms(3_001), &mut lines);
    let told: Vec<_> = lines.iter().map(|line| line["requestId"].as_str().unwrap()).collect();
    assert_eq!(told, ["a"]);
}

#[test]
fn one_pass_is_no_chain_however_low_the_limit() {
    let settings = Settings { recursion_depth: 1, ..Settings::default() };
    let mut triage = Triage::new(settings, Function::default());
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in ["a", "b"] {
        let trace_header = Some(format!("Root=1-{id};Parent={id}"));
        triage.handle_invoke(Invoke { trace_header, ..invoke(id, now) }, now);
    }
    triage.finish(now);
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_chain_is_seen_where_no_invoke_comes() {
    let mut triage = triage(true);
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let trace_header = Some("Root=1-a;Parent=b;Lineage=5:a87bd80c:0".to_owned());
    let start = Start { request_id: "a".into(), trace_header, function_arn: None };
    triage.handle_record(Record { time: Some(now), body: RecordBody::Start(start) }, now);
    let mut lines = Vec::new();
    drain(&mut triage, now, &mut lines);
    assert_eq!(sum(&lines, "Recursions"), 1);
}
