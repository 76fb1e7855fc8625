//! Where lines and metrics go.

#[cfg(feature = "cloudwatch")]
pub(crate) mod cloudwatch;
mod lines;
mod metrics;
#[cfg(test)]
mod paper;

pub(crate) use lines::{LINE_MAX_BYTES, Lines, Stream};
pub(crate) use metrics::Metrics;
#[cfg(test)]
pub(crate) use paper::Paper;
