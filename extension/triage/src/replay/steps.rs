//! What the extension learns beside telemetry, as the project's fixtures hold it: events of the
//! Extensions API (`{"at", "next"}`) and telemetry that was left out (`{"at", "dropped"}`).

use serde::Deserialize;
use triage_diagnosis::{Dropped, Invoke, Shutdown, Timestamp};

/// What happens at a time.
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) event: Event,
}

/// What happens.
pub(crate) enum Event {
    Invoke(Invoke),
    Shutdown(Shutdown),
    Dropped(Dropped),
}

#[derive(Deserialize)]
struct Fields {
    at: String,
    next: Option<Next>,
    dropped: Option<Lost>,
}

#[derive(Deserialize)]
#[serde(tag = "eventType", rename_all = "UPPERCASE")]
enum Next {
    #[serde(rename_all = "camelCase")]
    Invoke {
        request_id: String,
        deadline_ms: Option<u64>,
        #[serde(default)]
        invoked_function_arn: String,
        tracing: Option<Tracing>,
    },
    #[serde(rename_all = "camelCase")]
    Shutdown { shutdown_reason: String },
}

#[derive(Deserialize)]
struct Tracing {
    value: Option<String>,
}

#[derive(Deserialize)]
struct Lost {
    deliveries: u64,
    bytes: u64,
}

/// Reads a value. None where it is none of these.
pub(crate) fn read(json: &[u8]) -> Option<Step> {
    // All but these begin with their time or type: most values need no second look.
    if !json.get(1..)?.trim_ascii_start().starts_with(b"\"at\"") {
        return None;
    }
    let fields: Fields = serde_json::from_slice(json).ok()?;
    let event = match (fields.next, fields.dropped) {
        (Some(Next::Invoke { request_id, deadline_ms, invoked_function_arn, tracing }), _) => {
            Event::Invoke(Invoke {
                request_id,
                deadline: deadline_ms.filter(|ms| *ms > 0).map(Timestamp::from_ms),
                function_arn: invoked_function_arn,
                trace_header: tracing.and_then(|tracing| tracing.value),
            })
        }
        (Some(Next::Shutdown { shutdown_reason }), _) => {
            Event::Shutdown(Shutdown { reason: shutdown_reason })
        }
        (None, Some(Lost { deliveries, bytes })) => Event::Dropped(Dropped { deliveries, bytes }),
        (None, None) => return None,
    };
    Some(Step { at: Timestamp::parse(&fields.at)?, event })
}
