//! Hands on what a peer says, and never waits for whom it says it to.

use std::{sync::Arc, time::Duration};

use primitives::Clock;
use supervision::Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;
use wire::{
    Encoded, Inbound, InboundError, Message as Word, Received, ValidatorProof,
    message::{Farewell, Ping, Pong},
};

use super::{
    super::{
        Config, Incoming, NoRoom, Offence, PartsMessage, Peer, PeerEvent, Peers, Route, Routes, StandingMessage, SyncMessage, TransactionsMessage,
        store::StoreMailbox,
        tap::{Content, Frame, MALFORMED},
        trace,
    },
    actor::Message,
    class::{Class, Meters},
    quota::{Quota, Verdict},
};

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
    #[error("it says more than anybody honest: {0} was one too many")]
    Flood(&'static str),
    #[error("we leave it: {0}")]
    Cut(&'static str),
    #[error("the peer is silent")]
    Silent,
    #[error("the socket took nothing for {0:?}")]
    Slow(Duration),
}

impl End {
    /// What to tell the peer, if it still listens.
    pub fn farewell(&self) -> Option<Farewell> {
        match self {
            Self::Link(_) | Self::Goodbye(_) | Self::Cut(_) | Self::Slow(_) => None,
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
    pub meters: Meters,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Reads until the link ends, and tells the session why.
    pub async fn run(mut self) {
        let end = self.read().await;
        // A session that does not listen any more has ended already.
        let _ = self.session.send(Message::Ended(end), END_LIMIT).await;
    }

    async fn read(&mut self) -> End {
        let mut unknown = 0;
        loop {
            let next = self.inbound.next().await;
            self.peers.metrics().unknown(self.inbound.unknown() - unknown);
            unknown = self.inbound.unknown();
            let outcome = match next {
                Ok(received) => self.hear(received),
                Err(error) => self.complain(&error),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    fn complain(&self, error: &InboundError) -> Result<(), End> {
        if !error.is_misconduct() {
            return Err(End::Link(error.to_string()));
        }
        self.peers.metrics().dropped("nonsense");
        if self.peers.tap().is_open() {
            let content = Content::Unreadable(error.to_string());
            self.peers.tap().note(self.peer.key(), Frame { direction: "inbound", kind: MALFORMED, lane: None, bytes: 0, content });
        }
        let offence = if error.is_fatal() { Offence::Broken } else { Offence::Malformed };
        if self.peers.offence(&self.peer.node(), offence, error) { Err(End::Nonsense(error.to_string())) } else { Ok(()) }
    }

    fn hear(&mut self, received: Received) -> Result<(), End> {
        if let Some(reason) = self.peer.left_for() {
            return Err(End::Cut(reason));
        }
        let (kind, now) = (received.message.kind(), self.clock.monotonic());
        self.peer.heard(received.bytes, now);
        self.peers.metrics().message(kind, "inbound");
        self.tap(&received);
        let class = Class::of(&received.message);
        let verdict = match class {
            Some(class) => self.meters.judge(class, received.bytes, self.peers.has_seat(&self.peer), now),
            None if matches!(received.message, Word::Goodbye(_)) => Verdict::Deliver,
            None => self.quota.judge(self.peer.validator(), now),
        };
        match verdict {
            Verdict::Deliver => trace::received(kind, received.traceparent.as_ref()).in_scope(|| self.route(kind, received.message)),
            Verdict::Drop => {
                self.peers.metrics().dropped(class.map_or("strangers", Class::name));
                Ok(())
            }
            Verdict::Leave => {
                self.peers.metrics().dropped("flood");
                self.peers.offence(&self.peer.node(), Offence::Flood, kind);
                Err(End::Flood(kind))
            }
        }
    }

    fn tap(&self, received: &Received) {
        let tap = self.peers.tap();
        if tap.is_open() {
            let message = &received.message;
            let whole = tap.is_whole().then(|| Encoded::new(self.peers.domain().chain_id, message.clone(), received.traceparent.clone()));
            let content = whole.and_then(Result::ok).map_or(Content::None, Content::Whole);
            let (kind, lane) = (message.kind(), Some(message.lane().name()));
            tap.note(self.peer.key(), Frame { direction: "inbound", kind, lane, bytes: received.bytes, content });
        }
    }

    fn route(&self, kind: &'static str, word: Word) -> Result<(), End> {
        let routes = &self.routes;
        match word {
            Word::Consensus(message) => self.must_fit(kind, &routes.consensus, message),
            Word::CurrentRequest(request) => {
                // Before it is answered, so that nothing is said between the answer and what follows it.
                self.peer.begins_to_listen();
                self.must_fit(kind, &routes.current, request)
            }
            Word::StandingRequest(request) => self.must_fit(kind, &routes.standing, StandingMessage::Request(request)),
            Word::Standing(answer) => self.must_fit(kind, &routes.standing, StandingMessage::Answer(answer)),
            Word::PartsStart(start) => self.may_drop(kind, &routes.parts, PartsMessage::Start(start)),
            Word::Part(part) => self.may_drop(kind, &routes.parts, PartsMessage::Part(part)),
            Word::GetParts(request) => self.may_drop(kind, &routes.parts, PartsMessage::Get(request)),
            Word::Transactions(these) => self.may_drop(kind, &routes.transactions, TransactionsMessage::These(these)),
            Word::HaveTransactions(have) => self.may_drop(kind, &routes.transactions, TransactionsMessage::Have(have)),
            Word::GetTransactions(get) => self.may_drop(kind, &routes.transactions, TransactionsMessage::Get(get)),
            Word::Status(status) => self.may_drop(kind, &routes.sync, SyncMessage::Status(status)),
            Word::GetBlocks(request) => self.may_drop(kind, &routes.sync, SyncMessage::Get(request)),
            Word::Evidence(piece) => self.may_drop(kind, &routes.evidence, *piece),
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
        // Only what would change something is worth checking a signature.
        if self.peer.validator().is_some() {
            return Ok(());
        }
        if !self.config.is_validator(&validator) {
            debug!(peer = %node, %validator, "the peer speaks for a key that is no validator's");
            return Ok(());
        }
        if !proof.holds_for(node, self.peers.domain()) {
            self.peers.metrics().signature_failure();
            let reason = format!("its proof for validator {validator} does not hold");
            self.peers.offence(&node, Offence::ForgedProof, &reason);
            return Err(End::Nonsense(reason));
        }
        if self.peer.prove(validator) {
            debug!(peer = %node, %validator, "the peer speaks for a validator");
            if self.config.validators.is_some() {
                self.peers.exempt().proved(validator, node);
            }
            (self.routes.events)(PeerEvent::Validator(self.peer.clone()));
        }
        Ok(())
    }
}
