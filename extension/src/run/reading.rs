//! Telemetry, worked through in slices between everything else.

use super::{End, Observer};
use crate::clock::Clock;
use crate::panics::contained;
use crate::telemetry_api::{Delivery, Inbox};
use std::time::Duration;
use triage_diagnosis::{Body, Dropped, RecordBody, Timestamp};

/// Telemetry is worked through in slices of this many bytes between polls: at 128 MB of memory a
/// function has a fourteenth of a CPU.
const SLICE_BYTES: usize = 64 * 1024;

/// A delivery being worked through.
pub(super) struct InWork {
    body: Body,
    /// Bytes of it that were not taken.
    left_out_bytes: u64,
}

impl From<Delivery> for InWork {
    fn from(delivery: Delivery) -> Self {
        Self { body: Body::new(delivery.body), left_out_bytes: delivery.left_out_bytes }
    }
}

impl Observer {
    pub(super) fn work_through_a_slice(&mut self, now: Timestamp) {
        if let Some(dropped) = self.inbox.take_dropped() {
            self.diagnose(|triage| triage.handle_dropped(dropped, now));
        }
        let next = || self.inbox.take().map(InWork::from);
        let Some(mut delivery) = self.delivery.take().or_else(next) else { return };
        if let Some(end) = &mut self.end {
            end.last_telemetry = now;
        }
        let slice_end = delivery.body.position().saturating_add(SLICE_BYTES);
        // On a small CPU a slice full of errors alone could take the time that is left in the end.
        let work_until = self.end.map(|end| end.budget.work_until);
        let is_late = |clock: &Clock| work_until.is_some_and(|until| clock.now() >= until);
        while delivery.body.position() < slice_end && !is_late(&self.clock) {
            self.skip_healthy(&mut delivery.body, slice_end, now);
            let position = delivery.body.position();
            if position >= slice_end {
                break;
            }
            let Some(next) = contained(|| delivery.body.next_record()) else {
                // A delivery with a bug in its way is not gone on with.
                let bytes = delivery.left_out_bytes + delivery.body.remaining() as u64;
                let dropped = Dropped { deliveries: 1, bytes };
                self.diagnose(|triage| triage.handle_dropped(dropped, now));
                return;
            };
            match next {
                None => {
                    if delivery.left_out_bytes > 0 {
                        let bytes = delivery.left_out_bytes;
                        let dropped = Dropped { deliveries: 1, bytes };
                        self.diagnose(|triage| triage.handle_dropped(dropped, now));
                    }
                    self.inbox.reuse(delivery.body.into_bytes());
                    return;
                }
                // The record that was cut in two is ours to answer for.
                Some(Err(malformed)) if delivery.left_out_bytes > 0 => {
                    delivery.left_out_bytes += malformed.bytes as u64;
                }
                Some(Err(malformed)) => {
                    self.diagnose(|triage| triage.handle_malformed(malformed, now));
                }
                Some(Ok(record)) => {
                    if matches!(record.body, RecordBody::Function(_)) {
                        let latest = self.end.map(End::wait_until);
                        if contained(|| self.signatures.holds_up(latest, now)) == Some(true) {
                            drop(record);
                            delivery.body.go_back(position);
                            break;
                        }
                    }
                    self.flush.with(|flush| {
                        if let Some(made) = record.time {
                            flush.handle_record(made, now);
                        }
                        if let RecordBody::RuntimeDone(done) = &record.body {
                            flush.handle_runtime_done(&done.request_id, record.time, now);
                        }
                    });
                    self.diagnose(|triage| triage.handle_record(record, now));
                }
            }
        }
        self.delivery = Some(delivery);
    }

    /// Goes past the log records that nothing would come of, once all signatures are known.
    fn skip_healthy(&mut self, body: &mut Body, until: usize, now: Timestamp) {
        if !self.signatures.is_over() || !self.skips_healthy {
            return;
        }
        let (triage, flush) = (&mut self.triage, &mut self.flush);
        let made = |made| {
            flush.with(|flush| flush.handle_record(made, now));
        };
        let skipped = triage.with(|triage| triage.skip_healthy(body, until, made));
        self.skips_healthy = skipped.is_some();
        self.tell_of_a_bug(skipped.is_none());
    }

    /// Takes what was not worked through and will not be any more, and says how much it is.
    pub(super) fn unread(&mut self) -> Option<Dropped> {
        let mut unread = self.inbox.take_dropped().unwrap_or_default();
        if let Some(mut delivery) = self.delivery.take() {
            let bytes = delivery.left_out_bytes + delivery.body.remaining() as u64;
            // After the last record there may be a bracket.
            if delivery.left_out_bytes > 0 || delivery.body.next_record().is_some() {
                unread.deliveries += 1;
                unread.bytes += bytes;
            }
        }
        while let Some(delivery) = self.inbox.take() {
            unread.deliveries += 1;
            unread.bytes += delivery.left_out_bytes + delivery.body.len() as u64;
        }
        (unread.deliveries > 0).then_some(unread)
    }
}

/// Waits for telemetry. If there is `more` of a delivery, only until everything else that is ready
/// has had its turn.
pub(super) async fn telemetry(inbox: &Inbox, more: bool, rest_ms: u64) {
    if rest_ms > 0 {
        tokio::time::sleep(Duration::from_millis(rest_ms)).await;
    }
    if more || !inbox.is_empty() {
        tokio::task::yield_now().await;
    } else {
        inbox.filled().await;
    }
}
