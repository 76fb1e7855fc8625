//! What a user may change about the diagnosis.

/// The knobs of the detectors and of the output, each with its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The CloudWatch namespace of the metrics.
    pub namespace: String,
    /// From how much of the timeout on an invocation counts as a near-timeout, in percent. 0 = never.
    pub near_timeout_percent: u8,
    /// From which depth of a chain of invocations on it counts as recursion.
    pub recursion_depth: u32,
    /// Invocations of one sandbox in a span of time that count as suspected recursion. None = off.
    pub recursion_rate: Option<InvocationRate>,
    /// Problems (in kebab-case, as the lines name them) that are never reported.
    pub disabled: Vec<String>,
}

/// So many invocations in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvocationRate {
    /// How many invocations.
    pub invocations: u32,
    /// Within how many seconds.
    pub seconds: u32,
}

impl InvocationRate {
    /// More are not remembered.
    pub const MAX_INVOCATIONS: u32 = 1_000;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "LambdaTriage".to_owned(),
            near_timeout_percent: 90,
            recursion_depth: 4,
            recursion_rate: None,
            disabled: Vec::new(),
        }
    }
}
