//! Whether a log record holds what a signature asks for, and what comes of it.

use super::captured::shown;
use super::{Key, Signature};
use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::excerpt::excerpt;
use crate::finding::Finding;
use crate::matching::{Hit, LogMatch};
use std::ops::Range;

/// So much of a record is looked at before the first text and after its beginning: it bounds what a
/// signature costs, whatever the record.
const BEFORE_BYTES: usize = 4 * 1024;
const AFTER_BYTES: usize = 12 * 1024;

impl Signature {
    /// The rule of all signatures. Like a detector's it keeps no state.
    pub(crate) fn examine(&self, case: &Case<'_>) -> Option<Finding> {
        let CaseEvent::Logged(LogMatch { log, hits }) = case.event else { return None };
        let text = log.text.as_ref();
        let weighs = |hit: &&Hit| hit.level.is_none_or(|level| level >= self.least_level);
        let found = hits.iter().filter(weighs).find_map(|hit| self.key_at(text, hit))?;
        let near = near(text, &found);
        let seen = &text[near.clone()];
        let holds = |wanted: &String| seen.contains(wanted.as_str());
        if !self.all_of.iter().all(holds) || self.none_of.iter().any(holds) {
            return None;
        }
        let captures = match &self.regex {
            Some(regex) => Some((regex, regex.captures(seen)?)),
            None => None,
        };
        let finding = Finding {
            stage: self.stage,
            // The user may mean anything by it.
            view: None,
            ..Finding::confirmed(case.at, self.title.clone())
        };
        let excerpt = contained(|| excerpt(text, found.start, found.end));
        let mut finding = finding.evidence("excerpt", excerpt);
        if let Some((regex, captures)) = captures {
            for name in regex.capture_names().flatten() {
                let value = captures.name(name).and_then(|part| {
                    // From the line's beginning, which may say that it is a secret.
                    let start = seen[..part.start()].rfind('\n').map_or(0, |newline| newline + 1);
                    shown(&seen[start..], part.start() - start..part.end() - start)
                });
                finding = finding.evidence(name, value);
            }
        }
        Some(finding)
    }

    /// The text that stands where a part of it was found.
    fn key_at(&self, text: &str, hit: &Hit) -> Option<Range<usize>> {
        let stands = |key: &Key| {
            let start = hit.start.checked_sub(key.anchor.start)?;
            let is_there = text.get(start..).is_some_and(|rest| rest.starts_with(&key.text));
            is_there.then(|| start..start + key.text.len())
        };
        let of_hit = |key: &&Key| key.anchor() == hit.text.needle;
        self.keys.iter().filter(of_hit).find_map(stands)
    }
}

/// The part of a record that is looked at: of whole lines, where they are not too long.
fn near(text: &str, found: &Range<usize>) -> Range<usize> {
    if text.len() <= BEFORE_BYTES + AFTER_BYTES {
        return 0..text.len();
    }
    let earliest = text.ceil_char_boundary(found.start.saturating_sub(BEFORE_BYTES));
    let start = match text[earliest..found.start].find('\n') {
        Some(newline) if earliest > 0 => earliest + newline + 1,
        _ => earliest,
    };
    start..text.floor_char_boundary(found.start + AFTER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn of_any_record_a_bounded_part_is_looked_at(
            unit in "(\\PC{0,3}\n?){1,8}",
            times in 1usize..8_000,
            at in any::<prop::sample::Index>(),
        ) {
            let text = unit.repeat(times) + "Declined";
            let start = text.floor_char_boundary(at.index(text.len()));
            let found = start..text.ceil_char_boundary((start + 256).min(text.len()));
            let near = near(&text, &found);
            prop_assert!(near.len() <= BEFORE_BYTES + AFTER_BYTES);
            prop_assert!(near.start <= found.start && found.end <= near.end);
            // All of it, if it is no more than that.
            prop_assert!(text.len() > BEFORE_BYTES + AFTER_BYTES || near == (0..text.len()));
            prop_assert!(text.is_char_boundary(near.start) && text.is_char_boundary(near.end));
        }
    }
}
