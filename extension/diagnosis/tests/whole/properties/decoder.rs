//! Any bytes: every byte is accounted for, in order, and a record reads the same alone.

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};
use triage_diagnosis::{Body, Malformed};

/// A body that ends in this byte, which no text holds, stands for many repetitions of what is before
/// it: what takes quadratic time shows in the fuzzer's time limit.
const REPEATED: u8 = 0xff;
const REPEATED_BYTES: usize = 256 * 1024;

pub(super) fn holds(bytes: &[u8]) {
    match bytes.split_last() {
        Some((&REPEATED, part)) if !part.is_empty() => {
            accounts_for_every_byte(&part.repeat(REPEATED_BYTES.div_ceil(part.len())));
        }
        _ => accounts_for_every_byte(bytes),
    }
}

fn is_separator(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, '[' | ']' | ',')
}

fn accounts_for_every_byte(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut body = Body::new(bytes.to_vec());
    let mut before = body.position();
    let mut pieces = Vec::new();
    assert_eq!(before, 0);
    loop {
        let next = body.next_record().map(|next| next.map(|record| format!("{record:?}")));
        let Some(next) = next else { break };
        let position = body.position();
        assert!(position > before && text.is_char_boundary(position), "{before} → {position}");
        let piece = text[before..position].trim_start_matches(is_separator);
        assert!(!piece.is_empty());
        let mut is_record = true;
        match next {
            Ok(record) => {
                let mut alone = Body::new(piece.as_bytes().to_vec());
                let read = alone.next_record().map(|next| format!("{:?}", next.unwrap()));
                assert_eq!(read.as_deref(), Some(record.as_str()), "{piece}");
                assert!(alone.next_record().is_none(), "{piece}");
            }
            Err(Malformed { bytes }) => {
                assert_eq!(bytes, piece.len(), "{piece}");
                is_record = false;
            }
        }
        pieces.push(is_record);
        before = position;
    }
    assert!(text[before..].chars().all(is_separator), "left unread: {}", &text[before..]);
    assert_eq!(body.position(), text.len());
    assert!(body.next_record().is_none(), "the end is the end");
    // What is sound JSON as a whole is as many pieces as it has items.
    if let Some(items) = items(&text)
        && items.iter().all(|item| item.get().starts_with('{'))
    {
        assert_eq!(pieces.len(), items.len());
        for (is_record, item) in pieces.into_iter().zip(items) {
            assert!(is_record || !is_sound(item.get()), "not read: {item}");
        }
    }
}

/// The items of a sound array, or of sound lines.
fn items(text: &str) -> Option<Vec<&RawValue>> {
    let lines = || Deserializer::from_str(text).into_iter().collect();
    serde_json::from_str(text).or_else(|_| lines()).ok()
}

/// Whether an item is a record beyond doubt: it has what makes it one, and each of it once.
fn is_sound(item: &str) -> bool {
    let is_unique = |name: &str| item.matches(name).count() < 2;
    let is_plain =
        !item.contains("\\u") && ["\"time\"", "\"type\"", "\"record\""].into_iter().all(is_unique);
    let Ok(item) = serde_json::from_str::<Value>(item) else { return false };
    let Some(kind) = item["type"].as_str().filter(|_| is_plain) else { return false };
    match kind {
        "platform.initStart" | "platform.logsDropped" => item["record"].is_object(),
        "platform.start" | "platform.runtimeDone" | "platform.report" => {
            item["record"]["requestId"].as_str().is_some_and(|id| !id.is_empty())
        }
        _ => true,
    }
}
