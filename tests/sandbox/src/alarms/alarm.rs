//! A metric alarm, with the rules that CloudWatch has for one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::template::TemplateError;
use crate::metrics::{Datapoint, MetricKey};

/// A metric alarm's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricAlarm {
    /// Its name.
    pub name: String,
    /// What it watches.
    pub metric: MetricKey,
    /// How the values of a period become one.
    pub statistic: Statistic,
    /// The length of a period.
    pub period: Duration,
    /// How many periods are looked at: N.
    pub evaluation_periods: usize,
    /// How many of them must breach: M.
    pub datapoints_to_alarm: usize,
    /// What a period's value is compared with.
    pub threshold: f64,
    /// How.
    pub comparison: Comparison,
    /// What a period without data counts as.
    pub treat_missing_data: TreatMissingData,
    /// The ARNs that it tells when it enters ALARM.
    pub actions: Vec<String>,
}

/// How the values of a period become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The sum.
    Sum,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
    /// The mean.
    Average,
    /// How many there are.
    SampleCount,
}

/// How a period's value is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanOrEqualToThreshold`
    GreaterOrEqual,
    /// `GreaterThanThreshold`
    Greater,
    /// `LessThanThreshold`
    Less,
    /// `LessThanOrEqualToThreshold`
    LessOrEqual,
}

/// What a period without data counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreatMissingData {
    /// `breaching`
    Breaching,
    /// `notBreaching`
    NotBreaching,
    /// `ignore`: the alarm stays as it is.
    Ignore,
    /// `missing`: the alarm does not know, which is what CloudWatch does when nothing is said.
    Missing,
}

impl MetricAlarm {
    /// Reads the properties of an `AWS::CloudWatch::Alarm`.
    pub(super) fn read(id: &str, properties: &Value) -> Result<Self, TemplateError> {
        let name = properties["AlarmName"].as_str().unwrap_or(id).to_owned();
        Self::checked(&name, properties)
            .map_err(|reason| TemplateError::Alarm { alarm: name, reason })
    }

    fn checked(name: &str, properties: &Value) -> Result<Self, String> {
        const KNOWN: [&str; 16] = [
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "MetricName",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
        ];
        let entries = properties.as_object().ok_or("it has no properties")?;
        if let Some(name) = entries.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(format!("{name} is not modelled"));
        }
        let text = |field: &str| {
            properties[field].as_str().ok_or_else(|| format!("{field} is missing or no text"))
        };
        let evaluation_periods = whole(properties, "EvaluationPeriods")?;
        let alarm = Self {
            name: name.to_owned(),
            metric: MetricKey {
                namespace: text("Namespace")?.to_owned(),
                dimensions: dimensions(properties)?,
                name: text("MetricName")?.to_owned(),
            },
            statistic: statistic(text("Statistic")?)?,
            period: Duration::from_secs(whole(properties, "Period")? as u64),
            evaluation_periods,
            datapoints_to_alarm: match properties.get("DatapointsToAlarm") {
                Some(_) => whole(properties, "DatapointsToAlarm")?,
                None => evaluation_periods,
            },
            threshold: number(&properties["Threshold"]).ok_or("Threshold is no number")?,
            comparison: comparison(text("ComparisonOperator")?)?,
            treat_missing_data: match properties.get("TreatMissingData") {
                Some(_) => treatment(text("TreatMissingData")?)?,
                None => TreatMissingData::Missing,
            },
            actions: actions(properties),
        };
        alarm.obeys_cloudwatch()?;
        Ok(alarm)
    }

    fn obeys_cloudwatch(&self) -> Result<(), String> {
        let Self { name, evaluation_periods, datapoints_to_alarm, .. } = self;
        let seconds = self.period.as_secs();
        if !name.is_ascii() || !(1..=255).contains(&name.len()) {
            return Err("its name is not 1 to 255 characters of ASCII".into());
        }
        if !matches!(seconds, 10 | 20 | 30) && (seconds == 0 || !seconds.is_multiple_of(60)) {
            return Err(format!("a Period of {seconds} s is neither 10, 20, 30 nor minutes"));
        }
        if !(1..=*evaluation_periods).contains(datapoints_to_alarm) {
            return Err(format!("{datapoints_to_alarm} of {evaluation_periods} datapoints"));
        }
        let longest = if seconds >= 3600 { 7 * 86_400 } else { 86_400 };
        if seconds * *evaluation_periods as u64 > longest {
            return Err("it looks further back than CloudWatch does".into());
        }
        if self.metric.dimensions.len() > 30 {
            return Err("it has more than 30 dimensions".into());
        }
        Ok(())
    }

    /// The value of a period with these datapoints; None without any.
    pub(super) fn value(&self, points: &[&Datapoint]) -> Option<f64> {
        let values = || points.iter().map(|point| point.value);
        let sum: f64 = values().sum();
        if points.is_empty() {
            return None;
        }
        match self.statistic {
            Statistic::Sum => Some(sum),
            Statistic::Maximum => values().max_by(f64::total_cmp),
            Statistic::Minimum => values().min_by(f64::total_cmp),
            Statistic::Average => Some(sum / points.len() as f64),
            Statistic::SampleCount => Some(points.len() as f64),
        }
    }

    /// Whether a period's value breaches.
    pub(super) fn breaches(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::GreaterOrEqual => value >= self.threshold,
            Comparison::Greater => value > self.threshold,
            Comparison::Less => value < self.threshold,
            Comparison::LessOrEqual => value <= self.threshold,
        }
    }
}

/// The ARNs of `AlarmActions`, none while `ActionsEnabled` is false.
pub(super) fn actions(properties: &Value) -> Vec<String> {
    if properties["ActionsEnabled"] == false {
        return Vec::new();
    }
    let actions = properties["AlarmActions"].as_array();
    actions.into_iter().flatten().filter_map(|arn| Some(arn.as_str()?.to_owned())).collect()
}

fn dimensions(properties: &Value) -> Result<BTreeMap<String, String>, String> {
    let dimensions = properties["Dimensions"].as_array();
    dimensions
        .into_iter()
        .flatten()
        .map(|dimension| {
            let part = |name: &str| Some(dimension[name].as_str()?.to_owned());
            part("Name").zip(part("Value")).ok_or_else(|| format!("no dimension: {dimension}"))
        })
        .collect()
}

/// A number, also as text: that is how a parameter arrives.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

fn whole(properties: &Value, field: &str) -> Result<usize, String> {
    let number = number(&properties[field]).filter(|n| n.fract() == 0.0 && (1.0..1e6).contains(n));
    number.map(|n| n as usize).ok_or_else(|| format!("{field} is no whole number from 1 on"))
}

fn statistic(name: &str) -> Result<Statistic, String> {
    Ok(match name {
        "Sum" => Statistic::Sum,
        "Maximum" => Statistic::Maximum,
        "Minimum" => Statistic::Minimum,
        "Average" => Statistic::Average,
        "SampleCount" => Statistic::SampleCount,
        other => return Err(format!("the statistic {other} is not modelled")),
    })
}

fn comparison(name: &str) -> Result<Comparison, String> {
    Ok(match name {
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
        "GreaterThanThreshold" => Comparison::Greater,
        "LessThanThreshold" => Comparison::Less,
        "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
        other => return Err(format!("the comparison {other} is not modelled")),
    })
}

fn treatment(name: &str) -> Result<TreatMissingData, String> {
    Ok(match name {
        "breaching" => TreatMissingData::Breaching,
        "notBreaching" => TreatMissingData::NotBreaching,
        "ignore" => TreatMissingData::Ignore,
        "missing" => TreatMissingData::Missing,
        other => return Err(format!("missing data cannot be treated as {other}")),
    })
}
