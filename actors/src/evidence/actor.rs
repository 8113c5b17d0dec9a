//! The life of the keeper of evidence.

use std::{collections::BTreeSet, time::Duration};

use primitives::{Domain, Evidence, NodeId, Offence, ValidatorSet, limits::MAX_VALIDATORS};
use supervision::{ChildSpec, Context, Fault, Incarnation};
use tracing::{debug, warn};
use wire::Message as Wire;

use super::{
    EvidenceMailbox, EvidenceMetrics, MAX_OF_ONE,
    book::{Book, Standing},
    mailbox::Message,
};
use crate::{
    ledger::Ledger,
    p2p::Peers,
    storage::{Batch, Keyspace, StorageMailbox},
};

const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Pieces of peers on their way to the disk at a time.
const MAX_WRITING: usize = 64;
/// Pieces that are read back.
const MAX_RESTORED: usize = MAX_VALIDATORS * MAX_OF_ONE;

/// What the keeper is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub domain: Domain,
    pub set: ValidatorSet,
    pub ledger: Ledger,
    pub storage: StorageMailbox,
    pub peers: Peers,
    pub metrics: EvidenceMetrics,
}

struct Keeper {
    parts: Parts,
    book: Book,
    /// Proved by peers and on their way to the disk.
    writing: BTreeSet<Offence>,
}

/// The child of the tree.
pub fn child(mailbox: &EvidenceMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("evidence", mailbox.address.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move { Ok(Keeper { book: Book::restored(parts.ledger.evidence(MAX_RESTORED)?), parts, writing: BTreeSet::new() }) }
    })
}

/// Writes a piece in the place of its offence.
pub(crate) fn put(batch: &mut Batch, piece: &Evidence) {
    let bytes = |value: Result<Vec<u8>, _>| value.expect("values in memory always have a MessagePack form");
    let place = primitives::keccak256(bytes(rmp_serde::to_vec(&piece.offence())));
    batch.put(Keyspace::Evidence, place.to_vec(), bytes(rmp_serde::to_vec(piece)));
}

impl supervision::Actor for Keeper {
    type Message = Message;

    /// What an earlier life did not get round to telling is told now. In the first one nobody is there to hear it.
    async fn started(&mut self, _: &mut Context<Message>) -> Result<(), Fault> {
        self.book.recent().for_each(|piece| self.parts.peers.say(None, Wire::Evidence(Box::new(piece.clone()))));
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Found(pieces) => pieces.into_iter().for_each(|piece| self.learn(piece, None)),
            Message::Heard(from, piece) => self.heard(from, *piece, context),
            Message::Greet(peer) => self.book.recent().for_each(|piece| self.parts.peers.say(Some(peer), Wire::Evidence(Box::new(piece.clone())))),
            Message::Written(from, piece, is_kept) => self.written(from, *piece, is_kept),
        }
        Ok(())
    }
}

impl Keeper {
    /// Tells everybody but whom it came from.
    fn learn(&mut self, piece: Evidence, from: Option<NodeId>) {
        if !self.book.learn(piece.clone()) {
            return;
        }
        for peer in self.parts.peers.list().iter().filter(|peer| Some(peer.node()) != from) {
            self.parts.peers.say(Some(peer.node()), Wire::Evidence(Box::new(piece.clone())));
        }
    }

    fn heard(&mut self, from: NodeId, piece: Evidence, context: &Context<Message>) {
        let outcome = match self.book.standing(&piece) {
            Standing::Known => "known",
            Standing::New if self.writing.contains(&piece.offence()) => "known",
            Standing::New if MAX_WRITING <= self.writing.len() => "busy",
            Standing::Enough => "enough",
            Standing::New => self.judge(from, piece, context),
        };
        self.parts.metrics.heard(outcome);
    }

    fn written(&mut self, from: NodeId, piece: Evidence, is_kept: bool) {
        self.writing.remove(&piece.offence());
        if is_kept {
            self.learn(piece, Some(from));
        }
    }

    fn judge(&mut self, from: NodeId, piece: Evidence, context: &Context<Message>) -> &'static str {
        if let Err(error) = piece.verify(&self.parts.set, &self.parts.domain) {
            warn!(peer = %from, %error, "evidence from a peer proves nothing");
            self.parts.peers.dismiss(&from);
            return "forged";
        }
        warn!(peer = %from, validator = %piece.validator(), height = %piece.height(), "a peer proves that a validator contradicted itself");
        self.writing.insert(piece.offence());
        let (storage, address) = (self.parts.storage.clone(), context.address().clone());
        context.task("keep", async move {
            let mut batch = Batch::loose();
            put(&mut batch, &piece);
            let written = storage.commit(batch, WRITE_LIMIT).await;
            if let Err(error) = &written {
                debug!(%error, "evidence from a peer is not kept; who has it tells it again");
            }
            // Refused only when this life is over; the next one reads it from disk.
            let _ = address.send(Message::Written(from, Box::new(piece), written.is_ok()), WRITE_LIMIT).await;
        });
        "new"
    }
}
