//! What must hold whatever happened.

use crate::plan::{Call, ERRORS, End, Family, Plan, SECRET};
use crate::play::{EXTENSION, Played};
use lambda_sandbox::{LogSource, LogStream, Status};
use serde_json::Value;
use std::collections::BTreeSet;

/// Above what it ever takes, and far below what an unbounded queue would.
const PEAK_KIB: u64 = 20 * 1024;
/// Its own, some of which are connections already, and a connection for each of 32 that may come.
const DESCRIPTORS: usize = 11 + 32;
const LINE_BYTES: usize = 4096;

/// Everything that does not hold, a sentence each.
pub(crate) fn failures(plan: &Plan, played: &Played) -> Vec<String> {
    let mut failures = Vec::new();
    function(plan, played, &mut failures);
    life(plan, played, &mut failures);
    output(plan, played, &mut failures);
    diagnoses(plan, played, &mut failures);
    failures
}

/// The function's results are those of its own doing.
fn function(plan: &Plan, played: &Played, failures: &mut Vec<String>) {
    for (call, outcome) in plan.calls.iter().zip(&played.outcomes) {
        let expected = match call.end {
            _ if plan.is_doomed() => (Status::Failure, None),
            End::Answer => (Status::Success, None),
            End::Error => (Status::Error, Some("Function.FixtureError")),
            End::Hang => (Status::Timeout, None),
            End::Exit | End::Abort | End::Killed(_) => (Status::Failure, Some("Runtime.ExitError")),
        };
        let got = (outcome.status, outcome.error_type.as_deref());
        let same = if plan.is_doomed() {
            matches!(got.0, Status::Failure | Status::Timeout)
        } else {
            got == expected
        };
        if !same {
            let next = &outcome.extension_next_ms;
            let id = &call.request_id;
            failures.push(format!("{id}: {got:?}, not {expected:?}; /next after ms: {next:?}"));
        }
    }
}

/// The extension lives until SHUTDOWN, and leaves by itself and in time.
fn life(plan: &Plan, played: &Played, failures: &mut Vec<String>) {
    let mut own = 0;
    for exit in played.exits.iter().filter(|exit| exit.name == EXTENSION) {
        own += 1;
        let may_be_killed = plan.shutdown_timeout.is_zero() || may_wait_in_vain(plan);
        if exit.code != Some(0) && !(exit.killed && may_be_killed) {
            failures.push(format!("it ended badly: {exit:?}"));
        }
    }
    if own == 0 {
        failures.push("it never ran".to_owned());
    }
    let may_be_deaf =
        plan.is_doomed() || [Family::Start, Family::Descriptors].iter().any(|f| plan.has(*f));
    if played.taken.is_empty() && !may_be_deaf {
        failures.push("it took no telemetry".to_owned());
    }
    if played.peak_kib > PEAK_KIB {
        failures.push(format!("it took {} KiB", played.peak_kib));
    }
    if played.descriptors > DESCRIPTORS {
        failures.push(format!("it has {} descriptors", played.descriptors));
    }
}

/// What it writes is whole, short, rare and holds nothing private.
fn output(plan: &Plan, played: &Played, failures: &mut Vec<String>) {
    for line in played.written(LogStream::Stdout) {
        if serde_json::from_str::<Value>(line).is_err() || line.len() >= LINE_BYTES {
            failures.push(format!("not a line: {line}"));
        }
    }
    for stream in [LogStream::Stdout, LogStream::Stderr] {
        for line in played.written(stream).filter(|line| line.contains(SECRET)) {
            failures.push(format!("private: {line}"));
        }
    }
    for line in played.written(LogStream::Stderr).filter(|line| line.contains("bug")) {
        // The last descriptor can go while the runtime is built, which is then built again.
        if plan.has(Family::Descriptors) && line.contains("/signal/unix.rs:") {
            continue;
        }
        failures.push(format!("a bug: {line}"));
    }
    // A clock that is set back makes what was just written too new.
    if let (false, [rejected, ..]) = (plan.moves_the_clock(), played.metrics.rejected()) {
        failures.push(format!("EMF that CloudWatch would reject: {rejected:?}"));
    }
}

/// Each diagnosis that was due is there once, and no other.
fn diagnoses(plan: &Plan, played: &Played, failures: &mut Vec<String>) {
    let due = known(plan, played, &|call, error| has_taken(call, error, played), &|id| {
        has_taken_end(id, played)
    });
    // A delivery that was answered just when all ended counts as not taken.
    let may_be_told = known(plan, played, &|call, error| has_said(call, error, played), &|_| true);
    let sum =
        |metric| played.written(LogStream::Stdout).map(|line| value(line, metric)).sum::<u64>();
    for metric in ["Timeouts", "KmsErrors", "EfsFailures", "Recursions", "Crashes"] {
        // Another extension that fails has crashes of its own, in initializations too.
        if metric == "Crashes" && plan.is_doomed() {
            continue;
        }
        let count = |known: &[Known<'_>]| known.iter().filter(|k| k.0 == metric).count() as u64;
        let (least, most, told) = (count(&due), count(&may_be_told), sum(metric));
        if told > most || told < least && !plan.may_miss() {
            failures.push(format!("{metric}: {told} told, {least} to {most} due"));
        }
    }
    let losses = sum("TelemetryDropped");
    if losses > 0 && !may_lose(plan) {
        failures.push(format!("{losses} losses of telemetry that nothing made"));
    }
    let may_be_told: BTreeSet<_> =
        may_be_told.iter().map(|(_, problem, id)| (*problem, *id)).collect();
    let mut told = BTreeSet::new();
    for line in played.written(LogStream::Stdout) {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let problem = line["diagnosis"]["problem"].as_str().unwrap_or_default().to_owned();
        // Told before it is certain, and again when it is.
        if line["diagnosis"]["stage"] == "imminent" {
            continue;
        }
        let Some(id) = line["requestId"].as_str() else { continue };
        // Beforehand, once too, and of what may end well after all.
        if line["diagnosis"]["stage"] == "imminent" {
            if !told.insert((format!("imminent {problem}"), id.to_owned())) {
                failures.push(format!("told twice beforehand: {problem} of {id}"));
            }
            continue;
        }
        if !may_be_told.contains(&(problem.as_str(), id)) {
            failures.push(format!("not due: {problem} of {id}"));
        }
        if !told.insert((problem.clone(), id.to_owned())) {
            failures.push(format!("told twice: {problem} of {id}"));
        }
    }
}

/// What a line adds to a metric.
fn value(line: &str, metric: &str) -> u64 {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    if line.get("_aws").is_none() {
        return 0;
    }
    line[metric].as_u64().unwrap_or_default()
}

/// Whether a wait for a runtimeDone that comes late or never can take all of the time of a SHUTDOWN.
fn may_wait_in_vain(plan: &Plan) -> bool {
    let is_late = plan.has(Family::Disorder) || plan.has(Family::Loss);
    is_late && plan.flush != "lazy" && plan.has(Family::ShortShutdown)
}

/// Whether telemetry is lost or spoilt in this plan.
fn may_lose(plan: &Plan) -> bool {
    [Family::Disorder, Family::Loss, Family::Nonsense, Family::Descriptors, Family::Start]
        .iter()
        .any(|family| plan.has(*family))
}

/// Metric, problem and request id.
type Known<'a> = (&'static str, &'static str, &'a str);

/// All that the extension could know of, if it knows of those errors.
fn known<'a>(
    plan: &'a Plan,
    played: &Played,
    knows: &dyn Fn(&Call, usize) -> bool,
    knows_end: &dyn Fn(&str) -> bool,
) -> Vec<Known<'a>> {
    let mut known = Vec::new();
    for (call, outcome) in plan.calls.iter().zip(&played.outcomes) {
        let id = call.request_id.as_str();
        if outcome.status == Status::Timeout {
            known.push(("Timeouts", "timeout", id));
        }
        if outcome.error_type.as_deref() == Some("Runtime.ExitError") && knows_end(id) {
            known.push(("Crashes", "runtime-crash", id));
        }
        if plan.is_doomed() {
            let problems = ["runtime-crash", "extension-crash", "init-failure", "init-timeout"];
            known.extend(problems.map(|problem| ("Crashes", problem, id)));
        }
        if call.lineage >= 4 {
            known.push(("Recursions", "recursion", id));
        }
        for &(error, _) in call.errors.iter().filter(|(error, _)| knows(call, *error)) {
            let (_, problem, metric) = ERRORS[error];
            known.push((metric, problem, id));
        }
    }
    known
}

/// Whether the function got as far as its error.
fn has_said(call: &Call, error: usize, played: &Played) -> bool {
    let mark = call.mark();
    let own = played.log.iter().filter(|event| event.source == LogSource::Function);
    own.into_iter().any(|event| event.text.contains(&mark) && event.text.contains(ERRORS[error].0))
}

/// Whether a delivery with the end of an invocation was taken.
fn has_taken_end(id: &str, played: &Played) -> bool {
    let ends = played.taken.iter().filter(|record| record["type"] == "platform.runtimeDone");
    ends.into_iter().any(|record| record["record"]["requestId"] == id)
}

/// Whether a delivery with the invocation's error was taken.
fn has_taken(call: &Call, error: usize, played: &Played) -> bool {
    let mark = call.mark();
    played.taken.iter().filter(|record| record["type"] == "function").any(|record| {
        let text = record["record"].to_string();
        text.contains(&mark) && text.contains(ERRORS[error].0)
    })
}
