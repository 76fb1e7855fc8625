//! A function of the local Lambda service.

use std::time::Duration;

use super::destination::Destination;
use super::event_queue::{MAXIMUM_EVENT_AGE, MAXIMUM_RETRY_ATTEMPTS, Patience};
use super::record::ResponseForm;
use crate::config::Config;
use crate::error::SandboxError;

/// A function, and how it may be invoked. Its name is that of `config`.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Its environments. Each knows the service by `AWS_ENDPOINT_URL_LAMBDA`, unless its variables name
    /// an endpoint themselves. The command may be empty as long as none is started.
    pub config: Config,
    /// As many invocations at once; any number when `None`. 0 stops the function altogether.
    pub reserved_concurrency: Option<u32>,
    /// Its asynchronous invocations.
    pub event_invoke_config: EventInvokeConfig,
    /// Where the events go that could not be worked through: a queue or a topic.
    pub dead_letter: Option<Destination>,
}

impl Deployment {
    /// The function of `config`, without anything else.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    pub(crate) fn patience(&self) -> Patience {
        let EventInvokeConfig { maximum_retry_attempts, maximum_event_age, .. } =
            self.event_invoke_config;
        Patience { retry_attempts: maximum_retry_attempts, event_age: maximum_event_age }
    }

    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let invalid = |setting, problem: &str| {
            Err(SandboxError::InvalidSetting { setting, problem: problem.into() })
        };
        let EventInvokeConfig { maximum_retry_attempts, maximum_event_age, .. } =
            self.event_invoke_config;
        if maximum_retry_attempts > MAXIMUM_RETRY_ATTEMPTS {
            return invalid("event_invoke_config.maximum_retry_attempts", "more than 2");
        }
        if !(Duration::from_secs(60)..=MAXIMUM_EVENT_AGE).contains(&maximum_event_age) {
            return invalid("event_invoke_config.maximum_event_age", "not 60 s to 6 h");
        }
        match self.dead_letter {
            Some(Destination::Function(_) | Destination::EventBus(_)) => {
                invalid("dead_letter", "neither a queue nor a topic")
            }
            _ => Ok(()),
        }
    }
}

/// How Lambda treats a function's asynchronous events, as `PutFunctionEventInvokeConfig` sets it.
#[derive(Debug, Clone)]
pub struct EventInvokeConfig {
    /// How often the function's own errors are retried: 0 to 2.
    pub maximum_retry_attempts: u32,
    /// How long an event is kept: 60 s to 6 h.
    pub maximum_event_age: Duration,
    /// Where the records of events go that were worked through.
    pub on_success: Option<Destination>,
    /// Where the records of events go that were not.
    pub on_failure: Option<Destination>,
    /// How much those tell of an error before the function began.
    pub response_form: ResponseForm,
}

impl Default for EventInvokeConfig {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: MAXIMUM_RETRY_ATTEMPTS,
            maximum_event_age: MAXIMUM_EVENT_AGE,
            on_success: None,
            on_failure: None,
            response_form: ResponseForm::default(),
        }
    }
}
