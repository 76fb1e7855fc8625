//! The user's own signatures: problems that they name themselves, in a TOML file.
//!
//! ```toml
//! [[signature]]
//! id = "payment-declined"
//! title = "the payment provider declined a payment"
//! any-of = ["PaymentDeclined", "card was declined"]
//! regex = 'order (?<order>[A-Z]+-\d+)'
//! ```
//!
//! A log record that holds what an entry asks for is the problem `custom:<id>`, which counts in the
//! metric `CustomProblems`. Each entry begins with a line `[[signature]]` of its own. Its keys:
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `id` | required | kebab-case, at most 48 bytes, once in the file |
//! | `title` | required | what has happened, at most 100 bytes: the line's message |
//! | `any-of` | `[]` | texts of which the record holds at least one |
//! | `all-of` | `[]` | texts all of which it holds; one text at least in one of the two |
//! | `none-of` | `[]` | texts none of which it holds |
//! | `regex` | none | an expression that matches too; what its named groups capture becomes evidence |
//! | `least-level` | `"info"` | the level from which on a line counts: `trace`, `debug`, `info`, `warn`, `error`; one that names no level counts |
//! | `level` | `"error"` | the diagnosis' own level, `error` or `warn` |
//! | `stage` | `"confirmed"` | or `suspected`, which counts in `SuspectedProblems` alone |
//! | `stream` | `"function"` | what the function writes; there is no other (see [`NO_OTHER_STREAM`]) |
//! | `advice` | none | what to do, at most 300 bytes |
//! | `reference` | none | an `https://` address, at most 200 bytes |
//!
//! - **Texts** are looked for as they stand, letters' case included; a list holds at most 16 of 3
//!   to 256 bytes. A record that is a JSON object is looked at as lines `name: value`, whatever is
//!   nested in it.
//! - **A text is required** as it is found in one pass for all detectors and signatures: records
//!   without any are not looked at. A regex alone would have to be tried on every record.
//! - **Regexes** take linear time ([`regex_lite`]: ASCII classes, no look-around, no
//!   back-references); `^` and `$` stand at lines' ends. A regex has at most 512 bytes and eight named
//!   groups.
//! - **In a record of more than 16 KiB** all of this applies to the 16 KiB around the first text.
//! - **Captured values** are shown as they are, for the user asked for them by name, up to 128
//!   bytes; but what follows the name of a secret or looks like one is masked (`captured.rs`).
//! - **What is wrong** with an entry costs that entry.

mod captured;
mod entry;
mod looking;

use crate::detector::{Detector, Sign};
use crate::finding::Stage;
use crate::level::Level;
use crate::text::Text;
use regex_lite::Regex;
use std::fmt::{self, Display};
use std::ops::Range;

/// The most bytes of a file that are read.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// The most signatures.
pub const MAX_SIGNATURES: usize = 200;

/// What the names of all these problems begin with.
pub const CUSTOM_PREFIX: &str = "custom:";
/// The metric that they all count in.
pub const METRIC: &str = "CustomProblems";

/// Whether this is what the problem of a signature may be called.
#[must_use]
pub fn is_custom_problem(name: &str) -> bool {
    name.strip_prefix(CUSTOM_PREFIX).is_some_and(entry::is_id)
}

/// Why no other stream than `function` is accepted.
///
/// Telemetry's `function` records hold what the runtime process and the function wrote, without a
/// word of whether it was to standard output or to standard error. Its `extension` records are not
/// subscribed to: this extension's own lines are among them, so that each would bring about another.
pub const NO_OTHER_STREAM: &str = "`stream` can only be \"function\": Lambda does not tell standard output from standard error, and the records of extensions are not subscribed to, as the lines of this one are among them";

/// A problem that the user has named: read and compiled, but not yet looked for.
#[derive(Debug)]
pub struct Signature {
    /// `custom:<id>`
    problem: String,
    title: String,
    /// Empty if there is none, as is the reference.
    advice: String,
    reference: String,
    level: Level,
    stage: Stage,
    least_level: Level,
    /// One of them is found before anything else is looked at.
    keys: Vec<Key>,
    all_of: Vec<String>,
    none_of: Vec<String>,
    regex: Option<Regex>,
}

impl Signature {
    /// The problem's name in the lines, `custom:<id>`.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What it is, in the user's words.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What to do about it, in the user's words; empty if they gave none.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }

    /// The address that explains it; empty if the user gave none.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

/// A text, and the part of it that is looked for.
#[derive(Debug)]
struct Key {
    text: String,
    /// The longest part that reads the same in a record's text and in the JSON it may be sent as.
    anchor: Range<usize>,
}

impl Key {
    fn anchor(&self) -> &str {
        &self.text[self.anchor.clone()]
    }
}

/// What is wrong with a file of signatures, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong there, in words for whoever wrote it.
    pub reason: String,
}

impl Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for SignatureError {}

/// Reads a file of signatures: those that make sense, and what is wrong with the rest. Any bytes
/// will do; what is past [`MAX_FILE_BYTES`] and [`MAX_SIGNATURES`] is left out, and said to be.
#[must_use]
pub fn parse(file: &[u8]) -> (Vec<Signature>, Vec<SignatureError>) {
    let mut signatures: Vec<Signature> = Vec::new();
    let mut errors = Vec::new();
    let read = &file[..file.len().min(MAX_FILE_BYTES)];
    let mut parts = parts(read.strip_prefix(b"\xef\xbb\xbf").unwrap_or(read));
    if file.len() > MAX_FILE_BYTES {
        let line = parts.pop().map_or(1, |cut| cut.line);
        let reason = format!(
            "the file is longer than {MAX_FILE_BYTES} bytes, and what begins here is not all within them: it is left out, and what follows"
        );
        errors.push(SignatureError { line, reason });
    }
    for part in parts {
        if signatures.len() >= MAX_SIGNATURES {
            let reason = format!(
                "there are more than {MAX_SIGNATURES} signatures: those from here on are left out"
            );
            errors.push(SignatureError { line: part.line, reason });
            break;
        }
        match part.signature() {
            Ok(None) => {}
            Ok(Some(signature)) => {
                if signatures.iter().any(|other| other.problem == signature.problem) {
                    let id = signature.problem.trim_start_matches(CUSTOM_PREFIX);
                    let reason = format!("`id` \"{id}\" stands above already");
                    errors.push(SignatureError { line: part.line, reason });
                } else {
                    signatures.push(signature);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if signatures.is_empty() && errors.is_empty() {
        let reason = "the file holds no [[signature]]".to_owned();
        errors.push(SignatureError { line: 1, reason });
    }
    errors.sort_by_key(|error| error.line);
    (signatures, errors)
}

/// An entry with its header, or what stands before the first.
struct Part<'a> {
    bytes: &'a [u8],
    line: usize,
}

/// The file, parted at each line `[[signature]]`: so a quote or a bracket that is never closed costs
/// its own entry alone.
fn parts(file: &[u8]) -> Vec<Part<'_>> {
    let mut parts = vec![Part { bytes: &[], line: 1 }];
    let (mut start, mut at) = (0, 0);
    for (index, line) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if is_header(line) {
            parts.push(Part { bytes: &[], line: index + 1 });
            start = at;
        }
        at += line.len();
        if let Some(part) = parts.last_mut() {
            part.bytes = &file[start..at];
        }
    }
    parts
}

fn is_header(line: &[u8]) -> bool {
    let name = line.trim_ascii_start().strip_prefix(b"[[").map(<[u8]>::trim_ascii_start);
    let end = name.and_then(|name| name.strip_prefix(b"signature")).map(<[u8]>::trim_ascii_start);
    end.is_some_and(|end| end.starts_with(b"]]"))
}

/// Signatures that are looked for, for as long as the process lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signatures(pub(crate) &'static [Watched]);

/// A signature with what makes it a detector among the others.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) signature: &'static Signature,
    pub(crate) detector: Detector,
}

impl Signatures {
    /// Keeps them: like a detector, a signature is never given up. So call it once in a process;
    /// what a file may hold bounds how much is kept.
    #[must_use]
    pub fn keep(signatures: Vec<Signature>) -> Self {
        let signatures: &'static [Signature] = Vec::leak(signatures);
        Self(Vec::leak(signatures.iter().map(Watched::new).collect()))
    }

    /// The names of the problems.
    pub fn problems(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|watched| watched.detector.problem)
    }
}

impl Watched {
    fn new(signature: &'static Signature) -> Self {
        let texts: Vec<Text> =
            signature.keys.iter().map(|key| Text::of_signature(key.anchor())).collect();
        let detector = Detector {
            problem: &signature.problem,
            title: &signature.title,
            level: signature.level,
            metric: METRIC,
            advice: &signature.advice,
            causes: &[],
            reference: &signature.reference,
            outranks: &[],
            views: &[],
            signs: &[Sign::Log],
            knobs: &[],
            texts: Vec::leak(texts),
            // The rule needs the signature: see `Signature::examine`.
            examine: |_| None,
        };
        Self { signature, detector }
    }
}

#[cfg(test)]
mod tests;
