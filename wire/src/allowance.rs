//! How many bytes a stranger may send before it has proved who it is.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that reads at most so many bytes, until it is set free.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    left: Option<usize>,
}

/// The allowance is used up and more was to be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many bytes before the peer had proved who it is")]
pub(crate) struct UsedUp;

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, bytes: usize) -> Self {
        Self { stream, left: Some(bytes) }
    }

    /// From now on, at most so many bytes more.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.left = Some(bytes);
    }

    /// Ends the metering.
    pub(crate) fn set_free(&mut self) {
        self.left = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(left) = self.left else { return Pin::new(&mut self.stream).poll_read(context, out) };
        if left == 0 {
            return Poll::Ready(Err(io::Error::other(UsedUp)));
        }
        let mut part = out.take(left);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let read = part.filled().to_vec();
        out.put_slice(&read);
        self.left = Some(left - read.len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_is_allowed_is_read_and_no_byte_more_until_it_is_free() {
        let mut metered = Metered::new(&b"abcdefghij"[..], 4);
        let mut four = [0; 4];
        metered.read_exact(&mut four).await.unwrap();
        assert_eq!(&four, b"abcd");
        let error = metered.read_u8().await.unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<UsedUp>()));
        metered.allow(1);
        assert_eq!(metered.read_u8().await.unwrap(), b'e');
        metered.set_free();
        let mut rest = Vec::new();
        metered.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"fghij");
    }
}
