//! The companion outside: what its template makes, and that it may do no more than it does.

use crate::{in_deploy, read};
use lambda_sandbox::{Stack, StackSettings, Template};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const TEMPLATE: &str = "sam/failure-watcher.yaml";
const NAME: &str = "lambda-triage-failure-watcher";

fn stack(parameters: &[(&str, &str)]) -> Stack {
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let template = Template::parse(&read(TEMPLATE)).unwrap();
    template.stack(StackSettings { parameters, ..StackSettings::default() }).unwrap()
}

/// All that the role may do: each action with the resources that it is allowed on.
fn permissions(parameters: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
    let stack = stack(parameters);
    let texts = |value: &Value| -> Vec<String> {
        let several = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        several.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut allowed = BTreeMap::<String, BTreeSet<String>>::new();
    for (id, policy) in stack.resources("AWS::IAM::RolePolicy").unwrap() {
        assert_eq!(policy["RoleName"], "lambda-triage-Role", "{id}: of the one role there is");
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in texts(&statement["Action"]) {
                allowed.entry(action).or_default().extend(texts(&statement["Resource"]));
            }
        }
    }
    for kind in ["Policy", "ManagedPolicy", "UserPolicy", "GroupPolicy"] {
        assert!(stack.resources(&format!("AWS::IAM::{kind}")).unwrap().is_empty());
    }
    let [(_, role)] = &stack.resources("AWS::IAM::Role").unwrap()[..] else { panic!("one role") };
    assert!(role.get("Policies").is_none() && role.get("ManagedPolicyArns").is_none());
    allowed
}

fn actions(parameters: &[(&str, &str)]) -> BTreeSet<String> {
    permissions(parameters).into_keys().collect()
}

const TELLS: [&str; 5] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

#[test]
fn without_a_check_it_reads_its_queue_writes_its_log_and_may_do_nothing_else() {
    let permissions = permissions(&[]);
    assert_eq!(permissions.keys().collect::<Vec<_>>(), TELLS);
    for (action, resources) in permissions {
        let expected = match action.split(':').next().unwrap() {
            "logs" => {
                format!("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/{NAME}:*")
            }
            _ => format!("arn:aws:sqs:eu-west-1:123456789012:{NAME}-failures"),
        };
        assert_eq!(resources, [expected].into(), "{action}");
    }
}

#[test]
fn each_check_adds_just_its_own_permissions() {
    let without = [("KeyChecks", "no"), ("ConcurrencyChecks", "no"), ("RecursionChecks", "no")];
    let some = [("FunctionNames", "orders")];
    let base: BTreeSet<String> = TELLS.map(str::to_owned).into();
    let added = |parameters: &[(&str, &str)]| -> Vec<String> {
        let actions = actions(&[&some[..], parameters].concat());
        assert!(actions.is_superset(&base));
        actions.difference(&base).cloned().collect()
    };
    assert_eq!(added(&without), ["lambda:GetFunctionConfiguration"]);
    assert_eq!(
        added(&[("KeyChecks", "yes"), without[1], without[2]]),
        ["kms:DescribeKey", "lambda:GetFunctionConfiguration"]
    );
    assert_eq!(
        added(&[without[0], ("ConcurrencyChecks", "yes"), without[2]]),
        [
            "lambda:GetAccountSettings",
            "lambda:GetFunctionConcurrency",
            "lambda:GetFunctionConfiguration"
        ]
    );
    assert_eq!(
        added(&[without[0], without[1], ("RecursionChecks", "yes")]),
        ["lambda:GetFunctionConfiguration", "lambda:GetFunctionRecursionConfig"]
    );
    assert_eq!(
        added(&[&without[..], &[("Tag", "triage")]].concat()),
        ["lambda:GetFunctionConfiguration", "tag:GetResources"]
    );
    // And none where there is no function to check.
    assert_eq!(actions(&[("KeyChecks", "yes"), ("RecursionChecks", "yes")]), base);
}

#[test]
fn every_resource_is_of_this_account_and_region_but_where_the_action_knows_none() {
    for (action, resources) in permissions(&[("Tag", "triage=yes"), ("FunctionNames", "orders")]) {
        let knows_none = ["lambda:GetAccountSettings", "tag:GetResources"];
        for resource in resources {
            let service = action.split(':').next().unwrap();
            let own = format!("arn:aws:{service}:eu-west-1:123456789012:");
            let is_own = resource.starts_with(&own);
            assert!(is_own || knows_none.contains(&action.as_str()), "{action} on {resource}");
        }
    }
}

/// A configuration holds environment variables: without a tag, those of the list alone are read.
#[test]
fn a_list_permits_no_other_functions() {
    for (names, expected) in [
        ("orders", &["arn:*:lambda:*:*:function:orders"][..]),
        ("orders,a-b_C", &["arn:*:lambda:*:*:function:orders", "arn:*:lambda:*:*:function:a-b_C"]),
    ] {
        let parameters = [("FunctionNames", names)];
        let expected: BTreeSet<String> = expected.iter().map(|&arn| arn.to_owned()).collect();
        let permissions = permissions(&parameters);
        let on_functions =
            permissions.iter().filter(|(action, _)| action.starts_with("lambda:GetFunction"));
        let on_functions: Vec<_> = on_functions.map(|(_, resources)| resources).collect();
        assert_eq!(on_functions, [&expected; 3], "{names}");
        for (id, policy) in stack(&parameters).resources("AWS::IAM::RolePolicy").unwrap() {
            let statement = &policy["PolicyDocument"]["Statement"][0];
            if statement["Resource"].to_string().contains(":*:*:") {
                let region = &statement["Condition"]["StringEquals"]["aws:RequestedRegion"];
                assert_eq!(region, "eu-west-1", "{id}");
            }
        }
    }
}

/// Those lines carry no metric.
#[test]
fn what_is_about_to_fail_raises_an_alarm_of_its_own() {
    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:chat";
    let checks = ("FunctionNames", "orders");
    let parameters = [checks, ("WarningTopicArn", TOPIC)];
    let made = stack(&parameters);
    let (_, filter) = made.resources("AWS::Logs::MetricFilter").unwrap().remove(0);
    assert_eq!(filter["FilterPattern"], "{ $.diagnosis.stage = \"imminent\" }");
    assert_eq!(filter["LogGroupName"], format!("/aws/lambda/{NAME}"));
    let counted = &filter["MetricTransformations"][0];
    let alarm = alarm_of(&parameters, "ImminentProblemsAlarm").unwrap();
    for (of_filter, of_alarm) in [("MetricNamespace", "Namespace"), ("MetricName", "MetricName")] {
        assert_eq!(counted[of_filter], alarm[of_alarm]);
    }
    assert_eq!(alarm["AlarmActions"], json!([TOPIC]));
    // Told once an hour while it lasts: two hours cannot both be without.
    let number = |name: &str| {
        alarm[name].as_u64().unwrap_or_else(|| alarm[name].as_str().unwrap().parse().unwrap())
    };
    assert!(number("Period") * number("EvaluationPeriods") >= 2 * 3600);
    let silent = alarm_of(&[checks], "ImminentProblemsAlarm").unwrap();
    assert_eq!(silent["AlarmActions"], json!([]));
    assert_eq!(alarm_of(&[], "ImminentProblemsAlarm"), None);
}

fn alarm_of(parameters: &[(&str, &str)], id: &str) -> Option<Value> {
    let mut alarms = stack(parameters).resources("AWS::CloudWatch::Alarm").unwrap().into_iter();
    alarms.find(|(of, _)| of == id).map(|(_, alarm)| alarm.clone())
}

/// Without it nobody would be told that nobody is told.
#[test]
fn what_could_not_be_read_raises_an_alarm() {
    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:chat";
    let alarm = alarm_of(&[("WarningTopicArn", TOPIC)], "UnreadFailuresAlarm").unwrap();
    assert_eq!(alarm["AlarmActions"], json!([TOPIC]));
    assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible");
    assert_eq!(alarm["AlarmName"], format!("lambda-triage.{NAME}.UnreadFailures"));
}

#[test]
fn whose_dead_letters_a_queue_holds_can_be_told() {
    let of = stack(&[("DeadLetters", "alerts=billing")]);
    let (_, function) = of.resources("AWS::Serverless::Function").unwrap().remove(0);
    assert_eq!(function["Environment"]["Variables"]["TRIAGE_DEAD_LETTERS"], "alerts=billing");
}

/// What the failure watcher names where it asks AWS is what it is permitted.
#[test]
fn it_may_ask_what_its_code_asks_and_nothing_else() {
    let code = in_deploy("../examples/failure-watcher/src/check");
    let mut asked = BTreeSet::new();
    for file in std::fs::read_dir(code).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let words = source.split('"').filter(|word| {
            let (service, name) = word.split_once(':').unwrap_or_default();
            let is_service = ["lambda", "kms", "tag"].contains(&service);
            is_service && name.starts_with(|c: char| c.is_ascii_uppercase())
        });
        asked.extend(words.map(str::to_owned));
    }
    assert!(!asked.is_empty());
    let mut allowed = actions(&[("Tag", "triage"), ("FunctionNames", "orders")]);
    allowed.retain(|action| !TELLS.contains(&action.as_str()));
    assert_eq!(allowed, asked);
}

#[test]
fn the_queue_is_answered_item_by_item_and_what_cannot_be_read_is_kept() {
    let stack = stack(&[]);
    let (_, mapping) = stack.resources("AWS::Lambda::EventSourceMapping").unwrap().remove(0);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let queue = format!("arn:aws:sqs:eu-west-1:123456789012:{NAME}-failures");
    assert_eq!(
        (&mapping["EventSourceArn"], &mapping["FunctionName"]),
        (&json!(queue), &json!(NAME))
    );
    let queues: BTreeMap<_, _> = stack.resources("AWS::SQS::Queue").unwrap().into_iter().collect();
    let redrive = &queues["FailureQueue"]["RedrivePolicy"];
    // What is throttled in a storm counts as received, and each sandbox remembers by itself.
    let number = |value: &Value| value.as_str().map_or(value.as_u64(), |s| s.parse().ok()).unwrap();
    assert!(number(&redrive["maxReceiveCount"]) >= 20);
    assert_eq!(number(&mapping["ScalingConfig"]["MaximumConcurrency"]), 2);
    let unread = format!("arn:aws:sqs:eu-west-1:123456789012:{NAME}-unread");
    assert_eq!(redrive["deadLetterTargetArn"], unread);
    let (_, function) = stack.resources("AWS::Serverless::Function").unwrap().remove(0);
    let seconds =
        |value: &Value| value.as_str().map_or(value.as_f64(), |s| s.parse().ok()).unwrap();
    let needed =
        6.0 * seconds(&function["Timeout"]) + seconds(&mapping["MaximumBatchingWindowInSeconds"]);
    assert!(seconds(&queues["FailureQueue"]["VisibilityTimeout"]) >= needed);
    assert!(
        queues.values().all(|queue| queue["SqsManagedSseEnabled"] == true
            || queue["SqsManagedSseEnabled"] == "true")
    );
}

#[test]
fn states_are_checked_by_the_clock_where_somebody_says_of_which_functions() {
    let rules =
        |parameters: &[(&str, &str)]| stack(parameters).resources("AWS::Events::Rule").unwrap();
    assert!(rules(&[]).is_empty());
    for (parameters, expected) in [
        (vec![("FunctionNames", "orders,billing")], "rate(5 minutes)"),
        (vec![("Tag", "triage"), ("CheckMinutes", "1")], "rate(1 minute)"),
    ] {
        let (_, rule) = rules(&parameters).remove(0);
        assert_eq!(rule["ScheduleExpression"], expected);
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{NAME}");
        assert_eq!(rule["Targets"][0]["Arn"], arn);
        let stack = stack(&parameters);
        let (_, permission) = stack.resources("AWS::Lambda::Permission").unwrap().remove(0);
        assert_eq!(permission["Principal"], "events.amazonaws.com");
        let source = permission["SourceArn"].as_str().unwrap();
        assert!(source.starts_with("arn:aws:events:eu-west-1:123456789012:rule/"), "{source}");
        let (_, function) = stack.resources("AWS::Serverless::Function").unwrap().remove(0);
        let variables = &function["Environment"]["Variables"];
        for (parameter, variable) in [("FunctionNames", "TRIAGE_FUNCTIONS"), ("Tag", "TRIAGE_TAG")]
        {
            let given = parameters.iter().find(|(name, _)| *name == parameter);
            assert_eq!(variables[variable], given.map_or("", |(_, value)| value));
        }
    }
}

/// The layer in a function tells of what fails within it.
#[test]
fn what_the_layer_tells_is_not_told_twice_unless_somebody_asks_for_it() {
    let told = |parameters: &[(&str, &str)]| {
        let (_, function) =
            stack(parameters).resources("AWS::Serverless::Function").unwrap().remove(0);
        function["Environment"]["Variables"]["TRIAGE_FUNCTION_ERRORS"].clone()
    };
    assert_eq!(told(&[]), "off");
    assert_eq!(told(&[("FunctionErrors", "on")]), "on");
}

/// What is read from the queue is deleted: of a dead letter that is the only copy of the event.
#[test]
fn nobody_is_told_to_make_the_queue_a_dead_letter_queue() {
    for path in [TEMPLATE, "terraform/failure-watcher.tf"] {
        let text = read(path);
        for line in text.lines().filter(|line| line.to_lowercase().contains("dead-letter queue")) {
            let line = line.to_lowercase();
            assert!(line.contains("no dead-letter queue"), "{path}: {line}");
        }
    }
}

/// A check that finds the same at each time must reach the alarm, and keep it on.
#[test]
fn each_interval_of_checks_that_is_taken_keeps_the_alarm_of_states_on() {
    let policy = triage_deploy::POLICIES.iter().find(|policy| policy.metric == "StateConflicts");
    let policy = policy.unwrap();
    let text = read(TEMPLATE);
    let (_, parameter) = text.split_once("\n  CheckMinutes:\n").unwrap();
    let max = parameter.lines().find_map(|line| line.trim().strip_prefix("MaxValue: "));
    let max: u32 = max.unwrap().parse().unwrap();
    // So many are in whichever minutes are looked at.
    let datapoints = policy.evaluation_periods / max;
    assert!(datapoints >= policy.datapoints_to_alarm, "{datapoints}");
}
