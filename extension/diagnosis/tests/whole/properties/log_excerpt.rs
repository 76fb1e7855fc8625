//! A log record around an error that is looked for: what leaves is bounded, and a secret of a known
//! shape does not leave, wherever it stands beside the error and whatever is around them.

use super::watch::{Watch, problem};
use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use std::borrow::Cow;
use triage_diagnosis::*;

/// What separates the texts around the error and the secret; no text holds it.
const CUT: u8 = 0xff;
/// The errors, as SDKs print them.
const ERRORS: [&str; 4] = [
    "KMSDisabledException: ",
    "An error occurred (DisabledException) when calling the Decrypt operation: ",
    "User: arn:aws:sts::123456789012:assumed-role/a/b is not authorized to perform: kms:Decrypt ",
    "EFSIOException: ",
];
/// Secrets that their own shape gives away, and such as their name or place gives away.
const SECRETS: [(&str, &str); 9] = [
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSF"),
    ("ASIAY34FZKBOKMUTVV7A", "ASIAY34F"),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0", "wJalrXUt"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3", "eyJhbGci"),
    ("password=c4n4ry", "c4n4ry"),
    ("\"password\":\"c4n4ry\"", "c4n4ry"),
    ("Authorization: Bearer c4n4ry", "c4n4ry"),
    ("postgres://admin:c4n4ry@db.example/orders", "c4n4ry"),
    ("https://x.example/a?sig=c4n4ry", "c4n4ry"),
];
const MAX_EXCERPT_BYTES: usize = 400 + "…".len();
const MAX_EVIDENCE_BYTES: usize = 256;
/// A record is repeated up to this size where that is chosen: more errors than are looked at.
const REPEATED_BYTES: usize = 20 * 1024;
/// Or what is behind the error is, once, to what telemetry may hold at most: what takes quadratic
/// time shows in the time limit.
const LONG_BYTES: usize = 1024 * 1024;

pub(super) fn holds(bytes: &[u8]) {
    let mut choices = Unstructured::new(bytes);
    if let Ok(surroundings) = Surroundings::read(&mut choices) {
        nothing_private_leaves(&surroundings);
    }
}

#[derive(Debug)]
struct Surroundings {
    error: &'static str,
    is_json_within: bool,
    is_json: bool,
    is_repeated: bool,
    is_long: bool,
    before: String,
    between: String,
    after: String,
}

impl Surroundings {
    fn read(choices: &mut Unstructured<'_>) -> Result<Self> {
        let error = choices.choose(&ERRORS)?;
        let form: u8 = choices.arbitrary()?;
        let mut texts = choices.bytes(choices.len())?.splitn(3, |byte| *byte == CUT);
        let mut text = || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
        Ok(Self {
            error,
            is_json_within: form & 1 == 1,
            is_json: form & 2 == 2,
            is_repeated: (0xf0..0xff).contains(&form),
            is_long: form == 0xff,
            before: text(),
            between: text(),
            after: text(),
        })
    }

    /// The record in which this secret stands before the error or behind it.
    fn record(&self, secret: &str, is_before: bool, is_long: bool) -> String {
        let Self { error, before, between, after, .. } = self;
        if is_long {
            let after = after.repeat(LONG_BYTES.div_ceil(after.len().max(1)));
            return format!("{before}{error}{between} {secret} {after}");
        }
        let text = if is_before {
            format!("{before} {secret} {between}{error}{after}")
        } else {
            format!("{before}{error}{between} {secret} {after}")
        };
        let text = if self.is_json_within {
            json!({"error": {"message": text, "code": "x"}, "level": "ERROR"}).to_string()
        } else {
            text
        };
        if self.is_repeated { text.repeat(REPEATED_BYTES.div_ceil(text.len())) } else { text }
    }

    fn hold(&self, core: &str) -> bool {
        [&self.before, &self.between, &self.after].iter().any(|text| text.contains(core))
    }
}

fn nothing_private_leaves(surroundings: &Surroundings) {
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut watch = Watch::new(Settings::default(), Function::default(), now);
    // All secrets in one sandbox, each in two invocations: fewer than are folded.
    for (index, (secret, core)) in SECRETS.iter().enumerate() {
        for is_before in [false, true] {
            // The surroundings may hold by chance what is looked for.
            if surroundings.hold(core) {
                continue;
            }
            let request_id = format!("{index} {is_before}");
            watch.invoke(Invoke { request_id, ..Invoke::default() });
            let record = surroundings.record(secret, is_before, surroundings.is_long && index == 0);
            let log = if surroundings.is_json {
                FunctionLog::Json(&record)
            } else {
                FunctionLog::Text(Cow::Borrowed(&record))
            };
            watch.record(Record { time: Some(now), body: RecordBody::Function(log) });
        }
    }
    for line in watch.end() {
        let text = line.to_string();
        for (secret, core) in SECRETS.iter().filter(|(_, core)| !surroundings.hold(core)) {
            assert!(!text.contains(core), "{secret} within {surroundings:?} gave {line:#}");
        }
        check_bounds(&line);
    }
}

fn check_bounds(line: &Value) {
    let Some(evidence) = line["diagnosis"]["evidence"].as_object() else { return };
    for (name, value) in evidence {
        let Some(value) = value.as_str() else { continue };
        let max = if name == "excerpt" { MAX_EXCERPT_BYTES } else { MAX_EVIDENCE_BYTES };
        assert!(value.len() <= max, "{} {name}: {} bytes", problem(line), value.len());
        assert!(!value.contains(char::is_control), "{name}: {value:?}");
    }
}
