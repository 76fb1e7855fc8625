//! What becomes of the metrics of a report.

#[cfg(feature = "cloudwatch")]
use super::cloudwatch::Publisher;
#[cfg(feature = "cloudwatch")]
use crate::panics::contained_future;
use std::time::Duration;
use triage_diagnosis::{Report, Timestamp};

/// `TRIAGE_METRICS`.
#[derive(Debug)]
pub(crate) enum Metrics {
    /// Each line carries its own (EMF).
    Embedded,
    /// Nobody wants them.
    Off,
    /// They are sent to CloudWatch's API; lines carry what it does not take.
    #[cfg(feature = "cloudwatch")]
    Sent(Box<Publisher>),
}

impl Metrics {
    /// Takes a report's metrics, and says whether its line is to carry them.
    pub(crate) fn embeds(&mut self, report: &Report, now: Timestamp) -> bool {
        // Unused without the feature.
        let _ = (report, now);
        match self {
            Self::Embedded => true,
            Self::Off => false,
            #[cfg(feature = "cloudwatch")]
            Self::Sent(publisher) => !publisher.takes(report.metrics(), report.level(), now),
        }
    }

    /// When [`Self::poll`] has something to do, at the latest.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let _ = now;
        match self {
            #[cfg(feature = "cloudwatch")]
            Self::Sent(publisher) => publisher.due(now),
            _ => None,
        }
    }

    /// Waits until [`Self::poll`] has something to do but for the time. Can be dropped and waited for
    /// again; until then a bug in it is waited out.
    pub(crate) async fn answered(&mut self) {
        #[cfg(feature = "cloudwatch")]
        if let Self::Sent(publisher) = self
            && contained_future(publisher.answered()).await.is_some()
        {
            return;
        }
        std::future::pending().await
    }

    /// Does what is due.
    pub(crate) fn poll(&mut self, now: Timestamp) {
        let _ = now;
        #[cfg(feature = "cloudwatch")]
        if let Self::Sent(publisher) = self {
            publisher.poll(now);
        }
    }

    /// The next line that carries metrics alone.
    pub(crate) fn next_line(&mut self, now: Timestamp) -> Option<String> {
        let _ = now;
        match self {
            #[cfg(feature = "cloudwatch")]
            Self::Sent(publisher) => publisher.next_line(now),
            _ => None,
        }
    }

    /// The sandbox ends: so long may what is left take.
    pub(crate) fn finish(&mut self, time: Duration) {
        let _ = time;
        #[cfg(feature = "cloudwatch")]
        if let Self::Sent(publisher) = self {
            publisher.finish(time);
        }
    }

    /// Whether all metrics are where they are to be, but for lines.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            #[cfg(feature = "cloudwatch")]
            Self::Sent(publisher) => publisher.is_idle(),
            _ => true,
        }
    }

    /// Lines are to carry what is left.
    pub(crate) fn give_up(&mut self, now: Timestamp) {
        let _ = now;
        #[cfg(feature = "cloudwatch")]
        if let Self::Sent(publisher) = self {
            publisher.give_up(now);
        }
    }
}
