//! The account's request rate to KMS is above its quota.
//!
//! ## Causes
//! Many functions start or decrypt at once, or each request of the handler decrypts anew.
//!
//! ## Evidence
//! The error's name or message in the function's log: confirmed where the line reports the error,
//! suspected where it is a warning. Names that other services have too count only beside a sign of
//! KMS (its ARNs, actions or name). `keyArn`, `aliasArn` and `operation` are there if the text names them.
//! The handler's own calls are seen; a key problem that Lambda meets is another problem.
//!
//! ## What to do
//! Cache data keys and plaintexts for as long as the sandbox lives, use S3 Bucket Keys, or ask for a
//! higher quota.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-throttled",
    title: "requests to KMS were throttled",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Cache what was decrypted for the life of the sandbox, use S3 Bucket Keys and data key reuse periods, or request a higher KMS quota.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/kms/latest/developerguide/throttling.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("KMSThrottlingException", View::Function),
        Text::error("KMSThrottling", View::Function),
        Text::error("KmsThrottled", View::Function),
        Text::error("KmsThrottlingException", View::Function),
        Text::error("KMS.ThrottlingException", View::Function),
        Text::error("ThrottlingException", View::Function).about_kms(),
        // Where the SDK writes no code, or no operation, beside it.
        Text::message("exceeded the rate at which you may call KMS", View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |_| "requests to KMS were throttled")
}
