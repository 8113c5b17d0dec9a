//! The machine's TCP with a door that was opened before the node starts.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use parking_lot::Mutex;
use wire::{Net, Tcp, TcpDoor};

/// Dials like any other; listens on the socket it was given, again and again, and on one of its own when that is dead.
#[derive(Clone, Debug)]
pub struct OpenedTcp {
    tcp: Tcp,
    door: Arc<Mutex<Door>>,
}

#[derive(Debug)]
struct Door {
    address: SocketAddr,
    /// None after a dead one was closed and no other could be opened.
    listener: Option<TcpListener>,
}

impl OpenedTcp {
    pub fn new(tcp: Tcp, listener: TcpListener) -> io::Result<Self> {
        let door = Door { address: listener.local_addr()?, listener: Some(listener) };
        Ok(Self { tcp, door: Arc::new(Mutex::new(door)) })
    }
}

impl Door {
    /// A socket that listens, for one incarnation of whoever accepts.
    fn open(&mut self) -> io::Result<TcpListener> {
        // A clone of a socket that was shut down would be as dead as it is.
        self.listener.take_if(|listener| !rustix::net::sockopt::socket_acceptconn(listener).unwrap_or(false));
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(self.address)?,
        };
        self.listener.insert(listener).try_clone()
    }
}

impl Net for OpenedTcp {
    type Stream = tokio::net::TcpStream;
    type Listener = TcpDoor;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Self::Stream> {
        self.tcp.connect(host, port).await
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<TcpDoor> {
        let listener = {
            let mut door = self.door.lock();
            if door.address != address {
                return Err(io::Error::other(format!("the door is open at {}, not at {address}", door.address)));
            }
            door.open()?
        };
        self.tcp.adopt(listener)
    }

    fn remote(&self, stream: &Self::Stream) -> Option<SocketAddr> {
        self.tcp.remote(stream)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wire::Listener;

    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_shut_down_is_replaced_at_the_same_address_and_a_living_one_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, first) = (listener.local_addr().unwrap(), listener.try_clone().unwrap());
        let net = OpenedTcp::new(Tcp::VALIDATOR, listener).unwrap();
        drop(net.listen(address).await.unwrap());
        // What the system has accepted for a door that is being replaced is not lost.
        let waiting = net.connect("127.0.0.1", address.port()).await.unwrap();
        let door = net.listen(address).await.unwrap();
        assert_eq!(door.accept().await.unwrap().1, waiting.local_addr().unwrap());
        rustix::net::shutdown(&first, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(door.accept().await.err().unwrap().kind(), io::ErrorKind::InvalidInput);
        drop(door);
        let door = net.listen(address).await.unwrap();
        let coming = net.connect("127.0.0.1", address.port()).await.unwrap();
        assert_eq!(door.accept().await.unwrap().1, coming.local_addr().unwrap());
    }
}
