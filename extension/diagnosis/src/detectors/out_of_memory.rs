//! The function ran out of memory: the system killed its runtime, or the runtime could not get what
//! it asked for and gave up.
//!
//! ## Causes
//! - `memory-limit`: the processes of the sandbox, extensions included, needed more than the
//!   function's memory size.
//! - `heap-limit`: the runtime's own limit of its heap was reached, which lies below the memory size:
//!   that of V8 (Node.js) or of the Java virtual machine.
//!
//! ## Evidence
//! Confirmed by the platform's error type `Runtime.OutOfMemory`; by its line `Runtime exited with
//! error: signal: killed` together with a report that says that all memory was used; or by the
//! runtime's own text in the log, such as Python's `MemoryError`, `JavaScript heap out of memory`,
//! `java.lang.OutOfMemoryError` (but for threads that cannot be created), Go's `fatal error: runtime:
//! out of memory`, Rust's `memory allocation of N bytes failed`, `System.OutOfMemoryException`,
//! `NoMemoryError` or `std::bad_alloc`.
//!
//! Suspected where the report says that all memory was used and the runtime ended without an answer,
//! or timed out: a function that is short of memory slows down first. The timeout stays a timeout.
//! Healthy invocations may use all memory too, and `maxMemoryUsedMB` is the most that this sandbox
//! ever used; so by itself that figure says nothing. (Inferred: that SIGKILL with all memory used
//! comes of nothing else.)
//!
//! ## What to do
//! Raise the memory size, or hold less at a time: stream instead of reading whole objects, bound
//! caches, look for what outlives an invocation. Of `heap-limit` raise the runtime's own limit with
//! the memory size.

use crate::detector::{Case, CaseEvent, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::matching::{Hit, LogMatch};
use crate::record::Status;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "out-of-memory",
    title: "the function ran out of memory",
    level: Level::Error,
    metric: "OutOfMemory",
    advice: ADVICE,
    causes: &[
        Cause { name: MEMORY, advice: ADVICE },
        Cause {
            name: HEAP,
            advice: "The runtime's own heap limit was reached: raise it (Node.js: NODE_OPTIONS=\
                     --max-old-space-size=MB; Java: JAVA_TOOL_OPTIONS=-Xmx or -XX:MaxRAMPercentage) \
                     and the memory size with it, or hold less in memory at a time.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
    outranks: &["runtime-crash", "init-failure"],
    views: &[View::Function, View::Outside],
    signs: &[Sign::RuntimeDone, Sign::Report, Sign::InitDone, Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::message(KILLED, View::Function).names(MEMORY),
        Text::error("MemoryError", View::Function).names(MEMORY),
        // Of NumPy and what is built on it.
        Text::error("_ArrayMemoryError", View::Function).names(MEMORY),
        Text::message(BARE_MEMORY_ERROR, View::Function).names(MEMORY),
        Text::message(ENDS_IN_MEMORY_ERROR, View::Function).names(MEMORY),
        Text::message(V8, View::Function).names(HEAP),
        Text::error(JAVA, View::Function).names(HEAP),
        Text::message("fatal error: runtime: out of memory", View::Function).names(MEMORY),
        Text::message("fatal error: runtime: cannot allocate memory", View::Function).names(MEMORY),
        Text::message(RUST, View::Function).names(MEMORY),
        Text::error("System.OutOfMemoryException", View::Function).names(MEMORY),
        Text::message("failed to allocate memory (NoMemoryError)", View::Function).names(MEMORY),
        Text::error("NoMemoryError", View::Function).names(MEMORY),
        Text::message("throwing an instance of 'std::bad_alloc'", View::Function).names(MEMORY),
    ],
    examine,
};

const ADVICE: &str = "Raise the function's memory size, or hold less in memory at a time: stream \
                      large objects, bound caches, and look for what outlives an invocation.";
const MEMORY: &str = "memory-limit";
const HEAP: &str = "heap-limit";
const KILLED: &str = "Runtime exited with error: signal: killed";
/// As Lambda's Python prints one without a message.
const BARE_MEMORY_ERROR: &str = "[ERROR] MemoryError";
/// As a traceback ends in one without a message.
const ENDS_IN_MEMORY_ERROR: &str = "\nMemoryError";
const V8: &str = "JavaScript heap out of memory";
const JAVA: &str = "java.lang.OutOfMemoryError";
const RUST: &str = "memory allocation of ";
const MESSAGE: &str = "the function ran out of memory";

fn examine(case: &Case<'_>) -> Option<Finding> {
    if let CaseEvent::Logged(LogMatch { log, hits }) = case.event {
        let said: Vec<Hit> = hits.iter().filter(|hit| is_said(hit, &log.text)).copied().collect();
        if !said.is_empty() {
            let matched = LogMatch { log, hits: said };
            let case = Case { event: CaseEvent::Logged(&matched), ..*case };
            return from_log::finding(&case, |_| MESSAGE);
        }
    }
    from_platform(case)
}

/// Whether the runtime says so, and does not merely mention it.
fn is_said(hit: &Hit, text: &str) -> bool {
    let line = &text[text[..hit.start].rfind('\n').map_or(0, |newline| newline + 1)..];
    let after = &text[hit.end..];
    match hit.text.needle {
        KILLED => false,
        BARE_MEMORY_ERROR => {
            line.starts_with(BARE_MEMORY_ERROR)
                && (after.is_empty() || after.starts_with(['\n', '\r']))
        }
        ENDS_IN_MEMORY_ERROR => {
            text[..hit.start].contains("Traceback (most recent call last):")
                && (after.is_empty() || after.starts_with(['\n', '\r']))
        }
        // V8 writes to standard error by itself: no logger's beginning, and a record for each line.
        V8 => text.starts_with("FATAL ERROR: ") || text.starts_with("<--- Last few GCs"),
        JAVA => !text.contains("unable to create"),
        RUST => {
            let size = after.trim_start_matches(|c: char| c.is_ascii_digit());
            line.starts_with(RUST) && size.len() < after.len() && size.starts_with(" bytes failed")
        }
        _ => true,
    }
}

/// What the platform's records say, whichever of them came last.
fn from_platform(case: &Case<'_>) -> Option<Finding> {
    let attempt = case.attempt;
    let mut report = attempt.and_then(|attempt| Some(&attempt.report.as_ref()?.record));
    let done = attempt.and_then(|attempt| Some(&attempt.runtime_done.as_ref()?.record));
    let mut ends = vec![
        report.map(|report| (report.status, report.error_type.as_deref())),
        done.map(|done| (done.status, done.error_type.as_deref())),
    ];
    match case.event {
        CaseEvent::Report(now) => {
            report = Some(now);
            ends.push(Some((now.status, now.error_type.as_deref())));
        }
        CaseEvent::RuntimeDone(done) => {
            ends.push(Some((done.status, done.error_type.as_deref())));
        }
        CaseEvent::InitDone(end) => ends.push(Some((end.status, end.error_type.as_deref()))),
        CaseEvent::Logged(_) => {}
        _ => return None,
    }
    let has = |name| ends.iter().flatten().any(|(_, error_type)| *error_type == Some(name));
    let used_mb = report.and_then(|report| report.max_memory_used_mb);
    let size_mb = report.and_then(|report| report.memory_size_mb);
    let is_at_limit = used_mb.zip(size_mb).is_some_and(|(used, size)| used >= size && size > 0);
    let exit = attempt.and_then(|attempt| attempt.runtime_exit.as_ref());
    let is_killed = exit.is_some_and(|exit| exit.is_killed());
    let timed_out = ends.iter().flatten().any(|(status, _)| *status == Status::Timeout);
    let finding = if has("Runtime.OutOfMemory") {
        Finding::confirmed(case.at, MESSAGE.to_owned())
            .evidence("errorType", Some("Runtime.OutOfMemory"))
    } else if is_at_limit && is_killed && !timed_out {
        Finding::confirmed(case.at, MESSAGE.to_owned())
    } else if is_at_limit && timed_out {
        let message = "it timed out with all of its memory used";
        Finding::suspected(case.at, message.to_owned()).awaiting_report()
    } else if is_at_limit && has("Runtime.ExitError") && exit.is_none_or(|e| e.is_by_force()) {
        let message = "its runtime ended with all of its memory used";
        Finding::suspected(case.at, message.to_owned()).awaiting_report()
    } else {
        return None;
    };
    Some(Finding {
        // The platform's signs are of one and the same end.
        occurrences: 0,
        ..finding
            .cause(MEMORY)
            .evidence("maxMemoryUsedMB", used_mb)
            .evidence("memorySizeMB", size_mb)
            .evidence("signal", is_killed.then_some("killed"))
    })
}
