//! The metrics that CloudWatch would have extracted from the log.

use std::collections::BTreeMap;
use std::time::SystemTime;

/// A metric's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricKey {
    /// Namespace.
    pub namespace: String,
    /// Dimension names and values; empty for the metric without dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// Metric name.
    pub name: String,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Datapoint {
    /// The time the line gave it.
    pub time: SystemTime,
    /// The time at which CloudWatch got the line: no alarm knows of it before.
    pub seen_at: SystemTime,
    /// The value.
    pub value: f64,
    /// The unit; `None` is CloudWatch's own.
    pub unit: String,
}

/// A line that asked to be extracted and that CloudWatch would not (fully) extract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEmf {
    /// The line, cut to 4 KiB.
    pub line: String,
    /// Why, one sentence a problem.
    pub reason: String,
}

/// Metrics by identity, and the lines that failed.
#[derive(Debug, Clone, Default)]
pub struct MetricStore {
    pub(crate) series: BTreeMap<MetricKey, Vec<Datapoint>>,
    pub(crate) rejected: Vec<RejectedEmf>,
}

impl MetricStore {
    /// Adds what was extracted from other log groups.
    pub fn extend(&mut self, other: Self) {
        for (key, points) in other.series {
            self.series.entry(key).or_default().extend(points);
        }
        self.rejected.extend(other.rejected);
    }

    /// Every metric with its values, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&MetricKey, &[Datapoint])> {
        self.series.iter().map(|(key, points)| (key, points.as_slice()))
    }

    /// The values of one metric; empty when it was never seen.
    #[must_use]
    pub fn datapoints(
        &self,
        namespace: &str,
        dimensions: &[(&str, &str)],
        name: &str,
    ) -> &[Datapoint] {
        let key = MetricKey {
            namespace: namespace.into(),
            dimensions: dimensions.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            name: name.into(),
        };
        self.series.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The statistic Sum over all time; 0 when the metric was never seen.
    #[must_use]
    pub fn sum(&self, namespace: &str, dimensions: &[(&str, &str)], name: &str) -> f64 {
        self.datapoints(namespace, dimensions, name).iter().map(|point| point.value).sum()
    }

    /// The statistic SampleCount over all time.
    #[must_use]
    pub fn count(&self, namespace: &str, dimensions: &[(&str, &str)], name: &str) -> usize {
        self.datapoints(namespace, dimensions, name).len()
    }

    /// The statistic Maximum over all time; `None` when the metric was never seen.
    #[must_use]
    pub fn max(&self, namespace: &str, dimensions: &[(&str, &str)], name: &str) -> Option<f64> {
        self.datapoints(namespace, dimensions, name)
            .iter()
            .map(|point| point.value)
            .max_by(f64::total_cmp)
    }

    /// Whether no metric was extracted and no line rejected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.rejected.is_empty()
    }

    /// Lines that CloudWatch would reject, in order of arrival.
    #[must_use]
    pub fn rejected(&self) -> &[RejectedEmf] {
        &self.rejected
    }
}
