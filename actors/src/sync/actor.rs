//! The life of sync.

use std::{sync::Arc, time::Duration};

use primitives::{Clock, Domain, Height, NodeId, ValidatorSet};
use storage::ReadError;
use supervision::{ChildSpec, Context, Fault, Incarnation};
use tracing::debug;
use wire::{BlockChunk, DecidedBlock, GetBlocks, Lane, Message as Wire, Outline, TooLarge, chunks};

use super::{
    SyncMailbox, SyncView,
    fetched::{Fetched, Incoming, check},
    mailbox::Message,
    plan::{MAX_BLOCKS_PER_REQUEST, Plan},
};
use crate::{
    consensus::ConsensusMailbox,
    execution::Decided,
    ledger::Ledger,
    p2p::{Deed, Offence, Peers},
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A block that was handed on and is not committed after this long is fetched again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// The same when consensus says that it stands still.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Bytes of blocks that may wait for a peer before it gets another one.
const SERVED_AHEAD_BYTES: usize = 8 << 20;

/// What sync is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub domain: Domain,
    pub set: ValidatorSet,
    pub ledger: Ledger,
    pub peers: Peers,
    pub consensus: ConsensusMailbox,
    pub clock: Arc<dyn Clock>,
    pub view: SyncView,
    /// This node has no vote.
    pub follows: bool,
}

/// Why a peer does not get the blocks it asked for.
#[derive(Debug, thiserror::Error)]
enum NotServed {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

struct Sync {
    parts: Parts,
    plan: Plan<Fetched>,
    incoming: Incoming,
    tip: Height,
    /// Handed to consensus and not committed yet, and since when.
    handed: Option<(Height, Duration)>,
}

/// The child of the tree.
pub fn child(mailbox: &SyncMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("sync", mailbox.address.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move {
            let tip = parts.ledger.tip()?;
            let mut plan = if parts.follows { Plan::following(tip) } else { Plan::new(tip) };
            for (peer, height) in parts.view.tips() {
                plan.status(peer, height, parts.clock.monotonic());
            }
            Ok(Sync { parts, plan, incoming: Incoming::default(), tip, handed: None })
        }
    })
}

impl supervision::Actor for Sync {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        context.every(LOOK_EVERY, || Message::Look).detach();
        Ok(())
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Status(peer, height) => self.status(peer, height),
            Message::Left(peer) => self.left(&peer),
            Message::Chunk(peer, chunk) => self.chunk(peer, chunk),
            Message::Serve(peer, request) => match self.serve(peer, request) {
                // Asked again when it does not come.
                Ok(()) | Err(NotServed::Read(ReadError::Closed)) => {}
                Err(error) => return Err(error.into()),
            },
            Message::Committed(height) => self.committed(height),
            Message::Behind(height) => self.hurry(height)?,
            Message::Look => self.look()?,
        }
        if self.plan.is_catching_up() || self.parts.follows {
            self.ask();
        }
        self.hand_on();
        let target = self.credible_target();
        self.parts.view.saw(self.tip, target);
        Ok(())
    }
}

impl Sync {
    fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }

    fn status(&mut self, peer: NodeId, height: Height) {
        self.parts.view.heard(peer, height);
        self.plan.status(peer, height, self.now());
    }

    fn left(&mut self, peer: &NodeId) {
        self.parts.view.left(peer);
        self.plan.left(peer);
        self.incoming.left(peer);
    }

    fn chunk(&mut self, peer: NodeId, chunk: BlockChunk) {
        let height = chunk.height;
        if !self.plan.expects(&peer, height) {
            return;
        }
        self.plan.progress(&peer, height, chunk.bytes.len(), self.now());
        let checked = match self.incoming.chunk(peer, chunk) {
            Ok(None) => return,
            Ok(Some(block)) => check(&block, height, &self.parts.set, &self.parts.domain),
            Err(reason) => Err(reason),
        };
        match checked {
            Ok(fetched) => {
                let is_new = self.plan.arrived(peer, height, fetched, self.now());
                self.parts.peers.useful(&peer, Deed::Block, is_new.into());
            }
            Err(reason) => {
                self.plan.refused(peer);
                self.incoming.left(&peer);
                self.parts.peers.offence(&peer, Offence::BadBlock, format!("height {height}: {reason}"));
            }
        }
    }

    fn committed(&mut self, height: Height) {
        self.tip = self.tip.max(height);
        self.plan.committed(height, self.now());
        self.incoming.committed(self.tip);
        if self.handed.is_some_and(|(handed, _)| handed <= self.tip) {
            self.handed = None;
        }
    }

    /// Blocks that were committed while nobody told us count too.
    fn look(&mut self) -> Result<(), Fault> {
        match self.parts.ledger.tip() {
            Ok(tip) => self.plan.stored(tip).into_iter().for_each(|height| self.committed(height)),
            // Just being reopened, because the disk had been full.
            Err(ReadError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        let peers = self.parts.peers.clone();
        self.plan.retain(|peer| peers.is_connected(peer));
        // Consensus may have restarted with it in hand: it is fetched again.
        let now = self.now();
        self.handed.take_if(|(_, since)| *since + COMMIT_PATIENCE < now);
        self.ask();
        Ok(())
    }

    fn ask(&mut self) {
        let now = self.now();
        for request in self.plan.requests(now) {
            debug!(peer = %request.peer, from = %request.from, count = request.count, "asking for blocks");
            let wanted = GetBlocks { from: request.from, count: request.count as u32 };
            self.parts.peers.say(Some(request.peer), Wire::GetBlocks(wanted));
        }
    }

    /// Others work on `height`: what is missing below is asked for at once. Consensus says so when it stands still, so a block
    /// that it was handed a while ago is not with it any more.
    fn hurry(&mut self, height: Height) -> Result<(), Fault> {
        debug!(%height, tip = %self.tip, "others are ahead");
        let now = self.now();
        self.handed.take_if(|(_, since)| *since + STANDSTILL < now);
        self.plan.hurry();
        self.look()
    }

    /// The highest tip that more than a third of the power claims, so that at least one honest validator has it. Where
    /// nobody has proved to be a validator, the highest that more than a third of the peers claim.
    fn credible_target(&self) -> Height {
        let set = &self.parts.set;
        let claim = |peer: crate::p2p::Peer| Some((self.parts.view.tip_of(&peer.node())?, set.power_of(&peer.validator()?)));
        let claims: Vec<(Height, u64)> = self.parts.peers.list().into_iter().filter_map(claim).collect();
        let tips = || self.parts.view.tips().into_iter().map(|(_, tip)| (tip, 1)).collect::<Vec<_>>();
        let (claims, total) = if claims.is_empty() { (tips(), self.parts.view.tips().len() as u64) } else { (claims, set.total_power()) };
        credible(claims, total).unwrap_or(self.tip)
    }

    /// One block at a time: the next goes when this one is committed.
    fn hand_on(&mut self) {
        if self.handed.is_some() {
            return;
        }
        let Some((height, peer, Fetched { certificate, body })) = self.plan.next() else { return };
        if self.parts.consensus.synced(Decided { certificate, body }) {
            debug!(%height, %peer, "block fetched");
            self.handed = Some((height, self.now()));
        }
    }

    /// Bytes of blocks that it has not taken yet.
    fn waiting_for(&self, peer: &NodeId) -> usize {
        self.parts.peers.get(peer).map_or(0, |peer| peer.queued_bytes(Lane::Bulk))
    }

    fn serve(&self, peer: NodeId, request: GetBlocks) -> Result<(), NotServed> {
        let count = u64::from(request.count).min(MAX_BLOCKS_PER_REQUEST);
        let end = request.from.0.saturating_add(count).min(self.parts.ledger.tip()?.0 + 1);
        for height in (request.from.0.max(1)..end).map(Height) {
            let (Some(body), Some(certificate)) = (self.parts.ledger.encoded_body(height)?, self.parts.ledger.certificate(height)?) else { break };
            // It reads more slowly than it asks: the rest it asks for again.
            if SERVED_AHEAD_BYTES < self.waiting_for(&peer) {
                return Ok(());
            }
            let bytes = DecidedBlock { body, certificate }.encode();
            let outline = Outline::of(&bytes);
            for (index, bytes) in chunks::cut(&bytes) {
                let chunk = self.parts.peers.encode(Wire::BlockChunk(BlockChunk { height, outline, index, bytes }))?;
                // What finds no room is asked for again, so the rest need not be read.
                if self.parts.peers.send_to(&peer, &chunk).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The highest tip that is backed by more than a third of `total`.
fn credible(mut claims: Vec<(Height, u64)>, total: u64) -> Option<Height> {
    claims.sort_unstable_by(|a, b| b.cmp(a));
    let mut power = 0;
    let backed = claims.into_iter().find(|(_, claimed)| {
        power += claimed;
        total < power * 3
    });
    backed.map(|(height, _)| height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_height_of_a_few_counts_for_nothing() {
        let check = |claims: &[(u64, u64)], total: u64, expected: Option<u64>| {
            let claims = claims.iter().map(|(height, power)| (Height(*height), *power)).collect();
            assert_eq!(credible(claims, total), expected.map(Height));
        };
        check(&[(u64::MAX, 1), (9, 1), (8, 1), (7, 1)], 4, Some(9));
        check(&[(9, 1), (u64::MAX, 1), (8, 1)], 3, Some(9));
        check(&[(9, 1)], 4, None);
        check(&[(9, 1)], 1, Some(9));
        check(&[], 0, None);
    }
}
