//! The alarms that a user's stack would have, and what the scenarios do to them.

use crate::{CALLEE, CALLER, FUNCTION};
use lambda_sandbox::{
    AlarmState, Alarms, MetricStore, StackSettings, Template, TemplateError, Transition,
};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// The template that users deploy.
const TEMPLATE: &str = include_str!("../../../deploy/sam/template.yaml");

/// The metrics whose alarms the scenarios raise, by function. Those of near-timeouts and of suspicions
/// wait for three minutes of fifteen.
const RAISED: [(&str, &[&str]); 3] = [
    (
        FUNCTION,
        &[
            "Crashes",
            "EfsFailures",
            "KmsErrors",
            "OutOfMemory",
            "RecursionDepth",
            "Recursions",
            "Timeouts",
        ],
    ),
    (CALLER, &["EfsFailures", "KmsErrors"]),
    (CALLEE, &["EfsFailures", "KmsErrors"]),
];

/// The longest that an alarm looks back, and a little more.
const AFTERWARDS: Duration = Duration::from_secs(30 * 60);

/// What became of a function's alarms.
#[derive(Debug)]
pub struct Alarming {
    /// The function.
    pub function: &'static str,
    /// The metrics whose alarms must fire.
    raised: &'static [&'static str],
    /// All of them.
    pub alarms: Alarms,
    /// Their changes, in order, from before the first metric until half an hour after the last.
    pub history: Vec<Transition>,
    /// When the first metric was written.
    pub began: SystemTime,
}

/// Lets the alarms of deploy/sam/template.yaml on each function watch `metrics`, and with those of the
/// first the alarms on all functions.
///
/// # Errors
/// When the template is no good.
pub fn alarming(metrics: &MetricStore) -> Result<Vec<Alarming>, TemplateError> {
    let template = Template::parse(TEMPLATE)?;
    let times = || metrics.iter().flat_map(|(_, points)| points.iter().map(|point| point.time));
    let began = times().min().unwrap_or(SystemTime::UNIX_EPOCH);
    let ended = times().max().unwrap_or(began);
    RAISED
        .into_iter()
        .map(|(function, raised)| {
            let parameters = [
                ("FunctionName", function),
                ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:on-call"),
                ("FleetAlarms", if function == FUNCTION { "yes" } else { "no" }),
            ];
            let settings = StackSettings {
                parameters: parameters.map(|(name, value)| (name.into(), value.into())).into(),
                ..StackSettings::default()
            };
            let alarms = template.stack(settings)?.alarms()?;
            let history = alarms.history(metrics, began, ended + AFTERWARDS);
            Ok(Alarming { function, raised, alarms, history, began })
        })
        .collect()
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
        let metrics = self.raised.iter().copied();
        let of_function = metrics.clone().chain(["IsSick"]);
        let of_function = of_function.map(|what| format!("lambda-triage.{}.{what}", self.function));
        let of_fleet = metrics.chain(["FleetIsSick"]).filter(|_| self.function == FUNCTION);
        let of_fleet = of_fleet.map(|what| format!("lambda-triage.{what}"));
        let expected: BTreeSet<String> = of_function.chain(of_fleet).collect();
        let fired: BTreeSet<String> = self.fired().into_iter().map(str::to_owned).collect();
        let missing = expected.difference(&fired).map(|name| format!("{name} did not fire"));
        let wrong = fired.difference(&expected).map(|name| format!("{name} fired"));
        missing.chain(wrong).collect()
    }
}
