//! What was named.

use crate::made;
use crate::order::Told;
use crate::plan::Plan;
use serde_json::Value;
use std::fmt;

/// The cause that a line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// One of them, by its place.
    Cause(&'static str),
    /// A line without a cause.
    Unknown,
    /// No line.
    Nothing,
    /// A cause that nobody heard of, or two lines.
    Odd,
}

impl Named {
    /// What is right where this was made.
    pub(crate) fn of(made: &'static str) -> Self {
        if made == made::UNKNOWN { Self::Unknown } else { Self::Cause(made) }
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
                Some(cause) => made::known(cause).map_or(Named::Odd, Named::Cause),
            },
            _ => Named::Odd,
        },
        _ => Named::Odd,
    };
    let shown = told.lines.iter().map(|(at_ms, line)| format!("  {at_ms} ms {}\n", brief(line)));
    Judgement { named, is_near, imminent_before_ms, shown: shown.collect(), broken }
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
