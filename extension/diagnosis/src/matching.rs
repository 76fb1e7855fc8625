//! Which detectors' texts a log record holds, in one pass for all of them.

mod anchors;
mod kms;
mod reported;

pub(crate) use self::anchors::{Alphabet, Anchors};
use self::kms::speaks_of_kms;
use self::reported::{is_reported, is_whole_word};
use crate::errno;
use crate::failed_call::{FailedCall, failed_call};
use crate::fault_point;
use crate::level::Level;
use crate::log::Log;
use crate::mention::{is_account, is_documented_or_counted, narrated_from, quoted_in};
use crate::record::FunctionLog;
use crate::text::{Context, Shape, Text};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::cell::LazyCell;

/// The texts of one detector in one log record: at least one.
#[derive(Debug)]
pub struct LogMatch<'a> {
    /// The record.
    pub log: &'a Log<'a>,
    /// What was found, in the record's order.
    pub hits: Vec<Hit>,
}

/// One text in a record.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Which.
    pub text: &'static Text,
    /// Where it begins, in bytes of the record's text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The level of the line it stands in, if the line has one.
    pub level: Option<Level>,
}

/// All texts of a set of detectors.
#[derive(Debug)]
pub(crate) struct Matcher {
    texts: Vec<(usize, &'static Text)>,
    search: AhoCorasick,
    anchors: Option<Anchors>,
}

/// No more of one record are looked at: they are repetitions.
const MAX_HITS: u16 = 256;

/// How much of what stands beside a text may say how it is meant.
const MAX_BESIDE_BYTES: usize = 512;

impl Matcher {
    /// The texts of each detector. None where they cannot be searched for; they are constants, so
    /// tests would show it.
    pub(crate) fn new(detectors: impl Iterator<Item = &'static [Text]>) -> Option<Self> {
        fault_point!("matcher");
        let texts: Vec<(usize, &'static Text)> = detectors
            .enumerate()
            .flat_map(|(index, texts)| texts.iter().map(move |text| (index, text)))
            .collect();
        // The contiguous NFA takes a tenth of the DFA's memory and time to build.
        let search = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .build(texts.iter().map(|(_, text)| text.needle))
            .ok()?;
        let anchors = Anchors::new(texts.iter().map(|(_, text)| *text));
        Some(Self { texts, search, anchors })
    }

    /// What none of the texts, nor the platform's line on a runtime's end, is without. None where they cannot
    /// be searched for.
    pub(crate) fn anchors(&self) -> Option<&Anchors> {
        self.anchors.as_ref()
    }

    /// Whether a record holds a text at all, however it stands.
    pub(crate) fn has_text(&self, record: &str) -> bool {
        self.search.is_match(record)
    }

    /// Whether a line may change what those before it tell: by a text, what a text needs beside it, or
    /// the name of what it is about.
    pub(crate) fn may_tell(&self, line: &str) -> bool {
        ["arn:aws", "EFS", "fork_exec("].iter().any(|sign| line.contains(sign))
            || speaks_of_kms(line)
            || self.has_text(line)
    }

    /// Calls `found` once for each detector (by its index) that has something to look at.
    pub(crate) fn scan(&self, record: &FunctionLog<'_>, found: impl FnMut(usize, &LogMatch<'_>)) {
        fault_point!("scan");
        // Healthy records end here, unparsed.
        if self.search.is_match(record.sent()) {
            self.scan_log(&Log::read(record), None, found);
        }
    }

    /// The same of an error that a record outside the function holds; `is_of_invoke` says that it is what
    /// Invoke answered, and not an error of the function that ran.
    pub(crate) fn scan_error(
        &self,
        text: &str,
        is_of_invoke: bool,
        found: impl FnMut(usize, &LogMatch<'_>),
    ) {
        let call = is_of_invoke.then_some(FailedCall::Invoke);
        self.scan_log(&Log::of_error(text), call, found);
    }

    fn scan_log(
        &self,
        log: &Log<'_>,
        call: Option<FailedCall>,
        mut found: impl FnMut(usize, &LogMatch<'_>),
    ) {
        let is_account = log.is_bare_value && is_account(&log.text);
        // Once for all hits and once for each line: a long record may hold very many.
        let about_kms = LazyCell::new(|| speaks_of_kms(&log.text));
        let about_efs = LazyCell::new(|| log.text.contains("EFS"));
        let failed_call = LazyCell::new(|| call.unwrap_or_else(|| failed_call(&log.text)));
        let quoted = LazyCell::new(|| quoted_in(&log.text));
        let mut line = (0..0, None, None);
        // For each signature by itself, as its texts may be of any kind: one that finds very many
        // must not hide what others would find.
        let detectors = self.texts.last().map_or(0, |(last, _)| last + 1);
        let (mut room, mut room_of_signatures) = (MAX_HITS, vec![MAX_HITS; detectors]);
        let mut hits: Vec<(usize, Hit)> = self
            .search
            .find_overlapping_iter(log.text.as_ref())
            .filter_map(|m| {
                let (index, text) = self.texts.get(m.pattern().as_usize())?;
                let room = match text.shape {
                    Shape::Anything => room_of_signatures.get_mut(*index)?,
                    Shape::ErrorName | Shape::Message | Shape::Errno => &mut room,
                };
                if *room == 0 {
                    return None;
                }
                // No more of it, as a long line may hold very many names.
                let earliest = m.start().saturating_sub(MAX_BESIDE_BYTES);
                let before = &log.text[log.text.ceil_char_boundary(earliest)..m.start()];
                let latest = log.text.floor_char_boundary(m.end() + MAX_BESIDE_BYTES);
                let after = &log.text[m.end()..latest];
                let is_hit = stands(text, before, after)
                    && match text.context {
                        Context::Any => true,
                        Context::Efs => *about_efs,
                        Context::Kms => *about_kms,
                        Context::Invoke => *failed_call == FailedCall::Invoke,
                        Context::NoOtherCall => *failed_call != FailedCall::Other,
                    };
                if !is_hit {
                    return None;
                }
                if !line.0.contains(&m.start()) {
                    let range = log.line_at(m.start());
                    let narrated = narrated_from(&log.text[range.clone()])
                        .filter(|_| log.written_level_at(m.start()).is_none());
                    let narrated = narrated.map(|from| range.start + from);
                    line = (range, log.level_at(m.start()), narrated);
                }
                let (_, level, narrated) = line;
                let is_narrated = narrated.is_some_and(|from| from <= m.start());
                let is_quoted = || {
                    let next = quoted.partition_point(|range| range.end <= m.start());
                    log.is_quoted_at(m.start())
                        || quoted.get(next).is_some_and(|range| range.contains(&m.start()))
                };
                let is_of_others = is_account || is_narrated || is_quoted();
                if is_of_others && text.shape != Shape::Anything {
                    return None;
                }
                *room -= 1;
                Some((*index, Hit { text, start: m.start(), end: m.end(), level }))
            })
            .collect();
        hits.sort_by_key(|(index, hit)| (*index, hit.start));
        for group in hits.chunk_by(|a, b| a.0 == b.0) {
            let hits = group.iter().map(|(_, hit)| *hit).collect();
            found(group[0].0, &LogMatch { log, hits });
        }
    }
}

fn stands(text: &Text, before: &str, after: &str) -> bool {
    match text.shape {
        Shape::Message | Shape::Anything => true,
        Shape::Errno => errno::is_reported(before, after),
        Shape::ErrorName => {
            is_whole_word(before, after)
                && is_reported(text.needle, before, after)
                && !is_documented_or_counted(before, after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_list_is_mentioned() {
        let matcher = Matcher::new(crate::detectors().iter().map(|d| d.texts)).unwrap();
        let seen = |json: &str| {
            let mut seen = 0;
            matcher.scan(&FunctionLog::Json(json), |_, _| seen += 1);
            seen
        };
        assert_eq!(seen(r#"{"level":"ERROR","retryable":["KMSDisabledException"]}"#), 0);
        assert_eq!(seen(r#"{"Retry":[{"ErrorEquals":["EFSIOException"]}]}"#), 0);
        assert_eq!(seen(r#"{"errorType":"KMSDisabledException"}"#), 1);
        assert_eq!(seen(r#"{"stack":["KMSDisabledException: x","  at y"]}"#), 1);
    }
}
