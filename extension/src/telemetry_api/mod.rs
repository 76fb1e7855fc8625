//! The Telemetry API: a listener that takes bytes, and the subscription that points to it.

mod inbox;
mod listener;
mod subscription;

pub(crate) use inbox::{Delivery, Inbox};
pub(crate) use listener::{bind, serve};
pub(crate) use subscription::{Subscription, subscribe};
