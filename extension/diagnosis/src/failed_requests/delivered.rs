//! What was told already: deliveries are at least once, and one request may come by two ways.

use super::Request;
use super::record::is_uuid;
use crate::{Stage, Timestamp};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// More requests are not remembered: a few megabytes.
const MAX_REQUESTS: usize = 100_000;

/// The requests that came within a window, with how surely each was told.
#[derive(Debug)]
pub struct Delivered {
    window_ms: u64,
    // Of two in 100,000 the same hash has odds of one to some billions.
    hasher: RandomState,
    known: HashMap<u64, Told>,
    order: VecDeque<(Timestamp, u64)>,
}

/// How a request was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// How surely; None if no detector knew it.
    stage: Option<Stage>,
    /// The hash of its function's name; None if it was not known whose it is.
    function: Option<u64>,
}

/// One that has come.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// None if nothing tells it from others.
    key: Option<u64>,
    function: Option<u64>,
    before: Option<Told>,
}

impl Delivery {
    /// Whether it came before.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.before.is_some()
    }

    /// Whether it came before, and no detector knew it.
    #[must_use]
    pub fn was_unknown(&self) -> bool {
        self.before.is_some_and(|told| told.stage.is_none())
    }

    /// Whether it is to be told, if it is known so surely: it did not come before, or it says more than it
    /// did then. That is more surely what failed, or whose it is.
    #[must_use]
    pub fn is_news(&self, stage: Option<Stage>) -> bool {
        let Some(before) = self.before else { return true };
        let names_function = self.function.is_some() && before.function.is_none();
        stage > before.stage || (stage.is_some() && names_function)
    }
}

impl Delivered {
    /// Remembers requests for so long.
    #[must_use]
    pub fn new(window_ms: u64) -> Self {
        Self {
            window_ms,
            hasher: RandomState::new(),
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Looks a request up: by its id and function, and by the id alone where one of the deliveries did not
    /// name the function, as dead letters do not. An id that is no UUID is none of Lambda's, and tells no
    /// request from another; then the message's does. Without either, it is never known.
    pub fn look_up(&mut self, request: &Request, function_name: &str, now: Timestamp) -> Delivery {
        // A clock that is set back forgets nothing.
        while let Some((at, key)) = self.order.front().copied() {
            if now.ms_since(at) < self.window_ms {
                break;
            }
            self.order.pop_front();
            self.known.remove(&key);
        }
        let hash = |what: (bool, &str, &str)| self.hasher.hash_one(what);
        let function = (!function_name.is_empty()).then(|| hash((false, "", function_name)));
        let request_id = request.failure.request_id.to_ascii_lowercase();
        let of_message = request.message_id.as_deref().filter(|id| !id.is_empty());
        let id = match is_uuid(&request_id) {
            true => Some((true, request_id.as_str())),
            false => of_message.map(|id| (false, id)),
        };
        let Some((is_request, id)) = id else {
            return Delivery { key: None, function, before: None };
        };
        let mut key = hash((is_request, id, ""));
        let of_id = self.known.get(&key).and_then(|told| told.function);
        if of_id.zip(function).is_some_and(|(a, b)| a != b) {
            key = hash((is_request, id, function_name));
        }
        Delivery { key: Some(key), function, before: self.known.get(&key).copied() }
    }

    /// Remembers how surely a request was told.
    pub fn remember(&mut self, delivery: &Delivery, stage: Option<Stage>, now: Timestamp) {
        let Some(key) = delivery.key else { return };
        let before = delivery.before;
        let stage = stage.max(before.and_then(|told| told.stage));
        let function = delivery.function.or(before.and_then(|told| told.function));
        if self.known.insert(key, Told { stage, function }).is_none() {
            self.order.push_back((now, key));
        }
        if self.order.len() > MAX_REQUESTS
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets what could not be told after all.
    pub fn forget(&mut self, deliveries: &[Delivery]) {
        let mut forgotten = HashSet::new();
        // One request may be there twice: the first knows what was before.
        for (key, before) in deliveries.iter().rev().filter_map(|d| Some((d.key?, d.before))) {
            match before {
                Some(told) => {
                    self.known.insert(key, told);
                }
                None => {
                    self.known.remove(&key);
                    forgotten.insert(key);
                }
            }
        }
        self.order.retain(|(_, key)| !forgotten.contains(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailedRequest;

    const WINDOW_MS: u64 = 60 * 60_000;
    const SURE: Option<Stage> = Some(Stage::Confirmed);
    const UNSURE: Option<Stage> = Some(Stage::Suspected);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    fn id(n: usize) -> String {
        format!("{n:08x}-b738-4d2c-8880-a18cdf61200e")
    }

    fn request(request_id: &str, message_id: Option<&str>) -> Request {
        let failure =
            FailedRequest { request_id: request_id.to_owned(), ..FailedRequest::default() };
        Request {
            failure,
            function_name: String::new(),
            function_version: String::new(),
            message_id: message_id.map(str::to_owned),
        }
    }

    /// Whether it is news; then it is remembered.
    fn comes(
        delivered: &mut Delivered,
        (request, function): (&Request, &str),
        stage: Option<Stage>,
        now: Timestamp,
    ) -> bool {
        let delivery = delivered.look_up(request, function, now);
        let is_news = delivery.is_news(stage);
        if is_news {
            delivered.remember(&delivery, stage, now);
        }
        is_news
    }

    #[test]
    fn a_request_is_new_once_within_the_window() {
        let mut delivered = Delivered::new(WINDOW_MS);
        let [a, b] = [1, 2].map(|n| request(&id(n), None));
        assert!(comes(&mut delivered, (&a, "orders"), SURE, at(0)));
        let again = request(&id(1).to_uppercase(), Some("1"));
        assert!(!comes(&mut delivered, (&again, "orders"), SURE, at(1)));
        assert!(!comes(&mut delivered, (&a, ""), SURE, at(1)), "a dead letter of it");
        assert!(comes(&mut delivered, (&b, "orders"), SURE, at(1)));
        assert!(comes(&mut delivered, (&a, "billing"), SURE, at(1)), "another function's");
        assert!(!comes(&mut delivered, (&a, "billing"), SURE, at(1)));
        assert!(comes(&mut delivered, (&a, "orders"), SURE, at(WINDOW_MS)));
    }

    #[test]
    fn what_says_more_is_news_and_what_says_less_is_none() {
        let mut delivered = Delivered::new(WINDOW_MS);
        let a = request(&id(1), None);
        for (function, stage, is_news) in [
            ("", None, true),
            ("", None, false),
            ("orders", None, false),
            ("", UNSURE, true),
            ("", UNSURE, false),
            ("orders", UNSURE, true),
            ("", None, false),
            ("", UNSURE, false),
            ("", SURE, true),
            ("orders", SURE, false),
            ("orders", UNSURE, false),
        ] {
            assert_eq!(
                comes(&mut delivered, (&a, function), stage, at(0)),
                is_news,
                "{function} {stage:?}"
            );
        }
    }

    #[test]
    fn without_its_id_a_request_is_known_by_its_message() {
        for id in ["", "-", "order-7"] {
            let mut delivered = Delivered::new(WINDOW_MS);
            let [one, two] = ["1", "2"].map(|message| request(id, Some(message)));
            assert!(comes(&mut delivered, (&one, "orders"), SURE, at(0)));
            assert!(!comes(&mut delivered, (&one, "orders"), SURE, at(0)));
            assert!(comes(&mut delivered, (&two, "orders"), SURE, at(0)));
            for none in [None, Some("")].map(|message| request(id, message)) {
                assert!(comes(&mut delivered, (&none, "orders"), SURE, at(0)));
                assert!(comes(&mut delivered, (&none, "orders"), SURE, at(0)), "known by nothing");
            }
        }
    }

    #[test]
    fn what_could_not_be_told_is_new_again() {
        let mut delivered = Delivered::new(WINDOW_MS);
        let [a, b] = [1, 2].map(|n| request(&id(n), None));
        assert!(comes(&mut delivered, (&b, ""), UNSURE, at(0)));
        let mut told = Vec::new();
        for (request, stage) in [(&a, UNSURE), (&a, SURE), (&b, SURE)] {
            let delivery = delivered.look_up(request, "", at(0));
            delivered.remember(&delivery, stage, at(0));
            told.push(delivery);
        }
        delivered.forget(&told);
        assert_eq!(delivered.order.len(), 1);
        assert!(!comes(&mut delivered, (&b, ""), UNSURE, at(0)));
        assert!(comes(&mut delivered, (&b, ""), SURE, at(0)));
        assert!(comes(&mut delivered, (&a, ""), UNSURE, at(0)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut delivered = Delivered::new(WINDOW_MS);
        let mut come = |n| comes(&mut delivered, (&request(&id(n), None), ""), SURE, at(0));
        assert!((0..MAX_REQUESTS).all(&mut come));
        assert!(!come(0), "as many as are remembered");
        assert!((MAX_REQUESTS..MAX_REQUESTS + 1_000).all(come));
        assert!(delivered.known.len() <= MAX_REQUESTS && delivered.order.len() <= MAX_REQUESTS);
        let last = request(&id(MAX_REQUESTS + 999), None);
        assert!(!comes(&mut delivered, (&last, ""), SURE, at(0)), "the latest stay");
    }
}
