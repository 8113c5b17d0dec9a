//! The writing half of a link: a handle that never waits, and the writer its owner runs.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, stream::SplitSink};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{self, Message as Frame, Utf8Bytes};

use crate::{
    Codec, Encoded, Lane, Limits, TooLarge,
    handshake::Socket,
    queues::{Full, Queues},
};

/// Puts frames into the lanes of one link. Cheap to clone; good until the link ends.
#[derive(Clone)]
pub struct Outbound {
    codec: Codec,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    bell: Notify,
}

struct State {
    queues: Queues,
    is_closed: bool,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the link is closed")]
    Closed,
}

/// Why writing ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the socket took nothing for {limit:?}")]
    Stalled { limit: Duration },
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    #[error("the WebSocket failed: {0}")]
    WebSocket(String),
}

impl Outbound {
    pub(crate) fn new(codec: Codec, limits: &Limits) -> Self {
        let state = State { queues: Queues::new(&limits.queues), is_closed: false };
        Self { codec, shared: Arc::new(Shared { state: Mutex::new(state), bell: Notify::new() }) }
    }

    /// Queues a message in its lane, without waiting.
    pub fn try_send(&self, message: &Encoded) -> Result<(), SendError> {
        let frame = message.frame(self.codec)?;
        let mut state = self.shared.state();
        if state.is_closed {
            return Err(SendError::Closed);
        }
        state.queues.push(message.lane(), frame)?;
        drop(state);
        self.shared.bell.notify_one();
        Ok(())
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Bytes that wait in `lane`.
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        self.shared.state().queues.queued_bytes(lane)
    }

    /// Takes no more. The writer sends what waits among the votes, then a WebSocket close, and ends.
    pub fn close(&self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        state.queues.keep_votes_only();
        drop(state);
        self.shared.bell.notify_one();
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({})", self.codec)
    }
}

impl Shared {
    /// Queues stay whole whatever panics beside them.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what was queued, one flush for each turn. Its owner runs it; dropped, it closes the [`Outbound`].
pub struct Writer<S> {
    sink: SplitSink<Socket<S>, Frame>,
    codec: Codec,
    shared: Arc<Shared>,
    flush: Duration,
    farewell: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    pub(crate) fn new(sink: SplitSink<Socket<S>, Frame>, outbound: &Outbound, limits: &Limits) -> Self {
        let (codec, shared) = (outbound.codec, outbound.shared.clone());
        Self { sink, codec, shared, flush: limits.flush, farewell: limits.farewell }
    }

    /// Runs until [`Outbound::close`] or until the socket breaks.
    pub async fn run(mut self) -> Result<(), WriteError> {
        loop {
            let (turn, is_closed) = self.next_turn();
            match (turn.is_empty(), is_closed) {
                (false, false) => self.write(turn, self.flush).await?,
                (false, true) => self.write(turn, self.farewell).await?,
                (true, false) => self.shared.bell.notified().await,
                (true, true) => return self.close().await,
            }
        }
    }

    fn next_turn(&self) -> (Vec<u8>, bool) {
        let mut state = self.shared.state();
        (state.queues.turn(), state.is_closed)
    }

    async fn write(&mut self, turn: Vec<u8>, limit: Duration) -> Result<(), WriteError> {
        let frame = frame(self.codec, turn)?;
        let sent = timeout(limit, self.sink.send(frame)).await.map_err(|_| WriteError::Stalled { limit })?;
        sent.map_err(broken)
    }

    async fn close(&mut self) -> Result<(), WriteError> {
        let limit = self.farewell;
        let closed = timeout(limit, self.sink.close()).await.map_err(|_| WriteError::Stalled { limit })?;
        match closed {
            Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Ok(()),
            closed => closed.map_err(broken),
        }
    }
}

impl<S> Drop for Writer<S> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        state.queues.clear();
    }
}

fn frame(codec: Codec, turn: Vec<u8>) -> Result<Frame, WriteError> {
    match codec {
        Codec::Msgpack => Ok(Frame::Binary(turn.into())),
        Codec::Json => {
            let text = Utf8Bytes::try_from(Bytes::from(turn)).map_err(|error| WriteError::WebSocket(error.to_string()))?;
            Ok(Frame::Text(text))
        }
    }
}

fn broken(error: tungstenite::Error) -> WriteError {
    match error {
        tungstenite::Error::Io(error) => WriteError::Io(error),
        error => WriteError::WebSocket(error.to_string()),
    }
}
