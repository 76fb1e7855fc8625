//! JSON as strangers write it. A record holds the request that failed, whatever its sender put into it, and
//! that must not decide whether the failure is told.

use serde_json::Value;

/// Values that are nested deeper are left out: serde_json reads 127 levels, JSON has no limit, and no record
/// has half as many of its own.
const MAX_DEPTH: usize = 64;

/// Reads JSON, with what serde_json refuses though RFC 8259 allows it left out: of a surrogate without its
/// other half, as JavaScript writes a text that was cut off within an emoji, a replacement character is left,
/// and of a number beyond the doubles, and of what is nested very deep, `null`.
///
/// # Errors
/// If the text is no JSON.
pub fn json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|_| serde_json::from_slice(&readable(text.as_bytes())))
}

/// The same JSON without what serde_json refuses. What is none stays none.
fn readable(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut depth = 0_usize;
    while let Some(&byte) = text.first() {
        let len = match byte {
            b'"' => string_len(text),
            b'-' | b'0'..=b'9' => text.iter().take_while(|b| is_of_number(**b)).count(),
            _ => 1,
        };
        let (token, rest) = text.split_at(len);
        text = rest;
        if matches!(byte, b'{' | b'[') {
            depth += 1;
            if depth == MAX_DEPTH + 1 {
                out.extend_from_slice(b"null");
            }
        }
        if depth <= MAX_DEPTH {
            match byte {
                b'"' => push_string(&mut out, token),
                b'-' | b'0'..=b'9' if is_beyond_doubles(token) => out.extend_from_slice(b"null"),
                _ => out.extend_from_slice(token),
            }
        }
        if matches!(byte, b'}' | b']') {
            depth = depth.saturating_sub(1);
        }
    }
    out
}

/// How long the string is that the text begins with, its quotes included.
fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn push_string(out: &mut Vec<u8>, mut token: &[u8]) {
    while let Some(at) = token.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = token.split_at(at);
        out.extend_from_slice(plain);
        let is_pair = matches!(unit(escape), Some(0xD800..=0xDBFF))
            && matches!(escape.get(6..).and_then(unit), Some(0xDC00..=0xDFFF));
        let (written, len): (&[u8], usize) = match unit(escape) {
            Some(_) if is_pair => (&escape[..12], 12),
            Some(0xD800..=0xDFFF) => (b"\\ufffd", 6),
            _ => (&escape[..escape.len().min(2)], 2),
        };
        out.extend_from_slice(written);
        token = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(token);
}

/// The unit of UTF-16 that `\uXXXX` at the beginning of the text stands for.
fn unit(text: &[u8]) -> Option<u16> {
    let hex = text.strip_prefix(b"\\u")?.get(..4)?;
    let hex = hex.iter().all(u8::is_ascii_hexdigit).then(|| std::str::from_utf8(hex).ok())??;
    u16::from_str_radix(hex, 16).ok()
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

fn is_beyond_doubles(token: &[u8]) -> bool {
    let number = std::str::from_utf8(token).ok().and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_json_allows_is_read() {
        for (text, expected) in [
            (r#"{"a":1,"b":["é\n",true]}"#, json!({"a": 1, "b": ["é\n", true]})),
            (
                r#"["a\ud83d","\udc4d b","\ud83d\ud83d\udc4d"]"#,
                json!(["a\u{fffd}", "\u{fffd} b", "\u{fffd}\u{1f44d}"]),
            ),
            (
                r#"{"\ud83d":"\\ud83d \ud83d\n\"","x":1}"#,
                json!({"\u{fffd}": "\\ud83d \u{fffd}\n\"", "x": 1}),
            ),
            (r#"[1e400,-1e400,-7,1.5e3,"1e400"]"#, json!([null, null, -7, 1500.0, "1e400"])),
        ] {
            assert_eq!(json(text).unwrap(), expected, "{text}");
        }
        let nested =
            |depth: usize| format!("{}\"]\"{}", "[{\"a\":".repeat(depth), "}]".repeat(depth));
        let read = json(&format!("{{\"deep\":{},\"x\":1}}", nested(100_000))).unwrap();
        assert_eq!(read["x"], 1);
        let shallow = nested(MAX_DEPTH / 2);
        assert_eq!(readable(shallow.as_bytes()), shallow.as_bytes());
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "",
            "x",
            "{",
            "{\"a\":\"\\ud83d}",
            "\"\\ud83",
            "\"\\",
            "[1e400",
            "[-]",
            "\"\\x\"",
            "{]",
            "1 2",
            &"[".repeat(200),
            &"[".repeat(100_000),
        ] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
