//! How the book lies on disk: one row for each fact, so that a change writes little.
//!
//! | key                    | value                                     |
//! |------------------------|-------------------------------------------|
//! | `n` and node id        | [`Entry`] as MessagePack                  |
//! | `s` and node id        | score, 8 bytes big endian                 |
//! | `b` and culprit        | a ban as MessagePack                      |
//! | `c`                    | points of offences and good deeds, as MessagePack |
//! | `a` and address        | 1: an address that the operator added     |

use primitives::{Address, NodeId, PeerAddress};

use super::{
    super::conduct::{Culprit, KeptBan, KeptScore},
    Entry,
};

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Entry(NodeId),
    Score(NodeId),
    Ban(Culprit),
    Conduct,
    Added(PeerAddress),
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    Entry(Box<Entry>),
    Score(NodeId, i64),
    Ban(KeptBan),
    Conduct(Vec<KeptScore>),
    Added(PeerAddress),
}

impl Subject {
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Entry(node) => [b"n", node.0.as_slice()].concat(),
            Self::Score(node) => [b"s", node.0.as_slice()].concat(),
            Self::Ban(culprit) => [b"b", culprit.to_string().as_bytes()].concat(),
            Self::Conduct => b"c".to_vec(),
            Self::Added(address) => [b"a", address.to_string().as_bytes()].concat(),
        }
    }
}

/// None for what this version cannot read; it is as good as not there.
pub(crate) fn parse(key: &[u8], value: &[u8]) -> Option<Fact> {
    let (kind, name) = key.split_first()?;
    let node = || Address::try_from(name).ok().map(NodeId);
    match kind {
        b'n' => rmp_serde::from_slice(value).ok().map(|entry| Fact::Entry(Box::new(entry))),
        b's' => Some(Fact::Score(node()?, i64::from_be_bytes(value.try_into().ok()?))),
        b'b' => rmp_serde::from_slice(value).ok().map(Fact::Ban),
        b'c' => rmp_serde::from_slice(value).ok().map(Fact::Conduct),
        b'a' => std::str::from_utf8(name).ok()?.parse().ok().map(Fact::Added),
        _ => None,
    }
}
