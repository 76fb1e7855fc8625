//! What goes between the loop and the thread that talks to CloudWatch.

use super::pending::Datum;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Metrics to send in one request.
#[derive(Debug)]
pub(super) struct Order {
    /// Which order this is.
    pub(super) number: u64,
    /// The metrics.
    pub(super) data: Vec<Datum>,
    /// How long it may take, with all tries.
    pub(super) time: Duration,
}

/// How an order went.
#[derive(Debug)]
pub(super) struct Answer {
    /// Which order.
    pub(super) number: u64,
    /// Whether the API took it.
    pub(super) result: Result<(), PutError>,
}

/// Why the API may not have the metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PutError {
    /// No connection, so nothing was sent.
    #[error(
        "no connection to {0}; from a VPC it takes a NAT gateway or an interface endpoint for CloudWatch"
    )]
    Unreachable(String),
    /// Whoever answers there is not trusted, so nothing was sent.
    #[error(
        "{0} has no certificate that is trusted here: the image lacks the usual ones (ca-certificates), or something stands in between"
    )]
    Untrusted(String),
    /// The API has answered that it does not take them.
    #[error("CloudWatch answers {status} {code}{hint}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// There is nothing to sign the request with.
    #[error("there are no credentials to be had: {0}")]
    Credentials(String),
    /// Sent, and no answer: it may have them or not.
    #[error(
        "CloudWatch has not answered ({0}); if it has these metrics all the same, they count twice"
    )]
    Unanswered(&'static str),
    /// The same, with a freeze amid it: whatever came of it, it is no fault of the API's.
    #[error(
        "Lambda froze the sandbox amid a request; if CloudWatch has these metrics all the same, they count twice"
    )]
    Frozen,
    /// The sandbox has no thread left.
    #[error("there is no thread to be had that sends them")]
    NoThread,
    /// A bug on the way.
    #[error("there is a bug in sending them")]
    Bug,
}

impl PutError {
    /// Whether surely nothing was sent.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Credentials(_))
    }

    /// What it is if there was a freeze amid the request, perhaps: no answer is then nobody's fault.
    pub(super) fn seen_over(self, was_frozen: bool) -> Self {
        match self {
            Self::Unanswered(_) if was_frozen => Self::Frozen,
            other => other,
        }
    }

    /// Of what kind it is: each is told once.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Untrusted(_) => "untrusted",
            Self::Refused { code, .. } => code,
            Self::Credentials(_) => "credentials",
            Self::Unanswered(_) => "unanswered",
            Self::Frozen => "frozen",
            Self::NoThread => "no thread",
            Self::Bug => "bug",
        }
    }
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Link {
    /// To the thread. It never waits.
    pub(super) orders: UnboundedSender<Order>,
    /// From the thread; one for each order.
    pub(super) answers: UnboundedReceiver<Answer>,
}
