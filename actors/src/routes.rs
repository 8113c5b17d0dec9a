//! Where the words of peers go: from a session to the mailbox that wants them, without ever waiting.

use std::sync::Arc;

use consensus::host::Event;
use wire::{
    Encoded, Message as Wire,
    message::{CurrentRequest, Status},
};

use crate::{
    consensus::ConsensusMailbox,
    evidence::EvidenceMailbox,
    ledger::Ledger,
    mempool::MempoolMailbox,
    p2p::{Incoming, NoRoom, PartsMessage, Peer, PeerEvent, Routes, StandingMessage, SyncMessage, TransactionsMessage},
    proposals::ProposalsMailbox,
    sync::SyncMailbox,
};

/// The mailboxes that peers' words go to.
#[derive(Clone)]
pub struct Destinations {
    pub consensus: ConsensusMailbox,
    pub proposals: ProposalsMailbox,
    pub mempool: MempoolMailbox,
    pub sync: SyncMailbox,
    pub evidence: EvidenceMailbox,
    pub ledger: Ledger,
    /// This node has no vote: it asks for blocks when they are decided, and not to hear how.
    pub follows: bool,
    /// The chain id that our words carry.
    pub chain_id: u64,
}

/// The routes of one node's sessions.
pub fn routes(to: &Destinations) -> Routes {
    Routes {
        consensus: with(to, |to, Incoming { from, message }| to.consensus.message(from.node(), message)),
        current: with(to, |to, Incoming { from, .. }: Incoming<CurrentRequest>| to.consensus.happened(Event::RoundAsked { by: from.node() })),
        standing: with(to, |to, Incoming { from, message }| match message {
            StandingMessage::Request(request) => to.consensus.asked(from.node(), request),
            StandingMessage::Answer(answer) => to.consensus.answered(from.node(), answer),
        }),
        parts: with(to, |to, Incoming { from, message }| match message {
            PartsMessage::Start(start) => to.proposals.start(from.node(), start),
            PartsMessage::Part(part) => to.proposals.part(from.node(), part),
            PartsMessage::Get(request) => to.proposals.want(from.node(), request),
        }),
        transactions: with(to, |to, Incoming { from, message }| match message {
            TransactionsMessage::These(these) => to.mempool.offer(Some(from.node()), these.transactions),
            TransactionsMessage::Have(have) => to.mempool.announced(from.node(), have.hashes),
            TransactionsMessage::Get(get) => to.mempool.asked(from.node(), get.hashes),
        }),
        sync: with(to, |to, Incoming { from, message }| match message {
            SyncMessage::Status(status) => to.sync.status(from.node(), status.height),
            SyncMessage::Get(request) => to.sync.serve(from.node(), request),
            SyncMessage::Chunk(chunk) => to.sync.chunk(from.node(), chunk),
        }),
        evidence: with(to, |to, Incoming { from, message }| to.evidence.heard(from.node(), message)),
        events: {
            let to = to.clone();
            Arc::new(move |event| happened(&to, event))
        },
    }
}

fn with<T: 'static>(to: &Destinations, deliver: impl Fn(&Destinations, Incoming<T>) -> bool + Send + Sync + 'static) -> crate::p2p::Route<T> {
    let to = to.clone();
    Arc::new(move |incoming| if deliver(&to, incoming) { Ok(()) } else { Err(NoRoom) })
}

/// A session that begins says what is current on our side and asks for the other's.
fn happened(to: &Destinations, event: PeerEvent) {
    match event {
        PeerEvent::Up(peer) => {
            to.consensus.happened(Event::PeerUp { node: peer.node(), validator: peer.validator() });
            greet(to, &peer);
            to.evidence.greet(peer.node());
        }
        PeerEvent::Validator(peer) => drop(to.consensus.happened(Event::PeerUp { node: peer.node(), validator: peer.validator() })),
        PeerEvent::Measured(peer) => measured(to, &peer),
        PeerEvent::Down(node) => {
            to.consensus.happened(Event::PeerDown { node });
            to.proposals.left(node);
            to.sync.left(node);
        }
    }
}

fn measured(to: &Destinations, peer: &Peer) {
    if let Some(round_trip) = peer.round_trip().filter(|_| peer.validator().is_some()) {
        to.consensus.happened(Event::RoundTrip(round_trip));
    }
}

fn greet(to: &Destinations, peer: &Peer) {
    let Ok(head) = to.ledger.head() else { return };
    let height = primitives::Height(head.header.number);
    let status = Wire::Status(Status { height, hash: head.hash });
    let current = (!to.follows).then(|| Wire::CurrentRequest(CurrentRequest { height: height.next() }));
    for message in [status].into_iter().chain(current) {
        // A session that takes nothing is over already.
        let _ = Encoded::new(to.chain_id, message, None).map(|message| peer.send(&message));
    }
}
