//! The life of the keeper of proposals.

use std::{sync::Arc, time::Duration};

use primitives::{Bytes, Domain, Height, NodeId, Proposal, Round, Signed, ValidatorSet};
use supervision::{ChildSpec, Context, Fault, Incarnation};
use tracing::debug;
use wire::{GetParts, Message as Wire, Outline, Part, PartsStart, chunks};

use super::{
    Arrived, ProposalsMailbox,
    book::{Book, Outcome},
    mailbox::Message,
};
use crate::{
    ledger::Ledger,
    p2p::{Deed, Offence, Peers},
};

/// A stream to which nothing came for this long is asked for again.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const FIRST: Incarnation = Incarnation(1);

/// What the keeper is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub domain: Domain,
    pub set: ValidatorSet,
    pub ledger: Ledger,
    pub peers: Peers,
    /// Where a whole block goes.
    pub arrived: Arc<dyn Fn(Arrived) + Send + Sync>,
    /// Called when an earlier life took the book of this height with it: consensus and signer say again what they said.
    pub forgot: Arc<dyn Fn() + Send + Sync>,
}

/// The keeper of one chain's proposals.
struct Proposals {
    parts: Parts,
    book: Book,
}

/// The child of the tree.
pub fn child(mailbox: &ProposalsMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("proposals", mailbox.address.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move {
            let tip = parts.ledger.tip()?;
            Ok(Proposals { book: Book::new(parts.domain, parts.set.clone(), tip), parts })
        }
    })
}

impl supervision::Actor for Proposals {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        context.every(LOOK_EVERY, || Message::Look).detach();
        if FIRST < context.incarnation() {
            (self.parts.forgot)();
        }
        Ok(())
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Start(peer, start) => {
                let outcome = self.book.start(peer, start);
                self.settle(peer, outcome);
            }
            Message::Part(peer, part) => {
                let outcome = self.book.part(peer, part);
                self.settle(peer, outcome);
            }
            Message::Want(peer, request) => self.serve(peer, &request),
            Message::Keep(height, value, body) => self.book.keep(height, value, body),
            Message::Accept(proposal) => self.book.accept(&proposal).into_iter().for_each(|arrived| (self.parts.arrived)(arrived)),
            Message::Note(proposal) => self.book.note(&proposal),
            Message::Round(height, round) => self.book.round_started(height, round),
            Message::Stream(height, round) => self.stream(height, round),
            Message::Committed(height) => self.book.committed(height),
            Message::Left(peer) => self.book.left(&peer),
            Message::Look => self.look(),
        }
        Ok(())
    }
}

impl Proposals {
    fn settle(&self, peer: NodeId, outcome: Outcome) {
        match outcome {
            Outcome::Ignored | Outcome::Waiting => {}
            Outcome::Whole(arrived) => {
                self.parts.peers.useful(&peer, Deed::Proposal, 1);
                (self.parts.arrived)(*arrived);
            }
            Outcome::Nonsense(reason) => drop(self.parts.peers.offence(&peer, Offence::BadStream, reason)),
            Outcome::TooMuch(reason) => drop(self.parts.peers.offence(&peer, Offence::Excess, reason)),
        }
    }

    fn stream(&self, height: Height, round: Round) {
        let body = self.book.proposal(height, round).and_then(|proposal| Some((proposal, self.book.body(height, proposal.message.value)?)));
        match body {
            Some((proposal, body)) => self.send(proposal, body, &[], None),
            None => debug!(%height, round = round.0, "nothing to stream: the proposal or its block is not here"),
        }
    }

    fn serve(&self, peer: NodeId, request: &GetParts) {
        if let Some((proposal, body)) = self.book.wanted(request) {
            self.send(proposal, body, &request.have, Some(peer));
        }
    }

    /// Each part goes once to each peer that listens; what finds no room there is asked for again.
    fn send(&self, proposal: &Signed<Proposal>, body: &Bytes, have: &[u32], peer: Option<NodeId>) {
        let Proposal { height, round, value, .. } = proposal.message;
        let start = PartsStart { proposal: proposal.clone(), outline: Outline::of(body) };
        self.parts.peers.say_to_listeners(peer, Wire::PartsStart(start));
        for (index, bytes) in chunks::cut(body).filter(|(index, _)| !have.contains(index)) {
            self.parts.peers.say_to_listeners(peer, Wire::Part(Part { height, round, value, index, bytes }));
        }
    }

    fn look(&mut self) {
        for (peer, request) in self.book.stale() {
            self.parts.peers.say(peer, Wire::GetParts(request));
        }
    }
}
