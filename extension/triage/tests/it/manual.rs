//! `explain` and `list`.

use crate::program::run;
use triage_diagnosis::detectors;

#[test]
fn explains_each_problem_and_lists_all() {
    let list = run(&["list"], b"").stdout;
    for detector in detectors() {
        let ran = run(&["explain", detector.problem], b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for part in [detector.title, detector.metric, detector.reference, "What to do"] {
            assert!(ran.stdout.contains(part), "{}: no {part}", detector.problem);
        }
        for knob in detector.knobs {
            assert!(ran.stdout.contains(knob.variable), "{}", detector.problem);
        }
        let line = list.lines().find(|line| line.split(' ').next() == Some(detector.problem));
        let line = line.unwrap_or_else(|| panic!("{}: not listed", detector.problem));
        assert!(line.contains(detector.metric) && line.contains(detector.title), "{line}");
    }
    assert_eq!(list.lines().count(), detectors().len() + 1);
    assert!(!list.contains('\x1b'), "no colour but on a terminal");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let ran = run(&["explain", "kms-disable"], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("kms-disabled"), "{}", ran.stderr);
    let ran = run(&["explain", "xyzzy"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("triage list"), "{}", ran.stderr);
}

#[test]
fn bad_usage_ends_with_two() {
    for arguments in [
        &[][..],
        &["replay", "--format=xml"],
        &["replay", "--disable=no-such-problem"],
        &["replay", "--recursion-rate=1/0"],
        &["replay", "--timeout=0"],
        &["replay", "/no/such/file"],
        &["replay", "/"],
    ] {
        let ran = run(arguments, b"");
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn explains_the_users_own_problems() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/signatures.toml");
    let ran = run(&["explain", "custom:payment-declined", "--signatures", file], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in ["the payment provider declined", "CustomProblems", "do_not_honor", "https://"] {
        assert!(ran.stdout.contains(part), "no {part} in {}", ran.stdout);
    }
    for (arguments, said) in [
        (&["explain", "custom:payment-declined"][..], "--signatures FILE"),
        (&["explain", "custom:none", "--signatures", file], "custom:payment-declined"),
        (&["explain", "custom:none", "--signatures", "/no/such/file"], "/no/such/file"),
        (&["explain", "custom:"], "triage list"),
    ] {
        let ran = run(arguments, b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
}
