//! A CloudFormation template, and the stack that it makes of its parameters: as much of it as alarms,
//! dashboards and queries need.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::yaml;

/// A template whose text could be read.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
}

/// What a stack is made with.
#[derive(Debug, Clone)]
pub struct StackSettings {
    /// The stack's name.
    pub name: String,
    /// The region, such as eu-west-1.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// Parameters by name; those that are absent have their defaults.
    pub parameters: BTreeMap<String, String>,
    /// What `Ref` gives for a resource that does not name itself, by logical id.
    pub names: BTreeMap<String, String>,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            name: "lambda-triage".into(),
            region: "eu-west-1".into(),
            account: "123456789012".into(),
            parameters: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }
}

/// Why a template, or what is in it, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no YAML that CloudFormation takes.
    #[error("the template cannot be read: {0}")]
    Yaml(String),
    /// A parameter is missing, unknown, or has a value that its rules forbid.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong; the template's own ConstraintDescription where it has one.
        reason: String,
    },
    /// Something refers to what is not there, or in a way that is not modelled.
    #[error("{place}: {reason}")]
    Reference {
        /// The resource or condition.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// An alarm that CloudWatch would refuse, or that is not modelled.
    #[error("alarm {alarm}: {reason}")]
    Alarm {
        /// The alarm's name, or its logical id.
        alarm: String,
        /// What is wrong.
        reason: String,
    },
}

/// A template with its parameters: the resources as they would be made.
#[derive(Debug, Clone)]
pub struct Stack {
    document: Value,
    values: BTreeMap<String, String>,
    settings: StackSettings,
}

impl Template {
    /// Reads a template's YAML.
    ///
    /// # Errors
    /// When CloudFormation could not read it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document = yaml::parse(text).map_err(TemplateError::Yaml)?;
        if !document["Resources"].is_object() {
            return Err(TemplateError::Yaml("it has no Resources".into()));
        }
        Ok(Self { document })
    }

    /// The stack that it makes.
    ///
    /// # Errors
    /// When a parameter is missing, unknown or has a value that the template forbids.
    pub fn stack(&self, settings: StackSettings) -> Result<Stack, TemplateError> {
        let none = Map::new();
        let declared = self.document["Parameters"].as_object().unwrap_or(&none);
        let wrong = |name: &str, reason: &str| {
            Err(TemplateError::Parameter { name: name.into(), reason: reason.into() })
        };
        if let Some(name) = settings.parameters.keys().find(|name| !declared.contains_key(*name)) {
            return wrong(name, "the template has no such parameter");
        }
        let mut values = BTreeMap::new();
        for (name, declaration) in declared {
            let default = declaration.get("Default").map(text);
            let Some(value) = settings.parameters.get(name).cloned().or(default) else {
                return wrong(name, "it has no default and must be given");
            };
            let allowed = declaration["AllowedValues"].as_array();
            if allowed.is_some_and(|all| !all.iter().any(|one| text(one) == value)) {
                return wrong(
                    name,
                    declaration["ConstraintDescription"].as_str().unwrap_or("not allowed"),
                );
            }
            values.insert(name.clone(), value);
        }
        Ok(Stack { document: self.document.clone(), values, settings })
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Stack {
    /// The resources of a type with their logical ids, each with its properties as CloudFormation would
    /// pass them on, in the order of their ids. Those whose condition does not hold are left out.
    ///
    /// # Errors
    /// When a property refers to what is not there, or in a way that is not modelled.
    pub fn resources(&self, kind: &str) -> Result<Vec<(String, Value)>, TemplateError> {
        let mut found = Vec::new();
        for (id, resource) in self.document["Resources"].as_object().into_iter().flatten() {
            if resource["Type"] == kind && self.is_made(id)? {
                let properties = self.resolve(id, &resource["Properties"])?;
                found.push((id.clone(), properties.unwrap_or_default()));
            }
        }
        Ok(found)
    }

    fn wrong<T>(&self, place: &str, reason: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::Reference { place: place.into(), reason: reason.into() })
    }

    fn is_made(&self, id: &str) -> Result<bool, TemplateError> {
        match self.document["Resources"][id]["Condition"].as_str() {
            Some(condition) => self.condition(condition),
            None => Ok(true),
        }
    }

    fn condition(&self, name: &str) -> Result<bool, TemplateError> {
        match self.document["Conditions"].get(name) {
            Some(condition) => self.holds(name, condition),
            None => self.wrong(name, "there is no such condition"),
        }
    }

    fn holds(&self, place: &str, condition: &Value) -> Result<bool, TemplateError> {
        let Some((function, argument)) = function(condition) else {
            return self.wrong(place, format!("no condition: {condition}"));
        };
        let list = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (function, list) {
            ("Condition", _) => self.condition(argument.as_str().unwrap_or_default()),
            ("Fn::Not", [one]) => Ok(!self.holds(place, one)?),
            ("Fn::Equals", [one, other]) => {
                Ok(self.resolve(place, one)? == self.resolve(place, other)?)
            }
            ("Fn::And", all) => {
                all.iter().try_fold(true, |so_far, one| Ok(so_far & self.holds(place, one)?))
            }
            ("Fn::Or", any) => {
                any.iter().try_fold(false, |so_far, one| Ok(so_far | self.holds(place, one)?))
            }
            _ => self.wrong(place, format!("{function} is not modelled in a condition")),
        }
    }

    /// A value with its functions carried out; None for `AWS::NoValue`.
    fn resolve(&self, place: &str, value: &Value) -> Result<Option<Value>, TemplateError> {
        if let Some((function, argument)) = function(value) {
            return self.call(place, function, argument);
        }
        Ok(Some(match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolve(place, item));
                items.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
            Value::Object(entries) => {
                let mut resolved = Map::new();
                for (name, entry) in entries {
                    if let Some(entry) = self.resolve(place, entry)? {
                        resolved.insert(name.clone(), entry);
                    }
                }
                Value::Object(resolved)
            }
            other => other.clone(),
        }))
    }

    fn call(
        &self,
        place: &str,
        name: &str,
        argument: &Value,
    ) -> Result<Option<Value>, TemplateError> {
        let list = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, argument, list) {
            ("Ref", Value::String(target), _) if target == "AWS::NoValue" => Ok(None),
            ("Ref", Value::String(target), _) => {
                self.reference(place, target).map(Value::String).map(Some)
            }
            ("Fn::GetAtt", _, [Value::String(id), Value::String(attribute)]) => {
                self.attribute(place, id, attribute).map(Value::String).map(Some)
            }
            ("Fn::Sub", Value::String(pattern), _) => {
                self.substitute(place, pattern, &Map::new()).map(Value::String).map(Some)
            }
            ("Fn::Sub", _, [Value::String(pattern), Value::Object(own)]) => {
                self.substitute(place, pattern, own).map(Value::String).map(Some)
            }
            ("Fn::If", _, [Value::String(condition), yes, no]) => {
                self.resolve(place, if self.condition(condition)? { yes } else { no })
            }
            ("Fn::Join", _, [Value::String(separator), parts]) => {
                let Some(Value::Array(parts)) = self.resolve(place, parts)? else {
                    return self.wrong(place, format!("{name} of no list"));
                };
                let texts: Vec<String> = parts.iter().map(text).collect();
                Ok(Some(Value::String(texts.join(separator))))
            }
            ("Fn::Split", _, [Value::String(separator), whole]) => {
                let whole = self.resolve(place, whole)?.as_ref().map(text).unwrap_or_default();
                let parts = whole.split(separator.as_str()).map(Value::from).collect();
                Ok(Some(Value::Array(parts)))
            }
            _ => self.wrong(place, format!("{name} of {argument} is not modelled")),
        }
    }

    fn reference(&self, place: &str, target: &str) -> Result<String, TemplateError> {
        let StackSettings { name, region, account, names, .. } = &self.settings;
        let pseudo = match target {
            "AWS::StackName" => Some(name.as_str()),
            "AWS::Region" => Some(region.as_str()),
            "AWS::AccountId" => Some(account.as_str()),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => self.values.get(target).or_else(|| names.get(target)).map(String::as_str),
        };
        if let Some(value) = pseudo {
            return Ok(value.to_owned());
        }
        let resource = &self.document["Resources"][target];
        if !resource.is_object() {
            return self.wrong(place, format!("there is no {target}"));
        }
        if !self.is_made(target)? {
            return self
                .wrong(place, format!("{target} is not made, as its condition does not hold"));
        }
        let own_name = match resource["Type"].as_str().unwrap_or_default() {
            "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => "AlarmName",
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::SQS::Queue" => "QueueName",
            _ => "Name",
        };
        match resource["Properties"].get(own_name) {
            Some(own) => Ok(self.resolve(target, own)?.as_ref().map(text).unwrap_or_default()),
            // CloudFormation would make a name up.
            None => Ok(format!("{name}-{target}")),
        }
    }

    fn attribute(&self, place: &str, id: &str, attribute: &str) -> Result<String, TemplateError> {
        let StackSettings { region, account, .. } = &self.settings;
        let kind = self.document["Resources"][id]["Type"].as_str().unwrap_or_default();
        let name = || self.reference(place, id);
        match (kind, attribute) {
            ("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm", "Arn") => {
                Ok(format!("arn:aws:cloudwatch:{region}:{account}:alarm:{}", name()?))
            }
            ("AWS::Serverless::Function", "Arn") => {
                Ok(format!("arn:aws:lambda:{region}:{account}:function:{}", name()?))
            }
            ("AWS::Logs::LogGroup", "Arn") => {
                Ok(format!("arn:aws:logs:{region}:{account}:log-group:{}:*", name()?))
            }
            ("AWS::SQS::Queue", "Arn") => Ok(format!("arn:aws:sqs:{region}:{account}:{}", name()?)),
            ("AWS::IAM::Role", "Arn") => Ok(format!("arn:aws:iam::{account}:role/{}", name()?)),
            ("AWS::Events::Rule", "Arn") => {
                Ok(format!("arn:aws:events:{region}:{account}:rule/{}", name()?))
            }
            _ => self.wrong(place, format!("{id}.{attribute} is not modelled")),
        }
    }

    /// A text with what stands in `${}` filled in, by its `own` names first.
    fn substitute(
        &self,
        place: &str,
        pattern: &str,
        own: &Map<String, Value>,
    ) -> Result<String, TemplateError> {
        let mut parts = pattern.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                return self.wrong(place, format!("${{ without its end in {pattern}"));
            };
            match (name.strip_prefix('!'), name.split_once('.')) {
                // ${!literal}
                (Some(literal), _) => filled.push_str(&format!("${{{literal}}}")),
                (None, _) if own.contains_key(name) => {
                    let value = self.resolve(place, &own[name])?;
                    filled.push_str(&value.as_ref().map(text).unwrap_or_default());
                }
                (None, Some((id, attribute))) => {
                    filled.push_str(&self.attribute(place, id, attribute)?)
                }
                (None, None) => filled.push_str(&self.reference(place, name)?),
            }
            filled.push_str(rest);
        }
        Ok(filled)
    }
}

/// The function that an object stands for, with its argument.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (name, argument) = entries.iter().next()?;
    let is_function = name.starts_with("Fn::") || name == "Ref" || name == "Condition";
    is_function.then_some((name.as_str(), argument))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
