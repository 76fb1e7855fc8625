//! The invocations of one sandbox: which record belongs to which, whatever the order they come in.

use crate::Timestamp;
use crate::bug::contained;
use crate::finding::{Finding, Stage};
use crate::input::Invoke;
use crate::record::{InvocationReport, RuntimeDone, Start};
use crate::runtime_exit::RuntimeExit;
use crate::trace_header::TraceHeader;
use crate::why::Why;
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
    /// Which INVOKE that was, from 1 on: an order that no clock turns round. 0 without one.
    pub(crate) invocation: u64,
    /// When it began, as platform.start tells.
    pub started_at: Option<Timestamp>,
    /// The initialization is a part of it. Its platform.start may have come before there was anybody
    /// to read it.
    pub(crate) holds_init: bool,
    /// What its processes were waiting for shortly before its deadline, once they were looked at.
    pub(crate) why: Option<Box<Why>>,
    /// Its platform.runtimeDone.
    pub runtime_done: Option<Timed<RuntimeDone>>,
    /// How its runtime ended, where the platform's line in the log tells.
    pub runtime_exit: Option<RuntimeExit>,
    /// Its platform.report.
    pub report: Option<Timed<InvocationReport>>,
    /// Since when nothing more can happen in it: the next one began, or the sandbox is shut down.
    pub(crate) superseded_at: Option<Timestamp>,
    /// What was found and not yet told: detector and finding.
    pub(crate) findings: Vec<(usize, Finding)>,
    /// The detectors whose problem was told, and at which stage.
    pub(crate) told: Vec<(usize, Stage)>,
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

    /// The last time that is known of it. Its end, though the clock was set back since it began.
    fn last_at(&self) -> Option<Timestamp> {
        self.ended_at().or_else(|| self.began_at())
    }

    /// Whether anything but a report has told of it.
    pub(crate) fn is_known(&self) -> bool {
        self.began_at().is_some() || self.runtime_done.is_some()
    }

    /// Nothing will come of it any more but late records.
    pub(crate) fn is_over(&self) -> bool {
        self.ended_at().is_some() || self.superseded_at.is_some()
    }
}

/// The place of what belongs to the initialization of the sandbox, among the attempts.
pub(crate) const INIT: usize = usize::MAX;

/// The attempts of one sandbox, oldest first.
#[derive(Debug)]
pub(crate) struct Attempts {
    list: VecDeque<Attempt>,
    /// At [`INIT`]: an attempt without a request id.
    init: Attempt,
    max: usize,
    is_concurrent: bool,
    /// INVOKE events so far.
    invocations: u64,
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
        Self {
            list: VecDeque::new(),
            init: Attempt::default(),
            max,
            is_concurrent,
            invocations: 0,
            forgotten: Vec::new(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Attempt> {
        if index == INIT { Some(&self.init) } else { self.list.get(index) }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Attempt> {
        if index == INIT { Some(&mut self.init) } else { self.list.get_mut(index) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.list.iter()
    }

    /// Those of which something was found that is not told, and the initialization.
    pub(crate) fn with_findings(&self) -> impl Iterator<Item = &Attempt> {
        [&self.init].into_iter().chain(&self.list).filter(|a| !a.findings.is_empty())
    }

    pub(crate) fn with_findings_mut(&mut self) -> impl Iterator<Item = &mut Attempt> {
        [&mut self.init].into_iter().chain(&mut self.list).filter(|a| !a.findings.is_empty())
    }

    /// The attempt that the initialization is a part of has begun: what was found in the one is
    /// the other's.
    pub(crate) fn adopt_init(&mut self, index: usize) {
        if let Some(attempt) = self.list.get_mut(index) {
            attempt.holds_init = true;
            attempt.told.append(&mut self.init.told);
            for (detector, finding) in self.init.findings.drain(..) {
                match attempt.findings.iter_mut().find(|(known, _)| *known == detector) {
                    Some((_, known)) => known.merge(finding, true),
                    None => attempt.findings.push((detector, finding)),
                }
            }
        }
    }

    /// A new environment initializes: that the one before it did is another story.
    pub(crate) fn begin_init(&mut self, at: Timestamp) {
        let over = Attempt { superseded_at: Some(at), ..std::mem::take(&mut self.init) };
        if !over.findings.is_empty() {
            self.forgotten.push(over);
        }
    }

    /// The invocation that runs now, or ran last.
    pub(crate) fn newest(&self) -> Option<usize> {
        // Not the last in the list: a late record may have opened an earlier one after it.
        let last = self.list.iter().enumerate().max_by_key(|(_, a)| (a.invocation, a.last_at()));
        // One whose INVOKE could not be read began after the last whose could.
        let unheard = self.list.iter().enumerate().filter(|(_, a)| a.invocation == 0);
        let newer = unheard
            .filter(|(_, a)| last.is_some_and(|(_, last)| a.started_at > last.last_at()))
            .max_by_key(|(_, a)| a.started_at);
        newer.or(last).map(|(index, _)| index)
    }

    /// The attempt of an INVOKE event: one of which telemetry has told already, or a new one. It
    /// supersedes all others.
    pub(crate) fn place_invoke(&mut self, invoke: Invoke, now: Timestamp) -> usize {
        let request_id = clip(invoke.request_id);
        let known = self.newest_where(|a| a.request_id == request_id && a.invoked_at.is_none());
        let index = known.unwrap_or_else(|| self.open(request_id));
        self.init.superseded_at.get_or_insert(now);
        for (other, attempt) in self.list.iter_mut().enumerate() {
            if other != index {
                attempt.superseded_at.get_or_insert(now);
            }
        }
        self.invocations = self.invocations.saturating_add(1);
        if let Some(attempt) = self.list.get_mut(index) {
            attempt.invoked_at = Some(now);
            attempt.invocation = self.invocations;
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
        // Where the clock was set back since INVOKE, though its end has been read before.
        let known = known.or_else(|| {
            let is_its_own = |a: &Attempt| {
                let is_near = |invoked: Timestamp| {
                    invoked.ms_since(at).max(at.ms_since(invoked)) < HEARD_LATE_MS
                };
                a.started_at.is_none() && a.invoked_at.is_some_and(|at| is_near(at) || !a.is_over())
            };
            self.newest_where(|a| a.request_id == request_id && is_its_own(a))
        });
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
        // Where the clock was set back since its beginning.
        let runs = self.newest_where(|a| is_same(a) && a.invocation > 0 && end_of(a).is_none());
        if runs.is_some() {
            return runs;
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
        let named = id.and_then(|id| {
            let holds = self.newest_where(|a| a.request_id == id && a.may_hold(at));
            // A clock that is set back does not make it another's.
            holds.or_else(|| self.newest_where(|a| a.request_id == id))
        });
        if named.is_some() || self.is_concurrent {
            return named;
        }
        let by_time = self.by_time();
        // The last words of the one before, by the order of the records: that it began has been
        // read, its end and the beginning of this one have not, which by the times began a moment
        // ago.
        let is_before = |position: usize, attempt: &Attempt| {
            let is_new = attempt.began_at().is_some_and(|began| at.ms_since(began) <= AFTERMATH_MS);
            let before = position.checked_sub(1).map(|before| &self.list[by_time[before]]);
            is_new
                && attempt.started_at.is_none()
                && before.is_some_and(|before| {
                    (before.started_at.is_some() || before.holds_init)
                        && before.began_at().is_some_and(|began| at >= began)
                        && before.ended_at().is_none()
                })
        };
        let mut following = None;
        for (position, &index) in by_time.iter().enumerate().rev() {
            let attempt = &self.list[index];
            if !is_before(position, attempt) && attempt.began_at().is_none_or(|began| at >= began) {
                let Some(end) = attempt.ended_at().filter(|end| at > *end) else {
                    return Some(index);
                };
                // Written after this one had ended: its last words, or the first of the next one,
                // of whose beginning the extension heard late. The nearer of the two.
                let since_end_ms = at.ms_since(end);
                let is_nearer = |next: &usize| {
                    let began = self.list[*next].began_at();
                    began.is_some_and(|began| began.ms_since(at) < since_end_ms)
                };
                let own = (since_end_ms <= AFTERMATH_MS).then_some(index);
                return following.filter(is_nearer).or(own).or(following);
            }
            following = attempt.may_hold(at).then_some(index);
        }
        following
    }

    /// The attempts of which it is known when they ran, in that order. Not the list's own: a late
    /// record may have opened an earlier one after a later one. A report alone tells no time: it
    /// may come long after, as that of an invocation that ended the environment before this one.
    fn by_time(&self) -> Vec<usize> {
        let ran_at = |attempt: &Attempt| {
            attempt.began_at().or(attempt.runtime_done.as_ref().map(|done| done.at))
        };
        let known = self.list.iter().enumerate();
        let mut by_time: Vec<_> =
            known.filter_map(|(index, attempt)| Some((ran_at(attempt)?, index))).collect();
        by_time.sort_unstable();
        by_time.into_iter().map(|(_, index)| index).collect()
    }

    /// Attempts that made room for others since the last call, for what was found in them and not
    /// told.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.forgotten)
    }

    /// Ends every attempt: nothing more will come.
    pub(crate) fn supersede_all(&mut self, now: Timestamp) {
        for attempt in [&mut self.init].into_iter().chain(&mut self.list) {
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

/// A bug in reading a header costs the header, not its invocation.
fn trace(header: &str) -> TraceHeader {
    let header = contained(|| TraceHeader::parse(header)).unwrap_or_default();
    let TraceHeader { root, parent, depth } = header;
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
mod tests;
