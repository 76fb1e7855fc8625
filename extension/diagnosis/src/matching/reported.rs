//! Whether an error's name stands where something reports it.

/// Whether a name stands by itself, and is no part of another.
pub(super) fn is_whole_word(before: &str, after: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    // A logger that quotes a text writes its line breaks as letters.
    let is_begin = !before.ends_with(is_word)
        || ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape));
    is_begin && !after.starts_with(is_word)
}

/// Whether an error's name stands where something reports it, and is not merely mentioned.
pub(super) fn is_reported(name: &str, before: &str, after: &str) -> bool {
    // What it belongs to: `com.amazonaws.kms#`, `Amazon.KeyManagementService.Model.`,
    // `Aws::KMS::Errors::`.
    let (lead, path) = before.split_at(path_start(before));
    // A file's error, though a service may have one of the same name.
    if path.ends_with("java.nio.file.") {
        return false;
    }
    // `Name: message`, as stack traces, Go and Java print; not code: `Name::class`, `except Name:`.
    if after.starts_with(':') && !after.starts_with("::") {
        return true;
    }
    let in_brackets = || {
        // boto3: `An error occurred (Name) when calling …`.
        let is_boto3 = lead.ends_with('(') && after.starts_with(") when calling");
        // Rust: `unhandled error (Name)` and, where the class has another name, `Class [Name]: …`.
        let is_rust = (lead.ends_with("unhandled error (") && after.starts_with(')'))
            || (lead.ends_with(" [") && after.starts_with("]: "));
        // Ruby: `message (Aws::KMS::Errors::Name)`, `Function<Aws::KMS::Errors::Name>`.
        let is_ruby = path.ends_with("::Errors::")
            && ((lead.ends_with('(') && after.starts_with(')'))
                || (lead.ends_with('<') && after.starts_with('>')));
        let is_xml = lead.ends_with("<Code>") && after.starts_with("</Code>");
        is_boto3 || is_rust || is_ruby || is_xml
    };
    // `Name(Name { …`, `Name { message: …`, Rust's Debug.
    let is_variant = after.strip_prefix('(').is_some_and(|a| skip_space(a).starts_with(name))
        || after.strip_prefix(" {").is_some_and(|a| skip_space(a).starts_with("message: "));
    // `Name (client): message`, PHP.
    let has_side = || after.starts_with(" (client)") || after.starts_with(" (server)");
    // `com.amazonaws.kms#Name`, a service's own answer.
    path.ends_with('#') || is_variant || has_side() || in_brackets() || is_value(lead, after)
}

const LINE_BREAK: &str = "\\n";

/// A text from its first word on, behind line breaks that a logger may have written as letters.
fn skip_space(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix(LINE_BREAK).map_or(text, str::trim_start)
}

/// A text up to its last word likewise, the backslash of a quote that was to follow left out.
fn skip_space_back(text: &str) -> &str {
    let text = text.trim_end_matches('\\').trim_end();
    text.strip_suffix(LINE_BREAK).map_or(text, str::trim_end)
}

/// Where the path begins that a text ends in: names that are joined by `.`, `$`, `#` or `::`. No
/// farther back than paths are long: a record may hold very many names.
fn path_start(text: &str) -> usize {
    // No path is longer; a record may be one word of a megabyte with an error's name all over it.
    const MAX_PATH_BYTES: usize = 256;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '#');
    let begin = text.ceil_char_boundary(text.len().saturating_sub(MAX_PATH_BYTES));
    let mut rest = &text[begin..];
    loop {
        let shorter = rest.trim_end_matches(is_name);
        let shorter = shorter.strip_suffix("::").unwrap_or(shorter);
        if shorter.len() == rest.len() {
            return begin + rest.len();
        }
        rest = shorter;
    }
}

/// Whether what stands between these is a value: `"errorType": "Name"`, `Error Code: Name;`,
/// `error=Name`, `code: Some("Name")`. A bare word after a colon in running text is a mention.
fn is_value(before: &str, after: &str) -> bool {
    let quote: &[char] = &['"', '\''];
    let unquoted = before.strip_suffix(quote);
    let ends_here = if unquoted.is_some() {
        // JSON within JSON escapes its quotes.
        after.trim_start_matches('\\').starts_with(quote)
    } else {
        after.is_empty() || after.starts_with(['\n', '\r', ';', '}', ')', ' '])
    };
    let (key, is_bare) = (unquoted.unwrap_or(before), unquoted.is_none());
    let key = skip_space_back(key).trim_end_matches([' ', '\\', '"', '\'']);
    let key = key.strip_suffix("Some(").map_or(key, str::trim_end);
    // Python's: the key that a dictionary lacks.
    let is_lacking = key.ends_with("KeyError:");
    ends_here
        && !is_lacking
        && (key.ends_with('=') || key.ends_with(':'))
        && (!is_bare || key.ends_with('=') || !after.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(record: &str) -> bool {
        let name = "DisabledException";
        let start = record.find(name).unwrap();
        let (before, after) = (&record[..start], &record[start + name.len()..]);
        is_whole_word(before, after) && is_reported(name, before, after)
    }

    #[test]
    fn an_error_that_is_reported() {
        for record in [
            "An error occurred (DisabledException) when calling the Decrypt operation: x",
            "botocore.errorfactory.DisabledException: An error occurred",
            "com.amazonaws.services.kms.model.DisabledException: arn is disabled.",
            "(Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: a)",
            "operation error KMS: Decrypt, api error DisabledException: arn is disabled",
            r#"{"errorType": "DisabledException", "errorMessage": "x"}"#,
            r#"{\"errorType\":\"DisabledException\",\"errorMessage\":\"x\"}"#,
            r#"{"__type":"com.amazonaws.kms#DisabledException"}"#,
            "  name: 'DisabledException',",
            "ServiceError(ServiceError { source: DisabledException(DisabledException { message: ",
            "errorType: DisabledException\nerrorMessage: x",
            "level=error code=DisabledException op=Decrypt",
            r#"err="could not load\nDisabledException: x""#,
            r#"{"errorType":"software.amazon.awssdk.services.kms.model.DisabledException"}"#,
            "/var/task/app.rb:8:in `call': x (Aws::KMS::Errors::DisabledException)",
            r#"{"errorType":"Function<Aws::KMS::Errors::DisabledException>"}"#,
            "<Code>DisabledException</Code><Message>x</Message>",
            "x-amzn-ErrorType: DisabledException:http://internal.amazon.com/coral/com.amazonaws.kms/",
            "DisabledException (client): x - {",
            "unhandled error (DisabledException)",
            "KmsDisabled [DisabledException]: x",
            "DisabledException { message: Some(",
            r#"ServiceError(\n    DisabledException(\n        DisabledException {\n"#,
            r#"code: Some(\n    \"DisabledException\",\n)"#,
            "code: Some(\n    \"DisabledException\",\n)",
        ] {
            assert!(reported(record), "{record}");
        }
    }

    #[test]
    fn an_error_that_is_mentioned() {
        for record in [
            "retry on DisabledException or throttling",
            "catch (DisabledException e) {",
            r#"retryable: ["DisabledException", "Throttling"]"#,
            "MyDisabledException: x",
            "java.nio.file.DisabledException: x",
            "DisabledExceptionHandler: x",
            "use DisabledException::class",
            "We handle: DisabledException and others",
            "[ERROR] KeyError: 'DisabledException'",
            "see DisabledException.",
            "rescue Aws::KMS::Errors::DisabledException => e",
            "retried on (DisabledException), [DisabledException] and <DisabledException>",
        ] {
            assert!(!reported(record), "{record}");
        }
    }
}
