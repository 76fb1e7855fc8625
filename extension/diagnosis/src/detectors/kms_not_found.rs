//! A KMS key or alias that the function, or a service it uses, names does not exist in this account and
//! Region; or, in the caller's view, that of a called function's environment variables.
//!
//! ## Causes
//! The key was deleted, the id has a typing error, an alias was removed, or the key is in another Region
//! or account.
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
//! Compare the key's ARN with its Region and account; restore the alias or choose another key.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-not-found",
    title: "a KMS key was not found",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Compare the key ARN or alias in the error with the keys of that Region and account; restore the alias, or choose another key.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/kms/latest/developerguide/viewing-keys.html",
    // Other services deny what KMS refused, and name both.
    outranks: &["function-pending", "kms-access-denied"],
    views: &[View::Function, View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        // Lambda's, for the environment of a called function, and KMS's, SNS's or Kinesis's.
        Text::error("KMSNotFoundException", View::Function).of_either_view(),
        Text::error("KmsNotFoundException", View::Function).of_either_view(),
        Text::error("KMSNotFound", View::Function),
        Text::error("KmsNotFound", View::Function),
        Text::error("KMS.NotFoundException", View::Function),
        Text::error("NotFoundException", View::Function).about_kms(),
        Text::message("KMS key was not found", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str = "the KMS key of the function's environment variables was not found";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let of_key = || from_state::key(case, &[None], OUTSIDE);
    from_state::reason_or_key(case, &["KMSKeyNotFound"], OUTSIDE, of_key).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Function) | None => "a KMS key was not found",
            Some(View::Outside) => OUTSIDE,
            Some(View::Caller) => {
                "the KMS key of a called function's environment variables was not found"
            }
        })
    })
}
