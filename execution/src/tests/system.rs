//! What happens in every block besides transactions.

use alloy_eips::{eip2935, eip4788, eip7002, eip7251, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{B256, Bytes, TxKind, U256, keccak256};

use crate::{Verdict, testing::*};

#[test]
fn the_parent_s_hash_is_stored_as_eip_2935_says() {
    let mut node = Node::new();
    let parent = node.engine.finalised().0;
    node.mine(vec![]);
    assert_eq!(node.slot(eip2935::HISTORY_STORAGE_ADDRESS, 0), U256::from_be_bytes(parent.0));
}

#[test]
fn the_metadata_s_hash_is_stored_as_eip_4788_says() {
    let mut node = Node::new();
    node.mine(vec![]);
    let (_, header, _) = node.engine.finalised();
    let slot = header.timestamp % 8_191;
    assert_eq!(node.slot(eip4788::BEACON_ROOTS_ADDRESS, slot), U256::from(header.timestamp));
    let root = header.parent_beacon_block_root.unwrap();
    assert_eq!(node.slot(eip4788::BEACON_ROOTS_ADDRESS, slot + 8_191), U256::from_be_bytes(root.0));
}

#[test]
fn a_block_without_requests_has_their_empty_hash() {
    let mut node = Node::new();
    node.mine(vec![]);
    assert_eq!(node.engine.finalised().1.requests_hash, Some(EMPTY_REQUESTS_HASH));
}

/// A withdrawal request (EIP-7002) or a consolidation request (EIP-7251): both take some bytes and a fee of at least 1 wei.
fn requested(to: alloy_primitives::Address, bytes: usize) -> Node {
    let mut node = Node::new();
    let input = Bytes::from(vec![7; bytes]);
    let receipts = node.mine(vec![sign(0, eip1559(0, TxKind::Call(to), 1, input))]);
    assert!(receipts[0].is_success);
    node
}

#[test]
fn requests_leave_their_queue_and_enter_the_header() {
    for (address, bytes) in [(eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 56), (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, 96)] {
        let node = requested(address, bytes);
        assert_ne!(node.engine.finalised().1.requests_hash, Some(EMPTY_REQUESTS_HASH));
        // Head and tail of the queue (slots 2 and 3) are reset once it is empty.
        assert_eq!((node.slot(address, 2), node.slot(address, 3)), (U256::ZERO, U256::ZERO));
    }
}

#[test]
fn before_prague_there_is_no_requests_hash() {
    let genesis = genesis().with(|genesis| genesis.forks.prague = None).unwrap();
    let mut node = Node::of(genesis);
    node.mine(vec![transfer(0, 0, wallet(1), 1)]);
    assert_eq!(node.engine.finalised().1.requests_hash, None);
}

#[test]
fn forks_begin_between_two_blocks() {
    let start = genesis().timestamp;
    let genesis = genesis().with(|genesis| (genesis.forks.prague, genesis.forks.osaka) = (Some(start + 2), Some(start + 3))).unwrap();
    let (mut node, other) = (Node::of(genesis.clone()), Node::of(genesis));
    let mut other = other;
    let mut has_requests = vec![];
    for nonce in 0..4 {
        let built = node.build(vec![transfer(0, nonce, wallet(1), 1)]).executed;
        assert!(matches!(other.validate(&built.body), Verdict::Valid(_)));
        has_requests.push(built.header().requests_hash.is_some());
        node.commit(&built);
        other.commit(&built);
    }
    assert_eq!(has_requests, [false, true, true, true]);
}

#[test]
fn contracts_see_the_hashes_of_earlier_blocks() {
    // Stores BLOCKHASH(calldata word 0) at slot 0.
    const HASHER: &[u8] = &[0x60, 0x00, 0x35, 0x40, 0x60, 0x00, 0x55, 0x00];
    let mut node = Node::new();
    let hasher = node.mine(vec![deploy(0, 0, init_code(HASHER))])[0].contract_address.unwrap();
    let first = node.engine.finalised().0;
    let second = node.build(vec![]).executed;
    node.validate(&second.body);
    // The third block stands on one that is not written.
    let third = node.build_on(second.hash, vec![call(0, 1, hasher, words(&[1]))]).executed;
    let stored = |block: &crate::Executed| block.changes.slots[&(hasher, B256::ZERO)];
    assert_eq!(stored(&third), U256::from_be_bytes(first.0));
    let third = node.build_on(second.hash, vec![call(0, 1, hasher, words(&[2]))]).executed;
    assert_eq!(stored(&third), U256::from_be_bytes(second.hash.0));
}

#[test]
fn prevrandao_is_the_hash_of_the_metadata_s_hash() {
    let mut node = Node::new();
    node.mine(vec![]);
    let (_, header, _) = node.engine.finalised();
    assert_eq!(header.mix_hash, keccak256(header.parent_beacon_block_root.unwrap()));
}
