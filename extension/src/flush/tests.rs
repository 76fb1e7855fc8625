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
fn invocations_of_minutes_are_not_waited_out() {
    const QUARTER_OF_AN_HOUR_MS: u64 = 900_000;
    let waits = |longest_ms: u64| {
        let mut policy = FlushPolicy::new(FlushMode::End);
        policy.handle_invoke("first", Some(at(QUARTER_OF_AN_HOUR_MS)), at(0));
        policy.handle_runtime_done("first", Some(at(longest_ms)), at(longest_ms + 30));
        policy.handle_record(at(longest_ms), at(longest_ms + 30));
        let now = at(1_000_000);
        policy.handle_invoke("a", Some(now.plus_ms(QUARTER_OF_AN_HOUR_MS)), now);
        policy.poll(true, now) != Ask::Now
    };
    assert!(waits(59_000));
    assert!(!waits(60_000));
    assert!(!waits(850_000));
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

#[test]
fn invocations_that_now_and_then_take_longer_than_any_before_do_not_end_the_waiting() {
    let mut policy = experienced(FlushMode::End);
    let (mut now, mut takes_ms) = (8_000, 100);
    for n in 0..12 {
        let id = n.to_string();
        policy.handle_invoke(&id, Some(at(now + 60_000)), at(now));
        let Ask::At(until) = policy.poll(true, at(now)) else { panic!("it waits no more: {n}") };
        // Two of three are too long for it.
        if n % 3 < 2 {
            takes_ms += 1_000;
            assert_eq!(policy.poll(true, until), Ask::Now);
        }
        policy.handle_runtime_done(&id, Some(at(now + takes_ms)), at(now + takes_ms + 30));
        now += 20_000;
    }
}

#[test]
fn where_runtime_done_itself_waits_for_next_it_waits_no_more() {
    let mut policy = experienced(FlushMode::End);
    let mut waited = Vec::new();
    let mut now = 8_000;
    for n in 0..6 {
        let id = n.to_string();
        policy.handle_invoke(&id, Some(at(now + 60_000)), at(now));
        let asked = match policy.poll(true, at(now)) {
            Ask::At(until) => until,
            Ask::Now => at(now),
        };
        waited.push(asked.ms_since(at(now)));
        assert_eq!(policy.poll(true, asked), Ask::Now);
        // Only then is it made.
        policy.handle_runtime_done(&id, Some(asked.plus_ms(1)), asked.plus_ms(26));
        now += 20_000;
    }
    assert!(waited[..3].iter().all(|ms| *ms > 0), "{waited:?}");
    assert_eq!(waited[3..], [0, 0, 0]);
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
