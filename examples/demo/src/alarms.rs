//! The alarms that a user's stack would have, and what the scenarios do to them.

use crate::FUNCTION;
use lambda_sandbox::{
    AlarmState, Alarms, MetricStore, StackSettings, Template, TemplateError, Transition,
};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// The template that users deploy.
const TEMPLATE: &str = include_str!("../../../deploy/sam/template.yaml");

/// The metrics whose alarms the scenarios raise, each once for the function and once for all functions.
/// Those of near-timeouts and of suspicions wait for three minutes of fifteen.
const RAISED: [&str; 7] = [
    "Crashes",
    "EfsFailures",
    "KmsErrors",
    "OutOfMemory",
    "RecursionDepth",
    "Recursions",
    "Timeouts",
];

/// The longest that an alarm looks back, and a little more.
const AFTERWARDS: Duration = Duration::from_secs(30 * 60);

/// What became of the alarms.
#[derive(Debug)]
pub struct Alarming {
    /// All of them.
    pub alarms: Alarms,
    /// Their changes, in order, from before the first metric until half an hour after the last.
    pub history: Vec<Transition>,
    /// When the first metric was written.
    pub began: SystemTime,
}

/// Lets the alarms of deploy/sam/template.yaml, on the function and on all functions, watch `metrics`.
///
/// # Errors
/// When the template is no good.
pub fn alarming(metrics: &MetricStore) -> Result<Alarming, TemplateError> {
    let parameters = [
        ("FunctionName", FUNCTION),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:on-call"),
        ("FleetAlarms", "yes"),
    ];
    let settings = StackSettings {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..StackSettings::default()
    };
    let alarms = Template::parse(TEMPLATE)?.stack(settings)?.alarms()?;
    let times = || metrics.iter().flat_map(|(_, points)| points.iter().map(|point| point.time));
    let began = times().min().unwrap_or(SystemTime::UNIX_EPOCH);
    let ended = times().max().unwrap_or(began);
    let history = alarms.history(metrics, began, ended + AFTERWARDS);
    Ok(Alarming { alarms, history, began })
}

impl Alarming {
    /// The names of the alarms that fired.
    #[must_use]
    pub fn fired(&self) -> BTreeSet<&str> {
        let fired = self.history.iter().filter(|change| change.state == AlarmState::Alarm);
        fired.map(|change| change.alarm.as_str()).collect()
    }

    /// How the alarms that fired differ from those that the scenarios must raise, a sentence each.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let expected: BTreeSet<String> = RAISED
            .iter()
            .flat_map(|metric| {
                [format!("lambda-triage.{FUNCTION}.{metric}"), format!("lambda-triage.{metric}")]
            })
            .chain([format!("lambda-triage.{FUNCTION}.IsSick"), "lambda-triage.FleetIsSick".into()])
            .collect();
        let fired: BTreeSet<String> = self.fired().into_iter().map(str::to_owned).collect();
        let missing = expected.difference(&fired).map(|name| format!("{name} did not fire"));
        let wrong = fired.difference(&expected).map(|name| format!("{name} fired"));
        missing.chain(wrong).collect()
    }
}
