//! The function cannot open another file or connection: its descriptors are used up (EMFILE).
//!
//! ## Causes
//! Connections or files that are opened in each invocation and never closed; clients created in the
//! handler; too much at once. An environment has 1,024 descriptors for all its processes' files and
//! sockets.
//!
//! ## Evidence
//! The error's text, "Too many open files", in the function's log, where a language reports it and not in
//! a sentence; or Node.js' `getaddrinfo EMFILE`, `connect EMFILE`, `spawn … EMFILE` and their like.
//!
//! ## What to do
//! Create clients once, outside the handler, close what is opened, and limit what is done at once.

use crate::detector::{Case, Detector, Sign};
use crate::errno;
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::log::Log;
use crate::matching::Hit;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "descriptors-exhausted",
    title: "the file descriptors are used up",
    level: Level::Error,
    metric: "ResourceExhaustion",
    advice: "Create clients and connection pools once, outside the handler, close files and sockets, and limit how much is done at once: an environment has 1,024 descriptors.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::errno("Too many open files"),
        Text::errno("too many open files"),
        Text::errno("Too many open files in system"),
        // Node.js names the call that failed, and not what the code means.
        Text::message("getaddrinfo EMFILE", View::Function),
        Text::message("connect EMFILE", View::Function),
        Text::message("listen EMFILE", View::Function),
        Text::message(errno::NODE_SPAWN, View::Function),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding_among(case, at_most, |_| "no file descriptor is left")
        .map(|told| told.finding)
}

fn at_most(log: &Log<'_>, hit: &Hit) -> Option<Stage> {
    let is_told =
        hit.text.needle != errno::NODE_SPAWN || errno::is_of_spawn(&log.text[hit.end..], "EMFILE");
    is_told.then_some(Stage::Confirmed)
}
