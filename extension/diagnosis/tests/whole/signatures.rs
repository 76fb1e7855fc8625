//! The user's own signatures, from their file to the lines.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;
use triage_diagnosis::signatures::{self, Signatures};
use triage_diagnosis::*;

const ID: &str = "11111111-2222-3333-4444-555555555555";

fn now() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

fn kept(file: &str) -> Signatures {
    let (signatures, errors) = signatures::parse(file.as_bytes());
    assert_eq!(errors, [], "{file}");
    Signatures::keep(signatures)
}

fn log(triage: &mut Triage, log: FunctionLog<'_>) {
    let record = Record { time: Some(now()), body: RecordBody::Function(log) };
    triage.handle_record(record, now());
}

fn lines(triage: &mut Triage) -> Vec<Value> {
    let mut lines = Vec::new();
    while let Some(report) = triage.poll_report(now()) {
        let line = report.to_line(true);
        assert!(!line.is_empty() && line.len() <= MAX_LINE_BYTES);
        lines.push(serde_json::from_str(&line).unwrap());
    }
    assert_eq!(triage.poll_fault(), None);
    lines
}

fn invoked(settings: Settings, signatures: Signatures) -> Triage {
    let name = "orders".to_owned();
    let mut triage = Triage::new(settings, Function { name, ..Function::default() });
    triage.watch_for(signatures);
    let invoke = Invoke { request_id: ID.to_owned(), ..Invoke::default() };
    triage.handle_invoke(invoke, now());
    triage
}

/// What comes of these records, each a log line.
fn told(file: &str, records: &[&str]) -> Vec<Value> {
    let mut triage = invoked(Settings::default(), kept(file));
    for record in records {
        log(&mut triage, FunctionLog::Text(Cow::Borrowed(record)));
    }
    lines(&mut triage)
}

fn entry(more: &str) -> String {
    format!("[[signature]]\nid = \"declined\"\ntitle = \"a payment was declined\"\n{more}\n")
}

fn fires(file: &str, record: &str) -> bool {
    let lines = told(file, &[record]);
    let is_json = serde_json::from_str::<Value>(record).is_ok_and(|value| value.is_object());
    if is_json {
        let mut triage = invoked(Settings::default(), kept(file));
        log(&mut triage, FunctionLog::Json(record));
        let as_json = self::lines(&mut triage);
        assert_eq!(lines, as_json, "as text and as JSON: {record}");
    }
    !lines.is_empty()
}

#[test]
fn a_signature_becomes_a_line_as_any_other_problem() {
    let file = entry(
        r#"any-of = ["PaymentDeclined"]
        regex = 'order (?<order>[A-Z]+-\d+)(?: of (?<customer>\w+))?'
        advice = "Ask the customer for another card."
        reference = "https://example.com/runbooks/declined""#,
    );
    let told = told(
        &file,
        &[&format!(
            "[ERROR]\t2026-03-01T12:00:00.000Z\t{ID}\tPaymentDeclined: order A-17 of \u{1b}[31mx"
        )],
    );
    assert_eq!(told.len(), 1);
    let expected = json!({
        "timestamp": "2026-03-01T12:00:00.000Z", "level": "ERROR",
        "message": "a payment was declined", "requestId": ID, "FunctionName": "orders",
        "diagnosis": {
            "problem": "custom:declined", "stage": "confirmed", "occurrences": 1,
            "advice": "Ask the customer for another card.",
            "reference": "https://example.com/runbooks/declined",
            "evidence": {
                "order": "A-17", "customer": "x",
                "excerpt": "[ERROR] *** PaymentDeclined: *** of ***",
            },
        },
        "CustomProblems": 1, "Problems": 1,
    });
    let mut line = told[0].clone();
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].clone();
    assert_eq!(metrics[0], json!({"Name": "CustomProblems", "Unit": "Count"}));
    line.as_object_mut().unwrap().remove("_aws");
    assert_eq!(line, expected);
}

#[test]
fn what_an_entry_does_not_say_is_absent() {
    let told = told(&entry(r#"any-of = ["Declined"]"#), &["Declined"]);
    let diagnosis = told[0]["diagnosis"].as_object().unwrap();
    for name in ["advice", "reference", "view", "cause"] {
        assert!(!diagnosis.contains_key(name), "{name}");
    }
}

#[test]
fn the_texts_decide() {
    let any = entry(r#"any-of = ["Declined", "card was refused"]"#);
    let all = entry(r#"all-of = ["payment", "refused"]"#);
    let both = entry(
        "any-of = [\"Declined\", \"refused\"]\nall-of = [\"payment\"]\nnone-of = [\"sandbox\"]",
    );
    for (file, record, is_told) in [
        (&any, "PaymentDeclined", true),
        (&any, "x card was refused y", true),
        (&any, "the card was\trefused, declined", false),
        (&all, "refused: payment 17", true),
        (&all, "refused: order 17", false),
        (&all, "payment 17", false),
        (&both, "payment refused", true),
        (&both, "payment refused in the sandbox", false),
        (&both, "payment", false),
        (&both, "refused", false),
    ] {
        assert_eq!(fires(file, record), is_told, "{record}");
    }
}

#[test]
fn json_is_looked_at_as_lines_of_names_and_values() {
    let file = entry(
        r#"any-of = ["code: card \"7\" was", "für"]"#.replace("für", "abgelehnt für").as_str(),
    );
    for (record, is_told) in [
        (r#"{"error":{"code":"card \"7\" was refused"}}"#, true),
        (r#"{"error":{"note":"card \"7\" was refused"}}"#, false),
        (r#"{"error":{"code":"card 7 was refused"}}"#, false),
        (r#"{"message":"abgelehnt f\u00fcr immer"}"#, true),
        ("abgelehnt für immer", true),
        ("abgelehnt fur immer", false),
    ] {
        assert_eq!(fires(&file, record), is_told, "{record}");
    }
}

/// What is no report of an error to the detectors is what the user asked for.
#[test]
fn a_mention_counts_as_well() {
    let file = entry(r#"any-of = ["PaymentDeclined"]"#);
    for record in [
        "yesterday in staging: PaymentDeclined",
        ":raises PaymentDeclined: if the provider says so",
        "PaymentDeclined: 14",
        "except PaymentDeclined:",
        r#"{"lastError":"PaymentDeclined","resolved":true}"#,
        r#"{"eventVersion":"1","eventSource":"shop","eventName":"Pay","errorCode":"PaymentDeclined"}"#,
    ] {
        assert!(fires(&file, record), "{record}");
    }
}

#[test]
fn the_level_of_the_line_decides() {
    let any = r#"any-of = ["Declined"]"#;
    for (least, told) in [
        (None, [false, false, true, true, true, true]),
        (Some("trace"), [true; 6]),
        (Some("debug"), [false, true, true, true, true, true]),
        (Some("warn"), [false, false, false, true, true, true]),
        (Some("error"), [false, false, false, false, true, true]),
    ] {
        let least = least.map_or(String::new(), |least| format!("least-level = \"{least}\"\n"));
        let file = entry(&format!("{least}{any}"));
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", ""];
        for (level, is_told) in levels.into_iter().zip(told) {
            assert_eq!(fires(&file, &format!("{level} Declined")), is_told, "{least}{level}");
            let json = json!({"level": level, "message": "Declined"}).to_string();
            assert_eq!(fires(&file, &json), is_told, "{least}{json}");
        }
    }
    // Of several lines one that counts is enough.
    let file = entry(&format!("least-level = \"error\"\n{any}"));
    assert!(fires(&file, "INFO Declined\nERROR Declined"));
}

#[test]
fn the_stage_and_the_level_are_the_entrys() {
    let suspected = entry("any-of = [\"Declined\"]\nstage = \"suspected\"");
    let line = &told(&suspected, &["Declined"])[0];
    assert_eq!(
        (&line["level"], &line["diagnosis"]["stage"]),
        (&json!("WARN"), &json!("suspected"))
    );
    assert_eq!((line["SuspectedProblems"].as_u64(), line.get("CustomProblems")), (Some(1), None));
    let warn = entry("any-of = [\"Declined\"]\nlevel = \"warn\"");
    let line = &told(&warn, &["Declined"])[0];
    assert_eq!((&line["level"], &line["CustomProblems"]), (&json!("WARN"), &json!(1)));
}

#[test]
fn there_is_one_line_for_each_attempt_and_signature() {
    let other = entry(r#"any-of = ["order"]"#).replace("id = \"declined\"", "id = \"other\"");
    let file = entry(r#"any-of = ["Declined"]"#) + &other;
    let mut triage = invoked(Settings::default(), kept(&file));
    for _ in 0..3 {
        log(&mut triage, FunctionLog::Text("Declined order KMSDisabledException: x".into()));
    }
    let told = lines(&mut triage);
    let problems: Vec<_> = told.iter().map(|line| line["diagnosis"]["problem"].clone()).collect();
    assert_eq!(problems, ["kms-disabled", "custom:declined", "custom:other"]);
    assert!(told.iter().all(|line| line["diagnosis"]["occurrences"] == 3), "{told:#?}");
    // More signs of what has been told are counted, and fold.
    for _ in 0..10_000 {
        log(&mut triage, FunctionLog::Text("Declined".into()));
    }
    triage.finish(now());
    let told = lines(&mut triage);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["diagnosis"]["occurrences"], 10_000);
    assert!(told[0].get("CustomProblems").is_none());
}

#[test]
fn one_that_is_disabled_is_not_told() {
    let settings = Settings { disabled: vec!["custom:declined".into()], ..Settings::default() };
    let mut triage = invoked(settings, kept(&entry(r#"any-of = ["Declined"]"#)));
    log(&mut triage, FunctionLog::Text("Declined".into()));
    assert_eq!(lines(&mut triage), [] as [Value; 0]);
}

/// The texts of signatures are often those of any line: they must not use up what is looked at.
#[test]
fn one_that_finds_very_many_hides_no_other() {
    let file = entry(r#"any-of = ["order"]"#);
    let record = format!("{} KMSDisabledException: x", "order ".repeat(10_000));
    let told = told(&file, &[&record]);
    assert_eq!(told.len(), 2, "{told:#?}");
}

#[test]
fn a_regex_sees_what_is_around_the_text_and_lines_have_ends() {
    let file = entry("any-of = [\"Declined\"]\nregex = '^order (?<order>\\d+)$'");
    let order = |record: &str| {
        let told = told(&file, &[record]);
        Some(told.first()?["diagnosis"]["evidence"]["order"].as_str()?.to_owned())
    };
    assert_eq!(order("Declined\norder 17\nx").as_deref(), Some("17"));
    assert_eq!(order("order 17\nDeclined").as_deref(), Some("17"));
    assert_eq!(order("Declined order 17"), None);
    let far = "ä\n".repeat(100_000);
    assert_eq!(order(&format!("{far}order 17\nDeclined{far}")).as_deref(), Some("17"));
    assert_eq!(order(&format!("{far}Declined\norder 17\n{far}")).as_deref(), Some("17"));
    assert_eq!(order(&format!("order 17\n{far}Declined")), None);
}

#[test]
fn captured_secrets_are_masked_and_values_are_short() {
    let file = entry("any-of = [\"Declined\"]\nregex = '(?s)by (?<key>\\S+) for (?<all>.*)'");
    let record = format!(
        "Declined by AKIAIOSFODNN7EXAMPLE for 17, password: hunter2, {}\u{1b}\n\"",
        "é".repeat(500)
    );
    let evidence = told(&file, &[&record])[0]["diagnosis"]["evidence"].clone();
    assert_eq!(evidence["key"], "***");
    let all = evidence["all"].as_str().unwrap();
    assert!(all.starts_with("17, ") && all.len() <= 128 && all.ends_with('…'), "{all}");
    assert!(!evidence.to_string().contains("hunter2"), "{evidence}");
}

/// With the longest of everything that a line is made of.
#[test]
fn no_entry_makes_a_line_too_long() {
    let quotes = |bytes: usize| "\\\"".repeat(bytes);
    let captures: String = (0..8).map(|n| format!("(?<{}{n}>\\\"+)", "n".repeat(31))).collect();
    let file = format!(
        "[[signature]]\nid = \"{}\"\ntitle = \"{}\"\nadvice = \"{}\"\nreference = \"https://{}\"\nany-of = [\"Declined\"]\nregex = '''{}'''\n",
        "a".repeat(48),
        quotes(100),
        quotes(300),
        quotes(192),
        captures.replace("\\\"", "\""),
    );
    let long = "\"".repeat(1_000);
    let settings = Settings { namespace: "x".repeat(255), ..Settings::default() };
    let function = Function { name: long.clone(), version: long.clone(), ..Function::default() };
    let mut triage = Triage::new(settings, function);
    triage.watch_for(kept(&file));
    let invoke = Invoke {
        request_id: long.clone(),
        function_arn: long.clone(),
        trace_header: Some(format!("Root={long}")),
        deadline: None,
    };
    triage.handle_invoke(invoke, now());
    log(&mut triage, FunctionLog::Text(format!("Declined {long}").into()));
    let told = lines(&mut triage);
    assert_eq!(told[0]["CustomProblems"], 1, "{told:#?}");
}

#[test]
fn each_example_fires() {
    let file = include_str!("../../../../examples/signatures.toml");
    let (signatures, errors) = signatures::parse(file.as_bytes());
    assert_eq!(errors, []);
    let signatures = Signatures::keep(signatures);
    // Above each entry stands a record that it is about.
    let records: Vec<&str> = file.lines().filter_map(|line| line.strip_prefix("#> ")).collect();
    assert_eq!(records.len(), signatures.problems().count());
    for (record, problem) in records.into_iter().zip(signatures.problems()) {
        let mut triage = invoked(Settings::default(), signatures);
        log(&mut triage, FunctionLog::Text(record.into()));
        let told = lines(&mut triage);
        let problems: Vec<_> = told.iter().map(|l| l["diagnosis"]["problem"].as_str()).collect();
        assert_eq!(problems, [Some(problem)], "{record}");
        let evidence = told[0]["diagnosis"]["evidence"].as_object().unwrap();
        assert!(!evidence.values().any(|value| value == "***"), "{evidence:?}");
    }
}

/// Bytes that are often nearly a file of signatures.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 24] = [
        "[[signature]]\n",
        "[[signature]]\nid = \"a\"\ntitle = \"t\"\nany-of = [\"abc\"]\n",
        "id = \"b-1\"\n",
        "title = \"t\"\n",
        "any-of = [\"abc\", \"d: e\"]\n",
        "all-of = [\"abc\"]\n",
        "none-of = [\"xyz\"]\n",
        "regex = '(?<a>\\w+) (?<b>.*)'\n",
        "regex = '(?s)((a*)*b?){0,9}(?<rest>.*)'\n",
        "regex = '^(?:(?<x>[^:]+):)+$'\n",
        "least-level = \"warn\"\n",
        "level = \"warn\"\n",
        "stage = \"suspected\"\n",
        "stream = \"function\"\n",
        "advice = \"\"\"",
        "reference = \"https://x\"\n",
        "'''",
        "\"",
        "[",
        "]",
        "= ",
        "\n",
        "{a.b = 1979-05-27T07:32:00Z}",
        "\u{feff}",
    ];
    let part = prop_oneof![
        4 => proptest::sample::select(&WORDS[..]).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
        1 => "\\PC{1,8}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Records that such signatures are often about.
fn any_record() -> impl Strategy<Value = String> {
    const WORDS: [&str; 12] = [
        "abc",
        "d: e",
        "xyz",
        " ",
        "\n",
        "ERROR ",
        "WARN ",
        "password: ",
        "{\"d\":\"e\"}",
        "\u{1b}[31m",
        "AKIAIOSFODNN7EXAMPLE",
        "aaaaaaaaaaaaaaaaaaaa",
    ];
    let part = prop_oneof![
        3 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => "\\PC{1,8}",
    ];
    (proptest::collection::vec(part, 1..24), 1usize..200)
        .prop_map(|(parts, times)| parts.concat().repeat(times))
}

proptest! {
    #[test]
    fn any_file_and_any_records_give_bounded_lines(
        file in any_file(),
        records in proptest::collection::vec(any_record(), 1..4),
    ) {
        let (signatures, errors) = signatures::parse(&file);
        let lines_of_file = file.iter().filter(|byte| **byte == b'\n').count() + 1;
        for error in &errors {
            prop_assert!((1..=lines_of_file).contains(&error.line), "{error}");
            prop_assert!(error.reason.len() <= 1_000, "{error}");
        }
        let mut triage = invoked(Settings::default(), Signatures::keep(signatures));
        for record in &records {
            log(&mut triage, FunctionLog::Text(record.into()));
            let json = json!({"level": "ERROR", "m": record}).to_string();
            log(&mut triage, FunctionLog::Json(&json));
        }
        triage.finish(now());
        for line in lines(&mut triage) {
            let Some(evidence) = line["diagnosis"]["evidence"].as_object() else { continue };
            for (name, value) in evidence {
                let value = value.as_str().unwrap();
                let max = if name == "excerpt" { 403 } else { 128 };
                prop_assert!(value.len() <= max && !value.contains(char::is_control), "{line}");
                prop_assert!(!value.contains("AKIA"), "{line}");
            }
        }
    }
}
