//! What goes wrong between the extension and the API: nothing is lost, no invocation waits.

use crate::ministack::ministack;
use crate::proxy::{Fault, Proxy};
use crate::runs::{Run, Tally, config, end, expected, problems, to, together, trouble, until_sent};
use lambda_sandbox::{InitializationType, Invocation, Sandbox, Status};
use serde_json::json;
use std::time::Duration;

/// What arrived, and what the extension left.
struct Played {
    arrived: Tally,
    run: Run,
    requests: usize,
    expected: Tally,
}

/// Plays the same trouble as without a fault; None where there is no server.
async fn play(name: &str, script: &[Fault]) -> Option<Played> {
    play_in(format!("Triage/{name}"), script).await
}

/// The same, in a few tries if it must be, where all is to arrive.
async fn assert_sent(name: &str, script: &[Fault]) -> Option<Played> {
    for n in 1..=3 {
        let played = play_in(format!("Triage/{name}{n}"), script).await?;
        if n == 3 || played.run.said.is_empty() {
            played.assert_sent();
            return Some(played);
        }
    }
    None
}

async fn play_in(namespace: String, script: &[Fault]) -> Option<Played> {
    let ministack = ministack()?;
    let proxy = Proxy::start(ministack.address, script);
    let sandbox = Sandbox::start(config(&namespace, &to(&proxy.url()))).await.unwrap();
    trouble(&sandbox, 2).await;
    let run = end(&sandbox, &namespace).await;
    let expected = expected(&namespace, 2).await;
    assert!(run.diagnoses() >= 4, "{:#?}", run.lines);
    // Lambda gives it two seconds; it takes no more than it has for itself.
    assert!(run.leaving < Duration::from_millis(1_900), "{:?}", run.leaving);
    assert!(run.said.len() <= 1, "{:?}", run.said);
    let requests = proxy.seen();
    Some(Played { arrived: ministack.read(&namespace), run, requests, expected })
}

impl Played {
    /// All arrived through the API.
    fn assert_sent(&self) {
        assert_eq!(self.arrived, self.expected);
        assert!(self.run.embedded.is_empty(), "{:?}", self.run.embedded);
        assert_eq!(self.run.said, Vec::<String>::new());
    }

    /// All are in the lines, and why is said once.
    fn assert_written(&self, why: &str) {
        assert!(self.arrived.is_empty(), "{:?}", self.arrived);
        assert_eq!(self.run.embedded, self.expected);
        let [said] = &self.run.said[..] else { panic!("{:?}", self.run.said) };
        assert!(
            said.contains("metrics are written to the log instead") && said.contains(why),
            "{said}"
        );
    }

    /// All are somewhere, and no more than what one request held is in both places.
    fn assert_at_most_one_request_twice(&self) {
        let all = together(&self.arrived, &self.run.embedded);
        for (key, wanted) in &self.expected {
            let found = all.get(key).unwrap_or_else(|| panic!("{key:?} is lost: {all:#?}"));
            assert!(found.samples >= wanted.samples, "{key:?}: {found:?} of {wanted:?}");
            let twice = self.arrived.get(key).map_or(0.0, |counted| counted.samples);
            assert!(found.samples <= wanted.samples + twice, "{key:?}: {found:?} of {wanted:?}");
        }
        assert_eq!(all.len(), self.expected.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_of_throttling_is_waited_out() {
    for (name, fault) in [
        ("Throttled", Fault::Error(400, "ThrottlingException")),
        ("Busy", Fault::Error(503, "ServiceUnavailable")),
    ] {
        assert_sent(name, &[fault, Fault::None]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_and_again_is_in_the_lines() {
    for (name, fault, why) in [
        ("AlwaysThrottled", Fault::Error(400, "ThrottlingException"), "ThrottlingException"),
        ("AlwaysFailing", Fault::Error(500, "InternalServiceFault"), "InternalServiceFault"),
        ("Expired", Fault::Error(403, "ExpiredTokenException"), "the credentials have expired"),
        ("Denied", Fault::Error(403, "AccessDenied"), "needs cloudwatch:PutMetricData"),
    ] {
        let Some(played) = play(name, &[fault]).await else { return };
        played.assert_written(why);
        assert!((1..=2).contains(&played.requests), "it is let alone: {}", played.requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_set_right_by_the_answer() {
    for (name, ahead_s) in [("Behind", 7_200), ("Ahead", -7_200)] {
        let Some(played) = play(name, &[Fault::Clock(ahead_s)]).await else { return };
        // It takes two tries, for which a busy machine may have no time in the last moments.
        played.assert_at_most_one_request_twice();
        assert!(problems(&played.arrived) >= 1.0, "{:?}", played.run.said);
    }
}

/// With SnapStart they may be renewed before the time that came with them, or this clock may be off.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_taken_no_more_are_asked_for_anew() {
    let Some(ministack) = ministack() else { return };
    let (run, arrived) = until_sent("Renewed", async |namespace| {
        let script = [Fault::Error(403, "ExpiredTokenException"), Fault::None];
        let proxy = Proxy::start(ministack.address, &script);
        let mut config = config(&namespace, &to(&proxy.url()));
        config.function.initialization_type = InitializationType::SnapStart;
        let sandbox = Sandbox::start(config).await.unwrap();
        trouble(&sandbox, 1).await;
        (end(&sandbox, &namespace).await, ministack.read(&namespace))
    })
    .await;
    assert_eq!(run.said, Vec::<String>::new());
    assert_eq!(problems(&arrived), 2.0);
    assert!(run.embedded.is_empty(), "{:?}", run.embedded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_before_the_answer_counts_as_not_taken() {
    let Some(played) = play("Reset", &[Fault::Reset]).await else { return };
    played.assert_written("the connection broke");
    assert_eq!(played.requests, 1, "it may have been taken, so it is not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_without_an_answer_counts_twice_and_no_other() {
    let Some(played) = play("AnswerLost", &[Fault::AnswerLost, Fault::None]).await else { return };
    played.assert_at_most_one_request_twice();
    assert!(problems(&played.arrived) >= 1.0);
    assert_eq!(played.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_or_never_delays_nothing() {
    let late = Fault::Late(Duration::from_secs(5));
    let Some(played) = play("Late", &[late, Fault::None]).await else { return };
    played.assert_at_most_one_request_twice();
    let Some(played) = play("Silence", &[Fault::Silence]).await else { return };
    played.assert_written("has not answered");
}

/// The answer waits for the thaw, at which every timer is over.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_the_sandbox_is_frozen_counts() {
    let Some(ministack) = ministack() else { return };
    for frozen in [2_800, 4_500].map(Duration::from_millis) {
        let (run, arrived) = until_sent(&format!("Frozen{frozen:?}"), async |namespace| {
            let late = Fault::Late(Duration::from_secs(1));
            let proxy = Proxy::start(ministack.address, &[late, Fault::None]);
            let sandbox = Sandbox::start(config(&namespace, &to(&proxy.url()))).await.unwrap();
            trouble(&sandbox, 1).await;
            tokio::time::sleep(frozen).await;
            trouble(&sandbox, 1).await;
            (end(&sandbox, &namespace).await, ministack.read(&namespace))
        })
        .await;
        assert_eq!(run.said, Vec::<String>::new());
        assert!(run.embedded.is_empty(), "{:?}", run.embedded);
        assert_eq!(problems(&arrived), 4.0);
    }
}

/// As after a freeze: no connection is trusted to be alive still.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_has_died_without_a_word_is_not_used_again() {
    let Some(played) = assert_sent("Stale", &[Fault::LastAnswer]).await else { return };
    assert!(played.requests >= 2, "there was but one request");
}

/// What is left of the two seconds is for lines.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_the_last_moments_is_in_the_lines_where_no_answer_comes() {
    let namespace = "Triage/LastSilence";
    // Nothing is passed on.
    let proxy = Proxy::start(([127, 0, 0, 1], 1).into(), &[Fault::Silence]);
    let mut config = config(namespace, &to(&proxy.url()));
    config.function.timeout = Duration::from_secs(1);
    let sandbox = Sandbox::start(config).await.unwrap();
    let hangs = Invocation::new(json!({ "steps": [{ "sleep_ms": 60_000 }] }).to_string());
    assert_eq!(sandbox.invoke(hangs).await.unwrap().status, Status::Timeout);
    let run = end(&sandbox, namespace).await;
    assert_eq!(problems(&run.embedded), 1.0);
    assert_eq!(run.embedded[&("Timeouts".to_owned(), String::new())].sum, 1.0);
    assert_eq!(proxy.seen(), 1);
    assert!(run.leaving < Duration::from_millis(1_900), "{:?}", run.leaving);
}

/// Nobody answers to SYN, as in a VPC without a NAT gateway.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_never_made_costs_nothing() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&loopback.into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // With its queue full, the system leaves further SYNs without an answer.
    let moment = Duration::from_millis(200);
    let connect = || std::net::TcpStream::connect_timeout(&address, moment);
    let queued: Vec<_> = std::iter::from_fn(|| connect().ok()).take(100).collect();
    assert!(queued.len() < 100, "the queue has no end");
    assert_costs_nothing("Triage/NoAnswer", &format!("http://{address}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_where_nobody_listens_costs_nothing() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_costs_nothing("Triage/Nobody", &format!("http://{nobody}")).await;
}

async fn assert_costs_nothing(namespace: &str, url: &str) {
    let sandbox = Sandbox::start(config(namespace, &to(url))).await.unwrap();
    trouble(&sandbox, 2).await;
    let run = end(&sandbox, namespace).await;
    assert_eq!(run.embedded, expected(namespace, 2).await);
    let [said] = &run.said[..] else { panic!("{:?}", run.said) };
    assert!(said.contains("no connection to 127.0.0.1"), "{said}");
    assert!(run.leaving < Duration::from_millis(1_900), "{:?}", run.leaving);
}
