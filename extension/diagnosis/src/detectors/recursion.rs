//! The function invokes itself, directly or through a queue, a topic, a bucket or another function.
//!
//! ## Causes
//! - `lineage`: the chain's own counter, which AWS's SDKs and services pass on, has reached the
//!   limit. Lambda itself stops a chain after about 16 passes, where it can see it, and then logs
//!   nothing.
//! - `repeated-root`: the same trace comes back under new request ids with a new parent each time,
//!   while that counter is missing or stands still: Lambda's own guard is blind. Also seen where
//!   another workflow invokes this function many times within one trace and names each step, so it
//!   is only suspected.
//! - `stopped-by-lambda`: Lambda refused an invocation that this function made, as it had detected the
//!   loop (`RecursiveInvocationException`).
//! - `allowed`: nothing has happened; but Lambda would not stop a loop of the function, as its recursion
//!   configuration is `Allow`. Seen from outside alone, as `imminent`.
//! - `rate`: more invocations in this sandbox than the user's own limit. Only suspected.
//!
//! ## Evidence
//! `depth` from Lineage in the X-Amzn-Trace-Id header (that it grows with each pass is inferred from
//! what was seen, not documented), or `passes` of one `root`. A sandbox sees only its share of the
//! chain, so both are lower bounds. A retry with the same request id is no pass, and one parent with
//! many children is a fan-out.
//!
//! From outside: the error, or a condition that begins with `Recursive` (inferred), in the record of a
//! failed request; and the function's recursion configuration.
//!
//! ## What to do
//! Stop it at once by setting the function's reserved concurrency to 0. Then write the output
//! somewhere that does not trigger the function, or end the chain by a condition of its own. If it
//! is meant (a function that goes on with its own remaining work), raise the limit.

use crate::chain::Sighting;
use crate::detector::{Case, CaseEvent, Cause, Detector, Knob, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::metric::RECURSION_DEPTH;
use crate::outside::FailedRequest;
use crate::text::Text;
use crate::trace_header::shown;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "recursion",
    title: "the function invokes itself",
    level: Level::Error,
    metric: "Recursions",
    advice: STOP,
    causes: &[
        Cause { name: "lineage", advice: STOP },
        Cause {
            name: "repeated-root",
            advice: "Lambda's own loop detection cannot see this chain, as a client or service in \
                     it does not pass Lineage on. If the function triggers itself, set its \
                     reserved concurrency to 0 to stop it, and write its output where it triggers \
                     nothing.",
        },
        Cause {
            name: "stopped-by-lambda",
            advice: "Lambda has stopped a loop that this function is part of. Write its output where \
                     it triggers nothing, or end the chain by a condition; if the loop is meant, \
                     allow it by the function's recursion configuration.",
        },
        Cause {
            name: "allowed",
            advice: "If no loop is meant, set the function's recursion configuration to Terminate \
                     (PutFunctionRecursionConfig), so that Lambda stops one that it detects.",
        },
        Cause {
            name: "rate",
            advice: "This sandbox was invoked more often than TRIAGE_RECURSION_RATE allows. If the \
                     function triggers itself, set its reserved concurrency to 0 to stop it.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html",
    outranks: &[],
    views: &[View::Function, View::Caller, View::Outside],
    signs: &[Sign::Invoke, Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[
        Knob {
            variable: "TRIAGE_RECURSION_DEPTH",
            default: "4",
            meaning: "from which depth of a chain on an invocation is reported",
        },
        Knob {
            variable: "TRIAGE_RECURSION_RATE",
            default: "off",
            meaning: "`N/seconds`: so many invocations of one sandbox within so many seconds are \
                      suspected, for loops that carry neither Lineage nor a trace",
        },
    ],
    texts: &[
        Text::error("RecursiveInvocationException", View::Caller).names("stopped-by-lambda"),
        Text::message("being invoked in a recursive loop with other", View::Caller)
            .names("stopped-by-lambda"),
    ],
    examine,
};

const STOP: &str = "Set the function's reserved concurrency to 0 to stop the chain, then write its \
                    output where it triggers nothing, or end the chain by a condition. If it is \
                    meant, raise TRIAGE_RECURSION_DEPTH.";

const OUTSIDE: &str = "Lambda stopped a loop that the function is part of";

fn examine(case: &Case<'_>) -> Option<Finding> {
    if let CaseEvent::Logged(_) = case.event {
        return from_log::finding(case, |view| match view {
            Some(View::Outside) => OUTSIDE,
            _ => "Lambda stopped a loop that this function is part of",
        });
    }
    match case.event {
        CaseEvent::FailedRequest(request) => return from_request(case, request),
        CaseEvent::State(state) if state.recursive_loop.as_deref() == Some("Allow") => {
            let message = "Lambda would not stop a loop of the function: its recursion configuration is Allow";
            let finding = Finding::imminent(case.at, message.to_owned()).cause("allowed");
            return Some(finding.evidence("recursiveLoop", Some("Allow")));
        }
        _ => {}
    }
    let CaseEvent::Invoked(Sighting { lineage_depth, root, unguarded_passes, rate, is_retry }) =
        case.event
    else {
        return None;
    };
    let limit = case.settings.recursion_depth;
    let root = root.as_deref().and_then(shown);
    if *is_retry {
        return None;
    }
    if let Some(depth) = lineage_depth.filter(|depth| *depth >= limit) {
        let message = format!("is {depth} passes deep in a chain that invokes itself");
        let mut finding = Finding::confirmed(case.at, message).cause("lineage");
        finding.values.push((RECURSION_DEPTH, f64::from(depth)));
        return Some(finding.evidence("depth", Some(depth)).evidence("root", root));
    }
    // One pass is no chain.
    if *unguarded_passes >= limit.max(2) {
        let message = format!(
            "was invoked {unguarded_passes} times within one trace, by a new parent each time"
        );
        let finding = Finding::suspected(case.at, message).cause("repeated-root");
        return Some(finding.evidence("passes", Some(*unguarded_passes)).evidence("root", root));
    }
    let rate = (*rate)?;
    let seconds = case.settings.recursion_rate.map(|rate| rate.seconds);
    let message = format!("was invoked {rate} times within {} s", seconds.unwrap_or_default());
    let finding = Finding::suspected(case.at, message).cause("rate");
    Some(finding.evidence("invocations", Some(rate)).evidence("seconds", seconds))
}

/// Lambda hands the event that it stopped a loop at to the destination for failures. How it names the
/// condition is not documented.
fn from_request(case: &Case<'_>, request: &FailedRequest) -> Option<Finding> {
    let is_stopped =
        |name: &Option<String>| name.as_deref().is_some_and(|n| n.starts_with("Recursive"));
    (!request.has_run && is_stopped(&request.condition))
        .then(|| Finding::confirmed(case.at, OUTSIDE.to_owned()).cause("stopped-by-lambda"))
}
