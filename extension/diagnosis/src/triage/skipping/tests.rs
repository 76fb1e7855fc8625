use super::*;
use crate::broken_trace::BrokenTraces;
use crate::{Function, Settings};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_ms(1_772_366_400_000);

fn record(ms: u64, value: &str) -> String {
    let time = NOW.plus_ms(ms);
    format!(r#"{{"time":"{time}","type":"function","record":{value}}}"#)
}

fn triage(concurrent: bool) -> Triage {
    Triage::new(Settings::default(), Function { concurrent, ..Function::default() })
}

/// What is remembered of lines after these bodies, and how many records were decoded.
fn remembered(bodies: &[String], concurrent: bool, skips: bool) -> (BrokenTraces, usize) {
    let (mut triage, mut decoded) = (triage(concurrent), 0);
    for body in bodies {
        let mut body = Body::new(body.as_bytes().to_vec());
        loop {
            if skips {
                triage.skip_healthy(&mut body, usize::MAX, |_| ());
            }
            let Some(record) = body.next_record() else { break };
            decoded += 1;
            triage.handle_record(record.unwrap(), NOW);
        }
    }
    (triage.traces, decoded)
}

#[test]
fn healthy_records_are_not_decoded() {
    let healthy = r#""[INFO]\t2026-03-01T12:00:00.000Z\tid\torder \"7\" stored\n""#;
    let records =
        |n: u64, value: &str| -> Vec<String> { (0..n).map(|n| record(n, value)).collect() };
    for (value, concurrent) in [(healthy, false), (healthy, true), (r#"{"order":7}"#, false)] {
        let body = format!("[{}]", records(500, value).join(","));
        assert_eq!(remembered(&[body], concurrent, true).1, 0, "{value}");
    }
    let error = record(7, r#""KMSDisabledException: x""#);
    let body = format!("[{},{error},{}]", record(1, healthy), record(9, healthy));
    // The error, and the line behind it, which shows that its trace is over.
    assert_eq!(remembered(&[body], false, true).1, 2);
}

#[test]
fn goes_no_further_than_it_is_to() {
    let mut body = Body::new(vec![record(0, r#""a""#); 10].join("\n").into_bytes());
    let mut times = 0;
    triage(false).skip_healthy(&mut body, 100, |_| times += 1);
    assert_eq!(times, 2);
    assert!((100..200).contains(&body.position()));
}

#[test]
fn signatures_that_come_later_are_looked_for_from_then_on() {
    let mut triage = triage(false);
    let mut body = Body::new(vec![record(0, r#""Declined""#); 4].join("\n").into_bytes());
    triage.skip_healthy(&mut body, 1, |_| ());
    let file = "[[signature]]\nid = \"a\"\ntitle = \"a\"\nany-of = [\"Declined\"]";
    triage.watch_for(crate::signatures::Signatures::keep(
        crate::signatures::parse(file.as_bytes()).0,
    ));
    triage.skip_healthy(&mut body, usize::MAX, |_| panic!("that was one"));
    assert!(body.next_record().is_some());
}

#[test]
fn what_was_gone_past_can_be_gone_back_to() {
    let text = [record(0, r#""Exception""#), record(1, r#""a""#)].join("\n");
    let mut body = Body::new(text.into_bytes());
    body.next_record().unwrap().unwrap();
    let mut triage = triage(false);
    triage.skip_healthy(&mut body, usize::MAX, |_| ());
    body.go_back(0);
    triage.skip_healthy(&mut body, usize::MAX, |_| panic!("not the first one"));
    assert_eq!(body.position(), 0);
}

#[test]
fn what_stands_between_lines_does_not_hide_when_the_last_one_came() {
    let object = |ms| record(ms, r#"{"order":7}"#);
    let bodies = [
        record(0, r#""a""#),
        [record(2_000, r#""b""#), object(2_000), object(2_000)].join(","),
        record(2_500, r#""  c""#),
    ];
    let [decoded, skipped] = [false, true].map(|skips| remembered(&bodies, false, skips).0);
    assert_eq!(format!("{decoded:?}"), format!("{skipped:?}"));
}

fn line() -> impl Strategy<Value = String> {
    const LINES: &[&str] = &[
        r#""WARN x refused""#,
        r#""2026-03-01T12:00:00.000Z WARN refused""#,
        r#""a.b.c.Declined: no""#,
        r#""Traceback (most recent call last):""#,
        r#""Traceback (most recent call last):\n""#,
        r#""  File x""#,
        r#""\tat x.y""#,
        r#""E: y""#,
        r#""Response body:""#,
        r#""{\"a\":1}""#,
        r#""b'{}'""#,
        r#""b""#,
        r#""""#,
        r#"" ""#,
        r#""\n""#,
        r#""a\nb""#,
        r#""}""#,
        r#""Caused by: x""#,
        r#""Error raised from handler method""#,
        r#""ä""#,
        r#""\u00a0x""#,
        r#"{"a":1}"#,
        "[1]",
        "null",
        r#""\u003c""#,
    ];
    prop_oneof![
        3 => proptest::sample::select(LINES).prop_map(str::to_owned),
        2 => "\"[ -~&&[^\"\\\\]]{0,20}\"",
        1 => (0usize..6, "[ -~&&[^\"\\\\]]").prop_map(|(n, c)| format!("\"{c}{}\"", "y".repeat(n * 200))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_same_is_remembered_of_lines(
        bodies in proptest::collection::vec(
            proptest::collection::vec((line(), 0u64..4), 1..60), 1..3),
        concurrent in proptest::bool::weighted(0.1),
    ) {
        let mut ms = 0;
        let bodies: Vec<String> = bodies.iter().map(|lines| {
            let records = lines.iter().map(|(line, gap)| {
                ms += [0, 1, 5, 1_001][*gap as usize];
                record(ms, line)
            });
            format!("[{}]", records.collect::<Vec<_>>().join(","))
        }).collect();
        let [decoded, skipped] = [false, true].map(|skips| remembered(&bodies, concurrent, skips).0);
        prop_assert_eq!(format!("{decoded:?}"), format!("{skipped:?}"));
    }
}
