//! The function, or a service that decrypts for it, may not use a KMS key; or, in the caller's view, Lambda
//! may not use the key of a called function's environment variables.
//!
//! ## Causes
//! The role lacks `kms:Decrypt` or `kms:GenerateDataKey`, the key policy does not allow the role or the
//! account, a grant was retired, or the key belongs to another account or Region.
//! - `missing-or-forbidden-key`: KMS does not say which: the key of the ciphertext does not exist here,
//!   or may not be used.
//! - `opt-in-required`: the account is not subscribed to KMS.
//!
//! ## Evidence
//! The error's name or message in the function's log: confirmed where the line reports the error,
//! suspected where it is a warning. Names that other services have too count only beside a sign of
//! KMS (its ARNs, actions or name). `keyArn`, `aliasArn` and `operation` are there if the text names them.
//! `action` and `principal` (without the name of its session) are there if it says what was denied and
//! to whom; `calledFunctionArn` in the caller's view, if the text names it.
//!
//! From outside: the error in the record of a failed request, or the reason of the function's state.
//!
//! ## What to do
//! Allow the action named in the error for the role, in its policy and in the key's policy.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "kms-access-denied",
    title: "the use of a KMS key was denied",
    level: Level::Error,
    metric: "KmsErrors",
    advice: "Allow the KMS action that the error names for the function's role, both in the role's policy and in the key policy; for an environment key, Lambda uses the function's role too.",
    causes: &[
        Cause {
            name: "missing-or-forbidden-key",
            advice: "The key that made the ciphertext is gone, in another account or Region, or not allowed to this role: check which key it was, and that the Region is the same.",
        },
        Cause {
            name: "opt-in-required",
            advice: "The account is not subscribed to AWS KMS in this Region: finish the account's sign-up, or use a Region that is enabled.",
        },
    ],
    reference: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html",
    outranks: &["function-pending"],
    views: &[View::Function, View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        // Lambda's, for the environment of a called function, and KMS's, SNS's or Kinesis's.
        Text::error("KMSAccessDeniedException", View::Function).of_either_view(),
        Text::error("KmsAccessDeniedException", View::Function).of_either_view(),
        Text::error("KMSAccessDenied", View::Function),
        Text::error("KmsAccessDenied", View::Function),
        Text::error("KMS.AccessDeniedException", View::Function),
        Text::error("KMSKeyNotAccessibleFault", View::Function),
        Text::error("AccessDeniedException", View::Function).about_kms(),
        Text::message("not authorized to perform: kms:", View::Function),
        Text::message("KMS key access denied error", View::Function),
        Text::message("Access to KMS is not allowed", View::Function),
        Text::message(
            "The ciphertext refers to a customer master key that does not exist",
            View::Function,
        )
        .names("missing-or-forbidden-key"),
        Text::error("KMSOptInRequired", View::Function).names("opt-in-required"),
        Text::error("KMSOptInRequiredException", View::Function).names("opt-in-required"),
        Text::error("KmsOptInRequired", View::Function).names("opt-in-required"),
        Text::message("KMS access was denied", View::Caller),
    ],
    examine,
};

const OUTSIDE: &str = "Lambda was denied the KMS key of the function's environment variables";

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_state::reason(case, &["KMSKeyAccessDenied"], OUTSIDE).or_else(|| {
        from_log::finding(case, |view| match view {
            Some(View::Function) | None => "the use of a KMS key was denied",
            Some(View::Outside) => OUTSIDE,
            Some(View::Caller) => {
                "Lambda was denied the KMS key of a called function's environment variables"
            }
        })
    })
}
