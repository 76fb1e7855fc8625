//! A finding with the invocation it belongs to.

use crate::detector::Detector;
use crate::finding::Finding;

/// What went wrong in one invocation (or, without a request id, in the sandbox).
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    pub(crate) detector: &'static Detector,
    pub(crate) finding: Finding,
    pub(crate) request_id: Option<String>,
    pub(crate) function_arn: Option<String>,
    pub(crate) trace_id: Option<String>,
}
