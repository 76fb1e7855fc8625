//! KMS, or the key store behind a key, did not answer as it should.
//!
//! ## Causes
//! A passing fault of the service, or a custom key store that is disconnected or overloaded.
//!
//! ## Evidence
//! The error's name or message in the function's log: confirmed where the line reports the error,
//! suspected where it is a warning. Names that other services have too count only beside a sign of
//! KMS (its ARNs, actions or name). `keyArn`, `aliasArn` and `operation` are there if the text names them.
//! The handler's own calls are seen; a key problem that Lambda meets is another problem.
//!
//! ## What to do
//! Retry with back-off; look at the AWS Health Dashboard and at the state of a custom key store.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-unavailable",
    title: "KMS could not be reached or was not available",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Retry with exponential back-off; if it lasts, look at the AWS Health Dashboard and at the state of the key's custom key store.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("KeyUnavailableException", View::Function),
        Text::error("DependencyTimeoutException", View::Function).about_kms(),
        Text::error("KMSInternalException", View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |_| "KMS was not available")
}
