//! The function may not invoke another one.
//!
//! ## Causes
//! IAM's text says why, in most cases:
//! - `explicit-deny`: a policy denies it, whatever others allow.
//! - `no-identity-based-policy`: none of the role's policies allows it.
//! - `no-resource-based-policy`: the called function is in another account, and its own policy does not
//!   allow this one.
//! - `no-permissions-boundary`, `no-organization-policy` (a service or resource control policy),
//!   `no-session-policy`, `no-endpoint-policy`: that limit does not include it.
//!
//! ## Evidence
//! IAM's sentence in the function's log: confirmed where the line reports it, suspected where it is a
//! warning. `action`, `principal` (without the name of its session), `calledFunctionArn` and `policyType`
//! are there if it names them.
//!
//! That another service (EventBridge, S3, SNS, API Gateway) may not invoke this function cannot be seen
//! here: this function does not run then. From outside it is seen of EventBridge, whose rules and
//! schedules put events with `NO_PERMISSIONS` into their dead-letter queue (that the function's own
//! policy is what lacks is inferred). Of the others, look at that service's own metrics and at the
//! function's resource-based policy.
//!
//! ## What to do
//! Allow the action on the called function, in the place that the cause names; remember the ARN with
//! `:*` for versions and aliases.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "invoke-access-denied",
    title: "the invocation of another function was denied",
    level: Level::Error,
    metric: "AccessDenied",
    advice: "Allow lambda:InvokeFunction on the called function (and on its ARN with :* for versions and aliases) in the role's policy; from another account, also in the called function's resource-based policy.",
    causes: &[
        Cause {
            name: "explicit-deny",
            advice: "A policy denies it explicitly, so that allowing it elsewhere does not help: find the Deny statement in the policy type that the error names, and narrow it.",
        },
        Cause {
            name: "no-identity-based-policy",
            advice: "Add a policy to the principal that allows the action on the called function's ARN, and on the ARN with :* if a version or an alias is invoked.",
        },
        Cause {
            name: "no-resource-based-policy",
            advice: "Let the called function's resource-based policy allow this principal (AddPermission); for a call to another account both this and the role's policy are needed.",
        },
        Cause {
            name: "no-permissions-boundary",
            advice: "The permissions boundary of the principal does not include the action: add it there; the policies of the role alone do not help.",
        },
        Cause {
            name: "no-organization-policy",
            advice: "A service or resource control policy of the organization does not allow the action here: ask those who administer it.",
        },
        Cause {
            name: "no-session-policy",
            advice: "The session's policy, given when the role was assumed, does not include the action: add it where AssumeRole is called.",
        },
        Cause {
            name: "no-endpoint-policy",
            advice: "The policy of the VPC endpoint for Lambda does not allow the action or the function: add it there.",
        },
    ],
    reference: "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    outranks: &[],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        // InvokeFunction and InvokeFunctionUrl.
        Text::message("is not authorized to perform: lambda:InvokeFunction", View::Caller),
        Text::message("is not authorized to perform: lambda:InvokeAsync", View::Caller),
    ],
    examine,
};

/// What IAM says behind `because`, and the cause.
const REASONS: [(&str, &str); 7] = [
    ("no identity-based policy allows", "no-identity-based-policy"),
    ("no resource-based policy allows", "no-resource-based-policy"),
    ("no permissions boundary allows", "no-permissions-boundary"),
    ("no service control policy allows", "no-organization-policy"),
    ("no resource control policy allows", "no-organization-policy"),
    ("no session policy allows", "no-session-policy"),
    ("no VPC endpoint policy allows", "no-endpoint-policy"),
];

fn examine(case: &Case<'_>) -> Option<Finding> {
    // EventBridge's word, in what it puts into a rule's dead-letter queue.
    if let CaseEvent::FailedRequest(request) = case.event {
        let is_denied = request.error_type.as_deref() == Some("NO_PERMISSIONS");
        return is_denied.then(|| {
            let message = "a service that delivers events to the function may not invoke it";
            Finding::confirmed(case.at, message.to_owned()).cause("no-resource-based-policy")
        });
    }
    let told = from_log::finding_among(
        case,
        |_, _| Some(Stage::Confirmed),
        |view| match view {
            Some(View::Outside) => "the function could not be invoked: it was not allowed",
            _ => "may not invoke another function",
        },
    )?;
    let line = &told.log.text[told.hit.end..told.log.line_at(told.hit.start).end];
    let line = &line[..line.floor_char_boundary(MAX_SENTENCE_BYTES)];
    let denied = || {
        let (_, policy) = line.split_once("with an explicit deny")?;
        let mut types = REASONS.iter().map(|(words, _)| policy_type(words));
        Some(("explicit-deny", types.find(|words| policy.contains(words))))
    };
    let not_allowed = || {
        let (words, cause) = REASONS.iter().find(|(words, _)| line.contains(words))?;
        Some((*cause, Some(policy_type(words))))
    };
    let (cause, policy_type) = denied().or_else(not_allowed).unzip();
    let finding = Finding { cause, ..told.finding };
    Some(finding.evidence("policyType", policy_type.flatten()))
}

/// How far IAM's sentence goes on behind the action.
const MAX_SENTENCE_BYTES: usize = 600;

/// `no identity-based policy allows` → `identity-based policy`
fn policy_type(words: &'static str) -> &'static str {
    words.trim_start_matches("no ").trim_end_matches(" allows")
}
