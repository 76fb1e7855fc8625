//! One telemetry subscriber: its queue, buffering, delivery and retries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::TelemetryBehaviour;
use crate::disorder::{Parcel, break_off, parcels, post_in_parts};
use crate::faults::{DeliveryFault, Faults};
use crate::listener::Listener;
use crate::telemetry::{Kind, Record, Telemetry};

/// A batch is given up after this many attempts.
const ATTEMPTS: u32 = 6;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// How long a batch waits for one that overtakes it.
const OVERTAKING: Duration = Duration::from_millis(50);
/// How long an answer is waited for, frozen time left out.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What an extension asked for. Validated: see `telemetry_api`.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) extension: String,
    /// The extension's process, if it is one.
    pub(crate) pid: Option<u32>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) max_items: usize,
    pub(crate) max_bytes: usize,
    pub(crate) timeout: Duration,
    pub(crate) destination: Destination,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// POST of a JSON array.
    Http { port: u16, path: String },
    /// A JSON record a line, without acknowledgement.
    Tcp { port: u16 },
}

#[derive(Debug)]
pub(crate) struct Subscriber {
    subscription: Subscription,
    max_queued_records: usize,
    max_queued_bytes: usize,
    faults: Faults,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Record>,
    bytes: usize,
    /// When the oldest waiting record came.
    since: Option<Instant>,
    dropped_records: usize,
    dropped_bytes: usize,
    closed: bool,
}

impl Subscriber {
    pub(crate) fn new(
        subscription: Subscription,
        behaviour: &TelemetryBehaviour,
        faults: Faults,
    ) -> Self {
        Self {
            subscription,
            max_queued_records: behaviour.max_queued_records,
            max_queued_bytes: behaviour.max_queued_bytes,
            faults,
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.subscription.extension
    }

    /// Queues a record if it is subscribed to, or counts it as dropped.
    pub(crate) fn offer(&self, record: &Record) {
        if !self.subscription.kinds.contains(&record.kind) {
            return;
        }
        let mut queue = self.lock();
        let full = queue.records.len() >= self.max_queued_records
            || queue.bytes + record.json.len() > self.max_queued_bytes;
        if full {
            queue.dropped_records += 1;
            queue.dropped_bytes += record.json.len();
        } else {
            queue.bytes += record.json.len();
            queue.records.push_back(record.clone());
            queue.since.get_or_insert_with(Instant::now);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Queues a record before all others, past the bounds.
    pub(crate) fn offer_first(&self, record: Record) {
        let mut queue = self.lock();
        queue.bytes += record.json.len();
        queue.records.push_front(record);
        queue.since.get_or_insert_with(Instant::now);
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Delivers until closed.
    pub(crate) async fn deliver(
        self: Arc<Self>,
        telemetry: Arc<Telemetry>,
        mut frozen: watch::Receiver<bool>,
    ) {
        let mut connection = Connection::default();
        let mut overtaken = None;
        loop {
            let due = match &overtaken {
                None => self.batch_due().await,
                Some(_) => {
                    let due = tokio::time::timeout(OVERTAKING, self.batch_due()).await;
                    due.unwrap_or(true)
                }
            };
            if !due {
                return;
            }
            if frozen.wait_for(|frozen| !frozen).await.is_err() {
                return;
            }
            let (records, bytes) = {
                let mut queue = self.lock();
                (
                    std::mem::take(&mut queue.dropped_records),
                    std::mem::take(&mut queue.dropped_bytes),
                )
            };
            if records > 0 {
                telemetry.dropped(&self, records, bytes);
            }
            let mut batches = Vec::new();
            let batch = self.take_batch();
            if !batch.is_empty() {
                let fault = self.faults.take_delivery().unwrap_or_default();
                if fault.overtaken && overtaken.is_none() {
                    overtaken = Some((batch, fault));
                    continue;
                }
                batches.push((batch, fault));
            }
            batches.extend(overtaken.take());
            for (batch, fault) in batches {
                tokio::time::sleep(fault.late).await;
                if !fault.lost {
                    self.deliver_batch(batch, &fault, &telemetry, &mut connection, &mut frozen)
                        .await;
                }
            }
        }
    }

    /// Waits until the buffering bounds say that a batch goes out; false when closed.
    async fn batch_due(&self) -> bool {
        loop {
            let due = {
                let queue = self.lock();
                if queue.closed {
                    return false;
                }
                let full = queue.records.len() >= self.subscription.max_items
                    || queue.bytes >= self.subscription.max_bytes;
                if full && !queue.records.is_empty() {
                    return true;
                }
                queue.since.map(|since| since + self.subscription.timeout)
            };
            match due {
                Some(due) if due <= Instant::now() => return true,
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// At most `max_items`, and at most the record that crosses `max_bytes`.
    fn take_batch(&self) -> Vec<Record> {
        let mut queue = self.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.subscription.max_items
            && bytes < self.subscription.max_bytes
            && let Some(record) = queue.records.pop_front()
        {
            bytes += record.json.len();
            batch.push(record);
        }
        queue.bytes -= bytes;
        queue.since = (!queue.records.is_empty()).then(Instant::now);
        batch
    }

    /// Delivers a batch as the fault has it.
    async fn deliver_batch(
        &self,
        batch: Vec<Record>,
        fault: &DeliveryFault,
        telemetry: &Telemetry,
        connection: &mut Connection,
        frozen: &mut watch::Receiver<bool>,
    ) {
        for Parcel { records, json } in parcels(fault, batch) {
            let body = self.encode(&json);
            if let (true, Destination::Http { port, path }) =
                (fault.breaks_off, &self.subscription.destination)
            {
                break_off(self.listener(*port), path, &body).await;
            }
            if self.deliver_body(&body, fault.parts, connection, frozen).await {
                telemetry.taken(self, &records);
                if fault.twice {
                    self.deliver_body(&body, fault.parts, connection, frozen).await;
                }
            } else if !self.lock().closed {
                let bytes = records.iter().map(|record| record.json.len()).sum();
                telemetry.dropped(self, records.len(), bytes);
            }
        }
    }

    /// Whether a body was taken, after as many attempts as there are.
    async fn deliver_body(
        &self,
        body: &Bytes,
        parts: usize,
        connection: &mut Connection,
        frozen: &mut watch::Receiver<bool>,
    ) -> bool {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
            if self.lock().closed || frozen.wait_for(|frozen| !frozen).await.is_err() {
                return false;
            }
            if self.attempt(body, parts, connection, frozen).await == Some(200) {
                return true;
            }
            connection.sender = None;
        }
        false
    }

    /// One delivery; the clock of its limit stands while frozen.
    async fn attempt(
        &self,
        body: &Bytes,
        parts: usize,
        connection: &mut Connection,
        frozen: &watch::Receiver<bool>,
    ) -> Option<u16> {
        let send = self.send(body.clone(), parts, connection);
        tokio::pin!(send);
        let mut left = ANSWER_LIMIT;
        const STEP: Duration = Duration::from_millis(100);
        while !left.is_zero() {
            match tokio::time::timeout(STEP, &mut send).await {
                Ok(status) => return status,
                Err(_) if *frozen.borrow() => {}
                Err(_) if self.lock().closed => return None,
                Err(_) => left = left.saturating_sub(STEP),
            }
        }
        None
    }

    /// Posts a body past queue and retries, on a connection of its own.
    pub(crate) async fn deliver_raw(&self, body: Bytes) -> Option<u16> {
        let mut connection = Connection::default();
        let send = self.send(body, 1, &mut connection);
        tokio::time::timeout(ANSWER_LIMIT, send).await.ok().flatten()
    }

    fn encode(&self, json: &[String]) -> Bytes {
        match self.subscription.destination {
            Destination::Http { .. } => format!("[{}]", json.join(",")).into(),
            Destination::Tcp { .. } => format!("{}\n", json.join("\n")).into(),
        }
    }

    /// The status; for TCP, 200 once it is written.
    async fn send(&self, body: Bytes, parts: usize, connection: &mut Connection) -> Option<u16> {
        match &self.subscription.destination {
            Destination::Http { port, path } if parts > 1 => {
                post_in_parts(self.listener(*port), path, &body, parts).await
            }
            Destination::Http { port, path } => {
                connection.post(self.listener(*port), path, body).await
            }
            Destination::Tcp { port } => {
                let mut stream = self.listener(*port).connect().await?;
                stream.write_all(&body).await.ok()?;
                stream.shutdown().await.ok()?;
                Some(200)
            }
        }
    }

    fn listener(&self, port: u16) -> Listener {
        Listener { port, pid: self.subscription.pid }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kept-alive connection to a listener.
#[derive(Debug, Default)]
struct Connection {
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    async fn post(&mut self, listener: Listener, path: &str, body: Bytes) -> Option<u16> {
        // A connection that the listener has closed since is no attempt.
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        if self.sender.is_none() {
            let stream = listener.connect().await?;
            stream.set_nodelay(true).ok()?;
            let (sender, driver) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(driver);
            self.sender = Some(sender);
        }
        let sender = self.sender.as_mut()?;
        let body = Full::new(body);
        let request = hyper::Request::post(path)
            .header("host", format!("sandbox.localdomain:{}", listener.port))
            .header("content-type", "application/json")
            .body(body)
            .ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        // Read to the end, so that the connection can be used again.
        response.into_body().collect().await.ok()?;
        Some(status)
    }
}
