//! The error in what a function, or Invoke, answered: JSON, text, JSON within a string, or any of them
//! cut off.

use serde_json::Value;

/// An error's name and message, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PayloadError {
    /// Such as `EFSMountFailureException`.
    pub(crate) error_type: Option<String>,
    /// The message, or the whole text where it has no form.
    pub(crate) error_message: Option<String>,
}

/// JSON within strings is unwrapped so many times.
const MAX_ENCODINGS: usize = 4;
/// More of a message tells no more.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Names that are longer are none.
const MAX_TYPE_BYTES: usize = 256;

impl PayloadError {
    /// What a `responsePayload`, or the body of Invoke's answer, says.
    pub(crate) fn of(payload: &Value) -> Self {
        Self::within(payload, MAX_ENCODINGS)
    }

    fn within(payload: &Value, encodings: usize) -> Self {
        match payload {
            Value::Object(fields) => {
                // A runtime's names; those of Invoke's own answers.
                let text = |names: &[&str]| {
                    names.iter().find_map(|name| fields.get(*name)?.as_str()).map(str::to_owned)
                };
                let message = text(&["errorMessage", "Message", "message"]);
                let reason = text(&["Reason"]);
                let message = match (message, reason) {
                    (message, Some(reason)) => {
                        Some(format!("{} (Reason: {reason})", message.unwrap_or_default()))
                    }
                    (message, None) => message,
                };
                Self::bounded(text(&["errorType", "__type", "Code", "code"]), message)
            }
            Value::String(text) => Self::of_text(text, encodings),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Self::default(),
        }
    }

    fn of_text(text: &str, encodings: usize) -> Self {
        let looks_like_json = text.trim_start().starts_with(['{', '"']);
        if !looks_like_json || encodings == 0 {
            return Self::bounded(None, Some(text.to_owned()));
        }
        if let Ok(value) = super::json::json(text) {
            return Self::within(&value, encodings - 1);
        }
        // Cut off: the fields that are there, and as much of the last as is.
        let field = |name: &str| {
            let (_, after) = text.split_once(&format!("\"{name}\""))?;
            let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
            Some(unescaped(value))
        };
        let (name, message) = (field("errorType"), field("errorMessage"));
        if name.is_none() && message.is_none() {
            return match text.trim_start().strip_prefix('"') {
                // JSON within a string, cut off.
                Some(inner) => Self::of_text(&unescaped(inner), encodings - 1),
                None => Self::bounded(None, Some(text.to_owned())),
            };
        }
        Self::bounded(name, message)
    }

    fn bounded(error_type: Option<String>, message: Option<String>) -> Self {
        let error_type = error_type.filter(|name| !name.is_empty() && name.len() <= MAX_TYPE_BYTES);
        let message = message.filter(|message| !message.is_empty()).map(|mut message| {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message
        });
        Self { error_type, error_message: message }
    }
}

/// The beginning of a JSON string, behind its quote, up to its end or that of the text.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('u') => {
                    let hex: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(escaped) => out.push(escaped),
                None => break,
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(payload: Value) -> (Option<String>, Option<String>) {
        let error = PayloadError::of(&payload);
        (error.error_type, error.error_message)
    }

    fn known(name: &str, message: &str) -> (Option<String>, Option<String>) {
        (Some(name.to_owned()), Some(message.to_owned()))
    }

    #[test]
    fn what_runtimes_and_invoke_answer() {
        let runtimes = json!({"errorType": "E", "errorMessage": "m", "stackTrace": ["x"]});
        assert_eq!(of(runtimes), known("E", "m"));
        assert_eq!(of(json!({"Type": "User", "Message": "m"})), (None, Some("m".to_owned())));
        let throttled = json!({"Reason": "CallerRateLimitExceeded", "message": "Rate Exceeded."});
        assert_eq!(of(throttled).1.unwrap(), "Rate Exceeded. (Reason: CallerRateLimitExceeded)");
    }

    #[test]
    fn text_is_the_message() {
        assert_eq!(of(json!("E: m")), (None, Some("E: m".to_owned())));
        for nothing in [json!(null), json!(7), json!([]), json!({}), json!("")] {
            assert_eq!(of(nothing), (None, None));
        }
    }

    #[test]
    fn json_within_strings_is_unwrapped() {
        let mut payload = json!({"errorType": "E", "errorMessage": "m \"é\"\n"});
        for _ in 0..MAX_ENCODINGS {
            payload = Value::String(payload.to_string());
            assert_eq!(of(payload.clone()), known("E", "m \"é\"\n"));
        }
        // Whoever encodes it once more gets a text and no endless work.
        let text = of(Value::String(payload.to_string())).1.unwrap();
        assert!(text.contains("errorType"), "{text}");
    }

    #[test]
    fn what_was_cut_off_tells_what_is_left() {
        let whole =
            json!({"errorType": "EFSMountFailureException", "errorMessage": "could \"not\" é"});
        let whole = whole.to_string();
        for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let (name, message) = of(json!(&whole[..end]));
            let name = name.or(message.clone()).unwrap_or_default();
            if end >= whole.find("\",\"errorType").unwrap() {
                assert_eq!(message.as_deref(), Some("could \"not\" é"), "{end}");
            }
            if end > whole.rfind("Exception").unwrap() + 9 {
                assert_eq!(name, "EFSMountFailureException", "{end}");
            }
        }
        let twice = json!(whole).to_string();
        let cut = &twice[..twice.len() - 12];
        assert_eq!(of(json!(cut)).1.as_deref(), Some("could \"not\" é"));
    }

    #[test]
    fn a_message_is_bounded() {
        let (_, message) =
            of(json!({"errorType": "E".repeat(300), "errorMessage": "é".repeat(90_000)}));
        assert!(message.unwrap().len() <= MAX_MESSAGE_BYTES);
    }
}
