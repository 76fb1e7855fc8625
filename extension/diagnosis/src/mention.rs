//! Where an error's text stands without anything having failed: in prose, documentation, markup, counts
//! and in accounts of what others did.

use std::ops::Range;

/// Words of people and papers that tell of an error. What follows one in its line is quoted, unless the
/// line has a level, for then a logger has judged it. None may be a word that a function would print before
/// an error of its own (`ticket 7 failed: …`, `staging: …`).
const NARRATORS: [&str; 15] = [
    "saw",
    "asks",
    "asked",
    "says",
    "say",
    "said",
    "wrote:",
    "mentions",
    "mentioned",
    "means",
    "e.g.",
    "example",
    "documentation",
    "runbook",
    "yesterday",
];

/// Where in a line what follows is told by somebody: behind the first such word.
pub(crate) fn narrated_from(line: &str) -> Option<usize> {
    let mut end = 0;
    line.split_inclusive([' ', '\t']).find_map(|word| {
        end += word.len();
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != ':');
        let is_it = |narrator: &&str| {
            word.eq_ignore_ascii_case(narrator)
                || word.strip_suffix(':').is_some_and(|w| w.eq_ignore_ascii_case(narrator))
        };
        NARRATORS.iter().any(is_it).then_some(end)
    })
}

/// Whether an error's name, with what stands before and after it, is named in documentation (`:raises
/// Name: if …`), in the attribute of a tag, in configuration (`alarm_name = "Name"`), or as what is
/// counted (`Name: 14`).
pub(crate) fn is_documented_or_counted(before: &str, after: &str) -> bool {
    // As far back as such words may reach: a line may hold very many names.
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(512))..];
    // `com.example.Name`
    let near = near.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "._$".contains(c));
    let line = near.rfind('\n').map_or(near, |newline| &near[newline + 1..]);
    is_documented(near, line) || is_attribute(line) || is_assigned(line) || is_counted(after)
}

fn is_documented(before: &str, line: &str) -> bool {
    const KEYWORDS: [&str; 3] = [":raises", "@throws", "except"];
    const HEADINGS: [&str; 2] = ["Raises:", "Throws:"];
    let is_keyword = |word: &str| KEYWORDS.contains(&word);
    line.ends_with(' ') && line.split_ascii_whitespace().next_back().is_some_and(is_keyword)
        || line.ends_with("retry on ")
        || line.ends_with("retries on ")
        || line.trim_ascii().is_empty()
            && HEADINGS.iter().any(|heading| before.trim_ascii_end().ends_with(heading))
}

/// `<option value="Name">`
fn is_attribute(line: &str) -> bool {
    let Some(line) = line.strip_suffix("=\"").or_else(|| line.strip_suffix("='")) else {
        return false;
    };
    // As far back as a tag may reach.
    let tag = &line[line.ceil_char_boundary(line.len().saturating_sub(256))..];
    let Some(tag) = tag.rfind(['<', '>']).map(|at| &tag[at..]) else { return false };
    tag.strip_prefix('<').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// `alarm_name = "Name"`, as configuration and code have it, and not `ErrorCode = "Name"`.
fn is_assigned(line: &str) -> bool {
    let key = line.strip_suffix(" = \"").or_else(|| line.strip_suffix(" = '"));
    let key = key.and_then(|line| line.rsplit([' ', '\t']).next());
    key.is_some_and(|key| {
        !["rror", "ode", "xception", "__name__"].iter().any(|part| key.contains(part))
    })
}

fn is_counted(after: &str) -> bool {
    let Some(count) = after.strip_prefix(':').map(str::trim_ascii_start) else { return false };
    let number = count.bytes().take_while(u8::is_ascii_digit).count();
    number > 0
        && count[number..].trim_start_matches([' ', ',']).chars().next().is_none_or(|c| c == '\n')
}

/// Whether JSON without a level is an account of what others did, by its fields as [`crate::log`] writes
/// them: CloudTrail's record of an API call, or metrics in the embedded format.
pub(crate) fn is_account(text: &str) -> bool {
    let has = |field: &str| {
        text.match_indices(field).any(|(at, _)| {
            // `eventName: …` of JSON or, where it is Python's or Node's, `'eventName': …`.
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            !text[..at].ends_with(is_word)
                && text[at + field.len()..].trim_start_matches(['\'', '"']).starts_with(':')
        })
    };
    let is_trail = has("eventVersion") && has("eventSource") && has("eventName");
    is_trail || has("Timestamp") && has("Namespace")
}

/// Fields by which an object is what another wrote or did, whatever error it names: an API call of
/// CloudTrail or a change in S3, a message of SQS, the record of a failed asynchronous invocation.
const EVENTS: [[&str; 2]; 3] =
    [["eventSource", "eventName"], ["messageId", "body"], ["requestPayload", "responsePayload"]];
/// Lambda's answer to an invocation that failed in the called function: that one's error, not this one's.
const FUNCTION_ERRORS: [&str; 2] = ["FunctionError", "functionError"];

/// The fields of an object, looked at for those by which it is another's.
#[derive(Debug, Default)]
pub(crate) struct EventFields {
    seen: [[bool; 2]; EVENTS.len()],
    is_function_error: bool,
}

impl EventFields {
    /// It has this field.
    pub(crate) fn note(&mut self, name: &str) {
        self.is_function_error |= FUNCTION_ERRORS.contains(&name);
        for (seen, names) in self.seen.iter_mut().zip(EVENTS) {
            for (seen, field) in seen.iter_mut().zip(names) {
                *seen |= field == name;
            }
        }
    }

    /// Whether the object is another's. The outermost has a logger's fields beside its own.
    pub(crate) fn is_of_another(&self, is_outermost: bool) -> bool {
        self.is_function_error || !is_outermost && self.seen.contains(&[true; 2])
    }
}

/// Where a text holds such objects, as JSON or as Python and Node.js print them, in its order; and what
/// follows `FunctionError=` in a line. An object that does not end is none: its end may be that of a text
/// in it, and the error after it the function's own.
pub(crate) fn quoted_in(text: &str) -> Vec<Range<usize>> {
    /// Objects within more others are not looked at.
    const MAX_DEPTH: usize = 64;
    let mut open: Vec<(usize, EventFields)> = Vec::new();
    let (mut too_deep, mut word, mut quoted) = (0_usize, 0, Vec::<Range<usize>>::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if open.len() < MAX_DEPTH => open.push((at, EventFields::default())),
            b'{' => too_deep += 1,
            b'}' if too_deep > 0 => too_deep -= 1,
            b'}' => {
                if let Some((start, fields)) = open.pop()
                    && fields.is_of_another(false)
                {
                    // Those in it.
                    quoted.truncate(quoted.partition_point(|inner| inner.start < start));
                    quoted.push(start..at);
                }
            }
            b':' | b'=' => {
                // `"name": …`, `'name': …`, `\"name\":…`, `name=…`
                let name = text[word..at].trim_end_matches(['\\', '"', '\'']);
                if let Some((_, fields)) = open.last_mut() {
                    fields.note(name);
                } else if FUNCTION_ERRORS.contains(&name) {
                    let end = text[at..].find('\n');
                    quoted.push(at..end.map_or(text.len(), |end| at + end));
                }
            }
            _ => {}
        }
        let is_quote = matches!(byte, b'\\' | b'"' | b'\'');
        let is_in_word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        // Behind a word the quote that ends it belongs to it.
        let ends_word = is_quote && text[word..at].starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_in_word && !ends_word {
            word = at + 1;
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_tells_of() {
        for line in [
            "we saw E: x",
            "as the docs say: E: x",
            "a customer wrote: \"E: x\"",
            "for example: E: x",
            "for example, E: x",
            "It was so yesterday: E: x",
        ] {
            assert!(
                narrated_from(line).is_some_and(|from| from <= line.find("E:").unwrap()),
                "{line}"
            );
        }
        for line in
            ["E: x", "could not read E: x, see the runbook", "com.example.E: x", "failed with E: x"]
        {
            assert!(
                narrated_from(line).is_none_or(|from| from > line.find("E:").unwrap()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_documented_or_counted() {
        let seen = |text: &str| {
            let (before, after) = text.split_once("NAME").unwrap();
            is_documented_or_counted(before, after)
        };
        for text in [
            "    :raises NAME: if the key is disabled",
            "Raises:\n        NAME: if the key is disabled",
            "except NAME:",
            ":raises com.example.NAME: if it is so",
            "Raises:\n    KMS.NAME: if it is so",
            "retry on NAME: yes",
            "<option value=\"NAME\">",
            "<handlers><handler a=\"b\" error='NAME' c=\"d\"/>",
            "alarm_name = \"NAME\"",
            "NAME: 14",
            "a: 3\nNAME: 0\nb: 4",
        ] {
            assert!(seen(text), "{text}");
        }
        for text in [
            "NAME: x",
            "api error NAME: x",
            "raised NAME: x",
            "in the catch NAME: x",
            "Raises:\nfailed: NAME: x",
            "<a>b</a> error=\"NAME\"",
            "1 < 2 error=\"NAME\"",
            "failed: ErrorCode = 'NAME'",
            "NAME: 14 attempts failed",
            "NAME:",
        ] {
            assert!(!seen(text), "{text}");
        }
    }

    #[test]
    fn what_the_object_of_another_says() {
        let is_quoted = |text: &str| {
            let error = text.find("E: x").unwrap();
            quoted_in(text).iter().any(|range| range.contains(&error))
        };
        for text in [
            r#"ERROR moved aside: {'messageId': '1', 'body': 'E: x'}"#,
            r#"ERROR seen: {\"eventSource\":\"kms\",\"eventName\":\"Decrypt\",\"errorCode\":\"E: x\"}"#,
            r#"ERROR {"requestPayload":{},"responsePayload":{"errorType":"E: x"}}"#,
            "ERROR orders answered FunctionError=Unhandled: E: x",
            "ERROR { StatusCode: 200, FunctionError: 'Unhandled', Payload: 'E: x' }",
            "ERROR moved {\n  messageId: '1',\n  body: '{\"a\":\"E: x\"}',\n  c: 'd'\n}",
            "ERROR é {'messageId': 'é', 'body': 'é E: x'}",
        ] {
            assert!(is_quoted(text), "{text}");
        }
        for text in [
            "ERROR E: x",
            "ERROR messageId=1 body=2 E: x",
            "ERROR failed {'messageId': '1', 'body': '{}'}: E: x",
            "ERROR failed {\n  messageId: '1',\n  body: '{}'\n} E: x",
            "ERROR failed {'messageId': '1', 'body': '{'}: E: x",
            "ERROR MyFunctionError: E: x",
            "ERROR a FunctionError E: x",
            "ERROR FunctionError: Unhandled\nE: x",
        ] {
            assert!(!is_quoted(text), "{text}");
        }
    }

    #[test]
    fn an_account_of_what_others_did() {
        assert!(is_account(
            "eventVersion: 1.09\neventSource: kms.amazonaws.com\neventName: Decrypt\n"
        ));
        assert!(is_account("{'eventVersion': '1.09', 'eventSource': 'x', 'eventName': 'Decrypt'}"));
        assert!(is_account("Timestamp: 1\nNamespace: Orders\nservice\nName: x\n"));
        assert!(!is_account("eventName: Decrypt\nerrorCode: AccessDenied\n"));
        assert!(!is_account("myeventVersion: 1\neventSource: x\neventName: y\n"));
    }
}
