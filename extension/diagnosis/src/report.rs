//! A diagnosis as it leaves: one JSON line with CloudWatch's embedded metric format in it.
//!
//! The format is AWS's [embedded metric format specification][1].
//!
//! [1]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use crate::bug::contained;
use crate::detector::Detector;
use crate::diagnosis::Diagnosis;
use crate::emf;
use crate::fault_point;
use crate::finding::{Finding, Stage};
use crate::folding::Fold;
use crate::input::Function;
use crate::invocation::clip;
use crate::level::Level;
use crate::metric::{MetricValue, PROBLEMS, SUSPECTED_PROBLEMS, Unit};
use crate::{Settings, Timestamp};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The longest line, without its newline: a pipe takes 4,096 bytes in one piece.
pub const MAX_LINE_BYTES: usize = 4_095;

/// One thing to tell: a diagnosis, or several folded into one.
#[derive(Clone, Debug)]
pub struct Report {
    detector: &'static Detector,
    finding: Finding,
    pub(crate) request_id: Option<String>,
    pub(crate) function_arn: Option<String>,
    pub(crate) trace_id: Option<String>,
    function_name: String,
    function_version: String,
    namespace: String,
    metrics: Vec<MetricValue>,
    written_at: Timestamp,
}

/// What every report of a sandbox has in common.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) function: Function,
    pub(crate) namespace: String,
}

impl Teller {
    pub(crate) fn new(function: Function, settings: &Settings) -> Self {
        let function =
            Function { name: clip(function.name), version: clip(function.version), ..function };
        Self { function, namespace: clip(settings.namespace.clone()) }
    }

    /// A diagnosis told singly.
    pub(crate) fn single(&self, diagnosis: Diagnosis, now: Timestamp) -> Report {
        Report {
            request_id: diagnosis.request_id,
            function_arn: diagnosis.function_arn,
            trace_id: diagnosis.trace_id,
            ..self.report(diagnosis.detector, diagnosis.finding, 1, now)
        }
    }

    /// Diagnoses told in one line, or more signs of those that have been told.
    pub(crate) fn folded(&self, detector: &'static Detector, fold: Fold, now: Timestamp) -> Report {
        let mut finding = fold.example;
        finding.message = match fold.occurrences {
            1 => format!("once more: {}", finding.message),
            n => format!("{n} more times, the last: {}", finding.message),
        };
        finding.occurrences = fold.occurrences;
        finding.at = fold.last_at;
        let finding = finding
            .evidence("firstAt", Some(fold.first_at.to_string()))
            .evidence("lastAt", Some(fold.last_at.to_string()));
        self.report(detector, finding, fold.diagnoses, now)
    }

    fn report(
        &self,
        detector: &'static Detector,
        finding: Finding,
        diagnoses: u64,
        now: Timestamp,
    ) -> Report {
        Report {
            metrics: metrics(detector, &finding, diagnoses),
            detector,
            finding,
            request_id: None,
            function_arn: None,
            trace_id: None,
            function_name: self.function.name.clone(),
            function_version: self.function.version.clone(),
            namespace: self.namespace.clone(),
            written_at: now,
        }
    }
}

fn metrics(detector: &Detector, finding: &Finding, diagnoses: u64) -> Vec<MetricValue> {
    if diagnoses == 0 {
        return Vec::new();
    }
    // Exact up to 2^53.
    let count = diagnoses as f64;
    let counted = |name| MetricValue { name, unit: Unit::Count, values: vec![count] };
    match finding.stage {
        Stage::Imminent => Vec::new(),
        Stage::Suspected => vec![counted(SUSPECTED_PROBLEMS)],
        Stage::Confirmed => {
            let mut metrics = vec![counted(detector.metric), counted(PROBLEMS)];
            for (name, value) in &finding.values {
                match metrics.iter_mut().find(|metric| metric.name == *name) {
                    Some(metric) => metric.values.push(*value),
                    None => metrics.push(MetricValue {
                        name,
                        unit: Unit::of(name),
                        values: vec![*value],
                    }),
                }
            }
            metrics
        }
    }
}

impl Report {
    /// The line for standard output, without its newline; at most [`MAX_LINE_BYTES`]. With `emf` it
    /// carries the metrics in CloudWatch's embedded metric format. Empty if a bug leaves no line at
    /// all; one in the finer parts costs those.
    #[must_use]
    pub fn to_line(&self, emf: bool) -> String {
        [Detail::Full, Detail::Short, Detail::Least]
            .into_iter()
            .filter_map(|detail| {
                contained(|| {
                    fault_point!("line");
                    // Strings, finite numbers and string keys: nothing JSON could refuse.
                    serde_json::to_string(&Line { report: self, emf, detail }).unwrap_or_default()
                })
            })
            .find(|line| line.len() <= MAX_LINE_BYTES)
            .unwrap_or_default()
    }

    /// The metric values that the line stands for: none where it only counts more signs of what
    /// has been told.
    #[must_use]
    pub fn metrics(&self) -> &[MetricValue] {
        &self.metrics
    }

    /// The problem's name.
    #[must_use]
    pub fn problem(&self) -> &'static str {
        self.detector.problem
    }

    /// Whether a problem has happened, suspected or confirmed, and not merely may be about to.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.finding.stage >= Stage::Suspected
    }

    /// How much its line weighs.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.finding.stage {
            Stage::Confirmed => self.detector.level,
            Stage::Suspected | Stage::Imminent => self.detector.level.min(Level::Warn),
        }
    }

    /// What it says of it, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.finding.message
    }

    fn advice(&self) -> Cow<'static, str> {
        let cause = self.finding.cause;
        let known = self.detector.causes.iter().find(|known| Some(known.name) == cause);
        let advice = known.map_or(self.detector.advice, |known| known.advice);
        match self.finding.is_of_itself_outside {
            // The function that was called is the one that the line is about.
            true => advice.replace("called function", "function").into(),
            false => advice.into(),
        }
    }
}

/// How much of a report fits into its line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Full,
    /// Without the longer pieces of evidence.
    Short,
    /// What alarms and filters need.
    Least,
}

/// Evidence longer than this is left out of a line that would be too long.
const SHORT_EVIDENCE_BYTES: usize = 80;
const LEAST_MESSAGE_CHARS: usize = 120;

struct Line<'a> {
    report: &'a Report,
    emf: bool,
    detail: Detail,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.report;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &report.finding.at.to_string())?;
        line.serialize_entry("level", report.level().as_str())?;
        line.serialize_entry("message", &self.message())?;
        entry(&mut line, "requestId", report.request_id.as_deref())?;
        entry(&mut line, "functionArn", report.function_arn.as_deref())?;
        entry(&mut line, "functionVersion", Some(&report.function_version))?;
        entry(&mut line, "traceId", report.trace_id.as_deref())?;
        line.serialize_entry("diagnosis", &self.diagnosis())?;
        entry(&mut line, "FunctionName", Some(&report.function_name))?;
        emf::write_values(&mut line, &report.metrics)?;
        if self.emf && !report.metrics.is_empty() {
            let Report { namespace, function_name, metrics, written_at, .. } = report;
            let directive = emf::directive(namespace, function_name, metrics, *written_at);
            line.serialize_entry("_aws", &directive)?;
        }
        line.end()
    }
}

impl Line<'_> {
    fn message(&self) -> String {
        let message = &self.report.finding.message;
        match self.detail {
            Detail::Full | Detail::Short => message.clone(),
            Detail::Least => message.chars().take(LEAST_MESSAGE_CHARS).collect(),
        }
    }

    fn diagnosis(&self) -> Value {
        let Report { detector, finding, .. } = self.report;
        let mut evidence = finding.evidence.clone();
        match self.detail {
            Detail::Full => {}
            Detail::Short => evidence.retain(|_, v| v.to_string().len() <= SHORT_EVIDENCE_BYTES),
            Detail::Least => evidence.clear(),
        }
        let mut diagnosis = json!({
            "problem": detector.problem,
            "stage": finding.stage.as_str(),
            "occurrences": finding.occurrences,
        });
        // A user's signature may have neither.
        for (name, text) in
            [("advice", self.report.advice()), ("reference", detector.reference.into())]
        {
            if !text.is_empty() {
                diagnosis[name] = text.into();
            }
        }
        if let Some(view) = finding.view {
            diagnosis["view"] = view.as_str().into();
        }
        if let Some(cause) = finding.cause {
            diagnosis["cause"] = cause.into();
        }
        if !evidence.is_empty() {
            diagnosis["evidence"] = evidence.into();
        }
        diagnosis
    }
}

/// A field, if it has a value.
fn entry<M: SerializeMap>(map: &mut M, name: &str, value: Option<&str>) -> Result<(), M::Error> {
    let value = value.filter(|value| !value.is_empty());
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}
