use super::reading::InWork;
use super::*;
use crate::config::Config;
use crate::shutdown::Budget;
use crate::sinks::Paper;
use crate::stand_in::StandIn;
use crate::start::{prepare, register};
use crate::telemetry_api::Delivery;
use std::sync::atomic::{AtomicU64, Ordering};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

/// One that has taken a delivery of so many records and not yet begun to read it.
async fn observer_with(records: usize, clock: Clock) -> Observer {
    let api = StandIn::start();
    let config = Config::from_lookup(|name| {
        (name == "AWS_LAMBDA_RUNTIME_API").then(|| api.address.to_string().into())
    });
    let (extension, registration) = register(&config.0).await.unwrap();
    let lines = Paper::default().lines();
    let mut parts = prepare(&config.0, clock, lines, extension, registration).await;
    // Not this process.
    parts.exit_after = |_| {};
    // Not one that is skipped.
    let record = r#"{"time":"1970-01-01T00:16:40.000Z","type":"function","record":"Exception"}"#;
    let body = format!("[{}]", vec![record; records].join(","));
    let delivery = Delivery { body: body.into(), left_out_bytes: 0 };
    Observer { delivery: Some(InWork::from(delivery)), ..Observer::new(parts) }
}

#[tokio::test]
async fn a_slice_in_the_end_takes_no_longer_than_there_is_time() {
    let readings = AtomicU64::new(0);
    let clock = Clock::new(move || at(10 * readings.fetch_add(1, Ordering::Relaxed)));
    let mut observer = observer_with(100, clock).await;
    let begun = observer.clock.now();
    let budget = Budget {
        telemetry_until: begun.plus_ms(100),
        work_until: begun.plus_ms(205),
        exit_by: begun.plus_ms(300),
    };
    observer.end = Some(End { begun, budget, last_telemetry: begun });
    observer.work_through_a_slice(begun);
    assert!(observer.clock.now() <= begun.plus_ms(220), "{:?}", observer.clock.now());
    let unread = observer.unread().unwrap();
    let record_bytes = 76;
    assert!((70 * record_bytes..90 * record_bytes).contains(&unread.bytes), "{unread:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_amid_the_last_moments_costs_nothing() {
    static LEAP_MS: AtomicU64 = AtomicU64::new(0);
    for leap_ms in [1_200, 7_200_000] {
        LEAP_MS.store(0, Ordering::Relaxed);
        let clock = Clock::new(|| at(LEAP_MS.load(Ordering::Relaxed)));
        let mut observer = observer_with(100, clock).await;
        observer.begin_to_end(Ending::Shutdown { deadline: None }, at(0));
        LEAP_MS.store(leap_ms, Ordering::Relaxed);
        observer.work_through_a_slice(at(0));
        assert_eq!(observer.unread(), None, "{leap_ms}");
        let end = observer.end.unwrap();
        assert!(observer.clock.now() < end.budget.work_until, "{leap_ms}");
    }
}
