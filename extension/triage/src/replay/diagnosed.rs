//! A line of the extension, as a person is shown it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A line that the extension writes, as far as a person is shown it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosed {
    pub(crate) timestamp: String,
    pub(crate) level: String,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    #[serde(rename = "FunctionName")]
    pub(crate) function_name: Option<String>,
    pub(crate) diagnosis: Diagnosis,
}

/// Its `diagnosis`.
#[derive(Debug, Deserialize)]
pub(crate) struct Diagnosis {
    pub(crate) problem: String,
    pub(crate) cause: Option<String>,
    pub(crate) stage: String,
    pub(crate) view: Option<String>,
    pub(crate) occurrences: u64,
    pub(crate) advice: Option<String>,
    pub(crate) reference: Option<String>,
    #[serde(default)]
    pub(crate) evidence: Map<String, Value>,
}

/// A time, if the input told one: without any, time begins with 1970.
pub(super) fn known_time(timestamp: &str) -> Option<&str> {
    Some(timestamp).filter(|timestamp| !timestamp.starts_with("1970-"))
}
