//! What an input may hold, and whoever reads the output may do.

use crate::program::{command, run};
use std::io::{BufRead, BufReader, Read, Write};

const ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";
const KMS: &str = "[ERROR] DisabledException: An error occurred (DisabledException) when calling the Decrypt operation: arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab is disabled.";

fn event(stream: &str, ms: u64, message: &str) -> String {
    let at = 1_772_366_400_000 + ms;
    serde_json::json!({"logStreamName": stream, "timestamp": at, "message": message, "ingestionTime": at, "eventId": "1"})
        .to_string()
}

fn telemetry(ms: u64, text: &str) -> String {
    let time = triage_diagnosis::Timestamp::from_ms(1_772_366_400_000 + ms).to_string();
    serde_json::json!({"time": time, "type": "function", "record": text}).to_string()
}

#[test]
fn what_cannot_be_read_is_named_and_costs_itself() {
    let (kms, filler) = (telemetry(5, KMS), telemetry(1, "x"));
    for broken in [
        &b"{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":\"function\",\"record\":\"never ends}"[..],
        b"{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":\"function\",\"record\":{\"a\":}}",
        b"{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":{",
        b"nonsense",
        b"\x00\x01\xff\xfe",
    ] {
        let input = [filler.as_bytes(), b"\n", broken, b"\n", kms.as_bytes()].concat();
        let ran = run(&["replay"], &input);
        assert!(ran.problems().contains(&"kms-disabled".to_owned()), "{ran:?}");
        // The extension tells of what it cannot read; so does the replay.
        assert!(ran.problems().contains(&"telemetry-dropped".to_owned()), "{ran:?}");
        assert!(ran.stderr.contains("line 2, byte "), "{ran:?}");
        assert_eq!(ran.code, 1);
    }
}

#[test]
fn a_document_that_was_cut_off_gives_what_is_whole() {
    let events = [event("s", 1, "x"), event("s", 5, KMS), event("s", 9, "y")].join(",\n");
    let whole = format!("{{\"events\":[{events}],\"searchedLogStreams\":[]}}");
    let cut = &whole[..whole.len() - 60];
    let ran = run(&["replay"], cut.as_bytes());
    assert_eq!((ran.problems(), ran.code), (vec!["kms-disabled".to_owned()], 1));
    assert!(ran.stderr.contains("line 3, byte "), "{}", ran.stderr);
    assert!(!run(&["replay"], whole.as_bytes()).stderr.contains("not read"));
}

#[test]
fn a_line_of_ten_megabytes_is_passed_over() {
    let long = "x".repeat(10 * 1024 * 1024);
    let text = format!("START RequestId: {ID} Version: 1\n{long}\n{KMS}\nEND RequestId: {ID}\n");
    let ran = run(&["replay"], text.as_bytes());
    assert_eq!(ran.problems(), ["kms-disabled"]);
    assert!(ran.stderr.contains("line 2, byte 65"), "{}", ran.stderr);
    for input in [
        format!("{}\n{}\n{}", event("s", 1, "x"), event("s", 1, &long), event("s", 5, KMS)),
        format!("{{\"events\":[{},{}]}}", event("s", 1, &long), event("s", 5, KMS)),
        format!("[{},{}]", telemetry(1, &long), telemetry(5, KMS)),
    ] {
        let ran = run(&["replay"], input.as_bytes());
        assert!(ran.problems().contains(&"kms-disabled".to_owned()), "{ran:?}");
        assert!(ran.stderr.contains("not read: "), "{}", ran.stderr);
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let start = format!("START RequestId: {ID} Version: 1\n");
    let input = [start.as_bytes(), b"\xff\xfe\x00\x1b[31m\n", KMS.as_bytes()].concat();
    let ran = run(&["replay", "--output=text"], &input);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("1 lines hold bytes that are not UTF-8"), "{}", ran.stderr);
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
}

#[test]
fn what_was_found_beside_bytes_that_are_no_text_is_not_taken_back() {
    let ran = run(&["replay"], &[b"caf\xe9 ".as_slice(), KMS.as_bytes()].concat());
    assert_eq!((ran.problems(), ran.code), (vec!["kms-disabled".to_owned()], 1));
    assert!(!ran.stderr.contains("nothing in the input"), "{}", ran.stderr);
}

#[test]
fn an_input_in_another_encoding_is_not_taken_for_a_healthy_one() {
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{KMS}\r\nx\r\n").encode_utf16().flat_map(to_bytes).collect()
    };
    for (input, remedy) in [
        (utf16(u16::to_le_bytes), "utf8"),
        (utf16(u16::to_be_bytes), "utf8"),
        (b"\x1f\x8b\x08\0\nx\n".to_vec(), "gzip -dc"),
        (b"\x28\xb5\x2f\xfd\nx\n".to_vec(), "zstd -dc"),
    ] {
        let ran = run(&["replay"], &input);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(remedy), "{}", ran.stderr);
    }
}

#[test]
fn all_that_was_read_is_counted() {
    let record = telemetry(5, KMS);
    for input in [format!("{record}\n"), event("s", 5, KMS), format!("[{record},{record}]")] {
        let ran = run(&["replay"], input.as_bytes());
        let all = format!("{} bytes read", input.trim_end().len());
        let with_end = format!("{} bytes read", input.len());
        assert!(ran.stderr.contains(&all) || ran.stderr.contains(&with_end), "{}", ran.stderr);
    }
}

#[test]
fn an_input_without_anything_is_bad() {
    for (arguments, input) in [
        (&["replay"][..], &b""[..]),
        (&["replay", "--format=telemetry"], b"START RequestId: 1\n"),
        (&["replay", "--format=cloudwatch"], b"{\"a\":1}\n"),
        (&["replay"], b"\xff\xfe\x00\n\xff\n"),
    ] {
        let ran = run(arguments, input);
        assert_eq!(ran.code, 2, "{arguments:?} {input:?}: {ran:?}");
    }
    let ran = run(&["replay"], b"{\"events\": [], \"searchedLogStreams\": []}");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[test]
fn what_lambda_triage_wrote_is_not_diagnosed_again() {
    let first = run(&["replay"], event("s", 5, KMS).as_bytes());
    assert_eq!(first.problems(), ["kms-disabled"]);
    let again = run(&["replay"], event("s", 6, &first.stdout).as_bytes());
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(run(&["replay"], first.stdout.as_bytes()).code, 0, "as plain text too");
}

#[test]
fn each_log_stream_is_a_sandbox() {
    let id = |n: u32| format!("00000000-0000-0000-0000-00000000000{n}");
    let start = |n: u32| format!("START RequestId: {} Version: $LATEST\n", id(n));
    let input = [
        event("2026/03/01/[7]aaaa", 1, &start(1)),
        event("2026/03/01/orders[8]bbbb", 2, &start(2)),
        event("2026/03/01/[7]aaaa", 3, KMS),
        event("2026/03/01/orders[8]bbbb", 4, KMS),
    ];
    let ran = run(&["replay"], input.join("\n").as_bytes());
    let mut found: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| {
            (
                line["requestId"].clone(),
                line["functionVersion"].clone(),
                line["FunctionName"].clone(),
            )
        })
        .collect();
    found.sort_by_key(|(id, ..)| id.to_string());
    let null = serde_json::Value::Null;
    assert_eq!(
        found,
        [(id(1).into(), "7".into(), null), (id(2).into(), "8".into(), "orders".into()),]
    );
    assert!(ran.stderr.contains("2 invocations in 2 environments"), "{}", ran.stderr);
}

/// As in the extension: the first 20 lines of a problem in a minute singly, the rest folded. The
/// summary counts each.
#[test]
fn a_storm_is_folded_and_counted_exactly() {
    let mut input = String::new();
    for n in 0..500 {
        let id = format!("00000000-0000-0000-0000-{n:012}");
        let start = format!("START RequestId: {id} Version: 1\n");
        let at = n * 10;
        for (ms, message) in [(0, start.as_str()), (1, KMS), (2, KMS)] {
            input += &(event("s", at + ms, message) + "\n");
        }
        let end = format!("REPORT RequestId: {id}\tDuration: 5.00 ms\n");
        input += &(event("s", at + 5, &end) + "\n");
    }
    let ran = run(&["replay"], input.as_bytes());
    let lines = ran.lines();
    assert!(lines.len() < 40, "{} lines", lines.len());
    let sum = |of: &dyn Fn(&serde_json::Value) -> u64| lines.iter().map(of).sum::<u64>();
    assert_eq!(sum(&|line| line["Problems"].as_u64().unwrap_or_default()), 500);
    assert_eq!(sum(&|line| line["diagnosis"]["occurrences"].as_u64().unwrap()), 1_000);
    let row = ran.stderr.lines().find(|line| line.starts_with("kms-disabled")).unwrap();
    let columns: Vec<_> = row.split_whitespace().collect();
    let expected = [
        "kms-disabled",
        "500",
        "0",
        "500",
        "1000",
        "2026-03-01T12:00:00.001Z",
        "2026-03-01T12:00:04.991Z",
    ];
    assert_eq!(columns, expected, "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut input = String::new();
    for n in 0..20_000 {
        input += &(event(&n.to_string(), n, KMS) + "\n");
    }
    let mut child = command(&["replay"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let mut line = String::new();
    BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    // Standard output is closed by now.
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""));
    writing.join().unwrap();
}

#[test]
fn text_is_to_be_read_and_the_settings_are_the_extensions() {
    let input = event("s", 5, KMS);
    let twice = [event("s", 5, KMS), event("s", 90, KMS), event("t", 90, KMS)].join("\n");
    let ran = run(&["replay", "--output=text"], twice.as_bytes());
    assert!(ran.stdout.matches("problem   kms-disabled").count() > 1, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("advice    ").count(), 1, "{}", ran.stdout);
    let ran = run(&["replay", "--output=text"], input.as_bytes());
    for part in [
        "ERROR a KMS key is disabled",
        "problem   kms-disabled (confirmed",
        "advice    ",
        "stream    s",
        "evidence  excerpt: [ERROR] DisabledException",
    ] {
        assert!(ran.stdout.contains(part), "no {part} in {}", ran.stdout);
    }
    assert_eq!(run(&["replay", "--disable=kms-disabled"], input.as_bytes()).code, 0);
    let named = run(&["replay", "--namespace=Mine", "--function-name=orders"], input.as_bytes());
    assert!(
        named.stdout.contains("\"Namespace\":\"Mine\"")
            && named.stdout.contains("\"FunctionName\":\"orders\"")
    );
    assert!(!run(&["replay", "--metrics=off"], input.as_bytes()).stdout.contains("_aws"));
    let start = event("s", 0, &format!("START RequestId: {ID} Version: 1"));
    let report = event("s", 2_900, &format!("REPORT RequestId: {ID}\tDuration: 2900.00 ms\n"));
    let slow = [start, report].join("\n");
    assert_eq!(run(&["replay"], slow.as_bytes()).code, 0);
    assert_eq!(run(&["replay", "--timeout=3"], slow.as_bytes()).problems(), ["near-timeout"]);
    let options = ["replay", "--timeout=3", "--near-timeout-percent=98"];
    assert_eq!(run(&options, slow.as_bytes()).code, 0);
}

#[test]
fn a_runtime_that_exited_is_no_success() {
    // A log of before 2024, whose reports bear no status.
    let lines = [
        event("s", 0, &format!("START RequestId: {ID} Version: 1")),
        event(
            "s",
            2_900,
            &format!(
                "RequestId: {ID} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n"
            ),
        ),
        event("s", 2_901, &format!("END RequestId: {ID}")),
        event("s", 2_901, &format!("REPORT RequestId: {ID}\tDuration: 3100.00 ms\n")),
    ];
    // Longer than its timeout, and not because the timeout is wrong: it did not end well.
    let ran = run(&["replay", "--timeout=3"], lines.join("\n").as_bytes());
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn signatures_are_looked_for_and_a_bad_one_costs_itself() {
    let path = std::env::temp_dir().join(format!("triage-{}.toml", std::process::id()));
    let text = "[[signature]]\nid = \"declined\"\ntitle = \"a payment was declined\"\nany-of = [\"PaymentDeclined\"]\n\n[[signature]]\nid = 7\n";
    std::fs::write(&path, text).unwrap();
    let option = format!("--signatures={}", path.display());
    let input =
        [event("s", 5, "ERROR PaymentDeclined"), event("t", 6, "ERROR PaymentDeclined")].join("\n");
    let ran = run(&["replay", &option], input.as_bytes());
    let quiet = run(&["replay", &option, "--disable=custom:declined"], input.as_bytes());
    let text = run(&["replay", &option, "--output=text"], input.as_bytes());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ran.problems(), ["custom:declined", "custom:declined"], "{ran:?}");
    assert!(ran.stderr.contains(".toml, line 7: "), "{}", ran.stderr);
    assert_eq!(quiet.code, 0);
    assert!(text.stdout.contains("a payment was declined"), "{text:?}");
    assert_eq!(run(&["replay", "--signatures=/no/such/file"], input.as_bytes()).code, 2);
}

#[test]
fn no_time_is_shown_where_the_input_has_none() {
    let text = format!("START RequestId: {ID} Version: 1\n{KMS}\n");
    let ran = run(&["replay", "--output=text"], text.as_bytes());
    assert!(!ran.stdout.contains("1970") && !ran.stderr.contains("1970"), "{ran:?}");
    assert!(ran.stderr.contains("not told"), "{}", ran.stderr);
}

/// As Lambda writes it: the initialization's own lines stand before START.
#[test]
fn a_failed_initialization_is_one_problem_of_its_text_log() {
    let text = format!(
        "INIT_START Runtime Version: python:3.12.v31\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0ab1\n\
         INIT_REPORT Init Duration: 0.79 ms\tPhase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n\
         INIT_REPORT Init Duration: 0.61 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n\
         START RequestId: {ID} Version: $LATEST\n\
         RequestId: {ID} Error: fork/exec /var/task/bootstrap: no such file or directory\n\
         Runtime.InvalidEntrypoint\n\
         END RequestId: {ID}\n\
         REPORT RequestId: {ID}\tDuration: 17.01 ms\tBilled Duration: 18 ms\tMemory Size: 128 MB\tMax Memory Used: 3 MB\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n"
    );
    let ran = run(&["replay"], text.as_bytes());
    assert_eq!(ran.problems(), ["init-failure"]);
    assert_eq!(ran.lines()[0]["diagnosis"]["cause"], "invalid-entrypoint");
}

/// Telemetry that another extension gathered has no SHUTDOWN, but each environment initializes once.
#[test]
fn telemetry_is_of_one_environment_after_another() {
    let record = |ms: u64, kind: &str, record: serde_json::Value| {
        let time = triage_diagnosis::Timestamp::from_ms(1_772_366_400_000 + ms).to_string();
        serde_json::json!({"time": time, "type": kind, "record": record}).to_string()
    };
    let init =
        |ms, phase: &str| record(ms, "platform.initStart", serde_json::json!({"phase": phase}));
    let start = |ms| record(ms, "platform.start", serde_json::json!({"requestId": ID}));
    let shutdown = r#"{"at":"2026-03-01T12:00:01.000Z","next":{"eventType":"SHUTDOWN","shutdownReason":"spindown"}}"#;
    for (lines, said) in [
        (vec![init(0, "init"), start(10), telemetry(20, KMS)], "1 invocation in 1 environment\n"),
        // The same again is a delivery that came twice, and one within an invocation no other's.
        (vec![init(0, "init"), init(0, "init"), start(10)], "1 invocation in 1 environment\n"),
        (vec![init(0, "init"), start(10), init(20, "invoke")], "1 invocation in 1 environment\n"),
        (vec![init(0, "init"), start(10), init(90, "init")], "1 invocation in 2 environments\n"),
        (vec![start(10), shutdown.to_owned(), start(10)], "2 invocations in 2 environments\n"),
        (vec![start(10), shutdown.to_owned(), telemetry(20, KMS)], "in 1 environment\n"),
    ] {
        let ran = run(&["replay"], lines.join("\n").as_bytes());
        assert!(ran.stderr.ends_with(said), "{lines:?}: {}", ran.stderr);
    }
}
