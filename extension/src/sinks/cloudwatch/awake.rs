//! Time in which the sandbox is awake, counted in ticks: by it a freeze is one tick, however long it is and
//! whether or not a clock has counted it.

use crate::clock::Clock;
use aws_sdk_cloudwatch::config::{AsyncSleep, Sleep};
use std::pin::pin;
use std::time::Duration;

/// One tick.
pub(super) const TICK: Duration = Duration::from_millis(TICK_MS);
/// The same, for the loop.
pub(super) const TICK_MS: u64 = 50;
/// A tick that comes so much too late had a freeze in it, or the clock leapt.
const LATE_MS: u64 = 500;
/// So many ticks follow a freeze at least: what came meanwhile is there, but not read.
const TICKS_AFTER_FREEZE: u64 = 10;

/// How a piece of work went.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Worked<T> {
    /// What it gave; None if its time was over.
    pub(super) result: Option<T>,
    /// The sandbox was frozen amid it. A clock that leaps looks the same; no time is counted by this.
    pub(super) was_frozen: bool,
}

/// Works for that much time awake.
pub(super) async fn within<T>(
    time: Duration,
    clock: &Clock,
    work: impl Future<Output = T>,
) -> Worked<T> {
    let mut work = pin!(work);
    let mut ticks = ticks(time);
    let mut was_frozen = false;
    while ticks > 0 {
        ticks -= 1;
        let begun = clock.now();
        let result = tokio::select! {
            biased;
            result = &mut work => Some(result),
            () = tokio::time::sleep(TICK) => None,
        };
        if clock.now().ms_since(begun) > TICK_MS + LATE_MS {
            was_frozen = true;
            ticks = ticks.max(TICKS_AFTER_FREEZE);
        }
        if result.is_some() {
            return Worked { result, was_frozen };
        }
    }
    Worked { result: None, was_frozen }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX)
}

/// The SDK's timers, by the same time: that of connecting is its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwakeSleep;

impl AsyncSleep for AwakeSleep {
    fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(async move {
            for _ in 0..ticks(time) {
                tokio::time::sleep(TICK).await;
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tokio's clock is what these tests move")]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::time::{Instant, advance, sleep};
    use triage_diagnosis::Timestamp;

    const FREEZES_MS: [u64; 9] = [500, 1_000, 2_000, 2_800, 3_200, 3_600, 4_500, 6_000, 86_400_000];

    /// One that goes with tokio's, or counts no freeze.
    fn clock(counts: bool) -> Clock {
        let begun = Instant::now();
        Clock::new(move || {
            let ms = if counts { begun.elapsed().as_millis() as u64 } else { 0 };
            Timestamp::from_ms(1_772_366_400_000 + ms)
        })
    }

    /// Frozen once `awake_ms` are over. As at a thaw, all timers are late before anything else has a turn.
    async fn freeze(awake_ms: u64, ms: u64) {
        sleep(Duration::from_millis(awake_ms)).await;
        advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_takes_a_tick_of_the_time_however_long_it_is() {
        for counts in [true, false] {
            for ms in FREEZES_MS {
                // 400 ms are left after the freeze; it needs 300 of them.
                let answered = Arc::<AtomicBool>::default();
                let answer = answered.clone();
                let work = async {
                    for _ in 0..18 {
                        sleep(TICK).await;
                    }
                    answer.store(true, Ordering::Relaxed);
                };
                let frozen = tokio::spawn(freeze(610, ms));
                let worked = within(Duration::from_secs(1), &clock(counts), work).await;
                assert_eq!(worked.result, Some(()), "{ms}");
                assert_eq!(worked.was_frozen, counts && ms > 500 + TICK_MS, "{ms}");
                assert!(answered.load(Ordering::Relaxed));
                frozen.await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_the_last_tick_is_read_after_it() {
        let clock = clock(true);
        for ms in &FREEZES_MS[1..] {
            // The answer is there at the thaw; a few turns bring it up.
            let begun = Instant::now();
            let work = async {
                while begun.elapsed().as_millis() < u128::from(2_690 + ms) {
                    sleep(TICK).await;
                }
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
            };
            let frozen = tokio::spawn(freeze(2_690, *ms));
            let worked = within(Duration::from_millis(2_700), &clock, work).await;
            assert_eq!(worked, Worked { result: Some(()), was_frozen: true }, "{ms}");
            frozen.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_awake_is_bounded() {
        for freeze_ms in [0, 2_800, 6_000] {
            let begun = Instant::now();
            let frozen = tokio::spawn(freeze(1_010, freeze_ms));
            let clock = clock(true);
            let worked = within(Duration::from_secs(2), &clock, std::future::pending::<()>()).await;
            assert_eq!(worked, Worked { result: None, was_frozen: freeze_ms > 0 });
            let took_ms = begun.elapsed().as_millis() as u64;
            assert!((freeze_ms + 1_900..=freeze_ms + 2_200).contains(&took_ms), "{took_ms}");
            frozen.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_sdks_timers_count_a_freeze_as_one_tick() {
        for ms in FREEZES_MS {
            let begun = Instant::now();
            let frozen = tokio::spawn(freeze(310, ms));
            AwakeSleep.sleep(Duration::from_millis(700)).await;
            let took_ms = begun.elapsed().as_millis() as u64;
            assert!((ms + 600..=ms + 800).contains(&took_ms), "{ms}: {took_ms}");
            frozen.await.unwrap();
        }
    }
}
