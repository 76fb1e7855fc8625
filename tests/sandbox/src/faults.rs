//! Scripted faults: what an endpoint does instead of its work.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An endpoint that faults can be scripted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /extension/register`.
    Register,
    /// `GET /extension/event/next`.
    ExtensionNext,
    /// `PUT /telemetry`.
    Subscribe,
    /// `GET /runtime/invocation/next`.
    RuntimeNext,
    /// `POST /runtime/invocation/{id}/response`.
    RuntimeResponse,
}

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultAction {
    /// This status and body; the request has no other effect.
    Status(u16, String),
    /// The connection is closed without an answer; the request has no other effect.
    Reset,
    /// The request is taken up after this delay, as if it had come then.
    Delay(Duration),
    /// Status 200 with this body; the request has no other effect.
    Garbage(Vec<u8>),
}

/// What befalls one batch of telemetry on its way. The default: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFault {
    /// It is lost, and nobody says so.
    pub lost: bool,
    /// The batch after it goes out first, if one is there within 50 ms.
    pub overtaken: bool,
    /// It goes out so much later.
    pub late: Duration,
    /// Its records are in the order that this seed gives.
    pub shuffled: Option<u64>,
    /// This stands in the middle of it, as though it were a record.
    pub junk: Option<String>,
    /// Each record is a delivery of its own.
    pub one_by_one: bool,
    /// Its first attempt breaks off in the middle, without an answer.
    pub breaks_off: bool,
    /// Its bytes come in so many parts.
    pub parts: usize,
    /// It comes a second time, as after an answer that was lost.
    pub twice: bool,
}

/// Faults by endpoint, and of deliveries: each used up once and in order; after that all works.
///
/// A clone shares the script with its original.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    scripts: Arc<Mutex<HashMap<Endpoint, VecDeque<FaultAction>>>>,
    deliveries: Arc<Mutex<VecDeque<DeliveryFault>>>,
}

impl Faults {
    /// Adds `action` to the end of the endpoint's script.
    #[must_use]
    pub fn with(self, endpoint: Endpoint, action: FaultAction) -> Self {
        self.push(endpoint, action);
        self
    }

    /// Adds `action` to the end of the endpoint's script, also while the sandbox runs.
    pub fn push(&self, endpoint: Endpoint, action: FaultAction) {
        self.lock().entry(endpoint).or_default().push_back(action);
    }

    /// Adds what befalls a batch of telemetry, the next that no fault waits for yet.
    pub fn push_delivery(&self, fault: DeliveryFault) {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    pub(crate) fn take_delivery(&self) -> Option<DeliveryFault> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Faults of this endpoint that no request has met yet.
    #[must_use]
    pub fn remaining(&self, endpoint: Endpoint) -> usize {
        self.lock().get(&endpoint).map_or(0, VecDeque::len)
    }

    pub(crate) fn take(&self, endpoint: Endpoint) -> Option<FaultAction> {
        self.lock().get_mut(&endpoint)?.pop_front()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Endpoint, VecDeque<FaultAction>>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes `port` on all addresses until the value is dropped, so that an extension which wants to
/// listen there finds it taken.
///
/// # Errors
/// When the port is taken already, or loopback fails.
pub fn occupy_port(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
}
