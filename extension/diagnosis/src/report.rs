//! A diagnosis as it leaves: one JSON line and metric values.

/// One thing to tell: a diagnosis, or several folded into one.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    line: String,
}

/// A metric's name and values.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricValue {
    /// As CloudWatch shows it.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// At least one value.
    pub values: Vec<f64>,
}

/// The CloudWatch unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `Count`
    Count,
    /// `None`
    None,
}

impl Report {
    /// The line for standard output, without its newline; at most 4,095 bytes. With `emf` it
    /// carries the metrics as CloudWatch's embedded metric format.
    #[must_use]
    pub fn to_line(&self, emf: bool) -> String {
        let _ = emf;
        self.line.clone()
    }

    /// The metric values that the line stands for.
    #[must_use]
    pub fn metrics(&self) -> &[MetricValue] {
        &[]
    }

    /// Whether a problem has happened (suspected or confirmed), and not merely may be about to.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        true
    }
}
