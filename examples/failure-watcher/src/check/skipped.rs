//! What could not be asked.

use super::access::CallError;
use std::collections::BTreeMap;

/// What could not be asked in one check, how often, and of what first.
#[derive(Debug, Default)]
pub(super) struct Skipped(BTreeMap<CallError, (u64, String)>);

impl Skipped {
    /// Asks for what an action gives of `about` (empty: of the account). What was once not answered in a
    /// check is not asked again in it: an endpoint that cannot be reached would take all the time there is.
    pub(super) async fn ask<T>(
        &mut self,
        action: &'static str,
        about: &str,
        question: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let unanswered = CallError::Unanswered(action);
        let answer = match self.0.contains_key(&unanswered) {
            true => Err(unanswered),
            false => question.await,
        };
        answer.map_err(|error| self.note(error, about)).ok()
    }

    pub(super) fn note(&mut self, error: CallError, about: &str) {
        self.0.entry(error).or_insert_with(|| (0, about.to_owned())).0 += 1;
    }

    /// A line for each reason, and that reason, which stays the same where the number changes.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(error, (times, first))| {
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
    async fn what_was_not_answered_is_not_asked_again() {
        let mut skipped = Skipped::default();
        let unanswered = async || Err::<u8, _>(CallError::Unanswered("kms:DescribeKey"));
        assert_eq!(skipped.ask("kms:DescribeKey", "a", unanswered()).await, None);
        let never = async { unreachable!("asked again") };
        assert_eq!(skipped.ask::<u8>("kms:DescribeKey", "b", never).await, None);
        assert_eq!(skipped.ask("tag:GetResources", "", async { Ok(1) }).await, Some(1));
        let lines: Vec<_> = skipped.lines().map(|(_, line)| line).collect();
        let line = "skipped 2 times: kms:DescribeKey was not answered (first of all for a)";
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
