//! The port of the extensions, which can be shut: connections are refused then.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::server;
use crate::shared::Shared;

/// Connections that the system takes before the server does.
const BACKLOG: u32 = 128;

#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    /// Bound and never listening: so nobody else gets the port while the door is shut.
    _place: TcpSocket,
    server: Mutex<Option<JoinHandle<Infallible>>>,
}

impl Door {
    /// A port on loopback, shut.
    pub(crate) fn new() -> io::Result<Self> {
        let place = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: place.local_addr()?, _place: place, server: Mutex::default() })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves from now on. Within a tokio runtime.
    pub(crate) fn open(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut server = self.lock();
        if server.is_none() {
            let listener = socket(self.address)?.listen(BACKLOG)?;
            *server = Some(tokio::spawn(server::serve(listener, Arc::clone(shared))));
        }
        Ok(())
    }

    /// Refuses from now on, and closes every connection.
    pub(crate) async fn close(&self) {
        let server = self.lock().take();
        if let Some(server) = server {
            server.abort();
            // Only when it is gone can the port be listened on again.
            let _ = server.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinHandle<Infallible>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(server) = self.lock().take() {
            server.abort();
        }
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
