//! The properties on random bytes, on the corpus that fuzzing has gathered, and on the fixtures.

use crate::corpus::{Healthy, corpus};
use crate::properties;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files
}

fn hold_for_files(name: &str, folder: &str) {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    assert!(!files.is_empty(), "{folder}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let held = std::panic::catch_unwind(|| properties::holds(name, &bytes));
        assert!(held.is_ok(), "{name} does not hold for {}", file.display());
    }
}

#[test]
fn hold_for_the_corpus() {
    for (name, _) in properties::ALL {
        hold_for_files(name, &format!("fuzz/corpus/{name}"));
    }
}

#[test]
fn hold_for_the_fixtures() {
    for name in ["decoder", "skipping", "telemetry"] {
        hold_for_files(name, "../../tests/fixtures");
    }
}

#[test]
fn what_is_skipped_holds_for_the_healthy_corpus() {
    let record = |(n, healthy): (usize, Healthy)| {
        let time = format!("2026-03-01T12:{:02}:{:02}.000Z", n / 60 % 60, n % 60);
        format!(r#"{{"time":"{time}","type":"function","record":{}}}"#, healthy.record)
    };
    let records: Vec<String> = corpus().into_iter().enumerate().map(record).collect();
    properties::holds("skipping", format!("[{}]", records.join(",")).as_bytes());
}

/// Bytes of which some stand for choices, and some for JSON.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 12] = [
        "{\"time\":\"2026-03-01T12:00:00.000Z\",\"type\":\"",
        "platform.runtimeDone\",\"record\":{\"requestId\":\"a\",\"status\":\"timeout\"}}",
        "function\",\"record\":\"KMSDisabledException: x\"}",
        "function\",\"record\":{\"level\":\"WARN\",\"errorType\":\"KMSNotFoundException\"}}",
        "Root=1-a;Parent=b;Lineage=",
        "5:a87bd80c:0",
        "password: ",
        "https://a:b@c/d?e=f",
        "[",
        "\n",
        ",",
        "\u{0}",
    ];
    let word = prop_oneof![
        8 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => (0u8..16).prop_map(|byte| vec![byte]),
        2 => proptest::sample::select(&WORDS[..]).prop_map(|word| word.as_bytes().to_vec()),
        1 => Just(vec![0xff]),
    ];
    proptest::collection::vec(word, 0..200).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn hold_for_the_decoder(bytes in bytes()) {
        properties::holds("decoder", &bytes);
    }

    #[test]
    fn hold_for_log_excerpts(bytes in bytes()) {
        properties::holds("log_excerpt", &bytes);
    }

    #[test]
    fn hold_for_whole_sessions(bytes in bytes()) {
        properties::holds("telemetry", &bytes);
    }

    #[test]
    fn hold_for_files_of_proc(which: u8, mut bytes in bytes()) {
        bytes.insert(0, which);
        properties::holds("proc_files", &bytes);
    }

    #[test]
    fn hold_for_any_look(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        properties::holds("why", &bytes);
    }

    #[test]
    fn hold_for_what_is_skipped(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        choices: [u8; 4],
    ) {
        bytes.insert(0, 0xff);
        bytes.retain({
            let mut is_first = true;
            move |byte| std::mem::take(&mut is_first) || *byte != 0xff
        });
        bytes.push(0xff);
        bytes.extend(choices);
        properties::holds("skipping", &bytes);
    }

    #[test]
    fn hold_for_trace_headers(version in b'0'..b'3', mut bytes in bytes()) {
        bytes.insert(0, version);
        properties::holds("trace_header", &bytes);
    }
}

proptest! {
    // Each checks hundreds of lines.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hold_for_the_state_machine(bytes in bytes()) {
        properties::holds("machine", &bytes);
    }
}
