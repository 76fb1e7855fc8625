//! `triage explain` and `triage list`: the manual, as the repository's DETECTORS.md has it.

use crate::page::Page;
use std::io::{self, Write, stdout};
use triage_diagnosis::signatures::Signature;
use triage_diagnosis::{Detector, detectors, problems};

/// Generated from the detectors' files; a test of the pure crate keeps it fresh. So their texts are
/// in this program, and in the extension's no byte of them.
const MANUAL: &str = include_str!("../../DETECTORS.md");
/// Names that are so much alike are offered in place of an unknown one.
const LEAST_LIKENESS: f64 = 0.7;
const MAX_OFFERED: usize = 3;

/// Prints the manual of a problem. Gives the names that are nearest to one that is not known.
pub(crate) fn explain(problem: &str) -> io::Result<Result<(), Vec<&'static str>>> {
    let name = problem.trim().to_ascii_lowercase();
    let Some(detector) = detectors().iter().find(|detector| detector.problem == name) else {
        return Ok(Err(nearest(&name)));
    };
    let page = Page::of_stdout();
    let Detector { problem, title, metric, level, .. } = detector;
    let mut text = Vec::new();
    page.line(&mut text, page.heading, &format!("{problem}: {title}"))?;
    page.line(&mut text, page.label, &format!("level {}, metric {metric}", level.as_str()))?;
    writeln!(text)?;
    for line in section(problem).unwrap_or_default().lines() {
        match line.strip_prefix("### ") {
            Some(heading) => page.line(&mut text, page.heading, heading)?,
            None => writeln!(text, "{}", without_anchors(line))?,
        }
    }
    if !detector.causes.is_empty() {
        writeln!(text)?;
        page.line(&mut text, page.heading, "Causes it can name")?;
        for cause in detector.causes {
            writeln!(text, "- `{}`: {}", cause.name, cause.advice)?;
        }
    }
    stdout().write_all(&text)?;
    Ok(Ok(()))
}

/// Prints what the user wrote of a problem of their own.
pub(crate) fn explain_signature(signature: &Signature) -> io::Result<()> {
    let page = Page::of_stdout();
    let mut text = Vec::new();
    let heading = format!("{}: {}", signature.problem(), signature.title());
    page.line(&mut text, page.heading, &heading)?;
    page.line(&mut text, page.label, "metric CustomProblems")?;
    page.labelled(&mut text, "advice", signature.advice())?;
    page.labelled(&mut text, "see", signature.reference())?;
    stdout().write_all(&text)
}

/// Prints all problems.
pub(crate) fn list() -> io::Result<()> {
    let page = Page::of_stdout();
    let all = detectors();
    let width = |of: fn(&Detector) -> &str| all.iter().map(|d| of(d).len()).max().unwrap_or(0);
    let (name, metric) = (width(|d| d.problem), width(|d| d.metric));
    let mut text = Vec::new();
    let heading = format!("{:name$}  {:metric$}  level  what it is", "problem", "metric");
    page.line(&mut text, page.heading, &heading)?;
    for Detector { problem, metric: counted, level, title, .. } in all {
        writeln!(text, "{problem:name$}  {counted:metric$}  {:5}  {title}", level.as_str())?;
    }
    stdout().write_all(&text)
}

/// What the manual says of a problem.
fn section(problem: &str) -> Option<&'static str> {
    let (_, section) = MANUAL.split_once(&format!("\n## {problem}\n"))?;
    let end = section.find("\n## ").unwrap_or(section.len());
    Some(section[..end].trim())
}

/// `[kms-disabled](#kms-disabled)` → `kms-disabled`
fn without_anchors(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        match link.split_once("](#").and_then(|(name, after)| Some((name, after.split_once(')')?)))
        {
            Some((name, (_, after))) => {
                out.push_str(name);
                rest = after;
            }
            None => {
                out.push('[');
                rest = link;
            }
        }
    }
    out + rest
}

/// The names that are most like one that is not known, the nearest first.
fn nearest(name: &str) -> Vec<&'static str> {
    let likeness = |problem: &str| {
        // `kms` for each of its problems
        let is_part = name.len() >= 3 && problem.contains(name);
        if is_part { 1.0 } else { strsim::jaro_winkler(name, problem) }
    };
    let mut known: Vec<_> = problems().map(|problem| (likeness(problem), problem)).collect();
    known.retain(|(likeness, _)| *likeness >= LEAST_LIKENESS);
    known.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    known.into_iter().take(MAX_OFFERED).map(|(_, problem)| problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_has_its_section() {
        for problem in problems() {
            let section = section(problem).unwrap();
            assert!(section.contains("### What to do"), "{problem}");
            assert!(!section.contains("\n## "), "{problem}");
        }
    }

    #[test]
    fn offers_the_nearest_names() {
        assert_eq!(nearest("timout").first(), Some(&"timeout"));
        assert_eq!(nearest("kms-dissabled").first(), Some(&"kms-disabled"));
        assert_eq!(nearest("near_timeout").first(), Some(&"near-timeout"));
        assert!(nearest("recurs").contains(&"recursion"));
        assert!(nearest("").is_empty() && nearest("xyzzy").is_empty());
    }

    #[test]
    fn anchors_become_names() {
        assert_eq!(without_anchors("outranks [a-b](#a-b), [c](#c)."), "outranks a-b, c.");
        assert_eq!(without_anchors("a [b] (c) [d](https://e)"), "a [b] (c) [d](https://e)");
    }
}
