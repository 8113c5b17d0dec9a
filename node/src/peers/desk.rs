//! What an operator can look at and do, with the book of a running node or of a stopped one.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use actors::p2p::{
    Culprit, PeerBook, Peers,
    book::{Book, Entry},
};
use primitives::{Address, Clock, Domain, NodeId, PeerAddress, SecretKey};
use serde::{Deserialize, Serialize};

use super::{BadBundle, Bundle, BundleEntry};

/// The reason of a ban by the operator.
const BY_HAND: &str = "by hand";

/// A peer book and what is needed to write and read bundles of it.
#[derive(Clone)]
pub struct PeerDesk {
    pub book: PeerBook,
    pub key: SecretKey,
    pub domain: Domain,
    /// Nodes that nobody is told of.
    pub private: BTreeSet<NodeId>,
    pub clock: Arc<dyn Clock>,
    /// None on a stopped home.
    pub connected: Option<Peers>,
}

/// All that the book holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeersPage {
    pub peers: Vec<PeerLine>,
    /// Addresses that the operator added.
    pub added: Vec<PeerAddress>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLine {
    pub node: NodeId,
    /// None for a node that only has a score or a ban.
    pub address: Option<String>,
    pub services: Option<String>,
    pub is_connected: bool,
    /// Whether this node has ever reached it.
    pub is_tried: bool,
    /// Whether the operator gave it, by an import.
    pub is_given: bool,
    pub validator: Option<Address>,
    pub score: i64,
    /// In milliseconds since the Unix epoch; 0: never.
    pub last_seen_ms: u64,
    /// Failures since the last session that lasted.
    pub attempts: u32,
    /// In milliseconds since the Unix epoch; none when it is not banned.
    pub banned_until_ms: Option<u64>,
    /// Who told of it.
    pub teller: Option<NodeId>,
}

/// What to do with what is in the book already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Merge,
    /// Forget it, bans excepted.
    Replace,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub imported: usize,
    /// For which there was no place.
    pub left_out: usize,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwanted {
    #[error(transparent)]
    Bundle(#[from] BadBundle),
    #[error(transparent)]
    Full(#[from] actors::p2p::book::BookFull),
    #[error("{node} is not in the peer book; `axolotl peers list` shows who is")]
    Unknown { node: NodeId },
    #[error("{node} is not banned; `axolotl peers list` shows who is")]
    NotBanned { node: NodeId },
}

impl PeerDesk {
    pub fn list(&self) -> PeersPage {
        let mut nodes: BTreeSet<NodeId> = self.book.conduct().bans().into_iter().filter_map(|(ban, _)| node_of(ban.culprit)).collect();
        nodes.extend(self.connected.iter().flat_map(Peers::list).map(|peer| peer.node()));
        let peers = self.book.with(|book| {
            nodes.extend(book.entries().map(Entry::node));
            nodes.extend(book.scores().map(|(node, _)| *node));
            nodes.iter().map(|node| self.line(book, node)).collect()
        });
        PeersPage { peers, added: self.book.added() }
    }

    pub fn show(&self, node: NodeId) -> Result<PeerLine, Unwanted> {
        self.list().peers.into_iter().find(|line| line.node == node).ok_or(Unwanted::Unknown { node })
    }

    /// Everybody who may be told of and whom this node has reached, who speaks for a validator, or whom the operator gave; and this node itself. What
    /// was only heard of anybody may have made up.
    pub fn export(&self) -> Bundle {
        let now_ms = self.clock.unix_ms();
        let may_be_told = |node: &NodeId| !self.private.contains(node) && !self.book.conduct().is_kept_out(node, false);
        let entry = |book: &Book, entry: &Entry| BundleEntry {
            record: entry.record.clone(),
            score: book.score(&entry.node()),
            last_seen_ms: entry.last_seen_ms,
        };
        let mut entries: Vec<_> = self.book.with(|book| {
            book.entries().filter(|known| is_vouched_for(known) && may_be_told(&known.node())).map(|known| entry(book, known)).collect()
        });
        entries.extend(self.book.own().map(|record| BundleEntry { record, score: 0, last_seen_ms: now_ms }));
        Bundle::new(&self.key, &self.domain, now_ms, entries)
    }

    /// All of it or nothing.
    pub fn import(&self, bundle: Bundle, mode: Mode) -> Result<Imported, Unwanted> {
        let entries = bundle.check(&self.domain, self.clock.unix_ms())?;
        let all = entries.len();
        let imported = self.book.with(|book| {
            if mode == Mode::Replace {
                book.clear();
            }
            entries.into_iter().filter(|entry| give(book, entry)).count()
        });
        Ok(Imported { imported, left_out: all - imported })
    }

    pub fn add(&self, address: PeerAddress) -> Result<(), Unwanted> {
        Ok(self.book.add(address)?)
    }

    /// When the ban ends, in milliseconds since the Unix epoch.
    pub fn ban(&self, node: NodeId, length: Duration) -> u64 {
        match &self.connected {
            Some(peers) => peers.ban(Culprit::Node(node), length, BY_HAND),
            None => self.book.conduct().ban(Culprit::Node(node), length, BY_HAND),
        }
        self.banned_until_ms(&node).unwrap_or_default()
    }

    pub fn unban(&self, node: NodeId) -> Result<(), Unwanted> {
        if self.book.conduct().lift(&Culprit::Node(node)) { Ok(()) } else { Err(Unwanted::NotBanned { node }) }
    }

    fn banned_until_ms(&self, node: &NodeId) -> Option<u64> {
        let left = self.book.conduct().banned(&Culprit::Node(*node))?;
        Some(self.clock.unix_ms().saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)))
    }

    fn line(&self, book: &Book, node: &NodeId) -> PeerLine {
        let entry = book.get(node);
        PeerLine {
            node: *node,
            address: entry.map(|entry| entry.record.address.to_string()),
            services: entry.map(|entry| entry.record.services.to_string()),
            is_connected: self.connected.as_ref().is_some_and(|peers| peers.is_connected(node)),
            is_tried: entry.is_some_and(|entry| entry.is_tried),
            is_given: entry.is_some_and(|entry| entry.is_given),
            validator: entry.and_then(|entry| entry.validator),
            score: book.score(node),
            last_seen_ms: entry.map_or(0, |entry| entry.last_seen_ms),
            attempts: entry.map_or(0, |entry| entry.attempts),
            banned_until_ms: self.banned_until_ms(node),
            teller: entry.map(|entry| entry.teller),
        }
    }
}

fn is_vouched_for(entry: &Entry) -> bool {
    entry.is_tried || entry.is_given || entry.validator.is_some()
}

fn node_of(culprit: Culprit) -> Option<NodeId> {
    if let Culprit::Node(node) = culprit { Some(node) } else { None }
}

fn give(book: &mut Book, entry: &BundleEntry) -> bool {
    let is_placed = book.give(entry.record.clone(), entry.last_seen_ms);
    // What was found out here counts more than what somebody else found.
    if is_placed && book.score(&entry.record.node()) == 0 {
        book.set_score(entry.record.node(), entry.score);
    }
    is_placed
}
