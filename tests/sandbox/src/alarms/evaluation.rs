//! The states of alarms over time.
//!
//! CloudWatch looks at more periods than an alarm has: the evaluation range. Of the datapoints in it the
//! newest N count, however old; only what is still lacking is filled in as `TreatMissingData` says ([1]).
//! So an alarm on a metric that is written on errors alone stays in ALARM until they have left the whole
//! range. How far the range goes beyond N is AWS's secret: its examples show two periods, and
//! [`Alarms::with_extra_periods`] sets another number.
//!
//! [1]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::alarm::{MetricAlarm, TreatMissingData, actions};
use super::rule::Rule;
use super::template::{Stack, TemplateError};
use crate::metrics::{Datapoint, MetricStore};

/// CloudWatch evaluates an alarm each minute.
const EVERY: Duration = Duration::from_secs(60);
const EXTRA_PERIODS: usize = 2;

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    /// `OK`
    Ok,
    /// `INSUFFICIENT_DATA`: as every alarm begins.
    InsufficientData,
    /// `ALARM`
    Alarm,
}

/// One alarm's change to another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When it was evaluated.
    pub at: SystemTime,
    /// The alarm's name.
    pub alarm: String,
    /// The new state.
    pub state: AlarmState,
}

/// The alarms of a stack.
#[derive(Debug, Clone)]
pub struct Alarms {
    metric: Vec<MetricAlarm>,
    composite: Vec<CompositeAlarm>,
    extra_periods: usize,
}

#[derive(Debug, Clone)]
struct CompositeAlarm {
    name: String,
    rule: Rule,
    actions: Vec<String>,
}

impl Stack {
    /// Its metric alarms and composite alarms.
    ///
    /// # Errors
    /// When CloudWatch would refuse one, two have one name, a rule names an alarm that is not there or,
    /// over others, itself, or one asks for what is not modelled.
    pub fn alarms(&self) -> Result<Alarms, TemplateError> {
        let metric = self.resources("AWS::CloudWatch::Alarm")?;
        let metric: Vec<_> = metric
            .iter()
            .map(|(id, properties)| MetricAlarm::read(id, properties))
            .collect::<Result<_, _>>()?;
        let mut composite = Vec::new();
        for (id, properties) in self.resources("AWS::CloudWatch::CompositeAlarm")? {
            let name = properties["AlarmName"].as_str().unwrap_or(&id).to_owned();
            let rule = properties["AlarmRule"].as_str().unwrap_or_default();
            let rule = Rule::parse(rule)
                .map_err(|reason| TemplateError::Alarm { alarm: name.clone(), reason })?;
            composite.push(CompositeAlarm { name, rule, actions: actions(&properties) });
        }
        let alarms = Alarms { metric, composite, extra_periods: EXTRA_PERIODS };
        alarms.check_names()?;
        Ok(alarms)
    }
}

impl Alarms {
    /// The same with another evaluation range: so many periods beyond the N of each alarm.
    #[must_use]
    pub fn with_extra_periods(self, extra_periods: usize) -> Self {
        Self { extra_periods, ..self }
    }

    /// The metric alarms, in the order of their logical ids.
    #[must_use]
    pub fn metric_alarms(&self) -> &[MetricAlarm] {
        &self.metric
    }

    /// The names of all alarms.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let metric = self.metric.iter().map(|alarm| alarm.name.as_str());
        metric.chain(self.composite.iter().map(|alarm| alarm.name.as_str()))
    }

    /// The names of the composite alarms.
    pub fn composite_names(&self) -> impl Iterator<Item = &str> {
        self.composite.iter().map(|alarm| alarm.name.as_str())
    }

    /// Whom an alarm tells when it enters ALARM; nobody if there is no such alarm.
    #[must_use]
    pub fn actions(&self, name: &str) -> &[String] {
        let metric = self.metric.iter().find(|alarm| alarm.name == name);
        let composite = self.composite.iter().find(|alarm| alarm.name == name);
        metric
            .map(|alarm| &alarm.actions)
            .or(composite.map(|alarm| &alarm.actions))
            .map_or(&[], |a| a)
    }

    /// What happens to the alarms from one minute to another, evaluated each minute. A datapoint is seen
    /// from [`Datapoint::seen_at`] on, and a period once it is over.
    #[must_use]
    pub fn history(
        &self,
        metrics: &MetricStore,
        from: SystemTime,
        until: SystemTime,
    ) -> Vec<Transition> {
        let mut states: BTreeMap<&str, AlarmState> =
            self.names().map(|name| (name, AlarmState::InsufficientData)).collect();
        let mut transitions = Vec::new();
        let mut at = minute(from);
        while at <= until {
            let before = states.clone();
            for alarm in &self.metric {
                let current = before[alarm.name.as_str()];
                states.insert(&alarm.name, self.state(alarm, metrics, at, current));
            }
            // A rule may name another composite alarm: as many rounds as there are alarms settle it.
            for _ in &self.composite {
                for alarm in &self.composite {
                    let holds = alarm.rule.holds(&mut |name| states[name]);
                    states.insert(
                        &alarm.name,
                        if holds { AlarmState::Alarm } else { AlarmState::Ok },
                    );
                }
            }
            transitions.extend(
                states.iter().filter(|(name, state)| before[*name] != **state).map(
                    |(name, state)| Transition { at, alarm: (*name).to_owned(), state: *state },
                ),
            );
            at += EVERY;
        }
        transitions
    }

    /// The names of the alarms that enter ALARM at some time between `from` and `until`.
    #[must_use]
    pub fn fired(
        &self,
        metrics: &MetricStore,
        from: SystemTime,
        until: SystemTime,
    ) -> BTreeSet<String> {
        let transitions = self.history(metrics, from, until).into_iter();
        transitions.filter(|t| t.state == AlarmState::Alarm).map(|t| t.alarm).collect()
    }

    fn state(
        &self,
        alarm: &MetricAlarm,
        metrics: &MetricStore,
        at: SystemTime,
        current: AlarmState,
    ) -> AlarmState {
        let seen: Vec<&Datapoint> = metrics
            .series
            .get(&alarm.metric)
            .into_iter()
            .flatten()
            .filter(|point| point.seen_at <= at)
            .collect();
        // Whether each period in the range breaches, the newest first; None without data.
        let range: Vec<Option<bool>> = (0..alarm.evaluation_periods + self.extra_periods)
            .map(|back| {
                let end = period_end(at, alarm.period) - alarm.period * back as u32;
                let is_in = |point: &&&Datapoint| (end - alarm.period..end).contains(&point.time);
                let points: Vec<&Datapoint> = seen.iter().filter(is_in).copied().collect();
                alarm.value(&points).map(|value| alarm.breaches(value))
            })
            .collect();
        verdict(alarm, &range, current)
    }

    fn check_names(&self) -> Result<(), TemplateError> {
        let wrong = |alarm: &str, reason: String| {
            Err(TemplateError::Alarm { alarm: alarm.to_owned(), reason })
        };
        let mut known = BTreeSet::new();
        for name in self.names() {
            if !known.insert(name) {
                return wrong(name, "another alarm has the same name".into());
            }
        }
        for alarm in &self.composite {
            let mut names = Vec::new();
            alarm.rule.names(&mut names);
            if let Some(name) = names.iter().find(|name| !known.contains(**name)) {
                return wrong(&alarm.name, format!("its rule names {name}, which is not there"));
            }
            let mut reached: BTreeSet<&str> = names.into_iter().collect();
            for _ in &self.composite {
                let next =
                    self.composite.iter().filter(|other| reached.contains(other.name.as_str()));
                let mut names = Vec::new();
                next.for_each(|other| other.rule.names(&mut names));
                reached.extend(names);
            }
            if reached.contains(alarm.name.as_str()) {
                return wrong(&alarm.name, "its rule rests on itself".into());
            }
        }
        Ok(())
    }
}

/// What CloudWatch makes of a range of periods, the newest first, each breaching, not breaching or
/// without data.
fn verdict(alarm: &MetricAlarm, range: &[Option<bool>], current: AlarmState) -> AlarmState {
    let wanted = alarm.evaluation_periods;
    let real: Vec<bool> = range.iter().flatten().copied().take(wanted).collect();
    let breaching = real.iter().filter(|breaches| **breaches).count();
    let filled = match alarm.treat_missing_data {
        TreatMissingData::Breaching => wanted - real.len(),
        _ => 0,
    };
    let unknown = match alarm.treat_missing_data {
        TreatMissingData::Ignore => Some(current),
        TreatMissingData::Missing => Some(AlarmState::InsufficientData),
        TreatMissingData::Breaching | TreatMissingData::NotBreaching => None,
    };
    let is_lacking = real.len() < wanted;
    match unknown {
        _ if breaching + filled >= alarm.datapoints_to_alarm => AlarmState::Alarm,
        Some(unknown) if is_lacking && breaching == real.len() => {
            // Before the last breaching datapoint leaves the range, CloudWatch does not go back to
            // not knowing.
            let is_leaving = range.last() == Some(&Some(true));
            match alarm.treat_missing_data {
                TreatMissingData::Missing if is_leaving => AlarmState::Alarm,
                _ => unknown,
            }
        }
        _ => AlarmState::Ok,
    }
}

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The end of the last period that is over.
fn period_end(at: SystemTime, period: Duration) -> SystemTime {
    let seconds = period.as_secs().max(1);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch(at).as_secs() / seconds * seconds)
}

/// The beginning of a minute.
fn minute(at: SystemTime) -> SystemTime {
    period_end(at, EVERY)
}

#[cfg(test)]
#[path = "evaluation_tests.rs"]
mod tests;
