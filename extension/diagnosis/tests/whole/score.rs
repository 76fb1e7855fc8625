//! What the detectors are worth, on all fixtures and on the healthy corpus.

use crate::corpus::{FalseAlarm, Healthy, told_alone};
use crate::replay::Fixture;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What came out, against what should have.
#[derive(Debug, Default)]
pub(crate) struct Score {
    problems: BTreeMap<String, Problem>,
    /// Expected lines that did not come out, and lines that nobody expected.
    pub(crate) misses: Vec<String>,
    pub(crate) false_alarms: Vec<FalseAlarm>,
    /// How many records of the corpus there are.
    healthy: usize,
}

/// One problem's account.
#[derive(Debug, Default)]
struct Problem {
    /// Fixtures in its folder.
    cases: usize,
    /// Lines that fixtures expect of it, and those of them that came out.
    expected: usize,
    hits: usize,
    /// Lines of it that no fixture expects, and lines that the corpus caused.
    alarms_in_fixtures: usize,
    alarms_in_corpus: usize,
    /// Hits by view; the empty name is that of lines without one.
    views: BTreeMap<String, usize>,
    /// Expected lines and hits by what printed the error.
    languages: BTreeMap<&'static str, (usize, usize)>,
}

/// Words in fixtures' names, and what they mean.
const LANGUAGES: [(&str, &str); 18] = [
    ("python", "Python"),
    ("boto3", "Python"),
    ("powertools", "Python"),
    ("node", "Node"),
    ("typescript", "Node"),
    ("pino", "Node"),
    ("java", "Java"),
    ("log4j", "Java"),
    ("go", "Go"),
    ("zap", "Go"),
    ("logrus", "Go"),
    ("slog", "Go"),
    ("rust", "Rust"),
    ("dotnet", ".NET"),
    ("net", ".NET"),
    ("serilog", ".NET"),
    ("ruby", "Ruby"),
    ("platform", "platform"),
];

/// The columns of the second table; the last is for names that say nothing of it.
const COLUMNS: [&str; 9] =
    ["Python", "Node", "Java", "Go", "Rust", ".NET", "Ruby", "platform", "other"];

fn language(fixture: &str) -> &'static str {
    let case = fixture.rsplit('/').next().unwrap_or_default();
    case.split('-')
        .find_map(|word| LANGUAGES.iter().find(|(name, _)| *name == word))
        .map_or("other", |(_, language)| language)
}

fn problem_of(line: &Value) -> Option<&str> {
    line["diagnosis"]["problem"].as_str()
}

impl Score {
    /// Replays all fixtures and feeds all records. `problems` are those that must have cases.
    pub(crate) fn of(
        problems: impl Iterator<Item = &'static str>,
        fixtures: &[Fixture],
        corpus: &[Healthy],
    ) -> Self {
        let mut score = Self { healthy: corpus.len(), ..Self::default() };
        for problem in problems {
            score.problem(problem);
        }
        for fixture in fixtures {
            score.replay(fixture);
        }
        for alarm in told_alone(corpus) {
            score.problem(alarm.problem()).alarms_in_corpus += 1;
            score.false_alarms.push(alarm);
        }
        score
    }

    fn problem(&mut self, name: &str) -> &mut Problem {
        self.problems.entry(name.to_owned()).or_default()
    }

    fn replay(&mut self, fixture: &Fixture) {
        self.problem(&fixture.problem).cases += 1;
        let language = language(&fixture.name);
        let (answers, unexpected) = fixture.compare(fixture.replay(&fixture.steps));
        for (expected, line) in answers {
            let account = self.problem(problem_of(expected).unwrap_or(&fixture.problem));
            account.expected += 1;
            let (of_language, hits) = account.languages.entry(language).or_default();
            *of_language += 1;
            if let Some(line) = line {
                let view = line["diagnosis"]["view"].as_str().unwrap_or_default().to_owned();
                *hits += 1;
                account.hits += 1;
                *account.views.entry(view).or_default() += 1;
            } else {
                self.misses.push(format!("{}: {expected}", fixture.name));
            }
        }
        for line in unexpected {
            let alarm = FalseAlarm { place: fixture.name.clone(), line };
            self.problem(alarm.problem()).alarms_in_fixtures += 1;
            self.false_alarms.push(alarm);
        }
    }

    /// Problems that no fixture expects: their recall is not known.
    pub(crate) fn without_cases(&self) -> impl Iterator<Item = &str> {
        let unseen = self.problems.iter().filter(|(name, p)| *name != "healthy" && p.expected == 0);
        unseen.map(|(name, _)| name.as_str())
    }

    /// Whether all that should be told is told, and nothing else.
    pub(crate) fn is_perfect(&self) -> bool {
        self.misses.is_empty()
            && self.false_alarms.is_empty()
            && self.healthy > 0
            && self.without_cases().next().is_none()
    }

    fn sum(&self, of: impl Fn(&Problem) -> usize) -> usize {
        self.problems.values().map(of).sum()
    }

    fn recall(&self) -> Recall {
        Recall { hits: self.sum(|p| p.hits), expected: self.sum(|p| p.expected) }
    }
}

/// `recall 97.5 %`; 100 % only where nothing is missed.
struct Recall {
    hits: usize,
    expected: usize,
}

impl fmt::Display for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            0 => f.write_str("-"),
            expected => {
                let per_mille = self.hits * 1_000 / expected;
                write!(f, "{}.{} %", per_mille / 10, per_mille % 10)
            }
        }
    }
}

const VIEWS: [(&str, &str); 4] =
    [("function", "function"), ("caller", "caller"), ("outside", "outside"), ("", "no view")];

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let views: Vec<_> =
            VIEWS.iter().filter(|(v, _)| self.sum(|p| p.count(v)) > 0).copied().collect();
        let mut first = Table::new(&[
            "problem",
            "cases",
            "expected",
            "hits",
            "misses",
            "recall",
            "false alarms",
            "in corpus",
        ]);
        first.head.extend(views.iter().map(|(_, title)| (*title).to_owned()));
        for (name, p) in &self.problems {
            first.row(name, p.cells(&views, &[p.cases]));
        }
        let mut total = Problem {
            expected: self.sum(|p| p.expected),
            hits: self.sum(|p| p.hits),
            alarms_in_fixtures: self.sum(|p| p.alarms_in_fixtures),
            alarms_in_corpus: self.sum(|p| p.alarms_in_corpus),
            ..Problem::default()
        };
        for (view, _) in &views {
            total.views.insert((*view).to_owned(), self.sum(|p| p.count(view)));
        }
        first.row("all", total.cells(&views, &[self.sum(|p| p.cases)]));
        write!(f, "{first}")?;

        let used: BTreeSet<&str> =
            self.problems.values().flat_map(|p| p.languages.keys().copied()).collect();
        let columns: Vec<&str> = COLUMNS.into_iter().filter(|c| used.contains(c)).collect();
        let mut second = Table::new(&["hits of expected, by the name of the fixture"]);
        second.head.extend(columns.iter().map(|c| (*c).to_owned()));
        for (name, p) in self.problems.iter().filter(|(_, p)| p.expected > 0) {
            let cell = |c: &&str| {
                p.languages.get(c).map(|(all, hits)| match all == hits {
                    true => all.to_string(),
                    false => format!("{hits} of {all}"),
                })
            };
            second.row(name, columns.iter().map(|c| cell(c).unwrap_or_default()).collect());
        }
        writeln!(f, "\n{second}")?;

        for miss in &self.misses {
            writeln!(f, "missed: {miss}")?;
        }
        for FalseAlarm { place, line } in &self.false_alarms {
            let d = &line["diagnosis"];
            writeln!(
                f,
                "false alarm: {place}: {} {}: {}\n  {}",
                d["stage"], d["problem"], line["message"], d["evidence"]["excerpt"]
            )?;
        }
        for problem in self.without_cases() {
            writeln!(f, "no case: {problem}")?;
        }
        writeln!(
            f,
            "recall on fixtures {}, false alarms on fixtures {}, on {} healthy records {}: {}",
            self.recall(),
            self.sum(|p| p.alarms_in_fixtures),
            self.healthy,
            self.sum(|p| p.alarms_in_corpus),
            if self.is_perfect() { "as it must be" } else { "FAILED" },
        )
    }
}

impl Problem {
    fn count(&self, view: &str) -> usize {
        self.views.get(view).copied().unwrap_or_default()
    }

    fn cells(&self, views: &[(&str, &str)], before: &[usize]) -> Vec<String> {
        let recall = Recall { hits: self.hits, expected: self.expected };
        let mut cells: Vec<String> = before.iter().map(ToString::to_string).collect();
        let missed = self.expected - self.hits;
        cells.extend([self.expected, self.hits, missed].map(|n| n.to_string()));
        cells.push(recall.to_string());
        cells.extend([self.alarms_in_fixtures, self.alarms_in_corpus].map(|n| n.to_string()));
        cells.extend(views.iter().map(|(view, _)| self.count(view).to_string()));
        cells
    }
}

/// Columns as wide as what stands in them; the first to the left, numbers to the right.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&h| h.to_owned()).collect(), rows: Vec::new() }
    }

    fn row(&mut self, name: &str, cells: Vec<String>) {
        self.rows.push([vec![name.to_owned()], cells].concat());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            rows().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for row in rows() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line += &match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
