//! Secrets, control characters and colours in every shape.

use super::failures::failures;
use super::languages::printed;
use super::loggers::{JSON, TEXT};
use super::{LEVELS, Sandbox};
use crate::planted::{FRAMES, Random, SHAPES, secret};
use serde_json::Value;
use triage_diagnosis::Level;

/// A line without its times, which hold any digits.
fn without_times(mut line: Value) -> String {
    line["_aws"]["Timestamp"].take();
    line["timestamp"].take();
    line.to_string()
}

#[test]
fn no_secret_in_an_errors_message_is_printed_in_any_shape() {
    let mut sandbox = Sandbox::new();
    let mut random = Random::new(11);
    let failures = failures();
    let (mut planted, mut told) = (0, 0);
    for round in 0..SHAPES * 2 {
        let mut failure = failures[random.below(failures.len())].clone();
        let secret = secret(round % SHAPES, &mut random);
        let (before, after) = FRAMES[random.below(FRAMES.len())];
        failure.message = if random.below(2) == 0 {
            format!("{} {before}{}{after}", failure.message, secret.text)
        } else {
            format!("{before}{}{after} {}", secret.text, failure.message)
        };
        for printed in printed(&failure) {
            let loggers = if random.below(2) == 0 { TEXT } else { JSON };
            let (_, write) = loggers[random.below(loggers.len())];
            let level = if random.below(3) == 0 { LEVELS[1] } else { Level::Error };
            let logged = write(&printed, level);
            let records = [vec![logged.as_str()], printed.text.lines().collect()];
            for records in records {
                planted += 1;
                for line in sandbox.told(&records) {
                    told += 1;
                    let line = without_times(line);
                    for part in &secret.parts {
                        assert!(
                            !line.contains(part.as_str()),
                            "{part} of\n{records:#?}\nis in\n{line}"
                        );
                    }
                }
            }
        }
    }
    assert!(told * 2 > planted, "{told} lines for {planted} records");
}

/// What may stand around an error: colours, bells, a line of another's, half a character.
const ODDITIES: [&str; 8] = [
    "\u{1b}[31m",
    "\u{1b}[0m\u{1b}[1;4m",
    "\u{7}\u{8}\u{0}",
    "\u{1b}]0;x\u{7}",
    "\u{2028}",
    "\u{202e}",
    "\r",
    "\u{fffd}",
];

#[test]
fn no_control_character_breaks_a_line_or_hides_an_error() {
    let mut sandbox = Sandbox::new();
    for (index, failure) in failures().iter().enumerate() {
        for printed in printed(failure).iter().filter(|p| p.language == "python str") {
            let oddity = ODDITIES[index % ODDITIES.len()];
            let text = format!("{oddity}{}{oddity}", printed.text);
            let lines = sandbox.told([&text]);
            assert_eq!(lines.len(), 1, "{text:?}");
            let evidence = lines[0]["diagnosis"]["evidence"].as_object().unwrap();
            for value in evidence.values().chain([&lines[0]["message"]]) {
                assert!(!value.as_str().unwrap_or_default().contains(char::is_control), "{value}");
            }
        }
    }
}
