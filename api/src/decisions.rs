//! What the API asks a node about consensus: who votes, and who contradicted himself.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use primitives::{Height, Proposal, Round, Signed, ValidatorSet, Vote};
use serde::Serialize;

/// The validators that decide a height, and who of them is here.
#[derive(Clone, Debug)]
pub struct Validators {
    pub set: ValidatorSet,
    /// Those for whom a live session speaks, and this node's own.
    pub online: BTreeSet<Address>,
    /// The validator that this node is.
    pub own: Option<Address>,
}

/// Two signed messages of one validator that cannot both be honest; each is checked against the validator's public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Contradiction {
    Votes { first: Signed<Vote>, second: Signed<Vote> },
    Proposals { first: Signed<Proposal>, second: Signed<Proposal> },
}

impl Contradiction {
    /// Who, and where.
    pub fn about(&self) -> (Address, Height, Round) {
        match self {
            Self::Votes { first, .. } => (first.message.validator, first.message.height, first.message.round),
            Self::Proposals { first, .. } => (first.message.proposer, first.message.height, first.message.round),
        }
    }
}
