//! Storms: how many diagnoses are told singly, and how the rest are counted.

use crate::Timestamp;
use crate::detector::Detector;
use crate::diagnosis::Diagnosis;
use crate::fault_point;
use crate::finding::{Finding, Stage};
use crate::metric::Unit;
use std::collections::VecDeque;

/// Lines of one problem that are written singly within a window.
const SINGLE_LINES: u32 = 20;
const WINDOW_MS: u64 = 60_000;
/// How long at most a folded line gathers before it is written.
const FOLD_MS: u64 = 10_000;
/// CloudWatch takes at most 100 values of a metric in one line.
const MAX_VALUES: usize = 100;

/// Limits the lines of a storm: the first of a problem in a minute are told singly, the rest in one
/// line with exact counts.
#[derive(Debug, Default)]
pub(crate) struct Folding {
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Problem {
    detector: &'static Detector,
    window_start: Timestamp,
    singles: u32,
    folds: VecDeque<Fold>,
}

/// Diagnoses of one problem and stage, told in one line.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) stage: Stage,
    pub(crate) since: Timestamp,
    /// The latest of them speaks for all.
    pub(crate) example: Finding,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    /// How many diagnoses: what the metrics count.
    pub(crate) diagnoses: u64,
    /// How many signs of them.
    pub(crate) occurrences: u64,
}

impl Folding {
    /// Whether a diagnosis is told singly, and not folded.
    pub(crate) fn admits(
        &mut self,
        detector: &'static Detector,
        stage: Stage,
        now: Timestamp,
    ) -> bool {
        fault_point!("admit");
        let problem = self.problem(detector, now);
        // A clock that was set back begins a new window.
        if now < problem.window_start || now.ms_since(problem.window_start) >= WINDOW_MS {
            problem.window_start = now;
            problem.singles = 0;
        }
        let is_admitted = problem.singles < SINGLE_LINES;
        // What is only about to happen takes no line from what has.
        problem.singles += u32::from(is_admitted && stage > Stage::Imminent);
        is_admitted
    }

    /// Folds a diagnosis that is not told singly.
    pub(crate) fn fold(&mut self, diagnosis: Diagnosis, now: Timestamp) {
        self.problem(diagnosis.detector, now).fold(diagnosis.finding, 1, now);
    }

    /// Counts more signs of a diagnosis that has been told.
    pub(crate) fn repeat(&mut self, detector: &'static Detector, finding: Finding, now: Timestamp) {
        self.problem(detector, now).fold(finding, 0, now);
    }

    /// The next folded line whose time has come, or any if `at_once`.
    pub(crate) fn poll(
        &mut self,
        now: Timestamp,
        at_once: bool,
    ) -> Option<(&'static Detector, Fold)> {
        self.problems.iter_mut().find_map(|problem| {
            let is_due = |fold: &Fold| at_once || now < fold.since || now >= fold.due_at();
            let index = problem.folds.iter().position(is_due)?;
            Some((problem.detector, problem.folds.remove(index)?))
        })
    }

    /// When the next folded line is due.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        self.problems.iter().flat_map(|problem| &problem.folds).map(Fold::due_at).min()
    }

    fn problem(&mut self, detector: &'static Detector, now: Timestamp) -> &mut Problem {
        let known = self.problems.iter().position(|p| std::ptr::eq(p.detector, detector));
        let index = known.unwrap_or_else(|| {
            let folds = VecDeque::new();
            self.problems.push(Problem { detector, window_start: now, singles: 0, folds });
            self.problems.len() - 1
        });
        &mut self.problems[index]
    }
}

impl Problem {
    fn fold(&mut self, mut finding: Finding, diagnoses: u64, now: Timestamp) {
        fault_point!("fold");
        if diagnoses == 0 {
            finding.values.clear();
        }
        let Some(fold) = self.folds.iter_mut().find(|fold| fold.stage == finding.stage) else {
            self.folds.push_back(Fold {
                stage: finding.stage,
                since: now,
                first_at: finding.at,
                last_at: finding.at,
                diagnoses,
                occurrences: finding.occurrences,
                example: finding,
            });
            return;
        };
        fold.diagnoses = fold.diagnoses.saturating_add(diagnoses);
        fold.occurrences = fold.occurrences.saturating_add(finding.occurrences);
        fold.first_at = fold.first_at.min(finding.at);
        fold.last_at = fold.last_at.max(finding.at);
        let mut values = std::mem::take(&mut fold.example.values);
        for (name, value) in finding.values.drain(..) {
            match values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) if Unit::of(name) == Unit::Count => *sum += value,
                _ => values.push((name, value)),
            }
        }
        keep_largest(&mut values);
        let cause = fold.example.cause.filter(|cause| finding.cause == Some(*cause));
        fold.example = Finding { cause, values, ..finding };
    }
}

impl Fold {
    fn due_at(&self) -> Timestamp {
        self.since.plus_ms(FOLD_MS)
    }
}

/// Values of a metric of its own beyond what a line may carry: the largest stay, as the statistic
/// that is looked at is the Maximum, and so do those that are one sum each.
fn keep_largest(values: &mut Vec<(&'static str, f64)>) {
    if values.len() > MAX_VALUES {
        let is_count = |(name, _): &(&str, f64)| Unit::of(name) == Unit::Count;
        values.sort_by(|a, b| is_count(b).cmp(&is_count(a)).then(b.1.total_cmp(&a.1)));
        values.truncate(MAX_VALUES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::RECURSION_DEPTH;

    fn diagnosis(at: u64, cause: Option<&'static str>) -> Diagnosis {
        let mut finding = Finding::confirmed(ms(at), format!("at {at}"));
        finding.cause = cause;
        finding.values.push((RECURSION_DEPTH, at as f64));
        finding.values.push(("EfsFailures", 1.0));
        let detector = crate::detectors()[0];
        Diagnosis { detector, finding, request_id: None, function_arn: None, trace_id: None }
    }

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    fn singles(folding: &mut Folding, times: std::ops::Range<u64>) -> usize {
        times
            .filter(|at| {
                let diagnosis = diagnosis(*at, None);
                let is_single = folding.admits(diagnosis.detector, Stage::Confirmed, ms(*at));
                if !is_single {
                    folding.fold(diagnosis, ms(*at));
                }
                is_single
            })
            .count()
    }

    #[test]
    fn twenty_in_a_minute_are_told_singly() {
        let mut folding = Folding::default();
        assert_eq!(singles(&mut folding, 0..100), 20);
        assert_eq!(singles(&mut folding, 59_999..60_000), 0);
        assert_eq!(singles(&mut folding, 60_000..60_100), 20);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_mutes_nor_delays() {
        let mut folding = Folding::default();
        singles(&mut folding, 50_000..50_100);
        assert!(folding.poll(ms(0), false).is_some(), "due though its time seems to lie ahead");
        assert_eq!(singles(&mut folding, 0..100), 20);
    }

    #[test]
    fn a_fold_is_due_ten_seconds_after_its_first() {
        let mut folding = Folding::default();
        singles(&mut folding, 0..30);
        assert_eq!(folding.due_at(), Some(ms(20 + FOLD_MS)));
        assert!(folding.poll(ms(10_019), false).is_none());
        let (_, fold) = folding.poll(ms(10_020), false).unwrap();
        assert_eq!((fold.diagnoses, fold.occurrences), (10, 10));
        assert_eq!((fold.first_at, fold.last_at), (ms(20), ms(29)));
        assert_eq!(folding.due_at(), None);
    }

    #[test]
    fn a_fold_names_a_cause_only_if_all_have_it() {
        let mut folding = Folding::default();
        let fold_cause = |folding: &mut Folding, causes: [Option<&'static str>; 3]| {
            causes.into_iter().for_each(|cause| folding.fold(diagnosis(0, cause), ms(0)));
            folding.poll(ms(0), true).unwrap().1.example.cause
        };
        assert_eq!(fold_cause(&mut folding, [Some("a"); 3]), Some("a"));
        assert_eq!(fold_cause(&mut folding, [Some("a"), Some("b"), Some("b")]), None);
        assert_eq!(fold_cause(&mut folding, [Some("a"), None, Some("a")]), None);
    }

    #[test]
    fn own_values_are_bounded_and_the_largest_stays() {
        let mut folding = Folding::default();
        for at in (0..500).rev() {
            folding.fold(diagnosis(at, None), ms(at));
        }
        let (_, fold) = folding.poll(ms(0), true).unwrap();
        let values = &fold.example.values;
        let counts: Vec<_> = values.iter().filter(|(name, _)| *name != RECURSION_DEPTH).collect();
        assert_eq!(values.len(), MAX_VALUES);
        assert_eq!(counts, [&("EfsFailures", 500.0)], "what counts is added up");
        assert!(fold.example.values.iter().any(|(_, value)| *value == 499.0));
        assert_eq!(fold.diagnoses, 500);
    }

    #[test]
    fn repeats_count_as_signs_and_not_as_diagnoses() {
        let mut folding = Folding::default();
        let Diagnosis { detector, finding, .. } = diagnosis(5, None);
        folding.repeat(detector, finding, ms(5));
        let (_, fold) = folding.poll(ms(5), true).unwrap();
        assert_eq!((fold.diagnoses, fold.occurrences), (0, 1));
        assert!(fold.example.values.is_empty());
    }
}
