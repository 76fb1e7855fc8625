//! Bytes of a telemetry delivery to records, one by one: what cannot be read costs only itself.

mod plain;

pub(crate) use self::plain::{Minute, PlainRecord};
use crate::bug::contained;
use crate::fault_point;
use crate::matching::Matcher;
use crate::record::{
    ExtensionState, FunctionLog, InitEnd, InitPhase, InitStart, InvocationReport, LogsDropped,
    Start, Status,
};
use crate::{Record, RecordBody, RuntimeDone, Timestamp};
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// One delivery of the Telemetry API: a JSON array or lines of JSON, read record by record.
#[derive(Debug)]
pub struct Body {
    text: String,
    at: usize,
    /// Bytes that may still be read a second time while looking for the next sound record, so that
    /// no body costs more than a few passes over it.
    rereads: usize,
    /// Where the next anchor of a matcher stands, from the record on that was asked about last.
    next_anchor: Option<(Arc<Matcher>, usize)>,
}

/// A part of a delivery that could not be read as a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// How many bytes were skipped.
    pub bytes: usize,
}

/// Whether a record may begin at this brace. Inside a JSON string the quotes would be escaped and
/// the line break too, so that none of these is met within a log line.
fn is_beginning(text: &str, brace: usize) -> bool {
    let rest = &text[brace..];
    rest.starts_with("{\"time\"") || rest.starts_with("{\"type\"") || text[..brace].ends_with('\n')
}

impl Body {
    /// Any bytes at all; what is not UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        let rereads = text.len().saturating_mul(2);
        Self { text, at: 0, rereads, next_anchor: None }
    }

    /// The bytes, or what stands for them, so that their memory can be used again.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The next record, or what was skipped because it was none. None at the end.
    ///
    /// A bug in reading a record costs that record.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, Malformed>> {
        fault_point!("delivery");
        self.skip_separators();
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let bytes = match values.next()? {
            Ok(value) => value.get().len(),
            Err(error) => {
                let bytes = self.skip_to_next_beginning(&error);
                return Some(Err(Malformed { bytes }));
            }
        };
        let value = &self.text[self.at..self.at + bytes];
        self.at += bytes;
        Some(contained(|| record(value)).flatten().ok_or(Malformed { bytes }))
    }

    /// The record that comes next, if it is plain and holds none of the matcher's texts. It stays the next
    /// one until [`Self::skip`].
    pub(crate) fn next_without_text(
        &mut self,
        matcher: &Arc<Matcher>,
        minute: &mut Minute,
    ) -> Option<PlainRecord> {
        self.skip_separators();
        let anchors = matcher.anchors()?;
        let record = PlainRecord::read(&self.text, self.at, minute, anchors.alphabet())?;
        let known = self.next_anchor.as_ref().filter(|(of, _)| Arc::ptr_eq(of, matcher));
        let next = match known {
            Some((_, next)) if *next >= record.value.start => *next,
            _ => {
                let next = anchors.next(&self.text, record.value.start);
                self.next_anchor = Some((matcher.clone(), next));
                next
            }
        };
        (next >= record.value.end).then_some(record)
    }

    /// Goes past a record.
    pub(crate) fn skip(&mut self, record: &PlainRecord) {
        self.at = record.end;
    }

    /// What a plain record says that is text.
    pub(crate) fn text_of(&self, record: &PlainRecord) -> Option<Cow<'_, str>> {
        let value = self.text.get(record.value.clone())?;
        serde_json::from_str(value).ok().map(|Text(text)| text)
    }

    /// The same as it was sent, without its quotes.
    pub(crate) fn raw_text_of(&self, record: &PlainRecord) -> &str {
        self.text.get(record.value.start + 1..record.value.end - 1).unwrap_or_default()
    }

    /// How many bytes have been worked through so far: the measure for a caller that works in
    /// slices.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes back to where a record was, which [`Self::position`] gave before it was read: it is read
    /// again.
    pub fn go_back(&mut self, position: usize) {
        if position < self.at && self.text.is_char_boundary(position) {
            self.at = position;
            self.next_anchor = None;
        }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.text.len() - self.at
    }

    /// Brackets and commas between records carry nothing; so an array and lines read alike.
    fn skip_separators(&mut self) {
        let rest = self.text.as_bytes()[self.at..].iter();
        self.at += rest.take_while(|byte| is_separator(**byte)).count();
    }

    fn skip_to_next_beginning(&mut self, error: &serde_json::Error) -> usize {
        let rest = &self.text[self.at..];
        let lines_before: usize =
            rest.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let read = lines_before + error.column();
        let mut braces = rest.match_indices('{').map(|(at, _)| at);
        let next = braces.find(|at| *at > 0 && is_beginning(rest, *at));
        let skipped = match (next, self.rereads.checked_sub(read)) {
            (Some(next), Some(left)) => {
                self.rereads = left;
                next
            }
            _ => rest.len(),
        };
        self.at += skipped;
        skipped
    }
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b',')
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: &'a RawValue,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

fn record(json: &str) -> Option<Record<'_>> {
    fault_point!("record");
    let envelope: Envelope<'_> = serde_json::from_str(json).ok()?;
    let time = envelope.time.and_then(timestamp);
    let kind = text(envelope.r#type)?;
    let body = if kind == "function" {
        RecordBody::Function(envelope.record.map_or(FunctionLog::Json("null"), function_log))
    } else {
        platform_record(&kind, envelope.record)?
    };
    Some(Record { time, body })
}

fn timestamp(raw: &RawValue) -> Option<Timestamp> {
    match text(raw) {
        Some(text) => Timestamp::parse(&text),
        None => serde_json::from_str(raw.get()).ok().map(Timestamp::from_ms),
    }
}

fn function_log(raw: &RawValue) -> FunctionLog<'_> {
    text(raw).map_or(FunctionLog::Json(raw.get()), FunctionLog::Text)
}

/// None where the record lacks what makes it one.
fn platform_record(kind: &str, raw: Option<&RawValue>) -> Option<RecordBody<'static>> {
    const WATCHED: [&str; 10] = [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.restoreRuntimeDone",
        "platform.restoreReport",
        "platform.extension",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
        "platform.logsDropped",
    ];
    if !WATCHED.contains(&kind) {
        return Some(RecordBody::Unwatched);
    }
    let Some(fields) = nested::<Fields<'_>>(raw) else {
        // Without an invocation's id, or an initialization's beginning, nothing is lost.
        let is_optional = kind.ends_with("Done") || kind.ends_with("Report");
        let is_optional = is_optional && !kind.starts_with("platform.runtime");
        return (is_optional || kind == "platform.extension").then_some(RecordBody::Unwatched);
    };
    if kind == "platform.initStart" {
        let phase = string(fields.phase);
        let is_within_invocation = phase.is_some_and(|phase| phase.eq_ignore_ascii_case("invoke"));
        return Some(RecordBody::InitStart(InitStart { is_within_invocation }));
    }
    if kind == "platform.logsDropped" {
        return Some(RecordBody::LogsDropped(LogsDropped {
            records: count(fields.dropped_records),
            bytes: count(fields.dropped_bytes),
            reason: string(fields.reason),
        }));
    }
    let status = string(fields.status).map_or(Status::Unknown, |s| Status::from_word(&s));
    let error_type = string(fields.error_type).filter(|name| !name.is_empty());
    let metrics = nested::<Metrics<'_>>(fields.metrics).unwrap_or_default();
    let duration_ms = number(metrics.duration_ms).filter(|ms| ms.is_finite() && *ms >= 0.0);
    if kind == "platform.extension" {
        let name = string(fields.name).filter(|name| !name.is_empty());
        return Some(RecordBody::Extension(ExtensionState { name, error_type }));
    }
    if kind.starts_with("platform.init") || kind.starts_with("platform.restore") {
        let phase = if kind.starts_with("platform.restore") {
            InitPhase::Restore
        } else {
            string(fields.phase).map_or(InitPhase::Init, |phase| InitPhase::from_word(&phase))
        };
        return Some(RecordBody::InitEnd(InitEnd { phase, status, error_type, duration_ms }));
    }
    let request_id = string(fields.request_id).filter(|id| !id.is_empty())?;
    if kind == "platform.start" {
        return Some(RecordBody::Start(Start {
            request_id,
            trace_header: nested::<Tracing<'_>>(fields.tracing).and_then(|t| string(t.value)),
            function_arn: string(fields.function_arn),
        }));
    }
    Some(if kind == "platform.runtimeDone" {
        RecordBody::RuntimeDone(RuntimeDone {
            request_id,
            status,
            error_type,
            duration_ms,
            produced_bytes: count(metrics.produced_bytes),
        })
    } else {
        RecordBody::Report(InvocationReport {
            request_id,
            status,
            error_type,
            duration_ms,
            max_memory_used_mb: count(metrics.max_memory_used_mb),
            memory_size_mb: count(metrics.memory_size_mb),
        })
    })
}

/// The fields of platform records that are looked at, unread: anything may stand there, and a tree
/// of it would take many times its memory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, default)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metrics: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tracing: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_arn: Option<&'a RawValue>,
    #[serde(borrow, default)]
    phase: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dropped_records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dropped_bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tracing<'a> {
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Metrics<'a> {
    #[serde(borrow, default, rename = "durationMs")]
    duration_ms: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "producedBytes")]
    produced_bytes: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "memorySizeMB")]
    memory_size_mb: Option<&'a RawValue>,
}

fn nested<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// A string, or a number in its place; as much of it as is kept. Ids, headers and reasons are
/// shorter by far.
fn string(raw: Option<&RawValue>) -> Option<String> {
    const MAX_BYTES: usize = 1_024;
    let raw = raw?;
    if let Some(text) = text(raw) {
        return Some(text[..text.floor_char_boundary(MAX_BYTES)].to_owned());
    }
    serde_json::from_str::<Number>(raw.get()).ok().map(|number| number.to_string())
}

/// A whole number; what is none of those that can be counted is not known.
fn count(raw: Option<&RawValue>) -> Option<u64> {
    number(raw).filter(|n| (0.0..9e15).contains(n)).map(|n| n as u64)
}

/// A number, or a string that holds one.
fn number(raw: Option<&RawValue>) -> Option<f64> {
    string(raw)?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
