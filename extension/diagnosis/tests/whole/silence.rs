//! On healthy records every detector is silent.

use crate::corpus::{FalseAlarm, Healthy, LoggingFunction, corpus, folder, told_alone};
use crate::loggers::{LEVELS, LOGGERS, Logger};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A message of `messages.jsonl`, which says in README.md what its fields mean.
struct Message {
    theme: String,
    language: Option<String>,
    level: String,
    is_silent_by_level: bool,
    text: String,
}

fn messages() -> Vec<Message> {
    let text = std::fs::read_to_string(folder().join("messages.jsonl")).unwrap();
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).expect(line);
        let field = |name: &str| value[name].as_str().map(str::to_owned);
        Message {
            theme: field("theme").expect(line),
            language: field("language"),
            level: field("level").filter(|l| LEVELS.contains(&l.as_str())).expect(line),
            is_silent_by_level: value["by_level"] == true,
            text: field("text").expect(line),
        }
    };
    text.lines().map(read).collect()
}

/// Each message is written by so many of the loggers that may write it.
const LOGGERS_A_MESSAGE: usize = 8;

impl Message {
    /// Those that may write it: of its language, and with a level if it is silent by that.
    fn loggers(&self) -> Vec<&'static Logger> {
        let may_write = |logger: &&Logger| {
            let language = self.language.as_deref();
            (language.is_none() || logger.language.is_none() || logger.language == language)
                && (!self.is_silent_by_level || logger.has_level())
        };
        LOGGERS.iter().filter(may_write).collect()
    }
}

/// The files of the corpus that are made: each message as some loggers write it, in turn.
fn written() -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::new();
    for (index, message) in messages().iter().enumerate() {
        let loggers = message.loggers();
        // Steps that share no factor with the number of loggers, so that each has its turn.
        let chosen: BTreeSet<usize> =
            (0..LOGGERS_A_MESSAGE).map(|n| (index * 5 + n * 7) % loggers.len()).collect();
        for logger in chosen.into_iter().map(|at| loggers[at]) {
            let file: &mut String = files.entry(logger.name).or_default();
            file.push_str(&logger.record(&message.level, &message.text));
            file.push('\n');
        }
    }
    files
}

#[test]
fn the_records_of_loggers_are_fresh() {
    let mut is_stale = false;
    for (logger, records) in written() {
        let path = folder().join(format!("logger-{logger}.ndjson"));
        if std::fs::read_to_string(&path).unwrap_or_default() != records {
            std::fs::write(&path, records).unwrap();
            is_stale = true;
        }
    }
    assert!(!is_stale, "files of the corpus were stale; they are written anew: look at them");
}

/// A record without its digits: what differs by a number alone is the same.
fn without_digits(record: &str) -> String {
    record.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn the_corpus_is_large_and_varied() {
    let corpus = corpus();
    assert!(corpus.len() >= 2_000, "{}", corpus.len());
    let distinct: HashSet<String> = corpus.iter().map(|h| without_digits(&h.record)).collect();
    assert!(distinct.len() * 10 >= corpus.len() * 9, "{} of {}", distinct.len(), corpus.len());
    // In no file is it otherwise.
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for healthy in &corpus {
        files.entry(&healthy.file).or_default().push(without_digits(&healthy.record));
    }
    for (file, records) in &files {
        let distinct: HashSet<&String> = records.iter().collect();
        assert!(distinct.len() * 10 >= records.len() * 9, "{file}: {}", distinct.len());
    }
}

#[test]
fn every_shape_and_theme_is_there() {
    let corpus = corpus();
    let files: BTreeSet<&str> = corpus.iter().map(|healthy| healthy.file.as_str()).collect();
    for logger in LOGGERS {
        let of_logger = format!("logger-{}", logger.name);
        let records = corpus.iter().filter(|healthy| healthy.file == of_logger).count();
        assert!(records >= 10, "{of_logger}: {records}");
    }
    for theme in THEMES {
        assert!(files.contains(theme), "{theme}");
    }
    let of_messages: BTreeSet<String> = messages().into_iter().map(|m| m.theme).collect();
    for theme in MESSAGE_THEMES {
        assert!(of_messages.contains(theme), "{theme}");
    }
}

/// Files that are written by hand.
const THEMES: [&str; 24] = [
    "chat-and-tickets",
    "ci-logs",
    "cloudtrail",
    "config-dumps",
    "deployment-output",
    "documentation",
    "emf",
    "failure-handlers",
    "html",
    "iam-policies",
    "json-values",
    "kms-arns",
    "multi-line",
    "platform-like-lines",
    "retries-that-succeeded",
    "sdk-debug-botocore",
    "sdk-debug-go-dotnet-ruby",
    "sdk-debug-java",
    "sdk-debug-node",
    "sdk-debug-rust",
    "sql",
    "third-party-payloads",
    "translated-prose",
    "xml",
];

/// What messages are about.
const MESSAGE_THEMES: [&str; 24] = [
    "access-denied-elsewhere",
    "api-gateway",
    "class-names",
    "cognito",
    "descriptors-in-prose",
    "disabled-elsewhere",
    "dns",
    "efs-fine",
    "errno-elsewhere",
    "kms-fine",
    "lambda-api",
    "lambda-fine",
    "level-says-it-is-none",
    "lists",
    "memory-elsewhere",
    "ordinary",
    "processes-elsewhere",
    "prose",
    "recursion-elsewhere",
    "retries",
    "sizes-elsewhere",
    "tests-names",
    "throttled-elsewhere",
    "timeouts-of-business",
];

/// Fails if anything comes out, and shows after which record.
pub(crate) fn assert_silent(records: &[Healthy]) {
    let shown = |place: &str| {
        let is_it = |h: &&Healthy| format!("{}.ndjson:{}", h.file, h.line) == place;
        records.iter().find(is_it).map_or("", |healthy| healthy.record.as_str())
    };
    let tell = |alarm: &FalseAlarm| {
        let FalseAlarm { place, line } = alarm;
        format!("{place} {} {}: {}", alarm.problem(), line["diagnosis"]["stage"], shown(place))
    };
    let alarms: Vec<String> = told_alone(records).iter().map(tell).collect();
    assert!(alarms.is_empty(), "{} false alarms:\n{}", alarms.len(), alarms.join("\n"));
}

#[test]
fn each_record_alone_is_silent() {
    assert_silent(&corpus());
}

/// More than the corpus holds.
#[test]
fn each_message_is_silent_whichever_logger_writes_it() {
    let mut records = Vec::new();
    for (index, message) in messages().iter().enumerate() {
        records.extend(message.loggers().into_iter().map(|logger| Healthy {
            file: logger.name.to_owned(),
            line: index + 1,
            record: logger.record(&message.level, &message.text),
        }));
    }
    assert_silent(&records);
}

#[test]
fn all_in_one_invocation_are_silent_in_whatever_order() {
    let corpus = corpus();
    let mut records: Vec<&str> = corpus.iter().map(|healthy| healthy.record.as_str()).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut function = LoggingFunction::new();
    for round in 0..4 {
        let lines = function.invocation(records.iter().copied());
        assert!(lines.is_empty(), "round {round}: {lines:#?}");
        random.shuffle(&mut records);
    }
}
