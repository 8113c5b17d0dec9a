//! The network as a value that is handed in.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// Where streams of bytes come from. Simulations hand in their own.
pub trait Net: Clone + Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type Listener: Listener<Stream = Self::Stream>;

    /// Opens a stream to `host`, a name or an IP address. The caller sets the time limit.
    fn connect(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Begins to listen; port 0 takes a free one.
    fn listen(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Where a stream that was opened leads, if this network knows.
    fn remote(&self, _stream: &Self::Stream) -> Option<SocketAddr> {
        None
    }
}

/// Accepts streams until it is dropped.
pub trait Listener: Send + Sync + 'static {
    type Stream;

    /// The next stream and where it comes from. Nothing is lost if the future is dropped before it is done.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Where it listens.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// How long sent bytes may stay unacknowledged before the kernel gives the link up. Without it a link needs most of a
    /// minute to notice that a partition is over.
    pub user_timeout: Option<Duration>,
}

/// What the kernel may hold of ours unsent. More would let megabytes pile up before a vote.
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER_BYTES: u32 = 128 << 10;

impl Tcp {
    /// For links between validators, which ping every second.
    pub const VALIDATOR: Self = Self { user_timeout: Some(Duration::from_millis(3_500)) };

    /// Accepts on a socket that is bound and listens already, for whoever opens all doors before anything else.
    pub fn adopt(&self, listener: std::net::TcpListener) -> io::Result<TcpDoor> {
        listener.set_nonblocking(true)?;
        Ok(TcpDoor { listener: TcpListener::from_std(listener)?, tcp: *self })
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            let socket = socket2::SockRef::from(stream);
            socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER_BYTES)?;
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        Ok(())
    }
}

impl Net for Tcp {
    type Stream = TcpStream;
    type Listener = TcpDoor;

    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        // Names of IPv6 addresses stand in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await?;
        self.prepare(&stream)?;
        Ok(stream)
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<TcpDoor> {
        Ok(TcpDoor { listener: TcpListener::bind(address).await?, tcp: *self })
    }

    fn remote(&self, stream: &TcpStream) -> Option<SocketAddr> {
        stream.peer_addr().ok()
    }
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct TcpDoor {
    listener: TcpListener,
    tcp: Tcp,
}

impl Listener for TcpDoor {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        self.tcp.prepare(&stream)?;
        Ok((stream, from))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
