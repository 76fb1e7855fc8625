//! What checks find again and again: what is told of it, and since when it lasts.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use triage_diagnosis::Timestamp;

/// What lasts is told again after so long.
pub(crate) const AGAIN_MS: u64 = 60 * 60_000;

/// What this sandbox has found by checks. Another one tells it anew.
#[derive(Debug, Default)]
pub(crate) struct Lasting {
    hasher: RandomState,
    subjects: HashMap<String, Subject>,
}

#[derive(Debug, Default)]
struct Subject {
    /// What was found of it at the last check, with the time when it was last told.
    told: Vec<(u64, Timestamp)>,
    /// What is found of it at this one.
    found: Vec<(u64, Timestamp)>,
    pending: Option<Seen>,
}

/// From when to when it was seen at each check.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Timestamp,
    last: Timestamp,
}

impl Lasting {
    /// Begins to look at a function as it is listed, or at what is no function's (the empty name): what is
    /// not found again is new when it comes back.
    pub(crate) fn begin(&mut self, subject: &str) {
        let subject = self.subjects.entry(subject.to_owned()).or_default();
        subject.told = std::mem::take(&mut subject.found);
    }

    /// Whether something that was found is to be told: it is new, or lasts for long.
    pub(crate) fn is_due(&mut self, subject: &str, what: impl Hash, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one(what);
        let subject = self.subjects.entry(subject.to_owned()).or_default();
        let told = subject.told.iter().find(|(known, _)| *known == hash);
        let still = told.map(|(_, at)| *at).filter(|at| now.ms_since(*at) < AGAIN_MS);
        subject.found.push((hash, still.unwrap_or(now)));
        still.is_none()
    }

    /// Since when a function has been Pending, if it is now.
    pub(crate) fn pending_since(
        &mut self,
        function: &str,
        is_pending: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let pending = &mut self.subjects.entry(function.to_owned()).or_default().pending;
        *pending = is_pending.then(|| {
            // What was long not looked at may have been active meanwhile.
            let before = pending.filter(|seen| now.ms_since(seen.last) < AGAIN_MS);
            Seen { first: before.map_or(now, |seen| seen.first), last: now }
        });
        pending.map(|seen| seen.first)
    }

    /// What was told could not be written: it is to be told again.
    pub(crate) fn forget_told(&mut self) {
        for subject in self.subjects.values_mut() {
            subject.told.clear();
            subject.found.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + minutes * 60_000)
    }

    #[test]
    fn what_lasts_is_told_once_an_hour() {
        let mut lasting = Lasting::default();
        let told: Vec<u64> = (0..=125)
            .step_by(5)
            .filter(|minute| {
                lasting.begin("orders");
                lasting.is_due("orders", "key disabled", at(*minute))
            })
            .collect();
        assert_eq!(told, [0, 60, 120]);
    }

    #[test]
    fn what_changes_is_told_at_once() {
        let mut lasting = Lasting::default();
        for (minute, found, expected) in [
            (0, &["a"][..], &["a"][..]),
            (5, &["a", "b"], &["b"]),
            (10, &[], &[]),
            (15, &["b", "a"], &["b", "a"]),
        ] {
            lasting.begin("orders");
            let told: Vec<_> =
                found.iter().filter(|what| lasting.is_due("orders", what, at(minute))).collect();
            assert_eq!(told, expected.iter().collect::<Vec<_>>(), "{minute}");
        }
        lasting.begin("billing");
        assert!(lasting.is_due("billing", "a", at(15)), "another function's");
        lasting.forget_told();
        lasting.begin("orders");
        assert!(lasting.is_due("orders", "a", at(20)), "not written");
    }

    #[test]
    fn pending_is_measured_from_its_first_sight() {
        let mut lasting = Lasting::default();
        let mut since =
            |is_pending, minute| lasting.pending_since("orders", is_pending, at(minute));
        assert_eq!(since(true, 0), Some(at(0)));
        assert_eq!(since(true, 5), Some(at(0)));
        assert_eq!(since(false, 10), None);
        assert_eq!(since(true, 15), Some(at(15)));
        assert_eq!(since(true, 200), Some(at(200)), "not looked at for hours");
    }
}
