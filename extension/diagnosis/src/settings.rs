//! What a user may change about the diagnosis.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

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

/// Why a text is no [`InvocationRate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadInvocationRate;

impl fmt::Display for BadInvocationRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not N/seconds with N from 2 to 1,000")
    }
}

impl Error for BadInvocationRate {}

impl FromStr for InvocationRate {
    type Err = BadInvocationRate;

    /// From `N/seconds`.
    fn from_str(text: &str) -> Result<Self, BadInvocationRate> {
        let (invocations, seconds) = text.split_once('/').ok_or(BadInvocationRate)?;
        let number = |text: &str| text.trim().parse().map_err(|_| BadInvocationRate);
        let rate = Self { invocations: number(invocations)?, seconds: number(seconds)? };
        let is_sound = (2..=Self::MAX_INVOCATIONS).contains(&rate.invocations) && rate.seconds >= 1;
        is_sound.then_some(rate).ok_or(BadInvocationRate)
    }
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
