//! The sandboxes of a function: one for each log stream.

use super::sandbox::Sandbox;
use super::steps::Step;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use triage_diagnosis::signatures::Signatures;
use triage_diagnosis::{Function, Mount, Record, Report, Settings, Triage};

/// So many are kept at once: an account's default limit of invocations at once. More, and the one
/// of which nothing was heard for longest is over.
const MAX_SANDBOXES: usize = 1_000;
/// So many log streams are told apart when they are counted.
const MAX_COUNTED: usize = 100_000;

/// All sandboxes that are still open.
pub(crate) struct Sandboxes {
    /// What all have in common is built once.
    first: Triage,
    function: Function,
    timeout_ms: Option<u64>,
    mounts: Option<Vec<Mount>>,
    open: HashMap<String, Open>,
    heard: u64,
    told: Vec<Told>,
    invocations: u64,
    /// Hashes of the names of all log streams.
    streams: HashSet<u64>,
    hasher: RandomState,
    /// How many were taken for over to make room.
    given_up: u64,
    /// How many were followed by another under the same name.
    followed: usize,
}

struct Open {
    sandbox: Sandbox,
    /// When something was last heard of it, by the order of the input.
    heard: u64,
}

/// A report, and the log stream it is about.
pub(crate) struct Told {
    pub(crate) report: Report,
    /// Empty where there is but one.
    pub(crate) stream: String,
}

/// What was gone through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) invocations: u64,
    /// Log streams, or what of telemetry is one sandbox; of log streams at most 100,000 are counted.
    pub(crate) sandboxes: usize,
    /// How many times a log stream was taken for over, as too many were open at once.
    pub(crate) given_up: u64,
    /// How many failed requests there were records of, and how many of them failed for no known problem.
    pub(crate) outside: Option<(u64, u64)>,
}

impl Sandboxes {
    /// None yet. What the log streams' names do not tell of the function is in `function`; what is
    /// mounted, if anything is known of it, is the same in all.
    pub(crate) fn new(
        settings: Settings,
        signatures: Signatures,
        function: Function,
        timeout_ms: Option<u64>,
        mounts: Option<Vec<Mount>>,
    ) -> Self {
        let mut first = Triage::new(settings, function.clone());
        first.watch_for(signatures);
        Self {
            first,
            function,
            timeout_ms,
            mounts,
            open: HashMap::new(),
            heard: 0,
            told: Vec::new(),
            invocations: 0,
            streams: HashSet::new(),
            hasher: RandomState::new(),
            given_up: 0,
            followed: 0,
        }
    }

    /// An event of the Extensions API; telemetry has no log streams, but one sandbox after another.
    pub(crate) fn step(&mut self, step: Step) {
        self.follow(|sandbox| sandbox.is_over_by_step(&step));
        self.of_stream("", |sandbox| sandbox.step(step));
    }

    /// A record of the Telemetry API.
    pub(crate) fn telemetry(&mut self, record: Record<'_>) {
        self.follow(|sandbox| sandbox.is_over_by(&record));
        self.of_stream("", |sandbox| sandbox.telemetry(record));
    }

    /// Closes the sandbox of the telemetry so far if it is over.
    fn follow(&mut self, is_over: impl FnOnce(&Sandbox) -> bool) {
        if self.open.get("").is_some_and(|open| is_over(&open.sandbox)) {
            self.close("");
            self.followed += 1;
        }
    }

    /// Lets something happen in the sandbox of a log stream.
    pub(crate) fn of_stream(&mut self, stream: &str, happens: impl FnOnce(&mut Sandbox)) {
        self.heard += 1;
        if !self.open.contains_key(stream) {
            self.open(stream);
        }
        let Some(open) = self.open.get_mut(stream) else { return };
        open.heard = self.heard;
        happens(&mut open.sandbox);
        take_told(&mut self.told, &mut open.sandbox, stream);
    }

    fn open(&mut self, stream: &str) {
        if self.open.len() >= MAX_SANDBOXES {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.heard);
            if let Some(stream) = oldest.map(|(stream, _)| stream.clone()) {
                self.close(&stream);
                self.given_up += 1;
            }
        }
        let named = function_of(stream);
        let function = Function {
            name: or(&self.function.name, named.map(|(name, _)| name)),
            version: or(&self.function.version, named.map(|(_, version)| version)),
            concurrent: self.function.concurrent,
            memory_size_mb: None,
        };
        if self.streams.len() < MAX_COUNTED {
            self.streams.insert(self.hasher.hash_one(stream));
        }
        let mut triage = self.first.another(function.clone());
        if let Some(mounts) = &self.mounts {
            triage.handle_mounts(mounts.clone());
        }
        let sandbox = Sandbox::new(triage, &function, self.timeout_ms);
        self.open.insert(stream.to_owned(), Open { sandbox, heard: self.heard });
    }

    fn close(&mut self, stream: &str) {
        let Some(Open { mut sandbox, .. }) = self.open.remove(stream) else { return };
        sandbox.finish();
        self.invocations += sandbox.invocations;
        take_told(&mut self.told, &mut sandbox, stream);
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) {
        let mut streams: Vec<_> =
            self.open.iter().map(|(stream, open)| (open.heard, stream.clone())).collect();
        streams.sort_unstable();
        for (_, stream) in streams {
            self.close(&stream);
        }
    }

    /// What is to be told since the last call.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// What was gone through; all of it once they are finished.
    pub(crate) fn counts(&self) -> Counts {
        let Self { invocations, given_up, .. } = *self;
        let sandboxes = self.streams.len() + self.followed;
        Counts { invocations, sandboxes, given_up, outside: None }
    }
}

fn take_told(told: &mut Vec<Told>, sandbox: &mut Sandbox, stream: &str) {
    let reports = sandbox.told.drain(..);
    told.extend(reports.map(|report| Told { report, stream: stream.to_owned() }));
}

fn or(given: &str, named: Option<&str>) -> String {
    if given.is_empty() { named.unwrap_or_default() } else { given }.to_owned()
}

/// The function's name, if it is there, and version in a log stream's: `YYYY/MM/DD/[VERSION]ID` in
/// the function's own log group, `YYYY/MM/DD/NAME[VERSION]ID` in one that it shares.
pub(crate) fn function_of(stream: &str) -> Option<(&str, &str)> {
    let mut parts = stream.splitn(4, '/');
    for digits in [4, 2, 2] {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (name, rest) = parts.next()?.split_once('[')?;
    let (version, id) = rest.split_once(']')?;
    let is_whole = !version.is_empty() && !id.is_empty() && !id.contains(char::is_whitespace);
    is_whole.then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_streams_name_the_function() {
        for (stream, expected) in [
            ("2026/03/01/[$LATEST]0123456789abcdef", Some(("", "$LATEST"))),
            ("2026/03/01/orders[7]0123456789abcdef", Some(("orders", "7"))),
            ("2026/03/01/[$LATEST]", None),
            ("2026/3/1/[$LATEST]0123", None),
            ("orders", None),
            ("", None),
        ] {
            assert_eq!(function_of(stream), expected, "{stream}");
        }
    }

    #[test]
    fn the_number_of_sandboxes_is_bounded() {
        let (settings, signatures) = Default::default();
        let mut sandboxes = Sandboxes::new(settings, signatures, Function::default(), None, None);
        let start = "START RequestId: 79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01 Version: $LATEST";
        for n in 0..MAX_SANDBOXES + 10 {
            sandboxes.of_stream(&n.to_string(), |sandbox| sandbox.log_event(start, None));
            sandboxes.of_stream("0", |_| ());
        }
        assert_eq!(sandboxes.open.len(), MAX_SANDBOXES);
        assert!(sandboxes.open.contains_key("0") && !sandboxes.open.contains_key("1"));
        sandboxes.finish();
        let Counts { invocations, sandboxes, given_up, .. } = sandboxes.counts();
        let all = MAX_SANDBOXES + 10;
        assert_eq!((invocations, sandboxes, given_up), (all as u64, all, 10));
    }
}
