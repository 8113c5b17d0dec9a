//! Hands on what a peer says, and never waits for whom it says it to.

use std::{sync::Arc, time::Duration};

use primitives::Clock;
use supervision::Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, warn};
use wire::{
    Inbound, InboundError, Message as Word, Received, ValidatorProof,
    message::{Farewell, Ping, Pong},
};

use super::{
    super::{
        Config, Incoming, NoRoom, PartsMessage, Peer, PeerEvent, Peers, Route, Routes, StandingMessage, SyncMessage, store::StoreMailbox, trace,
    },
    actor::Message,
    quota::{Quota, Verdict},
};

/// Malformed frames after which a peer is left.
const MAX_NONSENSE: u32 = 16;
/// How long the session may take to hear of the end of its link.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error("the link ended: {0}")]
    Link(String),
    #[error("the peer said goodbye: {0:?}")]
    Goodbye(Farewell),
    #[error("the peer sent nonsense: {0}")]
    Nonsense(String),
    #[error("no room for its message of kind {0}; a new session begins with what is current")]
    Overflow(&'static str),
    #[error("it says more to consensus than anybody honest: {0} was one too many")]
    Flood(&'static str),
    #[error("the peer is silent")]
    Silent,
}

impl End {
    /// What to tell the peer, if it still listens.
    pub fn farewell(&self) -> Option<Farewell> {
        match self {
            Self::Link(_) | Self::Goodbye(_) => None,
            Self::Nonsense(_) => Some(Farewell::Nonsense),
            Self::Overflow(_) | Self::Flood(_) => Some(Farewell::Overflow),
            Self::Silent => Some(Farewell::Silent),
        }
    }
}

pub(super) struct Reader<S> {
    pub inbound: Inbound<S>,
    pub peer: Peer,
    pub peers: Peers,
    pub routes: Routes,
    pub store: StoreMailbox,
    pub session: Address<Message>,
    pub config: Arc<Config>,
    pub clock: Arc<dyn Clock>,
    pub quota: Quota,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Reads until the link ends, and tells the session why.
    pub async fn run(mut self) {
        let end = self.read().await;
        // A session that does not listen any more has ended already.
        let _ = self.session.send(Message::Ended(end), END_LIMIT).await;
    }

    async fn read(&mut self) -> End {
        let (mut nonsense, mut unknown) = (0, 0);
        loop {
            let next = self.inbound.next().await;
            self.peers.metrics().unknown(self.inbound.unknown() - unknown);
            unknown = self.inbound.unknown();
            let outcome = match next {
                Ok(received) => self.hear(received),
                Err(error) => self.complain(error, &mut nonsense),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    fn complain(&self, error: InboundError, nonsense: &mut u32) -> Result<(), End> {
        if !error.is_misconduct() {
            return Err(End::Link(error.to_string()));
        }
        self.peers.metrics().dropped("nonsense");
        *nonsense += 1;
        debug!(peer = %self.peer.node(), %error, nonsense, "malformed frame");
        if error.is_fatal() || MAX_NONSENSE <= *nonsense { Err(End::Nonsense(error.to_string())) } else { Ok(()) }
    }

    fn hear(&mut self, received: Received) -> Result<(), End> {
        let (kind, now) = (received.message.kind(), self.clock.monotonic());
        self.peer.heard(now);
        self.peers.metrics().message(kind, "inbound");
        let is_limited = is_for_consensus(&received.message);
        match if is_limited { self.quota.judge(self.peer.validator(), now) } else { Verdict::Deliver } {
            Verdict::Deliver => trace::received(kind, received.traceparent.as_ref()).in_scope(|| self.route(kind, received.message)),
            Verdict::Drop => {
                self.peers.metrics().dropped("strangers");
                Ok(())
            }
            Verdict::Leave => {
                self.peers.metrics().dropped("flood");
                Err(End::Flood(kind))
            }
        }
    }

    fn route(&self, kind: &'static str, word: Word) -> Result<(), End> {
        let routes = &self.routes;
        match word {
            Word::Consensus(message) => self.must_fit(kind, &routes.consensus, message),
            Word::CurrentRequest(request) => self.must_fit(kind, &routes.current, request),
            Word::StandingRequest(request) => self.must_fit(kind, &routes.standing, StandingMessage::Request(request)),
            Word::Standing(answer) => self.must_fit(kind, &routes.standing, StandingMessage::Answer(answer)),
            Word::PartsStart(start) => self.may_drop(kind, &routes.parts, PartsMessage::Start(start)),
            Word::Part(part) => self.may_drop(kind, &routes.parts, PartsMessage::Part(part)),
            Word::GetParts(request) => self.may_drop(kind, &routes.parts, PartsMessage::Get(request)),
            Word::Transactions(transactions) => self.may_drop(kind, &routes.transactions, transactions),
            Word::Status(status) => self.may_drop(kind, &routes.sync, SyncMessage::Status(status)),
            Word::GetBlocks(request) => self.may_drop(kind, &routes.sync, SyncMessage::Get(request)),
            Word::BlockChunk(chunk) => self.may_drop(kind, &routes.sync, SyncMessage::Chunk(chunk)),
            Word::GetAddrs(request) => self.fits_or_drops(kind, self.store.asked(self.incoming(request))),
            Word::Addrs(addrs) => self.fits_or_drops(kind, self.store.told(self.incoming(addrs))),
            Word::Ping(ping) => self.answer(ping),
            Word::Pong(pong) => self.note(pong),
            Word::ValidatorProof(proof) => self.believe(&proof),
            Word::Goodbye(goodbye) => Err(End::Goodbye(goodbye.reason)),
        }
    }

    fn must_fit<T>(&self, kind: &'static str, route: &Route<T>, message: T) -> Result<(), End> {
        route(self.incoming(message)).map_err(|NoRoom| End::Overflow(kind))
    }

    fn may_drop<T>(&self, kind: &'static str, route: &Route<T>, message: T) -> Result<(), End> {
        self.fits_or_drops(kind, route(self.incoming(message)))
    }

    fn fits_or_drops(&self, kind: &'static str, outcome: Result<(), NoRoom>) -> Result<(), End> {
        if outcome == Err(NoRoom) {
            self.peers.metrics().dropped(kind);
        }
        Ok(())
    }

    fn incoming<T>(&self, message: T) -> Incoming<T> {
        Incoming { from: self.peer.clone(), message }
    }

    fn answer(&self, ping: Ping) -> Result<(), End> {
        let pong = Word::Pong(Pong { nonce: ping.nonce, received_ms: self.clock.unix_ms() });
        if let Ok(pong) = self.peers.encode(pong) {
            // Without room the link is closed, and the writer tells.
            let _ = self.peer.send(&pong);
        }
        Ok(())
    }

    fn note(&self, pong: Pong) -> Result<(), End> {
        // Without room this answer counts as missed; only a peer that floods us gets there.
        let _ = self.session.try_send(Message::Pong(pong));
        Ok(())
    }

    fn believe(&self, proof: &ValidatorProof) -> Result<(), End> {
        let (node, validator) = (self.peer.node(), proof.validator.address());
        if !proof.holds_for(node, self.peers.domain()) {
            self.peers.metrics().signature_failure();
            warn!(peer = %node, %validator, "the peer claims to speak for a validator and cannot prove it");
            return Err(End::Nonsense(format!("its proof for validator {validator} does not hold")));
        }
        if !self.config.is_validator(&validator) {
            debug!(peer = %node, %validator, "the peer speaks for a key that is no validator's");
        } else if self.peer.prove(validator) {
            debug!(peer = %node, %validator, "the peer speaks for a validator");
            (self.routes.events)(PeerEvent::Validator(self.peer.clone()));
        }
        Ok(())
    }
}

/// Whether it goes to the mailbox where a vote that finds no room ends a session.
fn is_for_consensus(word: &Word) -> bool {
    matches!(word, Word::Consensus(_) | Word::CurrentRequest(_) | Word::StandingRequest(_) | Word::Standing(_))
}
