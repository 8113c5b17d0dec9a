//! A network whose bytes are counted, as they cross the sockets: with TLS and framing, without TCP and IP.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use opentelemetry::{KeyValue, metrics::Meter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Listener, Net};

/// Bytes of all streams of one node.
#[derive(Debug, Default)]
struct Traffic {
    inbound: AtomicU64,
    outbound: AtomicU64,
}

/// A [`Net`], a [`Listener`] or a stream, counted.
#[derive(Clone, Debug)]
pub(super) struct Metered<T> {
    inner: T,
    traffic: Arc<Traffic>,
}

impl<N: Net> Metered<N> {
    /// Counts what crosses `net` in `p2p_bytes_total`.
    pub fn new(net: N, meter: &Meter) -> Self {
        let traffic = Arc::<Traffic>::default();
        let counted = traffic.clone();
        let counter = meter
            .u64_observable_counter("p2p_bytes_total")
            .with_description("Bytes that crossed the sockets of sessions, TLS included, by direction.");
        counter
            .with_callback(move |observer| {
                observer.observe(counted.inbound.load(Relaxed), &[KeyValue::new("direction", "inbound")]);
                observer.observe(counted.outbound.load(Relaxed), &[KeyValue::new("direction", "outbound")]);
            })
            .build();
        Self { inner: net, traffic }
    }
}

impl<T> Metered<T> {
    fn around<U>(&self, inner: U) -> Metered<U> {
        Metered { inner, traffic: self.traffic.clone() }
    }
}

impl<N: Net> Net for Metered<N> {
    type Stream = Metered<N::Stream>;
    type Listener = Metered<N::Listener>;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Self::Stream> {
        Ok(self.around(self.inner.connect(host, port).await?))
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener> {
        Ok(self.around(self.inner.listen(address).await?))
    }

    fn remote(&self, stream: &Self::Stream) -> Option<SocketAddr> {
        self.inner.remote(&stream.inner)
    }
}

impl<L: Listener> Listener for Metered<L> {
    type Stream = Metered<L::Stream>;

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, from) = self.inner.accept().await?;
        Ok((self.around(stream), from))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_address()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.traffic.inbound.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Metered<S> {
    fn written(&self, bytes: usize) -> Poll<io::Result<usize>> {
        self.traffic.outbound.fetch_add(bytes as u64, Relaxed);
        Poll::Ready(Ok(bytes))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.written(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use wire::Tcp;

    #[tokio::test]
    async fn what_one_side_writes_both_sides_count() {
        let meter = NoopMeterProvider::new().meter("test");
        let (ours, theirs) = (Metered::new(Tcp::VALIDATOR, &meter), Metered::new(Tcp::VALIDATOR, &meter));
        let listener = theirs.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = listener.local_address().unwrap().port();
        let mut stream = ours.connect("127.0.0.1", port).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        stream.write_all(&[7; 1_000]).await.unwrap();
        accepted.read_exact(&mut [0; 1_000]).await.unwrap();
        let counted = |net: &Metered<Tcp>| (net.traffic.inbound.load(Relaxed), net.traffic.outbound.load(Relaxed));
        assert_eq!((counted(&ours), counted(&theirs)), ((0, 1_000), (1_000, 0)));
    }
}
