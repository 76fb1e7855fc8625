use super::*;
use proptest::prelude::*;

/// Each record's debug text, or `malformed N`.
fn read(bytes: &[u8]) -> Vec<String> {
    let mut body = Body::new(bytes.to_vec());
    let mut out = Vec::new();
    while let Some(next) = body.next_record() {
        out.push(match next {
            Ok(Record { body: RecordBody::Function(log), .. }) => format!("{log:?}"),
            Ok(record) => format!("{:?}", record.body),
            Err(malformed) => format!("malformed {}", malformed.bytes),
        });
    }
    out
}

const DONE: &str = r#"{"time":"2026-01-01T00:00:00.000Z","type":"platform.runtimeDone","record":{"requestId":"a","status":"timeout","metrics":{"durationMs":3000.5}}}"#;

#[test]
fn reads_an_array_and_lines_alike() {
    let array = format!("[{DONE},\n {DONE}]");
    let lines = format!("{DONE}\n{DONE}\n");
    assert_eq!(read(array.as_bytes()).len(), 2);
    assert_eq!(read(array.as_bytes()), read(lines.as_bytes()));
}

#[test]
fn reads_what_a_record_says() {
    let mut body = Body::new(DONE.into());
    let record = body.next_record().unwrap().unwrap();
    assert_eq!(record.time, Timestamp::parse("2026-01-01T00:00:00.000Z"));
    assert_eq!(
        record.body,
        RecordBody::RuntimeDone(RuntimeDone {
            request_id: "a".into(),
            status: Status::Timeout,
            error_type: None,
            duration_ms: Some(3000.5),
        })
    );
}

#[test]
fn a_function_record_may_be_any_json() {
    for (record, expected) in [
        (r#""two\nlines""#, r#"Text("two\nlines")"#),
        (r#"{"level":"ERROR"}"#, r#"Json("{\"level\":\"ERROR\"}")"#),
        ("null", r#"Json("null")"#),
        ("17", r#"Json("17")"#),
        ("[1,[2]]", r#"Json("[1,[2]]")"#),
    ] {
        let body = format!(r#"[{{"time":"x","type":"function","record":{record}}}]"#);
        assert_eq!(read(body.as_bytes()), [expected], "{record}");
    }
}

#[test]
fn lenient_where_the_platform_might_be() {
    for (record, ok) in [
        (r#"{"type":"platform.report","record":{"requestId":"a"}}"#, true),
        (r#"{"time":1767225600000,"type":"platform.report","record":{"requestId":"a"}}"#, true),
        (r#"{"time":{},"type":"platform.report","record":{"requestId":7,"status":[]}}"#, true),
        (
            r#"{"type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":"12"}}}"#,
            true,
        ),
        (r#"{"type":"platform.somethingNew","record":null}"#, true),
        (r#"{"type":"platform.somethingNew"}"#, true),
        (r#"{"time":"2026-01-01T00:00:00.000Z","record":"x"}"#, false),
        (r#"{"type":7,"record":"x"}"#, false),
        (r#"{"type":"platform.report","record":{"requestId":""}}"#, false),
        (r#"{"type":"platform.report","record":"a"}"#, false),
        ("7", false),
        ("\"text\"", false),
    ] {
        let all = read(format!("[{record},{DONE}]").as_bytes());
        assert_eq!(!all[0].starts_with("malformed"), ok, "{record}: {all:?}");
        assert!(all[1].starts_with("RuntimeDone"), "{record}: {all:?}");
    }
}

#[test]
fn one_bad_record_costs_only_itself() {
    for bad in [
        r#"{"time":"2026","type":"function","record":"never ends}"#,
        r#"{"time":"2026","type":"function","record":{"a":}}"#,
        "{]}",
        "nonsense",
        "\u{1}",
    ] {
        let all = read(format!("[{DONE},{bad},{DONE}]").as_bytes());
        let sound = all.iter().filter(|r| r.starts_with("RuntimeDone")).count();
        assert_eq!(sound, 2, "{bad}: {all:?}");
        assert!(all.iter().any(|r| r.starts_with("malformed")), "{bad}: {all:?}");
    }
}

#[test]
fn after_a_bad_line_the_next_line_is_read_whatever_its_first_field() {
    let other_order = r#"{"record":{"requestId":"a"},"type":"platform.report"}"#;
    let all = read(format!("{{\"time\":]\n{other_order}\n").as_bytes());
    assert!(all.iter().any(|r| r.starts_with("Report")), "{all:?}");
}

#[test]
fn a_truncated_body_gives_what_is_whole() {
    let whole = format!("[{DONE},{DONE}]");
    let all = read(&whole.as_bytes()[..whole.len() - 20]);
    assert_eq!(all.len(), 2);
    assert!(all[0].starts_with("RuntimeDone") && all[1].starts_with("malformed"), "{all:?}");
    assert!(read(b"").is_empty() && read(b"[]").is_empty() && read(b" \n").is_empty());
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut body = br#"[{"type":"function","record":"a"#.to_vec();
    body.extend([0xff, 0xfe]);
    body.extend(br#"b"}]"#);
    assert_eq!(read(&body), ["Text(\"a\u{fffd}\u{fffd}b\")"]);
}

#[test]
fn a_hostile_body_is_read_a_bounded_number_of_times() {
    // Each beginning makes the reader run to the end: quadratic without a bound.
    for (beginning, max_steps) in [("{\"time\":[", 10), ("{\"time\"", 100_001)] {
        let mut body = Body::new(beginning.repeat(100_000).into_bytes());
        let mut steps = 0;
        while body.next_record().is_some() {
            steps += 1;
        }
        assert!(steps <= max_steps, "{beginning}: {steps}");
    }
}

#[test]
fn a_record_can_be_gone_back_to() {
    let mut body = Body::new(format!("[{DONE},{{\"é\":1}}]").into_bytes());
    let position = body.position();
    let first = format!("{:?}", body.next_record());
    body.go_back(position);
    assert_eq!(format!("{:?}", body.next_record()), first);
    // Nowhere else: not forward, and not into a character.
    let position = body.position();
    body.go_back(position + 1);
    assert_eq!(body.position(), position);
    assert!(body.next_record().unwrap().is_err());
    let end = body.position();
    body.go_back(position + 4);
    assert_eq!(body.position(), end);
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut body = Body::new(bytes);
        let mut before = 0;
        while body.next_record().is_some() {
            prop_assert!(body.position() > before);
            before = body.position();
        }
    }

    #[test]
    fn sound_records_survive_what_stands_between(
        junk in proptest::collection::vec("[a-z{}:0-9 ]{0,12}", 0..6)
    ) {
        let between = junk.join("\n");
        let all = read(format!("{DONE}\n{between}\n{DONE}").as_bytes());
        let sound = all.iter().filter(|r| r.starts_with("RuntimeDone")).count();
        prop_assert_eq!(sound, 2, "{:?}", all);
    }
}
