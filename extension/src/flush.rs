//! When /next is asked for: pure, the time comes in as an argument.
//!
//! Lambda freezes the sandbox once the runtime and every extension have asked for /next. Asking at
//! once (`lazy`) costs nothing, but what is delivered after the freeze is read at the next thaw.
//! Asking only after the invocation's `platform.runtimeDone` (`end`) gets a diagnosis out at once,
//! but the wait is billed and counts against the function's own timeout. `adaptive` is lazy while
//! all is well and, after a problem, `end` for the next few invocations.
//!
//! Every wait is capped, and a sandbox in which a wait was in vain never waits again.

use std::collections::VecDeque;
use triage_diagnosis::Timestamp;

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
/// What is left of the invocation's timeout at the least.
const BEFORE_DEADLINE_MS: u64 = 250;
/// How long to wait, after runtimeDone, for what was found to be written.
const SETTLE_MS: u64 = 50;
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
        let usual = now.plus_ms(duration_ms.saturating_add(*delivery_ms).saturating_add(SPARE_MS));
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
        }
    }

    /// A problem has been reported.
    pub(crate) fn handle_problem(&mut self) {
        self.waits_left = INVOCATIONS_AFTER_A_PROBLEM;
    }

    /// Whether to ask for /next now. `settled`: everything that has come is worked through and
    /// everything found is written.
    pub(crate) fn poll(&mut self, settled: bool, now: Timestamp) -> Ask {
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
            if at_deadline {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    /// A policy in a sandbox that has shown one invocation of 100 ms, and deliveries of 30 ms.
    fn experienced(mode: FlushMode) -> FlushPolicy {
        let mut policy = FlushPolicy::new(mode);
        policy.handle_invoke("first", Some(at(3_000)), at(0));
        assert_eq!(policy.poll(true, at(0)), Ask::Now, "nothing known: no wait");
        policy.handle_record(at(10), at(40));
        policy.handle_runtime_done("first", Some(at(100)), at(130));
        policy
    }

    #[test]
    fn asks_at_once_before_the_first_invocation_whatever_the_mode() {
        for mode in [FlushMode::Adaptive, FlushMode::Lazy, FlushMode::End] {
            assert_eq!(FlushPolicy::new(mode).poll(false, at(0)), Ask::Now);
        }
    }

    #[test]
    fn end_waits_for_this_invocations_runtime_done_and_then_for_what_it_showed_to_be_written() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("a", Some(at(11_000)), at(8_000));
        // 100 ms duration + 30 ms delivery + 200 ms.
        assert_eq!(policy.poll(true, at(8_000)), Ask::At(at(8_330)));
        policy.handle_runtime_done("another", Some(at(8_010)), at(8_020));
        assert_eq!(policy.poll(true, at(8_020)), Ask::At(at(8_330)));
        policy.handle_runtime_done("a", Some(at(8_100)), at(8_130));
        assert_eq!(policy.poll(false, at(8_130)), Ask::At(at(8_180)));
        assert_eq!(policy.poll(true, at(8_131)), Ask::Now);

        policy.handle_invoke("b", Some(at(21_000)), at(18_000));
        policy.handle_runtime_done("b", Some(at(18_100)), at(18_130));
        assert_eq!(policy.poll(false, at(18_180)), Ask::Now, "a full pipe is not waited for");
    }

    #[test]
    fn lazy_never_waits() {
        let mut policy = experienced(FlushMode::Lazy);
        policy.handle_problem();
        policy.handle_invoke("a", Some(at(11_000)), at(8_000));
        assert_eq!(policy.poll(false, at(8_000)), Ask::Now);
    }

    #[test]
    fn adaptive_waits_in_the_five_invocations_after_a_problem_only() {
        let mut policy = experienced(FlushMode::Adaptive);
        let waited = |policy: &mut FlushPolicy, i: u64| {
            let (id, now) = (format!("r{i}"), at(10_000 * i));
            policy.handle_invoke(&id, Some(now.plus_ms(3_000)), now);
            let waited = policy.poll(true, now) != Ask::Now;
            policy.handle_runtime_done(&id, Some(now.plus_ms(100)), now.plus_ms(130));
            waited
        };
        assert!(!waited(&mut policy, 1));
        policy.handle_problem();
        let after: Vec<_> = (2..9).map(|i| waited(&mut policy, i)).collect();
        assert_eq!(after, [true, true, true, true, true, false, false]);
        policy.handle_problem();
        assert!(waited(&mut policy, 9));
    }

    #[test]
    fn waits_only_where_runtime_done_exists_and_telemetry_was_seen_to_be_prompt() {
        // runtimeDone was seen, but only after the thaw.
        let mut policy = FlushPolicy::new(FlushMode::End);
        policy.handle_invoke("first", Some(at(3_000)), at(0));
        policy.handle_record(at(100), at(60_000));
        policy.handle_runtime_done("first", Some(at(100)), at(60_000));
        policy.handle_invoke("a", Some(at(63_000)), at(60_000));
        assert_eq!(policy.poll(true, at(60_000)), Ask::Now);

        // Records are prompt, but there never was a runtimeDone.
        let mut policy = FlushPolicy::new(FlushMode::End);
        policy.handle_invoke("first", Some(at(3_000)), at(0));
        policy.handle_record(at(10), at(40));
        policy.handle_invoke("a", Some(at(63_000)), at(60_000));
        assert_eq!(policy.poll(true, at(60_000)), Ask::Now);
    }

    #[test]
    fn a_runtime_done_that_came_before_its_invoke_is_remembered() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_runtime_done("a", Some(at(8_000)), at(8_001));
        policy.handle_invoke("a", Some(at(11_000)), at(8_002));
        assert_eq!(policy.poll(false, at(8_002)), Ask::Now);
    }

    #[test]
    fn without_a_deadline_there_is_no_wait() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("a", None, at(8_000));
        assert_eq!(policy.poll(true, at(8_000)), Ask::Now);
    }

    #[test]
    fn the_wait_ends_250_ms_before_the_deadline_and_is_the_last_one() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("a", Some(at(8_300)), at(8_000));
        assert_eq!(policy.poll(true, at(8_000)), Ask::At(at(8_050)));
        assert_eq!(policy.poll(true, at(8_050)), Ask::Now);
        policy.handle_runtime_done("a", Some(at(8_100)), at(8_130));
        policy.handle_invoke("b", Some(at(19_000)), at(18_000));
        assert_eq!(policy.poll(true, at(18_000)), Ask::Now);

        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("a", Some(at(8_250)), at(8_000));
        assert_eq!(policy.poll(true, at(8_000)), Ask::Now, "no time to wait in");
        policy.handle_invoke("b", Some(at(19_000)), at(18_000));
        assert_ne!(policy.poll(true, at(18_000)), Ask::Now, "which is no wait in vain");
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_wait() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("a", Some(at(60_000)), at(8_000));
        assert_ne!(policy.poll(true, at(8_000)), Ask::Now);
        assert_eq!(policy.poll(true, at(7_000)), Ask::Now);
    }

    #[test]
    fn a_retry_with_the_same_request_id_is_no_long_invocation() {
        let mut policy = experienced(FlushMode::End);
        policy.handle_invoke("first", Some(at(130_000)), at(120_000));
        policy.handle_runtime_done("first", Some(at(120_100)), at(120_130));
        policy.handle_invoke("b", Some(at(190_000)), at(180_000));
        assert_eq!(policy.poll(true, at(180_000)), Ask::At(at(180_330)));
    }

    #[test]
    fn a_wait_beyond_the_usual_time_is_in_vain_unless_its_runtime_done_still_comes() {
        for comes in [true, false] {
            let mut policy = experienced(FlushMode::End);
            policy.handle_invoke("a", Some(at(60_000)), at(8_000));
            assert_eq!(policy.poll(true, at(8_330)), Ask::Now);
            if comes {
                policy.handle_runtime_done("a", Some(at(9_000)), at(9_030));
            }
            policy.handle_invoke("b", Some(at(60_000)), at(18_000));
            assert_eq!(policy.poll(true, at(18_000)) != Ask::Now, comes);
            if !comes {
                policy.handle_runtime_done("a", Some(at(9_000)), at(18_001));
                policy.handle_invoke("c", Some(at(60_000)), at(20_000));
                assert_eq!(policy.poll(true, at(20_000)), Ask::Now, "lazy for good");
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Input {
        Invoke(u8, Option<u64>),
        Record(u64),
        Done(u8, Option<u64>),
        Problem,
        Pass(u64),
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            (0..4u8, prop::option::of(0..5_000u64)).prop_map(|(id, d)| Input::Invoke(id, d)),
            (0..2_000u64).prop_map(Input::Record),
            (0..4u8, prop::option::of(0..5_000u64)).prop_map(|(id, made)| Input::Done(id, made)),
            Just(Input::Problem),
            (0..3_000u64).prop_map(Input::Pass),
        ]
    }

    proptest! {
        #[test]
        fn whatever_comes_no_wait_passes_its_deadline_and_memory_stays_bounded(
            inputs in prop::collection::vec(input(), 0..60),
        ) {
            let mut policy = FlushPolicy::new(FlushMode::End);
            let mut now = at(100_000);
            let mut latest: Option<Timestamp> = None;
            for input in inputs {
                match input {
                    Input::Invoke(id, in_ms) => {
                        let deadline = in_ms.map(|ms| now.plus_ms(ms));
                        policy.handle_invoke(&id.to_string(), deadline, now);
                        latest = deadline.map(|d| d.minus_ms(BEFORE_DEADLINE_MS).max(now));
                    }
                    Input::Record(ago) => policy.handle_record(now.minus_ms(ago), now),
                    Input::Done(id, ago) => {
                        let made = ago.map(|ms| now.minus_ms(ms));
                        policy.handle_runtime_done(&id.to_string(), made, now);
                    }
                    Input::Problem => policy.handle_problem(),
                    Input::Pass(ms) => now = now.plus_ms(ms),
                }
                let before = policy.lazy_for_good;
                if let Ask::At(until) = policy.poll(false, now) {
                    prop_assert!(now < until);
                    prop_assert!(!before);
                    let settling = now.plus_ms(SETTLE_MS);
                    prop_assert!(latest.is_some_and(|latest| until <= latest.max(settling)));
                }
                for length in [
                    policy.invoked.len(),
                    policy.done_before_invoke.len(),
                    policy.durations_ms.len(),
                    policy.deliveries_ms.len(),
                ] {
                    prop_assert!(length <= RECENT);
                }
            }
        }
    }
}
