//! What others may know of the listener.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Where the listener listens and how it is. Cheap to clone, good through every restart.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    address: OnceLock<SocketAddr>,
    is_listening: AtomicBool,
    is_self_dial_ok: AtomicBool,
}

impl Door {
    /// Where it listens; none before it has for the first time. It never changes after that.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.address.get().copied()
    }

    /// Whether the socket is bound and somebody accepts.
    pub fn is_listening(&self) -> bool {
        self.0.is_listening.load(Relaxed)
    }

    /// Whether the node reached itself through this door when it tried last.
    pub fn is_self_dial_ok(&self) -> bool {
        self.0.is_self_dial_ok.load(Relaxed)
    }

    pub(super) fn opened(&self, address: SocketAddr) {
        // The same after a restart: that is what it was bound to.
        let _ = self.0.address.set(address);
        self.0.is_listening.store(true, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.0.is_listening.store(false, Relaxed);
        self.0.is_self_dial_ok.store(false, Relaxed);
    }

    pub(super) fn probed(&self, is_ok: bool) {
        self.0.is_self_dial_ok.store(is_ok, Relaxed);
    }

    /// Where to dial to come in by this door.
    pub(super) fn own_address(&self) -> Option<SocketAddr> {
        let mut address = self.address()?;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Some(address)
    }
}
