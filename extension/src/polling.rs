//! The request for /next that is under way while the loop waits for other things too.

use crate::extensions_api::{Event, Extension};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The pause before /next is asked for again after a bug in asking.
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
    pause: Option<Duration>,
}

impl Polling {
    pub(crate) fn new(extension: Extension) -> Self {
        let spare = extension.fresh();
        Self { task: None, idle: Some(extension), spare, pause: None }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.task.is_some()
    }

    /// Asks, if no request is under way.
    pub(crate) fn ask(&mut self) {
        if self.is_under_way() {
            return;
        }
        let mut extension = self.idle.take().unwrap_or_else(|| self.spare.fresh());
        let pause = self.pause.take();
        self.task = Some(tokio::spawn(async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let event = extension.next().await;
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
                Ok(event)
            }
            Err(_) => {
                self.pause = Some(PAUSE);
                Err(Failed)
            }
        }
    }
}

impl Drop for Polling {
    /// Whoever goes on polling after a bug in the loop must be the only one to.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
