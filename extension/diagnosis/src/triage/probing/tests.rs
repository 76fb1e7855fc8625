use super::*;
use crate::input::{Function, Invoke, Shutdown};
use crate::record::{InvocationReport, Record, RecordBody, RuntimeDone, Status};
use crate::snapshot::{Look, Process, Thread};
use crate::{Report, Settings};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

fn triage(memory_size_mb: Option<u64>) -> Triage {
    let function = Function { memory_size_mb, ..Function::default() };
    Triage::new(Settings::default(), function)
}

/// Invoked at 0 with that timeout.
fn invoked(timeout_ms: u64) -> Triage {
    let mut triage = triage(None);
    invoke(&mut triage, "a", 0, timeout_ms);
    triage
}

fn invoke(triage: &mut Triage, id: &str, now: u64, timeout_ms: u64) {
    let deadline = Some(at(now + timeout_ms));
    let invoke = Invoke { request_id: id.into(), deadline, ..Invoke::default() };
    triage.handle_invoke(invoke, at(now));
}

fn done(triage: &mut Triage, id: &str, status: Status, now: u64) {
    let duration_ms = Some(now as f64);
    let done = RuntimeDone { request_id: id.into(), status, duration_ms, ..Default::default() };
    let record = Record { time: Some(at(now)), body: RecordBody::RuntimeDone(done) };
    triage.handle_record(record, at(now));
}

fn order(triage: &Triage, now: u64) -> Option<u64> {
    let order = triage.poll_probe(at(now))?;
    Some(order.at.ms_since(at(0)))
}

fn snapshot() -> Snapshot {
    let thread = Thread { tid: 20, name: "python".into(), state: 'S', ..Thread::default() };
    let process =
        Process { pid: 20, name: "python".into(), threads: vec![thread], ..Process::default() };
    Snapshot {
        looks: vec![Look { processes: vec![process], ..Look::default() }],
        ..Snapshot::default()
    }
}

fn told(triage: &mut Triage, now: u64) -> Vec<(String, bool)> {
    let reports = std::iter::from_fn(|| triage.poll_report(at(now)));
    reports.map(|report: Report| (report.problem().to_owned(), report.is_problem())).collect()
}

fn is(problem: &str, has_happened: bool) -> Vec<(String, bool)> {
    vec![(problem.to_owned(), has_happened)]
}

#[test]
fn the_margin_grows_with_the_timeout_between_its_least_and_its_most() {
    for (timeout_ms, margin_ms) in
        [(1_000, 150), (3_000, 150), (10_000, 300), (60_000, 1_800), (900_000, 2_000)]
    {
        assert_eq!(order(&invoked(timeout_ms), 0), Some(timeout_ms - margin_ms), "{timeout_ms}");
    }
    let mut small = triage(Some(128));
    invoke(&mut small, "a", 0, 3_000);
    assert_eq!(order(&small, 0), Some(2_750));
}

#[test]
fn where_little_is_left_from_the_beginning_half_of_it_is_the_margin() {
    let mut triage = invoked(3_000);
    invoke(&mut triage, "b", 5_000, 100);
    assert_eq!(order(&triage, 5_000), Some(5_050));
}

#[test]
fn without_a_deadline_and_after_it_nothing_is_wanted() {
    let mut triage = invoked(3_000);
    assert_eq!(order(&triage, 2_999), Some(2_850));
    assert_eq!(order(&triage, 3_000), None);
    assert_eq!(order(&triage, 3_000_000), None);
    triage.handle_invoke(Invoke { request_id: "b".into(), ..Invoke::default() }, at(5_000));
    assert_eq!(order(&triage, 5_000), None);
    let far = Invoke {
        request_id: "c".into(),
        deadline: Some(Timestamp::from_ms(u64::MAX)),
        ..Invoke::default()
    };
    triage.handle_invoke(far, at(6_000));
    assert!(triage.poll_probe(at(6_000)).is_some_and(|order| order.at > at(1_000_000_000)));
}

#[test]
fn of_an_invocation_that_is_over_nothing_is_wanted() {
    let mut ended = invoked(3_000);
    assert!(ended.is_running("a") && !ended.is_running("b"));
    done(&mut ended, "a", Status::Success, 100);
    assert_eq!((order(&ended, 200), ended.is_running("a")), (None, false));

    let mut next = invoked(3_000);
    invoke(&mut next, "b", 1_000, 3_000);
    assert_eq!((order(&next, 1_000), next.is_running("a")), (Some(3_850), false));

    let mut shut_down = invoked(3_000);
    shut_down.handle_shutdown(&Shutdown { reason: "spindown".into() }, at(100));
    assert_eq!((order(&shut_down, 200), shut_down.is_running("a")), (None, false));
}

#[test]
fn where_several_run_at_once_nothing_is_wanted() {
    let function = Function { concurrent: true, ..Function::default() };
    let mut triage = Triage::new(Settings::default(), function);
    invoke(&mut triage, "a", 0, 3_000);
    assert_eq!((order(&triage, 0), triage.is_running("a")), (None, false));
}

#[test]
fn the_first_snapshot_is_told_once_and_the_timeout_after_it() {
    let mut triage = invoked(3_000);
    triage.handle_snapshot("a", &snapshot(), at(2_860));
    assert_eq!(told(&mut triage, 2_860), is("timeout", false));
    assert_eq!(order(&triage, 2_870), None, "it was answered");
    triage.handle_snapshot("a", &snapshot(), at(2_900));
    assert_eq!(told(&mut triage, 2_900), []);
    done(&mut triage, "a", Status::Timeout, 3_001);
    assert_eq!(told(&mut triage, 3_001), is("timeout", true));
}

#[test]
fn one_that_ends_after_all_is_a_near_timeout_unless_those_are_turned_off() {
    for (ended_ms, percent, is_near) in
        [(860, 90, true), (860, 0, false), (490, 90, false), (900, 90, true)]
    {
        let settings = Settings { near_timeout_percent: percent, ..Settings::default() };
        let mut triage = Triage::new(settings, Function::default());
        invoke(&mut triage, "a", 0, 1_000);
        triage.handle_snapshot("a", &snapshot(), at(480));
        assert_eq!(told(&mut triage, 480), is("timeout", false));
        done(&mut triage, "a", Status::Success, ended_ms);
        let (request_id, status) = ("a".into(), Status::Success);
        let report = InvocationReport { request_id, status, ..Default::default() };
        let record = Record { time: Some(at(ended_ms)), body: RecordBody::Report(report) };
        triage.handle_record(record, at(ended_ms));
        let expected = if is_near { is("near-timeout", true) } else { Vec::new() };
        assert_eq!(told(&mut triage, ended_ms), expected, "{ended_ms} {percent}");
    }
}

#[test]
fn one_that_had_little_time_from_its_beginning_is_none() {
    let mut triage = invoked(1_000);
    invoke(&mut triage, "b", 5_000, 100);
    triage.handle_snapshot("b", &snapshot(), at(5_055));
    assert_eq!(told(&mut triage, 5_055), is("timeout", false));
    let done = RuntimeDone {
        request_id: "b".into(),
        status: Status::Success,
        duration_ms: Some(63.0),
        ..Default::default()
    };
    let record = Record { time: Some(at(5_063)), body: RecordBody::RuntimeDone(done) };
    triage.handle_record(record, at(5_063));
    triage.finish(at(6_000));
    assert_eq!(told(&mut triage, 6_000), []);
}

#[test]
fn a_snapshot_that_comes_too_late_says_nothing() {
    let mut ended = invoked(3_000);
    done(&mut ended, "a", Status::Success, 2_000);
    ended.handle_snapshot("a", &snapshot(), at(2_860));
    assert_eq!(told(&mut ended, 2_860), []);

    let mut other = invoked(3_000);
    other.handle_snapshot("b", &snapshot(), at(2_860));
    assert_eq!(told(&mut other, 2_860), []);

    let mut thawed = invoked(3_000);
    thawed.handle_snapshot("a", &snapshot(), at(60_000));
    assert_eq!(told(&mut thawed, 60_000), [], "it is not about to happen any more");
}
