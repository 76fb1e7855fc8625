//! The rule of a composite alarm: `ALARM("one") OR (OK("two") AND NOT ALARM("three"))`.

use super::evaluation::AlarmState;

/// A rule that could be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// Whether the alarm of this name is in this state.
    Is(AlarmState, String),
    Constant(bool),
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
}

/// CloudWatch's own limit on a rule's length, in characters.
const MAX_CHARS: usize = 10_240;
/// And on the alarms in it.
const MAX_CHILDREN: usize = 100;
/// No rule that a person wrote nests deeper.
const MAX_DEPTH: usize = 64;

impl Rule {
    /// Reads a rule; what is wrong with it otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_CHARS {
            return Err(format!("its rule has more than {MAX_CHARS} characters"));
        }
        let mut reader = Reader { rest: text, depth: 0 };
        let rule = reader.any()?;
        if let Some(word) = reader.word()? {
            return Err(format!("its rule goes on after its end: {word}"));
        }
        let mut names = Vec::new();
        rule.names(&mut names);
        if names.len() > MAX_CHILDREN {
            return Err(format!("its rule names {} alarms, more than {MAX_CHILDREN}", names.len()));
        }
        Ok(rule)
    }

    /// The names of the alarms in it.
    pub(super) fn names<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Is(_, name) => names.push(name),
            Self::Constant(_) => {}
            Self::Not(one) => one.names(names),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.names(names)),
        }
    }

    /// Whether it holds, with the states of its alarms.
    pub(super) fn holds(&self, state: &mut impl FnMut(&str) -> AlarmState) -> bool {
        match self {
            Self::Is(wanted, name) => state(name) == *wanted,
            Self::Constant(constant) => *constant,
            Self::Not(one) => !one.holds(state),
            Self::And(all) => all.iter().all(|one| one.holds(state)),
            Self::Or(any) => any.iter().any(|one| one.holds(state)),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// The next parenthesis, quoted name or word.
    fn word(&mut self) -> Result<Option<&'a str>, String> {
        self.rest = self.rest.trim_start();
        let end = match self.rest.chars().next() {
            None => return Ok(None),
            Some('(' | ')') => 1,
            Some('"') => 2 + self.rest[1..].find('"').ok_or("a name in its rule has no end")?,
            Some(_) => self
                .rest
                .find(|c: char| c.is_whitespace() || "()\"".contains(c))
                .unwrap_or(self.rest.len()),
        };
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Some(word))
    }

    fn takes(&mut self, wanted: &str) -> Result<bool, String> {
        let before = self.rest;
        let found = self.word()? == Some(wanted);
        if !found {
            self.rest = before;
        }
        Ok(found)
    }

    fn any(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.all()?];
        while self.takes("OR")? {
            rules.push(self.all()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Or(rules) })
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.one()?];
        while self.takes("AND")? {
            rules.push(self.one()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::And(rules) })
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("its rule nests too deeply".into());
        }
        let word = self.word()?.ok_or("its rule ends too early")?;
        let rule = match word {
            "NOT" => Rule::Not(Box::new(self.one()?)),
            "TRUE" => Rule::Constant(true),
            "FALSE" => Rule::Constant(false),
            "ALARM" => Rule::Is(AlarmState::Alarm, self.name()?),
            "OK" => Rule::Is(AlarmState::Ok, self.name()?),
            "INSUFFICIENT_DATA" => Rule::Is(AlarmState::InsufficientData, self.name()?),
            "(" => {
                let rule = self.any()?;
                if !self.takes(")")? {
                    return Err("a parenthesis in its rule is not closed".into());
                }
                rule
            }
            other => return Err(format!("{other} is not modelled in a rule")),
        };
        self.depth -= 1;
        Ok(rule)
    }

    /// `("name")`, or a name without quotes.
    fn name(&mut self) -> Result<String, String> {
        let opened = self.takes("(")?;
        let name = self.word()?.ok_or("its rule ends too early")?;
        let closed = self.takes(")")?;
        let name = name.trim_matches('"');
        if !opened || !closed || name.is_empty() || "()".contains(name) {
            return Err("a state in its rule lacks the alarm's name in parentheses".into());
        }
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let rule = Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        rule.holds(&mut |name| match name {
            "bad" | "very bad (1)" => AlarmState::Alarm,
            "good" => AlarmState::Ok,
            _ => AlarmState::InsufficientData,
        })
    }

    #[test]
    fn not_binds_closer_than_and_and_and_than_or() {
        for rule in [
            "ALARM(\"bad\")",
            "ALARM(bad)",
            "ALARM( \"very bad (1)\" )",
            "OK(good) AND INSUFFICIENT_DATA(new)",
            "NOT ALARM(good) AND ALARM(bad)",
            "TRUE OR ALARM(good) AND FALSE",
            "ALARM(good)\n OR NOT (OK(bad) OR ALARM(new))",
        ] {
            assert!(holds(rule), "{rule}");
        }
        for rule in ["ALARM(good)", "NOT TRUE OR FALSE", "(TRUE OR ALARM(good)) AND FALSE"] {
            assert!(!holds(rule), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let deep = "(".repeat(1000);
        let many = vec!["ALARM(a)"; 101].join(" OR ");
        let long = format!("ALARM({})", "a".repeat(MAX_CHARS));
        for rule in [
            "",
            "ALARM",
            "ALARM()",
            "ALARM(a",
            "ALARM(\"a)",
            "(TRUE",
            "TRUE)",
            "TRUE FALSE",
            "AND",
            "TRUE OR",
            "AT_LEAST(1, ALARM, (a))",
            &deep,
            &many,
            &long,
        ] {
            assert!(Rule::parse(rule).is_err(), "{rule}");
        }
    }
}
