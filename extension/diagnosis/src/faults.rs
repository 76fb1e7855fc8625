//! Bugs on demand, for tests that prove what a bug costs: only with the feature `faults`, which
//! nothing that ships has.
//!
//! [`fault_point!`](crate::fault_point) names a place in the code. Without the feature it is nothing
//! at all; with it, the place panics on the visits that [`arm`] was told.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The message of every panic made here. It looks like a secret, so that a test can prove that no
/// panic's message ever leaves.
pub const MESSAGE: &str = "as a bug would: hunter2";

#[derive(Debug)]
struct Fault {
    place: String,
    /// From 1 on.
    visit: u64,
    /// At every later visit too.
    ever_after: bool,
    visits: AtomicU64,
}

static ARMED: OnceLock<Vec<Fault>> = OnceLock::new();

/// What [`arm`] was given is not `place:n`, `place:n+`, or several of them separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFault;

/// Arms the places: `place:n` panics at its `n`-th visit, counted from 1, `place:n+` also at every
/// later one. The first call of a process counts, any other does nothing.
///
/// # Errors
/// If one of them makes no sense.
pub fn arm(faults: &str) -> Result<(), NotAFault> {
    let faults: Result<_, _> = faults.split(',').filter(|f| !f.is_empty()).map(parse).collect();
    let _ = ARMED.set(faults?);
    Ok(())
}

fn parse(fault: &str) -> Result<Fault, NotAFault> {
    let (place, visit) = fault.rsplit_once(':').ok_or(NotAFault)?;
    let (visit, ever_after) = visit.strip_suffix('+').map_or((visit, false), |visit| (visit, true));
    let visit = visit.parse().map_err(|_| NotAFault)?;
    if visit == 0 || place.is_empty() {
        return Err(NotAFault);
    }
    Ok(Fault { place: place.to_owned(), visit, ever_after, visits: AtomicU64::new(0) })
}

/// Counts a visit.
///
/// # Panics
/// If the place is armed for it.
#[track_caller]
pub fn visit(place: &str) {
    for fault in ARMED.get().into_iter().flatten().filter(|fault| fault.place == place) {
        let visits = fault.visits.fetch_add(1, Ordering::Relaxed) + 1;
        if visits == fault.visit || fault.ever_after && visits > fault.visit {
            panic!("{MESSAGE}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_place_panics_on_the_visits_it_was_told() {
        for bad in ["x", "x:", "x:0", "x:+", ":1", "x:1,y", "x:-1"] {
            assert_eq!(arm(bad), Err(NotAFault), "{bad}");
        }
        arm("once:2,detector x-y:2+,").unwrap();
        let panics = |place: &str| catch_unwind(|| visit(place)).is_err();
        assert_eq!([(); 4].map(|()| panics("once")), [false, true, false, false]);
        assert_eq!([(); 4].map(|()| panics("detector x-y")), [false, true, true, true]);
        assert!(!panics("elsewhere"));
    }
}
