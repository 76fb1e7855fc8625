//! Deliveries that wait to be worked through, bounded in bytes.

use crc32fast::Hasher;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use triage_diagnosis::{Dropped, fault_point};

/// The most bytes of deliveries that are held: those that wait and those still being received.
pub(crate) const QUEUE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most memory that is taken for a delivery before it has come, or kept for the next one: most are of
/// 256 KiB and some metadata.
const AHEAD_MAX_BYTES: usize = 512 * 1024;

/// How many deliveries are remembered to know one that is sent again.
const REMEMBERED: usize = 8;

/// A delivery, as far as it was taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Its bytes.
    pub(crate) body: Vec<u8>,
    /// How many bytes at its end were left out.
    pub(crate) left_out_bytes: u64,
}

/// The queue between the listener's connections and the loop. A clone is another handle to the
/// same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    deliveries: VecDeque<Delivery>,
    held_bytes: usize,
    /// Deliveries that are being received, in the order in which they began, each with its number.
    receiving: VecDeque<(u64, Vec<u8>)>,
    begun: u64,
    /// What was left out whole.
    dropped: Dropped,
    /// Checksums and lengths of the latest deliveries.
    recent: VecDeque<(u32, u64)>,
    /// The memory of a delivery that was worked through, for the next one.
    spare: Vec<u8>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a delivery that is about to be received, and is said to have so many bytes.
    pub(super) fn reserve(&self, expected_bytes: usize) -> Reservation {
        let mut state = self.lock();
        state.begun = state.begun.wrapping_add(1);
        let number = state.begun;
        let mut body = std::mem::take(&mut state.spare);
        body.reserve_exact(expected_bytes.min(AHEAD_MAX_BYTES));
        state.receiving.push_back((number, body));
        Reservation { inbox: self.clone(), number, left_out_bytes: 0, checksum: Hasher::new() }
    }

    /// Keeps the memory of a delivery for the next one while more is on its way. At rest there is none.
    pub(crate) fn reuse(&self, mut body: Vec<u8>) {
        let mut state = self.lock();
        if state.deliveries.is_empty() && state.receiving.is_empty() {
            state.spare = Vec::new();
        } else if (state.spare.capacity()..=AHEAD_MAX_BYTES).contains(&body.capacity()) {
            body.clear();
            state.spare = body;
        }
    }

    /// The delivery that came first.
    pub(crate) fn take(&self) -> Option<Delivery> {
        fault_point!("take");
        let mut state = self.lock();
        let delivery = state.deliveries.pop_front()?;
        state.held_bytes -= delivery.body.len();
        Some(delivery)
    }

    /// What was left out whole since the last time, if anything.
    pub(crate) fn take_dropped(&self) -> Option<Dropped> {
        let dropped = std::mem::take(&mut self.lock().dropped);
        (dropped.deliveries > 0).then_some(dropped)
    }

    /// Whether a delivery has begun to come.
    pub(crate) fn is_receiving(&self) -> bool {
        !self.lock().receiving.is_empty()
    }

    /// Whether nothing waits.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.deliveries.is_empty() && state.dropped.deliveries == 0
    }

    /// Waits until [`Self::is_empty`] no longer holds. For one waiter.
    pub(crate) async fn filled(&self) {
        while self.is_empty() {
            self.shared.filled.notified().await;
        }
    }
}

impl State {
    /// Room for so many bytes of a delivery or, where there is none, as much as there is. Those that
    /// began before it and are still not whole make way: Lambda's take milliseconds, so that one
    /// that does not go on is none of Lambda's, and must not keep them out.
    fn room(&mut self, number: u64, bytes: usize) -> usize {
        while QUEUE_MAX_BYTES - self.held_bytes < bytes {
            let mut older = self.receiving.iter().take_while(|(other, _)| *other != number);
            let Some(index) = older.position(|(_, body)| !body.is_empty()) else { break };
            let Some((_, body)) = self.receiving.remove(index) else { break };
            self.held_bytes -= body.len();
            self.dropped.deliveries += 1;
            self.dropped.bytes += body.len() as u64;
        }
        bytes.min(QUEUE_MAX_BYTES - self.held_bytes)
    }

    /// What of it has been received; None if it had to make way.
    fn body(&mut self, number: u64) -> Option<&mut Vec<u8>> {
        self.receiving.iter_mut().find(|(other, _)| *other == number).map(|(_, body)| body)
    }

    /// The same, to be kept elsewhere or forgotten.
    fn take_body(&mut self, number: u64) -> Option<Vec<u8>> {
        let index = self.receiving.iter().position(|(other, _)| *other == number)?;
        self.receiving.remove(index).map(|(_, body)| body)
    }
}

/// A delivery being received. Dropping it forgets it: its sender got no answer and sends it again.
#[derive(Debug)]
pub(super) struct Reservation {
    inbox: Inbox,
    number: u64,
    left_out_bytes: u64,
    /// Over all bytes, also those left out, in whatever parts they come.
    checksum: Hasher,
}

impl Reservation {
    /// Takes the next bytes as far as there is room, for this body of at most `max_bytes` and
    /// among all of them; the rest is left out and counted.
    pub(super) fn extend(&mut self, bytes: &[u8], max_bytes: usize) {
        self.checksum.update(bytes);
        let mut state = self.inbox.lock();
        let length = state.body(self.number).map(|body| body.len());
        // Nothing after a gap is taken: the records behind it would not be whole.
        let room = match length.filter(|_| self.left_out_bytes == 0) {
            Some(length) => {
                state.room(self.number, bytes.len().min(max_bytes.saturating_sub(length)))
            }
            None => 0,
        };
        let (taken, left_out) = bytes.split_at(room);
        state.held_bytes += taken.len();
        if let Some(body) = state.body(self.number) {
            body.extend_from_slice(taken);
        }
        self.left_out_bytes += left_out.len() as u64;
    }

    /// Something is missing at the end that will not come any more.
    pub(super) fn cut_short(&mut self) {
        self.left_out_bytes = self.left_out_bytes.max(1);
    }

    /// Puts what was received into the queue, unless it was received before.
    pub(super) fn commit(mut self) {
        fault_point!("commit");
        let left_out_bytes = self.left_out_bytes;
        // Lambda sends a delivery again if our answer was lost, in a freeze for instance. Two
        // different ones are never the same: their records carry times and request ids.
        let checksum = std::mem::take(&mut self.checksum).finalize();

        let mut state = self.inbox.lock();
        let Some(body) = state.take_body(self.number) else {
            state.dropped.bytes += left_out_bytes;
            return;
        };
        let identity = (checksum, body.len() as u64 + left_out_bytes);
        if body.is_empty() && left_out_bytes == 0 || state.recent.contains(&identity) {
            state.held_bytes -= body.len();
            return;
        }
        if state.recent.len() == REMEMBERED {
            state.recent.pop_front();
        }
        state.recent.push_back(identity);
        if body.is_empty() {
            state.dropped.deliveries += 1;
            state.dropped.bytes += left_out_bytes;
        } else {
            state.deliveries.push_back(Delivery { body, left_out_bytes });
        }
        drop(state);
        self.inbox.shared.filled.notify_one();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        // What was committed is no longer here.
        if let Some(body) = state.take_body(self.number) {
            // A panic here, on the way out of another, would end the process.
            state.held_bytes = state.held_bytes.saturating_sub(body.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(inbox: &Inbox, body: &[u8], max_bytes: usize) {
        let mut reservation = inbox.reserve(0);
        reservation.extend(body, max_bytes);
        reservation.commit();
    }

    fn take_whole(inbox: &Inbox) -> Option<Vec<u8>> {
        let delivery = inbox.take()?;
        assert_eq!(delivery.left_out_bytes, 0);
        Some(delivery.body)
    }

    fn held_bytes(inbox: &Inbox) -> usize {
        inbox.lock().held_bytes
    }

    #[test]
    fn gives_deliveries_in_order_and_frees_their_room() {
        let inbox = Inbox::default();
        assert!(inbox.is_empty());
        deliver(&inbox, b"[1]", 100);
        deliver(&inbox, b"[2]", 100);
        assert_eq!(take_whole(&inbox).as_deref(), Some(&b"[1]"[..]));
        assert_eq!(take_whole(&inbox).as_deref(), Some(&b"[2]"[..]));
        assert_eq!(inbox.take(), None);
        assert_eq!(inbox.take_dropped(), None);
        assert_eq!(held_bytes(&inbox), 0);
    }

    #[test]
    fn a_delivery_sent_again_counts_once() {
        let inbox = Inbox::default();
        deliver(&inbox, b"[1]", 100);
        deliver(&inbox, b"[2]", 100);
        let mut in_parts = inbox.reserve(0);
        for part in [&b"["[..], b"", b"1]"] {
            in_parts.extend(part, 100);
        }
        in_parts.commit();
        assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 2);
        deliver(&inbox, b"[1]", 100);
        assert!(inbox.is_empty());
        assert_eq!(held_bytes(&inbox), 0);
        for n in 3..3 + REMEMBERED {
            deliver(&inbox, format!("[{n}]").as_bytes(), 100);
        }
        assert_eq!(inbox.lock().recent.len(), REMEMBERED);
    }

    #[test]
    fn memory_is_used_again_while_more_is_on_its_way_and_given_back_at_rest() {
        let inbox = Inbox::default();
        let spare_bytes = || inbox.lock().spare.capacity();
        let mut next = inbox.reserve(10);
        next.extend(b"[1]", 100);
        inbox.reuse(vec![0; 1_000]);
        assert_eq!(spare_bytes(), 1_000);
        inbox.reuse(vec![0; 10]);
        inbox.reuse(vec![0; AHEAD_MAX_BYTES + 1]);
        assert_eq!(spare_bytes(), 1_000);
        next.commit();
        deliver(&inbox, b"[2]", 100);
        assert_eq!(spare_bytes(), 0);
        assert_eq!(take_whole(&inbox).as_deref(), Some(&b"[1]"[..]));
        inbox.reuse(vec![0; 10]);
        let second = inbox.take().unwrap().body;
        assert_eq!(second, b"[2]");
        inbox.reuse(second);
        assert_eq!(spare_bytes(), 0);
        // Whatever is promised.
        drop(inbox.reserve(usize::MAX));
    }

    #[test]
    fn a_long_delivery_keeps_its_beginning_and_counts_the_rest() {
        let inbox = Inbox::default();
        let mut reservation = inbox.reserve(0);
        for part in [&b"01234"[..], b"56789", b"abc"] {
            reservation.extend(part, 8);
        }
        reservation.commit();
        let delivery = Delivery { body: b"01234567".to_vec(), left_out_bytes: 5 };
        assert_eq!(inbox.take(), Some(delivery));
        assert_eq!(inbox.take_dropped(), None);
        assert!(inbox.is_empty());
    }

    #[test]
    fn all_deliveries_together_are_bounded_and_what_is_left_out_is_counted() {
        let inbox = Inbox::default();
        let mebibyte = |n: u8| vec![n; 1024 * 1024];
        for n in 0..6 {
            deliver(&inbox, &mebibyte(n), usize::MAX);
        }
        assert_eq!(held_bytes(&inbox), QUEUE_MAX_BYTES);
        assert_eq!(inbox.take_dropped(), Some(Dropped { deliveries: 2, bytes: 2 * 1024 * 1024 }));
        assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 4);
        assert_eq!(held_bytes(&inbox), 0);
    }

    #[test]
    fn a_delivery_that_breaks_off_is_forgotten_and_taken_when_it_comes_again() {
        let inbox = Inbox::default();
        let mut broken = inbox.reserve(0);
        broken.extend(b"[1", 100);
        assert!(inbox.is_receiving());
        drop(broken);
        assert!(!inbox.is_receiving());
        assert!(inbox.is_empty());
        assert_eq!(held_bytes(&inbox), 0);
        deliver(&inbox, b"[1]", 100);
        assert_eq!(take_whole(&inbox).as_deref(), Some(&b"[1]"[..]));
    }

    #[test]
    fn one_that_does_not_go_on_makes_way_for_those_that_do() {
        let inbox = Inbox::default();
        let mebibyte = |n: u8| vec![n; 1024 * 1024];
        let mut stuck: Vec<Reservation> = (0..4).map(|_| inbox.reserve(0)).collect();
        for (reservation, n) in stuck.iter_mut().zip(0..) {
            reservation.extend(&mebibyte(n), usize::MAX);
        }
        deliver(&inbox, b"[1]", usize::MAX);
        assert_eq!(take_whole(&inbox).as_deref(), Some(&b"[1]"[..]));
        let lost = Dropped { deliveries: 1, bytes: 1024 * 1024 };
        assert_eq!(inbox.take_dropped(), Some(lost));
        // The oldest it was; what else comes of it is left out.
        for mut reservation in stuck {
            reservation.extend(b"y", usize::MAX);
            reservation.commit();
        }
        assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 3);
        assert_eq!(held_bytes(&inbox), 0);
        assert!(!inbox.is_receiving());
    }
}
