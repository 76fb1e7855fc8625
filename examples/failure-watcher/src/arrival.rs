//! What an event holds: failed requests, in whatever wrapping and mixture, or the wish for a check.

use crate::settings::Settings;
use serde_json::Value;
use triage_diagnosis::failed_requests::{self, Item};

/// An event, read.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// What may tell of failed requests.
    Items(Vec<Item>),
    /// States are to be looked at: on a schedule, or since somebody asks.
    Check(CheckOf),
}

/// Which functions' states are to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOf {
    /// Those of the settings, by the clock: what lasts is not told at each check.
    Scheduled,
    /// Those of the settings, as somebody asks.
    Chosen,
    /// These, by name or ARN.
    Named(Vec<String>),
}

impl Arrival {
    /// Reads an event.
    #[must_use]
    pub fn read(event: &Value, settings: &Settings) -> Self {
        if let Some(check) = check(event) {
            return Self::Check(check);
        }
        Self::Items(failed_requests::read(event, &settings.dead_letters))
    }
}

fn check(event: &Value) -> Option<CheckOf> {
    // A rule's, and a schedule's of EventBridge Scheduler.
    let is_clocks = matches!(event["source"].as_str(), Some("aws.events" | "aws.scheduler"));
    let is_scheduled = is_clocks && event["detail-type"] == "Scheduled Event";
    match &event["check"] {
        Value::Array(names) => Some(CheckOf::Named(
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        )),
        Value::Bool(true) => Some(CheckOf::Chosen),
        _ => is_scheduled.then_some(CheckOf::Scheduled),
    }
}
