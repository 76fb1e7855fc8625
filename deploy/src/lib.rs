//! What watches the extension's metrics and reads its lines: alarms, a dashboard and saved queries, for
//! CloudFormation and for Terraform. The detectors are their one source: `cargo test -p triage-deploy`
//! writes the generated parts of `deploy/` anew and fails if they were stale, or if a metric has no alarm
//! or no widget.

mod alarms;
mod cloudformation;
mod dashboard;
mod queries;
mod terraform;

pub use alarms::{AlarmPolicy, Meaning, POLICIES, Threshold, description, table};
pub use cloudformation::{GENERATED_BEGIN, GENERATED_END, with_resources};
pub use dashboard::{GROUPS, Group, body};
pub use queries::{QUERIES, Query};
pub use terraform::{dashboard_template, monitoring};

/// The names by which a dashboard and a query refer to what a stack is made with, in the syntax of
/// CloudFormation's `Fn::Sub`.
pub mod placeholder {
    /// The function's name.
    pub const FUNCTION: &str = "${FunctionName}";
    /// Where a widget's query reads: the function's log group, and the failure watcher's if there is one.
    pub const SOURCES: &str = "${Sources}";
    /// The metrics' namespace.
    pub const NAMESPACE: &str = "${Namespace}";
    /// The region.
    pub const REGION: &str = "${AWS::Region}";
}
