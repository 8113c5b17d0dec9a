//! The rules of this chain as the EVM wants to hear them: which forks are active when, and what a block's surroundings are.

use alloy_eips::{eip1559::BaseFeeParams, eip7840::BlobParams};
use alloy_evm::{EvmEnv, eth::spec::EthExecutorSpec};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256};
use primitives::{Genesis, Header, genesis::Forks};
use revm::primitives::hardfork::SpecId;

/// What execution needs to know of a genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub chain_id: u64,
    pub forks: Forks,
    pub gas_limit: u64,
    /// Seconds that a timestamp must be later than its parent's, rounded down; 0 lets timestamps repeat.
    pub min_timestamp_step: u64,
}

impl From<&Genesis> for Chain {
    fn from(genesis: &Genesis) -> Self {
        Self {
            chain_id: genesis.chain_id,
            forks: genesis.forks,
            gas_limit: genesis.gas_limit,
            min_timestamp_step: genesis.consensus.block_interval.as_secs(),
        }
    }
}

impl Chain {
    pub fn is_prague(&self, timestamp: u64) -> bool {
        self.forks.prague.is_some_and(|activation| activation <= timestamp)
    }

    pub fn is_osaka(&self, timestamp: u64) -> bool {
        self.forks.osaka.is_some_and(|activation| activation <= timestamp)
    }

    /// The fork that is active at `timestamp`, in Unix seconds.
    pub fn spec(&self, timestamp: u64) -> SpecId {
        match (self.is_osaka(timestamp), self.is_prague(timestamp)) {
            (true, _) => SpecId::OSAKA,
            (false, true) => SpecId::PRAGUE,
            (false, false) => SpecId::CANCUN,
        }
    }

    pub fn blob_params(&self, timestamp: u64) -> BlobParams {
        match (self.is_osaka(timestamp), self.is_prague(timestamp)) {
            (true, _) => BlobParams::osaka(),
            (false, true) => BlobParams::prague(),
            (false, false) => BlobParams::cancun(),
        }
    }

    /// Base fee of the block after `parent`, in wei (EIP-1559).
    pub fn next_base_fee(&self, parent: &Header) -> u64 {
        parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default()
    }

    /// Excess blob gas of the block after `parent` (EIP-4844).
    pub fn next_excess_blob_gas(&self, parent: &Header, timestamp: u64) -> u64 {
        parent.next_block_excess_blob_gas(self.blob_params(timestamp)).unwrap_or_default()
    }

    /// The surroundings of a transaction in the block with this header.
    pub(crate) fn environment(&self, header: &Header) -> EvmEnv<SpecId> {
        EvmEnv::for_eth_block(header, self, self.chain_id, Some(self.blob_params(header.timestamp)))
    }
}

impl EthereumHardforks for Chain {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        let at = |activation: Option<u64>| activation.map_or(ForkCondition::Never, ForkCondition::Timestamp);
        match fork {
            EthereumHardfork::Dao => ForkCondition::Never,
            EthereumHardfork::Paris => ForkCondition::TTD { activation_block_number: 0, fork_block: Some(0), total_difficulty: U256::ZERO },
            EthereumHardfork::Shanghai | EthereumHardfork::Cancun => ForkCondition::Timestamp(0),
            EthereumHardfork::Prague => at(self.forks.prague),
            EthereumHardfork::Osaka => at(self.forks.osaka),
            fork if fork < EthereumHardfork::Paris => ForkCondition::Block(0),
            _ => ForkCondition::Never,
        }
    }
}

impl EthExecutorSpec for Chain {
    /// Nothing is staked by deposit here: validators come from the genesis and its governance.
    fn deposit_contract_address(&self) -> Option<Address> {
        None
    }
}
