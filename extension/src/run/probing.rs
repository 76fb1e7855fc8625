//! The looks at the function's processes shortly before a deadline.

use super::Observer;
use crate::panics::contained;
use triage_diagnosis::{ProbeOrder, Timestamp};

impl Observer {
    /// When [`Self::attend_to_probe`] has something to do.
    pub(super) fn probe_due(&mut self) -> Option<Timestamp> {
        let now = self.clock.now();
        let order = self.probe_order(now);
        self.probe.due(order.as_ref(), now)
    }

    /// The look that is wanted.
    fn probe_order(&mut self, now: Timestamp) -> Option<ProbeOrder> {
        // After the end nothing is: what is found would come too late.
        if !self.probe.is_wanted() || self.end.is_some() {
            return None;
        }
        let order = self.triage.look(|triage| triage.poll_probe(now));
        self.tell_of_a_bug(order.is_none());
        order.flatten()
    }

    /// Begins the look that is due, hands over what was read, and gives up a look whose invocation is
    /// over. When a timer fires, the loop has caught up with what has arrived.
    pub(super) fn attend_to_probe(&mut self, is_timer: bool, now: Timestamp) {
        if !self.probe.is_wanted() {
            return;
        }
        if let Some(request_id) = self.probe.request_id() {
            let is_running = self.triage.look(|triage| triage.is_running(request_id));
            if self.end.is_some() || is_running != Some(true) {
                self.probe.cancel();
            }
        }
        if let Some((request_id, snapshot)) = self.probe.poll_snapshot(now) {
            self.diagnose(|triage| triage.handle_snapshot(&request_id, &snapshot, now));
        }
        let order = self.probe_order(now);
        let names = || self.triage.look(|triage| triage.extension_names().to_vec());
        let begin = || {
            let names = || names().unwrap_or_default();
            self.probe.handle_order(order.as_ref(), is_timer, names, now);
        };
        let begun = contained(begin);
        self.tell_of_a_bug(begun.is_none());
    }
}
