//! A few short texts of which one is in each text that is looked for, and a search for them that is many
//! times as fast: where none of them stands, in whatever bytes, no text does.

use crate::text::{Shape, Text};
use aho_corasick::packed::{Config, Searcher};

/// One of these is in each text of each detector, and in the platform's line on a runtime's end (the tests
/// see to it). What they begin with decides how fast the search is: four bytes that are rare in logs, and
/// few different ones. The order decides too, as it says which of them share one of Teddy's 16 buckets (every
/// 16th, and those that begin with the same four bytes): it was sought for few matches of a bucket that are none
/// of its texts, by exchanging them over healthy logs, which came to an eighth of those in the alphabet's order.
const ANCHORS: &[&str] = &[
    "nodename",
    "NotFound",
    "addresses",
    "KMS is",
    "i/o error",
    "me out",
    "LAMBDA_RUNTIME",
    "path ",
    "NotAccessible",
    "misbehaving",
    "not find",
    "InvalidState",
    "Exce",
    "Error: spawn",
    "performed at",
    "/output error",
    "following state",
    "Throttl",
    "address a",
    "such file",
    "ERR_WORKER",
    "open files",
    "EMFILE",
    "emporar",
    "because Lambda",
    "ciphertext",
    "not connected",
    "InvalidKeyUsage",
    "Runtime exited",
    "AccessDenied",
    "perform: ",
    "med out",
    "file handle",
    "S3 Files",
    "address i",
    "such host",
    "inactive",
    "bad_alloc",
    "OptInRequired",
    "pending deletion",
    "because the limit",
    "SizeTooLarge",
    "not known",
    "KMS key",
    "Disabled",
    "exceeded",
    "not permitted",
    "file system",
    "MemoryError",
    " denied",
    "recursive loop",
    "i/o timeout",
    "memory",
    " thread",
    "pending import",
    "getaddrinfo",
    "crypt the protected",
    "not resolve",
    "space left",
];

/// With more than that, as a user may look for many texts, the search is no longer worth it.
const MAX_ANCHORS: usize = 96;

/// The anchors of all texts of a matcher.
#[derive(Debug)]
pub(crate) struct Anchors {
    search: Searcher,
    alphabet: Alphabet,
}

/// The characters that anchors are made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alphabet {
    /// One bit each, in two halves.
    ascii: [u64; 2],
    has_others: bool,
}

impl Anchors {
    /// None where there are too many of them, or the processor lacks the instructions: then every record is
    /// decoded.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a Text>) -> Option<Self> {
        // What users look for is not known beforehand.
        let of_users = texts.filter(|text| text.shape == Shape::Anything).map(|text| text.needle);
        let of_users =
            of_users.filter(|needle| !ANCHORS.iter().any(|anchor| needle.contains(anchor)));
        let anchors: Vec<&str> = ANCHORS.iter().copied().chain(of_users).collect();
        let mut alphabet = Alphabet::default();
        anchors.iter().flat_map(|anchor| anchor.chars()).for_each(|c| alphabet.add(c));
        if anchors.len() > MAX_ANCHORS {
            return None;
        }
        // Its own limit, which without AVX2 is half of ours, is meant for other texts.
        let mut search = Config::new().heuristic_pattern_limits(false).builder();
        Some(Self { search: search.extend(anchors).build()?, alphabet })
    }

    /// Where the first one begins in `text` from `at` on; at the end of all that can be if there is none.
    pub(crate) fn next(&self, text: &str, at: usize) -> usize {
        let found = text.as_bytes().get(at..).and_then(|rest| self.search.find(rest));
        found.map_or(usize::MAX, |found| at + found.start())
    }

    pub(crate) fn alphabet(&self) -> Alphabet {
        self.alphabet
    }
}

impl Alphabet {
    fn add(&mut self, c: char) {
        match (u32::from(c), &mut self.ascii) {
            (c @ 0..64, [low, _]) => *low |= 1 << c,
            (c @ 64..128, [_, high]) => *high |= 1 << (c - 64),
            _ => self.has_others = true,
        }
    }

    /// Whether this UTF-16 code unit may be a part of an anchor.
    pub(crate) fn may_hold(self, unit: u16) -> bool {
        let [low, high] = self.ascii;
        match unit {
            0..64 => low >> unit & 1 == 1,
            64..128 => high >> (unit - 64) & 1 == 1,
            _ => self.has_others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_exit;

    #[test]
    fn an_anchor_is_in_each_text_that_is_looked_for() {
        let texts = crate::detectors().iter().flat_map(|detector| detector.texts);
        let needles = texts.map(|text| text.needle).chain([runtime_exit::SIGN]);
        let needles: Vec<&str> = needles.collect();
        for needle in &needles {
            assert!(ANCHORS.iter().any(|anchor| needle.contains(anchor)), "{needle}");
        }
        for anchor in ANCHORS {
            assert!(anchor.len() >= 4, "{anchor:?} begins with too little");
            let is_alone = |needle: &&&str| {
                needle.contains(anchor)
                    && !ANCHORS.iter().any(|other| other != anchor && needle.contains(other))
            };
            assert!(needles.iter().any(|needle| is_alone(&needle)), "{anchor:?} is not needed");
        }
    }

    #[test]
    fn what_users_look_for_is_an_anchor_too_unless_one_is_in_it() {
        let texts =
            [Text::of_signature("Zahlung abgelehnt"), Text::of_signature("a DecryptException")];
        let anchors = Anchors::new(texts.iter()).unwrap();
        assert_eq!(anchors.next("eine Zahlung abgelehnt", 0), 5);
        assert_eq!(anchors.next("eine Zahlung abgelehnt", 6), usize::MAX);
        assert_eq!(anchors.next("no DecryptException", 0), 10);
        assert!(anchors.alphabet().may_hold(u16::from(b'Z')));
        assert!(!anchors.alphabet().may_hold(u16::from(b'<')));
        assert!(!anchors.alphabet().may_hold(0xe4));
        let umlaut = [Text::of_signature("gesch\u{e4}ftlich")];
        assert!(Anchors::new(umlaut.iter()).unwrap().alphabet().may_hold(0xe4));
    }
}
