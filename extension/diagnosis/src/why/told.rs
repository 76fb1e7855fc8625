//! What a finding says of it.

use super::Why;
use crate::detector::{Case, CaseEvent};
use crate::finding::{Finding, Stage};
use crate::record::Status;

/// The name under which this extension is registered.
const OWN_NAME: &str = "lambda-triage";
/// From which share of the invocation's time on the initialization within it is what used it up, in
/// percent.
const INIT_SHARE_PERCENT: u64 = 50;
/// The metric that a stall of a network file system counts in, beside the timeout's own.
const NETWORK_FILES_METRIC: &str = "EfsFailures";

/// Causes that may be gone in the time that an initialization took.
const ENDS_IN_TIME: [&str; 3] = ["cpu-bound", "child-process", "idle"];

impl Why {
    /// Why an invocation timed out (or is about to), from what telemetry tells and what was seen before
    /// its deadline. None where nothing was looked at.
    pub(crate) fn at_timeout(case: &Case<'_>) -> Option<Self> {
        let seen = case.attempt.and_then(|attempt| attempt.why.as_deref());
        let in_short = |why: &Self| vec![why.in_short()];
        if let Some(told) = extension_overhead(case) {
            let also = seen.filter(|seen| seen.cause.is_some()).map(in_short);
            return Some(told.evidence("alsoSeen", also));
        }
        let Some(slow_init) = slow_init(case) else { return seen.cloned() };
        // What would have been waited for in any time that is left leads.
        match seen.filter(|seen| seen.cause.is_some_and(|cause| !ENDS_IN_TIME.contains(&cause))) {
            Some(seen) => {
                let mut also = in_short(&slow_init);
                let others = seen.evidence.get("alsoSeen").and_then(|others| others.as_array());
                let others = others.into_iter().flatten().filter_map(|other| other.as_str());
                also.extend(others.map(str::to_owned));
                Some(seen.clone().evidence("alsoSeen", Some(also)))
            }
            None => {
                let also = seen.filter(|seen| seen.cause.is_some()).map(in_short);
                Some(slow_init.evidence("alsoSeen", also))
            }
        }
    }

    /// A sentence about what happened, with what it was waiting for.
    pub(crate) fn told_after(&self, what: &str) -> String {
        let others = self.evidence.get("alsoSeen").and_then(|seen| seen.as_array());
        match self.cause {
            Some(_) => format!("{what} {}", self.clause),
            None if others.is_some() => {
                format!("{what}; which of several things it waited for is not known")
            }
            None => match (self.text("lastMovedPeer"), self.evidence.get("lastMovedMs")) {
                (Some(peer), Some(ms)) => format!(
                    "{what}; what it waited for is not known: the last of its connections on which data \
                     moved was that to {peer}, {:.2} s ago",
                    ms.as_f64().unwrap_or_default() / 1_000.0
                ),
                _ => format!("{what}; what it waited for is not known"),
            },
        }
    }

    fn text(&self, evidence: &str) -> Option<&str> {
        self.evidence.get(evidence).and_then(|value| value.as_str())
    }

    /// The same of what is about to happen: of one look, which names no cause, what the main thread did.
    pub(crate) fn told_before(&self, what: &str) -> String {
        match (self.cause, self.text("process"), self.text("waitsIn"), self.text("state")) {
            (Some(_), ..) => self.told_after(what),
            (_, Some(process), Some("file"), _) => {
                format!("{what}; process {process} is in a call on files")
            }
            (_, Some(process), Some("other"), _) => {
                format!("{what}; process {process} is in a system call")
            }
            (_, Some(process), Some(call), _) => format!("{what}; process {process} is in {call}"),
            (_, Some(process), _, Some("R")) => format!("{what}; process {process} is running"),
            (_, Some(process), _, Some("D")) => {
                format!("{what}; process {process} cannot be interrupted")
            }
            _ => what.to_owned(),
        }
    }

    /// Adds what is known to a finding of a timeout.
    pub(crate) fn added_to(&self, mut finding: Finding) -> Finding {
        finding.cause = self.cause;
        for (name, value) in &self.evidence {
            finding.evidence.insert(name.clone(), value.clone());
        }
        if self.is_of_network_files && finding.stage == Stage::Confirmed {
            finding.values.push((NETWORK_FILES_METRIC, 1.0));
        }
        finding
    }
}

/// The function had answered, and still the invocation went on until it timed out.
fn extension_overhead(case: &Case<'_>) -> Option<Why> {
    let done = &case.attempt?.runtime_done.as_ref()?.record;
    let is_late = matches!(case.event, CaseEvent::Report(_) | CaseEvent::Shutdown(_));
    if !is_late || !matches!(done.status, Status::Success | Status::Error) {
        return None;
    }
    let others = case.extension_names.iter().filter(|name| *name != OWN_NAME);
    let names: Vec<_> = others.map(|name| super::shown(name)).collect();
    let who = match &names[..] {
        // None is known but this one, which holds nothing that long.
        [] => return None,
        [name] => format!("the extension {name}"),
        _ => "another extension".to_owned(),
    };
    let after = done.duration_ms.map(|ms| format!(" after {:.2} s", ms / 1_000.0));
    let clause = format!(
        "while {who} held it: the function itself had answered{}",
        after.unwrap_or_default()
    );
    let why = Why::of("extension-overhead", clause).evidence("runtimeDoneMs", done.duration_ms);
    Some(why.evidence("extensions", Some(names)))
}

/// The initialization began anew within the invocation, and took most of its time.
fn slow_init(case: &Case<'_>) -> Option<Why> {
    let init_ms = case.init_ms?;
    // The first invocation of an environment that initializes anew has its INVOKE after that.
    let left_ms = || {
        let attempt = case.attempt?;
        Some(attempt.deadline?.ms_since(attempt.invoked_at?))
    };
    let timeout_ms =
        case.timeout_ms.unwrap_or_else(|| init_ms.saturating_add(left_ms().unwrap_or_default()));
    if init_ms.saturating_mul(100) < timeout_ms.saturating_mul(INIT_SHARE_PERCENT) {
        return None;
    }
    let clause = format!(
        "while initializing anew: that took {:.2} s of the invocation's time",
        init_ms as f64 / 1_000.0
    );
    Some(Why::of("slow-init", clause).evidence("initDurationMs", Some(init_ms)))
}
