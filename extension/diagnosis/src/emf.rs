//! CloudWatch's [embedded metric format][1]: metrics that a log line carries.
//!
//! [1]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use crate::metric::MetricValue;
use crate::{Level, Timestamp};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// Metrics whose diagnoses are told already, and which CloudWatch's API did not take.
#[derive(Clone, Copy, Debug)]
pub struct MetricsLine<'a> {
    /// The dimension `FunctionName`; empty where it is not known.
    pub function_name: &'a str,
    /// The metrics' namespace.
    pub namespace: &'a str,
    /// That of the most weighty line that it stands for, as a filter may look at it.
    pub level: Level,
    /// When the metrics count.
    pub at: Timestamp,
    /// Each name once.
    pub metrics: &'a [MetricValue],
}

impl MetricsLine<'_> {
    /// The most values of one metric that a line may carry.
    pub const MAX_VALUES: usize = 100;

    /// The line for standard output, without its newline. It is as long as its metrics make it.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Strings, finite numbers and string keys: nothing JSON could refuse.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for MetricsLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &self.at.to_string())?;
        line.serialize_entry("level", self.level.as_str())?;
        line.serialize_entry("message", "metrics of the diagnoses before this line")?;
        if !self.function_name.is_empty() {
            line.serialize_entry("FunctionName", self.function_name)?;
        }
        write_values(&mut line, self.metrics)?;
        let directive = directive(self.namespace, self.function_name, self.metrics, self.at);
        line.serialize_entry("_aws", &directive)?;
        line.end()
    }
}

/// The metrics' values, as fields of a line.
pub(crate) fn write_values<M: SerializeMap>(
    line: &mut M,
    metrics: &[MetricValue],
) -> Result<(), M::Error> {
    for metric in metrics {
        match metric.values[..] {
            [value] => line.serialize_entry(metric.name, &number(value))?,
            _ => {
                let values: Vec<Value> = metric.values.iter().map(|v| number(*v)).collect();
                line.serialize_entry(metric.name, &values)?;
            }
        }
    }
    Ok(())
}

/// What makes CloudWatch read the values out of a line: its field `_aws`.
pub(crate) fn directive(
    namespace: &str,
    function_name: &str,
    metrics: &[MetricValue],
    at: Timestamp,
) -> Value {
    let metrics: Vec<Value> = metrics.iter().map(definition).collect();
    // CloudWatch takes no dimension without a value.
    let is_named = !function_name.is_empty();
    let dimensions = if is_named { json!([["FunctionName"], []]) } else { json!([[]]) };
    json!({
        "Timestamp": at.as_ms(),
        "CloudWatchMetrics": [{
            "Namespace": namespace,
            "Dimensions": dimensions,
            "Metrics": metrics,
        }],
    })
}

fn definition(metric: &MetricValue) -> Value {
    json!({"Name": metric.name, "Unit": metric.unit.as_str()})
}

/// Whole numbers without a fraction, as a person would write a count.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;

    #[test]
    fn metrics_alone_are_a_line_of_their_own() {
        let count = |name, values| MetricValue { name, unit: Unit::Count, values };
        let line = MetricsLine {
            function_name: "orders",
            namespace: "LambdaTriage",
            level: Level::Error,
            at: Timestamp::from_ms(1_772_366_400_000),
            metrics: &[count("Problems", vec![1.0, 2.5]), count("Timeouts", vec![1.0])],
        };
        let read: Value = serde_json::from_str(&line.to_line()).unwrap();
        assert_eq!(
            read,
            json!({
                "timestamp": "2026-03-01T12:00:00.000Z",
                "level": "ERROR",
                "message": "metrics of the diagnoses before this line",
                "FunctionName": "orders",
                "Problems": [1, 2.5],
                "Timeouts": 1,
                "_aws": {"Timestamp": 1_772_366_400_000_u64, "CloudWatchMetrics": [{
                    "Namespace": "LambdaTriage",
                    "Dimensions": [["FunctionName"], []],
                    "Metrics": [{"Name": "Problems", "Unit": "Count"}, {"Name": "Timeouts", "Unit": "Count"}],
                }]},
            })
        );
        let nameless = MetricsLine { function_name: "", ..line }.to_line();
        assert!(nameless.contains(r#""Dimensions":[[]]"#), "{nameless}");
    }
}
