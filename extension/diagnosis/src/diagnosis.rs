//! Findings become diagnoses: each with the invocation it belongs to, unless another explains it.

use crate::detector::Detector;
use crate::finding::{Finding, Stage};
use crate::invocation::Attempt;
use crate::trace_header;

/// What went wrong in one invocation (or, without a request id, in the sandbox).
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    pub(crate) detector: &'static Detector,
    pub(crate) finding: Finding,
    pub(crate) request_id: Option<String>,
    pub(crate) function_arn: Option<String>,
    pub(crate) trace_id: Option<String>,
}

impl Diagnosis {
    pub(crate) fn of(
        detector: &'static Detector,
        finding: Finding,
        attempt: Option<&Attempt>,
    ) -> Self {
        Self {
            detector,
            finding: Finding { occurrences: finding.occurrences.max(1), ..finding },
            // The initialization has none.
            request_id: attempt.map(|a| a.request_id.clone()).filter(|id| !id.is_empty()),
            function_arn: attempt.and_then(|attempt| attempt.function_arn.clone()),
            trace_id: attempt
                .and_then(|attempt| trace_header::shown(attempt.trace.root.as_deref()?))
                .map(str::to_owned),
        }
    }
}

/// Whether one of `others`, each a detector by its place and a stage, explains a finding. What is
/// only suspected explains nothing that is certain.
fn is_outranked<'a>(
    (detector, stage): (usize, Stage),
    mut others: impl Iterator<Item = &'a (usize, Stage)>,
    detectors: &[&'static Detector],
) -> bool {
    let problem = detectors[detector].problem;
    others.any(|(other, other_stage)| {
        *other_stage >= stage && detectors[*other].outranks.contains(&problem)
    })
}

/// Those findings that no other of them explains.
pub(crate) fn not_outranked(
    mut found: Vec<(usize, Finding)>,
    detectors: &[&'static Detector],
) -> Vec<(usize, Finding)> {
    let stages: Vec<_> = found.iter().map(|(detector, f)| (*detector, f.stage)).collect();
    found.retain(|(detector, f)| !is_outranked((*detector, f.stage), stages.iter(), detectors));
    found
}

/// Takes the findings of an attempt that are due and not outranked. Those that await the report
/// stay while it is waited for.
pub(crate) fn take_due(
    attempt: &mut Attempt,
    detectors: &[&'static Detector],
    waits: bool,
    ready: &mut Vec<Diagnosis>,
) {
    let found: Vec<_> = attempt.findings.iter().map(|(d, f)| (*d, f.stage)).collect();
    for (detector, finding) in std::mem::take(&mut attempt.findings) {
        let others = found.iter().chain(&attempt.told);
        if is_outranked((detector, finding.stage), others, detectors) {
            continue;
        }
        if waits && finding.awaits_report {
            attempt.findings.push((detector, finding));
            continue;
        }
        attempt.told.push((detector, finding.stage));
        ready.push(Diagnosis::of(detectors[detector], finding, Some(attempt)));
    }
}
