//! The function's response is larger than Lambda takes: 6 MB of a response that is not streamed, or
//! 1 MB behind some services. The caller gets an error in place of the response.
//!
//! ## Causes
//! A list that grows, a file in the response (Base64 adds a third), a response that quotes its request.
//!
//! ## Evidence
//! Confirmed by the platform's error type `Function.ResponseSizeTooLarge`; `producedBytes` is the size
//! as far as the platform tells it. Also by the message with which Lambda refuses the response, in the
//! log: there it may be the answer of a function that this one called, and the diagnosis then has no
//! view and waits for the report. And by the line of Lambda's runtime client for Python that its
//! response was refused with 413: it ends at that, which is no runtime-crash of its own. A request that is too large for the function that it is sent to is not this.
//!
//! ## What to do
//! Put large results into S3 and answer with a presigned URL, answer page by page, or stream the
//! response.

use crate::detector::{Case, CaseEvent, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "response-too-large",
    title: "the response is larger than Lambda takes",
    level: Level::Error,
    metric: "ResponseErrors",
    advice: "Put large results into S3 and answer with a presigned URL, answer page by page, or \
             stream the response (response streaming takes more).",
    causes: &[],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    outranks: &["runtime-crash"],
    views: &[View::Function, View::Outside],
    signs: &[Sign::RuntimeDone, Sign::Report, Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text { view: None, ..Text::message(REFUSED, View::Function) },
        Text {
            view: None,
            ..Text::message("Exceeded maximum allowed payload size (", View::Function)
        },
        Text::message(NOT_TAKEN, View::Function),
        Text { view: None, ..Text::error(ERROR_TYPE, View::Function) },
    ],
    examine,
};

const ERROR_TYPE: &str = "Function.ResponseSizeTooLarge";
const REFUSED: &str = "Response payload size exceeded maximum allowed payload size (";
/// Of the runtime client of Python, which ends at it.
const NOT_TAKEN: &str =
    "LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413";
const MESSAGE: &str = "the response is larger than Lambda takes";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let (error_type, produced_bytes) = match case.event {
        CaseEvent::RuntimeDone(done) => (done.error_type.as_deref(), done.produced_bytes),
        CaseEvent::Report(report) => (report.error_type.as_deref(), None),
        CaseEvent::Logged(_) => {
            // Whose response it was, the platform's records tell.
            let finding = from_log::finding(case, |_| "a response is larger than Lambda takes");
            return finding.map(Finding::awaiting_report);
        }
        _ => return None,
    };
    (error_type == Some(ERROR_TYPE)).then(|| Finding {
        // Several signs of one response.
        occurrences: 0,
        ..Finding::confirmed(case.at, MESSAGE.to_owned())
            .evidence("errorType", Some(ERROR_TYPE))
            .evidence("producedBytes", produced_bytes)
    })
}
