//! Where lines go.

mod lines;
#[cfg(test)]
mod paper;

pub(crate) use lines::{LINE_MAX_BYTES, Lines, Stream};
#[cfg(test)]
pub(crate) use paper::Paper;
