//! What validators tell each other about consensus.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{Certificate, CommitSignature, Height, Proposal, Round, Signature, Signed, Vote, VoteKind};

/// One message of the consensus protocol, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsensusMessage {
    Proposal(Signed<Proposal>),
    Vote(Signed<Vote>),
    Polka(PolkaCertificate),
    Round(RoundCertificate),
}

/// More than 2/3 prevoted the same block in the same round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolkaCertificate {
    pub height: Height,
    pub round: Round,
    pub value: B256,
    /// Signatures of prevotes.
    pub signatures: Vec<CommitSignature>,
}

/// Why a round may be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundCertificateKind {
    /// More than 2/3 precommitted, though not all for the same block.
    Precommit,
    /// More than 1/3 are in that round already.
    Skip,
}

/// Votes that justify entering a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundCertificate {
    pub height: Height,
    pub round: Round,
    pub kind: RoundCertificateKind,
    pub votes: Vec<RoundVote>,
}

/// One vote of a [`RoundCertificate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundVote {
    pub kind: VoteKind,
    pub value: Option<B256>,
    pub validator: Address,
    pub signature: Signature,
}

/// A validator's answer to "where are you, and what of mine do you hold?", which a node needs from more than 2/3 of the
/// power before it signs anything after a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Certificate of the highest height it has committed; none at genesis.
    pub tip: Option<Certificate>,
    /// Every vote of the asker above that tip that it holds.
    pub votes: Vec<Signed<Vote>>,
    /// Every proposal of the asker above that tip that it holds.
    pub proposals: Vec<Signed<Proposal>>,
}

impl ConsensusMessage {
    /// The height it is about.
    pub fn height(&self) -> Height {
        match self {
            Self::Proposal(signed) => signed.message.height,
            Self::Vote(signed) => signed.message.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The round it is about.
    pub fn round(&self) -> Round {
        match self {
            Self::Proposal(signed) => signed.message.round,
            Self::Vote(signed) => signed.message.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
        }
    }

    /// The protocol's name for it, for metrics and spans.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "proposal",
            Self::Vote(signed) if signed.message.kind == VoteKind::Prevote => "prevote",
            Self::Vote(_) => "precommit",
            Self::Polka(_) => "polka",
            Self::Round(_) => "round",
        }
    }
}
