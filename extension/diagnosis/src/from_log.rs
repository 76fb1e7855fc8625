//! What the detectors of error texts have in common: a finding from a log line.

mod evidence;

use crate::bug::contained;
use crate::detector::{Case, CaseEvent};
use crate::excerpt::excerpt;
use crate::failed_call::{FailedCall, failed_call};
use crate::finding::{Finding, Stage, View};
use crate::level::Level;
use crate::log::Log;
use crate::matching::{Hit, LogMatch};
use evidence::{
    arns, called_function, context_function, denied, file_system_id, operation, status_code,
};

pub(crate) use evidence::aws_host;

/// A finding for the texts of a detector in a log record: confirmed, as the service that failed said
/// so; suspected where the line is a mere warning, for a retry may have helped, or a JSON object
/// without a level, which may quote the error of another; none where every line that holds one is below that, for then the function only speaks of the error.
///
/// `message` is given the view and begins the sentence; the entity, if the record names one, ends
/// it.
pub(crate) fn finding(
    case: &Case<'_>,
    message: fn(Option<View>) -> &'static str,
) -> Option<Finding> {
    finding_among(case, |_, _| Some(Stage::Confirmed), message).map(|told| told.finding)
}

/// A finding and the text that it rests on.
pub(crate) struct Told<'a> {
    pub(crate) finding: Finding,
    /// The record.
    pub(crate) log: &'a Log<'a>,
    /// The text in it.
    pub(crate) hit: &'a Hit,
}

/// The same of those texts only to which `at_most` gives a stage, and no surer than that: for a
/// detector that must see more than its text.
pub(crate) fn finding_among<'a>(
    case: &Case<'a>,
    at_most: impl Fn(&Log<'_>, &Hit) -> Option<Stage>,
    message: fn(Option<View>) -> &'static str,
) -> Option<Told<'a>> {
    let CaseEvent::Logged(LogMatch { log, hits }) = case.event else { return None };
    let staged = hits.iter().filter_map(|hit| {
        let stage = stage(hit.level, log.is_bare_value)?;
        Some((stage.min(at_most(log, hit)?), hit))
    });
    // The one that says most: whose failure, what cause; of several the first, as what repeats it
    // further on, a stack or a `Caused by`, says less.
    let rank = |(stage, hit): &(Stage, &Hit)| (*stage, hit.text.view, hit.text.cause.is_some());
    let staged: Vec<_> = staged.collect();
    let (stage, hit) = staged.into_iter().rev().max_by_key(rank)?;
    let text = log.text.as_ref();
    let own_arn = case.attempt.and_then(|attempt| attempt.function_arn.as_deref());
    // The line of the error knows best what it is about.
    let line = &text[log.line_at(hit.start)];
    let view = match case.failed_request {
        // What Invoke answered is the failure of the function that the record is about.
        Some(request) if !request.has_run => Some(View::Outside),
        _ => hit.text.view.or_else(|| view(line).or_else(|| view(text))),
    };
    let near_arns = |service, kind| arns(line, service, kind).chain(arns(text, service, kind));
    let near_arn = |service, kind| near_arns(service, kind).next();
    let key = near_arn(":kms:", ":key/");
    let alias = near_arn(":kms:", ":alias/");
    let access_point = near_arn(":elasticfilesystem:", ":access-point/")
        .or_else(|| near_arn(":s3files:", "/access-point/"));
    let [context_arn, context_name] = context_function(text);
    let is_callers = view == Some(View::Caller);
    let is_outside = view == Some(View::Outside);
    let callee = near_arns(":lambda:", ":function:")
        .find(|arn| !is_outside && Some(*arn) != own_arn && Some(*arn) != context_arn);
    let callee_name = || {
        let name = called_function(line).or_else(|| called_function(text))?;
        let is_own = own_arn.is_some_and(|own| own.split(':').any(|part| part == name))
            || context_name == Some(name);
        (!is_own).then_some(name)
    };
    let callee_name = if is_callers && callee.is_none() { callee_name() } else { None };
    let file_system = (access_point.is_some() || is_callers || is_outside)
        .then(|| file_system_id(line).or_else(|| file_system_id(text)))
        .flatten();
    let entity = if is_callers || is_outside {
        access_point.or(callee).or(callee_name).or(key).or(alias)
    } else {
        key.or(alias)
    };
    let denied = denied(line).or_else(|| denied(text));
    let message = message(view);
    let finding = Finding {
        stage,
        // After the warning of a first try the last one may fail: then it is told once, as certain.
        awaits_report: stage == Stage::Suspected,
        view,
        cause: hit.text.cause,
        ..Finding::confirmed(
            case.at,
            entity.map_or_else(|| message.to_owned(), |entity| format!("{message}: {entity}")),
        )
    };
    let finding = finding
        // Without it the problem is the same.
        .evidence("excerpt", contained(|| excerpt(text, hit.start, hit.end)))
        .evidence("keyArn", key)
        .evidence("aliasArn", alias)
        .evidence("accessPointArn", access_point)
        .evidence("fileSystemId", file_system)
        .evidence("calledFunctionArn", callee)
        .evidence("calledFunctionName", callee_name)
        .evidence("operation", operation(line).or_else(|| operation(text)))
        .evidence("statusCode", status_code(line).or_else(|| status_code(text)))
        .evidence("action", denied.as_ref().map(|denied| denied.action))
        .evidence("principal", denied.and_then(|denied| denied.principal));
    Some(Told { finding, log, hit })
}

/// Whose failure a text tells of, by the call that it says has failed.
fn view(text: &str) -> Option<View> {
    match failed_call(text) {
        FailedCall::Invoke => Some(View::Caller),
        FailedCall::Other => Some(View::Function),
        FailedCall::Unknown => None,
    }
}

fn stage(level: Option<Level>, is_bare_value: bool) -> Option<Stage> {
    match level {
        None if is_bare_value => Some(Stage::Suspected),
        None | Some(Level::Error) => Some(Stage::Confirmed),
        Some(Level::Warn) => Some(Stage::Suspected),
        Some(Level::Info | Level::Debug | Level::Trace) => None,
    }
}
