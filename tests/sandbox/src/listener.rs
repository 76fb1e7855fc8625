//! The port on which an extension listens for telemetry.

use std::net::Ipv4Addr;
use tokio::net::TcpStream;

/// Where an extension listens, and which process it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    /// None where it is not known.
    pub(crate) pid: Option<u32>,
}

impl Listener {
    /// A connection to that extension and to no other: when it has ended, one of another sandbox on
    /// this machine may listen on the same port.
    ///
    /// `sandbox` and `sandbox.localdomain` are 127.0.0.1 here: no name is looked up.
    pub(crate) async fn connect(self) -> Option<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.ok()?;
        // It held the port while the connection was made if it runs even now.
        self.pid.is_none_or(is_running).then_some(stream)
    }
}

/// Whether a process is there and no zombie, whose ports are free.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !['Z', 'X'].contains(&state))
}
