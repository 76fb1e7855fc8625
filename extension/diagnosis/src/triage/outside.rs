//! What the detectors make of what is known of a function outside its sandboxes.

use super::Triage;
use crate::Timestamp;
use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::diagnosis::{Diagnosis, not_outranked};
use crate::finding::{Finding, Stage, View};
use crate::invocation::{Attempt, clip};
use crate::outside::{FailedRequest, FunctionState};
use crate::record::{InvocationReport, Status};
use crate::runtime_exit::RuntimeExit;

impl Triage {
    /// The record of a failed request to the function has come. Each is a request of its own: whoever calls
    /// this leaves out what was delivered twice. How surely a detector knew the failure; if none did, nothing
    /// is told.
    pub fn handle_failed_request(
        &mut self,
        request: &FailedRequest,
        now: Timestamp,
    ) -> Option<Stage> {
        let (attempt, findings) = self.found_in_request(request, now);
        let stage = surest(&findings);
        for (detector, finding) in findings {
            let finding = finding
                .evidence("condition", request.condition.as_deref().filter(|c| is_name(c)))
                .evidence("attempts", request.attempts)
                .evidence("statusCode", request.status_code);
            self.tell_outside(detector, finding, &attempt, now);
        }
        stage
    }

    /// How surely a detector knows a failure, without telling anything of it.
    pub fn failed_request_stage(
        &mut self,
        request: &FailedRequest,
        now: Timestamp,
    ) -> Option<Stage> {
        surest(&self.found_in_request(request, now).1)
    }

    fn found_in_request(
        &mut self,
        request: &FailedRequest,
        now: Timestamp,
    ) -> (Attempt, Vec<(usize, Finding)>) {
        let at = request.at.unwrap_or(now);
        let message = request.error_message.as_deref().unwrap_or_default();
        let attempt = Attempt {
            request_id: clip(request.request_id.clone()),
            function_arn: request.function_arn.clone().map(clip),
            runtime_exit: RuntimeExit::parse(message).map(|(_, exit)| exit),
            ..Attempt::default()
        };
        let report = InvocationReport {
            request_id: request.request_id.clone(),
            status: Status::Failure,
            error_type: request.error_type.clone(),
            ..InvocationReport::default()
        };
        // Whether it failed within the function or before is not told: its own errors may have such names.
        let is_where_untold =
            request.status_code.is_none() && !request.has_run && !request.is_of_invoker;
        let matcher = self.matcher();
        let about = Case {
            attempt: Some(&attempt),
            failed_request: Some(request),
            ..self.case(None, CaseEvent::FailedRequest(request), at)
        };
        let of_response = Case { event: CaseEvent::Report(&report), ..about };
        let mut found = Vec::new();
        for case in [Some(about), request.has_run.then_some(of_response)].into_iter().flatten() {
            for detector in 0..self.detectors.len() - self.signatures.len() {
                found.push((detector, self.examined(detector, &case)));
            }
        }
        if let (Some(text), Some(matcher)) = (request.error_text(), matcher) {
            // A bug costs what is seen in the text, and no more.
            contained(|| {
                matcher.scan_error(&text, !request.has_run, |detector, matched| {
                    let case = Case { event: CaseEvent::Logged(matched), ..about };
                    let mut finding = self.examined(detector, &case);
                    if let Ok(Some(finding)) = &mut finding
                        && is_where_untold
                    {
                        finding.stage = finding.stage.min(Stage::Suspected);
                    }
                    found.push((detector, finding));
                });
            });
        }
        let mut findings: Vec<(usize, Finding)> = Vec::new();
        for (detector, finding) in found {
            let Some(finding) = self.sound(detector, finding) else { continue };
            match findings.iter_mut().find(|(known, _)| *known == detector) {
                // However many signs of it the record holds, it failed once.
                Some((_, known)) => known.merge(finding, false),
                None => findings.push((detector, finding)),
            }
        }
        (attempt, not_outranked(findings, &self.detectors))
    }

    /// What is known of the function's state, asked for at `now`.
    pub fn handle_function_state(&mut self, state: &FunctionState, now: Timestamp) {
        let attempt =
            Attempt { function_arn: state.function_arn.clone().map(clip), ..Attempt::default() };
        let case =
            Case { attempt: Some(&attempt), ..self.case(None, CaseEvent::State(state), now) };
        let detectors = 0..self.detectors.len() - self.signatures.len();
        let found: Vec<_> = detectors.map(|d| (d, self.examined(d, &case))).collect();
        let found = found.into_iter();
        let found = found.filter_map(|(d, finding)| Some((d, self.sound(d, finding)?))).collect();
        let name = |text: &Option<String>| text.clone().filter(|text| is_name(text));
        for (detector, finding) in not_outranked(found, &self.detectors) {
            let finding = finding
                .evidence("state", name(&state.state))
                .evidence("lastUpdateStatus", name(&state.last_update_status));
            self.tell_outside(detector, finding, &attempt, now);
        }
    }

    fn tell_outside(
        &mut self,
        detector: usize,
        finding: Finding,
        attempt: &Attempt,
        now: Timestamp,
    ) {
        // What a function met that it called, its own error may tell.
        let is_of_itself_outside = finding.view != Some(View::Caller);
        let finding = Finding { view: Some(View::Outside), is_of_itself_outside, ..finding };
        let diagnosis = Diagnosis::of(self.detectors[detector], finding, Some(attempt));
        self.make_ready(diagnosis, now);
    }
}

fn surest(findings: &[(usize, Finding)]) -> Option<Stage> {
    findings.iter().map(|(_, finding)| finding.stage).max()
}

/// A word of Lambda's API, such as `RetriesExhausted`.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
