//! The rules a genesis must keep. Every broken one is named with its key, its value and what to do.

use std::{fmt, time::Duration};

use alloy_eips::{eip2935, eip4788, eip7002, eip7251};
use alloy_primitives::{Address, Bytes};

use super::{ConsensusParameters, Genesis, NetworkKind, file::DEVELOPMENT_ACCOUNTS};
use crate::limits;

/// 9999-12-31T23:59:59Z. No block could follow a genesis at the end of time, and who writes milliseconds should hear of it.
const LATEST_TIMESTAMP: u64 = 253_402_300_799;

/// One mistake in a genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Path of the key, as in `validators[2].power`.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What is wrong with it, and what to write instead.
    pub remedy: String,
}

/// Every mistake of a genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedGenesis(pub Vec<Mistake>);

impl Mistake {
    pub(super) fn new(key: impl Into<String>, value: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), remedy: remedy.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.value, self.remedy)
    }
}

impl fmt::Display for MalformedGenesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            fmt::Display::fmt(mistake, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for MalformedGenesis {}

/// The system contracts with the code they must have, by the fork that calls them.
pub(super) fn system_contracts(is_prague: bool) -> Vec<(Address, Bytes)> {
    let mut contracts = vec![(eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone())];
    if is_prague {
        contracts.extend([
            (eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
            (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
            (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
        ]);
    }
    contracts
}

/// Every rule that takes more than one glance at a value.
pub(super) fn check(genesis: &Genesis, mistakes: &mut Vec<Mistake>) {
    check_numbers(genesis, mistakes);
    check_consensus(&genesis.consensus, mistakes);
    check_system_contracts(genesis, mistakes);
    check_development_keys(genesis, mistakes);
    check_storage(genesis, mistakes);
}

fn check_numbers(genesis: &Genesis, mistakes: &mut Vec<Mistake>) {
    if genesis.chain_id == 0 || genesis.chain_id > u64::MAX / 2 - 36 {
        mistakes.push(Mistake::new("chain_id", genesis.chain_id, "must lie between 1 and 2^63 - 37, so that wallets can sign for it"));
    }
    if genesis.timestamp == 0 {
        mistakes.push(Mistake::new("timestamp", 0, "must be Unix seconds and not 0; clients take 0 for a missing block"));
    }
    if LATEST_TIMESTAMP < genesis.timestamp {
        mistakes.push(Mistake::new("timestamp", genesis.timestamp, "must lie before the year 10000, in seconds; milliseconds are too fine"));
    }
    let gas_limit = genesis.gas_limit;
    if !(1_000_000..=limits::MAX_GAS_LIMIT).contains(&gas_limit) {
        mistakes.push(Mistake::new("gas_limit", gas_limit, format!("must lie between 1000000 and {}", limits::MAX_GAS_LIMIT)));
    }
    if genesis.base_fee_per_gas < 7 {
        mistakes.push(Mistake::new("base_fee_per_gas", genesis.base_fee_per_gas, "must be at least 7 wei, the least EIP-1559 can move"));
    }
    if let (prague, Some(osaka)) = (genesis.forks.prague, genesis.forks.osaka)
        && prague.is_none_or(|prague| osaka < prague)
    {
        mistakes.push(Mistake::new("forks.osaka", osaka, "must not come before forks.prague"));
    }
}

fn check_consensus(consensus: &ConsensusParameters, mistakes: &mut Vec<Mistake>) {
    let show = |duration: Duration| humantime::format_duration(duration).to_string();
    if consensus.block_interval > Duration::from_secs(600) {
        mistakes.push(Mistake::new("consensus.block_interval", show(consensus.block_interval), "must be at most 10m"));
    }
    if consensus.empty_block_interval < consensus.block_interval {
        let remedy = format!("must be at least consensus.block_interval, which is {}", show(consensus.block_interval));
        mistakes.push(Mistake::new("consensus.empty_block_interval", show(consensus.empty_block_interval), remedy));
    }
    for (key, duration) in consensus.timeouts.entries() {
        let key = format!("consensus.timeouts.{key}");
        if duration.is_zero() {
            mistakes.push(Mistake::new(key.clone(), show(duration), "must be more than 0, or a round would end before it began"));
        }
        if duration > Duration::from_secs(3_600) {
            mistakes.push(Mistake::new(key, show(duration), "must be at most 1h"));
        }
    }
    if consensus.timeouts.cap < Duration::from_secs(60) {
        mistakes.push(Mistake::new("consensus.timeouts.cap", show(consensus.timeouts.cap), "must be at least 60s"));
    }
}

fn check_system_contracts(genesis: &Genesis, mistakes: &mut Vec<Mistake>) {
    for (address, code) in system_contracts(genesis.forks.prague.is_some()) {
        let found = genesis.alloc.get(&address).and_then(|account| account.code.clone());
        if found.as_ref() != Some(&code) {
            let value = found.map_or("nothing".to_owned(), |code| format!("{} bytes of other code", code.len()));
            let remedy = format!("every block calls this system contract; give it nonce 1 and code {code}");
            mistakes.push(Mistake::new(format!("alloc.{address}"), value, remedy));
        }
    }
}

/// An account with neither code nor a nonce counts as empty: it would be removed when touched, and its storage with it.
fn check_storage(genesis: &Genesis, mistakes: &mut Vec<Mistake>) {
    for (address, account) in &genesis.alloc {
        let has_storage = account.storage.as_ref().is_some_and(|storage| storage.values().any(|value| !value.is_zero()));
        let is_bare = account.nonce.unwrap_or_default() == 0 && account.code.as_ref().is_none_or(|code| code.is_empty());
        if has_storage && is_bare {
            let remedy = "an account with neither code nor nonce cannot keep storage; give it nonce 1 or remove the storage";
            mistakes.push(Mistake::new(format!("alloc.{address}"), "storage only", remedy));
        }
    }
}

fn check_development_keys(genesis: &Genesis, mistakes: &mut Vec<Mistake>) {
    if genesis.network_kind == NetworkKind::Dev {
        return;
    }
    let remedy = "belongs to the public development mnemonic, so anyone can spend or sign with it; use your own key, or network_kind = dev";
    for address in DEVELOPMENT_ACCOUNTS {
        if genesis.alloc.contains_key(&address) {
            mistakes.push(Mistake::new(format!("alloc.{address}"), "a development account", remedy));
        }
        if genesis.validators.get(&address).is_some() {
            mistakes.push(Mistake::new("validators", address, remedy));
        }
    }
}
