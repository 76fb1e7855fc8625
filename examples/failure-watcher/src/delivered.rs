//! What was told already: deliveries are at least once, and one request may come by two ways.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use triage_diagnosis::Timestamp;

/// A request is told once within so long: longer than a queue redelivers what failed, by default.
pub(crate) const WINDOW_MS: u64 = 60 * 60_000;
/// More are not remembered: a few megabytes.
const MAX_REQUESTS: usize = 100_000;

/// The requests that were told within the window, by the sandbox that remembers them.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    // Of two in 100,000 the same hash has odds of one to some billions.
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<(Timestamp, u64)>,
}

/// One remembered request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remembered(u64);

impl Delivered {
    /// Remembers a request; None if it is known already. A dead letter names no function, so the request's
    /// id is all there is to know it by; without one, it is that of the message that told of it. Without
    /// either, it is never known.
    pub(crate) fn remember(
        &mut self,
        request_id: &str,
        message_id: Option<&str>,
        now: Timestamp,
    ) -> Option<Remembered> {
        // A clock that is set back forgets nothing.
        while let Some((at, hash)) = self.order.front().copied() {
            if now.ms_since(at) < WINDOW_MS && self.order.len() < MAX_REQUESTS {
                break;
            }
            self.order.pop_front();
            self.known.remove(&hash);
        }
        let message_id = message_id.filter(|id| request_id.is_empty() && !id.is_empty());
        let hash = self.hasher.hash_one((request_id, message_id));
        if request_id.is_empty() && message_id.is_none() {
            return Some(Remembered(hash));
        }
        self.known.insert(hash).then(|| {
            self.order.push_back((now, hash));
            Remembered(hash)
        })
    }

    /// Forgets requests that could not be told after all.
    pub(crate) fn forget(&mut self, requests: &[Remembered]) {
        let forgotten: HashSet<u64> = requests.iter().map(|request| request.0).collect();
        self.known.retain(|hash| !forgotten.contains(hash));
        self.order.retain(|(_, hash)| !forgotten.contains(hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    #[test]
    fn a_request_is_new_once_within_the_window() {
        let mut delivered = Delivered::default();
        assert!(delivered.remember("a", None, at(0)).is_some());
        assert!(delivered.remember("a", Some("1"), at(1)).is_none());
        assert!(delivered.remember("b", None, at(1)).is_some());
        assert!(delivered.remember("a", None, at(WINDOW_MS)).is_some());
    }

    #[test]
    fn without_its_id_a_request_is_known_by_its_message() {
        let mut delivered = Delivered::default();
        assert!(delivered.remember("", Some("1"), at(0)).is_some());
        assert!(delivered.remember("", Some("1"), at(0)).is_none());
        assert!(delivered.remember("", Some("2"), at(0)).is_some());
        for none in [None, Some("")] {
            assert!(delivered.remember("", none, at(0)).is_some());
            assert!(delivered.remember("", none, at(0)).is_some(), "none can be told from another");
        }
    }

    #[test]
    fn what_could_not_be_told_is_new_again() {
        let mut delivered = Delivered::default();
        let remembered = delivered.remember("a", None, at(0)).unwrap();
        delivered.remember("b", None, at(0)).unwrap();
        delivered.forget(&[remembered]);
        assert!(delivered.remember("a", None, at(0)).is_some());
        assert!(delivered.remember("b", None, at(0)).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut delivered = Delivered::default();
        for n in 0..2 * MAX_REQUESTS {
            assert!(delivered.remember(&n.to_string(), None, at(0)).is_some());
        }
        assert!(delivered.known.len() <= MAX_REQUESTS && delivered.order.len() <= MAX_REQUESTS);
        let last = (2 * MAX_REQUESTS - 1).to_string();
        assert!(delivered.remember(&last, None, at(0)).is_none(), "the latest stay");
    }
}
