//! The service's clock at work: attempts that fall due, what becomes of events, and who is told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::destination::{Destination, Message, Place, event_bridge_event, sqs_event};
use super::event_queue::{Condition, Next, QueuedEvent};
use super::function::Function;
use super::record::{End, LastAttempt};
use super::{AttemptRecord, Service, State};
use crate::error::SandboxError;
use crate::outcome::Invocation;

/// A function that is invoked with what arrives somewhere.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) destination: Destination,
    function: String,
    batch_size: usize,
    /// Of a queue: what has not been got done, each with how often it was received.
    waiting: Vec<(Message, u32)>,
}

impl Subscription {
    pub(crate) fn new(destination: Destination, function: &str, batch_size: usize) -> Self {
        let batch_size = batch_size.max(1);
        Self { destination, function: function.to_owned(), batch_size, waiting: Vec::new() }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// What the clock has yet to reach.
#[derive(Debug)]
pub(crate) enum Due {
    /// Of an event, at its time.
    Attempt(QueuedEvent),
    /// No further attempt is made of this event.
    End(Box<Ended>),
}

#[derive(Debug)]
pub(crate) struct Ended {
    event: QueuedEvent,
    condition: Condition,
    at: SystemTime,
    last: LastAttempt,
}

impl Due {
    fn at(&self) -> SystemTime {
        match self {
            Self::Attempt(event) => event.due,
            Self::End(ended) => ended.at,
        }
    }
}

impl Service {
    pub(crate) async fn advance(&self, by: Duration) -> Result<(), SandboxError> {
        let until = self.lock().now + by;
        // A message that was tried in vain waits for the next call: it would be tried for ever.
        let mut in_vain = HashSet::new();
        loop {
            let due = self.lock().take_due(until);
            match due {
                Some(Due::Attempt(event)) => self.work_through(event).await?,
                Some(Due::End(ended)) => self.end(&ended)?,
                None if !self.read_queues(&mut in_vain).await? => break,
                None => {}
            }
        }
        self.lock().now = until;
        Ok(())
    }

    async fn work_through(&self, mut event: QueuedEvent) -> Result<(), SandboxError> {
        let (attempt, last) = self.attempt(&event).await?;
        let function = self.function(&event.function)?;
        let mut state = self.lock();
        let now = state.now;
        state.attempts.push(AttemptRecord {
            function: event.function.clone(),
            request_id: event.request_id.clone(),
            at: now,
            error_type: match &last {
                LastAttempt::Refused(error) => Some(error.code),
                LastAttempt::Ran(_) => None,
            },
            outcome: match &last {
                LastAttempt::Refused(_) => None,
                LastAttempt::Ran(outcome) => Some((**outcome).clone()),
            },
        });
        let due = match event.note(attempt, function.deployment.patience(), now) {
            Next::Again => Due::Attempt(event),
            Next::Over(condition, at) => Due::End(Box::new(Ended { event, condition, at, last })),
        };
        state.due.push(due);
        Ok(())
    }

    /// Tells what became of an event.
    fn end(&self, ended: &Ended) -> Result<(), SandboxError> {
        let function = self.function(&ended.event.function)?;
        let config = &function.deployment.config.function;
        let end = End {
            event: &ended.event,
            condition: ended.condition,
            at: ended.at,
            last: &ended.last,
            function_arn: &config.arn(),
            version: &config.version,
        };
        self.lock().tell(&function, &end);
        Ok(())
    }

    /// Hands one batch of some queue to its subscriber; whether there was one.
    async fn read_queues(&self, in_vain: &mut HashSet<String>) -> Result<bool, SandboxError> {
        let place = self.place();
        let Some((function, batch)) = self.lock().take_batch(in_vain) else { return Ok(false) };
        let records = batch.iter().map(|(message, count)| message.sqs_record(&place, *count));
        let invocation = Invocation::new(sqs_event(records));
        let ran = self.function(&function)?.run(invocation, &self.endpoint).await?;
        let failed = failed_items(&ran);
        let mut state = self.lock();
        for (message, count) in batch {
            if failed.as_ref().is_none_or(|failed| failed.contains(&message.id)) {
                in_vain.insert(message.id.clone());
                let of_queue = state.subscriptions.iter_mut();
                let mut of_queue = of_queue.filter(|s| s.destination == message.destination);
                if let Some(subscription) = of_queue.find(|s| s.function == function) {
                    subscription.waiting.push((message, count));
                }
            }
        }
        Ok(true)
    }
}

/// The items that a function did not get done; all, where it says nothing sound.
fn failed_items(ran: &LastAttempt) -> Option<HashSet<String>> {
    let LastAttempt::Ran(outcome) = ran else { return None };
    if outcome.function_error {
        return None;
    }
    let answer: Value = serde_json::from_slice(&outcome.payload).ok()?;
    match &answer["batchItemFailures"] {
        Value::Null => Some(HashSet::new()),
        Value::Array(items) => {
            items.iter().map(|item| Some(item["itemIdentifier"].as_str()?.to_owned())).collect()
        }
        _ => None,
    }
}

impl State {
    /// What falls due first, and the clock with it.
    fn take_due(&mut self, until: SystemTime) -> Option<Due> {
        let due = self.due.iter().enumerate().filter(|(_, due)| due.at() <= until);
        let (first, _) = due.min_by_key(|(_, due)| due.at())?;
        let due = self.due.remove(first);
        self.now = self.now.max(due.at());
        Some(due)
    }

    fn take_batch(&mut self, in_vain: &HashSet<String>) -> Option<(String, Vec<(Message, u32)>)> {
        self.subscriptions.iter_mut().find_map(|subscription| {
            let all = std::mem::take(&mut subscription.waiting);
            let mut batch = Vec::new();
            for (message, count) in all {
                if batch.len() < subscription.batch_size && !in_vain.contains(&message.id) {
                    batch.push((message, count + 1));
                } else {
                    subscription.waiting.push((message, count));
                }
            }
            (!batch.is_empty()).then(|| (subscription.function.clone(), batch))
        })
    }

    /// Writes the records and dead letters of an event at its end.
    fn tell(&mut self, function: &Arc<Function>, end: &End<'_>) {
        let deployment = &function.deployment;
        let place = Place {
            region: deployment.config.function.region.clone(),
            account_id: deployment.config.function.account_id.clone(),
        };
        let settings = &deployment.event_invoke_config;
        let succeeded = end.condition == Condition::Success;
        let destination = if succeeded { &settings.on_success } else { &settings.on_failure };
        if let Some(destination) = destination {
            let mut record = end.record(settings.response_form);
            if let Destination::EventBus(_) = destination {
                let arn = end.qualified_arn();
                record = event_bridge_event(destination, &place, &arn, end.at, succeeded, &record);
            }
            self.deliver(Message::new(destination.clone(), end.at, record.to_string()), &place);
        }
        if let Some(dead_letter) = deployment.dead_letter.as_ref().filter(|_| !succeeded) {
            let (status, message) = end.dead_letter_error();
            let letter = Message::new(dead_letter.clone(), end.at, end.event.payload.clone());
            self.deliver(letter.with_error(&end.event.request_id, status, message), &place);
        }
    }

    fn deliver(&mut self, message: Message, place: &Place) {
        self.messages.push(message.clone());
        if let Destination::Function(name) = &message.destination {
            // One that is not there is a failed delivery, of which Lambda tells a metric alone.
            if self.functions.contains_key(name) {
                self.queue(&name.clone(), Invocation::new(message.body.clone()));
            }
            return;
        }
        let mut invoked = Vec::new();
        for subscription in &mut self.subscriptions {
            if subscription.destination != message.destination {
                continue;
            }
            match subscription.destination {
                Destination::Queue(_) => subscription.waiting.push((message.clone(), 0)),
                _ => invoked.push(subscription.function.clone()),
            }
        }
        for function in invoked {
            self.queue(&function, Invocation::new(message.event(place)));
        }
    }
}
