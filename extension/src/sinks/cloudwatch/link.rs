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
    /// A bug on the way.
    #[error("there is a bug in sending them")]
    Bug,
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Link {
    /// To the thread. It never waits.
    pub(super) orders: UnboundedSender<Order>,
    /// From the thread; one for each order.
    pub(super) answers: UnboundedReceiver<Answer>,
}
