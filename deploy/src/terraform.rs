//! What the Terraform module reads: the alarms and queries as JSON, the dashboard as a template.

use crate::alarms::{Meaning, PERIOD_S, POLICIES, Threshold, description};
use crate::dashboard;
use crate::placeholder::{FUNCTION, NAMESPACE, REGION, SOURCES};
use crate::queries::QUERIES;
use serde_json::{Value, json};

/// `monitoring.json`.
#[must_use]
pub fn monitoring() -> String {
    let alarms: serde_json::Map<String, Value> = POLICIES
        .iter()
        .map(|policy| {
            let threshold = match policy.threshold {
                Threshold::ProblemsPerMinute => json!("problems_per_minute"),
                Threshold::RecursionDepth => json!("recursion_depth"),
                Threshold::Fixed(number) => json!(number.to_string()),
            };
            let meaning = match policy.meaning {
                Meaning::Sick => "sick",
                Meaning::Urgent => "urgent",
                Meaning::Warning => "warning",
            };
            let alarm = json!({
                "description": description(policy), "statistic": policy.statistic, "period": PERIOD_S,
                "evaluation_periods": policy.evaluation_periods,
                "datapoints_to_alarm": policy.datapoints_to_alarm, "threshold": threshold,
                "meaning": meaning,
            });
            (policy.metric.to_owned(), alarm)
        })
        .collect();
    let queries: serde_json::Map<String, Value> =
        QUERIES.iter().map(|query| (query.name.to_owned(), json!(query.text))).collect();
    // Values and string keys: nothing JSON could refuse.
    let text = serde_json::to_string_pretty(&json!({"alarms": alarms, "queries": queries}));
    text.unwrap_or_default() + "\n"
}

/// `dashboard.json.tftpl`, for `templatefile`.
#[must_use]
pub fn dashboard_template() -> String {
    let mut body = dashboard::body()
        .replace(FUNCTION, "${function_name}")
        .replace(SOURCES, "${sources}")
        .replace(NAMESPACE, "${namespace}")
        .replace(REGION, "${region}")
        .replace("${FunctionIsSick.Arn}", "${sick_alarm_arn}");
    for policy in POLICIES {
        let metric = policy.metric;
        body = body
            .replace(&format!("${{{metric}Alarm.Arn}}"), &format!("${{alarm_arns[\"{metric}\"]}}"));
    }
    body
}
