//! CloudWatch alarms: read from the CloudFormation template that declares them, and evaluated over the
//! metrics of a sandbox as CloudWatch would.
//!
//! What is modelled: period, statistic, threshold, comparison, M of N, missing data with CloudWatch's
//! wider evaluation range, data that arrives late, and composite alarms. What is not: metric math,
//! anomaly detection, percentiles, suppressors. A template that asks for those is refused.

mod alarm;
mod evaluation;
mod rule;
mod template;
mod yaml;

pub use alarm::{Comparison, MetricAlarm, Statistic, TreatMissingData};
pub use evaluation::{AlarmState, Alarms, Transition};
pub use template::{Stack, StackSettings, Template, TemplateError};
