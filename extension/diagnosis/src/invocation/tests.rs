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
    assert_eq!(attempts.place_log(None, ms(3)), Some(0), "read late by the platform");
    done(&mut attempts, "a", 1);
    start(&mut attempts, "b", 1);
    assert_eq!(attempts.place_log(None, ms(1)), Some(1));
}

#[test]
fn where_the_initialization_is_a_part_of_the_first_its_beginning_may_never_be_read() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 0);
    invoke(&mut attempts, "b", 5);
    assert_eq!(attempts.place_log(None, ms(5)), Some(1), "nothing tells how far it was read");
    attempts.adopt_init(0);
    assert_eq!(attempts.place_log(None, ms(5)), Some(0));
}

#[test]
fn a_log_line_between_two_attempts_belongs_to_the_nearer() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 0);
    done(&mut attempts, "a", 50);
    invoke(&mut attempts, "b", 80);
    assert_eq!(attempts.place_log(None, ms(52)), Some(0), "its last words, read late");
    assert_eq!(attempts.place_log(None, ms(78)), Some(1), "INVOKE was read late");
    start(&mut attempts, "b", 79);
    assert_eq!(attempts.place_log(None, ms(78)), Some(0), "before the next one began");
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
        let start =
            Start { request_id: id.clone(), trace_header: header("Root=1-b"), function_arn: None };
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

#[test]
fn a_late_report_of_an_invocation_before_the_environment_takes_no_lines() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "b", 0);
    start(&mut attempts, "b", 0);
    done(&mut attempts, "b", 20);
    let index = attempts.place_end(End::Report, "a", ms(19)).unwrap();
    attempts.get_mut(index).unwrap().report =
        Some(Timed { at: ms(19), record: InvocationReport::default() });
    invoke(&mut attempts, "c", 30);
    for (at, of) in [(5, 0), (19, 0), (20, 0), (35, 2)] {
        assert_eq!(attempts.place_log(None, ms(at)), Some(of), "{at}");
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_second_attempt_and_no_earlier_one_the_newest() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 900_000);
    assert_eq!(start(&mut attempts, "a", 900_000), Some(0));
    assert_eq!(done(&mut attempts, "a", 10), Some(0), "set back while it ran");
    invoke(&mut attempts, "b", 600_000);
    assert_eq!(start(&mut attempts, "b", 20), Some(1), "set back after INVOKE");
    assert_eq!(attempts.newest(), Some(1));
    start(&mut attempts, "c", 700_000);
    assert_eq!(attempts.newest(), Some(2), "its INVOKE could not be read");
}

#[test]
fn a_beginning_that_is_read_after_an_end_that_the_clock_put_before_it_is_no_second_attempt() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 900_001);
    assert_eq!(done(&mut attempts, "a", 10), Some(0), "set back while it ran");
    invoke(&mut attempts, "b", 20);
    assert_eq!(start(&mut attempts, "a", 900_000), Some(0));
    assert_eq!(attempts.newest(), Some(1));
}

#[test]
fn one_whose_invoke_could_not_be_read_is_the_newest_though_the_clock_was_set_back_before() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 900_000);
    start(&mut attempts, "a", 900_000);
    assert_eq!(done(&mut attempts, "a", 10), Some(0), "set back while it ran");
    start(&mut attempts, "b", 20);
    assert_eq!(attempts.newest(), Some(1));
}

#[test]
fn a_line_that_names_its_invocation_is_its_own_whatever_the_clock_says() {
    let mut attempts = Attempts::new(false);
    invoke(&mut attempts, "a", 0);
    invoke(&mut attempts, "b", 60_000);
    start(&mut attempts, "b", 60_000);
    assert_eq!(attempts.place_log(Some("b"), ms(10)), Some(1));
}
