//! The request for /next that is under way while the loop waits for other things too.

use crate::extensions_api::{Event, Extension};
use std::time::Duration;
use tokio::task::JoinHandle;
use triage_diagnosis::fault_point;

/// The pause before /next is asked for again after bugs in both ways of asking.
const PAUSE: Duration = Duration::from_millis(100);

/// Asking ended in a panic, which the hook has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// At most one request at a time, in a task of its own: so it is not given up when the loop turns
/// to something else, and a bug in it does not reach the loop.
pub(crate) struct Polling {
    task: Option<JoinHandle<(Extension, Event)>>,
    /// The extension while no request is under way; lost with a task that panicked.
    idle: Option<Extension>,
    /// To go on from in that case.
    spare: Extension,
    /// After a bug in asking, it is asked by the plainest means.
    plainly: bool,
    pause: Option<Duration>,
    /// SHUTDOWN has come.
    is_over: bool,
}

impl Polling {
    pub(crate) fn new(extension: Extension) -> Self {
        let spare = extension.fresh();
        Self {
            task: None,
            idle: Some(extension),
            spare,
            plainly: false,
            pause: None,
            is_over: false,
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.task.is_some()
    }

    /// Whether SHUTDOWN has come, after which there is nothing to ask for.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Asks, if no request is under way and there is something to ask for.
    pub(crate) fn ask(&mut self) {
        if self.is_under_way() || self.is_over {
            return;
        }
        let mut extension = self.idle.take().unwrap_or_else(|| self.spare.fresh());
        let (plainly, pause) = (self.plainly, self.pause.take());
        self.task = Some(tokio::spawn(async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let event = match plainly {
                false => extension.next().await,
                true => extension.next_plainly().await,
            };
            (extension, event)
        }));
    }

    /// Waits for the event, for ever if no request is under way. Can be dropped and waited for
    /// again.
    ///
    /// # Errors
    /// If there was a bug on the way; the request is to be made again.
    pub(crate) async fn event(&mut self) -> Result<Event, Failed> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let result = task.await;
        self.task = None;
        match result {
            Ok((extension, event)) => {
                self.idle = Some(extension);
                self.is_over = matches!(event, Event::Shutdown { .. });
                // What comes between this and its being worked on may have a bug.
                fault_point!("polling");
                Ok(event)
            }
            Err(_) => {
                self.pause = self.plainly.then_some(PAUSE);
                self.plainly = true;
                Err(Failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_api::{Endpoint, RuntimeApi};
    use crate::stand_in::{Call, StandIn};

    async fn started(api: &StandIn) -> Polling {
        let endpoint = Endpoint::parse(&api.address.to_string()).unwrap();
        let client = RuntimeApi::new(endpoint);
        let (extension, _) = Extension::register(client, "triage", true).await.unwrap();
        Polling::new(extension)
    }

    #[tokio::test]
    async fn there_is_one_request_at_a_time_and_waiting_can_be_given_up() {
        let api = StandIn::start();
        let mut polling = started(&api).await;
        polling.ask();
        polling.ask();
        for _ in 0..3 {
            let moment = Duration::from_millis(10);
            assert!(tokio::time::timeout(moment, polling.event()).await.is_err());
        }
        api.invoke("a");
        assert!(matches!(polling.event().await, Ok(Event::Invoke(_))));
        assert!(!polling.is_under_way());
        assert_eq!(api.seen(Call::Next).len(), 1);
    }

    #[tokio::test]
    async fn after_a_bug_in_a_request_another_can_be_made() {
        let api = StandIn::start();
        let mut polling = started(&api).await;
        polling.ask();
        // To whoever waits for a task, a panic in it and its end by force look alike.
        polling.task.as_ref().unwrap().abort();
        assert_eq!(polling.event().await, Err(Failed));
        assert!(!polling.is_under_way());
        polling.ask();
        api.invoke("a");
        assert!(matches!(polling.event().await, Ok(Event::Invoke(_))));
    }
}
