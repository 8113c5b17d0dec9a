//! What a call finds otherwise than it was decided: accounts, and the block that it runs in.
//!
//! The call reads through a [`StateReader`] that answers with what was overridden, and stands on a changed copy of the header; so an
//! estimate, an access list and a trace see the same as the EVM. Only precompiles and the price of blobs are changed in the EVM itself.

use std::collections::HashMap;

use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::HashSet};
use alloy_rpc_types_eth::{BlockOverrides, state::StateOverride};
use primitives::{Header, Height};
use revm::{bytecode::BytecodeDecodeError, context::BlockEnv, context_interface::block::BlobExcessGasAndPrice, state::Bytecode};

use crate::{Account, ReadError, Simulation, StateReader};

/// What is not given is as it was decided. An account has `state` or `state_diff`, not both; the parent's beacon root is not overridden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub state: StateOverride,
    pub block: BlockOverrides,
}

/// An override that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    #[error("{account}.movePrecompileToAddress: the account is not a precompile")]
    NoPrecompile { account: Address },
    #[error("{account}.movePrecompileToAddress: account {to} is already overridden")]
    Taken { account: Address, to: Address },
    #[error("{account}.code: {reason}")]
    Code { account: Address, reason: BytecodeDecodeError },
}

impl Overrides {
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.block.is_empty()
    }

    /// Refuses code that the EVM cannot run, and two things at one address.
    fn check(&self) -> Result<(), OverrideError> {
        let mut taken: HashSet<Address> = self.state.keys().copied().collect();
        for (account, overrides) in &self.state {
            let account = *account;
            if let Some(to) = overrides.move_precompile_to
                && !taken.insert(to)
            {
                return Err(OverrideError::Taken { account, to });
            }
            if let Some(code) = overrides.code.clone() {
                Bytecode::new_raw_checked(code).map_err(|reason| OverrideError::Code { account, reason })?;
            }
        }
        Ok(())
    }

    fn header(&self, header: &Header) -> Header {
        let block = &self.block;
        let mut header = header.clone();
        header.number = block.number.map_or(header.number, |number| number.saturating_to());
        header.timestamp = block.time.unwrap_or(header.timestamp);
        header.gas_limit = block.gas_limit.unwrap_or(header.gas_limit);
        header.beneficiary = block.coinbase.unwrap_or(header.beneficiary);
        header.mix_hash = block.random.unwrap_or(header.mix_hash);
        header.base_fee_per_gas = block.base_fee.map(|fee| fee.saturating_to()).or(header.base_fee_per_gas);
        header
    }

    /// What a header does not say: the price of blobs itself.
    pub(crate) fn change_block(&self, block: &mut BlockEnv) {
        let Some(price) = self.block.blob_base_fee else { return };
        let excess_blob_gas = block.blob_excess_gas_and_price.map_or(0, |blob| blob.excess_blob_gas);
        block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: price.saturating_to() });
    }

    /// A precompile that is overridden is an account like any other; it may go on at another address. The loop is bounded by whoever
    /// takes the overrides: JSON-RPC lets one call name so many accounts and no more.
    pub(crate) fn change_precompiles(&self, precompiles: &mut PrecompilesMap) -> Result<(), OverrideError> {
        for (account, overrides) in &self.state {
            if precompiles.get(account).is_none() {
                match overrides.move_precompile_to {
                    Some(_) => return Err(OverrideError::NoPrecompile { account: *account }),
                    None => continue,
                }
            }
            let mut moved = None;
            precompiles.apply_precompile(account, |precompile| {
                moved = precompile;
                None
            });
            if let Some(to) = overrides.move_precompile_to {
                precompiles.apply_precompile(&to, |_| moved);
            }
        }
        Ok(())
    }
}

impl Simulation<'_> {
    /// Does `work` where the overrides hold.
    pub(crate) fn overridden<R>(&self, overrides: &Overrides, work: impl FnOnce(&Simulation<'_>) -> R) -> Result<R, OverrideError> {
        if overrides.is_empty() {
            return Ok(work(self));
        }
        overrides.check()?;
        let state = OverriddenState::new(self.state, overrides);
        let header = overrides.header(self.header);
        Ok(work(&Simulation { chain: self.chain, state: &state, header: &header, gas_cap: self.gas_cap, cancel: self.cancel }))
    }
}

/// The state with what was overridden.
struct OverriddenState<'a> {
    below: &'a dyn StateReader,
    overrides: &'a Overrides,
    codes: HashMap<B256, &'a Bytes>,
    /// Hashes of the codes by account, so that they are computed once.
    code_hashes: HashMap<Address, B256>,
}

impl<'a> OverriddenState<'a> {
    fn new(below: &'a dyn StateReader, overrides: &'a Overrides) -> Self {
        let codes = overrides.state.iter().filter_map(|(address, account)| Some((*address, account.code.as_ref()?)));
        let hashed: Vec<_> = codes.map(|(address, code)| (address, code, keccak256(code))).collect();
        Self {
            below,
            overrides,
            codes: hashed.iter().map(|(_, code, hash)| (*hash, *code)).collect(),
            code_hashes: hashed.iter().map(|(address, _, hash)| (*address, *hash)).collect(),
        }
    }
}

impl StateReader for OverriddenState<'_> {
    fn height(&self) -> Height {
        self.below.height()
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        let account = self.below.account(address)?;
        let Some(overrides) = self.overrides.state.get(address) else { return Ok(account) };
        let account = account.unwrap_or_default();
        Ok(Some(Account {
            nonce: overrides.nonce.unwrap_or(account.nonce),
            balance: overrides.balance.unwrap_or(account.balance),
            code_hash: self.code_hashes.get(address).copied().unwrap_or(account.code_hash),
            ..account
        }))
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError> {
        let overrides = self.overrides.state.get(address);
        let all = overrides.and_then(|account| account.state.as_ref());
        let some = overrides.and_then(|account| account.state_diff.as_ref());
        match all.or(some).and_then(|slots| slots.get(slot)) {
            Some(value) => Ok((*value).into()),
            None if all.is_some() => Ok(U256::ZERO),
            None => self.below.slot(address, slot),
        }
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        match self.codes.get(hash) {
            Some(code) => Ok(Some((*code).clone())),
            None => self.below.code(hash),
        }
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.below.node(key)
    }

    /// A block that is not there, because the number is overridden, has the hash 0.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError> {
        let overridden = self.overrides.block.block_hash.as_ref().and_then(|hashes| hashes.get(&number));
        match overridden {
            Some(hash) => Ok(Some(*hash)),
            None => Ok(Some(self.below.block_hash(number)?.unwrap_or_default())),
        }
    }
}
