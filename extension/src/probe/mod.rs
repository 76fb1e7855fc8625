//! What is read of the sandbox itself, from /proc.

mod mounts;

pub(crate) use mounts::MountProbe;
