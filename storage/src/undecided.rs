//! Bodies of blocks that nobody decided yet: by hash, and by the height and round that proposed them.

use std::ops::Bound;

use primitives::{B256, Bytes, Height, Round};

use crate::{Batch, Keyspace, Lease, ReadError, Row, keys};

/// That the block `hash` was proposed in `round` of `height`. Several rounds can propose one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided {
    pub height: Height,
    pub round: Round,
    pub hash: B256,
}

impl Undecided {
    fn parse(row: &Row) -> Result<Self, ReadError> {
        let parsed = keys::parse_height_round(&row.key).zip(keys::parse_hash(&row.value));
        let ((height, round), hash) = parsed.ok_or_else(|| ReadError::Io(format!("malformed row {} in {}", row.key, Keyspace::UndecidedRounds)))?;
        Ok(Self { height, round, hash })
    }
}

impl Batch {
    /// Keeps `body` until its height is decided.
    pub fn keep_undecided(&mut self, undecided: Undecided, body: impl Into<Vec<u8>>) {
        self.put(Keyspace::Undecided, keys::hash(&undecided.hash), body);
        self.put(Keyspace::UndecidedRounds, keys::height_round(undecided.height, undecided.round), keys::hash(&undecided.hash));
    }

    /// Drops the rounds and their bodies. `rounds` must name every round that proposed one of these blocks, as
    /// [`Lease::undecided_up_to`] does: a body goes with the first of its rounds.
    pub fn drop_undecided(&mut self, rounds: &[Undecided]) {
        for undecided in rounds {
            self.remove(Keyspace::UndecidedRounds, keys::height_round(undecided.height, undecided.round));
            self.remove(Keyspace::Undecided, keys::hash(&undecided.hash));
        }
    }
}

impl Lease {
    /// The body of an undecided block.
    pub fn undecided_body(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        self.get(Keyspace::Undecided, &keys::hash(hash))
    }

    /// The block that was proposed in `round` of `height`.
    pub fn undecided_at(&self, height: Height, round: Round) -> Result<Option<B256>, ReadError> {
        let value = self.get(Keyspace::UndecidedRounds, &keys::height_round(height, round))?;
        Ok(value.and_then(|hash| keys::parse_hash(&hash)))
    }

    /// The first `limit` rounds at or below `height`, in order.
    pub fn undecided_up_to(&self, height: Height, limit: usize) -> Result<Vec<Undecided>, ReadError> {
        let last = keys::height_round(height, Round(u32::MAX));
        let rows = self.range(Keyspace::UndecidedRounds, (Bound::Unbounded, Bound::Included(last)), limit)?;
        rows.iter().map(Undecided::parse).collect()
    }

    /// The first `limit` rounds of `height`, in order.
    pub fn undecided_of(&self, height: Height, limit: usize) -> Result<Vec<Undecided>, ReadError> {
        let rows = self.prefix(Keyspace::UndecidedRounds, &keys::height(height), limit)?;
        rows.iter().map(Undecided::parse).collect()
    }
}
