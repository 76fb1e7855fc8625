//! A KMS key that the function, or a service it uses, needs is disabled; or, in the caller's view, that of
//! a called function's environment variables.
//!
//! ## Causes
//! Somebody disabled the key, or an automatism did after a finding.
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
//! Enable the key again, or move the data to another one.

use crate::detector::{Case, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-disabled",
    title: "a KMS key is disabled",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Enable the KMS key again (kms:EnableKey), or encrypt with another key.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/kms/latest/developerguide/enabling-keys.html",
    // Other services deny what KMS refused, and name both.
    outranks: &["function-pending", "kms-access-denied"],
    views: &[View::Function, View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        // Lambda's, for the environment of a called function, and KMS's, SNS's or Kinesis's.
        Text::error("KMSDisabledException", View::Function).of_either_view(),
        Text::error("KmsDisabledException", View::Function).of_either_view(),
        Text::error("KMSDisabled", View::Function),
        Text::error("KmsDisabled", View::Function),
        Text::error("KMS.DisabledException", View::Function),
        Text::error("DisabledException", View::Function).about_kms(),
        Text::message("KMS key used is disabled", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str = "the KMS key of the function's environment variables is disabled";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let of_key = || from_state::key(case, &[Some("Disabled")], OUTSIDE);
    from_state::reason_or_key(case, &["DisabledKMSKey"], OUTSIDE, of_key).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Function) | None => "a KMS key is disabled",
            Some(View::Outside) => OUTSIDE,
            Some(View::Caller) => {
                "the KMS key of a called function's environment variables is disabled"
            }
        })
    })
}
