//! Block 0: its state root, its header, its hash.

use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_genesis::ChainConfig;
use alloy_primitives::{B64, B256, U256, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{EMPTY_ROOT_HASH, root::state_root_unhashed};

use super::{Genesis, NetworkKind};
use crate::Header;

/// Fills in the header and hash of a genesis whose other fields are right.
pub(super) fn seal(mut genesis: Genesis) -> Genesis {
    genesis.header = header(&genesis);
    genesis.hash = genesis.header.hash_slow();
    genesis
}

fn header(genesis: &Genesis) -> Header {
    Header {
        number: 0,
        timestamp: genesis.timestamp,
        gas_limit: genesis.gas_limit,
        base_fee_per_gas: Some(genesis.base_fee_per_gas),
        state_root: state_root_unhashed(genesis.alloc.iter().map(|(address, account)| (*address, account.clone()))),
        extra_data: consensus_hash(genesis).0.into(),
        difficulty: U256::ZERO,
        nonce: B64::ZERO,
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: genesis.is_prague(genesis.timestamp).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// keccak of the canonical consensus section: everything that consensus depends on and the header does not show.
fn consensus_hash(genesis: &Genesis) -> B256 {
    let mut items = Vec::new();
    "axolotl/genesis/v1".encode(&mut items);
    genesis.chain_id.encode(&mut items);
    let kind: u8 = match genesis.network_kind {
        NetworkKind::Dev => 0,
        NetworkKind::Testnet => 1,
        NetworkKind::Mainnet => 2,
    };
    kind.encode(&mut items);
    genesis.nonce.encode(&mut items);
    for fork in [genesis.forks.prague, genesis.forks.osaka] {
        fork.map_or(Vec::new(), |time| vec![time]).encode(&mut items);
    }
    genesis.validators.hash().encode(&mut items);
    genesis.consensus.encode(&mut items);
    let mut bytes = Vec::new();
    alloy_rlp::Header { list: true, payload_length: items.len() }.encode(&mut bytes);
    bytes.extend_from_slice(&items);
    keccak256(bytes)
}

pub(super) fn to_geth(genesis: &Genesis) -> String {
    let config = ChainConfig {
        chain_id: genesis.chain_id,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        merge_netsplit_block: Some(0),
        terminal_total_difficulty: Some(U256::ZERO),
        terminal_total_difficulty_passed: true,
        shanghai_time: Some(0),
        cancun_time: Some(0),
        prague_time: genesis.forks.prague,
        osaka_time: genesis.forks.osaka,
        ..ChainConfig::default()
    };
    let file = alloy_genesis::Genesis {
        config,
        nonce: 0,
        timestamp: genesis.timestamp,
        extra_data: genesis.header.extra_data.clone(),
        gas_limit: genesis.gas_limit,
        difficulty: U256::ZERO,
        mix_hash: B256::ZERO,
        base_fee_per_gas: Some(u128::from(genesis.base_fee_per_gas)),
        excess_blob_gas: Some(0),
        blob_gas_used: Some(0),
        alloc: genesis.alloc.clone(),
        number: Some(0),
        ..alloy_genesis::Genesis::default()
    };
    let mut text = serde_json::to_string_pretty(&file).expect("a genesis is always JSON");
    text.push('\n');
    text
}
