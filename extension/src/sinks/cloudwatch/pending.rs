//! Metrics that wait to be sent: counted by minute, name and value. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use triage_diagnosis::{Level, MetricValue, MetricsLine, Timestamp, Unit};

const MINUTE_MS: u64 = 60_000;
/// Of one metric in a request, by the API's reference.
const MAX_VALUES: usize = 150;
/// A request may hold 1,000 metrics and 1 MB. Each datum here goes out twice, with and without the
/// function's name, in up to 5 KB each.
const MAX_DATA: usize = 90;
/// So many different values wait at most.
const MAX_WAITING: usize = 1_000;
/// By so much the time of a metric may be off from when it is sent. Alarms look at the last minutes:
/// what waited through a freeze counts when it is sent, as a line does that is written then.
const MAX_OFF_MS: u64 = 2 * MINUTE_MS;

/// A metric's values of one minute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Datum {
    /// The beginning of the minute.
    pub(crate) at: Timestamp,
    /// The metric's name.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: Unit,
    /// The level of the most weighty line that it is of.
    pub(crate) level: Level,
    /// Each value and how often it occurred.
    pub(crate) values: Vec<(f64, u64)>,
}

/// What waits, bounded.
#[derive(Debug, Default)]
pub(super) struct Pending {
    series: BTreeMap<(Timestamp, &'static str), Series>,
    waiting: usize,
}

#[derive(Debug)]
struct Series {
    unit: Unit,
    level: Level,
    values: BTreeMap<Sample, u64>,
}

/// A value as a key.
#[derive(Clone, Copy, Debug)]
struct Sample(f64);

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Sample {}
impl PartialOrd for Sample {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sample {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Takes the metrics of one report, all of them or none. None for which there is no room, and none
    /// with a value that the API refuses, as it then refuses the whole request.
    pub(super) fn add(&mut self, metrics: &[MetricValue], level: Level, now: Timestamp) -> bool {
        let values = || metrics.iter().flat_map(|metric| &metric.values);
        let is_sound = values().all(|value| value.is_finite() && value.abs() < 2_f64.powi(360));
        if !is_sound || self.waiting + values().count() > MAX_WAITING {
            return false;
        }
        let at = minute(now);
        for metric in metrics {
            for value in &metric.values {
                self.count(at, metric.name, metric.unit, level, *value, 1);
            }
        }
        true
    }

    /// Takes back what was taken out.
    pub(super) fn put_back(&mut self, data: &[Datum]) {
        for datum in data {
            for (value, count) in &datum.values {
                self.count(datum.at, datum.name, datum.unit, datum.level, *value, *count);
            }
        }
    }

    /// Takes over everything of another.
    pub(super) fn append(&mut self, other: &mut Self) {
        for ((at, name), series) in std::mem::take(other).series {
            for (value, count) in series.values {
                self.count(at, name, series.unit, series.level, value.0, count);
            }
        }
    }

    fn count(
        &mut self,
        at: Timestamp,
        name: &'static str,
        unit: Unit,
        level: Level,
        value: f64,
        count: u64,
    ) {
        let series = self.series.entry((at, name));
        let series = series.or_insert_with(|| Series { unit, level, values: BTreeMap::new() });
        series.level = series.level.max(level);
        let counted = series.values.entry(Sample(value)).or_insert_with(|| {
            self.waiting += 1;
            0
        });
        *counted = counted.saturating_add(count);
    }

    /// Takes out as much as one request may hold, oldest first.
    pub(super) fn take_request(&mut self, now: Timestamp) -> Vec<Datum> {
        let mut data = Vec::new();
        while data.len() < MAX_DATA
            && let Some(mut entry) = self.series.first_entry()
        {
            let (at, name) = *entry.key();
            let series = entry.get_mut();
            let mut values = Vec::new();
            while values.len() < MAX_VALUES
                && let Some((value, count)) = series.values.pop_first()
            {
                values.push((value.0, count));
            }
            let (unit, level) = (series.unit, series.level);
            if series.values.is_empty() {
                entry.remove();
            }
            self.waiting = self.waiting.saturating_sub(values.len());
            data.push(Datum { at: counting_at(at, now), name, unit, level, values });
        }
        data
    }

    /// Takes out up to so many single values of the oldest minute, each metric once, with the minute
    /// and the weight of their line.
    fn take_singly(
        &mut self,
        most: usize,
        now: Timestamp,
    ) -> Option<(Timestamp, Level, Vec<MetricValue>)> {
        let at = self.series.first_key_value()?.0.0;
        let mut level = Level::Trace;
        let mut metrics = Vec::new();
        let mut left = most;
        let names: Vec<_> = self.series.keys().filter(|key| key.0 == at).copied().collect();
        for key in names {
            let Some(series) = self.series.get_mut(&key) else { continue };
            let mut values = Vec::new();
            while let Some(mut entry) = series.values.first_entry()
                && values.len() < left.min(MetricsLine::MAX_VALUES)
            {
                values.push(entry.key().0);
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                    self.waiting = self.waiting.saturating_sub(1);
                }
            }
            left -= values.len();
            if !values.is_empty() {
                level = level.max(series.level);
                metrics.push(MetricValue { name: key.1, unit: series.unit, values });
            }
            if series.values.is_empty() {
                self.series.remove(&key);
            }
        }
        Some((counting_at(at, now), level, metrics))
    }

    /// The next line that carries what waits, of the most bytes that a line may have.
    pub(super) fn take_line(
        &mut self,
        function_name: &str,
        namespace: &str,
        max_bytes: usize,
        now: Timestamp,
    ) -> Option<String> {
        let mut most = 2 * MetricsLine::MAX_VALUES;
        loop {
            let (at, level, metrics) = self.take_singly(most, now)?;
            let line = MetricsLine { function_name, namespace, level, at, metrics: &metrics };
            let line = line.to_line();
            if line.len() <= max_bytes || most <= 1 {
                return Some(line);
            }
            most /= 2;
            for metric in metrics {
                let values = metric.values.into_iter().map(|value| (value, 1)).collect();
                let (name, unit) = (metric.name, metric.unit);
                self.put_back(&[Datum { at, name, unit, level, values }]);
            }
        }
    }
}

fn minute(at: Timestamp) -> Timestamp {
    at.minus_ms(at.as_ms() % MINUTE_MS)
}

/// The time under which a metric goes out.
fn counting_at(at: Timestamp, now: Timestamp) -> Timestamp {
    let off_ms = now.ms_since(at).max(at.ms_since(now));
    if off_ms > MAX_OFF_MS { minute(now) } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const NOON: u64 = 1_772_366_400_000;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_ms(NOON + s * 1_000)
    }

    fn metric(name: &'static str, values: &[f64]) -> MetricValue {
        MetricValue { name, unit: Unit::Count, values: values.to_vec() }
    }

    #[test]
    fn what_falls_into_one_minute_is_one_datum_with_counted_values() {
        let mut pending = Pending::default();
        for s in [3, 59] {
            assert!(pending.add(
                &[metric("Timeouts", &[1.0]), metric("Problems", &[1.0])],
                Level::Warn,
                at(s)
            ));
        }
        assert!(pending.add(&[metric("Timeouts", &[7.0])], Level::Error, at(59)));
        assert!(pending.add(&[metric("Timeouts", &[1.0])], Level::Warn, at(60)));
        let datum =
            |s, name, level, values| Datum { at: at(s), name, unit: Unit::Count, level, values };
        assert_eq!(
            pending.take_request(at(61)),
            [
                datum(0, "Problems", Level::Warn, vec![(1.0, 2)]),
                datum(0, "Timeouts", Level::Error, vec![(1.0, 2), (7.0, 1)]),
                datum(60, "Timeouts", Level::Warn, vec![(1.0, 1)]),
            ]
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn no_request_is_larger_than_the_api_takes() {
        let mut pending = Pending::default();
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        assert!(pending.add(&[metric("RecursionDepth", &values)], Level::Error, at(0)));
        let data = pending.take_request(at(0));
        assert_eq!(
            data.iter().map(|datum| datum.values.len()).collect::<Vec<_>>(),
            [150, 150, 100]
        );
        for s in 0..120 {
            assert!(pending.add(&[metric("Timeouts", &[1.0])], Level::Error, at(60 * s)));
        }
        assert_eq!(pending.take_request(at(0)).len(), MAX_DATA);
        assert_eq!(pending.take_request(at(0)).len(), 120 - MAX_DATA);
    }

    #[test]
    fn what_there_is_no_room_for_or_the_api_would_refuse_is_left_to_its_line() {
        let mut pending = Pending::default();
        for bad in [f64::NAN, f64::INFINITY, -2_f64.powi(361)] {
            assert!(!pending.add(&[metric("Timeouts", &[1.0, bad])], Level::Error, at(0)));
        }
        assert!(pending.is_empty());
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert!(pending.add(&[metric("RecursionDepth", &values)], Level::Error, at(0)));
        assert!(!pending.add(&[metric("Timeouts", &[1.0])], Level::Error, at(0)));
        while !pending.is_empty() {
            pending.take_request(at(0));
        }
        assert!(pending.add(&[metric("Timeouts", &[1.0])], Level::Error, at(0)));
    }

    #[test]
    fn what_waited_through_a_freeze_or_a_clock_set_back_counts_when_it_is_sent() {
        for (now, counts_at) in [(119, 0), (121, 120), (86_400, 86_400)] {
            let mut pending = Pending::default();
            pending.add(&[metric("Timeouts", &[1.0])], Level::Error, at(0));
            assert_eq!(pending.take_request(at(now))[0].at, at(counts_at), "{now}");
        }
        let mut pending = Pending::default();
        pending.add(&[metric("Timeouts", &[1.0])], Level::Error, at(86_400));
        assert_eq!(pending.take_request(at(0))[0].at, at(0));
    }

    proptest! {
        /// By value: how often it came. Sent, taken back and written as lines, it is the same.
        #[test]
        fn nothing_is_lost_or_doubled_on_the_way_into_lines(
            values in prop::collection::vec((0..300_u64, 0..3_u64, any::<bool>()), 1..400),
            max_bytes in 500..4_095_usize,
        ) {
            let mut pending = Pending::default();
            let mut expected = BTreeMap::new();
            for (s, value, is_depth) in &values {
                let (name, value) = if *is_depth { ("RecursionDepth", 1e9 / (*value as f64 + 3.0)) } else { ("Timeouts", *value as f64) };
                prop_assert!(pending.add(&[metric(name, &[value])], Level::Error, at(*s)));
                *expected.entry((name, value.to_string())).or_insert(0) += 1;
            }
            let data = pending.take_request(at(300));
            prop_assert!(pending.is_empty());
            let mut fallback = Pending::default();
            fallback.put_back(&data);
            let mut found = BTreeMap::new();
            while let Some(line) = fallback.take_line("orders", "LambdaTriage", max_bytes, at(300)) {
                prop_assert!(line.len() <= max_bytes, "{}", line.len());
                let line: Value = serde_json::from_str(&line).unwrap();
                for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
                    let name = if metric["Name"] == "Timeouts" { "Timeouts" } else { "RecursionDepth" };
                    let values = &line[name];
                    let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
                    prop_assert!((1..=100).contains(&values.len()));
                    for value in values {
                        *found.entry((name, value.as_f64().unwrap().to_string())).or_insert(0) += 1;
                    }
                }
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(fallback.waiting, 0);
        }
    }
}
