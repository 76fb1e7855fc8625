//! Which alarm each metric has.

use triage_diagnosis::detectors;

/// How one metric is watched, for each function and for all functions together.
#[derive(Clone, Copy, Debug)]
pub struct AlarmPolicy {
    /// The metric's name.
    pub metric: &'static str,
    /// CloudWatch's statistic.
    pub statistic: &'static str,
    /// What one minute's value must reach.
    pub threshold: Threshold,
    /// How many minutes are looked at: N.
    pub evaluation_periods: u32,
    /// How many of them must reach it: M.
    pub datapoints_to_alarm: u32,
    /// What it means.
    pub meaning: Meaning,
}

/// What one minute's value must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So many problems as the user sets; 1 unless it is set.
    ProblemsPerMinute,
    /// The depth of a chain that the user sets; that of `TRIAGE_RECURSION_DEPTH` unless it is set.
    RecursionDepth,
    /// This many.
    Fixed(u32),
}

/// What an alarm means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The function is sick: part of the composite alarm.
    Sick,
    /// Sick, and each minute counts: it tells by itself too, whatever state the composite alarm is in.
    Urgent,
    /// Not yet, or not for certain.
    Warning,
}

/// The length of every alarm's periods, in seconds: what M of N counts are minutes with problems.
pub(crate) const PERIOD_S: u32 = 60;

impl AlarmPolicy {
    /// One minute of five: at once, even if CloudWatch gets the line minutes late, and one alarm rather
    /// than several for what comes again within minutes.
    const fn once(metric: &'static str) -> Self {
        Self {
            metric,
            statistic: "Sum",
            threshold: Threshold::ProblemsPerMinute,
            evaluation_periods: 5,
            datapoints_to_alarm: 1,
            meaning: Meaning::Sick,
        }
    }

    /// Three minutes of fifteen: what an SDK's retry or the next invocation usually mends.
    const fn lasting(metric: &'static str) -> Self {
        Self { evaluation_periods: 15, datapoints_to_alarm: 3, ..Self::once(metric) }
    }

    const fn as_warning(self) -> Self {
        Self { meaning: Meaning::Warning, ..self }
    }
}

/// Every metric's alarm, in alphabetical order.
pub const POLICIES: &[AlarmPolicy] = &[
    AlarmPolicy::once("AccessDenied"),
    AlarmPolicy::once("Crashes"),
    AlarmPolicy::once("CustomProblems"),
    AlarmPolicy::once("EfsFailures"),
    AlarmPolicy::once("InitFailures"),
    AlarmPolicy::once("KmsErrors"),
    AlarmPolicy::lasting("NearTimeouts").as_warning(),
    AlarmPolicy::once("OutOfMemory"),
    // The others see each problem; this one sees that there is no end of them. It counts the warnings'
    // problems too, so it is one.
    AlarmPolicy {
        threshold: Threshold::Fixed(10),
        datapoints_to_alarm: 3,
        ..AlarmPolicy::once("Problems").as_warning()
    },
    // A loop multiplies: one minute is enough, and none is waited for.
    AlarmPolicy {
        statistic: "Maximum",
        threshold: Threshold::RecursionDepth,
        evaluation_periods: 1,
        meaning: Meaning::Urgent,
        ..AlarmPolicy::once("RecursionDepth")
    },
    AlarmPolicy::once("Recursions"),
    AlarmPolicy::once("ResourceExhaustion"),
    AlarmPolicy::once("ResponseErrors"),
    AlarmPolicy::lasting("StateConflicts"),
    AlarmPolicy::lasting("SuspectedProblems").as_warning(),
    AlarmPolicy::once("TelemetryDropped").as_warning(),
    AlarmPolicy::lasting("Throttles"),
    AlarmPolicy::once("Timeouts"),
];

impl AlarmPolicy {
    /// The problems that count in its metric when they are confirmed.
    pub fn problems(&self) -> impl Iterator<Item = &'static str> {
        let metric = self.metric;
        detectors().iter().filter(move |d| d.metric == metric).map(|detector| detector.problem)
    }
}

/// The table of all alarms, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("\n| metric | on if | in | is | counts |\n|---|---|---|---|---|\n");
    for policy in POLICIES {
        let AlarmPolicy { metric, statistic, datapoints_to_alarm, evaluation_periods, .. } = policy;
        let threshold = match policy.threshold {
            Threshold::ProblemsPerMinute => "`ProblemsPerMinute`".to_owned(),
            Threshold::RecursionDepth => "`RecursionDepth`".to_owned(),
            Threshold::Fixed(number) => number.to_string(),
        };
        let meaning = match policy.meaning {
            Meaning::Sick => "sick",
            Meaning::Urgent => "sick, urgent",
            Meaning::Warning => "a warning",
        };
        let problems: Vec<_> = policy.problems().map(|problem| format!("`{problem}`")).collect();
        let counts = match (*metric, problems.is_empty()) {
            ("Problems", _) => "all that are confirmed".to_owned(),
            ("SuspectedProblems", _) => "all that are suspected".to_owned(),
            ("RecursionDepth", _) => "the depth of a chain".to_owned(),
            (_, true) => "`custom:<id>`".to_owned(),
            (_, false) => problems.join(", "),
        };
        text.push_str(&format!(
            "| `{metric}` | {statistic} ≥ {threshold} | {datapoints_to_alarm} of {evaluation_periods} \
             min | {meaning} | {counts} |\n"
        ));
    }
    text.push('\n');
    text
}

/// What a person who gets the alarm reads of it: what it counts and what to do, in Markdown.
#[must_use]
pub fn description(policy: &AlarmPolicy) -> String {
    let found: Vec<_> = detectors().iter().filter(|d| d.metric == policy.metric).collect();
    let read = "The saved query \"What went wrong in the last day\" shows each, with its evidence.";
    match (policy.metric, &found[..]) {
        ("Problems", _) => format!("One problem after another. {read}"),
        ("SuspectedProblems", _) => format!("Something looks wrong, without proof. {read}"),
        ("CustomProblems", _) => format!("A signature of your own was found. {read}"),
        ("RecursionDepth", _) => "A chain of invocations goes on and on. To stop it at once, set the \
                                  function's reserved concurrency to 0. The saved query \"Recursion \
                                  chains by trace\" shows it."
            .to_owned(),
        (_, [one]) => format!("{}: {}. {}", one.problem, one.title, one.advice),
        (_, several) => {
            let problems: Vec<_> = several.iter().map(|detector| detector.problem).collect();
            format!("{}. {read}", problems.join(", "))
        }
    }
}
