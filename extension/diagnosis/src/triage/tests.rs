use super::*;
use crate::finding::View;
use crate::level::Level;
use crate::text::Text;
use crate::{FunctionLog, RuntimeDone, Status};
use std::borrow::Cow;

const BASE: Detector = Detector {
    problem: "test",
    title: "a test",
    level: Level::Error,
    metric: "Tests",
    advice: "",
    causes: &[],
    reference: "",
    outranks: &[],
    views: &[View::Function],
    signs: &[],
    knobs: &[],
    texts: &[],
    examine: |_| None,
};
static PANICS: Detector = Detector {
    problem: "panics",
    texts: &[Text::message("boom", View::Function)],
    examine: |_| panic!("a bug"),
    ..BASE
};
static CRASH: Detector = Detector {
    problem: "crash",
    examine: |case| match case.event {
        CaseEvent::RuntimeDone(_) => {
            Some(Finding::confirmed(case.at, "crashed".into()).awaiting_report())
        }
        _ => None,
    },
    ..BASE
};
static WORSE: Detector = Detector {
    problem: "worse",
    outranks: &["crash"],
    examine: |case| match case.event {
        CaseEvent::Report(report) if report.status == Status::Error => {
            Some(Finding::confirmed(case.at, "worse".into()))
        }
        _ => None,
    },
    ..BASE
};

fn triage(detectors: &[&'static Detector]) -> Triage {
    Triage::with_detectors(Settings::default(), Function::default(), detectors)
}

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

fn invoke(triage: &mut Triage, id: &str, at: u64) {
    let invoke = Invoke { request_id: id.into(), ..Invoke::default() };
    triage.handle_invoke(invoke, ms(at));
}

fn done(triage: &mut Triage, id: &str, at: u64) {
    let done = RuntimeDone { request_id: id.into(), ..RuntimeDone::default() };
    let record = Record { time: Some(ms(at)), body: RecordBody::RuntimeDone(done) };
    triage.handle_record(record, ms(at));
}

fn report(triage: &mut Triage, id: &str, status: Status, at: u64) {
    let report = crate::InvocationReport { request_id: id.into(), status, ..Default::default() };
    let record = Record { time: Some(ms(at)), body: RecordBody::Report(report) };
    triage.handle_record(record, ms(at));
}

fn problems(triage: &mut Triage, at: u64) -> Vec<&'static str> {
    std::iter::from_fn(|| triage.poll_report(ms(at))).map(|report| report.problem()).collect()
}

#[test]
fn a_detector_that_panics_costs_only_its_own_findings() {
    let mut triage = triage(&[&PANICS, &CRASH]);
    invoke(&mut triage, "a", 0);
    let text = FunctionLog::Text(Cow::Borrowed("boom"));
    triage.handle_record(Record { time: None, body: RecordBody::Function(text) }, ms(1));
    done(&mut triage, "a", 5);
    triage.finish(ms(6));
    assert_eq!(problems(&mut triage, 6), ["crash"]);
    assert_eq!(triage.poll_fault(), Some("panics"));
    assert_eq!(triage.poll_fault(), None);
}

#[test]
fn a_finding_that_awaits_the_report_gives_way_to_what_the_report_tells() {
    let mut triage = triage(&[&CRASH, &WORSE]);
    invoke(&mut triage, "a", 0);
    done(&mut triage, "a", 5);
    assert!(problems(&mut triage, 5).is_empty());
    report(&mut triage, "a", Status::Error, 20);
    assert_eq!(problems(&mut triage, 20), ["worse"]);
}

#[test]
fn it_waits_for_the_report_until_shortly_after_the_next_invoke() {
    let mut triage = triage(&[&CRASH, &WORSE]);
    invoke(&mut triage, "a", 0);
    done(&mut triage, "a", 5);
    assert_eq!(triage.poll_wake(), None, "nothing to wake for before that");
    invoke(&mut triage, "b", 60_000);
    assert!(problems(&mut triage, 60_000).is_empty());
    let wake = triage.poll_wake().unwrap();
    assert_eq!(wake, ms(60_000).plus_ms(LATE_REPORT_MS));
    assert_eq!(problems(&mut triage, 60_000 + LATE_REPORT_MS), ["crash"]);
    report(&mut triage, "a", Status::Success, 61_000);
    assert!(problems(&mut triage, 61_000).is_empty());
}

#[test]
fn it_does_not_outlast_the_sandbox() {
    let mut triage = triage(&[&CRASH]);
    invoke(&mut triage, "a", 0);
    done(&mut triage, "a", 5);
    triage.handle_shutdown(&Shutdown { reason: "SPINDOWN".into() }, ms(10));
    assert!(problems(&mut triage, 10).is_empty(), "the report may still come");
    triage.finish(ms(50));
    assert_eq!(problems(&mut triage, 50), ["crash"]);
}

#[test]
fn the_end_of_an_invocation_is_awaited_until_it_is_told() {
    let mut triage = triage(&[]);
    assert!(!triage.awaits_ends(), "there was none");
    invoke(&mut triage, "a", 1_000);
    assert!(triage.awaits_ends());
    invoke(&mut triage, "b", 2_000);
    done(&mut triage, "b", 2_100);
    assert!(!triage.awaits_ends(), "of an earlier one nothing comes any more");
    invoke(&mut triage, "c", 3_000);
    report(&mut triage, "c", Status::Success, 3_100);
    assert!(!triage.awaits_ends());
}

#[test]
fn a_disabled_problem_is_not_looked_for() {
    let settings = Settings { disabled: vec!["crash".into()], ..Settings::default() };
    let mut triage = Triage::with_detectors(settings, Function::default(), &[&CRASH]);
    invoke(&mut triage, "a", 0);
    done(&mut triage, "a", 5);
    triage.finish(ms(10));
    assert!(problems(&mut triage, 10).is_empty());
}

#[test]
fn the_timeout_is_the_longest_time_an_invocation_had() {
    let mut triage = triage(&[]);
    for (until_deadline_ms, timeout_ms) in [
        (0, None),
        (899_500_000, None),
        (1_200, Some(2_000)),
        (2_998, Some(3_000)),
        (1_500, Some(3_000)),
    ] {
        triage.learn_timeout(until_deadline_ms);
        assert_eq!(triage.timeout_ms, timeout_ms);
    }
}

#[test]
fn an_invocation_that_an_initialization_cut_short_does_not_tell_the_timeout() {
    for init_is_read_first in [true, false] {
        let mut triage = triage(&[]);
        let init = crate::InitStart { is_within_invocation: true };
        let init = || Record { time: None, body: RecordBody::InitStart(init.clone()) };
        let invoke = |until_ms| Invoke { deadline: Some(ms(until_ms)), ..Invoke::default() };
        if init_is_read_first {
            triage.handle_record(init(), ms(0));
        }
        triage.handle_invoke(invoke(1_200), ms(0));
        if !init_is_read_first {
            triage.handle_record(init(), ms(1));
        }
        assert_eq!(triage.timeout_ms, None);
        triage.handle_invoke(invoke(12_990), ms(10_000));
        assert_eq!(triage.timeout_ms, Some(3_000));
    }
}

#[test]
fn what_belongs_to_no_invocation_is_bounded_while_nobody_fetches() {
    static LOST: Detector = Detector {
        problem: "lost",
        examine: |case| match case.event {
            CaseEvent::TelemetryLost(_) => Some(Finding::confirmed(case.at, "lost".into())),
            _ => None,
        },
        ..BASE
    };
    let mut triage = triage(&[&LOST]);
    for at in 0..10_000 {
        triage.handle_dropped(Dropped::default(), ms(at));
        assert!(triage.unplaced.len() <= MAX_READY && triage.ready.len() <= MAX_READY);
    }
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut triage = triage(&[&CRASH]);
    invoke(&mut triage, "a", 3_600_000);
    done(&mut triage, "a", 3_600_005);
    invoke(&mut triage, "b", 3_600_010);
    assert_eq!(problems(&mut triage, 0), ["crash"]);
}

#[test]
fn what_explains_another_does_so_without_an_invocation_too() {
    let mut triage = Triage::new(Settings::default(), Function::default());
    let text = "EFSMountTimeoutException: The function could not mount the EFS file system with \
                access point x due to mount time out";
    let body = RecordBody::Function(FunctionLog::Text(Cow::Borrowed(text)));
    triage.handle_record(Record { time: Some(ms(5)), body }, ms(5));
    let lines: Vec<_> = std::iter::from_fn(|| triage.poll_report(ms(6))).collect();
    let lines: Vec<_> = lines.iter().map(|report| report.to_line(true)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("efs-mount-timeout"), "{lines:?}");
}

#[test]
fn a_late_report_of_an_invocation_before_the_environment_is_not_told_again() {
    for concurrent in [false, true] {
        let function = Function { concurrent, ..Function::default() };
        let mut triage = Triage::new(Settings::default(), function);
        invoke(&mut triage, "b", 0);
        let report = crate::InvocationReport {
            request_id: "a".into(),
            status: Status::Timeout,
            ..crate::InvocationReport::default()
        };
        let record = Record { time: Some(ms(19)), body: RecordBody::Report(report) };
        triage.handle_record(record, ms(20));
        triage.finish(ms(30));
        // Where several run at once, nothing else tells of a timeout.
        assert_eq!(triage.poll_report(ms(30)).is_some(), concurrent);
    }
}
