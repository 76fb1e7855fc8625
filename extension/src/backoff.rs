//! Pauses between attempts.

use std::time::Duration;

/// Doubling pauses up to a longest. There is one client for each API here, so that they need no
/// jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    /// The first pause and the longest.
    #[must_use]
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest, attempts: 0 }
    }

    /// How many pauses there were.
    #[must_use]
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next pause's length.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        self.attempts = self.attempts.saturating_add(1);
        pause
    }

    /// The next pause.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_for_ever() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(35));
        let pauses: Vec<_> = (0..5).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 35, 35, 35]);
        for _ in 0..100 {
            backoff.next_pause();
        }
        assert_eq!(backoff.attempts(), 105);
    }
}
