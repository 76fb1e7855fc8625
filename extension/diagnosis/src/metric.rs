//! CloudWatch metrics: the names beside those of the detectors, values and units.

/// The count of all confirmed problems.
pub const PROBLEMS: &str = "Problems";
/// The count of all that are suspected.
pub const SUSPECTED_PROBLEMS: &str = "SuspectedProblems";
/// The depth of each invocation in a chain, beside the count.
pub const RECURSION_DEPTH: &str = "RecursionDepth";

/// A metric's name and values.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricValue {
    /// As CloudWatch shows it.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// One value or, where diagnoses were folded, up to 100.
    pub values: Vec<f64>,
}

/// The CloudWatch unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `Count`
    Count,
    /// `None`, for what is no count, such as a depth.
    None,
}

impl Unit {
    /// That of a metric: all count, but for a depth.
    pub(crate) fn of(metric: &str) -> Self {
        if metric == RECURSION_DEPTH { Self::None } else { Self::Count }
    }

    /// As CloudWatch writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::None => "None",
        }
    }
}
