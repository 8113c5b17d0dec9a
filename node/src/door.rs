//! The machine's TCP with a door that was opened before the node starts.

use std::{io, net::SocketAddr, sync::Arc};

use wire::{Net, Tcp, TcpDoor};

/// Dials like any other; listens on the socket it was given, again and again.
#[derive(Clone, Debug)]
pub struct OpenedTcp {
    tcp: Tcp,
    listener: Arc<std::net::TcpListener>,
}

impl OpenedTcp {
    pub fn new(tcp: Tcp, listener: std::net::TcpListener) -> Self {
        Self { tcp, listener: Arc::new(listener) }
    }
}

impl Net for OpenedTcp {
    type Stream = tokio::net::TcpStream;
    type Listener = TcpDoor;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Self::Stream> {
        self.tcp.connect(host, port).await
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<TcpDoor> {
        let bound = self.listener.local_addr()?;
        if bound != address {
            return Err(io::Error::other(format!("the door is open at {bound}, not at {address}")));
        }
        self.tcp.adopt(self.listener.try_clone()?)
    }

    fn remote(&self, stream: &Self::Stream) -> Option<SocketAddr> {
        self.tcp.remote(stream)
    }
}
