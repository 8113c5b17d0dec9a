//! What the API asks a node, and what the node answers.

use std::sync::Arc;

use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{BlockOverrides, state::StateOverride};
use primitives::{Block, Header, Height, RecoveredTransaction};

/// A header with its hash.
pub type SealedHeader = alloy_consensus::Sealed<Header>;

/// Which decided block a question is about. Tags are resolved before the backend sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRef {
    /// The last decided block: `latest`, `safe`, `finalized`, and `pending` where no pending state is kept.
    Latest,
    Height(Height),
    Hash(B256),
}

/// A decided block with everything a client may want to see of it.
#[derive(Clone, Debug)]
pub struct DecidedBlock {
    pub hash: B256,
    pub block: Block,
    /// Senders of the transactions, in their order.
    pub senders: Vec<Address>,
    /// Length of the block's RLP, in bytes.
    pub size_bytes: u64,
}

/// An account as the EVM sees it. One that does not exist is all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Wei.
    pub balance: U256,
    pub nonce: u64,
}

/// That an account and some of its slots are what they are: Merkle proofs against the state root of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    pub state: AccountState,
    pub code_hash: B256,
    pub storage_root: B256,
    /// Nodes of the state trie, the root first.
    pub nodes: Vec<Bytes>,
    /// One for each slot, in the order they were asked for.
    pub slots: Vec<SlotProof>,
}

/// That a slot holds its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    pub value: U256,
    /// Nodes of the storage trie, the root first; none when the account has no storage.
    pub nodes: Vec<Bytes>,
}

/// Topics that a log can have.
pub const MAX_TOPICS: usize = 4;

/// Which logs are wanted: of one of these addresses, and with one of these topics at each place. An empty list is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCriteria {
    pub addresses: Vec<Address>,
    pub topics: [Vec<B256>; MAX_TOPICS],
}

/// Where a transaction is.
#[derive(Clone, Debug)]
pub enum Found {
    /// In the pool, not yet in a decided block.
    Waiting(Box<RecoveredTransaction>),
    /// In a decided block.
    Decided { height: Height, index: u64 },
}

/// A call that changes nothing, or one whose gas is wanted. What is `None` the node chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The zero address when the client names none.
    pub from: Address,
    /// `None` deploys a contract.
    pub to: Option<Address>,
    pub gas: Option<u64>,
    /// Wei per gas; when all three prices are `None` the call pays nothing and no balance is needed for gas.
    pub gas_price: Option<u128>,
    pub max_fee_per_gas: Option<u128>,
    pub max_priority_fee_per_gas: Option<u128>,
    pub max_fee_per_blob_gas: Option<u128>,
    /// Wei.
    pub value: U256,
    pub input: Bytes,
    pub nonce: Option<u64>,
    pub access_list: AccessList,
    pub authorizations: Vec<SignedAuthorization>,
    pub blob_versioned_hashes: Vec<B256>,
    pub overrides: Overrides,
}

/// What a call finds otherwise than it was decided. An account has `state` or `state_diff`, not both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub state: StateOverride,
    pub block: BlockOverrides,
}

/// Whether the node is catching up with its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncStatus {
    Synced,
    Syncing { starting: Height, current: Height, highest: Height },
}

/// What a call would touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessed {
    pub list: AccessList,
    /// Gas used by the call when it brings the list along.
    pub gas_used: u64,
    /// Why the call would fail.
    pub failure: Option<String>,
}

/// Transactions that wait, each sender's in order of nonce.
#[derive(Clone, Debug, Default)]
pub struct PoolContent {
    /// Executable one after the other.
    pub pending: Vec<Arc<RecoveredTransaction>>,
    /// Waiting for an earlier nonce.
    pub queued: Vec<Arc<RecoveredTransaction>>,
}

/// Rules that begin at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fork {
    Cancun,
    Prague,
    Osaka,
}

/// When the rules of a chain change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkSchedule {
    /// Hash of block 0.
    pub genesis: B256,
    /// Unix seconds of block 0.
    pub genesis_time: u64,
    /// Forks with their activation in Unix seconds, in their order; the first is active from the beginning.
    pub forks: Vec<(Fork, u64)>,
}
