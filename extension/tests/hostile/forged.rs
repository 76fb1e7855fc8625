//! Records that the function makes up: what they say is forged, and so is how much they say.

use super::*;

/// Whatever may stand in a record: ids, words and trees as long as a delivery may be.
fn forged_records(n: usize) -> Vec<String> {
    let (at, long) = (time(now_ms()), format!("{n}-{}", "x".repeat(400_000)));
    let platform = |kind: &str, record: String| {
        format!(r#"[{{"time":"{at}","type":"platform.{kind}","record":{record}}}]"#)
    };
    let tree = |open: &str, close: &str| {
        let inner = open.trim_end_matches('[');
        format!(
            "[{}{}]",
            format!("{inner}{close},").repeat(900_000 / (inner.len() + close.len() + 1)),
            "0"
        )
    };
    let bomb = tree(r#"{"":"#, "0}");
    let many = (0..2_000).map(|m| {
        let id = format!("forged-{n}-{m}");
        let record = |kind: &str, rest: &str| {
            format!(r#"{{"time":"{at}","type":"platform.{kind}","record":{{"requestId":"{id}"{rest}}}}}"#)
        };
        [
            record("start", r#","tracing":{"value":"Root=1-a;Lineage=1:a87bd80c:0"}"#),
            record("runtimeDone", r#","status":"success","metrics":{"durationMs":1e300}"#),
            record("report", r#","status":"success""#),
        ]
        .join(",")
    });
    let many = format!("[{}]", many.collect::<Vec<_>>().join(","));
    let mut forged = vec![
        platform(
            "runtimeDone",
            format!(r#"{{"requestId":"{long}","status":"success","errorType":"{long}"}}"#),
        ),
        platform(
            "report",
            format!(r#"{{"requestId":"{n}","status":"success","errorType":"{long}{long}"}}"#),
        ),
        platform(
            "start",
            format!(
                r#"{{"requestId":"{n}","functionArn":"{long}","tracing":{{"value":"Root={long}"}}}}"#
            ),
        ),
        platform("logsDropped", format!(r#"{{"reason":"{long}"}}"#)),
        platform("runtimeDone", format!(r#"{{"requestId":"{n}","x":{bomb}}}"#)),
        platform(
            "report",
            format!(r#"{{"requestId":"{n}","metrics":{bomb},"tracing":{bomb}}}"#)[..900_000]
                .to_owned(),
        ),
        format!(
            r#"[{{"time":"{at}","type":"function","record":{{"level":"INFO","x":"KMSDisabledException: {n}","y":{bomb}}}}}]"#
        ),
        format!(r#"[{{"time":"{at}","type":"function","record":{}}}]"#, r#"{"a":"#.repeat(100_000)),
    ];
    // Not always: it makes the extension forget what was forged before.
    if n % 50 == 49 {
        forged.push(many);
    }
    forged
}

/// Records that the function forges, as fast as they are taken. It may hide its own problems by that,
/// as it may by saying nothing; it may take nothing else.
#[test]
fn forged_records_without_end() {
    let forged = AtomicUsize::new(0);
    let outcome = under(
        |to, goes_on| {
            let Some(mut stream) = connect(to) else { return };
            for record in forged_records(forged.fetch_add(1, Ordering::Relaxed)) {
                let goes_on = goes_on.load(Ordering::Relaxed);
                if !goes_on || post_on(&mut stream, record.as_bytes()).is_none() {
                    return;
                }
            }
        },
        1,
    );
    let timeouts = total(&outcome.lines, "Timeouts");
    let left_out = total(&outcome.lines, "TelemetryDropped");
    assert!((2.0..=(ROUNDS + 2) as f64).contains(&timeouts), "{timeouts}");
    assert!(timeouts == (ROUNDS + 2) as f64 || left_out > 0.0, "{timeouts}, {left_out}");
    assert!(outcome.lines.contains("\"after\""));
    assert!(outcome.idle_ms < 100, "{} ms of CPU in a second of rest", outcome.idle_ms);
}

/// Of the longest ids and words only as much is kept as Lambda's own have.
#[test]
fn what_is_kept_of_forged_records_is_little() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[]);
    api.wait_for(Call::Next, 1);
    let pid = extension.child.id();
    let most_bytes = (status_kib(pid, "VmSize:") + MEMORY_MIB * 1024) * 1024;
    extension.limit(&format!("--as={most_bytes}"));
    let mut stream = connect(api.telemetry_address()).unwrap();
    for n in 0..60 {
        for record in forged_records(n).iter().take(4) {
            assert!(post_on(&mut stream, record.as_bytes()).is_some(), "it died");
        }
        extension.wait_until_idle();
    }
    assert!(extension.is_running());
}

/// In `end` mode, which waits for runtimeDone, the wait has caps that no forged record moves: the
/// invocation's deadline, and once in vain is never again.
#[test]
fn forged_records_hold_up_next_once_at_most_and_not_past_the_deadline() {
    let api = StandIn::start();
    let mut extension = Running::start(&api, &[("TRIAGE_FLUSH", "end")]);
    let mut platform = Platform { to: api.telemetry_address(), stream: None };
    let begun = now_ms();
    api.event(stand_in::invoke("first", begun + 2_000));
    api.wait_for(Call::Next, 2);
    // Telemetry that seems prompt, and an invocation that seems to have taken an hour.
    for id in ["first", "second", "nobody"] {
        let forged = runtime_done(id, "success", begun + 3_600_000);
        let prompt = format!(r#"{{"time":"{}","type":"function","record":"x"}}"#, time(now_ms()));
        platform.deliver(&format!("[{prompt},{}]", forged.replace("3000.0", "1e300")));
    }
    let mut held = 0;
    for n in 0..10 {
        let deadline_ms = now_ms() + 1_500;
        api.event(stand_in::invoke(&format!("invocation-{n}"), deadline_ms));
        let asked = api.wait_for(Call::Next, n + 3).at;
        let asked_ms = now_ms() - u64::try_from(asked.elapsed().as_millis()).unwrap();
        assert!(asked_ms < deadline_ms, "asked after the deadline");
        held += usize::from(deadline_ms - asked_ms < 750);
    }
    assert!(held <= 1, "it waited {held} times in vain");
    api.shutdown("spindown");
    assert_eq!(extension.wait().0.code(), Some(0));
}
