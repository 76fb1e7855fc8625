//! The function cannot start another thread or process.
//!
//! ## Causes
//! Thread pools or workers created in each invocation and never ended, or too much at once. An
//! environment has 1,024 threads and processes in all; with little memory their stacks may not fit before.
//!
//! ## Evidence
//! The error's text in the function's log, in the words of its language. "Resource temporarily
//! unavailable" counts only where it is a thread or a process that could not be started: sockets give it
//! too.
//!
//! ## What to do
//! Create pools once, outside the handler, bound them, and end what was started.

use crate::detector::{Case, Detector, Sign};
use crate::errno;
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::log::Log;
use crate::matching::Hit;
use crate::text::{Shape, Text};

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "threads-exhausted",
    title: "no thread or process can be started any more",
    level: Level::Error,
    metric: "ResourceExhaustion",
    advice: "Create thread pools and workers once, outside the handler, bound them and end what was started: an environment has 1,024 threads and processes, and each stack takes memory.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::message("t start new thread", View::Function),
        Text::message("unable to create native thread", View::Function),
        Text::message("unable to create new native thread", View::Function),
        Text::message("failed to create new OS thread", View::Function),
        Text::message("ERR_WORKER_INIT_FAILED", View::Function),
        Text::message("t create Thread: Resource temporarily unavailable", View::Function),
        Text::message("fork: Resource temporarily unavailable", View::Function),
        Text::message("fork: retry: Resource temporarily unavailable", View::Function),
        Text::errno("Resource temporarily unavailable"),
        Text::errno("resource temporarily unavailable"),
        Text::message(errno::NODE_SPAWN, View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding_among(case, at_most, |_| "no thread or process can be started")
        .map(|told| told.finding)
}

/// What the line says beside an errno that sockets give too.
const STARTS: [&str; 8] = [
    // Go, the standard library of Rust, Ruby, shells, C.
    "fork/exec ",
    "failed to spawn thread",
    "fork(2)",
    "fork: ",
    "create Thread",
    "pthread_create",
    // Node.js.
    "spawn ",
    "uv_thread_create",
];

fn at_most(log: &Log<'_>, hit: &Hit) -> Option<Stage> {
    let text = log.text.as_ref();
    if hit.text.needle == errno::NODE_SPAWN {
        return errno::is_of_spawn(&text[hit.end..], "EAGAIN").then_some(Stage::Confirmed);
    }
    if hit.text.shape != Shape::Errno {
        return Some(Stage::Confirmed);
    }
    let line = log.line_at(hit.start);
    let start = text.floor_char_boundary(line.start.max(hit.start.saturating_sub(REACH)));
    let near = &text[start..text.floor_char_boundary(line.end.min(hit.end + REACH))];
    let is_start = STARTS.iter().any(|sign| near.contains(sign))
        // In a traceback of Python the call stands above, in Lambda's own of an uncaught error below.
        || text[text.floor_char_boundary(hit.start.saturating_sub(2 * REACH))..hit.start]
            .contains(PYTHON_FORK)
        || is_uncaught(&text[line.start..hit.start]) && text[hit.end..].contains(PYTHON_FORK);
    is_start.then_some(Stage::Confirmed)
}

/// What Python starts a process with.
const PYTHON_FORK: &str = "fork_exec(";

/// `[ERROR] BlockingIOError: [Errno 11] `, with the whole traceback in the same record.
fn is_uncaught(before: &str) -> bool {
    before.starts_with("[ERROR] BlockingIOError: ")
}

/// How far from the errno its call is looked for.
const REACH: usize = 256;
