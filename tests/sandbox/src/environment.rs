//! The state of the execution environment that the APIs and the lifecycle share.

use std::collections::{HashMap, VecDeque};
use std::process::ExitStatus;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::outcome::{ExtensionExit, Status};

/// One environment, from init to its end. A reset begins a new generation.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) generation: u64,
    /// Registration and subscription are open.
    pub(crate) initializing: bool,
    /// Init has succeeded and nothing ended it since.
    pub(crate) ready: bool,
    /// SHUTDOWN is under way: exits are no crash.
    pub(crate) ending: bool,
    /// The first thing that broke.
    pub(crate) failure: Option<Failure>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) runtime: Runtime,
    /// Of all generations.
    pub(crate) exits: Vec<ExtensionExit>,
}

/// Why the environment cannot go on.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) error_type: String,
    pub(crate) message: String,
    /// The error document the runtime posted.
    pub(crate) payload: Option<Bytes>,
}

#[derive(Debug, Default)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) group: i32,
    pub(crate) identifier: Option<String>,
    pub(crate) wants_invoke: bool,
    pub(crate) wants_shutdown: bool,
    waiter: Option<oneshot::Sender<Value>>,
    pending: VecDeque<Value>,
    /// Given to a call that may have been cut off before it took it.
    handing: Option<Value>,
    /// When it asked for /next; `None` while it works on an event.
    pub(crate) asked: Option<Instant>,
    pub(crate) announced: bool,
    /// When it was handed the last INVOKE.
    pub(crate) invoked: Option<Instant>,
    pub(crate) exit: Option<(ExitStatus, Instant)>,
}

#[derive(Debug, Default)]
pub(crate) struct Runtime {
    /// 0 before it was started.
    pub(crate) group: i32,
    waiters: VecDeque<oneshot::Sender<Event>>,
    pending: VecDeque<Event>,
    /// When it asked for the next invocation; `None` while it works on one.
    pub(crate) asked: Option<Instant>,
    /// Waits for the restore of a snapshot.
    pub(crate) restore: Option<oneshot::Sender<()>>,
    pub(crate) in_flight: HashMap<String, InFlight>,
    pub(crate) exited: bool,
    /// It was killed since memory ran out.
    pub(crate) out_of_memory: bool,
}

/// What the runtime is given for one invocation.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline_ms: u64,
    pub(crate) trace_header: String,
    pub(crate) client_context: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    pub(crate) answer: Option<Answer>,
}

/// What the runtime posted for an invocation.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) payload: Bytes,
    /// Set when it is an error.
    pub(crate) error_type: Option<String>,
    pub(crate) first_byte: Instant,
    pub(crate) last_byte: Instant,
}

impl Environment {
    /// Begins a new generation with these extensions.
    pub(crate) fn begin(&mut self, extensions: impl Iterator<Item = String>) -> u64 {
        *self = Self {
            generation: self.generation + 1,
            initializing: true,
            extensions: extensions.map(|name| Extension { name, ..Extension::default() }).collect(),
            exits: std::mem::take(&mut self.exits),
            ..Self::default()
        };
        self.generation
    }

    /// Notes what broke, unless something did before or all ends anyway.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if !self.ending && self.failure.is_none() {
            self.failure = Some(failure);
        }
    }

    pub(crate) fn extension_by_identifier(&mut self, identifier: &str) -> Option<&mut Extension> {
        self.extensions.iter_mut().find(|e| e.identifier.as_deref() == Some(identifier))
    }

    pub(crate) fn all_registered(&self) -> bool {
        self.extensions.iter().all(|extension| extension.identifier.is_some())
    }

    /// When the last extension asked for /next; `None` while one has not. `Some(None)` with none.
    pub(crate) fn extensions_idle(&self) -> Option<Option<Instant>> {
        let asked: Option<Vec<Instant>> = self.extensions.iter().map(|e| e.asked).collect();
        asked.map(|asked| asked.into_iter().max())
    }
}

impl Extension {
    /// Hands the event over now or at the next /next.
    pub(crate) fn send(&mut self, event: Value) {
        let invoke = event["eventType"] == "INVOKE";
        let event = match self.waiter.take() {
            Some(waiter) => match waiter.send(event.clone()) {
                Ok(()) => {
                    self.handing = Some(event);
                    self.asked = None;
                    self.note_handed(invoke);
                    return;
                }
                // The connection is gone; the extension will ask again.
                Err(event) => event,
            },
            None => event,
        };
        // Not idle: it has this one to fetch.
        self.asked = None;
        self.pending.push_back(event);
    }

    /// A call of /next: an event at once, or a receiver of the one to come.
    pub(crate) fn ask(&mut self) -> Result<Value, oneshot::Receiver<Value>> {
        if let Some(event) = self.handing.take().or_else(|| self.pending.pop_front()) {
            self.asked = None;
            self.note_handed(event["eventType"] == "INVOKE");
            return Ok(event);
        }
        self.asked = Some(Instant::now());
        let (waiter, receiver) = oneshot::channel();
        self.waiter = Some(waiter);
        Err(receiver)
    }

    /// The call that waited has the event.
    pub(crate) fn took(&mut self) {
        self.handing = None;
    }

    fn note_handed(&mut self, invoke: bool) {
        if invoke {
            self.invoked = Some(Instant::now());
        }
    }
}

impl Runtime {
    /// Hands the invocation over now or at the next /next.
    pub(crate) fn send(&mut self, mut event: Event) {
        self.in_flight.insert(event.request_id.clone(), InFlight::default());
        self.asked = None;
        while let Some(waiter) = self.waiters.pop_front() {
            match waiter.send(event) {
                Ok(()) => return,
                Err(returned) => event = returned,
            }
        }
        self.pending.push_back(event);
    }

    /// A call of /next: an invocation at once, or a receiver of the one to come.
    pub(crate) fn ask(&mut self) -> Result<Event, oneshot::Receiver<Event>> {
        if let Some(event) = self.pending.pop_front() {
            self.asked = None;
            return Ok(event);
        }
        self.asked = Some(Instant::now());
        let (waiter, receiver) = oneshot::channel();
        self.waiters.push_back(waiter);
        Err(receiver)
    }

    /// Forgets an invocation; it may not have been handed over yet.
    pub(crate) fn forget(&mut self, request_id: &str) -> Option<InFlight> {
        self.pending.retain(|event| event.request_id != request_id);
        self.in_flight.remove(request_id)
    }

    /// Releases every waiting call.
    pub(crate) fn release(&mut self) {
        self.waiters.clear();
        self.restore = None;
    }
}
