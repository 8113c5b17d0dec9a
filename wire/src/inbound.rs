//! The reading half of a link.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream::SplitStream};
use primitives::limits::MAX_FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use crate::{Codec, DecodeError, Decoded, Envelope, FrameTooLong, Frames, Message, TraceParent, handshake::Socket};

/// Reads messages, one after the other.
pub struct Inbound<S> {
    stream: SplitStream<Socket<S>>,
    frames: Frames,
    codec: Codec,
    chain_id: u64,
    unknown: u64,
}

/// One message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub message: Message,
    /// Length of its frame.
    pub bytes: usize,
    pub traceparent: Option<TraceParent>,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// One frame was nonsense; the next may be good.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    #[error("a {got} WebSocket message came on a link that speaks {codec}")]
    WrongMessage { got: &'static str, codec: Codec },
    #[error("the peer broke the WebSocket protocol: {0}")]
    WebSocket(String),
    #[error("the peer closed the link")]
    Closed,
    #[error("the link broke: {0}")]
    Io(io::Error),
}

impl InboundError {
    /// Whether the link is over. After any other error, go on reading.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Malformed(_))
    }

    /// Whether the peer is to blame, rather than the network.
    pub fn is_misconduct(&self) -> bool {
        !matches!(self, Self::Closed | Self::Io(_))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inbound<S> {
    pub(crate) fn new(stream: SplitStream<Socket<S>>, codec: Codec, chain_id: u64) -> Self {
        Self { stream, frames: Frames::new(codec, MAX_FRAME_BYTES), codec, chain_id, unknown: 0 }
    }

    /// The next message. Nothing is lost if the future is dropped before it is done.
    pub async fn next(&mut self) -> Result<Received, InboundError> {
        loop {
            while let Some(frame) = self.frames.next_frame()? {
                match Envelope::decode(self.codec, &frame, self.chain_id)? {
                    Decoded::Unknown => self.unknown += 1,
                    Decoded::Known(Envelope { message, traceparent, .. }) => {
                        return Ok(Received { message, bytes: frame.len() + 1, traceparent });
                    }
                }
            }
            let bytes = self.receive().await?;
            self.frames.feed(bytes);
        }
    }

    /// How many messages of unknown kinds were ignored.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    async fn receive(&mut self) -> Result<Bytes, InboundError> {
        loop {
            let message = self.stream.next().await.ok_or(InboundError::Closed)?.map_err(broken)?;
            match (message, self.codec) {
                (Frame::Binary(bytes), Codec::Msgpack) => return Ok(bytes),
                (Frame::Text(text), Codec::Json) => return Ok(text.into()),
                (Frame::Ping(_) | Frame::Pong(_), _) => {}
                (Frame::Close(_), _) => return Err(InboundError::Closed),
                (Frame::Binary(_), codec) => return Err(InboundError::WrongMessage { got: "binary", codec }),
                (_, codec) => return Err(InboundError::WrongMessage { got: "text", codec }),
            }
        }
    }
}

fn broken(error: tungstenite::Error) -> InboundError {
    use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => InboundError::Closed,
        tungstenite::Error::Protocol(ResetWithoutClosingHandshake) => InboundError::Closed,
        tungstenite::Error::Io(error) => InboundError::Io(error),
        error => InboundError::WebSocket(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
