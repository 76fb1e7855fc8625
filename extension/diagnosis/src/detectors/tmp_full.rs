//! The function's temporary storage, /tmp, is full (ENOSPC).
//!
//! ## Causes
//! Files of this and earlier invocations: /tmp lives as long as the environment. It has 512 MB unless
//! more is configured.
//!
//! ## Evidence
//! The error's text, "No space left on device", in the function's log. Confirmed where it names a path
//! below /tmp, which is the one place a function can write to beside its mounts; suspected where it names no path
//! but is an error of this process, and not one that a database reports of its own disk.
//! A path elsewhere is another matter, and nothing is told.
//!
//! ## What to do
//! Delete what was written before the handler returns, or configure more ephemeral storage.

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
    problem: "tmp-full",
    title: "/tmp is full",
    level: Level::Error,
    metric: "ResourceExhaustion",
    advice: "Delete temporary files before the handler returns (they outlive the invocation in a warm environment), or raise the function's ephemeral storage, up to 10,240 MB.",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[Text::errno("No space left on device"), Text::errno("no space left on device")],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    from_log::finding_among(case, at_most, |_| "no space is left in /tmp").map(|told| told.finding)
}

fn at_most(log: &Log<'_>, hit: &Hit) -> Option<Stage> {
    let paths = errno::paths(&log.text, hit.start, hit.end);
    let is_tmp = |path: &str| {
        path.strip_prefix("/tmp").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match paths.first() {
        // A database says it of its own disk.
        None => errno::is_own_call(&log.text, hit.start, hit.end).then_some(Stage::Suspected),
        Some(_) => paths.iter().any(|named| is_tmp(named.path)).then_some(Stage::Confirmed),
    }
}
