//! Text without the escape sequences by which terminals show colours.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// The text without ANSI control sequences (`ESC [ … letter`): loggers put them around levels, names
/// and values, and they would hide where a word begins.
pub(crate) fn without_colours(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split(ESCAPE);
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // Parameters and intermediates, then the byte that ends it.
        let is_parameter = |c: char| (' '..='?').contains(&c);
        let sequence = piece.strip_prefix('[').map(|rest| rest.trim_start_matches(is_parameter));
        match sequence.and_then(|rest| rest.strip_prefix(|c: char| ('@'..='~').contains(&c))) {
            Some(rest) => plain.push_str(rest),
            None => {
                plain.push(ESCAPE);
                plain.push_str(piece);
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_everything_else_stays() {
        for (text, plain) in [
            ("plain", "plain"),
            ("\x1b[2m2026\x1b[0m \x1b[1;31mERROR\x1b[0m: x", "2026 ERROR: x"),
            ("\x1b[38;5;196mred\x1b[K", "red"),
            ("cut \x1b[3", "cut \x1b[3"),
            ("\x1b]0;title\x07", "\x1b]0;title\x07"),
            ("\x1b", "\x1b"),
            ("ä\x1b[31mö", "äö"),
        ] {
            assert_eq!(without_colours(text.into()), plain);
        }
    }
}
