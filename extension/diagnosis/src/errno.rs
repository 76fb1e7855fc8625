//! The texts of failed system calls, as each language writes them, and the path they are about.

use crate::mask::is_boundary;

/// Whether an errno's text stands where something reports it, and not in a sentence:
/// `[Errno 13] Permission denied: '/x'`, `open /x: permission denied`, `/x (Permission denied)`,
/// `Permission denied (os error 13)`, `Permission denied @ rb_sysopen - /x`.
pub(crate) fn is_reported(before: &str, after: &str) -> bool {
    const BEGINNINGS: [&str; 7] = [": ", "] ", "(", "\n", "\r", "\"", "'"];
    const ENDS: [&str; 21] = [
        ":",
        ",",
        ")",
        ".",
        ";",
        "]",
        "}",
        "\n",
        "\r",
        "\"",
        "'",
        "\\",
        " (os error ",
        " @ ",
        " : '",
        " - ",
        " '/",
        " [",
        " at ",
        " in /",
        " /",
    ];
    (before.is_empty()
        || BEGINNINGS.iter().any(|beginning| before.ends_with(beginning))
        || is_of_php(before))
        && (after.is_empty() || ENDS.iter().any(|end| after.starts_with(end)))
}

/// A path beside an errno's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// Absolute.
    pub(crate) path: &'a str,
    /// Whether the text is about it: it stands next to it or, where none does, the line bears the
    /// mark of a failed system call. Otherwise both merely stand in one line.
    pub(crate) is_its_own: bool,
}

/// How far from the text a path is looked for.
const MAX_REACH: usize = 512;
/// How far behind the text its path stands at most, behind the name of a call:
/// `, copyfile '/x'`, ` (os error 13): /x`.
const MAX_GAP: usize = 24;

/// The absolute paths in the line of the text at `start..end`: those behind it first, then those
/// before it, the nearest first.
pub(crate) fn paths(text: &str, start: usize, end: usize) -> Vec<Named<'_>> {
    let is_end = |c: char| matches!(c, '\n' | '\r');
    let before = &text[text.floor_char_boundary(start.saturating_sub(MAX_REACH))..start];
    let before = before.rsplit(is_end).next().unwrap_or(before);
    let after = &text[end..text.floor_char_boundary(end + MAX_REACH)];
    let after = after.split(is_end).next().unwrap_or(after);
    // Next to the text, or next to such a one: a file is renamed from one path to another.
    let mut last = None;
    let behind = words(after).map(|(at, path)| {
        let is_its_own = at <= MAX_GAP || last.is_some_and(|last| is_arrow(&after[last..at]));
        last = is_its_own.then_some(at + path.len());
        Named { path, is_its_own }
    });
    let mut found: Vec<_> = behind.collect();
    let ahead = words(before).map(|(at, path)| {
        let between = &before[at + path.len()..];
        Named { path, is_its_own: between.bytes().all(|b| !b.is_ascii_alphanumeric()) }
    });
    let ahead: Vec<_> = ahead.collect();
    found.extend(ahead.into_iter().rev());
    if is_marked(before, after) && !found.iter().any(|named| named.is_its_own) {
        found.iter_mut().for_each(|named| named.is_its_own = true);
    }
    found
}

/// Between the two paths of one call: `'/a' -> '/b'`.
fn is_arrow(between: &str) -> bool {
    between.trim_matches(['\'', '"', ' ']) == "->"
}

/// The first path around this place: where an error and its path are separate fields of a record.
pub(crate) fn any_path(text: &str, at: usize, is_sought: impl Fn(&str) -> bool) -> Option<&str> {
    let from = text.floor_char_boundary(at.saturating_sub(MAX_RECORD));
    let around = &text[from..text.floor_char_boundary(at + MAX_RECORD)];
    words(around).map(|(_, path)| path).find(|path| is_sought(path))
}

/// Whether the text at `start..end` bears the mark of a failed system call of this process: what a
/// server reports of its own bears none.
pub(crate) fn is_own_call(text: &str, start: usize, end: usize) -> bool {
    let before = &text[text.floor_char_boundary(start.saturating_sub(MAX_REACH))..start];
    let after = &text[end..text.floor_char_boundary(end + MAX_REACH)];
    is_marked(before.rsplit(['\n', '\r']).next().unwrap_or(before), after)
        || before.ends_with("IOException: ")
        || before.rfind("Os { code: ").is_some_and(|at| before.len() - at <= MAX_OS_ERROR)
        || is_of_php(before)
        || after.starts_with(" (Errno::")
        || after.starts_with(" @ ")
}

/// What Node.js says of a process that it could not start, before what was to be started and the
/// errno's name: `Error: spawn /opt/bin/convert EAGAIN`.
pub(crate) const NODE_SPAWN: &str = "Error: spawn ";

/// Whether that is the errno's name, given the text behind [`NODE_SPAWN`].
pub(crate) fn is_of_spawn(after: &str, code: &str) -> bool {
    let line = after.split(['\n', '\r']).next().unwrap_or(after);
    // JSON and quoting loggers end it with a quote or a line break of letters.
    line.split([' ', '"', '\'', '\\']).take(2).any(|word| word == code)
}

/// `file_put_contents(): Write of 450704 bytes failed with errno=28 `
fn is_of_php(before: &str) -> bool {
    let number = before.strip_suffix(' ').map(|b| b.trim_end_matches(|c: char| c.is_ascii_digit()));
    number.is_some_and(|before| before.ends_with(" failed with errno="))
}

/// How long Rust's `Os { code: 28, kind: StorageFull, message: ` is at most.
const MAX_OS_ERROR: usize = 80;

/// How far from the text a path is looked for that stands in another field.
const MAX_RECORD: usize = 2_048;

/// `[Errno 13] `, ` (os error 13)`, `Errno::EACCES: `, `EACCES: `
fn is_marked(before: &str, after: &str) -> bool {
    let code = before.strip_suffix(": ").and_then(|b| b.rsplit(is_boundary).next());
    let code = code.map(|word| word.trim_start_matches("Errno::"));
    before.contains("[Errno ")
        || after.starts_with(" (os error ")
        || code.is_some_and(|code| {
            code.len() > 3
                && code.starts_with('E')
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
}

/// The absolute paths of a text, each with its place.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive(is_boundary).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let word = piece.trim_end_matches(is_boundary).trim_end_matches([':', '.']);
        let is_path = word.strip_prefix('/').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
                && !word.contains("/../")
        });
        is_path.then_some((start, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ermission denied";

    fn parts(line: &str) -> (usize, usize) {
        let at = line.find(TEXT).unwrap() - 1;
        (at, at + 1 + TEXT.len())
    }

    #[test]
    fn each_language_names_the_path_of_its_error() {
        for line in [
            "PermissionError: [Errno 13] Permission denied: '/mnt/efs/a b'",
            "Error: EACCES: permission denied, open '/mnt/efs/a'",
            "open /mnt/efs/a: permission denied",
            "java.io.FileNotFoundException: /mnt/efs/a (Permission denied)",
            "Permission denied (os error 13): /mnt/efs/a",
            "could not read the file \"/mnt/efs/a\" because of this: Permission denied (os error 13)",
            "Permission denied @ rb_sysopen - /mnt/efs/a (Errno::EACCES)",
            "System.IO.IOException: Permission denied : '/mnt/efs/a'",
        ] {
            let (start, end) = parts(line);
            assert!(is_reported(&line[..start], &line[end..]), "{line}");
            let found = paths(line, start, end);
            assert!(found[0].is_its_own && found[0].path.starts_with("/mnt/efs/a"), "{line}");
        }
    }

    #[test]
    fn node_names_what_could_not_be_started() {
        for after in [
            "EAGAIN",
            "EAGAIN\n    at x",
            "/opt/bin/a EAGAIN\n",
            "/opt/bin/a EAGAIN\"",
            "a EAGAIN\\n",
        ] {
            assert!(is_of_spawn(after, "EAGAIN"), "{after}");
        }
        for after in
            ["", "ENOENT", "/opt/bin/a ENOENT", "/opt/EAGAIN ENOENT", "a b EAGAIN", "a\nb EAGAIN"]
        {
            assert!(!is_of_spawn(after, "EAGAIN"), "{after}");
        }
    }

    #[test]
    fn a_sentence_reports_nothing() {
        for line in [
            "error: permission denied may be raised for /mnt/efs",
            "when permission denied: see /mnt/efs",
        ] {
            let (start, end) = parts(line);
            assert!(!is_reported(&line[..start], &line[end..]), "{line}");
        }
    }

    #[test]
    fn what_merely_stands_in_the_line_or_in_another_is_not_its_path() {
        let line = "copying /mnt/efs/a to the archive failed: permission denied";
        let (start, end) = parts(line);
        assert_eq!(paths(line, start, end), [Named { path: "/mnt/efs/a", is_its_own: false }]);
        let line = "OSError: [Errno 13] Permission denied: '/tmp/a' -> '/mnt/b' for /mnt/c";
        let (start, end) = parts(line);
        let own: Vec<_> = paths(line, start, end).iter().map(|named| named.is_its_own).collect();
        assert_eq!(own, [true, true, false]);
        let line = "x: permission denied\n  File \"/var/task/app.py\"\rat /var/task";
        let (start, end) = parts(line);
        assert_eq!(paths(line, start, end), []);
        let line = "https://example.org/mnt/a 1 / 2 /../x: permission denied";
        let (start, end) = parts(line);
        assert_eq!(paths(line, start, end), []);
    }
}
