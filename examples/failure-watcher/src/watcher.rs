//! Failed requests and states to lines, each under the name of the function it is about.

use crate::lasting::Lasting;
use crate::settings::Settings;
use serde_json::json;
use std::collections::VecDeque;
use triage_diagnosis::failed_requests::{Delivered, Delivery, Item, Request};
use triage_diagnosis::{FailedRequest, Function, FunctionState, Report, Stage, Timestamp, Triage};

/// A request is told once within so long: longer than a queue redelivers what failed, by default.
const WINDOW_MS: u64 = 60 * 60_000;
/// Functions that are remembered with what was told of them; of those beyond, the oldest is forgotten.
const MAX_FUNCTIONS: usize = 1_000;
/// Failures that no detector knows are told singly up to so many in an event.
const MAX_UNKNOWN_LINES: u64 = 20;

/// Diagnoses for any number of functions, and what was told of them.
#[derive(Debug)]
pub struct Watcher {
    settings: Settings,
    /// Of no function: the others share what it is built of.
    model: Triage,
    /// Knows the problems that are never to be reported too, where there are any.
    undisabled: Option<Triage>,
    functions: VecDeque<(String, String, Triage)>,
    delivered: Delivered,
    /// What is told of requests in the event at hand.
    new: Vec<Delivery>,
    lasting: Lasting,
    unknown: u64,
    /// Failures within functions, which the settings leave to the extension.
    left_to_extension: u64,
    lines: Vec<String>,
}

impl Watcher {
    /// One that has told nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let model = Triage::new(settings.diagnosis.clone(), Function::default());
        let undisabled = (!settings.diagnosis.disabled.is_empty()).then(|| {
            let all =
                triage_diagnosis::Settings { disabled: Vec::new(), ..settings.diagnosis.clone() };
            Triage::new(all, Function::default())
        });
        Self {
            settings,
            model,
            undisabled,
            functions: VecDeque::new(),
            delivered: Delivered::new(WINDOW_MS),
            new: Vec::new(),
            lasting: Lasting::default(),
            unknown: 0,
            left_to_extension: 0,
            lines: Vec::new(),
        }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes in what an event held; the ids of those messages that tell of no invocation, which are to
    /// stay where they are.
    pub fn handle_items(&mut self, items: &[Item], now: Timestamp) -> Vec<String> {
        let mut refused = Vec::new();
        for item in items {
            match &item.told {
                Ok(requests) => {
                    for request in requests {
                        self.handle_request(request, now);
                    }
                }
                Err(why) => {
                    if refused.len() < 20 {
                        let id = item.message_id.as_deref();
                        self.lines.push(warning(now, &format!("not taken: {why}"), id));
                    }
                    refused.push(item.message_id.clone().unwrap_or_default());
                }
            }
        }
        if refused.len() > 20 {
            let more = format!("not taken: {} messages more", refused.len() - 20);
            self.lines.push(warning(now, &more, None));
        }
        refused.retain(|id| !id.is_empty());
        refused
    }

    fn handle_request(&mut self, request: &Request, now: Timestamp) {
        let Request { failure, function_name, function_version, .. } = request;
        if failure.has_run && !self.settings.tells_function_errors {
            self.left_to_extension += 1;
            return;
        }
        let delivery = self.delivered.look_up(request, function_name, now);
        let triage = self.triage(function_name, function_version, now);
        // By one way it may say nothing, and by another everything.
        if delivery.is_known() && !delivery.is_news(triage.failed_request_stage(failure, now)) {
            return;
        }
        let stage = triage.handle_failed_request(failure, now);
        let stage = stage.or_else(|| self.disabled_stage(failure, now));
        self.delivered.remember(&delivery, stage, now);
        self.new.push(delivery);
        if stage.is_some() {
            return;
        }
        self.unknown += 1;
        if self.unknown <= MAX_UNKNOWN_LINES {
            let at = failure.at.unwrap_or(now);
            let mut line = json!({
                "timestamp": at.to_string(),
                "level": "WARN",
                "message": "a failed request whose error is none of the problems that are known",
                "FunctionName": function_name,
                "failure": {},
            });
            let shown = |text: &Option<String>| {
                text.clone().filter(|text| triage_diagnosis::failed_requests::is_name(text))
            };
            line["requestId"] = failure.request_id.clone().into();
            line["functionArn"] = failure.function_arn.clone().into();
            line["failure"]["condition"] = shown(&failure.condition).into();
            line["failure"]["attempts"] = failure.attempts.into();
            line["failure"]["statusCode"] = failure.status_code.into();
            line["failure"]["hasRun"] = failure.has_run.into();
            line["failure"]["excerpt"] = failure.shown_error().into();
            without_absent(&mut line);
            self.lines.push(line.to_string());
        }
    }

    /// How surely a failure is one of the problems that are never to be reported.
    fn disabled_stage(&mut self, failure: &FailedRequest, now: Timestamp) -> Option<Stage> {
        self.undisabled.as_mut()?.failed_request_stage(failure, now)
    }

    /// Takes in what is known of a function's state. What is only about to happen is told of a scheduled
    /// check where it is new, and once an hour. `listed` is what was looked at, a version, an alias or the
    /// function itself; `name` the function's name.
    pub fn handle_state(
        &mut self,
        listed: &str,
        name: &str,
        state: &FunctionState,
        is_scheduled: bool,
        now: Timestamp,
    ) {
        let is_pending = state.state.as_deref() == Some("Pending");
        let pending_since = self.lasting.pending_since(listed, is_pending, now);
        let state = FunctionState { pending_since, ..state.clone() };
        let triage = self.triage(name, "", now);
        triage.handle_function_state(&state, now);
        triage.finish(now);
        let reports: Vec<_> = std::iter::from_fn(|| triage.poll_report(now)).collect();
        self.lasting.begin(listed);
        for report in reports {
            let what = (report.problem(), report.message());
            let is_due = report.is_problem() || self.lasting.is_due(listed, what, now);
            if is_due || !is_scheduled {
                self.tell(&report);
            }
        }
    }

    /// Lines of a check's own, at WARN, each with its reason: at each scheduled one those whose reason is
    /// new, and each once an hour.
    pub fn warn_of_check(
        &mut self,
        messages: impl IntoIterator<Item = (String, String)>,
        is_scheduled: bool,
        now: Timestamp,
    ) {
        self.lasting.begin("");
        for (reason, message) in messages {
            if self.lasting.is_due("", reason, now) || !is_scheduled {
                self.warn(&message, now);
            }
        }
    }

    fn tell(&mut self, report: &Report) {
        // Empty where a bug leaves none.
        self.lines.extend(Some(report.to_line(true)).filter(|line| !line.is_empty()));
    }

    /// A line of the watcher's own, at WARN.
    pub fn warn(&mut self, message: &str, now: Timestamp) {
        self.lines.push(warning(now, message, None));
    }

    /// What is to be written of the event at hand; afterwards the next may come.
    pub fn take_lines(&mut self, now: Timestamp) -> Vec<String> {
        for (_, _, triage) in &mut self.functions {
            drain(triage, &mut self.lines, now);
        }
        if self.unknown > MAX_UNKNOWN_LINES {
            let more = self.unknown - MAX_UNKNOWN_LINES;
            let message = format!(
                "{more} more failed requests whose errors are none of the problems that are known"
            );
            self.lines.push(warning(now, &message, None));
        }
        self.unknown = 0;
        // Their messages are deleted all the same.
        if self.left_to_extension > 0 {
            let number = std::mem::take(&mut self.left_to_extension);
            let message = format!(
                "{number} failures within functions not told: TRIAGE_FUNCTION_ERRORS is off"
            );
            self.lines.push(line("INFO", now, &message, None));
        }
        std::mem::take(&mut self.lines)
    }

    /// The lines that were taken are written, or are not: then their requests may come once more.
    pub fn settle(&mut self, is_written: bool) {
        let new = std::mem::take(&mut self.new);
        if !is_written {
            self.delivered.forget(&new);
            self.lasting.forget_told();
        }
    }

    fn triage(&mut self, name: &str, version: &str, now: Timestamp) -> &mut Triage {
        let known = self.functions.iter().position(|(n, v, _)| n == name && v == version);
        let index = known.unwrap_or_else(|| {
            if self.functions.len() >= MAX_FUNCTIONS
                && let Some((_, _, mut oldest)) = self.functions.pop_front()
            {
                drain(&mut oldest, &mut self.lines, now);
            }
            let function = Function {
                name: name.to_owned(),
                version: version.to_owned(),
                ..Function::default()
            };
            let triage = self.model.another(function);
            self.functions.push_back((name.to_owned(), version.to_owned(), triage));
            self.functions.len() - 1
        });
        &mut self.functions[index].2
    }
}

/// All that a function's diagnosis has to tell: the sandbox is frozen after the event, so nothing waits.
fn drain(triage: &mut Triage, lines: &mut Vec<String>, now: Timestamp) {
    triage.finish(now);
    while let Some(report) = triage.poll_report(now) {
        // Empty where a bug leaves none.
        lines.extend(Some(report.to_line(true)).filter(|line| !line.is_empty()));
    }
}

fn warning(now: Timestamp, message: &str, message_id: Option<&str>) -> String {
    line("WARN", now, message, message_id)
}

/// A line that is no diagnosis.
fn line(level: &str, now: Timestamp, message: &str, message_id: Option<&str>) -> String {
    let mut line = json!({"timestamp": now.to_string(), "level": level, "message": message});
    line["messageId"] = message_id.into();
    without_absent(&mut line);
    line.to_string()
}

/// Fields without a value are absent, as in the other lines.
fn without_absent(json: &mut serde_json::Value) {
    if let Some(fields) = json.as_object_mut() {
        for value in fields.values_mut() {
            without_absent(value);
        }
        fields.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    }
}
