//! The invocations of one sandbox: which record belongs to which, whatever the order they come in.

use crate::Timestamp;
use crate::finding::{Finding, Stage};
use crate::input::Invoke;
use crate::record::{InvocationReport, RuntimeDone, Start};
use crate::trace_header::TraceHeader;
use std::collections::VecDeque;

/// Invocations remembered where they come one after another: late records find theirs.
const MAX_ONE_BY_ONE: usize = 32;
/// Invocations remembered where several run at once.
const MAX_CONCURRENT: usize = 1_024;
/// How far an invocation's records may lie before the extension heard of it. An asynchronous retry
/// with the same request id comes a minute later at the earliest.
const HEARD_LATE_MS: u64 = 5_000;
/// What is written later than this after an invocation's end is not its own: the next one's, of
/// which nothing has been read yet.
const AFTERMATH_MS: u64 = 100;
/// Request ids and ARNs are shorter by far; what is longer is cut, as it is kept and printed.
const MAX_ID_BYTES: usize = 256;

/// One attempt at an invocation: a request id and its start. An asynchronous retry has the same
/// request id and is another attempt.
#[derive(Debug, Default)]
pub struct Attempt {
    /// The request id.
    pub request_id: String,
    /// When it times out.
    pub deadline: Option<Timestamp>,
    /// The ARN that was invoked.
    pub function_arn: Option<String>,
    /// Which chain of invocations it is in.
    pub trace: TraceHeader,
    /// When its INVOKE event came.
    pub invoked_at: Option<Timestamp>,
    /// When it began, as platform.start tells.
    pub started_at: Option<Timestamp>,
    /// Its platform.runtimeDone.
    pub runtime_done: Option<Timed<RuntimeDone>>,
    /// Its platform.report.
    pub report: Option<Timed<InvocationReport>>,
    /// Since when nothing more can happen in it: the next one began, or the sandbox is shut down.
    pub(crate) superseded_at: Option<Timestamp>,
    /// What was found and not yet told: detector and finding.
    pub(crate) findings: Vec<(usize, Finding)>,
    /// The detectors whose problem was told, and at which stage.
    pub(crate) told: Vec<(usize, Stage)>,
    /// Whether its place in a chain of invocations was looked at.
    pub(crate) is_sighted: bool,
}

/// A record and the time it bears.
#[derive(Debug)]
pub struct Timed<T> {
    /// The time it bears or, without one, came at.
    pub at: Timestamp,
    /// The record.
    pub record: T,
}

impl Attempt {
    /// When it began, as far as is known. The INVOKE event may be read later than the handler
    /// began, so a record may be earlier than this by as much as the extension was late.
    fn began_at(&self) -> Option<Timestamp> {
        self.started_at.or(self.invoked_at)
    }

    fn may_hold(&self, at: Timestamp) -> bool {
        match (self.started_at, self.invoked_at) {
            (Some(started), _) => at >= started,
            (None, Some(invoked)) => at.plus_ms(HEARD_LATE_MS) >= invoked,
            (None, None) => true,
        }
    }

    fn ended_at(&self) -> Option<Timestamp> {
        let done = self.runtime_done.as_ref().map(|done| done.at);
        done.or_else(|| self.report.as_ref().map(|report| report.at))
    }

    /// Nothing will come of it any more but late records.
    pub(crate) fn is_over(&self) -> bool {
        self.ended_at().is_some() || self.superseded_at.is_some()
    }
}

/// The attempts of one sandbox, oldest first.
#[derive(Debug)]
pub(crate) struct Attempts {
    list: VecDeque<Attempt>,
    max: usize,
    is_concurrent: bool,
    forgotten: Vec<Attempt>,
}

/// Which record of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    RuntimeDone,
    Report,
}

impl Attempts {
    pub(crate) fn new(is_concurrent: bool) -> Self {
        let max = if is_concurrent { MAX_CONCURRENT } else { MAX_ONE_BY_ONE };
        Self { list: VecDeque::new(), max, is_concurrent, forgotten: Vec::new() }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Attempt> {
        self.list.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Attempt> {
        self.list.get_mut(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Attempt> {
        self.list.iter_mut()
    }

    /// The invocation that runs now, or ran last.
    pub(crate) fn newest(&self) -> Option<usize> {
        self.list.len().checked_sub(1)
    }

    /// The attempt of an INVOKE event: one of which telemetry has told already, or a new one. It
    /// supersedes all others.
    pub(crate) fn place_invoke(&mut self, invoke: Invoke, now: Timestamp) -> usize {
        let request_id = clip(invoke.request_id);
        let known = self.newest_where(|a| a.request_id == request_id && a.invoked_at.is_none());
        let index = known.unwrap_or_else(|| self.open(request_id));
        for (other, attempt) in self.list.iter_mut().enumerate() {
            if other != index {
                attempt.superseded_at.get_or_insert(now);
            }
        }
        if let Some(attempt) = self.list.get_mut(index) {
            attempt.invoked_at = Some(now);
            attempt.deadline = invoke.deadline;
            attempt.function_arn = Some(clip(invoke.function_arn)).filter(|arn| !arn.is_empty());
            if let Some(header) = invoke.trace_header {
                attempt.trace = trace(&header);
            }
        }
        index
    }

    /// The attempt of a platform.start, known or new. None for one that came a second time.
    pub(crate) fn place_start(&mut self, start: Start, at: Timestamp) -> Option<usize> {
        let request_id = clip(start.request_id);
        let known = self.newest_where(|a| {
            a.request_id == request_id
                && match a.started_at {
                    Some(started) => started == at,
                    None => a.may_hold(at) && a.ended_at().is_none_or(|end| end >= at),
                }
        });
        if known.is_some_and(|known| self.list[known].started_at.is_some()) {
            return None;
        }
        let index = known.unwrap_or_else(|| self.open(request_id));
        let attempt = self.list.get_mut(index)?;
        attempt.started_at = Some(at);
        if attempt.function_arn.is_none() {
            attempt.function_arn = start.function_arn.map(clip);
        }
        if let Some(header) = start.trace_header.filter(|_| attempt.invoked_at.is_none()) {
            attempt.trace = trace(&header);
        }
        Some(index)
    }

    /// The attempt that a runtimeDone or report ends, known or new. None for one that came a
    /// second time.
    pub(crate) fn place_end(&mut self, end: End, id: &str, at: Timestamp) -> Option<usize> {
        let request_id = clip(id.to_owned());
        let end_of = |attempt: &Attempt| match end {
            End::RuntimeDone => attempt.runtime_done.as_ref().map(|done| done.at),
            End::Report => attempt.report.as_ref().map(|report| report.at),
        };
        let is_same = |a: &Attempt| a.request_id == request_id;
        if self.list.iter().any(|a| is_same(a) && end_of(a) == Some(at)) {
            return None;
        }
        let open = self.newest_where(|a| is_same(a) && end_of(a).is_none() && a.may_hold(at));
        if open.is_some() {
            return open;
        }
        // Another end of an attempt that has one: a retry whose beginning was lost, if it comes as
        // late as a retry would.
        let last = self.list.iter().filter(|a| is_same(a)).filter_map(end_of).max();
        if last.is_some_and(|last| at.ms_since(last) < HEARD_LATE_MS) {
            return None;
        }
        Some(self.open(request_id))
    }

    /// The attempt that wrote a log record: the one the record names or, where they run one by one,
    /// the one that ran at that time.
    pub(crate) fn place_log(&self, id: Option<&str>, at: Timestamp) -> Option<usize> {
        let named = id.and_then(|id| self.newest_where(|a| a.request_id == id && a.may_hold(at)));
        if named.is_some() || self.is_concurrent {
            return named;
        }
        let mut following = None;
        for (index, attempt) in self.list.iter().enumerate().rev() {
            // Within one millisecond the order of the records tells: the start of the one before
            // has been read, its end and the start of this one have not.
            let is_before = attempt.began_at() == Some(at)
                && attempt.started_at.is_none()
                && index.checked_sub(1).is_some_and(|before| {
                    let before = &self.list[before];
                    before.started_at.is_some_and(|start| at >= start)
                        && before.ended_at().is_none()
                });
            if !is_before && attempt.began_at().is_none_or(|began| at >= began) {
                // Written after this one had ended: by the next one, of whose beginning the
                // extension heard late.
                let end = attempt.ended_at().filter(|end| at > *end);
                let is_soon = end.is_none_or(|end| at.ms_since(end) <= AFTERMATH_MS);
                return match end {
                    Some(_) => following.or(is_soon.then_some(index)),
                    None => Some(index),
                };
            }
            following = attempt.may_hold(at).then_some(index);
        }
        following
    }

    /// Attempts that made room for others since the last call, for what was found in them and not
    /// told.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.forgotten)
    }

    /// Ends every attempt: nothing more will come.
    pub(crate) fn supersede_all(&mut self, now: Timestamp) {
        for attempt in &mut self.list {
            attempt.superseded_at.get_or_insert(now);
        }
    }

    fn newest_where(&self, is_it: impl Fn(&Attempt) -> bool) -> Option<usize> {
        self.list.iter().rposition(is_it)
    }

    fn open(&mut self, request_id: String) -> usize {
        if self.list.len() >= self.max {
            // The oldest, but rather one that is over than one that still runs.
            let index = self.list.iter().position(Attempt::is_over).unwrap_or(0);
            self.forgotten.extend(self.list.remove(index));
        }
        self.list.push_back(Attempt { request_id, ..Attempt::default() });
        self.list.len() - 1
    }
}

fn trace(header: &str) -> TraceHeader {
    let TraceHeader { root, parent, depth } = TraceHeader::parse(header);
    TraceHeader { root: root.map(clip), parent: parent.map(clip), depth }
}

/// An id as it is kept and printed: short, and without control characters.
pub(crate) fn clip(mut id: String) -> String {
    id.retain(|c| !c.is_control());
    if id.len() > MAX_ID_BYTES {
        let cut = (0..=MAX_ID_BYTES).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0);
        id.truncate(cut);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    fn invoke(attempts: &mut Attempts, id: &str, at: u64) -> usize {
        let invoke = Invoke {
            request_id: id.into(),
            deadline: None,
            function_arn: String::new(),
            trace_header: None,
        };
        attempts.place_invoke(invoke, ms(at))
    }

    fn start(attempts: &mut Attempts, id: &str, at: u64) -> Option<usize> {
        attempts.place_start(Start { request_id: id.into(), ..Start::default() }, ms(at))
    }

    fn done(attempts: &mut Attempts, id: &str, at: u64) -> Option<usize> {
        let index = attempts.place_end(End::RuntimeDone, id, ms(at))?;
        attempts.get_mut(index).unwrap().runtime_done =
            Some(Timed { at: ms(at), record: RuntimeDone::default() });
        Some(index)
    }

    #[test]
    fn events_of_one_attempt_meet_in_any_order() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut attempts = Attempts::new(false);
            for step in order {
                let index = match step {
                    0 => Some(invoke(&mut attempts, "a", 12)),
                    1 => start(&mut attempts, "a", 10),
                    _ => done(&mut attempts, "a", 11),
                };
                assert_eq!(index, Some(0), "{order:?}");
            }
        }
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let mut attempts = Attempts::new(false);
        invoke(&mut attempts, "a", 0);
        assert_eq!(start(&mut attempts, "a", 1), Some(0));
        assert_eq!(start(&mut attempts, "a", 1), None);
        assert_eq!(done(&mut attempts, "a", 5), Some(0));
        assert_eq!(done(&mut attempts, "a", 5), None);
        assert_eq!(done(&mut attempts, "a", 6), None, "an attempt ends once");
    }

    #[test]
    fn a_retry_with_the_same_request_id_is_another_attempt() {
        let mut attempts = Attempts::new(false);
        invoke(&mut attempts, "a", 0);
        assert_eq!(done(&mut attempts, "a", 5), Some(0));
        assert_eq!(invoke(&mut attempts, "a", 60_000), 1);
        assert_eq!(done(&mut attempts, "a", 60_005), Some(1));
        // Where the INVOKE event is missing too.
        assert_eq!(done(&mut attempts, "a", 180_000), Some(2));
    }

    #[test]
    fn a_late_end_finds_the_attempt_it_belongs_to() {
        let mut attempts = Attempts::new(false);
        invoke(&mut attempts, "a", 0);
        start(&mut attempts, "a", 1);
        invoke(&mut attempts, "a", 60_000);
        assert_eq!(done(&mut attempts, "a", 5), Some(0), "read after the next INVOKE");
        assert_eq!(done(&mut attempts, "a", 60_004), Some(1));
    }

    #[test]
    fn a_log_line_belongs_to_the_attempt_that_ran() {
        let mut attempts = Attempts::new(false);
        assert_eq!(attempts.place_log(None, ms(0)), None, "before any invocation");
        invoke(&mut attempts, "a", 0);
        start(&mut attempts, "a", 1);
        done(&mut attempts, "a", 50);
        invoke(&mut attempts, "b", 1_010);
        assert_eq!(attempts.place_log(None, ms(20)), Some(0));
        assert_eq!(attempts.place_log(None, ms(1_005)), Some(1), "INVOKE was read late");
        assert_eq!(attempts.place_log(None, ms(1_020)), Some(1));
        assert_eq!(attempts.place_log(Some("a"), ms(1_020)), Some(0), "it names its request");
    }

    #[test]
    fn a_log_line_of_the_millisecond_of_the_next_invoke_belongs_where_it_stands() {
        let mut attempts = Attempts::new(false);
        invoke(&mut attempts, "a", 0);
        start(&mut attempts, "a", 0);
        invoke(&mut attempts, "b", 1);
        assert_eq!(attempts.place_log(None, ms(1)), Some(0));
        done(&mut attempts, "a", 1);
        start(&mut attempts, "b", 1);
        assert_eq!(attempts.place_log(None, ms(1)), Some(1));
    }

    #[test]
    fn a_log_line_long_after_an_invocation_is_of_one_that_is_not_known_yet() {
        let mut attempts = Attempts::new(false);
        invoke(&mut attempts, "a", 0);
        done(&mut attempts, "a", 50);
        assert_eq!(attempts.place_log(None, ms(60)), Some(0), "the last words of its runtime");
        assert_eq!(attempts.place_log(None, ms(60_000)), None);
    }

    #[test]
    fn the_header_of_invoke_is_kept() {
        let mut attempts = Attempts::new(false);
        let header = |text: &str| Some(text.to_owned());
        for invoke_is_first in [true, false] {
            let id = invoke_is_first.to_string();
            let start = Start {
                request_id: id.clone(),
                trace_header: header("Root=1-b"),
                function_arn: None,
            };
            if !invoke_is_first {
                attempts.place_start(start.clone(), ms(0));
            }
            let trace_header = header("Root=1-a;Lineage=a87bd80c:3");
            let invoke = Invoke { request_id: id, trace_header, ..Invoke::default() };
            let index = attempts.place_invoke(invoke, ms(1));
            if invoke_is_first {
                attempts.place_start(start, ms(1));
            }
            assert_eq!(attempts.get(index).unwrap().trace.depth, Some(3));
        }
    }

    #[test]
    fn concurrent_log_lines_need_a_name() {
        let mut attempts = Attempts::new(true);
        start(&mut attempts, "a", 0);
        start(&mut attempts, "b", 1);
        assert_eq!(attempts.place_log(None, ms(5)), None);
        assert_eq!(attempts.place_log(Some("b"), ms(5)), Some(1));
    }

    #[test]
    fn memory_is_bounded_and_open_attempts_stay_longest() {
        let mut attempts = Attempts::new(true);
        let mut given_up = 0;
        for id in 0..3_000_u64 {
            start(&mut attempts, &id.to_string(), id);
            given_up += attempts.take_forgotten().len();
            if id != 0 {
                done(&mut attempts, &id.to_string(), id + 1);
            }
        }
        assert_eq!(attempts.list.len(), MAX_CONCURRENT);
        assert_eq!(given_up, 3_000 - 1_024);
        assert_eq!(attempts.list[0].request_id, "0");
    }

    #[test]
    fn ids_are_kept_short() {
        let mut attempts = Attempts::new(false);
        let long = "ä".repeat(10_000);
        invoke(&mut attempts, &long, 0);
        assert!(attempts.list[0].request_id.len() <= MAX_ID_BYTES);
        assert_eq!(done(&mut attempts, &long, 1), Some(0), "cut alike everywhere");
    }
}
