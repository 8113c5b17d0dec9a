//! Transactions that peers have and we lack: of whom each is asked, and when another is asked instead.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use primitives::{B256, NodeId};

/// How long a peer may take to send what it announced.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// Transactions that are wanted at a time. As many strangers as there may be, each with what it may announce, leave room for others.
const MAX_WANTED: usize = 64 << 10;
/// How many of them on the word of one peer.
const MAX_WANTED_OF_ONE: usize = 1_024;
/// Other peers that are known to have a transaction, and are asked in turn.
const MAX_OTHERS: usize = 3;

#[derive(Debug, Default)]
pub struct Wanted {
    by_hash: HashMap<B256, Want>,
    /// How many are asked of each peer.
    asked: HashMap<NodeId, usize>,
}

#[derive(Debug)]
struct Want {
    of: NodeId,
    until: Duration,
    others: VecDeque<NodeId>,
}

impl Wanted {
    /// `peer` has these. Says which to ask it for: those that nobody else was asked for yet.
    pub fn announced(&mut self, peer: NodeId, hashes: impl IntoIterator<Item = B256>, now: Duration) -> Vec<B256> {
        let mut asked = Vec::new();
        for hash in hashes {
            let has_room = self.by_hash.len() < MAX_WANTED && self.asked_of(&peer) < MAX_WANTED_OF_ONE;
            match self.by_hash.get_mut(&hash) {
                Some(want) if want.of == peer || want.others.contains(&peer) || MAX_OTHERS <= want.others.len() => {}
                Some(want) => want.others.push_back(peer),
                None if has_room => {
                    self.ask(hash, Want { of: peer, until: now + ANSWER_LIMIT, others: VecDeque::new() });
                    asked.push(hash);
                }
                None => {}
            }
        }
        asked
    }

    /// It came, from whomever, or is of no use any more.
    pub fn settled(&mut self, hash: &B256) {
        if let Some(want) = self.by_hash.remove(hash) {
            self.release(&want.of);
        }
    }

    /// Whom to ask now for what did not come in time. What nobody else has is forgotten until it is announced again.
    pub fn late(&mut self, now: Duration) -> BTreeMap<NodeId, Vec<B256>> {
        let late: Vec<B256> = self.by_hash.iter().filter(|(_, want)| want.until <= now).map(|(hash, _)| *hash).collect();
        let mut again = BTreeMap::<NodeId, Vec<B256>>::new();
        for hash in late {
            let Some(mut want) = self.by_hash.remove(&hash) else { continue };
            self.release(&want.of);
            let next = std::iter::from_fn(|| want.others.pop_front()).find(|peer| self.asked_of(peer) < MAX_WANTED_OF_ONE);
            if let Some(of) = next {
                self.ask(hash, Want { of, until: now + ANSWER_LIMIT, ..want });
                again.entry(of).or_default().push(hash);
            }
        }
        again
    }

    fn ask(&mut self, hash: B256, want: Want) {
        *self.asked.entry(want.of).or_default() += 1;
        self.by_hash.insert(hash, want);
    }

    fn asked_of(&self, peer: &NodeId) -> usize {
        self.asked.get(peer).copied().unwrap_or_default()
    }

    fn release(&mut self, peer: &NodeId) {
        let left = self.asked_of(peer).saturating_sub(1);
        match left {
            0 => drop(self.asked.remove(peer)),
            left => drop(self.asked.insert(*peer, left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::{Address, keccak256};

    use super::*;

    const START: Duration = Duration::ZERO;

    fn peer(byte: u8) -> NodeId {
        NodeId(Address::repeat_byte(byte))
    }

    fn hashes(range: std::ops::Range<u32>) -> Vec<B256> {
        range.map(|number| keccak256(number.to_be_bytes())).collect()
    }

    #[test]
    fn one_peer_is_asked_whoever_else_announces() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.announced(peer(1), hashes(0..2), START), hashes(0..2));
        assert_eq!(wanted.announced(peer(2), hashes(0..3), START), hashes(2..3));
        assert!(wanted.announced(peer(1), hashes(0..2), START).is_empty());
    }

    #[test]
    fn another_is_asked_when_it_does_not_come_and_nobody_when_it_came() {
        let mut wanted = Wanted::default();
        wanted.announced(peer(1), hashes(0..2), START);
        wanted.announced(peer(2), hashes(0..2), START);
        wanted.settled(&hashes(0..1)[0]);
        assert!(wanted.late(ANSWER_LIMIT / 2).is_empty());
        assert_eq!(wanted.late(ANSWER_LIMIT), BTreeMap::from([(peer(2), hashes(1..2))]));
        assert!(wanted.late(2 * ANSWER_LIMIT).is_empty() && wanted.by_hash.is_empty() && wanted.asked.is_empty());
    }

    #[test]
    fn announcements_of_one_peer_leave_room_for_those_of_others_and_all_of_them_are_bounded() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.announced(peer(1), hashes(0..1_000_000), START).len(), MAX_WANTED_OF_ONE);
        for byte in 2..100 {
            wanted.announced(peer(byte), hashes(u32::from(byte) * 1_000_000..u32::from(byte) * 1_000_000 + 10_000), START);
        }
        assert_eq!(wanted.by_hash.len(), MAX_WANTED);
    }
}
