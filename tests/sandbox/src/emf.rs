//! Extracts metrics from a log event as CloudWatch does: the embedded metric format.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::metrics::{Datapoint, MetricKey, MetricStore, RejectedEmf};

const MAX_METRICS: usize = 100;
const MAX_DIMENSIONS: usize = 30;
const MAX_VALUES: usize = 100;
const MAX_LINE_BYTES: usize = 1 << 20;
const MAX_DIMENSION_NAME: usize = 250;
const MAX_NAME: usize = 1024;
/// 2^360.
const MAX_VALUE: f64 = 2.348_542_582_773_833_4e108;
const MAX_PAST: Duration = Duration::from_secs(14 * 24 * 3600);
const MAX_FUTURE: Duration = Duration::from_secs(2 * 3600);
/// Bounds on what the store itself keeps.
const MAX_DATAPOINTS: usize = 100_000;
const MAX_REJECTED: usize = 1_000;
const KEPT_LINE_BYTES: usize = 4 << 10;

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

impl MetricStore {
    /// Takes in one log event, seen at `now`. One that holds no EMF changes nothing; what is wrong with
    /// one is told by [`MetricStore::rejected`].
    pub fn extract(&mut self, text: &str, now: SystemTime) {
        // Spares the parse of every ordinary line.
        if !text.contains("\"CloudWatchMetrics\"") {
            return;
        }
        let problems = match self.extract_document(text, now) {
            Ok(problems) => problems,
            Err(problem) => vec![problem],
        };
        if !problems.is_empty() && self.rejected.len() < MAX_REJECTED {
            let line = text[..text.floor_char_boundary(KEPT_LINE_BYTES)].to_owned();
            self.rejected.push(RejectedEmf { line, reason: problems.join("; ") });
        }
    }

    /// `Err` when nothing at all is extracted; else what was left out.
    fn extract_document(&mut self, text: &str, now: SystemTime) -> Result<Vec<String>, String> {
        if text.len() > MAX_LINE_BYTES {
            return Err(format!("the line has {} bytes, more than {MAX_LINE_BYTES}", text.len()));
        }
        let root: Value =
            serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
        let root = root.as_object().ok_or("not a JSON object")?;
        let Some(metadata) = root.get("_aws") else {
            // CloudWatchMetrics elsewhere in a line means nothing.
            return Ok(Vec::new());
        };
        let metadata = metadata.as_object().ok_or("_aws is not an object")?;
        let time = timestamp(metadata, now)?;
        let directives = metadata
            .get("CloudWatchMetrics")
            .ok_or("_aws.CloudWatchMetrics is missing")?
            .as_array()
            .ok_or("_aws.CloudWatchMetrics is not an array")?;
        let mut problems = Vec::new();
        for directive in directives {
            if let Err(problem) =
                self.extract_directive(directive, root, (time, now), &mut problems)
            {
                problems.push(problem);
            }
        }
        Ok(problems)
    }

    fn extract_directive(
        &mut self,
        directive: &Value,
        root: &Map<String, Value>,
        (time, seen_at): (SystemTime, SystemTime),
        problems: &mut Vec<String>,
    ) -> Result<(), String> {
        let namespace = directive["Namespace"].as_str().filter(|name| is_namespace(name)).ok_or(
            "Namespace is not 1 to 255 of A-Z a-z 0-9 . - _ / # : and space, or begins with a \
                 colon or AWS/",
        )?;
        let dimension_sets = directive["Dimensions"]
            .as_array()
            .ok_or("Dimensions is not an array of arrays of names")?
            .iter()
            .map(|set| dimension_set(set, root))
            .collect::<Result<Vec<_>, _>>()?;
        let metrics = directive["Metrics"].as_array().ok_or("Metrics is not an array")?;
        if metrics.len() > MAX_METRICS {
            return Err(format!(
                "{} metrics in a directive, more than {MAX_METRICS}",
                metrics.len()
            ));
        }
        for metric in metrics {
            match values_of(metric, root) {
                Ok((name, unit, values)) => {
                    for dimensions in &dimension_sets {
                        let key = MetricKey {
                            namespace: namespace.to_owned(),
                            dimensions: dimensions.clone(),
                            name: name.to_owned(),
                        };
                        let points = self.series.entry(key).or_default();
                        let unit = unit.to_owned();
                        points.extend(values.iter().map(|&value| Datapoint {
                            time,
                            seen_at,
                            value,
                            unit: unit.clone(),
                        }));
                        points.truncate(MAX_DATAPOINTS);
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

/// PutMetricData's own rules: its characters and length, `[^:].*`, `AWS/` kept for AWS services.
fn is_namespace(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/#: ".contains(&b))
        && !text.starts_with(':')
        && !text.starts_with("AWS/")
}

fn timestamp(metadata: &Map<String, Value>, now: SystemTime) -> Result<SystemTime, String> {
    let millis = metadata
        .get("Timestamp")
        .ok_or("_aws.Timestamp is missing")?
        .as_u64()
        .ok_or("_aws.Timestamp is not a whole number of milliseconds")?;
    let time = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .ok_or("_aws.Timestamp is out of range")?;
    if now.duration_since(time).is_ok_and(|past| past > MAX_PAST) {
        return Err("_aws.Timestamp is more than 14 days old".into());
    }
    if time.duration_since(now).is_ok_and(|future| future > MAX_FUTURE) {
        return Err("_aws.Timestamp is more than 2 hours ahead".into());
    }
    Ok(time)
}

fn dimension_set(
    set: &Value,
    root: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, String> {
    let names = set.as_array().ok_or("a dimension set is not an array")?;
    if names.len() > MAX_DIMENSIONS {
        return Err(format!("{} dimensions in a set, more than {MAX_DIMENSIONS}", names.len()));
    }
    names
        .iter()
        .map(|name| {
            let name = name
                .as_str()
                .filter(|name| (1..=MAX_DIMENSION_NAME).contains(&name.chars().count()))
                .ok_or("a dimension name is not a string of 1 to 250 characters")?;
            let value = root
                .get(name)
                .ok_or_else(|| format!("dimension {name} is not a member of the root"))?
                .as_str()
                .ok_or_else(|| format!("dimension {name} is not a string"))?;
            if value.trim().is_empty() || value.chars().count() > MAX_NAME {
                return Err(format!("dimension {name} is blank or longer than 1,024 characters"));
            }
            if !value.is_ascii() || value.starts_with(':') {
                return Err(format!("dimension {name} is not ASCII or begins with a colon"));
            }
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn values_of<'a>(
    metric: &'a Value,
    root: &Map<String, Value>,
) -> Result<(&'a str, &'a str, Vec<f64>), String> {
    let name = metric["Name"]
        .as_str()
        .filter(|name| (1..=MAX_NAME).contains(&name.chars().count()))
        .ok_or("a metric's Name is not a string of 1 to 1,024 characters")?;
    let unit = match metric.get("Unit") {
        None => "None",
        Some(unit) => unit
            .as_str()
            .filter(|unit| UNITS.contains(unit))
            .ok_or_else(|| format!("metric {name} has the unknown unit {unit}"))?,
    };
    if let Some(resolution) = metric.get("StorageResolution")
        && !matches!(resolution.as_u64(), Some(1 | 60))
    {
        return Err(format!("metric {name} has a StorageResolution other than 1 and 60"));
    }
    let value =
        root.get(name).ok_or_else(|| format!("metric {name} is not a member of the root"))?;
    let numbers = match value {
        Value::Array(values) if values.len() > MAX_VALUES => {
            return Err(format!(
                "metric {name} has {} values, more than {MAX_VALUES}",
                values.len()
            ));
        }
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        single => single.as_f64().map(|number| vec![number]),
    };
    let numbers: Vec<f64> =
        numbers.ok_or_else(|| format!("metric {name} is neither a number nor numbers"))?;
    if numbers.is_empty() {
        return Err(format!("metric {name} has no value"));
    }
    if numbers.iter().any(|number| number.abs() > MAX_VALUE) {
        return Err(format!("metric {name} is not within -2^360 and 2^360"));
    }
    Ok((name, unit, numbers))
}

#[cfg(test)]
#[path = "emf_tests.rs"]
mod tests;
