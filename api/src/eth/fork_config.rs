//! `eth_config` (EIP-7910): the rules that hold now, those that come next, and the last that are known.

use std::collections::BTreeMap;

use alloy_eips::{
    eip2124::ForkHash,
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip7910::{EthConfig, EthForkConfig, SystemContract},
};
use alloy_primitives::{Address, Bytes};
use jsonrpsee::types::ErrorObjectOwned;

use crate::{Backend, Fork, ForkSchedule, rpc::Params};

/// Precompiled contracts, by the fork that brings them and their address.
const PRECOMPILES: [(Fork, u16, &str); 18] = [
    (Fork::Cancun, 0x01, "ECREC"),
    (Fork::Cancun, 0x02, "SHA256"),
    (Fork::Cancun, 0x03, "RIPEMD160"),
    (Fork::Cancun, 0x04, "ID"),
    (Fork::Cancun, 0x05, "MODEXP"),
    (Fork::Cancun, 0x06, "BN254_ADD"),
    (Fork::Cancun, 0x07, "BN254_MUL"),
    (Fork::Cancun, 0x08, "BN254_PAIRING"),
    (Fork::Cancun, 0x09, "BLAKE2F"),
    (Fork::Cancun, 0x0a, "KZG_POINT_EVALUATION"),
    (Fork::Prague, 0x0b, "BLS12_G1ADD"),
    (Fork::Prague, 0x0c, "BLS12_G1MSM"),
    (Fork::Prague, 0x0d, "BLS12_G2ADD"),
    (Fork::Prague, 0x0e, "BLS12_G2MSM"),
    (Fork::Prague, 0x0f, "BLS12_PAIRING_CHECK"),
    (Fork::Prague, 0x10, "BLS12_MAP_FP_TO_G1"),
    (Fork::Prague, 0x11, "BLS12_MAP_FP2_TO_G2"),
    (Fork::Osaka, 0x100, "P256VERIFY"),
];

pub(super) async fn config<B: Backend>(backend: &B, params: Params<'_>) -> Result<EthConfig, ErrorObjectOwned> {
    params.none()?;
    let schedule = backend.forks();
    let now = backend.head().await?.inner().timestamp;
    let is_active = |activation: u64| activation <= now;
    let shown: Vec<EthForkConfig> = activations(&schedule).into_iter().map(|(fork, activation)| show(backend, &schedule, fork, activation)).collect();
    let (active, coming): (Vec<_>, Vec<_>) = shown.into_iter().partition(|fork| is_active(fork.activation_time));
    let current = active.into_iter().next_back().unwrap_or_else(|| show(backend, &schedule, Fork::Cancun, 0));
    Ok(EthConfig { current, next: coming.first().cloned(), last: coming.last().cloned() })
}

/// Each time at which rules change, with the last fork that begins then. What is active from block 0 on began at 0.
fn activations(schedule: &ForkSchedule) -> Vec<(Fork, u64)> {
    let from_genesis = |activation: u64| if activation <= schedule.genesis_time { 0 } else { activation };
    let mut changes: Vec<(Fork, u64)> = Vec::new();
    for (fork, activation) in &schedule.forks {
        let activation = from_genesis(*activation);
        changes.retain(|(_, earlier)| *earlier != activation);
        changes.push((*fork, activation));
    }
    changes
}

fn show<B: Backend>(backend: &B, schedule: &ForkSchedule, fork: Fork, activation: u64) -> EthForkConfig {
    let precompile = |(_, address, name): &(Fork, u16, &str)| ((*name).to_owned(), Address::left_padding_from(&address.to_be_bytes()));
    EthForkConfig {
        activation_time: activation,
        blob_schedule: backend.blob_params(activation.max(schedule.genesis_time)),
        chain_id: backend.chain_id(),
        fork_id: fork_id(schedule, activation),
        precompiles: PRECOMPILES.iter().filter(|(since, ..)| *since <= fork).map(precompile).collect(),
        system_contracts: system_contracts(fork),
    }
}

/// EIP-6122: a checksum of the genesis hash and of all activations up to this one that came after block 0.
fn fork_id(schedule: &ForkSchedule, activation: u64) -> Bytes {
    let mut hash = ForkHash::from(schedule.genesis);
    for (_, passed) in activations(schedule).into_iter().filter(|(_, passed)| 0 < *passed && *passed <= activation) {
        hash += passed;
    }
    Bytes::copy_from_slice(&hash.0)
}

/// Nothing is staked by deposit here, so there is no deposit contract.
fn system_contracts(fork: Fork) -> BTreeMap<SystemContract, Address> {
    let mut contracts = BTreeMap::from(SystemContract::cancun());
    if Fork::Prague <= fork {
        contracts.insert(SystemContract::HistoryStorage, HISTORY_STORAGE_ADDRESS);
        contracts.insert(SystemContract::ConsolidationRequestPredeploy, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS);
        contracts.insert(SystemContract::WithdrawalRequestPredeploy, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS);
    }
    contracts
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, b256};

    use super::*;

    fn schedule(forks: &[(Fork, u64)]) -> ForkSchedule {
        // The hash of Hoodi's block 0.
        const GENESIS: B256 = b256!("0xbbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b");
        ForkSchedule { genesis: GENESIS, genesis_time: 1_742_212_800, forks: forks.to_vec() }
    }

    #[test]
    fn the_fork_id_is_that_of_a_public_network() {
        let hoodi = schedule(&[(Fork::Cancun, 0), (Fork::Prague, 1_742_999_832), (Fork::Osaka, 1_761_677_592)]);
        assert_eq!(fork_id(&hoodi, 0).to_string(), "0xbef71d30");
        assert_eq!(fork_id(&hoodi, 1_742_999_832).to_string(), "0x0929e24e");
        assert_eq!(fork_id(&hoodi, 1_761_677_592).to_string(), "0xe7e0e7ff");
    }

    #[test]
    fn what_holds_from_block_0_on_is_one_fork_that_began_at_0() {
        let both = schedule(&[(Fork::Cancun, 0), (Fork::Prague, 0)]);
        assert_eq!(activations(&both), [(Fork::Prague, 0)]);
        assert_eq!(fork_id(&both, 0).to_string(), "0xbef71d30");
    }
}
