//! What a detector answers.

use crate::Timestamp;
use serde_json::{Map, Value};

/// What a detector has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How sure it is.
    pub stage: Stage,
    /// Whose failure it is; None where what is seen cannot tell.
    pub view: Option<View>,
    /// The finer cause, one of the detector's.
    pub cause: Option<&'static str>,
    /// When it happened.
    pub at: Timestamp,
    /// One sentence for a person.
    pub message: String,
    /// What it rests on: camelCase names to values.
    pub evidence: Map<String, Value>,
    /// Values for metrics of its own, beside the count of its problem.
    pub values: Vec<(&'static str, f64)>,
    /// How many signs of it there were: log records that told of it count one each, or 0 where it
    /// can have happened but once.
    pub occurrences: u64,
    /// Whether a later record may explain it away, so that it waits for the platform's report.
    pub awaits_report: bool,
    /// Whether it is told from outside of the function itself, and not of one that it called.
    pub is_of_itself_outside: bool,
}

impl Finding {
    /// A confirmed failure of this function, without evidence yet.
    #[must_use]
    pub fn confirmed(at: Timestamp, message: String) -> Self {
        Self {
            stage: Stage::Confirmed,
            view: Some(View::Function),
            cause: None,
            at,
            message,
            evidence: Map::new(),
            values: Vec::new(),
            occurrences: 1,
            awaits_report: false,
            is_of_itself_outside: false,
        }
    }

    /// A suspected failure of this function, without evidence yet.
    #[must_use]
    pub fn suspected(at: Timestamp, message: String) -> Self {
        Self { stage: Stage::Suspected, ..Self::confirmed(at, message) }
    }

    /// What is about to happen to this function, without evidence yet.
    #[must_use]
    pub fn imminent(at: Timestamp, message: String) -> Self {
        Self { stage: Stage::Imminent, ..Self::confirmed(at, message) }
    }

    /// Names the cause.
    #[must_use]
    pub fn cause(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// Adds evidence; a None is left out.
    #[must_use]
    pub fn evidence<V: Into<Value>>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            self.evidence.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Waits for the platform's report before it is told.
    #[must_use]
    pub fn awaiting_report(self) -> Self {
        Self { awaits_report: true, ..self }
    }

    /// Takes in another finding of the same problem in the same invocation: the surer one speaks,
    /// the evidence is that of both.
    pub(crate) fn merge(&mut self, mut other: Self, adds_occurrences: bool) {
        let occurrences = if adds_occurrences {
            self.occurrences.saturating_add(other.occurrences)
        } else {
            self.occurrences.max(other.occurrences)
        };
        // Of two as sure the one that knows the cause.
        if (other.stage, other.cause.is_some()) > (self.stage, self.cause.is_some()) {
            std::mem::swap(self, &mut other);
        }
        for (name, value) in other.evidence {
            self.evidence.entry(name).or_insert(value);
        }
        self.cause = self.cause.or(other.cause);
        self.view = self.view.or(other.view);
        self.at = self.at.min(other.at);
        self.awaits_report &= other.awaits_report;
        self.occurrences = occurrences;
    }
}

/// Whose failure a diagnosis tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// This function's own.
    Function,
    /// That of a function it called.
    Caller,
    /// A function's, seen from outside its sandboxes.
    Outside,
}

impl View {
    /// Its name in the lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Caller => "caller",
            Self::Outside => "outside",
        }
    }
}

/// How sure a diagnosis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It is about to happen. Counts in no metric.
    Imminent,
    /// What is seen fits, but may have another explanation. Counts in `SuspectedProblems` alone.
    Suspected,
    /// The platform or the service that failed said so. Counts in its metric and in `Problems`.
    Confirmed,
}

impl Stage {
    /// Its name in the lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imminent => "imminent",
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_findings_the_surer_speaks_and_nothing_is_lost() {
        let at = Timestamp::from_ms;
        let sure = || {
            let sure = Finding::confirmed(at(20), "sure".into()).evidence("a", Some(1));
            sure.cause("known")
        };
        let unsure = || {
            let unsure = Finding::suspected(at(10), "unsure".into()).evidence("b", Some(2));
            unsure.evidence("a", Some(3)).awaiting_report()
        };
        for (mut merged, other) in [(sure(), unsure()), (unsure(), sure())] {
            merged.merge(other, true);
            assert_eq!((merged.stage, merged.message.as_str()), (Stage::Confirmed, "sure"));
            assert_eq!((merged.cause, merged.at), (Some("known"), at(10)));
            assert_eq!(
                (merged.evidence["a"].as_i64(), merged.evidence["b"].as_i64()),
                (Some(1), Some(2))
            );
            assert!(!merged.awaits_report, "one of them needs nothing more");
            assert_eq!(merged.occurrences, 2);
        }
        let mut merged = sure();
        merged.merge(Finding { message: "later".into(), ..sure() }, false);
        assert_eq!((merged.message.as_str(), merged.occurrences), ("sure", 1));
    }
}
