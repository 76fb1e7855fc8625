//! What the environment tells: log events, metrics from them, and telemetry records with their
//! way to the subscribers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, InitializationType, LogFormat, TelemetryBehaviour};
use crate::faults::Faults;
use crate::log::{LogEvent, LogSource, LogStream};
use crate::metrics::MetricStore;
use crate::subscriber::{Subscriber, Subscription};

/// Log events, and records, are kept up to these bounds.
const MAX_KEPT_ITEMS: usize = 200_000;
const MAX_KEPT_BYTES: usize = 256 << 20;

/// A telemetry record as it is delivered, JSON.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) json: Arc<str>,
}

/// What a subscription can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Platform,
    Function,
    Extension,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "platform" => Some(Self::Platform),
            "function" => Some(Self::Function),
            "extension" => Some(Self::Extension),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Telemetry {
    behaviour: TelemetryBehaviour,
    faults: Faults,
    clock: Arc<Clock>,
    log_format: LogFormat,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    log: Kept<LogEvent>,
    metrics: MetricStore,
    records: Kept<Record>,
    /// Records since the environment began; a subscriber is sent these too.
    since_init: Option<Vec<Record>>,
    subscribers: Vec<Arc<Subscriber>>,
    /// What extensions have taken, with their names.
    taken: Kept<(String, Arc<str>)>,
    /// The invocation that wrapped lines are stamped with.
    request_id: Option<String>,
}

impl Telemetry {
    pub(crate) fn new(config: &Config, clock: Arc<Clock>) -> Self {
        let function = &config.function;
        let managed = function.initialization_type == InitializationType::ManagedInstances;
        Self {
            behaviour: config.telemetry.clone(),
            faults: config.faults.clone(),
            clock,
            log_format: if managed { LogFormat::Json } else { function.log_format },
            inner: Mutex::default(),
            changed: watch::channel(0).0,
            frozen: watch::channel(false).0,
        }
    }

    /// Takes in one event of a process's output.
    pub(crate) fn printed(&self, source: &LogSource, stream: LogStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let kind = match source {
            LogSource::Function => Kind::Function,
            LogSource::Extension(_) => Kind::Extension,
            LogSource::Platform => Kind::Platform,
        };
        let mut inner = self.lock();
        let (text, record) = match self.log_format {
            LogFormat::Text => (text.clone(), Value::String(text)),
            LogFormat::Json => match serde_json::from_str::<Value>(&text) {
                Ok(object @ Value::Object(_)) => (text, object),
                _ => {
                    let request_id = inner.request_id.clone().filter(|_| kind == Kind::Function);
                    let mut wrapped = json!({"timestamp": self.clock.rfc3339(), "level": "INFO", "message": text});
                    if let Some(id) = request_id {
                        wrapped["requestId"] = id.into();
                    }
                    (wrapped.to_string(), wrapped)
                }
            },
        };
        inner.keep_log(LogEvent { time: self.clock.now(), source: source.clone(), stream, text });
        let name = if kind == Kind::Function { "function" } else { "extension" };
        inner.keep_record(kind, name, &record, self);
        drop(inner);
        self.notify();
    }

    /// Adds a telemetry record of the platform.
    pub(crate) fn platform(&self, name: &str, record: &Value) {
        self.lock().keep_record(Kind::Platform, name, record, self);
        self.notify();
    }

    /// Adds a platform line to the log: `text`, or the record itself with the JSON format.
    pub(crate) fn platform_log(&self, name: &str, record: &Value, text: String) {
        let text = match self.log_format {
            LogFormat::Text => text,
            LogFormat::Json => {
                json!({"time": self.clock.rfc3339(), "type": name, "record": record}).to_string()
            }
        };
        self.log_line(text);
    }

    /// Adds a platform line that has no JSON form; none with the JSON format.
    pub(crate) fn platform_text(&self, text: String) {
        if self.log_format == LogFormat::Text {
            self.log_line(text);
        }
    }

    fn log_line(&self, text: String) {
        self.lock().keep_log(LogEvent {
            time: self.clock.now(),
            source: LogSource::Platform,
            stream: LogStream::Platform,
            text,
        });
        self.notify();
    }

    pub(crate) fn set_request_id(&self, id: Option<String>) {
        self.lock().request_id = id;
    }

    /// A new environment: no subscribers, and what comes now is kept for those to come.
    pub(crate) fn begin_environment(&self) {
        let mut inner = self.lock();
        inner.since_init = Some(Vec::new());
        inner.subscribers.drain(..).for_each(|subscriber| subscriber.close());
    }

    /// No subscriptions any more.
    pub(crate) fn end_subscribing(&self) {
        self.lock().since_init = None;
    }

    /// Adds or replaces the subscription of an extension.
    pub(crate) fn subscribe(self: &Arc<Self>, subscription: Subscription) {
        let subscriber =
            Arc::new(Subscriber::new(subscription, &self.behaviour, self.faults.clone()));
        let mut inner = self.lock();
        inner.subscribers.retain(|other| {
            let replaced = other.name() == subscriber.name();
            if replaced {
                other.close();
            }
            !replaced
        });
        for record in inner.since_init.iter().flatten() {
            subscriber.offer(record);
        }
        inner.subscribers.push(Arc::clone(&subscriber));
        drop(inner);
        tokio::spawn(subscriber.deliver(Arc::clone(self), self.frozen.subscribe()));
    }

    /// Ends all deliveries.
    pub(crate) fn close(&self) {
        self.lock().subscribers.drain(..).for_each(|subscriber| subscriber.close());
    }

    pub(crate) fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        self.lock().subscribers.clone()
    }

    /// Notes that one subscriber lost records; it and the kept records tell of it.
    pub(crate) fn dropped(&self, subscriber: &Subscriber, records: usize, bytes: usize) {
        let record = json!({
            "droppedRecords": records,
            "droppedBytes": bytes,
            "reason": format!("{} did not take its records in time", subscriber.name()),
        });
        let record =
            self.lock().remember(Kind::Platform, "platform.logsDropped", &record, &self.clock);
        subscriber.offer_first(record);
        self.notify();
    }

    /// Notes that a subscriber has taken these.
    pub(crate) fn taken(&self, subscriber: &Subscriber, batch: &[Record]) {
        let mut inner = self.lock();
        for record in batch {
            let json = Arc::clone(&record.json);
            inner.taken.push((subscriber.name().to_owned(), json), record.json.len());
        }
        drop(inner);
        self.notify();
    }

    /// The records that the extension of this name has taken.
    pub(crate) fn taken_by(&self, name: &str) -> Vec<Value> {
        let inner = self.lock();
        let taken = inner.taken.from(0).filter(|(by, _)| by == name);
        // Each was made from a value.
        taken.map(|(_, json)| serde_json::from_str(json).unwrap_or_default()).collect()
    }

    /// Deliveries pause while the environment is frozen.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    /// The log events from this position on. The first event ever has position 0.
    pub(crate) fn log_from(&self, position: usize) -> Vec<LogEvent> {
        self.lock().log.from(position).cloned().collect()
    }

    pub(crate) fn log_end(&self) -> usize {
        self.lock().log.end()
    }

    pub(crate) fn metrics(&self) -> MetricStore {
        self.lock().metrics.clone()
    }

    /// The telemetry records from this position on.
    pub(crate) fn records_from(&self, position: usize) -> Vec<Value> {
        let records: Vec<_> =
            self.lock().records.from(position).map(|record| Arc::clone(&record.json)).collect();
        // Each was made from a value.
        records.iter().map(|json| serde_json::from_str(json).unwrap_or_default()).collect()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn notify(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep_log(&mut self, event: LogEvent) {
        self.metrics.extract(&event.text, event.time);
        let bytes = event.text.len();
        self.log.push(event, bytes);
    }

    fn keep_record(&mut self, kind: Kind, name: &str, record: &Value, telemetry: &Telemetry) {
        let record = self.remember(kind, name, record, &telemetry.clock);
        if let Some(since_init) = &mut self.since_init
            && since_init.len() < telemetry.behaviour.max_queued_records
        {
            since_init.push(record.clone());
        }
        for subscriber in &self.subscribers {
            subscriber.offer(&record);
        }
    }

    fn remember(&mut self, kind: Kind, name: &str, record: &Value, clock: &Clock) -> Record {
        // In the order in which AWS writes it; both of these are plain.
        let time = clock.rfc3339();
        let json = format!(r#"{{"time":"{time}","type":"{name}","record":{record}}}"#);
        let record = Record { kind, json: json.into() };
        self.records.push(record.clone(), record.json.len());
        record
    }
}

/// A bounded history that forgets its oldest items, and counts them.
#[derive(Debug)]
struct Kept<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    forgotten: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, forgotten: 0 }
    }
}

impl<T> Kept<T> {
    fn push(&mut self, item: T, bytes: usize) {
        self.bytes += bytes;
        self.items.push_back((item, bytes));
        while self.items.len() > MAX_KEPT_ITEMS || self.bytes > MAX_KEPT_BYTES {
            let Some((_, bytes)) = self.items.pop_front() else { break };
            self.bytes -= bytes;
            self.forgotten += 1;
        }
    }

    fn from(&self, position: usize) -> impl Iterator<Item = &T> {
        self.items.iter().skip(position.saturating_sub(self.forgotten)).map(|(item, _)| item)
    }

    fn end(&self) -> usize {
        self.forgotten + self.items.len()
    }
}
