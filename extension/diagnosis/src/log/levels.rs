//! Levels, as loggers write them.

use crate::aws_name::is_uuid;
use crate::level::Level;

/// A line's level stands within so many bytes, and among so many words.
const MAX_BEGINNING_BYTES: usize = 256;
const MAX_WORDS: usize = 10;

/// A number as OpenTelemetry writes it in `severityNumber` (1 trace … 24 fatal).
pub(super) fn level_of_severity_number(number: i64) -> Option<Level> {
    Some(match number {
        1..=4 => Level::Trace,
        5..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warn,
        17..=24 => Level::Error,
        _ => return None,
    })
}

/// A number as slog (-4 debug, 0 info, 4 warn, 8 error), syslog (7 debug … 3 error), pino and bunyan
/// (10 trace … 60 fatal) or Monolog (100 debug … 600 emergency) write it.
pub(super) fn level_of_number(number: i64) -> Level {
    match number {
        ..=-5 | 10..=19 => Level::Trace,
        -4..=-1 | 7 | 20..=29 | 100..=199 => Level::Debug,
        0 | 5 | 6 | 30..=39 | 200..=299 => Level::Info,
        4 | 40..=49 | 300..=399 => Level::Warn,
        _ => Level::Error,
    }
}

/// A word in any case of letters; `ERROR+2`, as slog writes what lies between two levels.
pub(super) fn level_of_word(word: &str) -> Option<Level> {
    const WORDS: [(&str, Level); 35] = [
        ("TRACE", Level::Trace),
        ("VERBOSE", Level::Trace),
        ("FINER", Level::Trace),
        ("FINEST", Level::Trace),
        ("DEBUG", Level::Debug),
        ("FINE", Level::Debug),
        ("CONFIG", Level::Debug),
        ("INFO", Level::Info),
        ("INFORMATION", Level::Info),
        ("NOTICE", Level::Info),
        ("SUCCESS", Level::Info),
        ("WARN", Level::Warn),
        ("WARNING", Level::Warn),
        ("ERROR", Level::Error),
        ("SEVERE", Level::Error),
        ("FATAL", Level::Error),
        ("CRITICAL", Level::Error),
        ("ALERT", Level::Error),
        ("EMERGENCY", Level::Error),
        ("PANIC", Level::Error),
        // Of three letters: Serilog, zerolog.
        ("VRB", Level::Trace),
        ("TRC", Level::Trace),
        ("DBG", Level::Debug),
        ("INF", Level::Info),
        ("WRN", Level::Warn),
        ("ERR", Level::Error),
        // Of four: .NET, logrus, log15.
        ("TRCE", Level::Trace),
        ("TRAC", Level::Trace),
        ("DBUG", Level::Debug),
        ("DEBU", Level::Debug),
        ("FAIL", Level::Error),
        ("CRIT", Level::Error),
        ("ERRO", Level::Error),
        ("EROR", Level::Error),
        ("FATA", Level::Error),
    ];
    let is_offset = |c: char| c.is_ascii_digit() || c == '+' || c == '-';
    let word = word.trim_end_matches(is_offset);
    WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

/// The level among a line's first words: `level=…`, `[error]`, in capitals, `error: …` with nothing
/// but times and names in brackets before it, or where Lambda's .NET runtime and klog have it.
pub(crate) fn level_of_line(line: &str) -> Option<Level> {
    let line = &line[..line.floor_char_boundary(MAX_BEGINNING_BYTES)];
    // `time<tab>REQUEST-ID<tab>info<tab>…`
    let mut fields = line.split('\t').skip(1);
    if fields.next().is_some_and(is_uuid)
        && let Some(level) = fields.next().and_then(level_of_word)
    {
        return Some(level);
    }
    // `E0301 12:00:00.020000 …`
    if let [letter @ (b'I' | b'W' | b'E' | b'F'), digits @ .., b' ', _, _, b':'] =
        line.as_bytes().get(..9).unwrap_or_default()
        && digits.iter().all(u8::is_ascii_digit)
    {
        return Some(match letter {
            b'I' => Level::Info,
            b'W' => Level::Warn,
            _ => Level::Error,
        });
    }
    let parts = |c: char| c.is_whitespace() || "|[](){},".contains(c);
    // A field `error: …` of an object stands further in.
    let mut is_first = !line.starts_with(char::is_whitespace);
    let mut awaits_value = false;
    for word in line.split(parts).filter(|word| !word.is_empty()).take(MAX_WORDS) {
        let value = std::mem::take(&mut awaits_value).then_some(word);
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        let is_bracketed = before.ends_with('[') && after.trim_start().starts_with(']');
        let level = value
            .and_then(|value| level_of_word(value.trim_matches(QUOTES)))
            .or_else(|| is_bracketed.then(|| level_of_word(word)).flatten())
            .or_else(|| level_of_field(word, &mut awaits_value))
            .or_else(|| is_first.then(|| level_in_small_letters(word)).flatten())
            .or_else(|| level_in_capitals(word));
        if level.is_some() {
            return level;
        }
        is_first &= before.ends_with('[') || word.starts_with(|c: char| c.is_ascii_digit());
    }
    None
}

const QUOTES: [char; 3] = ['"', '\'', '\\'];

/// `level=info`, `"level":"info"`; or the name alone, with its value to come.
fn level_of_field(word: &str, awaits_value: &mut bool) -> Option<Level> {
    const NAMES: [&str; 6] = ["level", "lvl", "severity", "levelname", "log.level", "loglevel"];
    let (name, value) = word.split_once(['=', ':'])?;
    let name = name.trim_matches(QUOTES);
    if !NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return None;
    }
    *awaits_value = value.is_empty();
    level_of_word(value.trim_matches(QUOTES))
}

/// `error:`; not `Error:`, which is the name of an error.
fn level_in_small_letters(word: &str) -> Option<Level> {
    let word = word.strip_suffix(':').filter(|word| !word.contains(char::is_uppercase))?;
    level_of_word(word)
}

/// `ERROR`, `<ERROR>`, `ERROR:root:failed`, `app.ERROR:`.
fn level_in_capitals(word: &str) -> Option<Level> {
    let name = word.split(':').next().unwrap_or(word);
    let name = if word.ends_with(':') { name.rsplit('.').next().unwrap_or(name) } else { name };
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_capital = name.starts_with(|c: char| c.is_ascii_uppercase())
        && !name.bytes().any(|b| b.is_ascii_lowercase());
    is_capital.then(|| level_of_word(name)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_level_is_none() {
        for line in [
            "an error of no level, Error: x",
            "Error: x",
            "could not load, info: none",
            "GET /INFORMATION/x",
            "ERRORS: 7",
            "E2026 of the manual",
            "level 7 of severity high",
            "",
        ] {
            assert_eq!(level_of_line(line), None, "{line}");
        }
    }
}
