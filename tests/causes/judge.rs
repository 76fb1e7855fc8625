//! What was named.

use crate::made;
use crate::order::Told;
use crate::plan::Plan;
use serde_json::Value;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The cause that a line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// One of them, by its place.
    Cause(&'static str),
    /// A line without a cause.
    Unknown,
    /// No line.
    Nothing,
    /// A cause that nobody heard of, another peer than the one that was waited for, or two lines.
    Odd,
}

impl Named {
    /// What is right where this was made.
    pub(crate) fn of(made: &'static str) -> Self {
        match made::cause_of(made) {
            made::UNKNOWN => Self::Unknown,
            cause => Self::Cause(cause),
        }
    }

    /// Whether it is neither right nor left open.
    pub(crate) fn is_wrong(self, made: &'static str) -> bool {
        self != Self::of(made) && self != Self::Unknown
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cause(cause) => cause,
            Self::Unknown => made::UNKNOWN,
            Self::Nothing => "(no line)",
            Self::Odd => "(odd)",
        })
    }
}

/// What is to be said of a plan that was played.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) named: Named,
    /// Whether it ended in time.
    pub(crate) is_near: bool,
    /// How long before the deadline the imminent line came; negative is after it.
    pub(crate) imminent_before_ms: Option<i64>,
    /// The lines.
    pub(crate) shown: String,
    /// What must not be, whatever was named.
    pub(crate) broken: Vec<String>,
}

/// Reads the lines of the last invocation.
pub(crate) fn judge(plan: &Plan, told: &Told) -> Judgement {
    let is_near = told.status == "success";
    let mut broken = Vec::new();
    let mut imminent_before_ms = None;
    let mut final_lines = Vec::new();
    let deadline_ms = i64::try_from(plan.timeout_s * 1000).unwrap();
    for (at_ms, line) in &told.lines {
        let Ok(json) = serde_json::from_str::<Value>(line) else {
            broken.push(format!("no JSON: {line}"));
            continue;
        };
        let is_ours = match json["requestId"].as_str() {
            Some(id) => id == told.request_id,
            // Where the initialization within the invocation failed.
            None => *at_ms > deadline_ms,
        };
        let diagnosis = &json["diagnosis"];
        let text = |field: &str| diagnosis[field].as_str().unwrap_or_default();
        match (is_ours, text("problem"), text("stage")) {
            (true, "timeout", "imminent") => imminent_before_ms = Some(deadline_ms - at_ms),
            (true, "timeout" | "near-timeout" | "init-timeout", _) => final_lines.push(json),
            _ => {}
        }
    }
    if told.status != "success" && told.status != "timeout" {
        broken.push(format!("it ended as {}: {:?}", told.status, told.function_log));
    }
    if is_near && !plan.ends_in_time {
        broken.push(format!("it ended well: {:?}", told.function_log));
    }
    if !told.complaints.is_empty() {
        broken.push(format!("{:?}", told.complaints));
    }
    let wanted = if is_near { "near-timeout" } else { "timeout" };
    let named = match &final_lines[..] {
        [] => Named::Nothing,
        [line] => match (&line["diagnosis"]["problem"], line["diagnosis"]["cause"].as_str()) {
            // The same, of an initialization that left nothing to the invocation.
            (problem, Some("suppressed-init")) if problem == "init-timeout" => {
                Named::Cause("slow-init")
            }
            (problem, cause) if problem == wanted => match cause {
                None => Named::Unknown,
                Some(_) if !is_of_peer(plan, line) => Named::Odd,
                Some(cause) => made::known(cause).map_or(Named::Odd, Named::Cause),
            },
            _ => Named::Odd,
        },
        _ => Named::Odd,
    };
    let shown = told.lines.iter().map(|(at_ms, line)| format!("  {at_ms} ms {}\n", brief(line)));
    Judgement { named, is_near, imminent_before_ms, shown: shown.collect(), broken }
}

/// Whether a line that tells of a peer tells of the one that the last event is about.
fn is_of_peer(plan: &Plan, line: &Value) -> bool {
    let peer = line["diagnosis"]["evidence"]["peer"].as_str().and_then(|peer| peer.parse().ok());
    let last = plan.events.last().unwrap_or(&Value::Null);
    // What a server waits for that an adapter has called.
    let about = if last["then"].is_object() { &last["then"] } else { last };
    let address = about["address"].as_str().and_then(|address| address.parse::<IpAddr>().ok());
    match (peer, address, about["port"].as_u64()) {
        (Some(SocketAddr::V6(peer)), Some(address), Some(port)) => {
            peer.ip().to_canonical() == address && u64::from(peer.port()) == port
        }
        (Some(SocketAddr::V4(peer)), Some(address), Some(port)) => {
            *peer.ip() == address && u64::from(peer.port()) == port
        }
        _ => true,
    }
}

/// What matters of a line.
fn brief(line: &str) -> String {
    let json: Value = serde_json::from_str(line).unwrap_or_default();
    let diagnosis = &json["diagnosis"];
    format!(
        "{} {} {}: {} {}",
        diagnosis["stage"],
        diagnosis["problem"],
        diagnosis["cause"],
        json["message"],
        diagnosis["evidence"]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REQUEST: &str = "8e1c1d3b";

    fn line(problem: &str, stage: &str, cause: Option<&str>, request: Option<&str>) -> String {
        let mut line = json!({"diagnosis": {"problem": problem, "stage": stage}});
        if let Some(cause) = cause {
            line["diagnosis"]["cause"] = json!(cause);
        }
        if let Some(request) = request {
            line["requestId"] = json!(request);
        }
        line.to_string()
    }

    /// Of a run with a timeout of 1 s.
    fn judged(status: &str, lines: &[(i64, String)]) -> Judgement {
        let plan = made::provocations("idle")[0].plan(1, "%0");
        let told = Told {
            request_id: REQUEST.to_owned(),
            status: status.to_owned(),
            lines: lines.to_vec(),
            ..Told::default()
        };
        judge(&plan, &told)
    }

    fn named(lines: &[(i64, String)]) -> Named {
        judged("timeout", lines).named
    }

    #[test]
    fn the_confirmed_line_of_the_invocation_counts() {
        let confirmed = |cause| (1030, line("timeout", "confirmed", cause, Some(REQUEST)));
        assert_eq!(named(&[confirmed(Some("dns"))]), Named::Cause("dns"));
        assert_eq!(named(&[confirmed(None)]), Named::Unknown);
        assert_eq!(named(&[confirmed(Some("gremlins"))]), Named::Odd);
        assert_eq!(named(&[]), Named::Nothing);
        assert_eq!(named(&[confirmed(None), confirmed(None)]), Named::Odd);
        let before = (-500, line("timeout", "confirmed", Some("idle"), Some("another")));
        assert_eq!(named(&[before, confirmed(Some("dns"))]), Named::Cause("dns"));
        let other = (500, line("tmp-full", "confirmed", None, Some(REQUEST)));
        assert_eq!(named(&[other, confirmed(Some("dns"))]), Named::Cause("dns"));
    }

    #[test]
    fn the_peer_has_to_be_the_one_that_is_waited_for() {
        let plan = made::provocations("awaiting-peer")[0].plan(1, "%0");
        let port = plan.events[0]["port"].as_u64().unwrap();
        for (peer, expected) in [
            (format!("10.0.3.7:{port}"), Named::Cause("awaiting-peer")),
            (format!("[::ffff:10.0.3.7]:{port}"), Named::Cause("awaiting-peer")),
            (format!("10.0.3.99:{port}"), Named::Odd),
            ("10.0.3.7:1".to_owned(), Named::Odd),
        ] {
            let confirmed = line("timeout", "confirmed", Some("awaiting-peer"), Some(REQUEST));
            let mut confirmed: Value = serde_json::from_str(&confirmed).unwrap();
            confirmed["diagnosis"]["evidence"] = json!({"peer": peer});
            let told = Told {
                request_id: REQUEST.to_owned(),
                status: "timeout".to_owned(),
                lines: vec![(1030, confirmed.to_string())],
                ..Told::default()
            };
            assert_eq!(judge(&plan, &told).named, expected, "{peer}");
        }
    }

    #[test]
    fn an_initialization_within_the_invocation_has_no_request_id() {
        let cause = Some("suppressed-init");
        let lines = [(1030, line("init-timeout", "confirmed", cause, None))];
        assert_eq!(named(&lines), Named::Cause("slow-init"));
    }

    #[test]
    fn the_imminent_line_is_measured_and_decides_nothing() {
        let imminent = (853, line("timeout", "imminent", Some("dns"), Some(REQUEST)));
        let judgement = judged("timeout", &[imminent]);
        assert_eq!(judgement.imminent_before_ms, Some(147));
        assert_eq!(judgement.named, Named::Nothing);
    }

    #[test]
    fn what_ended_in_time_is_no_timeout() {
        let timeout = (1030, line("timeout", "confirmed", Some("idle"), Some(REQUEST)));
        let near = (980, line("near-timeout", "confirmed", Some("idle"), Some(REQUEST)));
        let judgement = judged("success", std::slice::from_ref(&near));
        assert_eq!((judgement.named, judgement.is_near), (Named::Cause("idle"), true));
        // This one was not to end in time.
        assert_eq!(judgement.broken.len(), 1);
        assert_eq!(judged("success", std::slice::from_ref(&timeout)).named, Named::Odd);
        assert_eq!(judged("success", &[timeout, near.clone()]).named, Named::Odd);
        assert_eq!(judged("timeout", &[near]).named, Named::Odd);
    }

    #[test]
    fn a_crash_and_a_complaint_are_broken() {
        assert_eq!(judged("failure", &[]).broken.len(), 1);
        assert_eq!(judged("timeout", &[(1, "no JSON".to_owned())]).broken.len(), 1);
    }
}
