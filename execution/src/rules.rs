//! The rules that a block must keep, each with a name.
//!
//! A rule speaks of the block and its ancestors only: never of a clock, a round, or of who proposes.

use alloy_consensus::EMPTY_OMMER_ROOT_HASH;
use alloy_primitives::{B64, B256, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use primitives::{Block, Body, Certificate, CertificateError, Domain, Header, MalformedBody, Metadata, ValidatorSet, limits};

use crate::{Chain, NotExecutable, branches::Parent};

/// Longest `extraData`, in bytes.
pub const MAX_EXTRA_DATA_BYTES: usize = 32;
/// Longest block from Osaka on, in bytes of RLP (EIP-7934).
pub const MAX_OSAKA_BLOCK_BYTES: usize = 8 << 20;

/// Gas that every transaction uses at least: refunds give back no more than a fifth of 21,000.
const MIN_GAS_USED: u64 = 16_800;

/// The validator sets that the metadata of a block must agree with.
#[derive(Clone, Debug)]
pub struct Validators {
    /// Of the parent's height: who signed its certificate. Not used in block 1.
    pub parent: ValidatorSet,
    /// Hash of the set of the block's own height.
    pub current: B256,
    /// Hash of the set of the next height.
    pub next: B256,
}

impl Validators {
    /// The sets of a network whose validators do not change.
    pub fn fixed(set: &ValidatorSet) -> Self {
        Self { parent: set.clone(), current: set.hash(), next: set.hash() }
    }
}

/// The rule that a block breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    #[error(transparent)]
    Body(#[from] MalformedBody),
    #[error("the block has another, canonical encoding")]
    NotCanonical,
    #[error("the block with its metadata has {bytes} bytes; at most {max} are possible")]
    TooLarge { bytes: usize, max: usize },
    #[error("the transactions do not have the root that the header names")]
    TransactionsRoot,
    #[error("the block has ommers")]
    Ommers,
    #[error("the block has withdrawals, or no list of them")]
    Withdrawals,
    #[error("parentBeaconBlockRoot is not the hash of the metadata")]
    MetadataHash,
    #[error("mixHash is not the hash of the metadata's hash")]
    MixHash,
    #[error("the number is {found}; after the parent comes {expected}")]
    Number { expected: u64, found: u64 },
    #[error("the difficulty is not 0")]
    Difficulty,
    #[error("the nonce is not 0")]
    Nonce,
    #[error("extraData has {bytes} bytes; at most {MAX_EXTRA_DATA_BYTES} are possible")]
    ExtraData { bytes: usize },
    #[error("the gas limit is {found}; this network has {expected}")]
    GasLimit { expected: u64, found: u64 },
    #[error("the base fee is {found:?}; after the parent comes {expected}")]
    BaseFee { expected: u64, found: Option<u64> },
    #[error("the timestamp is {found}; after the parent the earliest is {earliest}")]
    Timestamp { earliest: u64, found: u64 },
    #[error("the excess blob gas is {found:?}; after the parent comes {expected}")]
    ExcessBlobGas { expected: u64, found: Option<u64> },
    #[error("the header has a field of a later fork")]
    LaterFork,
    #[error("the metadata names the validators {found}, but this height has {expected}")]
    ValidatorsHash { expected: B256, found: B256 },
    #[error("the metadata names the next validators {found}, but the next height has {expected}")]
    NextValidatorsHash { expected: B256, found: B256 },
    #[error("block 1 has a certificate for its parent, the genesis")]
    CertificateOfGenesis,
    #[error("the parent's certificate is missing")]
    NoParentCertificate,
    #[error("the parent's certificate is for block {value} at height {height}")]
    CertificateOfAnother { height: u64, value: B256 },
    #[error("the parent's certificate proves nothing: {0}")]
    ParentCertificate(#[from] CertificateError),
    #[error("{count} transactions cannot fit into the gas limit; at most {max} can")]
    TooManyTransactions { count: usize, max: usize },
    #[error("the signature of transaction {index} does not hold")]
    Signature { index: usize },
    #[error("transaction {index} is a blob transaction; they are not accepted yet")]
    BlobTransaction { index: usize },
    #[error("transaction {index} cannot be executed: {why}")]
    Transaction { index: usize, why: NotExecutable },
    #[error("the transactions use {found} gas, not {expected}")]
    GasUsed { expected: u64, found: u64 },
    #[error("the transactions use {found} blob gas, not {expected:?}")]
    BlobGasUsed { expected: Option<u64>, found: u64 },
    #[error("the receipts root is {found}, not {expected}")]
    ReceiptsRoot { expected: B256, found: B256 },
    #[error("the logs have another bloom filter")]
    LogsBloom,
    #[error("the requests have another hash, or the fork has none")]
    RequestsHash,
    #[error("the state root is {found}, not {expected}")]
    StateRoot { expected: B256, found: B256 },
}

/// The block inside `body` if the header covers all of it. What breaks a rule here says nothing about the header's hash:
/// somebody may have put other contents under it.
pub(crate) fn open(body: &Body) -> Result<(Block, Metadata), Rule> {
    let bytes = body.block.len() + body.metadata.len();
    if limits::MAX_BODY_BYTES < bytes {
        return Err(Rule::TooLarge { bytes, max: limits::MAX_BODY_BYTES });
    }
    let (block, metadata) = body.open()?;
    let header = &block.header;
    let is_without_ommers = block.body.ommers.is_empty() && header.ommers_hash == EMPTY_OMMER_ROOT_HASH;
    let has_no_withdrawals = block.body.withdrawals.as_ref().is_some_and(|list| list.is_empty()) && header.withdrawals_root == Some(EMPTY_ROOT_HASH);
    require(is_without_ommers, || Rule::Ommers)?;
    require(has_no_withdrawals, || Rule::Withdrawals)?;
    require(alloy_rlp::encode(&block) == body.block, || Rule::NotCanonical)?;
    let transactions_root = alloy_consensus::proofs::calculate_transaction_root(&block.body.transactions);
    require(header.transactions_root == transactions_root, || Rule::TransactionsRoot)?;
    require(header.parent_beacon_block_root == Some(metadata.hash()), || Rule::MetadataHash)?;
    Ok((block, metadata))
}

/// The rules that tie a header to its parent's.
pub(crate) fn check_header(chain: &Chain, parent: &Header, header: &Header, metadata: &Metadata) -> Result<(), Rule> {
    let (number, timestamp) = (header.number, header.timestamp);
    let (base_fee, excess) = (chain.next_base_fee(parent), chain.next_excess_blob_gas(parent, timestamp));
    let earliest = parent.timestamp.saturating_add(chain.min_timestamp_step);
    let extra = header.extra_data.len();
    require(number == parent.number + 1, || Rule::Number { expected: parent.number + 1, found: number })?;
    require(timestamp >= earliest, || Rule::Timestamp { earliest, found: timestamp })?;
    require(header.mix_hash == metadata.mix_hash(), || Rule::MixHash)?;
    require(header.difficulty == U256::ZERO, || Rule::Difficulty)?;
    require(header.nonce == B64::ZERO, || Rule::Nonce)?;
    require(extra <= MAX_EXTRA_DATA_BYTES, || Rule::ExtraData { bytes: extra })?;
    require(header.gas_limit == chain.gas_limit, || Rule::GasLimit { expected: chain.gas_limit, found: header.gas_limit })?;
    require(header.base_fee_per_gas == Some(base_fee), || Rule::BaseFee { expected: base_fee, found: header.base_fee_per_gas })?;
    require(header.excess_blob_gas == Some(excess), || Rule::ExcessBlobGas { expected: excess, found: header.excess_blob_gas })?;
    require(header.requests_hash.is_some() == chain.is_prague(timestamp), || Rule::RequestsHash)?;
    require(header.block_access_list_hash.is_none() && header.slot_number.is_none(), || Rule::LaterFork)
}

/// The rules on a block's size, in bytes of RLP and in transactions. They come before any costly one.
pub(crate) fn check_size(chain: &Chain, header: &Header, bytes: usize, count: usize) -> Result<(), Rule> {
    let is_short = !chain.is_osaka(header.timestamp) || bytes <= MAX_OSAKA_BLOCK_BYTES;
    require(is_short, || Rule::TooLarge { bytes, max: MAX_OSAKA_BLOCK_BYTES })?;
    let max = usize::try_from(chain.gas_limit / MIN_GAS_USED).unwrap_or(usize::MAX);
    require(count <= max, || Rule::TooManyTransactions { count, max })
}

/// The rules of the metadata of the block after `parent`. `known` is a certificate that holds, perhaps the parent's.
pub(crate) fn check_metadata(
    metadata: &Metadata,
    parent: &Parent,
    known: Option<&Certificate>,
    validators: &Validators,
    domain: &Domain,
) -> Result<(), Rule> {
    let (current, next) = (metadata.validators_hash, metadata.next_validators_hash);
    require(current == validators.current, || Rule::ValidatorsHash { expected: validators.current, found: current })?;
    require(next == validators.next, || Rule::NextValidatorsHash { expected: validators.next, found: next })?;
    let certificate = match (&metadata.parent_certificate, parent.header.number) {
        (None, 0) => return Ok(()),
        (Some(_), 0) => return Err(Rule::CertificateOfGenesis),
        (None, _) => return Err(Rule::NoParentCertificate),
        (Some(certificate), _) => certificate,
    };
    let is_for_parent = certificate.value == parent.hash && certificate.height.0 == parent.header.number;
    require(is_for_parent, || Rule::CertificateOfAnother { height: certificate.height.0, value: certificate.value })?;
    Ok(certificate.verify_beside(known, &validators.parent, domain)?)
}

/// What the header claims against what its execution `found`.
pub(crate) fn check_results(claimed: &Header, found: &Header) -> Result<(), Rule> {
    require(claimed.gas_used == found.gas_used, || Rule::GasUsed { expected: claimed.gas_used, found: found.gas_used })?;
    let blob_gas = found.blob_gas_used.unwrap_or_default();
    require(claimed.blob_gas_used == Some(blob_gas), || Rule::BlobGasUsed { expected: claimed.blob_gas_used, found: blob_gas })?;
    require(claimed.receipts_root == found.receipts_root, || Rule::ReceiptsRoot { expected: claimed.receipts_root, found: found.receipts_root })?;
    require(claimed.logs_bloom == found.logs_bloom, || Rule::LogsBloom)?;
    require(claimed.requests_hash == found.requests_hash, || Rule::RequestsHash)?;
    require(claimed.state_root == found.state_root, || Rule::StateRoot { expected: claimed.state_root, found: found.state_root })
}

fn require(is_kept: bool, rule: impl FnOnce() -> Rule) -> Result<(), Rule> {
    match is_kept {
        true => Ok(()),
        false => Err(rule()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn from_osaka_on_a_block_has_at_most_8_mib() {
        let mut chain = Chain::from(&testing::genesis());
        let header = Header::default();
        assert_eq!(check_size(&chain, &header, MAX_OSAKA_BLOCK_BYTES + 1, 0), Ok(()));
        chain.forks.osaka = Some(0);
        let rule = Rule::TooLarge { bytes: MAX_OSAKA_BLOCK_BYTES + 1, max: MAX_OSAKA_BLOCK_BYTES };
        assert_eq!(check_size(&chain, &header, MAX_OSAKA_BLOCK_BYTES + 1, 0), Err(rule));
        assert_eq!(check_size(&chain, &header, MAX_OSAKA_BLOCK_BYTES, 0), Ok(()));
    }
}
