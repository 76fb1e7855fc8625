use serde_json::json;

use super::*;

const TEMPLATE: &str = "
Parameters:
  FunctionName: {Type: String}
  Mode: {Type: String, Default: 'on', AllowedValues: ['on', 'off'], ConstraintDescription: on or off}
Conditions:
  IsOn: !Equals [!Ref Mode, 'on']
  IsOff: !Not [!Condition IsOn]
Resources:
  Off:
    Type: AWS::Logs::QueryDefinition
    Condition: IsOff
    Properties: {Name: never}
  Query:
    Type: AWS::Logs::QueryDefinition
    Condition: IsOn
    Properties:
      Name: !Join ['/', [a, !Ref FunctionName]]
      QueryString: !Sub '${AWS::Region} ${FunctionName} ${!Literal} ${Alarm} ${Alarm.Arn}'
      Left: !If [IsOn, !Ref AWS::NoValue, x]
      Lines: !Split [',', !Sub ['${a},${FunctionName}', {a: !Join [';', !Split ['-', x-y]]}]]
      LogGroupNames: [!If [IsOff, x, !Ref AWS::NoValue], !Ref Group]
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: !Sub 'x-${FunctionName}'}}
  Group: {Type: AWS::Logs::LogGroup}
";

fn settings(parameters: &[(&str, &str)]) -> StackSettings {
    let parameters = parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    StackSettings { parameters, ..StackSettings::default() }
}

fn stack(parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    Template::parse(TEMPLATE)?.stack(settings(parameters))
}

#[test]
fn functions_and_conditions_are_carried_out() {
    let stack = stack(&[("FunctionName", "orders")]).unwrap();
    let expected = json!({
        "Name": "a/orders",
        "QueryString": "eu-west-1 orders ${Literal} x-orders \
                        arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x-orders",
        "Lines": ["x;y", "orders"],
        "LogGroupNames": ["lambda-triage-Group"],
    });
    let queries = stack.resources("AWS::Logs::QueryDefinition").unwrap();
    assert_eq!(queries, [("Query".to_owned(), expected)]);
}

#[test]
fn a_wrong_parameter_is_named() {
    for (parameters, message) in [
        (&[][..], "parameter FunctionName: it has no default and must be given"),
        (&[("FunctionName", "a"), ("Mode", "")], "parameter Mode: on or off"),
        (&[("FunctionName", "a"), ("Moode", "on")], "parameter Moode: the template has no such"),
    ] {
        let error = stack(parameters).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    for (old, new, message) in [
        ("!Ref Group", "!Ref Groups", "Query: there is no Groups"),
        ("!Ref Group", "!Ref 'Off'", "Query: Off is not made"),
        ("Condition: IsOn", "Condition: IsMade", "IsMade: there is no such condition"),
        ("${Alarm.Arn}", "${Alarm.Name}", "Query: Alarm.Name is not modelled"),
        ("!Join ['/'", "!Select ['/'", "Query: Fn::Select"),
    ] {
        let text = TEMPLATE.replace(old, new);
        let stack =
            Template::parse(&text).unwrap().stack(settings(&[("FunctionName", "a")])).unwrap();
        let error = stack.resources("AWS::Logs::QueryDefinition").unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert!(Template::parse("Resources: [").is_err());
    assert!(Template::parse("Parameters: {}").is_err());
}
