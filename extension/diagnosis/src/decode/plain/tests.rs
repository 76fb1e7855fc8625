use super::*;
use crate::{Body, FunctionLog, Record, RecordBody};
use proptest::prelude::*;

fn read(text: &str) -> Option<PlainRecord> {
    PlainRecord::read(text, 0, &mut Minute::default(), Alphabet::default())
}

/// The time, what `record` holds, and the bytes of it all, by serde_json.
fn decoded(text: &str) -> Option<(Timestamp, String, usize)> {
    let mut body = Body::new(text.into());
    let Record { time, body: RecordBody::Function(log) } = body.next_record()?.ok()? else {
        return None;
    };
    let said = match log {
        FunctionLog::Text(text) => format!("text {text}"),
        FunctionLog::Json(json) => json.to_owned(),
    };
    Some((time?, said, body.position()))
}

#[test]
fn reads_records_of_functions_in_any_order_and_spacing() {
    const TIME: &str = r#""time":"2026-03-01T12:00:00.123Z""#;
    for (text, value) in [
        (format!(r#"{{{TIME},"type":"function","record":"a\"b\\"}}"#), r#""a\"b\\""#),
        (format!(r#"{{"record":"a\n","type":"function",{TIME}}}"#), r#""a\n""#),
        (format!("{{\n {TIME} ,\t\"record\" : {{}} , \"type\" : \"function\"\r}} "), "{}"),
        (
            format!(r#"{{{TIME},"type":"function","record":[{{"a":"]}}"}},1]}},{{"#),
            r#"[{"a":"]}"},1]"#,
        ),
        (
            format!(r#"{{{TIME},"type":"function","record":"longer than eight bytes ä"}}"#),
            "\"longer than eight bytes ä\"",
        ),
    ] {
        let record = read(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(record.time.as_ms(), 1_772_366_400_123);
        assert_eq!(&text[record.value.clone()], value);
        assert_eq!(record.is_text, value.starts_with('"'));
        assert_eq!(text[..record.end], *text.trim_end_matches([' ', ',', '{']), "{text}");
    }
}

#[test]
fn leaves_to_serde_json_what_may_be_anything() {
    for text in [
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"platform.start","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:00.000000Z","type":"function","record":"a"}"#,
        r#"{"time":"2026-13-01T12:00:00.000Z","type":"function","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:60.000Z","type":"function","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"a","x":1}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"a","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function"}"#,
        r#"{"type":"function","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","record":"a"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"\ud800"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"\u00g0"}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"\x"}"#,
        "{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":\"function\",\"record\":\"\n\"}",
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":{"a":tru}}"#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"a""#,
        r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"a"#,
        "",
        "{",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

proptest! {
    /// Whatever stands in a string: serde_json takes the same for its end, and for no string.
    #[test]
    fn what_is_read_is_read_the_same_by_serde_json(
        parts in proptest::collection::vec(
            prop_oneof![
                4 => "[ -~ä€😀]{0,12}",
                2 => r#"\\["\\/bfnrtux]"#,
                1 => r"\\u[0-9a-fA-Fd8g]{4}",
                1 => any::<char>().prop_map(String::from),
                1 => Just("\"}".to_owned()),
            ],
            0..8,
        ),
        second in 0u32..70,
        ms in 0u32..1_000,
    ) {
        let text = parts.concat();
        let record = format!(
            r#"{{"time":"2026-03-01T12:00:{second:02}.{ms:03}Z","type":"function","record":"{text}"}}"#
        );
        if let Some(plain) = read(&record) {
            let mut value = record[plain.value.clone()].to_owned();
            value = format!("text {}", serde_json::from_str::<String>(&value).unwrap());
            prop_assert_eq!(decoded(&record), Some((plain.time, value, plain.end)));
        } else if second < 60 && decoded(&record).is_some() {
            // What is not read for no reason costs time.
            prop_assert!(text.contains("\\u") || text.contains("\"}"), "{}", record);
        }
    }

    #[test]
    fn the_next_special_character_is_the_first(text in "[ -~ä\n\u{1}\u{7f}]{0,40}", at in 0usize..40) {
        let bytes = text.as_bytes();
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let first = bytes.iter().skip(at).position(is_special).map(|found| at + found);
        prop_assert_eq!(next_special(bytes, at), first);
    }
}
