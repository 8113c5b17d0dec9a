//! Every rule can be broken, and is named.

use alloy_consensus::{Block, TxEip4844};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, TxKind, U256};
use primitives::{Body, CertificateError, Metadata, Transaction, limits};

use crate::{Cancel, Executed, NoVerdict, Rule, Verdict, testing::*};

/// A node at height 1, and a good block 2 to spoil.
fn good() -> (Node, std::sync::Arc<Executed>) {
    let mut node = Node::new();
    node.mine(vec![transfer(0, 0, Address::repeat_byte(0xaa), 1)]);
    // Another node built it, so this one has no memory of it.
    let built = node.restarted().build(vec![transfer(1, 0, Address::repeat_byte(0xaa), 1)]).executed;
    (node, built)
}

/// The verdict on block 2 after `spoil`, with the header made to fit the spoilt contents where it says nothing else.
fn judged(spoil: impl FnOnce(&mut Block<Transaction>, &mut Metadata)) -> Rule {
    let (node, built) = good();
    let (mut block, mut metadata) = (built.block.clone(), built.metadata.clone());
    spoil(&mut block, &mut metadata);
    rule(node.validate(&Body::new(&block, &metadata)))
}

fn rule(verdict: Verdict) -> Rule {
    match verdict {
        Verdict::Invalid(rule) => rule,
        other => panic!("{other:?}"),
    }
}

/// As [`judged`], with the metadata's hashes in the header after the change.
fn judged_metadata(spoil: impl FnOnce(&mut Metadata)) -> Rule {
    judged(|block, metadata| {
        spoil(metadata);
        block.header.parent_beacon_block_root = Some(metadata.hash());
        block.header.mix_hash = metadata.mix_hash();
    })
}

#[test]
fn the_good_block_is_valid() {
    let (node, built) = good();
    assert!(matches!(node.validate(&built.body), Verdict::Valid(judged) if judged.hash == built.hash));
}

#[test]
fn a_body_that_its_header_does_not_cover_is_named() {
    assert_eq!(judged(|block, _| drop(block.body.transactions.pop())), Rule::TransactionsRoot);
    assert_eq!(judged(|block, _| block.body.ommers.push(Default::default())), Rule::Ommers);
    assert_eq!(judged(|block, _| block.body.withdrawals = None), Rule::Withdrawals);
    assert_eq!(judged(|block, _| block.header.withdrawals_root = Some(B256::ZERO)), Rule::Withdrawals);
    assert_eq!(judged(|_, metadata| metadata.next_validators_hash = B256::ZERO), Rule::MetadataHash);
    assert_eq!(judged(|block, _| block.header.parent_beacon_block_root = None), Rule::MetadataHash);
}

#[test]
fn bytes_that_are_no_body_are_named() {
    let (node, built) = good();
    let body = |block: &[u8]| Body { block: block.to_vec().into(), metadata: built.body.metadata.clone() };
    assert!(matches!(rule(node.validate(&body(b"rubbish"))), Rule::Body(_)));
    assert!(matches!(rule(node.validate(&body(&vec![0; limits::MAX_BODY_BYTES]))), Rule::TooLarge { .. }));
}

#[test]
fn a_header_that_does_not_follow_its_parent_is_named() {
    assert_eq!(judged(|block, _| block.header.number = 3), Rule::Number { expected: 2, found: 3 });
    assert_eq!(judged(|block, _| block.header.mix_hash = B256::ZERO), Rule::MixHash);
    assert_eq!(judged(|block, _| block.header.difficulty = U256::ONE), Rule::Difficulty);
    assert_eq!(judged(|block, _| block.header.nonce = B64::with_last_byte(1)), Rule::Nonce);
    assert_eq!(judged(|block, _| block.header.extra_data = vec![0; 33].into()), Rule::ExtraData { bytes: 33 });
    assert_eq!(judged(|block, _| block.header.gas_limit += 1), Rule::GasLimit { expected: 30_000_000, found: 30_000_001 });
    assert!(matches!(judged(|block, _| block.header.base_fee_per_gas = Some(7)), Rule::BaseFee { found: Some(7), .. }));
    assert_eq!(judged(|block, _| block.header.excess_blob_gas = Some(1)), Rule::ExcessBlobGas { expected: 0, found: Some(1) });
    assert_eq!(judged(|block, _| block.header.requests_hash = None), Rule::RequestsHash);
    assert_eq!(judged(|block, _| block.header.block_access_list_hash = Some(B256::ZERO)), Rule::LaterFork);
}

#[test]
fn with_a_block_interval_of_a_second_timestamps_never_repeat() {
    let (_, built) = good();
    let parent = built.header().timestamp - 1;
    assert_eq!(judged(|block, _| block.header.timestamp = parent), Rule::Timestamp { earliest: parent + 1, found: parent });
}

#[test]
fn below_a_second_timestamps_may_repeat_and_never_go_back() {
    let genesis = genesis().with(|genesis| genesis.consensus.block_interval = std::time::Duration::from_millis(999)).unwrap();
    let node = Node::of(genesis);
    let header = node.engine.finalised().1;
    let at = |timestamp| {
        let attributes = crate::Attributes { timestamp, ..node.attributes(&header) };
        let built = node.engine.build(&header.hash_slow(), attributes, &mut std::iter::empty(), &Cancel::default()).unwrap();
        node.validate(&built.executed.body)
    };
    assert!(matches!(at(header.timestamp), Verdict::Valid(_)));
    assert!(matches!(at(header.timestamp - 1), Verdict::Invalid(Rule::Timestamp { .. })));
}

#[test]
fn metadata_that_does_not_fit_is_named() {
    assert!(matches!(judged_metadata(|metadata| metadata.validators_hash = B256::ZERO), Rule::ValidatorsHash { .. }));
    assert!(matches!(judged_metadata(|metadata| metadata.next_validators_hash = B256::ZERO), Rule::NextValidatorsHash { .. }));
    assert_eq!(judged_metadata(|metadata| metadata.parent_certificate = None), Rule::NoParentCertificate);
    let certificate = |edit: fn(&mut primitives::Certificate)| judged_metadata(|metadata| edit(metadata.parent_certificate.as_mut().unwrap()));
    assert_eq!(certificate(|certificate| certificate.value = B256::ZERO), Rule::CertificateOfAnother { height: 1, value: B256::ZERO });
    assert!(matches!(certificate(|certificate| certificate.height.0 = 2), Rule::CertificateOfAnother { height: 2, .. }));
    let too_little = Rule::ParentCertificate(CertificateError::TooLittlePower { signed: 2, quorum: 3 });
    assert_eq!(certificate(|certificate| certificate.signatures.truncate(2)), too_little);
    assert!(matches!(certificate(|certificate| certificate.round.0 = 1), Rule::ParentCertificate(CertificateError::BadSignature { .. })));
}

#[test]
fn block_1_has_no_certificate() {
    let node = Node::new();
    let header = node.engine.finalised().1;
    let mut attributes = node.attributes(&header);
    attributes.metadata.parent_certificate = good().1.metadata.parent_certificate.clone();
    let built = node.engine.build(&header.hash_slow(), attributes, &mut std::iter::empty(), &Cancel::default()).unwrap();
    assert_eq!(rule(node.validate(&built.executed.body)), Rule::CertificateOfGenesis);
}

#[test]
fn results_that_execution_does_not_find_are_named() {
    assert!(matches!(judged(|block, _| block.header.gas_used = 1), Rule::GasUsed { expected: 1, found: 21_000 }));
    assert!(matches!(judged(|block, _| block.header.blob_gas_used = Some(131_072)), Rule::BlobGasUsed { found: 0, .. }));
    assert!(matches!(judged(|block, _| block.header.receipts_root = B256::ZERO), Rule::ReceiptsRoot { .. }));
    assert_eq!(judged(|block, _| block.header.logs_bloom = Bloom::repeat_byte(1)), Rule::LogsBloom);
    assert_eq!(judged(|block, _| block.header.requests_hash = Some(B256::ZERO)), Rule::RequestsHash);
    assert!(matches!(judged(|block, _| block.header.state_root = B256::ZERO), Rule::StateRoot { .. }));
}

/// As [`judged`], with the block holding these transactions only.
fn judged_transactions(transactions: Vec<Transaction>) -> Rule {
    judged(|block, _| {
        block.header.transactions_root = alloy_consensus::proofs::calculate_transaction_root(&transactions);
        block.body.transactions = transactions;
    })
}

#[test]
fn a_transaction_that_cannot_stand_there_is_named() {
    let good = transfer(1, 0, Address::ZERO, 1).into_inner();
    let gap = transfer(2, 5, Address::ZERO, 1).into_inner();
    assert!(matches!(judged_transactions(vec![good.clone(), gap]), Rule::Transaction { index: 1, .. }));
    let rule = judged_transactions(vec![good.clone(); 2_000]);
    assert_eq!(rule, Rule::TooManyTransactions { count: 2_000, max: 1_785 });
    let unsigned = alloy_primitives::Signature::new(U256::ONE, U256::MAX, false);
    let forged = alloy_consensus::Signed::new_unhashed(eip1559(0, TxKind::Call(Address::ZERO), 0, Bytes::new()), unsigned);
    assert_eq!(judged_transactions(vec![good.clone(), forged.into()]), Rule::Signature { index: 1 });
    let blob = TxEip4844 { chain_id: CHAIN_ID, blob_versioned_hashes: vec![B256::ZERO], ..TxEip4844::default() };
    assert_eq!(judged_transactions(vec![sign(1, blob).into_inner()]), Rule::BlobTransaction { index: 0 });
}

#[test]
fn another_encoding_of_the_same_block_is_refused() {
    let (node, built) = good();
    // The list's length in more bytes than it needs.
    let payload = alloy_rlp::Header::decode_bytes(&mut &built.body.block[..], true).unwrap();
    let length = (payload.len() as u32).to_be_bytes();
    let block = [&[0xfb][..], &length, payload].concat().into();
    assert!(matches!(rule(node.validate(&Body { block, metadata: built.body.metadata.clone() })), Rule::Body(_) | Rule::NotCanonical));
}

#[test]
fn a_broken_body_does_not_taint_its_header() {
    let (node, built) = good();
    let mut block = built.block.clone();
    block.body.transactions.clear();
    assert_eq!(rule(node.validate(&Body::new(&block, &built.metadata))), Rule::TransactionsRoot);
    assert!(matches!(node.validate(&built.body), Verdict::Valid(_)));
}

#[test]
fn a_block_ahead_of_our_clock_has_no_verdict_and_may_become_valid() {
    let (node, built) = good();
    let now = built.header().timestamp * 1_000;
    let at = |now_ms| node.engine.validate(&built.body, &node.validators(), now_ms, &Cancel::default());
    let early = now - limits::MAX_TIMESTAMP_AHEAD_MS - 1;
    assert!(matches!(at(early), Verdict::None(NoVerdict::AheadOfClock { ahead_ms: 5_001 })));
    assert!(matches!(at(early + 1), Verdict::Valid(_)));
}

#[test]
fn a_block_without_a_parent_has_no_verdict() {
    let (node, built) = good();
    let mut block = built.block.clone();
    block.header.parent_hash = B256::repeat_byte(9);
    let verdict = node.validate(&Body::new(&block, &built.metadata));
    assert!(matches!(verdict, Verdict::None(NoVerdict::UnknownParent { .. })), "{verdict:?}");
}
