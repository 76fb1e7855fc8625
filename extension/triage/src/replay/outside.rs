//! Requests that failed, by their records: what the failure watcher would have told.

use super::sandboxes::Told;
use std::collections::{BTreeMap, VecDeque};
use triage_diagnosis::failed_requests::{Delivered, Request};
use triage_diagnosis::{Function, Settings, Timestamp, Triage};

/// So many functions are kept at once; of those beyond, the oldest is over.
const MAX_FUNCTIONS: usize = 1_000;
/// So many requests are kept to be put in the order of their times, as what queues and files hold is in none;
/// and no more of them than have so many bytes of messages.
const MAX_WAITING: usize = 20_000;
const MAX_WAITING_BYTES: usize = 8 << 20;

/// The functions that requests to failed.
pub(crate) struct Outside {
    /// What all have in common is built once.
    first: Triage,
    /// Whose the records are that do not say it.
    function: Function,
    functions: VecDeque<(Function, Triage)>,
    /// By its time, and those of one time as they came.
    waiting: BTreeMap<(Timestamp, u64), Request>,
    waiting_bytes: usize,
    /// How many were read, and the time of the last one that has one.
    read: u64,
    last_at: Timestamp,
    now: Timestamp,
    /// A record may be there twice, however long ago.
    delivered: Delivered,
    told: Vec<Told>,
    /// How many there were, each once.
    pub(crate) requests: u64,
    /// How many of them failed for none of the problems that are known.
    pub(crate) unknown: u64,
}

impl Outside {
    /// None yet.
    pub(crate) fn new(settings: Settings, function: Function) -> Self {
        Self {
            first: Triage::new(settings, function.clone()),
            function,
            functions: VecDeque::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            read: 0,
            last_at: Timestamp::default(),
            now: Timestamp::default(),
            delivered: Delivered::new(u64::MAX),
            told: Vec::new(),
            requests: 0,
            unknown: 0,
        }
    }

    /// A record of a request that failed. One without a time belongs to what it stands beside.
    pub(crate) fn request(&mut self, request: Request) {
        self.last_at = request.failure.at.unwrap_or(self.last_at);
        self.waiting_bytes += message_bytes(&request);
        self.waiting.insert((self.last_at, self.read), request);
        self.read += 1;
        while (self.waiting.len() > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES)
            && let Some((_, first)) = self.waiting.pop_first()
        {
            self.waiting_bytes -= message_bytes(&first);
            self.in_order(&first);
        }
    }

    fn in_order(&mut self, request: &Request) {
        let Request { failure, function_name, function_version, .. } = request;
        self.now = failure.at.map_or(self.now, |at| at.max(self.now));
        let now = self.now;
        let or = |told: &String, given: &String| if told.is_empty() { given } else { told }.clone();
        let (name, version) =
            (or(function_name, &self.function.name), or(function_version, &self.function.version));
        let delivery = self.delivered.look_up(request, &name, now);
        let triage = self.triage(name, version);
        if delivery.is_known() && !delivery.is_news(triage.failed_request_stage(failure, now)) {
            return;
        }
        let stage = triage.handle_failed_request(failure, now);
        let reports: Vec<_> = std::iter::from_fn(|| triage.poll_report(now)).collect();
        self.delivered.remember(&delivery, stage, now);
        self.requests += u64::from(!delivery.is_known());
        self.unknown += u64::from(stage.is_none());
        self.unknown -= u64::from(delivery.was_unknown());
        self.tell(reports);
    }

    fn triage(&mut self, name: String, version: String) -> &mut Triage {
        let is_it = |known: &Function| known.name == name && known.version == version;
        let known = self.functions.iter().position(|(known, _)| is_it(known));
        let index = known.unwrap_or_else(|| {
            if self.functions.len() >= MAX_FUNCTIONS {
                self.close_oldest();
            }
            let function = Function { name, version, ..self.function.clone() };
            self.functions.push_back((function.clone(), self.first.another(function)));
            self.functions.len() - 1
        });
        &mut self.functions[index].1
    }

    fn close_oldest(&mut self) -> bool {
        let Some((_, mut triage)) = self.functions.pop_front() else { return false };
        let now = self.now;
        triage.finish(now);
        let reports: Vec<_> = std::iter::from_fn(|| triage.poll_report(now)).collect();
        self.tell(reports);
        true
    }

    fn tell(&mut self, reports: Vec<triage_diagnosis::Report>) {
        let told = reports.into_iter().map(|report| Told { report, stream: String::new() });
        self.told.extend(told);
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) {
        for request in std::mem::take(&mut self.waiting).into_values() {
            self.in_order(&request);
        }
        while self.close_oldest() {}
    }

    /// What is to be told since the last call.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }
}

fn message_bytes(request: &Request) -> usize {
    request.failure.error_message.as_ref().map_or(0, String::len)
}
