//! How often each problem was found.

use super::diagnosed::{Diagnosed, Diagnosis, known_time};
use crate::page::Page;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use triage_diagnosis::{PROBLEMS, Report, SUSPECTED_PROBLEMS};

/// Invocations remembered for having been told of as suspected: where one turns out to be certain it
/// is the same invocation.
const MAX_REMEMBERED: usize = 10_000;

/// All problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    problems: BTreeMap<String, Row>,
}

#[derive(Debug, Default)]
struct Row {
    confirmed: u64,
    suspected: u64,
    invocations: u64,
    occurrences: u64,
    /// RFC 3339 in UTC: in the order of time as texts.
    first: String,
    last: String,
    suspected_in: HashSet<String>,
}

impl Summary {
    /// Counts what a line stands for.
    pub(crate) fn count(&mut self, report: &Report, line: &Diagnosed) {
        let Diagnosis { problem, occurrences, evidence, .. } = &line.diagnosis;
        let row = self.problems.entry(problem.clone()).or_default();
        let value = |name| {
            let metric = report.metrics().iter().find(|metric| metric.name == name);
            metric.and_then(|metric| metric.values.first()).map_or(0, |count| *count as u64)
        };
        let (confirmed, suspected) = (value(PROBLEMS), value(SUSPECTED_PROBLEMS));
        row.confirmed += confirmed;
        row.suspected += suspected;
        row.occurrences += occurrences;
        // A folded line names none, and stands for as many as it counts.
        let was_suspected = line.request_id.as_ref().is_some_and(|id| row.suspected_in.remove(id));
        row.invocations += if was_suspected { 0 } else { confirmed + suspected };
        if suspected > 0
            && row.suspected_in.len() < MAX_REMEMBERED
            && let Some(id) = &line.request_id
        {
            row.suspected_in.insert(id.clone());
        }
        let time = |name| evidence.get(name).and_then(Value::as_str).unwrap_or(&line.timestamp);
        let (first, last) = (time("firstAt"), time("lastAt"));
        if row.first.is_empty() || first < row.first.as_str() {
            row.first = first.to_owned();
        }
        if last > row.last.as_str() {
            row.last = last.to_owned();
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many problems, of all names.
    pub(crate) fn problems(&self) -> u64 {
        self.problems.values().map(|row| row.confirmed + row.suspected).sum()
    }

    /// As a table.
    pub(crate) fn write(&self, out: &mut impl Write, page: &Page) -> io::Result<()> {
        if self.is_empty() {
            return page.line(out, page.good, "No problem found.");
        }
        let widest = self.problems.keys().map(String::len).max().unwrap_or_default();
        let width = widest.max("problem".len());
        let heading = format!(
            "{:width$}  {:>9}  {:>9}  {:>11}  {:>11}  {:24}  last",
            "problem", "confirmed", "suspected", "invocations", "occurrences", "first"
        );
        page.line(out, page.heading, &heading)?;
        for (problem, row) in &self.problems {
            let Row { confirmed, suspected, invocations, occurrences, first, last, .. } = row;
            let [first, last] = [first, last].map(|time| known_time(time).unwrap_or("not told"));
            writeln!(
                out,
                "{problem:width$}  {confirmed:>9}  {suspected:>9}  {invocations:>11}  \
                 {occurrences:>11}  {first:24}  {last}"
            )?;
        }
        Ok(())
    }
}
