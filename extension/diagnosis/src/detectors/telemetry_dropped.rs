//! Telemetry is lost: what the function logged in that time was not looked at, so that problems may
//! be missing from the metrics.
//!
//! ## Causes
//! - `platform`: the platform gave up delivering (`platform.logsDropped`), as when the function logs
//!   faster than the extension gets CPU to read.
//! - `overflow`: the extension's own bounds were reached, so that it keeps within its few MiB: bytes of
//!   telemetry, or invocations open at once.
//! - `malformed`: a delivery held something that is no record.
//!
//! ## Evidence
//! Confirmed by the platform's own record, or by the extension's own counters.
//!
//! ## What to do
//! Log less, in larger pieces, or raise the function's memory, which raises its share of CPU. The
//! function's own log in CloudWatch is not affected.

use crate::bug::contained;
use crate::detector::{Case, CaseEvent, Cause, Detector, Loss, Sign};
use crate::finding::{Finding, View};
use crate::level::Level;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "telemetry-dropped",
    title: "telemetry was lost, so that problems may be missing here",
    level: Level::Warn,
    metric: "TelemetryDropped",
    advice: "Log less or in larger pieces, or raise the function's memory and with it its share of \
             CPU.",
    causes: &[
        Cause {
            name: "platform",
            advice: "Log less or in larger pieces, or raise the function's memory and with it its \
                     share of CPU. The function's log in CloudWatch is not affected.",
        },
        Cause {
            name: "overflow",
            advice: "Log less or in larger pieces: the extension keeps its memory small and left \
                     out what did not fit. The function's log in CloudWatch is not affected.",
        },
        Cause {
            name: "malformed",
            advice: "Something other than the platform may be writing to the extension's telemetry \
                     port; if not, report it with the extension's version.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html",
    outranks: &[],
    views: &[View::Function],
    signs: &[Sign::TelemetryLost],
    knobs: &[],
    texts: &[],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    const MAX_REASON_CHARS: usize = 200;
    let CaseEvent::TelemetryLost(loss) = case.event else { return None };
    let finding = |message: String| Finding::confirmed(case.at, message);
    Some(match loss {
        Loss::Platform(lost) => {
            let reason = lost.reason.as_deref();
            let reason = reason.and_then(|reason| contained(|| crate::mask::mask(reason)));
            let reason = reason.map(|r| r.chars().take(MAX_REASON_CHARS).collect::<String>());
            finding("the platform dropped telemetry".to_owned())
                .cause("platform")
                .evidence("droppedRecords", lost.records)
                .evidence("droppedBytes", lost.bytes)
                .evidence("reason", reason)
        }
        Loss::Overflow(dropped) => {
            finding("the extension left out telemetry that it had no room for".to_owned())
                .cause("overflow")
                .evidence("deliveries", Some(dropped.deliveries))
                .evidence("droppedBytes", Some(dropped.bytes))
        }
        Loss::Malformed { pieces, bytes } => {
            finding("telemetry held something that is no record".to_owned())
                .cause("malformed")
                .evidence("pieces", Some(*pieces))
                .evidence("droppedBytes", Some(*bytes))
        }
        Loss::Attempts { forgotten } => {
            finding("more invocations were open at once than are remembered".to_owned())
                .cause("overflow")
                .evidence("forgottenInvocations", Some(*forgotten))
        }
    })
}
