use super::*;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use triage_diagnosis::Unit;

const NOON: u64 = 1_772_366_400_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(NOON + ms)
}

/// The thread's end of the link, which a test holds.
struct Thread {
    orders: UnboundedReceiver<Order>,
    answers: UnboundedSender<Answer>,
}

/// A publisher whose threads end up in the list; none is left to start where that is said.
fn publisher(none_left: bool) -> (Publisher, Arc<Mutex<Vec<Thread>>>) {
    let threads = Arc::<Mutex<Vec<Thread>>>::default();
    let started = threads.clone();
    let start = move || {
        if none_left {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (orders, to_do) = unbounded_channel();
        let (done, answers) = unbounded_channel();
        started.lock().unwrap().push(Thread { orders: to_do, answers: done });
        Ok(Link { orders, answers })
    };
    let publisher = Publisher::with(Box::new(start), "orders".into(), "LambdaTriage".into());
    (publisher, threads)
}

impl Publisher {
    fn timeout(&mut self, ms: u64) -> bool {
        let metric = |name| MetricValue { name, unit: Unit::Count, values: vec![1.0] };
        let taken = self.takes(&[metric("Timeouts")], Level::Error, at(ms));
        self.poll(at(ms));
        taken
    }

    /// Lets the thread answer.
    fn answer(&mut self, thread: &Thread, number: u64, result: Result<(), PutError>, ms: u64) {
        thread.answers.send(Answer { number, result }).unwrap();
        block_on(self.answered());
        assert_eq!(self.due(at(ms)), Some(at(ms)));
        self.poll(at(ms));
    }

    /// How many timeouts the lines carry that are there to be written.
    fn in_lines(&mut self, ms: u64) -> usize {
        let lines = std::iter::from_fn(|| self.next_line(at(ms)));
        let counted = lines.map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            line["Timeouts"].as_array().map_or(1, Vec::len)
        });
        counted.sum()
    }
}

/// The thread that the first metric starts, with that one ordered.
fn started_thread(publisher: &mut Publisher, started: &Arc<Mutex<Vec<Thread>>>, ms: u64) -> Thread {
    assert!(publisher.timeout(ms));
    let mut thread = started.lock().unwrap().pop().unwrap();
    thread.orders.try_recv().unwrap();
    thread
}

/// What is waited for is there already.
fn block_on(ready: impl Future<Output = ()>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(ready).poll(&mut context).is_ready());
}

fn timeouts(order: &Order) -> u64 {
    order.data.iter().flat_map(|datum| &datum.values).map(|(_, count)| count).sum()
}

fn unreachable() -> Result<(), PutError> {
    Err(PutError::Unreachable("there".to_owned()))
}

#[test]
fn there_is_no_thread_before_the_first_metric() {
    let (mut publisher, threads) = publisher(false);
    publisher.poll(at(0));
    assert_eq!(publisher.due(at(0)), None);
    assert!(publisher.is_idle());
    assert!(threads.lock().unwrap().is_empty());
}

#[test]
fn what_comes_goes_at_once_and_what_comes_meanwhile_together_after_it() {
    let (mut publisher, threads) = publisher(false);
    assert!(publisher.timeout(0));
    let mut threads = threads.lock().unwrap();
    let first = threads[0].orders.try_recv().unwrap();
    assert_eq!((timeouts(&first), first.time), (1, Duration::from_millis(ORDER_MS)));
    for ms in [1, 2, 3] {
        assert!(publisher.timeout(ms));
    }
    assert!(threads[0].orders.try_recv().is_err(), "one at a time");
    publisher.answer(&threads[0], first.number, Ok(()), 50);
    let second = threads[0].orders.try_recv().unwrap();
    assert_eq!(timeouts(&second), 3);
    publisher.answer(&threads[0], second.number, Ok(()), 100);
    assert!(publisher.is_idle());
    assert_eq!(publisher.due(at(100)), None);
    assert_eq!(publisher.next_line(at(100)), None);
    assert_eq!(threads.len(), 1);
}

#[test]
fn where_much_comes_a_request_is_sent_every_ten_seconds() {
    let (mut publisher, threads) = publisher(false);
    let mut thread = started_thread(&mut publisher, &threads, 0);
    publisher.answer(&thread, 1, Ok(()), 0);
    let (mut sent, mut counted) = (vec![0], 1);
    for ms in (100..120_000).step_by(100) {
        assert!(publisher.timeout(ms));
        if let Ok(order) = thread.orders.try_recv() {
            sent.push(ms);
            counted += timeouts(&order);
            publisher.answer(&thread, order.number, Ok(()), ms);
        }
    }
    let steadily = (10_000..120_000).step_by(10_000);
    assert_eq!(sent, [0, 100, 200].into_iter().chain(steadily).collect::<Vec<_>>());
    assert_eq!(publisher.due(at(119_900)), Some(at(120_000)));
    publisher.poll(at(120_000));
    assert_eq!(counted + timeouts(&thread.orders.try_recv().unwrap()), 1_200);
}

#[test]
fn after_a_while_without_any_some_go_at_once_again() {
    let (mut publisher, threads) = publisher(false);
    let mut thread = started_thread(&mut publisher, &threads, 0);
    publisher.answer(&thread, 1, Ok(()), 0);
    let mut sent = 1;
    for ms in [1, 2, 3, 10_000, 10_001, 600_000, 600_001, 600_002, 600_003] {
        assert!(publisher.timeout(ms));
        if let Ok(order) = thread.orders.try_recv() {
            sent += 1;
            publisher.answer(&thread, order.number, Ok(()), ms);
        }
        let sent_by_then = match ms {
            1 => 2,
            2 | 3 => 3,
            10_000 | 10_001 => 4,
            600_000 => 5,
            600_001 => 6,
            _ => 7,
        };
        assert_eq!(sent, sent_by_then, "{ms}");
    }
}

#[test]
fn what_is_not_taken_and_what_waited_behind_it_become_lines_and_each_line_carries_its_own_for_a_while()
 {
    let (mut publisher, threads) = publisher(false);
    for ms in [0, 1, 2] {
        assert!(publisher.timeout(ms));
    }
    let mut threads = threads.lock().unwrap();
    publisher.answer(&threads[0], 1, unreachable(), 1_000);
    assert!(publisher.is_idle());
    assert_eq!(publisher.in_lines(1_000), 3);
    assert_eq!(publisher.in_lines(1_000), 0);
    threads[0].orders.try_recv().unwrap();
    // A minute, then two, up to an hour.
    let mut now = 1_000;
    for pause in [60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000] {
        assert!(!publisher.timeout(now + pause - 1));
        assert!(threads[0].orders.try_recv().is_err());
        now += pause;
        assert!(publisher.timeout(now));
        let again = threads[0].orders.try_recv().unwrap();
        publisher.answer(&threads[0], again.number, unreachable(), now);
        assert_eq!(publisher.in_lines(now), 1);
    }
    now += 3_600_000;
    assert!(publisher.timeout(now));
    let taken = threads[0].orders.try_recv().unwrap();
    publisher.answer(&threads[0], taken.number, Ok(()), now);
    assert!(publisher.timeout(now + 10_000));
    let again = threads[0].orders.try_recv().unwrap();
    publisher.answer(&threads[0], again.number, unreachable(), now + 10_000);
    assert!(publisher.timeout(now + 70_000), "a minute again");
}

#[test]
fn a_clock_that_is_set_back_mutes_nothing() {
    let (mut publisher, threads) = publisher(false);
    assert!(publisher.timeout(1_000_000));
    publisher.answer(&threads.lock().unwrap()[0], 1, Ok(()), 1_000_000);
    assert!(publisher.timeout(0));
    publisher.answer(&threads.lock().unwrap()[0], 2, unreachable(), 2_000_000);
    assert!(!publisher.timeout(2_000_001));
    assert!(publisher.timeout(1_000_000), "the pause is over");
}

#[test]
fn a_thread_that_is_stuck_is_given_up_and_what_comes_next_has_another_one() {
    let (mut publisher, threads) = publisher(false);
    assert!(publisher.timeout(0));
    let mut now = 0;
    while now < STUCK_MS {
        assert!(!publisher.is_idle());
        assert_eq!(publisher.due(at(now)), Some(at(now + TICK_MS)));
        now += TICK_MS;
        publisher.poll(at(now));
    }
    assert!(publisher.is_idle());
    assert_eq!(publisher.in_lines(now), 1);
    now += FIRST_PAUSE_MS;
    assert!(publisher.timeout(now));
    let mut threads = threads.lock().unwrap();
    threads[0].answers.send(Answer { number: 1, result: Ok(()) }).unwrap_err();
    let order = threads[1].orders.try_recv().unwrap();
    publisher.answer(&threads[1], 1, unreachable(), now);
    assert!(!publisher.is_idle(), "it was not this one's answer");
    publisher.answer(&threads[1], order.number, Ok(()), now);
    assert!(publisher.is_idle());
    assert_eq!(publisher.in_lines(now), 0);
}

/// By freezes alone no thread is stuck, however long and however many they are.
#[test]
fn each_freeze_costs_the_thread_a_tick_of_its_time() {
    for ms in [500, 1_000, 2_000, 2_800, 3_200, 3_600, 4_500, 6_000, 86_400_000] {
        let (mut publisher, threads) = publisher(false);
        assert!(publisher.timeout(0));
        let mut now = 0;
        for _ in 1..STUCK_MS / TICK_MS {
            now += ms;
            publisher.poll(at(now));
            assert!(!publisher.is_idle(), "{ms}: {now}");
        }
        publisher.answer(&threads.lock().unwrap()[0], 1, Ok(()), now);
        assert_eq!(publisher.in_lines(now), 0);
    }
}

#[test]
fn a_freeze_amid_a_request_is_held_against_nobody() {
    let (mut publisher, threads) = publisher(false);
    let mut thread = started_thread(&mut publisher, &threads, 0);
    for (n, ms) in [(1, 0), (2, 20_000), (3, 40_000)] {
        if n > 1 {
            assert!(publisher.timeout(ms), "there is no pause");
            assert_eq!(thread.orders.try_recv().unwrap().number, n);
        }
        publisher.answer(&thread, n, Err(PutError::Frozen), ms);
        assert_eq!(publisher.in_lines(ms), 1);
    }
    assert_eq!(publisher.told, ["frozen"]);
    assert!(publisher.timeout(60_000));
    publisher.answer(&thread, 4, unreachable(), 60_000);
    assert_eq!(publisher.told, ["frozen", "unreachable"]);
    assert!(
        publisher.timeout(60_000 + FIRST_PAUSE_MS),
        "the first pause, as if there had been no freeze"
    );
    assert!(!publisher.is_idle());
}

#[test]
fn each_kind_of_reason_is_told_once() {
    let (mut publisher, threads) = publisher(false);
    let thread = started_thread(&mut publisher, &threads, 0);
    let refused = |code: &str| PutError::Refused { status: 403, code: code.into(), hint: "" };
    let errors = [
        PutError::Unanswered("in time"),
        refused("AccessDenied"),
        PutError::Unanswered("the connection broke"),
        refused("AccessDenied"),
        refused("ExpiredToken"),
    ];
    for (n, error) in (1..).zip(errors) {
        let now = n * LONGEST_PAUSE_MS;
        if n > 1 {
            assert!(publisher.timeout(now));
        }
        publisher.answer(&thread, n, Err(error), now);
    }
    assert_eq!(publisher.told, ["unanswered", "AccessDenied", "ExpiredToken"]);
    for n in 0..20 {
        publisher.fail(&refused(&n.to_string()), at(0));
    }
    assert_eq!(publisher.told.len(), MAX_TOLD);
}

#[test]
fn without_a_thread_lines_carry_them() {
    let (mut none_left, _) = publisher(true);
    assert!(none_left.timeout(0));
    assert!(none_left.is_idle());
    assert_eq!(none_left.in_lines(0), 1);
    assert!(!none_left.timeout(1));

    let (mut publisher, threads) = publisher(false);
    assert!(publisher.timeout(0));
    threads.lock().unwrap().clear();
    block_on(publisher.answered());
    publisher.poll(at(1));
    assert_eq!(publisher.in_lines(1), 1);
    assert!(publisher.timeout(1 + FIRST_PAUSE_MS));
    assert_eq!(threads.lock().unwrap().len(), 1, "another one is started");
}

#[test]
fn at_the_end_all_is_sent_at_once_and_what_there_is_no_time_for_becomes_lines() {
    let (mut publisher, threads) = publisher(false);
    let mut now = 0;
    for number in 1..=AT_ONCE {
        assert!(publisher.timeout(now));
        let mut threads = threads.lock().unwrap();
        assert_eq!(threads[0].orders.try_recv().unwrap().number, number);
        publisher.answer(&threads[0], number, Ok(()), now + 1);
        now += 2;
    }
    assert!(publisher.timeout(now));
    publisher.finish(Duration::from_millis(800));
    assert!(publisher.timeout(now));
    let mut threads = threads.lock().unwrap();
    let last = threads[0].orders.try_recv().unwrap();
    assert_eq!((timeouts(&last), last.time), (2, Duration::from_millis(800)));
    assert!(publisher.timeout(now));
    publisher.give_up(at(now));
    assert!(publisher.is_idle());
    assert!(threads[0].orders.try_recv().is_err(), "nothing is sent that is written");
    assert_eq!(publisher.in_lines(now), 3);
    assert!(!publisher.timeout(now));
}

#[test]
fn an_answer_that_came_before_it_was_given_up_counts() {
    let (mut publisher, threads) = publisher(false);
    assert!(publisher.timeout(0));
    threads.lock().unwrap()[0].answers.send(Answer { number: 1, result: Ok(()) }).unwrap();
    block_on(publisher.answered());
    publisher.give_up(at(1));
    assert_eq!(publisher.in_lines(1), 0);
}
