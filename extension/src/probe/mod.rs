//! What is read of the sandbox itself, from /proc.
//!
//! Of a process never its environment, command line or memory maps. Of a mount never anything but what
//! the kernel knows by itself.

mod budget;
mod descriptors;
mod family;
mod files;
mod mounts;
mod processes;
mod refused;
mod resources;
mod sampling;
mod socket_diag;
mod sockets;
mod thread;
#[cfg(test)]
mod tree;

use budget::Budget;
pub(crate) use mounts::MountProbe;
pub(crate) use sockets::OwnEndpoints;
pub(crate) use thread::ProcessProbe;
