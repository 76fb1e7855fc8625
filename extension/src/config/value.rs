//! One variable's value: found, understood, or warned of.

use std::ffi::OsString;
use std::fmt::{self, Display};
use triage_diagnosis::signatures::is_custom_problem;

/// One variable that could not be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    variable: &'static str,
    what: String,
    taken: String,
}

impl Warning {
    /// Its name.
    #[cfg(test)]
    pub(crate) fn variable(&self) -> &'static str {
        self.variable
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, what, taken } = self;
        write!(f, "{variable} {what}; using {taken}")
    }
}

/// What kind of value a variable holds, without a single character of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// So many decimal digits and nothing else.
    Digits(usize),
    /// So many letters and nothing else.
    Letters(usize),
    /// So many characters.
    Characters(usize),
    /// So many bytes that are not UTF-8.
    NotUtf8(usize),
}

impl Shape {
    /// The shape of a text.
    #[must_use]
    pub(crate) fn of(text: &str) -> Self {
        let characters = text.chars().count();
        if text.bytes().all(|b| b.is_ascii_digit()) {
            Self::Digits(characters)
        } else if text.chars().all(char::is_alphabetic) {
            Self::Letters(characters)
        } else {
            Self::Characters(characters)
        }
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match *self {
            Self::Digits(n) => write!(f, "a number of {n} digit{}", plural(n)),
            Self::Letters(n) => write!(f, "{n} letter{}", plural(n)),
            Self::Characters(n) => write!(f, "{n} character{}, not a number", plural(n)),
            Self::NotUtf8(n) => write!(f, "{n} byte{}, not UTF-8", plural(n)),
        }
    }
}

/// All variables, and the warnings so far.
pub(super) struct Values<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
    warnings: Vec<Warning>,
}

impl<'a> Values<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup, warnings: Vec::new() }
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    pub(super) fn warn(&mut self, variable: &'static str, what: &str, taken: &str) {
        let (what, taken) = (what.to_owned(), taken.to_owned());
        self.warnings.push(Warning { variable, what, taken });
    }

    /// A variable of Lambda's own: nobody is warned of what no user has set.
    pub(super) fn platform(&self, variable: &'static str) -> Option<String> {
        let text = (self.lookup)(variable)?.into_string().ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A variable's text without the white space around it. An empty one counts as not set, since
    /// templates set what they have no value for to nothing.
    fn find(&self, variable: &str) -> Result<Option<String>, Shape> {
        let Some(value) = (self.lookup)(variable) else { return Ok(None) };
        match value.into_string() {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(bytes) => Err(Shape::NotUtf8(bytes.len())),
        }
    }

    /// A variable's text, if it has one.
    pub(super) fn text(&mut self, variable: &'static str) -> Option<String> {
        self.find(variable).unwrap_or_else(|shape| {
            self.warn(variable, &format!("cannot be read (it holds {shape})"), "none");
            None
        })
    }

    /// What `parse` makes of the variable, or the default.
    pub(super) fn parsed<T: Display>(
        &mut self,
        variable: &'static str,
        expected: &str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let shape = match self.find(variable) {
            Ok(None) => return default,
            Ok(Some(text)) => match parse(&text) {
                Some(value) => return value,
                None => Shape::of(&text),
            },
            Err(shape) => shape,
        };
        let what = format!("is not {expected} (it holds {shape})");
        self.warn(variable, &what, &default.to_string());
        default
    }

    /// One of a few words in any case of letters, or the default.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        variable: &'static str,
        words: &[(&'static str, T)],
        default: T,
    ) -> T {
        let default_word = words
            .iter()
            .find(|(_, value)| *value == default)
            .map_or("the default", |(word, _)| word);
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", all.join(", "));
        let word = self.parsed(variable, &expected, default_word, |text| {
            all.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
        });
        words.iter().find(|(w, _)| *w == word).map_or(default, |(_, value)| *value)
    }

    /// A list of problem names, separated by commas.
    pub(super) fn problems(&mut self, variable: &'static str) -> Vec<String> {
        let Some(text) = self.text(variable) else { return Vec::new() };
        let (known, unknown): (Vec<_>, Vec<_>) = text
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .partition(|name| {
                // Which signatures there are shows when their file is read.
                is_custom_problem(name) || triage_diagnosis::problems().any(|known| known == name)
            });
        if !unknown.is_empty() {
            let count = unknown.len();
            let names = if count == 1 { "name" } else { "names" };
            let what = format!("holds {count} {names} of no problem there is");
            self.warn(variable, &what, &format!("the other {}", known.len()));
        }
        known
    }
}
