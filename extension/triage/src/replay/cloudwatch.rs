//! Events of CloudWatch Logs, as its API and the AWS CLI print them.

use serde::Deserialize;
use serde_json::Value;
use triage_diagnosis::Timestamp;

/// What stands in such a document.
pub(crate) enum Entry {
    /// A log event.
    Event(LogEvent),
    /// A log stream of `searchedLogStreams`.
    Searched,
}

/// What was written to a log stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    /// The log stream; empty where only one was asked for.
    pub(crate) stream: String,
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// What.
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(default)]
    log_stream_name: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(default)]
    timestamp: Value,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    searched_completely: Value,
}

/// Reads a value. None where it is none of these.
pub(crate) fn read(json: &[u8]) -> Option<Entry> {
    let fields: Fields = match std::str::from_utf8(json) {
        Ok(json) => serde_json::from_str(json).ok()?,
        Err(_) => serde_json::from_str(&String::from_utf8_lossy(json)).ok()?,
    };
    match fields.message {
        Some(message) => Some(Entry::Event(LogEvent {
            stream: fields.log_stream_name.unwrap_or_default(),
            at: fields.timestamp.as_u64().map(Timestamp::from_ms),
            message,
        })),
        None if !fields.searched_completely.is_null() => Some(Entry::Searched),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &[u8]) -> Option<LogEvent> {
        match read(json) {
            Some(Entry::Event(event)) => Some(event),
            _ => None,
        }
    }

    #[test]
    fn reads_events_of_both_commands() {
        let filtered = br#"{"logStreamName":"s","timestamp":7,"message":"x\n","ingestionTime":8,"eventId":"1"}"#;
        let expected =
            LogEvent { stream: "s".into(), at: Some(Timestamp::from_ms(7)), message: "x\n".into() };
        assert_eq!(event(filtered), Some(expected));
        let got = br#"{"timestamp":"7","message":"x","ingestionTime":8}"#;
        let expected = LogEvent { stream: String::new(), at: None, message: "x".into() };
        assert_eq!(event(got), Some(expected));
        assert_eq!(event(b"{\"message\":\"\xff\"}").unwrap().message, "\u{fffd}");
    }

    #[test]
    fn what_is_no_event_is_none() {
        let searched = br#"{"logStreamName":"s","searchedCompletely":true}"#;
        assert!(matches!(read(searched), Some(Entry::Searched)));
        for json in ["", "{}", "[]", "7", "{\"message\":7}", "{\"message\":\"cut o"] {
            assert!(read(json.as_bytes()).is_none(), "{json}");
        }
    }
}
