//! The name of a host could not be resolved.
//!
//! ## Causes
//! - `no-answer`: the resolver did not answer, or answered that it cannot for now. In a VPC: DNS
//!   support is off, a resolver of one's own does not answer, or too many look-ups are made.
//! - `unknown-name`: there is no such name: it is misspelt, in a private zone of another VPC, or of an
//!   endpoint or a Region that does not exist.
//!
//! ## Evidence
//! The error's text in the function's log, in the words of its language. `no-answer` is confirmed.
//! `unknown-name`, or no cause, is confirmed for an endpoint of AWS, which exists, and suspected
//! for other names: such a name may have been wrong, or a user's. `host` is there for endpoints of AWS, without
//! what names a resource of one's own (`***.s3.eu-west-1.amazonaws.com`); other names are not shown.
//! boto3's "Could not connect to the endpoint URL" alone is no sign of DNS.
//!
//! ## What to do
//! Check the name; in a VPC its DNS settings, its private zones and the outbound rules for port 53. Cache
//! names and keep connections alive.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::log::Log;
use crate::matching::Hit;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "dns-failure",
    title: "a host's name could not be resolved",
    level: Level::Error,
    metric: "ResourceExhaustion",
    advice: "Check the host's name; in a VPC check enableDnsSupport and enableDnsHostnames, private hosted zones and resolver rules; keep connections alive so that fewer names are looked up.",
    causes: &[
        Cause {
            name: "no-answer",
            advice: "The resolver did not answer: in a VPC check enableDnsSupport, the DHCP options' resolver and the outbound rules for port 53; keep connections alive, as the number of look-ups a second is limited.",
        },
        Cause {
            name: "unknown-name",
            advice: "There is no such name here: check its spelling and Region, and in a VPC the private hosted zone or the interface endpoint with private DNS that should serve it.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-networking.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::message("Name or service not known", View::Function).names("unknown-name"),
        Text::message("No address associated with hostname", View::Function).names("unknown-name"),
        Text::message("nodename nor servname provided", View::Function).names("unknown-name"),
        Text::message("getaddrinfo ENOTFOUND ", View::Function).names("unknown-name"),
        Text::message(": no such host", View::Function).names("unknown-name"),
        Text::message("Name does not resolve", View::Function).names("unknown-name"),
        Text::message("Temporary failure in name resolution", View::Function).names("no-answer"),
        Text::message("getaddrinfo EAI_AGAIN ", View::Function).names("no-answer"),
        Text::message(": i/o timeout", View::Function).names("no-answer"),
        Text::message(": server misbehaving", View::Function).names("no-answer"),
        Text::error("UnknownHostException", View::Function),
        Text::message("failed to lookup address information", View::Function),
        Text::message("Could not resolve host: ", View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let told =
        from_log::finding_among(case, at_most, |_| "the name of a host could not be resolved")?;
    let mut finding = told.finding;
    match host(told.log, told.hit) {
        Some(host) => {
            finding.message = format!("the name of a host could not be resolved: {host}");
            finding = finding.evidence("host", Some(host));
        }
        None if finding.cause != Some("no-answer") => {
            finding.stage = Stage::Suspected;
            finding = finding.awaiting_report();
        }
        None => {}
    }
    Some(finding)
}

/// The endpoint of AWS in the line, or else in the record.
fn host(log: &Log<'_>, hit: &Hit) -> Option<String> {
    from_log::aws_host(&log.text[log.line_at(hit.start)]).or_else(|| from_log::aws_host(&log.text))
}

fn at_most(log: &Log<'_>, hit: &Hit) -> Option<Stage> {
    let text = log.text.as_ref();
    let before = &text[text.floor_char_boundary(hit.start.saturating_sub(REACH))..hit.start];
    let before = before.rsplit('\n').next().unwrap_or(before);
    // Go says all of these of connections too.
    if hit.text.needle.starts_with(": ") && !before.contains("lookup ") {
        return None;
    }
    Some(Stage::Confirmed)
}

/// How far before the text Go's `lookup HOST on RESOLVER` is looked for.
const REACH: usize = 320;
