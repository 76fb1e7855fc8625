//! The generated part of the CloudFormation templates.

use crate::alarms::{AlarmPolicy, Meaning, PERIOD_S, POLICIES, Threshold, description};
use crate::dashboard;
use crate::placeholder::FUNCTION;
use crate::queries::QUERIES;

/// The line before the generated resources.
pub const GENERATED_BEGIN: &str =
    "  # From here to the end of Resources, cargo test -p triage-deploy writes this file.\n";
/// The line after them.
pub const GENERATED_END: &str = "  # End of what is written by it.\n";

/// The template with its generated part made anew; None if it has no place for one.
#[must_use]
pub fn with_resources(template: &str) -> Option<String> {
    let (before, rest) = template.split_once(GENERATED_BEGIN)?;
    let (_, after) = rest.split_once(GENERATED_END)?;
    Some(format!("{before}{GENERATED_BEGIN}{}{GENERATED_END}{after}", resources()))
}

/// What an alarm on all functions cannot say.
const WHICH: &str = "The dashboard's \"Which functions are sick\" shows whose.";

/// Whose metric an alarm watches.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Function,
    Fleet,
}

fn resources() -> String {
    let mut text = String::new();
    for scope in [Scope::Function, Scope::Fleet] {
        for policy in POLICIES {
            text.push_str(&alarm(policy, scope));
        }
        text.push_str(&composite(scope));
    }
    for query in QUERIES {
        let lines: String = query.text.lines().map(|line| format!("        {line}\n")).collect();
        text.push_str(&format!(
            "  {}:\n    Type: AWS::Logs::QueryDefinition\n    Properties:\n      \
             Name: !Sub 'Lambda Triage/{FUNCTION}/{}'\n      LogGroupNames:\n        - !Ref LogGroup\n        \
             - !If [HasWatcher, !Ref WatcherLogGroup, !Ref AWS::NoValue]\n      QueryString: !Sub |\n{lines}",
            query.id, query.name
        ));
    }
    let body: String =
        dashboard::body().lines().map(|line| format!("          {line}\n")).collect();
    text.push_str(&format!(
        "  Dashboard:\n    Type: AWS::CloudWatch::Dashboard\n    Properties:\n      \
         DashboardName: !Sub 'lambda-triage-{FUNCTION}'\n      DashboardBody: !Sub\n        - |\n{body}        \
         - Sources: !If\n            - HasWatcher\n            \
         - !Sub \"SOURCE '${{LogGroup}}' | SOURCE '${{WatcherLogGroup}}'\"\n            \
         - !Sub \"SOURCE '${{LogGroup}}'\"\n"
    ));
    text
}

impl Scope {
    fn id(self, metric: &str) -> String {
        match self {
            Self::Function => format!("{metric}Alarm"),
            Self::Fleet => format!("Fleet{metric}Alarm"),
        }
    }

    /// A function's name has no dot: none can be mistaken for the fleet.
    fn name(self, what: &str) -> String {
        match self {
            Self::Function => format!("!Sub 'lambda-triage.{FUNCTION}.{what}'"),
            Self::Fleet => format!("lambda-triage.{what}"),
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Function => "",
            Self::Fleet => "    Condition: WatchesFleet\n",
        }
    }

    /// The metric without dimensions is that of all functions.
    fn dimensions(self) -> &'static str {
        match self {
            Self::Function => {
                "      Dimensions:\n        - Name: FunctionName\n          Value: !Ref FunctionName\n"
            }
            Self::Fleet => "",
        }
    }
}

/// Whom it tells. That it is over tells the composite alarm alone: each new alarm becomes OK once.
fn actions(when: &str, topic: &str) -> String {
    format!("      {when}:\n        - !If [Has{topic}, !Ref {topic}Arn, !Ref AWS::NoValue]\n")
}

fn alarm(policy: &AlarmPolicy, scope: Scope) -> String {
    let AlarmPolicy { metric, statistic, evaluation_periods, datapoints_to_alarm, .. } = policy;
    let threshold = match policy.threshold {
        Threshold::ProblemsPerMinute => "!Ref ProblemsPerMinute".to_owned(),
        Threshold::RecursionDepth => "!Ref RecursionDepth".to_owned(),
        Threshold::Fixed(number) => number.to_string(),
    };
    let actions = match policy.meaning {
        Meaning::Sick => String::new(),
        Meaning::Urgent => actions("AlarmActions", "AlarmTopic"),
        Meaning::Warning => actions("AlarmActions", "WarningTopic"),
    };
    format!(
        "  {}:\n    Type: AWS::CloudWatch::Alarm\n{}    Properties:\n      AlarmName: {}\n      \
         AlarmDescription: {}\n      Namespace: !Ref Namespace\n      MetricName: {metric}\n{}      \
         Statistic: {statistic}\n      Period: {PERIOD_S}\n      EvaluationPeriods: {evaluation_periods}\n      \
         DatapointsToAlarm: {datapoints_to_alarm}\n      Threshold: {threshold}\n      \
         ComparisonOperator: GreaterThanOrEqualToThreshold\n      TreatMissingData: notBreaching\n{actions}",
        scope.id(metric),
        scope.condition(),
        scope.name(metric),
        quoted(&match scope {
            Scope::Function => description(policy),
            Scope::Fleet => format!("{metric} of all functions. {WHICH}"),
        }),
        scope.dimensions(),
    )
}

fn composite(scope: Scope) -> String {
    let (id, what, whose) = match scope {
        Scope::Function => ("FunctionIsSick", "IsSick", "This function is"),
        Scope::Fleet => ("FleetIsSick", "FleetIsSick", "Some function is"),
    };
    let sick: Vec<String> = POLICIES
        .iter()
        .filter(|policy| policy.meaning != Meaning::Warning)
        .map(|policy| format!("        ALARM(\"${{{}}}\")", scope.id(policy.metric)))
        .collect();
    format!(
        "  {id}:\n    Type: AWS::CloudWatch::CompositeAlarm\n{}    Properties:\n      AlarmName: {}\n      \
         AlarmDescription: {}\n      AlarmRule: !Sub |-\n{}\n{}",
        scope.condition(),
        scope.name(what),
        quoted(&format!(
            "{whose} sick: which of its alarms fire says with what. The saved query \"What went wrong in \
             the last day\" says why, and what to do."
        )),
        sick.join(" OR\n"),
        ["AlarmActions", "OKActions"].map(|when| actions(when, "AlarmTopic")).concat(),
    )
}

/// A text as YAML's single quotes have it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
