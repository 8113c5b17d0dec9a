//! The life of one WebSocket: calls in, answers and news out, all in the task of its connection.
//!
//! Messages are answered a few at a time, in the order in which they are ready, and nothing more is read while that many are under way or
//! while the client does not read. News are read from the node when the client has taken what came before, so nothing is stored up for
//! it; a client that falls too far behind is told why and cut.

use std::{future::Future, pin::pin, time::Duration};

use alloy_primitives::B256;
use axum::body::to_bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{self, FuturesUnordered},
};
use http::{Method, header};
use primitives::Height;
use soketto::{Incoming, connection::Error};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{Receiver, Sender};
use crate::{
    Backend, SyncStatus, config,
    eth::{self, Socket},
    http::rpc,
    news::News,
    rpc::Service,
    subscriptions::{ended, told},
};

/// How long a subscriber rests when the node cannot be read just now.
const READ_PAUSE: Duration = Duration::from_millis(250);
/// Waiting transactions that are told before other things have their turn.
const TOLD_AT_ONCE: usize = 64;

/// Something a client sent.
enum Heard {
    Message(Vec<u8>),
    /// An answer to a ping.
    Pong,
}

/// One WebSocket with its subscriptions.
struct Session<B> {
    sender: Sender,
    calls: Service<B>,
    socket: Socket,
    news: News<B>,
    heads: watch::Receiver<Height>,
    /// Filled once somebody subscribes to waiting transactions.
    pending: Option<broadcast::Receiver<B256>>,
}

/// What a session does next after it told something.
enum Next {
    GoOn,
    /// The client is too slow, and this is what it hears last.
    Cut(String),
}

/// Answers and tells until the client leaves, is cut, or `stop` turns true.
pub(super) async fn run<B: Backend>(sender: Sender, receiver: Receiver, calls: Service<B>, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    let mut heard = pin!(listen(receiver));
    let mut answers = FuturesUnordered::new();
    let (mut ping, mut look) = (every(config::PING_INTERVAL), every(config::SYNC_LOOK_INTERVAL));
    let mut unanswered_pings = 0;
    let mut session = Session::new(sender, calls);
    loop {
        let next_block = session.socket.subscriptions().next_block();
        let wants_syncing = session.socket.subscriptions().wants_syncing();
        let next = tokio::select! {
            () = stopped(&mut stop) => break,
            Some((answer, message)) = answers.next() => {
                session.listen_for_transactions();
                session.write(answer).await?;
                Socket::announce(&message);
                Next::GoOn
            }
            next = heard.next(), if answers.len() < config::MAX_CALLS_IN_FLIGHT => {
                unanswered_pings = 0;
                match next {
                    None => return Ok(()),
                    Some(Ok(Heard::Pong)) => {}
                    Some(Ok(Heard::Message(message))) => answers.push(answer(message, session.calls.clone(), session.socket.next_message())),
                    Some(Err(error)) => return session.refuse(error).await,
                }
                Next::GoOn
            }
            (height, tip) = decided(&mut session.heads, next_block) => session.tell_block(height, tip).await?,
            hash = became_executable(&mut session.pending) => session.tell_transactions(hash).await?,
            _ = look.tick(), if wants_syncing => session.tell_syncing().await?,
            _ = ping.tick() => {
                if 2 <= unanswered_pings {
                    return Err(Error::Closed);
                }
                unanswered_pings += 1;
                in_time(send_ping(&mut session.sender)).await?;
                Next::GoOn
            }
        };
        if let Next::Cut(reason) = next {
            return session.cut(&reason).await;
        }
    }
    // What was asked before the stop is still answered; `serve` bounds how long.
    while let Some((answer, _)) = answers.next().await {
        session.write(answer).await?;
    }
    in_time(session.sender.close()).await
}

impl<B: Backend> Session<B> {
    fn new(sender: Sender, calls: Service<B>) -> Self {
        let (news, heads) = (calls.news().clone(), calls.backend().heads());
        Self { sender, calls, socket: Socket::default(), news, heads, pending: None }
    }

    /// Begins before the client learns that it has subscribed, so that nothing it causes then is missed.
    fn listen_for_transactions(&mut self) {
        match self.socket.subscriptions().wants_pending() {
            true if self.pending.is_none() => self.pending = Some(self.calls.backend().pending()),
            true => {}
            false => self.pending = None,
        }
    }

    async fn tell_block(&mut self, height: Height, tip: Height) -> Result<Next, Error> {
        let behind = tip.0.saturating_sub(height.0);
        if config::MAX_BLOCKS_BEHIND < behind {
            return Ok(Next::Cut(format!("too slow: {behind} blocks behind, the limit is {}", config::MAX_BLOCKS_BEHIND)));
        }
        let block = match self.news.block(height).await {
            Ok(block) => block,
            Err(error) => {
                tracing::debug!(%height, %error, "a subscriber waits for a block that cannot be read");
                sleep(READ_PAUSE).await;
                return Ok(Next::GoOn);
            }
        };
        let due = self.socket.subscriptions().tell(height);
        for (id, filter) in due {
            let Some(filter) = filter else {
                self.send(told(id, &block.head)).await?;
                continue;
            };
            let is_wanted = |log: &&alloy_rpc_types_eth::Log| filter.matches_block_range(height.0) && filter.matches(&log.inner);
            for log in block.logs.iter().filter(is_wanted) {
                self.send(told(id, log)).await?;
            }
        }
        in_time(self.sender.flush()).await?;
        Ok(Next::GoOn)
    }

    /// Tells of `first` and of what came with it.
    async fn tell_transactions(&mut self, first: Result<B256, RecvError>) -> Result<Next, Error> {
        let mut hashes = Vec::new();
        match first {
            Ok(hash) => hashes.push(hash),
            Err(RecvError::Lagged(missed)) => return Ok(Next::Cut(format!("too slow: {missed} waiting transactions were missed"))),
            Err(RecvError::Closed) => self.pending = None,
        }
        if let Some(pending) = &mut self.pending {
            hashes.extend(std::iter::from_fn(|| pending.try_recv().ok()).take(TOLD_AT_ONCE));
        }
        let wanted = self.socket.subscriptions().pending();
        for hash in hashes {
            self.tell_transaction(hash, &wanted).await?;
        }
        in_time(self.sender.flush()).await?;
        Ok(Next::GoOn)
    }

    async fn tell_transaction(&mut self, hash: B256, wanted: &[(crate::identifier::Identifier, bool)]) -> Result<(), Error> {
        let full = match wanted.iter().any(|(_, is_full)| *is_full) {
            true => eth::pending(self.calls.backend(), hash).await.ok().flatten(),
            false => None,
        };
        for (id, is_full) in wanted {
            match (is_full, &full) {
                (false, _) => self.send(told(*id, &hash)).await?,
                (true, Some(transaction)) => self.send(told(*id, transaction)).await?,
                // It has left the pool already, without a block.
                (true, None) => {}
            }
        }
        Ok(())
    }

    async fn tell_syncing(&mut self) -> Result<Next, Error> {
        // A node that cannot say is asked again at the next look.
        let Ok(status) = self.calls.backend().sync_status().await else { return Ok(Next::GoOn) };
        let due = self.socket.subscriptions().syncing(status != SyncStatus::Synced);
        for id in due {
            self.send(told(id, &eth::sync_news(status))).await?;
        }
        in_time(self.sender.flush()).await?;
        Ok(Next::GoOn)
    }

    async fn send(&mut self, text: String) -> Result<(), Error> {
        in_time(self.sender.send_text_owned(text)).await
    }

    async fn write(&mut self, answer: Option<String>) -> Result<(), Error> {
        let Some(text) = answer else { return Ok(()) };
        self.send(text).await?;
        in_time(self.sender.flush()).await
    }

    /// The last message says why; a close frame of this library has no room for it.
    async fn cut(mut self, reason: &str) -> Result<(), Error> {
        tracing::debug!(reason, "a subscriber is cut");
        self.calls.metrics().cut();
        let first = self.socket.subscriptions().first();
        if let Some(id) = first {
            self.send(ended(id, reason)).await?;
        }
        in_time(self.sender.close()).await
    }

    /// Says why before it closes, where the client can still be told.
    async fn refuse(mut self, error: Error) -> Result<(), Error> {
        if matches!(error, Error::MessageTooLarge { .. } | Error::Codec(_)) {
            self.send(rpc::too_large_text()).await?;
            in_time(self.sender.close()).await?;
        }
        Err(error)
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Ready once the API stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone has stopped as well.
    stop.wait_for(|stop| *stop).await.ok();
}

/// `next` and the tip, once `next` is decided; never when nobody waits for a block.
async fn decided(heads: &mut watch::Receiver<Height>, next: Option<Height>) -> (Height, Height) {
    let Some(next) = next else { return std::future::pending().await };
    let tip = heads.wait_for(|tip| next <= *tip).await.map(|tip| *tip);
    match tip {
        Ok(tip) => (next, tip),
        // The node is stopping, and so does this session soon.
        Err(_) => std::future::pending().await,
    }
}

async fn became_executable(pending: &mut Option<broadcast::Receiver<B256>>) -> Result<B256, RecvError> {
    match pending {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

/// Messages as a stream, because reading one must not be begun anew whenever something else happens.
fn listen(receiver: Receiver) -> impl Stream<Item = Result<Heard, Error>> {
    stream::unfold(receiver, |mut receiver| async {
        let mut message = Vec::new();
        match receiver.receive(&mut message).await {
            Ok(Incoming::Data(_)) => Some((Ok(Heard::Message(message)), receiver)),
            Ok(Incoming::Pong(_)) => Some((Ok(Heard::Pong), receiver)),
            Ok(Incoming::Closed(_)) | Err(Error::Closed) => None,
            Err(error) => Some((Err(error), receiver)),
        }
    })
}

/// The answer to one message, through the same door as a request over HTTP; none when there is nothing to say.
async fn answer<B: Backend>(message: Vec<u8>, calls: Service<B>, socket: Socket) -> (Option<String>, Socket) {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = Method::POST;
    parts.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let response = rpc::answer(parts, message.into(), calls.over(socket.clone())).await;
    // The body is in memory already and bounded where it was made.
    let body = to_bytes(response.into_body(), usize::MAX).await.ok().filter(|body| !body.is_empty());
    (body.and_then(|body| String::from_utf8(body.into()).ok()), socket)
}

async fn send_ping(sender: &mut Sender) -> Result<(), Error> {
    let nothing: &[u8] = &[];
    sender.send_ping(nothing.try_into().map_err(|_| Error::Closed)?).await?;
    sender.flush().await
}

/// A client that does not read is given up.
async fn in_time(sending: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout(config::SEND_LIMIT, sending).await.unwrap_or(Err(Error::Closed))
}
