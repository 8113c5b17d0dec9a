//! Why something is not proved: at which step, what was expected there, and what was found.

use std::fmt;

/// What a light client checks, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The block is above the trusted one.
    Height,
    /// At the trusted height there is the trusted block.
    TrustedBlock,
    /// The metadata is what the header names.
    Metadata,
    /// The validator set is what the metadata names.
    Validators,
    /// That set is the trusted one.
    TrustedValidators,
    /// The certificate is for this block.
    CertificateBlock,
    /// The certificate holds.
    Signatures,
    /// The next validator set is what the metadata names.
    NextValidators,
    /// The header in question is a proved one.
    Header,
    /// The account is below the state root, as it is said to be.
    Account,
    /// The slot is below the account's storage root, as it is said to be.
    Slot,
}

/// A claim that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {step}: expected {expected}, found {found}")]
pub struct Refused {
    pub step: Step,
    /// Of what: a block, an account, a slot.
    pub subject: String,
    pub expected: String,
    pub found: String,
}

impl Step {
    /// One word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Height => "height",
            Self::TrustedBlock => "trusted_block",
            Self::Metadata => "metadata",
            Self::Validators => "validators",
            Self::TrustedValidators => "trusted_validators",
            Self::CertificateBlock => "certificate_block",
            Self::Signatures => "signatures",
            Self::NextValidators => "next_validators",
            Self::Header => "header",
            Self::Account => "account",
            Self::Slot => "slot",
        }
    }

    /// What its failure may come from, and what to do then.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Height => "trust the genesis or an earlier checkpoint, and give proofs in ascending order of height",
            Self::TrustedBlock => "one of the two is not of this network: compare the hash with operators whom you know",
            Self::Metadata | Self::CertificateBlock => {
                "fetch header, metadata and certificate of one height together; if that fails too, the node is lying"
            }
            Self::Validators | Self::NextValidators => "fetch the validator set of exactly this height; if that fails too, the node is lying",
            Self::TrustedValidators => {
                "if the validators changed since, give the proof of each height at which they did, in order; otherwise the block is not of this network"
            }
            Self::Signatures => "fetch the proof from another node, and check that what is trusted belongs to this very network",
            Self::Header => "give the proof of this height; if that fails too, the header is not of this network",
            Self::Account | Self::Slot => "fetch the state proof of exactly this height; if that fails too, the node is lying",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Height => "the block is not above the trusted one",
            Self::TrustedBlock => "it is another block than the trusted one of this height",
            Self::Metadata => "the metadata is not what the header names",
            Self::Validators => "the validator set is not what the metadata names",
            Self::TrustedValidators => "the validator set is not the trusted one",
            Self::CertificateBlock => "the certificate is for another block",
            Self::Signatures => "the certificate proves nothing",
            Self::NextValidators => "the next validator set is not what the metadata names",
            Self::Header => "the header is none of the proved ones",
            Self::Account => "the account is not proved",
            Self::Slot => "the slot is not proved",
        })
    }
}

impl Refused {
    pub(super) fn new(step: Step, subject: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { step, subject: subject.to_string(), expected: expected.to_string(), found: found.to_string() }
    }
}
