//! The real binary against APIs that refuse, fail and talk nonsense.

mod running;
mod stand_in;

use running::Running;
use stand_in::{Answer, Call, PATIENCE, StandIn, now_ms};
use std::time::{Duration, Instant};

/// It still polls after whatever was done to it, says so by asking again after an INVOKE, and
/// leaves at SHUTDOWN.
fn polls_on_and_leaves(api: &StandIn, extension: &mut Running) {
    let asked = api.seen(Call::Next).len();
    api.invoke("00000000-0000-4000-8000-000000000001");
    api.wait_for(Call::Next, asked + 1);
    assert!(extension.is_running());
    api.shutdown("spindown");
    let (status, _) = extension.wait();
    assert_eq!(status.code(), Some(0), "{}", extension.stderr());
}

#[test]
fn registers_subscribes_polls_and_leaves_without_a_word() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);

    let register = &api.seen(Call::Register)[0];
    assert_eq!(register.target, "/2020-01-01/extension/register");
    assert_eq!(register.headers["lambda-extension-name"], "lambda-triage");
    assert_eq!(register.body, r#"{"events":["INVOKE","SHUTDOWN"]}"#);
    let subscribe = &api.seen(Call::Subscribe)[0];
    assert_eq!(subscribe.headers["lambda-extension-identifier"], "id-1");
    for part in [
        r#""schemaVersion":"2025-01-29""#,
        r#""types":["platform","function"]"#,
        r#""timeoutMs":25"#,
    ] {
        assert!(subscribe.body.contains(part), "{}", subscribe.body);
    }
    assert_eq!(api.seen(Call::Next)[0].headers["lambda-extension-identifier"], "id-1");

    polls_on_and_leaves(&api, &mut extension);
    assert_eq!(extension.stdout() + &extension.stderr(), "");
    assert_eq!(api.seen(Call::Other).len(), 0);
}

#[test]
fn a_refused_registration_is_the_one_early_exit_and_says_why() {
    let api = StandIn::start();
    for _ in 0..2 {
        let refusal = r#"{"errorType":"Extension.UnknownName","errorMessage":"no such file"}"#;
        api.script(Call::Register, Answer::Status(403, refusal.into()));
    }
    let mut extension = Running::start(&api, &[("TRIAGE_LOG", "off")]);
    let (status, _) = extension.wait();
    assert_eq!(status.code(), Some(1));
    extension.wait_for_stderr("refused to register the extension \"lambda-triage\": 403");
    extension.wait_for_stderr("Extension.UnknownName");
}

#[test]
fn a_registration_that_fails_for_a_moment_is_tried_again() {
    let api = StandIn::start();
    api.script(Call::Register, Answer::Status(500, String::new()));
    api.script(Call::Register, Answer::Reset);
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    assert_eq!(api.seen(Call::Register).len(), 3);
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn an_odd_answer_to_the_registration_costs_nothing() {
    for body in ["", "[]", "{\"functionName\":7}", "{\"functionName\""] {
        let api = StandIn::start();
        api.script(Call::Register, Answer::Status(200, body.into()));
        let mut extension = Running::start(&api, &[]);
        api.wait_for(Call::Next, 1);
        polls_on_and_leaves(&api, &mut extension);
    }
}

#[test]
fn where_invoke_is_refused_shutdown_alone_is_registered_for() {
    let api = StandIn::start();
    let refusal = r#"{"errorType":"Extension.InvalidEventType"}"#;
    api.script(Call::Register, Answer::Status(403, refusal.into()));
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let bodies: Vec<_> = api.seen(Call::Register).into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [r#"{"events":["INVOKE","SHUTDOWN"]}"#, r#"{"events":["SHUTDOWN"]}"#]);
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn managed_instances_are_not_asked_for_invoke() {
    let api = StandIn::start();
    let kind = ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances");
    let mut extension = Running::start(&api, &[kind]);
    api.wait_for(Call::Next, 1);
    let bodies: Vec<_> = api.seen(Call::Register).into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [r#"{"events":["SHUTDOWN"]}"#]);
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn an_older_schema_is_asked_for_when_the_newer_is_refused() {
    let api = StandIn::start();
    api.script(Call::Subscribe, Answer::Status(400, "{}".into()));
    api.script(Call::Subscribe, Answer::Status(400, "{}".into()));
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let versions: Vec<_> = api
        .seen(Call::Subscribe)
        .iter()
        .map(|seen| seen.body.chars().skip(18).take(10).collect::<String>())
        .collect();
    assert_eq!(versions, ["2025-01-29", "2022-12-13", "2022-07-01"]);
    polls_on_and_leaves(&api, &mut extension);
    assert_eq!(extension.stderr(), "");
}

#[test]
fn without_telemetry_it_says_so_once_and_goes_on() {
    for (answers, reason, asked) in [
        (vec![Answer::Status(202, "{\"errorType\":\"Telemetry.NotSupported\"}".into())], "202", 1),
        (vec![Answer::Status(400, "{}".into()); 3], "400", 3),
        (vec![Answer::Status(403, "{}".into()); 3], "403", 3),
        (vec![Answer::Status(500, "boom".into()); 2], "500", 2),
        (vec![Answer::Reset; 2], "connection", 2),
        (vec![Answer::CutShort("\"OK".into()); 2], "cannot be read", 2),
        (vec![Answer::Silence], "no answer", 1),
    ] {
        let api = StandIn::start();
        for answer in answers {
            api.script(Call::Subscribe, answer);
        }
        let mut extension = Running::start(&api, &[]);
        api.wait_for(Call::Next, 1);
        assert_eq!(api.seen(Call::Subscribe).len(), asked, "{reason}");
        polls_on_and_leaves(&api, &mut extension);
        extension.wait_for_stderr(reason);
        let told = extension.stderr();
        assert_eq!(told.matches("going on without telemetry").count(), 1, "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// Of the emulators that answer so, some deliver and some do not.
#[test]
fn a_subscription_that_is_taken_without_a_word_is_not_sure() {
    let api = StandIn::start();
    api.script(Call::Subscribe, Answer::Status(200, String::new()));
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    let timeout = r#"[{"time":"2026-03-01T12:00:00.000Z","type":"platform.report","record":{"requestId":"a","status":"timeout"}}]"#;
    assert_eq!(
        stand_in::post(api.telemetry_address(), timeout.as_bytes()).unwrap(),
        "HTTP/1.1 200 OK"
    );
    extension.wait_for_stdout(r#""problem":"timeout""#);
    polls_on_and_leaves(&api, &mut extension);
    extension.wait_for_stderr("telemetry may not come");
    assert_eq!(extension.stderr().lines().count(), 1, "{}", extension.stderr());
}

#[test]
fn one_hiccup_of_the_subscription_costs_no_telemetry() {
    for hiccup in [Answer::Status(503, "busy".into()), Answer::Reset] {
        let api = StandIn::start();
        api.script(Call::Subscribe, hiccup);
        let mut extension = Running::start(&api, &[]);
        api.wait_for(Call::Next, 1);
        assert_eq!(api.seen(Call::Subscribe).len(), 2);
        polls_on_and_leaves(&api, &mut extension);
        assert_eq!(extension.stderr(), "");
    }
}

#[test]
fn two_at_once_listen_on_two_ports() {
    let (first_api, second_api) = (StandIn::start(), StandIn::start());
    let mut first = Running::start(&first_api, &[]);
    let first_address = first_api.telemetry_address();
    let mut second = Running::start(&second_api, &[]);
    let second_address = second_api.telemetry_address();
    assert_ne!(first_address, second_address);
    for address in [first_address, second_address] {
        assert_ne!(address.port(), 9001);
        assert_eq!(stand_in::post(address, b"[]").unwrap(), "HTTP/1.1 200 OK");
    }
    polls_on_and_leaves(&first_api, &mut first);
    polls_on_and_leaves(&second_api, &mut second);
    assert_eq!(first.stderr() + &second.stderr(), "");
}

#[test]
fn a_poll_that_fails_is_made_again_for_ever_with_pauses() {
    let api = StandIn::start();
    let failures = [
        Answer::Status(500, "boom".into()),
        Answer::Status(403, "{}".into()),
        Answer::Status(204, String::new()),
        Answer::Reset,
        Answer::CutShort("{\"eventType\":".into()),
        Answer::Status(200, String::new()),
        Answer::Status(200, "not JSON".into()),
        Answer::Status(200, "[1,2]".into()),
        Answer::Status(200, "{\"eventType\":\"RESTORE\",\"requestId\":\"x\"}".into()),
        Answer::Status(200, "{\"eventType\":\"INVOKE\"}".into()),
        Answer::Status(200, "x".repeat(2 * 1024 * 1024)),
    ];
    let count = failures.len();
    for failure in failures {
        api.script(Call::Next, failure);
    }
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, count + 1);
    let polls = api.seen(Call::Next);
    let gaps: Vec<_> = polls.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // The first connection that breaks may have gone stale, and a new one is tried at once.
    let short = gaps.iter().filter(|gap| **gap < Duration::from_millis(9)).count();
    assert!(short <= 1, "it spins: {gaps:?}");
    polls_on_and_leaves(&api, &mut extension);
    extension.wait_for_stderr("asking again");
    assert_eq!(extension.stderr().lines().count(), 1, "{}", extension.stderr());
}

#[test]
fn the_pauses_between_polls_that_fail_grow() {
    let api = StandIn::start();
    for _ in 0..6 {
        api.script(Call::Next, Answer::Status(500, "boom".into()));
    }
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 7);
    let polls = api.seen(Call::Next);
    let whole = polls[6].at - polls[0].at;
    assert!(whole >= Duration::from_millis(10 + 20 + 40 + 80 + 160 + 320), "{whole:?}");
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn an_api_that_fails_does_not_stand_for_one_that_refuses_invoke() {
    let api = StandIn::start();
    for _ in 0..6 {
        api.script(Call::Register, Answer::Status(503, "busy".into()));
    }
    let mut extension = Running::start(&api, &[]);
    assert_eq!(extension.wait().0.code(), Some(1));
    assert!(extension.stderr().contains("503"), "{}", extension.stderr());
    assert!(api.seen(Call::Register).iter().all(|seen| seen.body.contains("INVOKE")));
}

#[test]
fn an_api_that_goes_away_is_polled_until_it_is_back() {
    let api = StandIn::start();
    for _ in 0..3 {
        api.script(Call::Next, Answer::Reset);
    }
    api.invoke("a");
    for _ in 0..3 {
        api.script(Call::Next, Answer::Reset);
    }
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 8);
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn every_shutdown_reason_ends_it_with_0() {
    for event in [
        r#"{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":DEADLINE}"#,
        r#"{"eventType":"SHUTDOWN","shutdownReason":"TIMEOUT","deadlineMs":DEADLINE}"#,
        r#"{"eventType":"SHUTDOWN","shutdownReason":"failure","deadlineMs":DEADLINE}"#,
        r#"{"eventType":"SHUTDOWN","shutdownReason":"ReleaseFail","deadlineMs":DEADLINE}"#,
        r#"{"eventType":"Shutdown","shutdownReason":7,"deadlineMs":"soon"}"#,
        r#"{"eventType":"SHUTDOWN","deadlineMs":0}"#,
        r#"{"eventType":"SHUTDOWN","deadlineMs":1}"#,
        r#"{"eventType":"SHUTDOWN"}"#,
    ] {
        let api = StandIn::start();
        let mut extension = Running::start(&api, &[]);
        api.wait_for(Call::Next, 1);
        api.event(event.replace("DEADLINE", &(now_ms() + 2_000).to_string()));
        let (status, _) = extension.wait();
        assert_eq!(status.code(), Some(0), "{event}");
        assert_eq!(extension.stderr(), "", "{event}");
        // It says that the environment failed, before any invocation.
        let told = extension.stdout().matches(r#""problem":"init-failure""#).count();
        assert_eq!(told, usize::from(event.contains("failure")), "{event}");
    }
}

#[test]
fn sigterm_ends_it_with_0() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    extension.sigterm();
    let (status, _) = extension.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(extension.stderr(), "");
}

#[test]
fn the_address_may_carry_a_scheme_and_a_path() {
    let api = StandIn::start();
    let address = format!("http://{}/.rt/orders", api.address);
    let mut extension = Running::start(&api, &[("AWS_LAMBDA_RUNTIME_API", &address)]);
    let asked = api.wait_for(Call::Next, 1);
    assert_eq!(asked.target, "/.rt/orders/2020-01-01/extension/event/next");
    assert_eq!(api.seen(Call::Subscribe)[0].target, "/.rt/orders/2022-07-01/telemetry");
    polls_on_and_leaves(&api, &mut extension);
}

#[test]
fn no_address_or_a_senseless_one_is_said_and_left_at_once() {
    for address in ["", "nonsense with spaces", "https://127.0.0.1:1"] {
        let api = StandIn::start();
        let mut extension = Running::start(&api, &[("AWS_LAMBDA_RUNTIME_API", address)]);
        let (status, _) = extension.wait();
        assert_eq!(status.code(), Some(1));
        extension.wait_for_stderr("AWS_LAMBDA_RUNTIME_API holds no host and port");
    }
}

#[test]
fn nonsense_in_the_configuration_is_a_warning_each_and_no_exit() {
    let api = StandIn::start();
    let names = [
        "TRIAGE_METRICS",
        "TRIAGE_NAMESPACE",
        "TRIAGE_NEAR_TIMEOUT_PERCENT",
        "TRIAGE_RECURSION_DEPTH",
        "TRIAGE_RECURSION_RATE",
        "TRIAGE_PROBE",
        "TRIAGE_DISABLE",
        "TRIAGE_FLUSH",
        "TRIAGE_LOG",
        "TRIAGE_SIGNATURES",
    ];
    let variables: Vec<_> = names.iter().map(|name| (*name, "hunter2;§")).collect();
    let mut extension = Running::start(&api, &variables);
    api.wait_for(Call::Next, 1);
    polls_on_and_leaves(&api, &mut extension);
    let told = extension.stderr();
    for name in &names[..10] {
        assert_eq!(told.matches(name).count(), 1, "{name}: {told}");
    }
    assert_eq!(told.lines().count(), 10, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn next_is_asked_for_at_once_while_all_is_well() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let begun = Instant::now();
    for n in 0..200 {
        api.invoke(&format!("r{n}"));
        api.wait_for(Call::Next, n + 2);
    }
    // Loose, for a busy machine; the bench gives the figure.
    assert!(begun.elapsed() < PATIENCE);
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(extension.stdout() + &extension.stderr(), "");
}

#[test]
fn without_descriptors_to_start_with_it_starts_when_there_are_some() {
    let api = StandIn::start();
    let mut command = running::command("sh".as_ref(), &api);
    // The three standard streams, of which the first is closed to load the program with.
    let only_the_streams = "exec prlimit --nofile=3:64 \"$0\" <&-";
    command.args(["-c", only_the_streams, running::BINARY]).env("TRIAGE_LOG", "debug");
    let mut extension = Running::of(command);
    let pid = i32::try_from(extension.child.id()).unwrap();
    let status = format!("/proc/{pid}/comm");
    let is_it = || std::fs::read_to_string(&status).is_ok_and(|name| name.starts_with("lambda-tr"));
    let begun = Instant::now();
    while !is_it() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    // Long enough for a few attempts.
    std::thread::sleep(Duration::from_millis(200));
    assert!(extension.is_running());
    assert!(api.seen(Call::Register).is_empty());
    let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    let pid = rustix::process::Pid::from_raw(pid);
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    api.wait_for(Call::Next, 1);
    // It has nothing to write with but what it had then.
    api.invoke("a");
    api.wait_for(Call::Next, 2);
    let failed = r#"[{"time":"2026-03-01T12:00:00.000Z","type":"platform.report","record":{"requestId":"a","status":"timeout"}}]"#;
    stand_in::post(api.telemetry_address(), failed.as_bytes());
    extension.wait_for_stdout(r#""problem":"timeout""#);
    extension.wait_for_stderr("DEBUG");
    polls_on_and_leaves(&api, &mut extension);
}
