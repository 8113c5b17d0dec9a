//! What the mempool says to peers, and hears from them: each transaction once, as far as memory goes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use primitives::{Address, B256, Bytes, Clock, Height, NodeId, Round, ValidatorSet, keccak256};
use wire::{
    Message as Wire,
    message::{GetTransactions, HaveTransactions, Transactions},
};

use super::{recent::Recent, spread::whole, wanted::Wanted};
use crate::p2p::{Peer, Peers};

/// Hashes in one message.
const MAX_HASHES: usize = 1_024;
/// Bytes that one question is answered with.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Hashes of each generation that are remembered of one peer, and of all that came.
const MAX_RECENT_OF_ONE: usize = 4_096;
const MAX_RECENT: usize = 65_536;

/// A transaction in its EIP-2718 form.
pub(super) struct Raw {
    pub hash: B256,
    pub bytes: Bytes,
}

pub(super) struct Gossip {
    peers: Peers,
    set: ValidatorSet,
    clock: Arc<dyn Clock>,
    /// What each peer has, as it told us, or was told by us.
    known: HashMap<NodeId, Recent>,
    /// What came lately, wherever it is now.
    seen: Recent,
    wanted: Wanted,
}

impl Gossip {
    pub fn new(peers: Peers, set: ValidatorSet, clock: Arc<dyn Clock>) -> Self {
        Self { peers, set, clock, known: HashMap::new(), seen: Recent::new(MAX_RECENT), wanted: Wanted::default() }
    }

    /// Transactions came from a peer, or out of blocks that were not decided. Returns those that did not come lately.
    pub fn came(&mut self, from: Option<NodeId>, transactions: Vec<Bytes>) -> Vec<Raw> {
        let mut news = Vec::new();
        for bytes in transactions {
            let hash = keccak256(&bytes);
            self.wanted.settled(&hash);
            from.into_iter().for_each(|peer| _ = self.note(peer, hash));
            // Those that were not decided came before.
            if self.seen.insert(hash) || from.is_none() {
                news.push(Raw { hash, bytes });
            }
        }
        news
    }

    /// A peer has these. Asks it for what is not here and nobody else was asked for.
    pub fn announced(&mut self, from: NodeId, mut hashes: Vec<B256>, is_here: impl Fn(&B256) -> bool) {
        hashes.truncate(MAX_HASHES);
        hashes.iter().for_each(|hash| _ = self.note(from, *hash));
        let missing: Vec<B256> = hashes.into_iter().filter(|hash| !is_here(hash) && !self.seen.contains(hash)).collect();
        let asked = self.wanted.announced(from, missing, self.clock.monotonic());
        self.ask(from, asked);
    }

    /// A peer asks for these; `get` finds those that are here.
    pub fn asked(&mut self, from: NodeId, hashes: Vec<B256>, get: impl Fn(&B256) -> Option<Bytes>) {
        let mut bytes_left = MAX_ANSWER_BYTES;
        let found = hashes.iter().take(MAX_HASHES).filter_map(get).take_while(|bytes| {
            let has_room = bytes_left > 0;
            bytes_left = bytes_left.saturating_sub(bytes.len());
            has_room
        });
        Transactions::cut(found).into_iter().for_each(|message| self.peers.say(Some(from), Wire::Transactions(message)));
    }

    /// What was submitted here is sent, what came from others is announced, each to those who are not known to have it.
    /// `next` is the height that is decided next.
    pub fn spread(&mut self, ours: &[Raw], relayed: &[B256], next: Height) {
        let peers = self.peers.list();
        let whole = whole(&self.turns(&peers, next));
        // What many are told alike is encoded once.
        let mut sent = BTreeMap::<Vec<usize>, Vec<&Peer>>::new();
        for (peer, is_whole) in peers.iter().zip(whole) {
            let node = peer.node();
            let news: Vec<usize> = (0..ours.len()).filter(|place| self.note(node, ours[*place].hash)).collect();
            let mut announced: Vec<B256> = relayed.iter().copied().filter(|hash| self.note(node, *hash)).collect();
            if is_whole {
                sent.entry(news).or_default().push(peer);
            } else {
                announced.extend(news.into_iter().map(|place| ours[place].hash));
            }
            self.announce(Some(node), &announced);
        }
        for (news, peers) in sent {
            for message in Transactions::cut(news.into_iter().map(|place| ours[place].bytes.clone())) {
                if let Ok(message) = self.peers.encode(Wire::Transactions(message)) {
                    // Who has no room is told again by others, and reminded.
                    peers.iter().for_each(|peer| drop(peer.send(&message)));
                }
            }
        }
    }

    /// Tells everybody what waits for long, whatever they know: they may have had no room for it.
    pub fn remind(&mut self, hashes: &[B256]) {
        self.announce(None, hashes);
        self.seen.age();
        self.known.values_mut().for_each(Recent::age);
        self.known.retain(|node, _| self.peers.is_connected(node));
    }

    /// These are in a block.
    pub fn included<'a>(&mut self, hashes: impl Iterator<Item = &'a B256>) {
        for hash in hashes {
            self.seen.insert(*hash);
            self.wanted.settled(hash);
        }
    }

    /// Asks others for what did not come.
    pub fn look(&mut self) {
        for (peer, hashes) in self.wanted.late(self.clock.monotonic()) {
            self.ask(peer, hashes);
        }
    }

    fn ask(&self, peer: NodeId, hashes: Vec<B256>) {
        for hashes in hashes.chunks(MAX_HASHES) {
            self.peers.say(Some(peer), Wire::GetTransactions(GetTransactions { hashes: hashes.to_vec() }));
        }
    }

    fn announce(&self, to: Option<NodeId>, hashes: &[B256]) {
        for hashes in hashes.chunks(MAX_HASHES) {
            self.peers.say(to, Wire::HaveTransactions(HaveTransactions { hashes: hashes.to_vec() }));
        }
    }

    /// Notes that the peer has it; says whether that is news.
    fn note(&mut self, peer: NodeId, hash: B256) -> bool {
        self.known.entry(peer).or_insert_with(|| Recent::new(MAX_RECENT_OF_ONE)).insert(hash)
    }

    /// In how many turns each peer proposes.
    fn turns(&self, peers: &[Peer], next: Height) -> Vec<Option<usize>> {
        let order: HashMap<Address, usize> =
            (0..self.set.len()).rev().map(|turn| (self.set.proposer(next, Round(turn as u32)).address, turn)).collect();
        peers.iter().map(|peer| order.get(&peer.validator()?).copied()).collect()
    }
}
