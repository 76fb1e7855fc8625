//! The dashboard's body, as CloudWatch's [dashboard body structure][1] has it.
//!
//! [1]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

use crate::alarms::{Meaning, POLICIES};
use crate::placeholder::{FUNCTION, NAMESPACE, REGION};
use crate::queries::Query;
use serde_json::{Value, json};
use triage_diagnosis::detectors;

/// Metrics that are shown together, with what to do about them.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// The metrics in one graph.
    pub metrics: &'static [&'static str],
    /// Metrics of AWS/Lambda beside them, each with its statistic.
    pub lambda: &'static [(&'static str, &'static str)],
    /// What is said before the problems' own advice.
    pub note: &'static str,
    /// The id of the saved query beside it.
    pub query: &'static str,
}

/// The dashboard's rows.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Timeouts",
        metrics: &["Timeouts", "NearTimeouts"],
        lambda: &[("Duration", "Maximum")],
        note: "Near-timeouts come first: act while they are all there is.",
        query: "TimeoutsByCauseQuery",
    },
    Group {
        title: "Recursion",
        metrics: &["RecursionDepth", "Recursions"],
        lambda: &[("RecursiveInvocationsDropped", "Sum")],
        note: "To stop a loop **now**: `aws lambda put-function-concurrency --function-name NAME \
               --reserved-concurrent-executions 0`. Lambda itself stops a chain after about 16 passes, \
               where it can see it.",
        query: "RecursionChainsQuery",
    },
    Group {
        title: "File systems",
        metrics: &["EfsFailures"],
        lambda: &[],
        note: "A function whose own file system cannot be mounted never starts: look for lines of \
               the failure watcher (view `outside`), and at its callers' (view `caller`).",
        query: "FileSystemFailuresQuery",
    },
    Group {
        title: "KMS",
        metrics: &["KmsErrors"],
        lambda: &[],
        note: "A function whose environment cannot be decrypted never starts: look for lines of the \
               failure watcher (view `outside`), and at its callers' (view `caller`).",
        query: "KmsErrorsByKeyQuery",
    },
    Group {
        title: "Crashes, memory, initialization",
        metrics: &[
            "Crashes",
            "OutOfMemory",
            "InitFailures",
            "ResourceExhaustion",
            "ResponseErrors",
        ],
        lambda: &[("Errors", "Sum")],
        note: "Where Lambda's Errors are above these, the handler raised errors of its own.",
        query: "ProblemsByKindQuery",
    },
    Group {
        title: "Calls to other functions, signatures, suspicions",
        metrics: &[
            "AccessDenied",
            "Throttles",
            "StateConflicts",
            "CustomProblems",
            "SuspectedProblems",
            "TelemetryDropped",
        ],
        lambda: &[("Throttles", "Sum")],
        note: "`Throttles` of Lambda Triage are calls that this function made and, where the failure \
               watcher runs, events to it that were given up; those of Lambda are invocations of this function.",
        query: "WhatWentWrongQuery",
    },
];

/// A row's height, in the units of the grid.
const ROW: u32 = 7;

/// The body, with the [placeholders](crate::placeholder) in it, a widget a line.
#[must_use]
pub fn body() -> String {
    let mut widgets = overview();
    let mut y = widgets.iter().map(bottom).max().unwrap_or(0);
    for group in GROUPS {
        widgets.extend(row(group, y));
        y += ROW;
    }
    let widgets: Vec<String> = widgets.iter().map(|widget| format!("  {widget}")).collect();
    format!(
        "{{\"start\": \"-PT24H\", \"variables\": [{}], \"widgets\": [\n{}\n]}}\n",
        variable(),
        widgets.join(",\n")
    )
}

/// Lets the reader turn to another function.
fn variable() -> Value {
    json!({
        "type": "property", "property": "FunctionName", "inputType": "select", "id": "function",
        "label": "Function", "visible": true, "defaultValue": FUNCTION,
        "search": "{AWS/Lambda,FunctionName} MetricName=\"Invocations\"",
        "populateFrom": "FunctionName",
    })
}

fn widget(kind: &str, (x, y): (u32, u32), (width, height): (u32, u32), properties: Value) -> Value {
    json!({"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties})
}

fn bottom(widget: &Value) -> u32 {
    let number = |name: &str| widget[name].as_u64().and_then(|n| u32::try_from(n).ok());
    number("y").zip(number("height")).map_or(0, |(y, height)| y + height)
}

fn overview() -> Vec<Value> {
    let alarms: Vec<String> = std::iter::once("${FunctionIsSick.Arn}".to_owned())
        .chain(POLICIES.iter().map(|policy| format!("${{{}Alarm.Arn}}", policy.metric)))
        .collect();
    let warnings: Vec<_> = POLICIES
        .iter()
        .filter(|policy| policy.meaning == Meaning::Warning)
        .map(|policy| policy.metric)
        .collect();
    let text = format!(
        "# Lambda Triage: {FUNCTION}\n\
         **Red below?** Read *What went wrong*: each line says why, on what evidence, and what to do. \
         {} are warnings: the function works still.\n\n\
         The graphs follow the function chosen above; alarms and log tables stay with {FUNCTION}. \
         Nothing drawn means that nothing went wrong: metrics exist only once there was a problem.",
        warnings.join(", ")
    );
    let counts: Vec<Value> = POLICIES
        .iter()
        .filter(|policy| policy.statistic == "Sum")
        .map(|policy| policy.metric)
        .enumerate()
        .map(|(place, metric)| match place {
            0 => json!([NAMESPACE, metric, "FunctionName", FUNCTION]),
            // A dot stands for the same as above.
            _ => json!([".", metric, ".", "."]),
        })
        .collect();
    let everywhere = |metrics: &str| {
        format!("SEARCH('{{\"{NAMESPACE}\",FunctionName}} {metrics}', 'Sum', 3600)")
    };
    vec![
        widget("text", (0, 0), (24, 4), json!({"markdown": text})),
        widget(
            "alarm",
            (0, 4),
            (12, 6),
            json!({"title": "Alarms of this function", "sortBy": "stateUpdatedTimestamp", "alarms": alarms}),
        ),
        widget(
            "metric",
            (12, 4),
            (12, 6),
            json!({
                "title": "Problems in the time chosen", "region": REGION, "view": "singleValue",
                "stat": "Sum", "setPeriodToTimeRange": true, "metrics": counts,
            }),
        ),
        widget(
            "metric",
            (0, 10),
            (12, 6),
            json!({
                "title": "Which functions are sick", "region": REGION, "view": "timeSeries",
                "stacked": true,
                "metrics": [[{"id": "sick", "expression": everywhere("MetricName=\"Problems\"")}]],
            }),
        ),
        widget(
            "metric",
            (12, 10),
            (12, 6),
            json!({
                "title": "With what", "region": REGION, "view": "bar", "setPeriodToTimeRange": true,
                "metrics": [[{
                    "id": "what",
                    "expression": everywhere("NOT MetricName=\"Problems\" NOT MetricName=\"RecursionDepth\""),
                }]],
            }),
        ),
        widget(
            "metric",
            (0, 16),
            (24, 6),
            json!({
                "title": "What Lambda says", "region": REGION, "view": "timeSeries", "stat": "Sum",
                "period": 60,
                "metrics": [
                    ["AWS/Lambda", "Invocations", "FunctionName", FUNCTION],
                    [".", "Errors", ".", "."],
                    [".", "Throttles", ".", "."],
                    [".", "RecursiveInvocationsDropped", ".", "."],
                    [".", "Duration", ".", ".", {"stat": "p99", "yAxis": "right"}],
                ],
            }),
        ),
    ]
}

fn row(group: &Group, y: u32) -> [Value; 3] {
    let own = group.metrics.iter().enumerate().map(|(place, metric)| {
        let policy = POLICIES.iter().find(|policy| policy.metric == *metric);
        let mut item = match place {
            0 => vec![json!(NAMESPACE), json!(metric), json!("FunctionName"), json!(FUNCTION)],
            // A dot stands for the same as above.
            _ => vec![json!("."), json!(metric), json!("."), json!(".")],
        };
        let statistic = policy.map_or("Sum", |policy| policy.statistic);
        item.extend((statistic != "Sum").then(|| json!({"stat": statistic})));
        Value::Array(item)
    });
    let of_lambda = group.lambda.iter().map(|(metric, statistic)| {
        let label = format!("AWS/Lambda {metric}");
        json!(["AWS/Lambda", metric, ".", ".", {"stat": statistic, "label": label, "yAxis": "right"}])
    });
    let metrics: Vec<Value> = own.chain(of_lambda).collect();
    let graph = json!({
        "title": group.title, "region": REGION, "view": "timeSeries", "stat": "Sum", "period": 60,
        "metrics": metrics,
    });
    let query = Query::find(group.query);
    let table = json!({
        "title": query.map_or("", |query| query.name), "region": REGION, "view": "table",
        "query": query.map_or_else(String::new, Query::for_widget),
    });
    [
        widget("metric", (0, y), (9, ROW), graph),
        widget("log", (9, y), (9, ROW), table),
        widget("text", (18, y), (6, ROW), json!({"markdown": advice(group)})),
    ]
}

/// What to do, by the detectors' own words.
fn advice(group: &Group) -> String {
    let mut text = format!("### {}\n{}\n", group.title, group.note);
    for detector in detectors().iter().filter(|d| group.metrics.contains(&d.metric)) {
        text.push_str(&format!("\n- **{}**: {}", detector.problem, detector.advice));
    }
    text
}
