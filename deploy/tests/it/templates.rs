//! What the templates make and whom they let do what.

use crate::{TEMPLATES, TOPIC, read, stack};
use lambda_sandbox::{StackSettings, Statistic, Template, TreatMissingData};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn each_alarm_is_quiet_without_data_and_has_its_function_or_none() {
    for template in TEMPLATES {
        let alarms = stack(template, &[("FleetAlarms", "yes")]).alarms().unwrap();
        assert_eq!(alarms.metric_alarms().len(), 2 * triage_diagnosis::metrics().len());
        for alarm in alarms.metric_alarms() {
            let name = &alarm.name;
            assert_eq!(alarm.treat_missing_data, TreatMissingData::NotBreaching, "{name}");
            assert_eq!(alarm.period, Duration::from_secs(60), "{name}");
            assert_eq!(alarm.metric.namespace, "LambdaTriage", "{name}");
            let is_depth = alarm.metric.name == "RecursionDepth";
            let statistic = if is_depth { Statistic::Maximum } else { Statistic::Sum };
            assert_eq!(alarm.statistic, statistic, "{name}");
            if is_depth {
                assert_eq!((alarm.evaluation_periods, alarm.datapoints_to_alarm), (1, 1), "{name}");
            }
            let of_function = name.starts_with("lambda-triage.orders.");
            let function = alarm.metric.dimensions.get("FunctionName").map(String::as_str);
            assert_eq!(function, of_function.then_some("orders"), "{name}");
        }
    }
}

#[test]
fn who_is_told_of_what() {
    for template in TEMPLATES {
        let warnings = "arn:aws:sns:eu-west-1:123456789012:chat";
        let alarms = stack(template, &[("FleetAlarms", "yes"), ("WarningTopicArn", warnings)])
            .alarms()
            .unwrap();
        for name in alarms.names() {
            let told: &[&str] = match name.rsplit('.').next().unwrap() {
                "IsSick" | "FleetIsSick" | "RecursionDepth" => &[TOPIC],
                "NearTimeouts" | "Problems" | "SuspectedProblems" | "TelemetryDropped" => {
                    &[warnings]
                }
                _ => &[],
            };
            assert_eq!(alarms.actions(name), told, "{name}");
        }
        let alarms = stack(template, &[("AlarmTopicArn", "none")]).alarms().unwrap();
        assert!(alarms.names().all(|name| alarms.actions(name).is_empty()));
    }
}

#[test]
fn alarms_without_a_topic_must_be_meant() {
    for template in TEMPLATES {
        let template = Template::parse(&read(template)).unwrap();
        let parameters = [("FunctionName", "orders"), ("LogGroup", "x")].iter();
        let parameters = parameters
            .filter(|(name, _)| read("sam/monitoring.yaml").contains(name))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let error = template.stack(StackSettings { parameters, ..StackSettings::default() });
        assert!(error.is_err(), "no topic is no choice");
    }
}

#[test]
fn the_fleets_alarms_are_made_where_they_are_asked_for() {
    for template in TEMPLATES {
        let alarms = stack(template, &[]).alarms().unwrap();
        assert!(alarms.names().all(|name| name.starts_with("lambda-triage.orders.")));
        assert_eq!(alarms.composite_names().collect::<Vec<_>>(), ["lambda-triage.orders.IsSick"]);
    }
}

fn iam(template: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
    let text = read(template);
    let kinds = text.lines().filter_map(|line| line.trim().strip_prefix("Type: AWS::IAM::"));
    let kinds: std::collections::BTreeSet<_> = kinds.collect();
    let stack = stack(template, parameters);
    kinds
        .iter()
        .flat_map(|kind| stack.resources(&format!("AWS::IAM::{kind}")).unwrap())
        .map(|(_, properties)| properties)
        .collect()
}

#[test]
fn nothing_is_permitted_but_to_put_metrics_of_this_namespace_where_that_is_asked_for() {
    for template in TEMPLATES {
        assert_eq!(iam(template, &[]), Vec::<Value>::new());
    }
    let template = TEMPLATES[0];
    let policies = iam(template, &[("Metrics", "cloudwatch"), ("Namespace", "Shop")]);
    let statement = json!([{
        "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "Shop"}},
    }]);
    assert_eq!(policies.len(), 1);
    assert_eq!(policies[0]["PolicyDocument"]["Statement"], statement);
    let functions =
        stack(template, &[("Metrics", "cloudwatch")]).resources("AWS::Serverless::Function");
    for (_, function) in functions.unwrap() {
        assert!(function.get("Policies").is_none() && function.get("Role").is_none());
        assert_eq!(function["Environment"]["Variables"]["TRIAGE_METRICS"], "cloudwatch");
    }
}

#[test]
fn the_function_has_the_layer_and_the_log_group_that_are_made() {
    let stack = stack(TEMPLATES[0], &[]);
    let (_, function) = stack.resources("AWS::Serverless::Function").unwrap().remove(0);
    assert_eq!(function["Layers"], json!(["lambda-triage-Layer"]));
    assert_eq!(function["LoggingConfig"]["LogGroup"], "/aws/lambda/orders");
    let (_, group) = stack.resources("AWS::Logs::LogGroup").unwrap().remove(0);
    assert_eq!(group["LogGroupName"], "/aws/lambda/orders");
    assert_eq!(group["RetentionInDays"], "30");
    let code = function["CodeUri"].as_str().unwrap();
    assert!(crate::in_deploy("sam").join(code).join("app.py").exists(), "{code}");
    let (_, layer) = stack.resources("AWS::Serverless::LayerVersion").unwrap().remove(0);
    assert_eq!(layer["ContentUri"], "../../target/layer/lambda-triage-x86_64.zip");
}

#[test]
fn a_template_is_short_enough_to_be_deployed_without_a_bucket() {
    let bytes = read("sam/monitoring.yaml").len();
    assert!(bytes <= 51_200, "{bytes} bytes");
}
