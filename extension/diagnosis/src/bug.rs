//! What a bug may cost: the step that it is in.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `step` gives, or None if there is a bug in it. What it was to change must be left usable,
/// if incomplete, by a panic at any point of it.
pub(crate) fn contained<R>(step: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}
