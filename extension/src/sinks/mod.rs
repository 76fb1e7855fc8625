//! Where lines go.

mod lines;

pub(crate) use lines::{LINE_MAX_BYTES, Lines, Stream};
