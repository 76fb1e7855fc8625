//! The watcher's settings, from its environment.

use std::collections::BTreeMap;
use std::fmt;
use triage_diagnosis::failed_requests::is_name;

/// Everything that may be set; all of it has a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the diagnosis may be told: the namespace (`TRIAGE_NAMESPACE`) and the problems that are never
    /// reported (`TRIAGE_DISABLE`), as the extension takes them.
    pub diagnosis: triage_diagnosis::Settings,
    /// `TRIAGE_FUNCTION_ERRORS`: whether failures within a function are told, which the extension in it
    /// tells as well.
    pub tells_function_errors: bool,
    /// `TRIAGE_DEAD_LETTERS`: whose dead letters a queue or topic holds, by its name.
    pub dead_letters: BTreeMap<String, String>,
    /// Whose states are looked at.
    pub functions: FunctionChoice,
}

/// Whose states are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionChoice {
    /// `TRIAGE_FUNCTIONS`: by name or ARN.
    pub names: Vec<String>,
    /// `TRIAGE_TAG`: those with this tag, and with this value if one is given.
    pub tag: Option<(String, Option<String>)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            diagnosis: triage_diagnosis::Settings::default(),
            tells_function_errors: true,
            dead_letters: BTreeMap::new(),
            functions: FunctionChoice::default(),
        }
    }
}

/// A variable whose value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// Its name.
    pub variable: &'static str,
    /// What it should hold.
    pub wanted: &'static str,
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not {}: the default is taken", self.variable, self.wanted)
    }
}

impl Settings {
    /// Reads the variables through `lookup`, and names those whose value is not taken.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> (Self, Vec<BadSetting>) {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let (mut settings, mut bad) = (Self::default(), Vec::new());
        if let Some(namespace) = lookup("TRIAGE_NAMESPACE") {
            if is_namespace(&namespace) {
                settings.diagnosis.namespace = namespace;
            } else {
                let wanted = "a namespace of 1 to 255 characters that does not begin with AWS/";
                bad.push(BadSetting { variable: "TRIAGE_NAMESPACE", wanted });
            }
        }
        if let Some(problems) = lookup("TRIAGE_DISABLE") {
            let problems = listed(&problems);
            let is_known = |name: &&str| triage_diagnosis::problems().any(|p| p == *name);
            if !problems.iter().all(is_known) {
                let wanted = "a list of problems";
                bad.push(BadSetting { variable: "TRIAGE_DISABLE", wanted });
            }
            let known = problems.into_iter().filter(is_known);
            settings.diagnosis.disabled = known.map(str::to_owned).collect();
        }
        match lookup("TRIAGE_FUNCTION_ERRORS").as_deref().map(str::trim) {
            None | Some("on") => {}
            Some("off") => settings.tells_function_errors = false,
            Some(_) => {
                bad.push(BadSetting { variable: "TRIAGE_FUNCTION_ERRORS", wanted: "on or off" });
            }
        }
        for pair in lookup("TRIAGE_DEAD_LETTERS").iter().flat_map(|pairs| listed(pairs)) {
            match pair.split_once('=').filter(|(from, to)| is_name(from) && is_name(to)) {
                Some((from, to)) => {
                    settings.dead_letters.insert(from.to_owned(), to.to_owned());
                }
                None => bad.push(BadSetting {
                    variable: "TRIAGE_DEAD_LETTERS",
                    wanted: "a list of QUEUE-OR-TOPIC=FUNCTION",
                }),
            }
        }
        let names = lookup("TRIAGE_FUNCTIONS");
        settings.functions.names =
            names.iter().flat_map(|names| listed(names)).map(str::to_owned).collect();
        settings.functions.tag = lookup("TRIAGE_TAG").map(|tag| match tag.split_once('=') {
            Some((key, value)) => (key.trim().to_owned(), Some(value.trim().to_owned())),
            None => (tag.trim().to_owned(), None),
        });
        bad.dedup();
        (settings, bad)
    }
}

fn listed(list: &str) -> Vec<&str> {
    list.split([',', ' ', '\n']).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// CloudWatch's rule, but for its own namespaces.
fn is_namespace(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#: ".contains(&b);
    (1..=255).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with("AWS/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> (Settings, Vec<&'static str>) {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let (settings, bad) = Settings::from_lookup(lookup);
        (settings, bad.iter().map(|bad| bad.variable).collect())
    }

    #[test]
    fn everything_has_a_default() {
        assert_eq!(settings(&[]), (Settings::default(), vec![]));
        assert_eq!(settings(&[("TRIAGE_FUNCTIONS", " "), ("TRIAGE_TAG", "")]).1, [""; 0]);
    }

    #[test]
    fn what_is_set_is_taken() {
        let (settings, bad) = settings(&[
            ("TRIAGE_NAMESPACE", "Mine"),
            ("TRIAGE_DISABLE", "throttled, timeout"),
            ("TRIAGE_FUNCTION_ERRORS", "off"),
            ("TRIAGE_DEAD_LETTERS", "orders-dlq=orders,alerts=billing"),
            ("TRIAGE_FUNCTIONS", "orders, billing"),
            ("TRIAGE_TAG", "team=shop"),
        ]);
        assert_eq!(bad, [""; 0]);
        assert_eq!(settings.diagnosis.namespace, "Mine");
        assert_eq!(settings.diagnosis.disabled, ["throttled", "timeout"]);
        assert!(!settings.tells_function_errors);
        assert_eq!(settings.dead_letters["orders-dlq"], "orders");
        assert_eq!(settings.functions.names, ["orders", "billing"]);
        assert_eq!(settings.functions.tag, Some(("team".into(), Some("shop".into()))));
    }

    #[test]
    fn a_bad_value_is_named_and_the_default_taken() {
        let (settings, bad) = settings(&[
            ("TRIAGE_NAMESPACE", "AWS/Lambda"),
            ("TRIAGE_DISABLE", "nonsense,timeout"),
            ("TRIAGE_FUNCTION_ERRORS", "perhaps"),
            ("TRIAGE_DEAD_LETTERS", "a=b,c"),
        ]);
        assert_eq!(
            bad,
            ["TRIAGE_NAMESPACE", "TRIAGE_DISABLE", "TRIAGE_FUNCTION_ERRORS", "TRIAGE_DEAD_LETTERS"]
        );
        assert_eq!(settings.diagnosis.namespace, "LambdaTriage");
        assert_eq!(settings.diagnosis.disabled, ["timeout"]);
        assert!(settings.tells_function_errors);
        assert_eq!(settings.dead_letters.len(), 1);
    }
}
