//! One sandbox as the extension in it would have seen it: a state machine, and the time by which it
//! lives, which is that of the records.

use super::platform_line::{self, PlatformLine};
use super::steps::{Event, Step};
use std::collections::VecDeque;
use triage_diagnosis::{
    Body, Function, InvocationReport, Invoke, Malformed, Record, RecordBody, Report, Status,
    Timestamp, Triage,
};

/// Records that lie within so much time are one delivery, as the extension asks the platform to
/// gather them: what they tell of one problem becomes one line.
const DELIVERY_MS: u64 = 25;
/// Ids remembered of invocations that have ended, and of those that broke.
const MAX_REMEMBERED: usize = 32;
/// How long the extension waits for late records at SHUTDOWN, at most.
const LAST_MOMENTS_MS: u64 = 300;

/// A sandbox, a log stream.
pub(crate) struct Sandbox {
    triage: Triage,
    now: Timestamp,
    delivered_from: Option<Timestamp>,
    is_concurrent: bool,
    timeout_ms: Option<u64>,
    /// Whether the input holds INVOKE events, as logs and other extensions' records do not.
    hears_of_invokes: bool,
    /// Invocations whose INVOKE came, and whose platform.start may still.
    awaited: VecDeque<String>,
    /// When its platform.initStart was, if it came.
    initialized: Option<Timestamp>,
    is_shut_down: bool,
    /// Whether its platform.runtimeDone was read: not every log holds one.
    done: VecDeque<String>,
    /// `END RequestId: …`
    ended: Option<(String, Timestamp)>,
    /// `RequestId: … Error: …`, with the platform's name for the error.
    broken: VecDeque<(String, String)>,
    /// How many have begun.
    pub(crate) invocations: u64,
    /// What is to be told.
    pub(crate) told: Vec<Report>,
}

impl Sandbox {
    /// One of which nothing is known yet.
    pub(crate) fn new(triage: Triage, function: &Function, timeout_ms: Option<u64>) -> Self {
        Self {
            triage,
            now: Timestamp::default(),
            delivered_from: None,
            is_concurrent: function.concurrent,
            timeout_ms,
            hears_of_invokes: false,
            awaited: VecDeque::new(),
            initialized: None,
            is_shut_down: false,
            done: VecDeque::new(),
            ended: None,
            broken: VecDeque::new(),
            invocations: 0,
            told: Vec::new(),
        }
    }

    /// Whether an event is another sandbox's: after SHUTDOWN an extension is invoked no more.
    pub(crate) fn is_over_by_step(&self, step: &Step) -> bool {
        self.is_shut_down && matches!(step.event, Event::Invoke(_))
    }

    /// Whether a record is another sandbox's. Records of this one may follow its SHUTDOWN, but not
    /// the beginning of what has begun.
    pub(crate) fn is_over_by(&self, record: &Record<'_>) -> bool {
        match &record.body {
            RecordBody::InitStart(start) => {
                let is_same = record.time.is_none() || self.initialized == record.time;
                let is_second = self.initialized.is_some() && !is_same;
                let has_begun = self.invocations > 0 || self.initialized.is_some();
                (is_second && !start.is_within_invocation) || (self.is_shut_down && has_begun)
            }
            RecordBody::Start(start) => {
                self.is_shut_down && !self.awaited.contains(&start.request_id)
            }
            _ => false,
        }
    }

    /// An event of the Extensions API, or what its shell left out.
    pub(crate) fn step(&mut self, step: Step) {
        self.poll();
        self.delivered_from = None;
        self.pass_time(step.at);
        match step.event {
            Event::Invoke(invoke) => {
                self.hears_of_invokes = true;
                self.invocations += 1;
                remember(&mut self.awaited, invoke.request_id.clone());
                self.triage.handle_invoke(invoke, self.now);
            }
            Event::Shutdown(shutdown) => {
                self.is_shut_down = true;
                self.triage.handle_shutdown(&shutdown, self.now);
            }
            Event::Dropped(dropped) => self.triage.handle_dropped(dropped, self.now),
        }
        self.poll();
    }

    /// A record of the Telemetry API.
    pub(crate) fn telemetry(&mut self, record: Record<'_>) {
        self.arrive(record.time.unwrap_or(self.now));
        let at = record.time.unwrap_or(self.now);
        match &record.body {
            RecordBody::InitStart(start) if !start.is_within_invocation => {
                self.initialized = Some(at);
            }
            RecordBody::Start(start) => {
                let (id, trace_header) = (start.request_id.clone(), start.trace_header.clone());
                self.begin(id, trace_header, at);
            }
            _ => {}
        }
        self.triage.handle_record(record, self.now);
    }

    /// What should have been one, and is none.
    pub(crate) fn malformed(&mut self, malformed: Malformed) {
        self.triage.handle_malformed(malformed, self.now);
    }

    /// An event of the function's log group. Without a time it happens when the one before it did.
    pub(crate) fn log_event(&mut self, message: &str, at: Option<Timestamp>) {
        let at_or_now = at.unwrap_or(self.now);
        match platform_line::read(message) {
            PlatformLine::Record(json) => {
                let mut body = Body::new(json.into_owned().into_bytes());
                while let Some(Ok(record)) = body.next_record() {
                    let is_start = matches!(record.body, RecordBody::Start(_));
                    // Without a time of their own, two attempts at one request are still two.
                    let at = at.unwrap_or(self.now.plus_ms(u64::from(is_start)));
                    self.platform_record(Record { time: record.time.or(Some(at)), ..record });
                }
            }
            PlatformLine::End(request_id) => self.ended = Some((request_id, at_or_now)),
            PlatformLine::Broken { request_id, error_type } => {
                remember(&mut self.broken, (request_id, error_type));
                self.function_text(message, at_or_now);
            }
            PlatformLine::Function => self.function_text(message, at_or_now),
            PlatformLine::Own => {}
        }
    }

    fn function_text(&mut self, text: &str, at: Timestamp) {
        self.arrive(at);
        let log = triage_diagnosis::FunctionLog::Text(text.into());
        let record = Record { time: Some(at), body: RecordBody::Function(log) };
        self.triage.handle_record(record, self.now);
    }

    /// A platform record of a log, which has no INVOKE and often no platform.runtimeDone: what they
    /// would have told is in the records that it has.
    fn platform_record(&mut self, mut record: Record<'_>) {
        let at = record.time.unwrap_or(self.now);
        match &mut record.body {
            RecordBody::RuntimeDone(done) => remember(&mut self.done, done.request_id.clone()),
            RecordBody::Report(report) => {
                let broken = self.broken.iter().rev().find(|(id, _)| *id == report.request_id);
                if let Some((_, error_type)) = broken
                    && report.status == Status::Unknown
                {
                    report.status = Status::Error;
                    report.error_type.get_or_insert_with(|| error_type.clone());
                }
                if !self.is_concurrent && !self.done.contains(&report.request_id) {
                    let ended = self.ended.take().filter(|(id, _)| *id == report.request_id);
                    self.runtime_done(report, ended.map_or(at, |(_, at)| at));
                }
            }
            _ => {}
        }
        self.telemetry(record);
    }

    /// The runtimeDone that a report stands for.
    fn runtime_done(&mut self, report: &InvocationReport, at: Timestamp) {
        remember(&mut self.done, report.request_id.clone());
        let mut body = Body::new(platform_line::runtime_done(report).into_bytes());
        while let Some(Ok(record)) = body.next_record() {
            self.telemetry(Record { time: Some(at), ..record });
        }
    }

    /// An invocation begins, of which only platform.start tells.
    fn begin(&mut self, request_id: String, trace_header: Option<String>, at: Timestamp) {
        self.done.retain(|id| *id != request_id);
        if self.awaited.contains(&request_id) {
            self.awaited.retain(|id| *id != request_id);
        } else {
            self.invocations += 1;
        }
        if self.hears_of_invokes || self.is_concurrent {
            return;
        }
        let deadline = self.timeout_ms.map(|timeout_ms| at.plus_ms(timeout_ms));
        let function_arn = String::new();
        let invoke = Invoke { request_id, deadline, function_arn, trace_header };
        self.triage.handle_invoke(invoke, at);
    }

    fn arrive(&mut self, at: Timestamp) {
        match self.delivered_from {
            Some(from) if at.ms_since(from) <= DELIVERY_MS => {}
            _ => {
                self.poll();
                self.delivered_from = Some(at);
            }
        }
        self.pass_time(at);
    }

    /// What becomes due until then is told when it is due.
    fn pass_time(&mut self, until: Timestamp) {
        while let Some(due) = self.triage.poll_wake().filter(|due| *due > self.now && *due < until)
        {
            self.now = due;
            self.poll();
        }
        self.now = self.now.max(until);
    }

    fn poll(&mut self) {
        while let Some(report) = self.triage.poll_report(self.now) {
            self.told.push(report);
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) {
        self.poll();
        self.now = self.now.plus_ms(LAST_MOMENTS_MS);
        self.triage.finish(self.now);
        self.poll();
    }
}

fn remember<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= MAX_REMEMBERED {
        list.pop_front();
    }
    list.push_back(item);
}
