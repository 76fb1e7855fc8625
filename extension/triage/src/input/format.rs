//! Which format the input has, told from its beginning.

use super::Values;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use triage_diagnosis::failed_requests::{self, DeadLetterNames};

/// A format of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Records of Lambda's Telemetry API: JSON lines or arrays
    Telemetry,
    /// What `aws logs filter-log-events` or `get-log-events` prints as JSON
    Cloudwatch,
    /// Records of failed requests: what an on-failure destination or a dead-letter queue holds
    FailedRequests,
    /// Lines of a log: as the function and Lambda wrote them, as `aws logs tail` prints them
    Text,
}

/// What tells one kind of value from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe<'a> {
    #[serde(borrow, default)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
    #[serde(borrow, default)]
    at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    next: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dropped: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ingestion_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log_stream_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    searched_completely: Option<&'a RawValue>,
}

/// Tells the format from the beginning of an input.
pub(crate) fn detect(sample: &[u8]) -> Format {
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample).trim_ascii_start();
    let begins_as_json = match sample.first() {
        Some(b'{') => true,
        // Not `[ERROR] …`
        Some(b'[') => matches!(sample[1..].trim_ascii_start().first(), Some(b'{' | b']')),
        _ => false,
    };
    if !begins_as_json {
        return Format::Text;
    }
    let mut is_all_platform = true;
    let mut is_first = true;
    let mut values = Values::new(sample);
    // Bytes in memory: reading them cannot fail.
    while let Ok(Some(piece)) = values.next() {
        let text = String::from_utf8_lossy(piece.bytes);
        let is_cut_off = piece.place.byte as usize + piece.bytes.len() >= sample.len();
        if std::mem::take(&mut is_first) && holds_failed_requests(&text, is_cut_off) {
            return Format::FailedRequests;
        }
        match serde_json::from_str::<Probe<'_>>(&text) {
            Ok(probe) => match kind(&probe) {
                Kind::Of(format) => return format,
                Kind::PlatformRecord => {}
                Kind::Other => is_all_platform = false,
            },
            // A record of telemetry may be longer than the sample; so may a line of the function's.
            Err(_) => is_all_platform &= is_cut_off && text.contains("\"record\""),
        }
    }
    match (values.is_in_envelope(), is_all_platform) {
        (true, _) => Format::Cloudwatch,
        (false, true) => Format::Telemetry,
        // Lines of Lambda's JSON log format: the platform's records among the function's own.
        (false, false) => Format::Text,
    }
}

/// What `aws sqs receive-message` or boto3's receive_message gives: this and nothing else beside it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received<'a> {
    #[serde(borrow, rename = "Messages")]
    messages: Vec<Message<'a>>,
    #[serde(borrow, default, rename = "ResponseMetadata")]
    _response_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "MessageId")]
    _message_id: &'a RawValue,
    #[serde(borrow, rename = "ReceiptHandle")]
    _receipt_handle: &'a RawValue,
    #[serde(borrow, rename = "Body")]
    _body: &'a RawValue,
}

/// Whether a value is messages of a queue. What is in them may be anything: as a log it would tell nothing,
/// which would pass for all being well.
fn is_received(text: &str, is_cut_off: bool) -> bool {
    if serde_json::from_str::<Message<'_>>(text).is_ok() {
        return true;
    }
    let begin = text.strip_prefix('{').map(str::trim_ascii_start);
    begin.is_some_and(|begin| begin.starts_with("\"Messages\""))
        && match serde_json::from_str::<Received<'_>>(text) {
            Ok(received) => !received.messages.is_empty(),
            Err(error) => is_cut_off && error.is_eof() && text.contains("\"ReceiptHandle\""),
        }
}

/// Whether a value is a record of a failed request, or holds some. Functions log their events, too, and
/// lines of their own: what is none of the records says nothing.
fn holds_failed_requests(text: &str, is_cut_off: bool) -> bool {
    if is_received(text, is_cut_off) {
        return true;
    }
    // What no record is without, however it is wrapped and encoded.
    let is_possible = ["approximateInvokeCount", "functionArn", "RequestID", "TARGET_ARN"]
        .iter()
        .any(|name| text.contains(name));
    if !is_possible {
        return false;
    }
    match failed_requests::json(text) {
        Ok(json) => {
            let mut items = failed_requests::read(&json, &DeadLetterNames::new()).into_iter();
            items.any(|item| item.told.is_ok())
        }
        Err(_) => {
            let is_letter = text.contains("RequestID") && text.contains("ErrorCode");
            let is_record = text.contains("approximateInvokeCount");
            is_cut_off && (is_record || is_letter) && !text.contains("\"record\"")
        }
    }
}

enum Kind {
    Of(Format),
    /// Either telemetry or a line of Lambda's JSON log format.
    PlatformRecord,
    Other,
}

fn kind(probe: &Probe<'_>) -> Kind {
    let text = |raw: &'_ RawValue| serde_json::from_str::<Cow<'_, str>>(raw.get()).ok();
    let kind = probe.r#type.and_then(|raw| text(raw).map(Cow::into_owned)).unwrap_or_default();
    if probe.at.is_some() && (probe.next.is_some() || probe.dropped.is_some()) {
        return Kind::Of(Format::Telemetry);
    }
    if probe.record.is_some() && (kind == "function" || kind == "extension") {
        return Kind::Of(Format::Telemetry);
    }
    if kind.starts_with("platform.") {
        return Kind::PlatformRecord;
    }
    let is_event = probe.message.is_some()
        && probe.timestamp.is_some()
        && (probe.ingestion_time.is_some() || probe.log_stream_name.is_some());
    if is_event || (probe.log_stream_name.is_some() && probe.searched_completely.is_some()) {
        return Kind::Of(Format::Cloudwatch);
    }
    Kind::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_format() {
        let record = r#"{"time":"2026-03-01T12:00:00.000Z","type":"platform.start","record":{"requestId":"a"}}"#;
        let function = r#"{"time":"2026-03-01T12:00:00.000Z","type":"function","record":"x"}"#;
        let event = r#"{"logStreamName":"s","timestamp":1,"message":"START","ingestionTime":2}"#;
        let json_line = r#"{"timestamp":"2026-03-01T12:00:00Z","level":"INFO","message":"x"}"#;
        let failed = r#"{"requestContext":{"requestId":"a","functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","condition":"RetriesExhausted","approximateInvokeCount":3}}"#;
        let letter = r#"{"eventSource":"aws:sqs","messageAttributes":{"RequestID":{"stringValue":"e4b46cbf-b738-4d2c-8880-a18cdf61200e"},"ErrorCode":{"stringValue":"429"}},"body":"x"}"#;
        let message = r#"{"MessageId":"a","ReceiptHandle":"b","MD5OfBody":"c","Body":"{}"}"#;
        for (text, expected) in [
            (String::new(), Format::Text),
            ("START RequestId: a".to_owned(), Format::Text),
            ("[ERROR] KeyError: 'x'".to_owned(), Format::Text),
            (record.to_owned(), Format::Telemetry),
            (format!("\u{feff}{record}\n{function}"), Format::Telemetry),
            (format!("[{record},{function}]"), Format::Telemetry),
            ("{\"at\":\"2026-03-01T12:00:00.000Z\",\"next\":{}}".to_owned(), Format::Telemetry),
            (format!("{record}\n{json_line}\n"), Format::Text),
            (json_line.to_owned(), Format::Text),
            (format!("{{\"events\":[{event}"), Format::Cloudwatch),
            ("{\n  \"events\": [],\n  \"nextToken\": \"x\"\n}".to_owned(), Format::Cloudwatch),
            (format!("[\n{event}\n]"), Format::Cloudwatch),
            (format!("{event}\n{event}"), Format::Cloudwatch),
            ("{\"events\":[{\"message\":\"cut o".to_owned(), Format::Cloudwatch),
            (function[..function.len() - 3].to_owned(), Format::Telemetry),
            (format!("{record}\n{}", &function[..function.len() - 3]), Format::Telemetry),
            (json_line[..json_line.len() - 3].to_owned(), Format::Text),
            ("{\"a\":".repeat(9), Format::Text),
            (format!("{failed}\n{failed}"), Format::FailedRequests),
            (format!("[{failed}]"), Format::FailedRequests),
            (format!("{{\"Records\":[{letter}]}}"), Format::FailedRequests),
            (format!("{{\"Records\":[{letter},{}", &letter[..90]), Format::FailedRequests),
            (failed[..failed.len() - 3].to_owned(), Format::FailedRequests),
            // Its attributes were not asked for.
            (format!("{{\"Messages\": [{message}]}}"), Format::FailedRequests),
            (format!("{{\n  \"Messages\": [{message},{{\"Mess"), Format::FailedRequests),
            (
                format!("{{\"Messages\":[{message}],\"ResponseMetadata\":{{}}}}"),
                Format::FailedRequests,
            ),
            (format!("{{\"Messages\":[{message}],\"queue\":\"x\"}}"), Format::Text),
            (format!("{message}\n{message}\n"), Format::FailedRequests),
            (format!("[{message}, {message}]"), Format::FailedRequests),
            ("{\"Messages\":[]}".to_owned(), Format::Text),
            // A function's log of its own events.
            (
                "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":\"functionArn\"}]}".to_owned(),
                Format::Text,
            ),
            (
                "{\"requestContext\":{\"requestId\":\"a\",\"functionArn\":\"x\"}}".to_owned(),
                Format::Text,
            ),
        ] {
            assert_eq!(detect(text.as_bytes()), expected, "{text}");
        }
    }
}
