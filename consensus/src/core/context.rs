//! Our vocabulary in the shapes the hosted core asks for. Nothing of this leaves the module `core`.

use std::{collections::HashMap, fmt, sync::Arc};

use core_types::{Context, LinearTimeouts, NilOrVal, Round as CoreRound, SignedExtension, VoteType};
use primitives::{Address, B256, Height, MalformedKey, PublicKey, SecretKey, Signature, ValidatorSet};

use super::convert;

/// The parameters of the hosted core.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CoreContext;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CoreHeight(pub Height);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CoreAddress(pub Address);

/// A block as the core knows it: its hash. Bodies travel beside the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CoreValue(pub B256);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreValidator {
    address: CoreAddress,
    public_key: PublicKey,
    power: u64,
}

/// The core clones the set on every certificate it checks, so it sits behind an `Arc`.
#[derive(Clone, Debug)]
pub(super) struct CoreValidatorSet(Arc<Members>);

#[derive(Debug)]
struct Members {
    set: ValidatorSet,
    members: Vec<CoreValidator>,
    index: HashMap<CoreAddress, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreVote {
    pub kind: VoteType,
    pub height: CoreHeight,
    pub round: CoreRound,
    pub value: NilOrVal<B256>,
    pub validator: CoreAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreProposal {
    pub height: CoreHeight,
    pub round: CoreRound,
    pub value: CoreValue,
    pub pol_round: CoreRound,
    pub proposer: CoreAddress,
}

/// Parts travel beside the core, so it knows none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPart {}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CoreSignature(pub Signature);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Secp256k1;

impl CoreValidatorSet {
    pub fn new(set: ValidatorSet) -> Self {
        let members: Vec<_> = set
            .iter()
            .map(|validator| CoreValidator { address: CoreAddress(validator.address), public_key: validator.public_key, power: validator.power })
            .collect();
        let index = members.iter().enumerate().map(|(position, member)| (member.address, position)).collect();
        Self(Arc::new(Members { set, members, index }))
    }

    /// The set it was made from.
    pub fn set(&self) -> &ValidatorSet {
        &self.0.set
    }
}

impl PartialEq for CoreValidatorSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.set == other.0.set
    }
}

impl Eq for CoreValidatorSet {}

impl Context for CoreContext {
    type Address = CoreAddress;
    type Height = CoreHeight;
    type ProposalPart = NoPart;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = CoreValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = CoreValue;
    type Vote = CoreVote;
    type Extension = bytes::Bytes;
    type SigningScheme = Secp256k1;

    fn select_proposer<'a>(&self, set: &'a CoreValidatorSet, height: CoreHeight, round: CoreRound) -> &'a CoreValidator {
        let proposer = set.0.set.proposer(height.0, convert::round(round).unwrap_or_default());
        &set.0.members[set.0.index[&CoreAddress(proposer.address)]]
    }

    fn new_proposal(&self, height: CoreHeight, round: CoreRound, value: CoreValue, pol_round: CoreRound, proposer: CoreAddress) -> CoreProposal {
        CoreProposal { height, round, value, pol_round, proposer }
    }

    fn new_prevote(&self, height: CoreHeight, round: CoreRound, value: NilOrVal<B256>, validator: CoreAddress) -> CoreVote {
        CoreVote { kind: VoteType::Prevote, height, round, value, validator }
    }

    fn new_precommit(&self, height: CoreHeight, round: CoreRound, value: NilOrVal<B256>, validator: CoreAddress) -> CoreVote {
        CoreVote { kind: VoteType::Precommit, height, round, value, validator }
    }
}

impl fmt::Display for CoreHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Height for CoreHeight {
    const ZERO: Self = Self(Height(0));
    const INITIAL: Self = Self(Height(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(Height(self.0.0.saturating_add(n)))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.0.checked_sub(n).map(|height| Self(Height(height)))
    }

    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

impl fmt::Display for CoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Address for CoreAddress {}

impl core_types::Value for CoreValue {
    type Id = B256;

    fn id(&self) -> B256 {
        self.0
    }
}

impl core_types::Validator<CoreContext> for CoreValidator {
    fn address(&self) -> &CoreAddress {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl core_types::ValidatorSet<CoreContext> for CoreValidatorSet {
    fn count(&self) -> usize {
        self.0.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.0.set.total_power()
    }

    fn get_by_address(&self, address: &CoreAddress) -> Option<&CoreValidator> {
        self.0.index.get(address).map(|position| &self.0.members[*position])
    }

    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.0.members.get(index)
    }
}

impl core_types::Vote<CoreContext> for CoreVote {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> CoreRound {
        self.round
    }

    fn value(&self) -> &NilOrVal<B256> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<B256> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &CoreAddress {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<CoreContext>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<CoreContext>> {
        None
    }

    // Vote extensions are disabled at every height, so none is ever offered.
    fn extend(self, _: SignedExtension<CoreContext>) -> Self {
        self
    }
}

impl core_types::Proposal<CoreContext> for CoreProposal {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> CoreRound {
        self.round
    }

    fn value(&self) -> &CoreValue {
        &self.value
    }

    fn take_value(self) -> CoreValue {
        self.value
    }

    fn pol_round(&self) -> CoreRound {
        self.pol_round
    }

    fn validator_address(&self) -> &CoreAddress {
        &self.proposer
    }
}

impl core_types::ProposalPart<CoreContext> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }

    fn is_last(&self) -> bool {
        match *self {}
    }
}

impl PartialOrd for CoreSignature {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CoreSignature {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_bytes().cmp(&other.0.to_bytes())
    }
}

impl fmt::Debug for CoreSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::SigningScheme for Secp256k1 {
    type DecodingError = MalformedKey;
    type Signature = CoreSignature;
    type PublicKey = PublicKey;
    type PrivateKey = SecretKey;

    fn decode_signature(bytes: &[u8]) -> Result<CoreSignature, MalformedKey> {
        Signature::from_bytes(bytes).map(CoreSignature)
    }

    fn encode_signature(signature: &CoreSignature) -> Vec<u8> {
        signature.0.to_bytes().to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, MalformedKey> {
        PublicKey::from_bytes(bytes)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.to_bytes().to_vec()
    }
}
