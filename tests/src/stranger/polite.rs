//! A peer that proved who it is and answers pings; what else it says is up to whoever holds it.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use primitives::{Domain, NodeId, SecretKey};
use tokio::{task::JoinHandle, time::timeout};
use wire::{Codec, Encoded, Identity, Limits, Message, Outbound, Pong, SendError};

use super::{STEP_LIMIT, Target};

/// How long a flood pauses when its own queue is full.
const PAUSE: Duration = Duration::from_millis(1);

/// Hears everything that the victim says.
pub type Ear = Arc<dyn Fn(&Message) + Send + Sync>;

/// An open session.
pub struct Polite {
    pub node: NodeId,
    domain: Domain,
    outbound: Outbound,
    /// Says why the session ended.
    life: JoinHandle<String>,
}

impl Polite {
    pub async fn connect(target: &Target, key: &SecretKey, ear: Ear) -> Result<Self> {
        Self::connect_from(target, key, target.from, ear).await
    }

    pub async fn connect_from(target: &Target, key: &SecretKey, from: Ipv4Addr, ear: Ear) -> Result<Self> {
        let identity = Identity::new(key.clone(), target.domain)?;
        let limits = Limits::standard(vec![Codec::Msgpack]);
        let connecting = wire::dial(target.connect_from(from).await?, &identity, Some(target.node.into()), &limits);
        let connection = timeout(STEP_LIMIT, connecting).await.context("the handshake takes for ever")??;
        let (outbound, mut inbound, domain) = (connection.outbound.clone(), connection.inbound, target.domain);
        let answers = outbound.clone();
        let life = tokio::spawn(async move {
            let reading = async {
                loop {
                    let received = match inbound.next().await {
                        Ok(received) => received,
                        Err(error) => return error.to_string(),
                    };
                    ear(&received.message);
                    match received.message {
                        Message::Ping(ping) => {
                            let pong = Message::Pong(Pong { nonce: ping.nonce, received_ms: ping.sent_ms });
                            // Without room, because of a flood, the victim misses an answer.
                            let _ = say(&answers, &domain, pong);
                        }
                        Message::Goodbye(goodbye) => return format!("goodbye: {:?}", goodbye.reason),
                        _ => {}
                    }
                }
            };
            tokio::select! {
                why = reading => why,
                written = connection.writer.run() => format!("the writer ended: {written:?}"),
            }
        });
        Ok(Self { node: identity.node(), domain, outbound, life })
    }

    pub fn say(&self, message: Message) -> Result<(), SendError> {
        say(&self.outbound, &self.domain, message)
    }

    pub fn is_over(&self) -> bool {
        self.life.is_finished()
    }

    /// Says what `next` gives as fast as the victim takes it, for so long or until the session ends.
    pub async fn floods(&self, length: Duration, mut next: impl FnMut(u64) -> Message) {
        let started = Instant::now();
        for number in 0.. {
            if length < started.elapsed() || self.is_over() {
                return;
            }
            let message = next(number);
            while matches!(self.say(message.clone()), Err(SendError::Full(_))) && !self.is_over() && started.elapsed() < length {
                tokio::time::sleep(PAUSE).await;
            }
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until the victim has ended the session; says why it did.
    pub async fn until_cut(self, limit: Duration) -> Result<String> {
        let why = timeout(limit, self.life).await.with_context(|| format!("the session was not ended within {limit:?}"))?;
        Ok(why?)
    }

    pub fn leave(self) {
        self.life.abort();
    }
}

fn say(outbound: &Outbound, domain: &Domain, message: Message) -> Result<(), SendError> {
    outbound.try_send(&Encoded::new(domain.chain_id, message, None)?)
}
