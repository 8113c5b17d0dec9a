//! The one file that a network is born from.
//!
//! ```json
//! {
//!   "chain_id": 1337, "network_kind": "dev", "timestamp": 1767225600, "nonce": "0x00",
//!   "forks": { "prague": 0, "osaka": null },
//!   "gas_limit": 30000000, "base_fee_per_gas": 1000000000,
//!   "alloc": { "0xf39f...": { "balance": "0x..." } },
//!   "validators": [ { "address": "0x..", "public_key": "0x..", "power": 1 } ],
//!   "bootstrap_peers": [ "host:4130" ],
//!   "consensus": { "block_interval": "1s", "empty_block_interval": "2s", "timeouts": { .. } }
//! }
//! ```
//!
//! Everything consensus depends on goes into the *consensus section*, whose canonical RLP is hashed into `extraData` of
//! block 0. So the Ethereum genesis hash is the one genesis hash everywhere.

mod check;
mod consensus;
mod file;
mod state;

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, U256};
use std::collections::BTreeMap;

pub use check::{MalformedGenesis, Mistake};
pub use consensus::{ConsensusParameters, Timeouts};
pub use file::DEVELOPMENT_ACCOUNTS;

use crate::{Domain, Header, PeerAddress, ValidatorSet};

/// How much a network forgives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// Deterministic keys, funded accounts, fresh starts.
    Dev,
    /// Real keys, forgiving recovery.
    Testnet,
    /// Nothing that could ever sign twice.
    Mainnet,
}

/// When the forks after Cancun begin, as Unix seconds; Cancun itself is active from block 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forks {
    pub prague: Option<u64>,
    pub osaka: Option<u64>,
}

/// A checked genesis. Cannot be wrong.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub chain_id: u64,
    pub network_kind: NetworkKind,
    /// Unix seconds of block 0.
    pub timestamp: u64,
    /// Distinguishes networks that are otherwise alike; a reset makes a new one.
    pub nonce: B256,
    pub forks: Forks,
    pub gas_limit: u64,
    /// Wei.
    pub base_fee_per_gas: u64,
    pub alloc: BTreeMap<Address, GenesisAccount>,
    pub validators: ValidatorSet,
    pub bootstrap_peers: Vec<PeerAddress>,
    pub consensus: ConsensusParameters,
    header: Header,
    hash: B256,
}

impl Genesis {
    /// Reads a genesis file and checks all of it; every mistake is reported at once.
    pub fn from_json(text: &str) -> Result<Self, MalformedGenesis> {
        file::read(text)
    }

    /// The file that [`Genesis::from_json`] reads back to the same genesis.
    pub fn to_json(&self) -> String {
        file::write(self)
    }

    /// The same as geth writes it, for other execution clients.
    pub fn to_geth_json(&self) -> String {
        state::to_geth(self)
    }

    /// The header of block 0.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Hash of block 0.
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// What signatures on this chain are tied to.
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, genesis_hash: self.hash }
    }

    pub fn is_prague(&self, timestamp: u64) -> bool {
        self.forks.prague.is_some_and(|activation| activation <= timestamp)
    }

    pub fn is_osaka(&self, timestamp: u64) -> bool {
        self.forks.osaka.is_some_and(|activation| activation <= timestamp)
    }

    /// A development genesis: the well-known accounts are funded, the system contracts are there, all else is default.
    pub fn development(chain_id: u64, validators: ValidatorSet) -> Self {
        file::development(chain_id, validators)
    }

    /// The same network with other contents: `change` edits a copy, which is checked again.
    pub fn with(&self, change: impl FnOnce(&mut Genesis)) -> Result<Self, MalformedGenesis> {
        let mut changed = self.clone();
        change(&mut changed);
        Self::from_json(&changed.to_json())
    }

    /// Sum of all balances at genesis, in wei.
    pub fn supply(&self) -> U256 {
        self.alloc.values().fold(U256::ZERO, |sum, account| sum.saturating_add(account.balance))
    }
}
