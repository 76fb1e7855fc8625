//! When /next is asked for: pure, the time comes in as an argument.
//!
//! Lambda freezes the sandbox once the runtime and every extension have asked for /next. Asking at
//! once (`lazy`) costs nothing, but what is delivered after the freeze is read at the next thaw.
//! Asking only after the invocation's `platform.runtimeDone` (`end`) gets a diagnosis out at once,
//! but the wait is billed and counts against the function's own timeout. `adaptive` is lazy while
//! all is well and, after a problem, `end` for the next few invocations.
//!
//! Every wait is capped, and a sandbox in which a wait was in vain never waits again; nor does one in
//! which three in a row reached their cap, as where runtimeDone itself waits for /next.

use std::collections::VecDeque;
use triage_diagnosis::{Timestamp, fault_point};

/// `TRIAGE_FLUSH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FlushMode {
    /// `lazy` while all is well, `end` for a few invocations after a problem.
    #[default]
    Adaptive,
    /// Ask at once.
    Lazy,
    /// Ask after the invocation's runtimeDone.
    End,
}

/// How many invocations after a problem are waited out in [`FlushMode::Adaptive`].
const INVOCATIONS_AFTER_A_PROBLEM: u32 = 5;
/// A record that comes within this time of being made was not held up by a freeze. The shortest
/// buffering that the Telemetry API grants is 25 ms.
const PROMPT_MS: u64 = 1_000;
/// What is added to the longest invocation and delivery seen.
const SPARE_MS: u64 = 200;
/// The longest wait. Should a short invocation's runtimeDone be lost, then all of the wait is billed
/// for nothing: where invocations take longer than this, none is waited out.
const WAIT_MAX_MS: u64 = 60_000;
/// What is left of the invocation's timeout at the least.
const BEFORE_DEADLINE_MS: u64 = 250;
/// How long to wait, after runtimeDone, for what was found to be written.
const SETTLE_MS: u64 = 50;
/// So many waits in a row may end at their cap: an invocation may well take longer than any before.
const MAX_EXPIRIES: u32 = 3;
/// How many invocations and deliveries count as recent.
const RECENT: usize = 8;

/// Whether to ask for /next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Ask now.
    Now,
    /// Not yet: see again when something has come, at the latest at this time.
    At(Timestamp),
}

/// The policy's memory of one sandbox, bounded.
#[derive(Debug)]
pub(crate) struct FlushPolicy {
    mode: FlushMode,
    waits_left: u32,
    lazy_for_good: bool,
    hold: Hold,
    /// The invocation whose wait ended at its cap: if the next event comes before its runtimeDone,
    /// then the wait was in vain.
    overdue: Option<String>,
    /// Waits in a row that ended at their cap.
    expiries: u32,
    invoked: VecDeque<(String, Timestamp)>,
    done_before_invoke: VecDeque<String>,
    durations_ms: VecDeque<u64>,
    deliveries_ms: VecDeque<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Hold {
    No,
    RuntimeDone { request_id: String, since: Timestamp, until: Timestamp, at_deadline: bool },
    Written { since: Timestamp, until: Timestamp },
}

impl FlushPolicy {
    /// A sandbox of which nothing has been seen yet. The first /next is asked for at once.
    #[must_use]
    pub(crate) fn new(mode: FlushMode) -> Self {
        Self {
            mode,
            waits_left: 0,
            lazy_for_good: false,
            hold: Hold::No,
            overdue: None,
            expiries: 0,
            invoked: VecDeque::new(),
            done_before_invoke: VecDeque::new(),
            durations_ms: VecDeque::new(),
            deliveries_ms: VecDeque::new(),
        }
    }

    /// INVOKE has come. `deadline` is None where the event holds none that can be believed.
    pub(crate) fn handle_invoke(
        &mut self,
        request_id: &str,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) {
        fault_point!("flush invoke");
        if self.overdue.take().is_some() {
            self.lazy_for_good = true;
        }
        push_bounded(&mut self.invoked, (request_id.to_owned(), now));
        let wanted = match self.mode {
            FlushMode::Lazy => false,
            FlushMode::End => true,
            FlushMode::Adaptive => self.waits_left > 0,
        };
        self.waits_left = self.waits_left.saturating_sub(1);
        let already_done = self.done_before_invoke.iter().any(|id| id == request_id);
        self.hold = match deadline {
            Some(deadline) if wanted && !already_done && !self.lazy_for_good => {
                self.hold_until(request_id, deadline, now)
            }
            _ => Hold::No,
        };
    }

    fn hold_until(&self, request_id: &str, deadline: Timestamp, now: Timestamp) -> Hold {
        // Both are known only after runtimeDone has been seen, and telemetry was seen to come in
        // time. In a lazy sandbox a runtimeDone itself usually comes after the freeze, so that any
        // prompt record speaks for the delivery.
        let (Some(duration_ms), Some(delivery_ms)) =
            (self.durations_ms.iter().max(), self.deliveries_ms.iter().max())
        else {
            return Hold::No;
        };
        let usual_ms = duration_ms.saturating_add(*delivery_ms).saturating_add(SPARE_MS);
        if usual_ms > WAIT_MAX_MS {
            return Hold::No;
        }
        let usual = now.plus_ms(usual_ms);
        let latest = deadline.minus_ms(BEFORE_DEADLINE_MS);
        if latest <= now {
            return Hold::No;
        }
        Hold::RuntimeDone {
            request_id: request_id.to_owned(),
            since: now,
            until: usual.min(latest),
            at_deadline: latest <= usual,
        }
    }

    /// Any telemetry record has come that was made at `made`.
    pub(crate) fn handle_record(&mut self, made: Timestamp, now: Timestamp) {
        fault_point!("flush record");
        let delivery_ms = now.ms_since(made);
        if delivery_ms <= PROMPT_MS {
            push_bounded(&mut self.deliveries_ms, delivery_ms);
        }
    }

    /// `platform.runtimeDone` has come, which was made at `made`.
    pub(crate) fn handle_runtime_done(
        &mut self,
        request_id: &str,
        made: Option<Timestamp>,
        now: Timestamp,
    ) {
        fault_point!("flush runtime done");
        // The latest: an asynchronous retry has the request id of the attempt before it.
        match self.invoked.iter().rev().find(|(id, _)| id == request_id) {
            Some((_, invoked)) => {
                if let Some(made) = made {
                    let duration_ms = made.ms_since(*invoked);
                    push_bounded(&mut self.durations_ms, duration_ms);
                }
            }
            None => push_bounded(&mut self.done_before_invoke, request_id.to_owned()),
        }
        if self.overdue.as_deref() == Some(request_id) {
            self.overdue = None;
        }
        if matches!(&self.hold, Hold::RuntimeDone { request_id: held, .. } if held == request_id) {
            self.hold = Hold::Written { since: now, until: now.plus_ms(SETTLE_MS) };
            self.expiries = 0;
        }
    }

    /// A problem has been reported.
    pub(crate) fn handle_problem(&mut self) {
        fault_point!("flush problem");
        self.waits_left = INVOCATIONS_AFTER_A_PROBLEM;
    }

    /// Whether to ask for /next now. `settled`: everything that has come is worked through and
    /// everything found is written.
    pub(crate) fn poll(&mut self, settled: bool, now: Timestamp) -> Ask {
        fault_point!("flush poll");
        match &self.hold {
            // A clock that was set back meanwhile ends the wait.
            Hold::RuntimeDone { since, until, .. } if (*since..*until).contains(&now) => {
                return Ask::At(*until);
            }
            Hold::Written { since, until } if (*since..*until).contains(&now) && !settled => {
                return Ask::At(*until);
            }
            Hold::No | Hold::RuntimeDone { .. } | Hold::Written { .. } => {}
        }
        if let Hold::RuntimeDone { request_id, at_deadline, .. } =
            std::mem::replace(&mut self.hold, Hold::No)
        {
            self.expiries = self.expiries.saturating_add(1);
            if at_deadline || self.expiries >= MAX_EXPIRIES {
                self.lazy_for_good = true;
            } else {
                self.overdue = Some(request_id);
            }
        }
        Ask::Now
    }
}

fn push_bounded<T>(recent: &mut VecDeque<T>, item: T) {
    if recent.len() == RECENT {
        recent.pop_front();
    }
    recent.push_back(item);
}

#[cfg(test)]
mod tests;
