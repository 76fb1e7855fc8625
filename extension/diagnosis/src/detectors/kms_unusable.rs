//! KMS refused the request itself: the wrong key, key usage, ciphertext or grant.
//!
//! ## Causes
//! The ciphertext is damaged, not base64-decoded, or of another key or encryption context; the key is
//! for signing and not for encryption; the grant token is wrong or too old.
//!
//! ## Evidence
//! The error's name or message in the function's log: confirmed where the line reports the error,
//! suspected where it is a warning. Names that other services have too count only beside a sign of
//! KMS (its ARNs, actions or name). `keyArn`, `aliasArn` and `operation` are there if the text names them.
//! The handler's own calls are seen; a key problem that Lambda meets is another problem.
//!
//! ## What to do
//! Check that ciphertext, key and encryption context are those of the encryption, and the key's usage.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-unusable",
    title: "a KMS key cannot be used for this request",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Check that the ciphertext is whole and decoded, that key and encryption context are those it was encrypted with, and that the key's usage fits the operation.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::error("InvalidKeyUsageException", View::Function),
        Text::error("KmsInvalidKeyUsage", View::Function),
        Text::error("InvalidGrantTokenException", View::Function),
        Text::error("InvalidCiphertextException", View::Function),
        Text::error("IncorrectKeyException", View::Function),
        Text::error("InvalidKMSResourceException", View::Function),
        Text::message("t decrypt the protected secret", View::Function),
        Text::message("t encrypt the protected secret", View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding(case, |_| "a KMS key cannot be used for this request")
}
