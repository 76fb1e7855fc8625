//! Words by which a log says that what failed is tried again.

/// More of a text is not looked at.
const MAX_BYTES: usize = 2 * 1024;

/// Whether a text says so: a failure that may be followed by a success.
pub(super) fn speaks_of_retry(text: &str) -> bool {
    let text = text[..text.floor_char_boundary(MAX_BYTES)].to_ascii_lowercase();
    will_retry(&text) || has_attempts_left(&text)
}

fn will_retry(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "retrying",
        "will retry",
        "will be retried",
        "will try again",
        "trying again",
        "retry needed",
        "backing off",
        "retry in ",
        // It went well in the end.
        "succeeded after ",
        "recovered from ",
        "recovered after ",
    ];
    // `not retrying`, `gave up after retrying`, `retrying: false`.
    const NOT_BEFORE: [&str; 10] = [
        "not ", "n't ", "never ", "be ", "after ", "without ", "stopped ", "longer ", "while ", "_",
    ];
    // A panic that Go recovered from is what failed.
    const NOT_AFTER: [&str; 6] = ["=false", ": false", "\": false", "\":false", " failed", "panic"];
    any_where(text, &WORDS, |before, after| {
        !NOT_BEFORE.iter().any(|no| before.ends_with(no))
            && !NOT_AFTER.iter().any(|no| after.starts_with(no))
    })
}

/// `attempt 1/3`, `(attempt 1 of 3)`, and not the last of them.
fn has_attempts_left(text: &str) -> bool {
    let number = |text: &str| -> Option<(u32, usize)> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        Some((text[..digits].parse().ok()?, digits))
    };
    const WORDS: [&str; 6] = ["attempt ", "attempt #", "attempt: ", "attempt=", "try ", "retry "];
    any_where(text, &WORDS, |_, rest| {
        let Some((this, digits)) = number(rest) else { return false };
        let rest = &rest[digits..];
        let all = ["/", " of ", " / "].iter().find_map(|of| number(rest.strip_prefix(of)?));
        all.is_some_and(|(all, _)| this < all)
    })
}

/// Whether one of the words stands where `is_it` says so of what is before and after it. Each is ASCII, and
/// begins with one of a few letters: one pass for all of them, as every error's text is asked for these.
fn any_where(text: &str, words: &[&str], is_it: impl Fn(&str, &str) -> bool) -> bool {
    let is_begin = |b: u8| matches!(b, b'a' | b'b' | b'r' | b's' | b't' | b'w');
    debug_assert!(words.iter().all(|word| word.is_ascii() && is_begin(word.as_bytes()[0])));
    let mut begins = text.bytes().enumerate().filter(|(_, b)| is_begin(*b)).map(|(at, _)| at);
    begins.any(|at| {
        let (before, from_here) = text.split_at(at);
        words
            .iter()
            .any(|word| from_here.strip_prefix(word).is_some_and(|after| is_it(before, after)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_be_tried_again() {
        for text in [
            "Retrying after DisabledException: x",
            "will retry in 5 s",
            "Retry needed, retrying request after delay of: 0.5",
            "attempt 1/3 failed: x",
            "failed (attempt 1 of 3)",
            "Attempt #2 of 5 failed",
            "Backing off handler(...) for 0.8s (x)",
            "the request will be retried",
            "Retry succeeded after DisabledException: x",
            "recovered from DisabledException: x",
        ] {
            assert!(speaks_of_retry(text), "{text}");
        }
    }

    #[test]
    fn what_was_tried_for_the_last_time() {
        for text in [
            "An error occurred (X) when calling the Decrypt operation (reached max retries: 4): x",
            "exceeded maximum number of attempts, 3, x",
            "(SDK Attempt Count: 3)",
            "attempt 3/3 failed: x",
            "gave up after retrying 3 times: x",
            "not retrying: x",
            "at software.amazon.awssdk.RetryableStage.execute(RetryableStage.java:81)",
            "retryable: true, attempts: 1",
            "retrying=false",
            "attempt 7 failed",
            "has not succeeded after 3 tries: x",
            "could not be recovered from: x",
            "recovered from panic: x",
        ] {
            assert!(!speaks_of_retry(text), "{text}");
        }
    }
}
