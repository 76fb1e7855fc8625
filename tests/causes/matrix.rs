//! The confusion matrix, as markdown.

use crate::judge::Named;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Of each cause so much may be named other than right, in percent; one run may in any case.
const NOT_RIGHT_PERCENT: usize = 5;
/// Of all runs so much may be named wrong, in percent; of near-timeouts one in any case.
const WRONG_PERCENT: usize = 1;

/// Timeouts of one cause at a time.
pub(crate) const TIMEOUT: &str = "timeout";
/// Those with something beside the cause.
pub(crate) const BESIDE: &str = "timeout with more";
/// Invocations that end just in time.
pub(crate) const NEAR_TIMEOUT: &str = "near-timeout";

/// Made and named causes of one problem.
#[derive(Debug)]
pub(crate) struct Matrix {
    problem: &'static str,
    cells: BTreeMap<&'static str, BTreeMap<Named, usize>>,
    /// For each imminent line that came, how long before the deadline it did.
    imminent_ms: BTreeMap<&'static str, Vec<i64>>,
}

impl Matrix {
    pub(crate) fn new(problem: &'static str) -> Self {
        Self { problem, cells: BTreeMap::new(), imminent_ms: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, made: &'static str, named: Named, imminent_ms: Option<i64>) {
        *self.cells.entry(made).or_default().entry(named).or_default() += 1;
        self.imminent_ms.entry(made).or_default().extend(imminent_ms);
    }

    /// What is not as it should be. An invocation that ends in time may do so before all was looked at:
    /// of near-timeouts none has to be named, but none wrong. Nor has what has something beside it, of which
    /// none may be named wrong at all.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut problems = Vec::new();
        let (mut runs, mut wrong) = (0, 0);
        for (made, row) in &self.cells {
            let total: usize = row.values().sum();
            let right = row.get(&Named::of(made)).copied().unwrap_or(0);
            let allowed = (total * NOT_RIGHT_PERCENT / 100).max(1);
            if self.problem == TIMEOUT && total - right > allowed {
                problems.push(format!("{right} of {total} right where {made} was made"));
            }
            runs += total;
            wrong += wrong_of(made, row);
        }
        let allowed = match self.problem {
            BESIDE => 0,
            // They are few.
            NEAR_TIMEOUT => (runs * WRONG_PERCENT / 100).max(1),
            _ => runs * WRONG_PERCENT / 100,
        };
        if wrong > allowed {
            problems.push(format!("{wrong} of {runs} wrong"));
        }
        (!problems.is_empty()).then(|| format!("{}: {}", self.problem, problems.join(", ")))
    }
}

fn wrong_of(made: &'static str, row: &BTreeMap<Named, usize>) -> usize {
    row.iter().filter(|(named, _)| named.is_wrong(made)).map(|(_, count)| count).sum()
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: BTreeSet<Named> =
            self.cells.values().flat_map(BTreeMap::keys).copied().collect();
        write!(f, "| {}: made | runs | right | wrong | imminent |", self.problem)?;
        columns.iter().try_for_each(|named| write!(f, " {named} |"))?;
        write!(f, "\n|---|--:|--:|--:|--:|{}", "--:|".repeat(columns.len()))?;
        for (made, row) in &self.cells {
            let total: usize = row.values().sum();
            let right = row.get(&Named::of(made)).copied().unwrap_or(0);
            let wrong = wrong_of(made, row);
            let percent = right * 100 / total.max(1);
            let imminent_ms = self.imminent_ms.get(made).map_or(&[][..], |times| times);
            let imminent = match imminent_ms.iter().min() {
                Some(least_ms) => format!("{}, from {least_ms} ms on", imminent_ms.len()),
                None => "0".to_owned(),
            };
            write!(f, "\n| {made} | {total} | {percent} % | {wrong} | {imminent} |")?;
            for named in &columns {
                match row.get(named) {
                    Some(count) => write!(f, " {count} |")?,
                    None => f.write_str(" |")?,
                }
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(right: usize, unknown: usize, wrong: usize) -> Matrix {
        let mut matrix = Matrix::new(TIMEOUT);
        let runs = [(Named::Cause("dns"), right), (Named::Unknown, unknown), (Named::Odd, wrong)];
        for (named, count) in runs {
            (0..count).for_each(|_| matrix.add("dns", named, None));
        }
        matrix
    }

    #[test]
    fn it_fails_below_the_right_and_above_the_wrong_that_are_allowed() {
        assert_eq!(matrix(95, 5, 0).failure(), None);
        assert_eq!(matrix(23, 1, 0).failure(), None);
        assert!(matrix(22, 2, 0).failure().is_some());
        assert_eq!(matrix(1, 1, 0).failure(), None);
        assert_eq!(matrix(99, 0, 1).failure(), None);
        assert!(matrix(94, 6, 0).failure().is_some());
        assert!(matrix(98, 0, 2).failure().is_some());
        assert!(matrix(0, 0, 0).failure().is_none());
    }

    #[test]
    fn unknown_is_right_only_where_nothing_known_was_made() {
        let mut matrix = Matrix::new(TIMEOUT);
        matrix.add("unknown", Named::Unknown, None);
        assert_eq!(matrix.failure(), None);
        (0..9).for_each(|_| matrix.add("unknown", Named::Cause("idle"), None));
        assert!(matrix.failure().is_some_and(|failure| failure.contains("9 of 10 wrong")));
    }

    #[test]
    fn what_has_more_beside_it_needs_no_name_but_no_wrong_one() {
        let mut matrix = Matrix::new(BESIDE);
        let made = "idle, beside a listener";
        (0..200).for_each(|_| matrix.add(made, Named::Unknown, None));
        matrix.add(made, Named::Cause("idle"), None);
        assert_eq!(matrix.failure(), None);
        matrix.add(made, Named::Cause("awaiting-peer"), None);
        assert!(matrix.failure().is_some());
    }

    #[test]
    fn near_timeouts_need_no_name_but_no_wrong_one() {
        let mut matrix = Matrix::new(NEAR_TIMEOUT);
        matrix.add("idle", Named::Unknown, None);
        assert_eq!(matrix.failure(), None);
        matrix.add("idle", Named::Cause("dns"), None);
        assert_eq!(matrix.failure(), None, "one of few may be");
        matrix.add("idle", Named::Cause("dns"), None);
        assert!(matrix.failure().is_some());
    }

    #[test]
    fn it_is_a_table_of_markdown() {
        let table = matrix(19, 1, 0).to_string();
        let lines: Vec<_> = table.lines().take(3).collect();
        assert_eq!(
            lines,
            [
                "| timeout: made | runs | right | wrong | imminent | dns | unknown |",
                "|---|--:|--:|--:|--:|--:|--:|",
                "| dns | 20 | 95 % | 0 | 0 | 19 | 1 |"
            ]
        );
    }
}
