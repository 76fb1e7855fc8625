//! What could not be asked.

use super::access::CallError;
use std::collections::BTreeMap;

/// An action that was not answered for so many functions in a row is not asked for the others: an endpoint
/// that cannot be reached would take all the time there is. One answer may get lost.
const MOST_UNANSWERED: u32 = 2;

/// What could not be asked in one check.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// How often, and of what first.
    times: BTreeMap<CallError, (u64, String)>,
    unanswered_in_a_row: BTreeMap<&'static str, u32>,
    answers: u64,
}

impl Skipped {
    /// Asks for what an action gives of `about` (empty: of the account).
    pub(super) async fn ask<T>(
        &mut self,
        action: &'static str,
        about: &str,
        question: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let answer = match self.is_given_up(action) {
            true => Err(CallError::Unanswered(action)),
            false => question.await,
        };
        let in_a_row = self.unanswered_in_a_row.entry(action).or_default();
        match answer {
            Err(CallError::Unanswered(_)) => *in_a_row += 1,
            _ => *in_a_row = 0,
        }
        self.answers += u64::from(answer.is_ok());
        answer.map_err(|error| self.note(error, about)).ok()
    }

    /// Whether an action is not asked any more.
    fn is_given_up(&self, action: &str) -> bool {
        self.unanswered_in_a_row.get(action).is_some_and(|times| *times >= MOST_UNANSWERED)
    }

    /// How many questions were answered so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    pub(super) fn note(&mut self, error: CallError, about: &str) {
        self.times.entry(error).or_insert_with(|| (0, about.to_owned())).0 += 1;
    }

    /// A line for each reason, and that reason, which stays the same where the number changes.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, String)> {
        self.times.iter().map(|(error, (times, first))| {
            let reason = error.to_string();
            let line = match (times, first.is_empty() || matches!(error, CallError::NoFunction(_)))
            {
                (1, true) => format!("skipped: {reason}"),
                (1, false) => format!("skipped: {reason} ({first})"),
                (n, true) => format!("skipped {n} times: {reason}"),
                (n, false) => format!("skipped {n} times: {reason} (first of all for {first})"),
            };
            (reason, line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_not_answered_twice_in_a_row_is_not_asked_again() {
        const KEY: &str = "kms:DescribeKey";
        let mut skipped = Skipped::default();
        let unanswered = async || Err::<u8, _>(CallError::Unanswered(KEY));
        // One answer may get lost.
        assert_eq!(skipped.ask(KEY, "a", unanswered()).await, None);
        assert_eq!(skipped.ask(KEY, "b", async { Ok(1) }).await, Some(1));
        assert_eq!(skipped.ask(KEY, "c", unanswered()).await, None);
        assert_eq!(skipped.ask(KEY, "d", unanswered()).await, None);
        assert!(skipped.is_given_up(KEY));
        let never = async { unreachable!("asked again") };
        assert_eq!(skipped.ask::<u8>(KEY, "e", never).await, None);
        assert_eq!(skipped.ask("tag:GetResources", "", async { Ok(1) }).await, Some(1));
        assert_eq!(skipped.answers(), 2);
        let lines: Vec<_> = skipped.lines().map(|(_, line)| line).collect();
        let line = "skipped 4 times: kms:DescribeKey was not answered (first of all for a)";
        assert_eq!(lines, [line]);
    }

    #[tokio::test]
    async fn what_is_refused_is_asked_of_the_next_all_the_same() {
        let mut skipped = Skipped::default();
        let denied = async || Err(CallError::NotPermitted("kms:DescribeKey"));
        assert_eq!(skipped.ask::<u8>("kms:DescribeKey", "a", denied()).await, None);
        assert_eq!(skipped.ask("kms:DescribeKey", "b", async { Ok(1) }).await, Some(1));
    }
}
