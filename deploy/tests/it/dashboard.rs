//! The dashboard's body against what widgets may hold, by AWS's [dashboard body structure][1]:
//! `PutDashboard` takes a body that breaks most of these rules and shows an empty widget.
//!
//! [1]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

use crate::{TEMPLATES, stack};
use lambda_sandbox::Stack;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const METRIC_PROPERTIES: [&str; 16] = [
    "accountId",
    "annotations",
    "legend",
    "liveData",
    "metrics",
    "period",
    "region",
    "sparkline",
    "stacked",
    "stat",
    "table",
    "timezone",
    "title",
    "view",
    "yAxis",
    "setPeriodToTimeRange",
];
const METRIC_VIEWS: [&str; 6] = ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"];
const RENDERING: [&str; 10] = [
    "accountId",
    "color",
    "expression",
    "id",
    "label",
    "period",
    "region",
    "stat",
    "visible",
    "yAxis",
];

/// What is wrong with a body, a sentence each.
fn problems(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    only(body, &["widgets", "variables", "start", "end", "periodOverride"], "the body", &mut found);
    let Some(widgets) = body["widgets"].as_array() else {
        return vec!["the body has no array of widgets".into()];
    };
    if widgets.len() > 500 {
        found.push(format!("{} widgets", widgets.len()));
    }
    let mut taken = BTreeSet::new();
    for (place, widget) in widgets.iter().enumerate() {
        let name =
            format!("widget {place} ({})", widget["properties"]["title"].as_str().unwrap_or("-"));
        only(widget, &["type", "x", "y", "width", "height", "properties"], &name, &mut found);
        let [x, y, width, height] =
            ["x", "y", "width", "height"].map(|side| widget[side].as_u64().unwrap_or(u64::MAX));
        if x > 23 || !(1..=24).contains(&width) || x + width > 24 {
            found.push(format!("{name} is not within the grid's 24 columns"));
        } else if y > 10_000 || !(1..=1000).contains(&height) {
            found.push(format!("{name} has no row, or not 1 to 1000 of them"));
        } else {
            let cells = (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y)));
            if !cells.fold(true, |free, cell| taken.insert(cell) & free) {
                found.push(format!("{name} lies over another"));
            }
        }
        let properties = &widget["properties"];
        match widget["type"].as_str() {
            Some("text") => text(properties, &name, &mut found),
            Some("metric") => metric(properties, &name, &mut found),
            Some("log") => log(properties, &name, &mut found),
            Some("alarm") => alarm(properties, &name, &mut found),
            other => found.push(format!("{name} is of the type {other:?}")),
        }
    }
    for variable in body["variables"].as_array().into_iter().flatten() {
        let name = "a variable";
        let known = [
            "type",
            "property",
            "inputType",
            "id",
            "label",
            "visible",
            "defaultValue",
            "search",
            "populateFrom",
        ];
        only(variable, &known, name, &mut found);
        let is_id = |id: &str| {
            (1..=32).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !variable["id"].as_str().is_some_and(is_id) {
            found.push(format!("{name} has no id"));
        }
        if variable["label"].as_str().is_some_and(|label| label.len() > 30) {
            found.push(format!("{name} has a label of more than 30 characters"));
        }
    }
    found
}

fn only(value: &Value, known: &[&str], name: &str, found: &mut Vec<String>) {
    let none = Map::new();
    for entry in value.as_object().unwrap_or(&none).keys() {
        if !known.contains(&entry.as_str()) {
            found.push(format!("{name} has {entry}, which means nothing"));
        }
    }
    if !value.is_object() {
        found.push(format!("{name} is no object"));
    }
}

fn text(properties: &Value, name: &str, found: &mut Vec<String>) {
    only(properties, &["markdown", "background"], name, found);
    if properties["markdown"].as_str().is_none_or(|text| text.trim().is_empty()) {
        found.push(format!("{name} has no text"));
    }
}

fn region(properties: &Value, name: &str, found: &mut Vec<String>) {
    if properties["region"] != "eu-west-1" {
        found.push(format!("{name} has not the stack's region"));
    }
}

fn log(properties: &Value, name: &str, found: &mut Vec<String>) {
    only(properties, &["accountId", "region", "title", "query", "view", "stacked"], name, found);
    region(properties, name, found);
    let query = properties["query"].as_str().unwrap_or_default();
    if !query.starts_with("SOURCE '/aws/lambda/orders' | ") {
        found.push(format!("{name} does not say where it reads"));
    }
    if !query.contains("FunctionName = \"orders\"") {
        found.push(format!("{name} shows what is other functions'"));
    }
    if !["table", "timeSeries", "bar", "pie"].map(Value::from).contains(&properties["view"]) {
        found.push(format!("{name} has the view {}", properties["view"]));
    }
}

fn alarm(properties: &Value, name: &str, found: &mut Vec<String>) {
    only(properties, &["alarms", "sortBy", "states", "title"], name, found);
    let alarms = properties["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_arn = |arn: &Value| {
        arn.as_str()
            .is_some_and(|arn| arn.starts_with("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"))
    };
    if !(1..=100).contains(&alarms.len()) || !alarms.iter().all(is_arn) {
        found.push(format!("{name} has no 1 to 100 ARNs of alarms"));
    }
    let sorts = ["default", "stateUpdatedTimestamp", "timestamp"].map(Value::from);
    if properties.get("sortBy").is_some_and(|sort| !sorts.contains(sort)) {
        found.push(format!("{name} sorts by {}", properties["sortBy"]));
    }
}

fn metric(properties: &Value, name: &str, found: &mut Vec<String>) {
    only(properties, &METRIC_PROPERTIES, name, found);
    region(properties, name, found);
    if !properties["view"].as_str().is_some_and(|view| METRIC_VIEWS.contains(&view)) {
        found.push(format!("{name} has the view {}", properties["view"]));
    }
    period_and_statistic(properties, name, found);
    let metrics = properties["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=500).contains(&metrics.len()) {
        found.push(format!("{name} has {} metrics", metrics.len()));
    }
    let mut ids = BTreeSet::new();
    for row in full_metrics(metrics) {
        let Some(row) = row else {
            found.push(format!("{name} has a metric whose dots stand for nothing"));
            continue;
        };
        if row.names.len() == 1 || row.names.len() % 2 == 1 || row.names.len() > 62 {
            found.push(format!("{name}: {:?} is no namespace, metric and dimensions", row.names));
        }
        if row.names.is_empty() != row.rendering.get("expression").is_some() {
            found.push(format!("{name}: neither one metric nor one expression"));
        }
        if !row.rendering.is_null() {
            only(&row.rendering, &RENDERING, name, found);
            period_and_statistic(&row.rendering, name, found);
        }
        if let Some(id) = row.rendering["id"].as_str()
            && (!id.starts_with(|c: char| c.is_ascii_lowercase()) || !ids.insert(id.to_owned()))
        {
            found.push(format!("{name}: the id {id} begins with no small letter, or stands twice"));
        }
    }
}

fn period_and_statistic(properties: &Value, name: &str, found: &mut Vec<String>) {
    if let Some(period) = properties.get("period")
        && !period.as_u64().is_some_and(|period| period > 0 && period.is_multiple_of(60))
    {
        found.push(format!("{name} has a period of {period}"));
    }
    let is_percentile =
        |stat: &str| stat.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
    if let Some(stat) = properties.get("stat")
        && !stat.as_str().is_some_and(|stat| STATISTICS.contains(&stat) || is_percentile(stat))
    {
        found.push(format!("{name} has the statistic {stat}"));
    }
}

struct Row {
    names: Vec<String>,
    rendering: Value,
}

/// Each row with its dots replaced by what stands above them; None where nothing does.
fn full_metrics(metrics: &[Value]) -> Vec<Option<Row>> {
    let mut above: Vec<String> = Vec::new();
    let full = |row: &Value| {
        let items = row.as_array()?;
        let (names, rendering) = match items.split_last() {
            Some((last, names)) if last.is_object() => (names, last.clone()),
            _ => (items.as_slice(), Value::Null),
        };
        let names = names.iter().enumerate().map(|(place, name)| match name.as_str()? {
            "." => above.get(place).cloned(),
            name => Some(name.to_owned()),
        });
        let names: Vec<String> = names.collect::<Option<_>>()?;
        above.clone_from(&names);
        Some(Row { names, rendering })
    };
    metrics.iter().map(full).collect()
}

fn body(stack: &Stack) -> Value {
    let dashboards = stack.resources("AWS::CloudWatch::Dashboard").unwrap();
    let [(_, dashboard)] = &dashboards[..] else { panic!("{dashboards:?}") };
    let name = dashboard["DashboardName"].as_str().unwrap();
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{name}");
    serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap()
}

#[test]
fn the_body_holds_what_widgets_may_hold() {
    for template in TEMPLATES {
        let body = body(&stack(template, &[("Namespace", "My team/triage")]));
        assert_eq!(problems(&body), Vec::<String>::new(), "{template}");
        assert!(!body.to_string().contains("${"), "{template}");
    }
}

/// What the failure watcher tells of the function stands in another log group.
#[test]
fn the_tables_read_the_failure_watchers_log_group_too_if_there_is_one() {
    for template in TEMPLATES {
        let sources = |parameters: &[(&str, &str)]| -> BTreeSet<String> {
            let body = body(&stack(template, parameters));
            let widgets = body["widgets"].as_array().unwrap().clone();
            let queries = widgets.iter().filter_map(|w| w["properties"]["query"].as_str());
            let before = |query: &str| {
                let commands = query.split(" | ").take_while(|part| part.starts_with("SOURCE '"));
                commands.collect::<Vec<_>>().join(" | ")
            };
            queries.map(before).collect()
        };
        let own = "SOURCE '/aws/lambda/orders'";
        assert_eq!(sources(&[]), [own.to_owned()].into());
        let with = sources(&[("WatcherLogGroup", "/aws/lambda/watcher")]);
        assert_eq!(with, [format!("{own} | SOURCE '/aws/lambda/watcher'")].into());
    }
}

#[test]
fn each_metric_is_drawn_with_the_statistic_of_its_alarm() {
    let stack = stack(TEMPLATES[0], &[]);
    let body = body(&stack);
    let mut drawn = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        let properties = &widget["properties"];
        for row in full_metrics(properties["metrics"].as_array().map_or(&[][..], |m| m)) {
            let Row { names, rendering } = row.unwrap();
            let stat = rendering.get("stat").unwrap_or(&properties["stat"]);
            drawn.insert((names.join(" "), stat.as_str().unwrap_or_default().to_owned()));
        }
    }
    let alarms = stack.alarms().unwrap();
    for alarm in alarms.metric_alarms() {
        let metric = format!("LambdaTriage {} FunctionName orders", alarm.metric.name);
        let drawn_so = (metric, format!("{:?}", alarm.statistic));
        assert!(drawn.contains(&drawn_so), "{drawn_so:?}");
    }
    for (metric, stat) in [
        ("Errors", "Sum"),
        ("Throttles", "Sum"),
        ("Duration", "p99"),
        ("RecursiveInvocationsDropped", "Sum"),
    ] {
        let drawn_so = (format!("AWS/Lambda {metric} FunctionName orders"), stat.to_owned());
        assert!(drawn.contains(&drawn_so), "{drawn_so:?}");
    }
}

#[test]
fn each_alarm_of_the_function_is_on_the_dashboard() {
    let stack = stack(TEMPLATES[0], &[("FleetAlarms", "yes")]);
    let body = body(&stack);
    let shown = body["widgets"][1]["properties"]["alarms"].to_string();
    for name in stack.alarms().unwrap().names().filter(|name| name.contains(".orders.")) {
        assert!(shown.contains(&format!(":{name}\"")), "{name}");
    }
}

#[test]
fn each_broken_rule_is_noticed() {
    let good = body(&stack(TEMPLATES[0], &[]));
    let of_type = |kind: &str| {
        let widgets = good["widgets"].as_array().unwrap();
        widgets.iter().position(|widget| widget["type"] == kind).unwrap()
    };
    let metric = format!("/widgets/{}/properties", of_type("metric"));
    let log = format!("/widgets/{}/properties", of_type("log"));
    let alarm = format!("/widgets/{}/properties", of_type("alarm"));
    for (place, name, wrong) in [
        ("", "widgets", json!({})),
        ("", "title", json!("x")),
        ("/widgets/0", "type", json!("graph")),
        ("/widgets/0", "x", json!(24)),
        ("/widgets/0", "width", json!(25)),
        ("/widgets/0", "height", json!(0)),
        ("/widgets/0", "height", json!(5)),
        ("/widgets/0", "y", json!(-1)),
        ("/widgets/0/properties", "markdown", json!("")),
        ("/widgets/0/properties", "title", json!("x")),
        (&metric, "region", json!("us-east-1")),
        (&metric, "view", json!("line")),
        (&metric, "period", json!(90)),
        (&metric, "stat", json!("Total")),
        (&metric, "metrics", json!([])),
        (&metric, "metrics", json!([["LambdaTriage"]])),
        (&metric, "metrics", json!([["LambdaTriage", "Timeouts", "FunctionName"]])),
        (&metric, "metrics", json!([[".", "Timeouts"]])),
        (&metric, "metrics", json!([["LambdaTriage", "Timeouts", {"statistic": "Sum"}]])),
        (&metric, "metrics", json!([[{"expression": "SEARCH('', 'Sum', 60)", "id": "1"}]])),
        (&metric, "metrics", json!([[{"id": "a"}]])),
        (&metric, "query", json!("fields @message")),
        (&log, "query", json!("fields @message")),
        (&log, "query", json!("SOURCE '/aws/lambda/orders' | fields @message")),
        (&log, "view", json!("lines")),
        (&alarm, "alarms", json!([])),
        (&alarm, "alarms", json!(["lambda-triage.orders.Timeouts"])),
        (&alarm, "sortBy", json!("name")),
        ("/variables/0", "id", json!("a b")),
    ] {
        let mut body = good.clone();
        body.pointer_mut(place).unwrap()[name] = wrong.clone();
        assert!(!problems(&body).is_empty(), "{place}/{name} = {wrong}");
    }
}
