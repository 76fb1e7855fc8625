//! Metrics by CloudWatch's PutMetricData (`TRIAGE_METRICS=cloudwatch`).
//!
//! What reports count is gathered by minute and sent by a thread of its own, as a rule at once, as a freeze may
//! follow, and in the long run at most every ten seconds: the loop hands it over and goes on, so that no name lookup and no TLS handshake
//! holds up a poll, and none is done before there is something to send. What the API does not take comes
//! out as a line that carries the metrics (EMF); while it takes none, each report's own line carries
//! them, and the API is tried again after a pause. So nothing is lost. What it may have taken without
//! saying so counts twice, as PutMetricData has no token to tell a request by.

mod access;
mod awake;
mod client;
mod credentials;
mod link;
mod pending;
mod sender;
mod transport;

pub(crate) use access::ApiAccess;

use self::awake::TICK_MS;
use self::link::{Answer, Link, Order, PutError};
use self::pending::{Datum, Pending};
use super::LINE_MAX_BYTES;
use std::io;
use std::time::Duration;
use triage_diagnosis::{Level, MetricValue, Timestamp, fault_point};

/// The time between two requests, in the long run. Each costs money, and CloudWatch keeps minutes.
const INTERVAL_MS: u64 = 10_000;
/// So many may follow each other without it: what waits here may wait through a freeze.
const AT_ONCE: u64 = 3;
/// How long an order may take, with all tries.
const ORDER_MS: u64 = 4_000;
/// When the thread itself is given up, by time awake too: it answers before that, unless it is stuck.
const STUCK_MS: u64 = ORDER_MS + 2_000;
/// So many reasons are told at most. Refusals have codes of whoever answers.
const MAX_TOLD: usize = 10;
/// The pause after the API did not take something; it doubles with each time in a row.
const FIRST_PAUSE_MS: u64 = 60_000;
const LONGEST_PAUSE_MS: u64 = 3_600_000;

/// Begins the thread.
type Start = Box<dyn FnMut() -> io::Result<Link> + Send>;

/// Gathers metrics and has them sent.
pub(crate) struct Publisher {
    start: Start,
    function_name: String,
    namespace: String,
    link: Option<Link>,
    pending: Pending,
    under_way: Option<UnderWay>,
    answer: Option<Answer>,
    /// What the API did not take, to be written.
    fallback: Pending,
    /// Orders so far.
    orders: u64,
    /// By then requests as far apart as in the long run would have come to as many.
    sent_until: Timestamp,
    pause: Option<Pause>,
    pause_ms: u64,
    /// At the end of the sandbox everything is sent at once, and each order has this time.
    last_time: Option<Duration>,
    /// The kinds of reasons that were told.
    told: Vec<String>,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    data: Vec<Datum>,
    /// When the loop last looked.
    seen: Timestamp,
    /// In steps of a tick at most, so that a freeze counts as one.
    awake_ms: u64,
}

/// The API is let alone.
#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Timestamp,
    ms: u64,
}

impl Publisher {
    /// One that calls the API as `access` says.
    pub(crate) fn new(access: ApiAccess, function_name: String, namespace: String) -> Self {
        let (function, space) = (function_name.clone(), namespace.clone());
        let start = move || sender::start(access.clone(), function.clone(), space.clone());
        Self::with(Box::new(start), function_name, namespace)
    }

    fn with(start: Start, function_name: String, namespace: String) -> Self {
        Self {
            start,
            function_name,
            namespace,
            link: None,
            pending: Pending::default(),
            under_way: None,
            answer: None,
            fallback: Pending::default(),
            orders: 0,
            sent_until: Timestamp::default(),
            pause: None,
            pause_ms: FIRST_PAUSE_MS,
            last_time: None,
            told: Vec::new(),
        }
    }

    /// Takes the metrics of a report to send them, or says that its line is to carry them.
    pub(crate) fn takes(&mut self, metrics: &[MetricValue], level: Level, now: Timestamp) -> bool {
        fault_point!("take metrics");
        // Once only: at its end, what is gathered is sent, and that tells whether it is over.
        if self.pause.is_some_and(|pause| pause.lasts(now)) {
            return false;
        }
        self.pause = None;
        self.pending.add(metrics, level, now)
    }

    /// When [`Self::poll`] has something to do, at the latest.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        fault_point!("metrics due");
        if self.answer.is_some() {
            return Some(now);
        }
        match &self.under_way {
            // The end has a time of its own.
            Some(_) if self.last_time.is_some() => None,
            // Also if the clock was set back.
            Some(order) => Some(order.seen.min(now).plus_ms(TICK_MS)),
            None if self.pending.is_empty() => None,
            None => Some(self.next_at(now)),
        }
    }

    fn next_at(&self, now: Timestamp) -> Timestamp {
        let free_at = self.sent_until(now).minus_ms((AT_ONCE - 1) * INTERVAL_MS);
        if self.last_time.is_some() { now } else { free_at.max(now) }
    }

    /// Not before now, and not by a clock that was set back since.
    fn sent_until(&self, now: Timestamp) -> Timestamp {
        let is_sound = self.sent_until <= now.plus_ms(AT_ONCE * INTERVAL_MS);
        if is_sound { self.sent_until.max(now) } else { now }
    }

    /// Waits until the thread has answered, for ever if there is nothing to answer. Can be dropped and
    /// waited for again.
    pub(crate) async fn answered(&mut self) {
        if self.answer.is_some() {
            return;
        }
        let (Some(link), Some(order)) = (&mut self.link, &self.under_way) else {
            return std::future::pending().await;
        };
        fault_point!("metrics answer");
        // Without the thread nothing comes any more.
        let number = order.number;
        let gone = Answer { number, result: Err(PutError::Bug) };
        self.answer = Some(link.answers.recv().await.unwrap_or_else(|| {
            self.link = None;
            gone
        }));
    }

    /// Works on the thread's answer and sends what is to be sent.
    pub(crate) fn poll(&mut self, now: Timestamp) {
        if self.is_idle() {
            return;
        }
        fault_point!("poll metrics");
        self.handle_answer(now);
        if let Some(order) = &mut self.under_way
            && self.last_time.is_none()
        {
            order.awake_ms += now.ms_since(order.seen).min(TICK_MS);
            order.seen = now;
            if order.awake_ms < STUCK_MS {
                return;
            }
            // What comes next has another one.
            self.link = None;
            self.fail(&PutError::Unanswered("the thread that sends is stuck"), now);
        }
        if self.under_way.is_none() && !self.pending.is_empty() && now >= self.next_at(now) {
            self.send(now);
        }
    }

    fn handle_answer(&mut self, now: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        // One that was given up counts as not taken, whatever becomes of it.
        if self.under_way.as_ref().is_none_or(|order| order.number != answer.number) {
            return;
        }
        match answer.result {
            Ok(()) => {
                self.under_way = None;
                self.pause_ms = FIRST_PAUSE_MS;
            }
            Err(e) => self.fail(&e, now),
        }
    }

    fn send(&mut self, now: Timestamp) {
        self.orders += 1;
        self.sent_until = self.sent_until(now).plus_ms(INTERVAL_MS);
        let data = self.pending.take_request(now);
        let time = self.last_time.unwrap_or(Duration::from_millis(ORDER_MS));
        let order = Order { number: self.orders, data: data.clone(), time };
        self.under_way = Some(UnderWay { number: self.orders, data, seen: now, awake_ms: 0 });
        if self.link.is_none() {
            // There may be a thread left some later time.
            self.link = (self.start)().ok();
        }
        if self.link.as_ref().is_none_or(|link| link.orders.send(order).is_err()) {
            let is_gone = self.link.take().is_some();
            self.fail(if is_gone { &PutError::Bug } else { &PutError::NoThread }, now);
        }
    }

    /// The API may not have what is under way: so lines carry that, and what comes for a while.
    fn fail(&mut self, error: &PutError, now: Timestamp) {
        let is_told = self.told.iter().any(|kind| kind == error.kind());
        if !is_told && self.told.len() < MAX_TOLD {
            self.told.push(error.kind().to_owned());
            tracing::warn!("metrics are written to the log instead (EMF), as {error}");
        }
        if let Some(order) = self.under_way.take() {
            self.fallback.put_back(&order.data);
        }
        // That says nothing of the next request.
        if *error == PutError::Frozen {
            return;
        }
        self.fallback.append(&mut self.pending);
        self.pause = Some(Pause { since: now, ms: self.pause_ms });
        self.pause_ms = self.pause_ms.saturating_mul(2).min(LONGEST_PAUSE_MS);
    }

    /// The next line that carries what the API did not take.
    pub(crate) fn next_line(&mut self, now: Timestamp) -> Option<String> {
        let Self { fallback, function_name, namespace, .. } = self;
        if fallback.is_empty() {
            return None;
        }
        fault_point!("metrics line");
        // With a newline it must be no longer than any other.
        fallback.take_line(function_name, namespace, LINE_MAX_BYTES - 1, now)
    }

    /// The sandbox ends: what is left is sent at once, each request within this time.
    pub(crate) fn finish(&mut self, time: Duration) {
        fault_point!("finish metrics");
        self.last_time = Some(time);
    }

    /// Whether nothing is left to send or to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.pending.is_empty() && self.answer.is_none()
    }

    /// There is no more time to send anything: lines carry it.
    pub(crate) fn give_up(&mut self, now: Timestamp) {
        fault_point!("give up metrics");
        self.handle_answer(now);
        if !self.is_idle() {
            self.fail(&PutError::Unanswered("the sandbox has ended"), now);
        }
    }
}

impl Pause {
    /// A clock that was set back ends it.
    fn lasts(self, now: Timestamp) -> bool {
        (self.since..self.since.plus_ms(self.ms)).contains(&now)
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("under_way", &self.under_way).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
