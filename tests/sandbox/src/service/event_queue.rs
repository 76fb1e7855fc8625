//! What becomes of an asynchronous event: when it is tried again, and when Lambda gives it up.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// The longest that Lambda keeps an event, which is also the default.
pub const MAXIMUM_EVENT_AGE: Duration = Duration::from_secs(6 * 60 * 60);
/// As often Lambda retries a function's errors, at most and by default.
pub(crate) const MAXIMUM_RETRY_ATTEMPTS: u32 = 2;

/// The waits after a function's error: before the second attempt, and before the third.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The waits after throttling and after errors of Lambda's own: from this, doubled each time, to that.
const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// Why an event left the queue, as invocation records spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Success,
    /// The function failed, or could not be begun for a reason that is its own.
    Error,
    /// Lambda could not hand it the event: throttling, or an error of Lambda's own.
    NotTaken,
    /// No concurrency at all is reserved for the function.
    ZeroReservedConcurrency,
}

/// How long and how often a function's events are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) retry_attempts: u32,
    pub(crate) event_age: Duration,
}

/// One event in the queue.
#[derive(Debug, Clone)]
pub(crate) struct QueuedEvent {
    pub(crate) function: String,
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) trace_header: Option<String>,
    pub(crate) client_context: Option<String>,
    pub(crate) received: SystemTime,
    /// When it is tried next.
    pub(crate) due: SystemTime,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// Of those, after which the function had failed.
    pub(crate) errors: u32,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another, at the time that the event is due now.
    Again,
    /// None: this became of the event, at this time.
    Over(Condition, SystemTime),
}

impl QueuedEvent {
    /// Takes note of an attempt that ended at `now`.
    pub(crate) fn note(&mut self, attempt: Attempt, patience: Patience, now: SystemTime) -> Next {
        self.attempts += 1;
        let wait = match attempt {
            Attempt::Success => return Next::Over(Condition::Success, now),
            Attempt::ZeroReservedConcurrency => {
                return Next::Over(Condition::ZeroReservedConcurrency, now);
            }
            Attempt::Error => {
                let wait = RETRY_WAITS.get(self.errors as usize).copied();
                self.errors += 1;
                match wait {
                    Some(wait) if self.errors <= patience.retry_attempts => wait,
                    _ => return Next::Over(Condition::RetriesExhausted, now),
                }
            }
            Attempt::NotTaken => {
                let doublings = (self.attempts - self.errors - 1).min(16);
                (SHORTEST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF)
            }
        };
        // Lambda notices it when it takes the event up again, or a while before: not documented.
        let end = self.received + patience.event_age;
        if now + wait >= end {
            return Next::Over(Condition::EventAgeExceeded, end.max(now));
        }
        self.due = now + wait;
        Next::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Patience =
        Patience { retry_attempts: MAXIMUM_RETRY_ATTEMPTS, event_age: MAXIMUM_EVENT_AGE };

    fn event() -> QueuedEvent {
        QueuedEvent {
            function: "orders".into(),
            request_id: "1".into(),
            payload: Bytes::new(),
            trace_header: None,
            client_context: None,
            received: SystemTime::UNIX_EPOCH,
            due: SystemTime::UNIX_EPOCH,
            attempts: 0,
            errors: 0,
        }
    }

    /// The seconds at which attempts are made, each ending at once, and how and when it is over.
    fn play(patience: Patience, outcome: impl Fn(usize) -> Attempt) -> (Vec<u64>, Condition, u64) {
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut event = event();
        let mut tried = Vec::new();
        loop {
            let now = event.due;
            tried.push(seconds(now).as_secs());
            match event.note(outcome(tried.len()), patience, now) {
                Next::Again => assert!(event.due > now),
                Next::Over(condition, at) => return (tried, condition, seconds(at).as_secs()),
            }
        }
    }

    #[test]
    fn errors_are_retried_after_one_minute_and_after_two() {
        let (tried, condition, over) = play(USUAL, |_| Attempt::Error);
        assert_eq!((tried, condition, over), (vec![0, 60, 180], Condition::RetriesExhausted, 180));
        for attempts in 0..2 {
            let patience = Patience { retry_attempts: attempts, ..USUAL };
            assert_eq!(play(patience, |_| Attempt::Error).0.len(), attempts as usize + 1);
        }
        let (tried, condition, _) =
            play(USUAL, |n| if n == 2 { Attempt::Success } else { Attempt::Error });
        assert_eq!((tried.len(), condition), (2, Condition::Success));
    }

    #[test]
    fn throttling_is_retried_for_six_hours_ever_more_rarely() {
        let (tried, condition, over) = play(USUAL, |_| Attempt::NotTaken);
        assert_eq!(tried[..11], [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811]);
        assert!(tried[10..].windows(2).all(|pair| pair[1] - pair[0] == 300));
        assert_eq!((condition, over), (Condition::EventAgeExceeded, 6 * 60 * 60));
        assert!(over - tried.last().unwrap() <= 300);
    }

    #[test]
    fn throttling_uses_up_none_of_the_function_s_retries() {
        let (tried, condition, _) =
            play(USUAL, |n| if n <= 3 { Attempt::NotTaken } else { Attempt::Error });
        assert_eq!(tried, [0, 1, 3, 7, 67, 187]);
        assert_eq!(condition, Condition::RetriesExhausted);
    }

    #[test]
    fn an_event_becomes_no_older_than_it_may() {
        let patience = Patience { event_age: Duration::from_secs(60), ..USUAL };
        let (tried, condition, over) = play(patience, |_| Attempt::Error);
        assert_eq!((tried, condition, over), (vec![0], Condition::EventAgeExceeded, 60));
        let (tried, condition, over) = play(patience, |_| Attempt::NotTaken);
        assert_eq!(tried, [0, 1, 3, 7, 15, 31]);
        assert_eq!((condition, over), (Condition::EventAgeExceeded, 60));
    }

    #[test]
    fn without_any_concurrency_an_event_is_given_up_at_once() {
        let (tried, condition, over) = play(USUAL, |_| Attempt::ZeroReservedConcurrency);
        assert_eq!((tried, condition, over), (vec![0], Condition::ZeroReservedConcurrency, 0));
    }
}
