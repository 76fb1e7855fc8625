//! One record of the Telemetry API.

use crate::Timestamp;
use std::borrow::Cow;

/// One record: when it was made and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// When the platform says it happened; absent where the record had none that could be read.
    pub time: Option<Timestamp>,
    /// What it says.
    pub body: RecordBody<'a>,
}

/// What a record says, as far as anything here uses it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecordBody<'a> {
    /// `platform.runtimeDone`
    RuntimeDone(RuntimeDone<'a>),
    /// A type that nothing here knows; new ones appear without notice.
    Unknown,
}

/// `platform.runtimeDone`: the runtime has finished with an invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeDone<'a> {
    /// The invocation's request id.
    pub request_id: Cow<'a, str>,
}
