//! Where a service manager listens.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::Arc,
};

/// The manager's datagram socket. Clones send to the same.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    ours: Arc<UnixDatagram>,
    theirs: Arc<SocketAddr>,
}

impl Socket {
    /// `name` is a path, or begins with `@` and is an abstract name.
    pub fn at(name: &str) -> io::Result<Self> {
        let theirs = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let ours = UnixDatagram::unbound()?;
        // A manager that is busy must not stop whoever tells it something.
        ours.set_nonblocking(true)?;
        Ok(Self { ours: Arc::new(ours), theirs: Arc::new(theirs) })
    }

    /// Sends without waiting. The address is looked up each time: a manager that was replaced is found again.
    pub fn send(&self, text: &str) -> io::Result<()> {
        self.ours.send_to_addr(text.as_bytes(), &self.theirs).map(|_| ())
    }
}
