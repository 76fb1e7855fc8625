//! The real binary after a snapshot of it was restored: the poll that was under way then may wait
//! on a connection that is dead.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod running;
mod stand_in;

use running::Running;
use stand_in::{Answer, Call, PATIENCE, StandIn};
use std::time::{Duration, Instant};

const SNAP_START: (&str, &str) = ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");

fn leaves_without_a_word(api: &StandIn, mut extension: Running) {
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(extension.stdout() + &extension.stderr(), "");
}

/// Whether the connection to the API is probed: which of a connection's timers runs while nothing
/// is sent.
fn is_probed(api: &StandIn) -> bool {
    const NONE: &str = "00";
    const RESENDING: &str = "01";
    const PROBING: &str = "02";
    let to = format!("0100007F:{:04X}", api.address.port());
    let begun = Instant::now();
    loop {
        let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let is_ours = |fields: &[&str]| fields[2] == to && fields[3] == "01";
        let mut ours = connections
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| is_ours(fields))
            .map(|fields| fields[5][..2].to_owned());
        match ours.next().as_deref() {
            Some(NONE) => return false,
            Some(PROBING) => return true,
            // The request has not been confirmed yet.
            Some(RESENDING) | None => assert!(begun.elapsed() < PATIENCE),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_the_other_end_is_gone_without_a_word_the_next_event_is_asked_for_again() {
    let api = StandIn::start();
    api.script(Call::Next, Answer::Deaf);
    api.invoke("a");
    let extension = Running::start(&api, &[SNAP_START]);
    let asked = api.wait_for(Call::Next, 1).at;
    let again = api.wait_for(Call::Next, 2).at;
    // Not before three probes, a second each, could have been answered.
    assert!(again - asked > Duration::from_secs(3), "{:?}", again - asked);
    api.wait_for(Call::Next, 3);
    leaves_without_a_word(&api, extension);
}

/// However long the event takes: the system at the other end answers for it.
#[test]
fn a_connection_that_lives_is_waited_on_for_ever() {
    let api = StandIn::start();
    let extension = Running::start(&api, &[SNAP_START]);
    api.wait_for(Call::Next, 1);
    assert!(is_probed(&api));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        // What is waited for is that nothing happens.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(api.seen(Call::Next).len(), 1);
    }
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    leaves_without_a_word(&api, extension);
}

/// An other end that answers no probe at all loses one poll to them, not one after the other.
#[test]
fn after_one_that_was_given_up_no_other_is_probed() {
    let api = StandIn::start();
    api.script(Call::Next, Answer::Deaf);
    let extension = Running::start(&api, &[SNAP_START]);
    api.wait_for(Call::Next, 2);
    assert!(!is_probed(&api));
    leaves_without_a_word(&api, extension);
}

#[test]
fn where_there_is_no_snapshot_nothing_is_probed() {
    for kind in ["on-demand", "provisioned-concurrency", "lambda-managed-instances", ""] {
        let api = StandIn::start();
        let extension = Running::start(&api, &[("AWS_LAMBDA_INITIALIZATION_TYPE", kind)]);
        api.wait_for(Call::Next, 1);
        assert!(!is_probed(&api), "{kind}");
        leaves_without_a_word(&api, extension);
    }
}

/// Before the snapshot is taken, and while it is, nothing is made that would have to differ in what
/// is restored from it: every one of many processes asks for the same, but for what it is given.
#[test]
fn two_processes_say_the_same_up_to_the_first_event() {
    let said = || {
        let api = StandIn::start();
        let extension = Running::start(&api, &[SNAP_START]);
        api.wait_for(Call::Next, 1);
        let port = api.telemetry_address().port().to_string();
        let host = api.address.to_string();
        let calls = [Call::Register, Call::Subscribe, Call::Next].map(|call| {
            let seen = api.seen(call).remove(0);
            let mut headers: Vec<_> = seen.headers.into_iter().collect();
            headers.sort();
            format!("{} {headers:?} {}", seen.target, seen.body)
                .replace(&host, "")
                .replace(&port, "")
        });
        leaves_without_a_word(&api, extension);
        calls
    };
    assert_eq!(said(), said());
}
