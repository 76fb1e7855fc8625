//! A KMS key is pending deletion or import, or otherwise in a state that forbids the request; or, in the
//! caller's view, that of a called function's environment variables.
//!
//! ## Causes
//! The key is scheduled for deletion, its imported material is missing or expired, its key store is
//! disconnected, or it is being created or updated. `pending-deletion` and `pending-import` are named
//! where the message does.
//!
//! ## Evidence
//! The error's name or message in the function's log: confirmed where the line reports the error,
//! suspected where it is a warning. Names that other services have too count only beside a sign of
//! KMS (its ARNs, actions or name). `keyArn`, `aliasArn` and `operation` are there if the text names them.
//! `calledFunctionArn` is there in the caller's view, if the text names it.
//!
//! From outside: the error in the record of a failed request, or the reason of the function's state. What DescribeKey says of the key
//! is imminent, as sandboxes that have begun run on.
//!
//! ## What to do
//! Cancel the deletion while its waiting period lasts, import the material again, or wait for the key.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-invalid-state",
    title: "a KMS key is in a state that forbids its use",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Look at the key's state: cancel a scheduled deletion (kms:CancelKeyDeletion) while it lasts and enable the key, import missing key material again, or reconnect its key store.",
    causes: &[
        Cause {
            name: "pending-deletion",
            advice: "The key is scheduled for deletion: cancel it (kms:CancelKeyDeletion) before the waiting period ends, then enable the key; afterwards nothing can decrypt what it encrypted.",
        },
        Cause {
            name: "pending-import",
            advice: "The key waits for its imported key material: import it again (kms:ImportKeyMaterial).",
        },
    ],
    reference: "https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html",
    // Other services deny what KMS refused, and name both.
    outranks: &["function-pending", "kms-access-denied"],
    views: &[View::Function, View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        // Lambda's, for the environment of a called function, and KMS's, SNS's or Kinesis's.
        Text::error("KMSInvalidStateException", View::Function).of_either_view(),
        Text::error("KmsInvalidStateException", View::Function).of_either_view(),
        Text::error("KMSInvalidState", View::Function),
        Text::error("KmsInvalidState", View::Function),
        Text::error("KMS.InvalidStateException", View::Function),
        Text::error("KMS.KMSInvalidStateException", View::Function),
        Text::message("is pending deletion", View::Function).about_kms().names("pending-deletion"),
        Text::message("is pending import", View::Function).about_kms().names("pending-import"),
        Text::message("KMS key used is not valid for Decrypt", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str =
    "the KMS key of the function's environment variables is in a state that forbids its use";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let of_key = || from_key(case);
    from_state::reason_or_key(case, &["InvalidStateKMSKey"], OUTSIDE, of_key).or_else(|| from_log::finding(case, |view| match view {
        Some(View::Function) | None => "a KMS key is in a state that forbids its use",
        Some(View::Outside) => OUTSIDE,
        Some(View::Caller) => {
            "the KMS key of a called function's environment variables is in a state that forbids its use"
        }
    }))
}

/// What DescribeKey tells, with the cause that it names.
fn from_key(case: &Case<'_>) -> Option<Finding> {
    let state = |state, cause: Option<&'static str>| {
        let finding = from_state::key(case, &[Some(state)], OUTSIDE)?;
        Some(Finding { cause, ..finding })
    };
    state("PendingDeletion", Some("pending-deletion"))
        .or_else(|| state("PendingReplicaDeletion", Some("pending-deletion")))
        .or_else(|| state("PendingImport", Some("pending-import")))
        .or_else(|| state("Unavailable", None))
}
