//! What transactions do.

use alloy_consensus::{TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use primitives::RecoveredTransaction;
use proptest::prelude::*;

use crate::{NotExecutable, Verdict, testing::*};

const PRICE: u128 = 10_000_000_000;
const SOMEBODY: Address = Address::repeat_byte(0xaa);

fn legacy(nonce: u64, to: Address, value: u64) -> TxLegacy {
    TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce,
        gas_price: PRICE,
        gas_limit: 100_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        input: Bytes::new(),
    }
}

/// A node with a contract made of `runtime` by wallet 7, and where it is.
fn with_contract(runtime: &[u8]) -> (Node, Address) {
    let mut node = Node::new();
    let receipts = node.mine(vec![deploy(7, 0, init_code(runtime))]);
    assert!(receipts[0].is_success);
    (node, receipts[0].contract_address.unwrap())
}

#[test]
fn every_type_is_executed_and_has_its_receipt() {
    let (mut node, store) = with_contract(STORE);
    let item = AccessListItem { address: store, storage_keys: vec![B256::ZERO] };
    let eip2930 = TxEip2930 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_price: PRICE,
        gas_limit: 100_000,
        to: TxKind::Call(store),
        value: U256::ZERO,
        access_list: AccessList(vec![item]),
        input: words(&[0, 5]),
    };
    let eip7702 = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 200_000,
        max_fee_per_gas: PRICE,
        max_priority_fee_per_gas: 1,
        to: wallet(4),
        value: U256::ZERO,
        access_list: AccessList::default(),
        authorization_list: vec![authorize(4, store, 0)],
        input: words(&[1, 6]),
    };
    let receipts = node.mine(vec![sign(0, legacy(0, SOMEBODY, 1)), sign(1, eip2930), transfer(2, 0, SOMEBODY, 2), sign(3, eip7702)]);
    assert_eq!(receipts.iter().map(|receipt| receipt.transaction_type).collect::<Vec<_>>(), [0, 1, 2, 4]);
    assert!(receipts.iter().all(|receipt| receipt.is_success));
    assert_eq!(node.account(SOMEBODY).balance, U256::from(3));
    assert_eq!(node.slot(store, 0), U256::from(5));
    assert_eq!(node.slot(wallet(4), 1), U256::from(6), "delegated code writes into the account that delegates");
    let delegation = [&[0xef, 0x01, 0x00][..], store.as_slice()].concat();
    assert_eq!(node.account(wallet(4)).code_hash, keccak256(delegation));
}

#[test]
fn a_receipt_says_who_paid_what_for_what() {
    let mut node = Node::new();
    let receipts = node.mine(vec![transfer(0, 0, SOMEBODY, 1), transfer(1, 0, SOMEBODY, 1)]);
    let base_fee = u128::from(node.engine.finalised().1.base_fee_per_gas.unwrap());
    assert_eq!((receipts[1].gas_used, receipts[1].cumulative_gas_used), (21_000, 42_000));
    assert_eq!((receipts[1].sender, receipts[1].to), (wallet(1), Some(SOMEBODY)));
    assert_eq!(receipts[1].effective_gas_price, base_fee + 1_000_000_000);
    let paid = U256::from(10u128.pow(24)) - node.account(wallet(1)).balance;
    assert_eq!(paid, U256::from(21_000 * receipts[1].effective_gas_price + 1));
    assert_eq!(
        node.account(Address::repeat_byte(0xfe)).balance,
        U256::from(42_000u64) * U256::from(1_000_000_000u64),
        "tips go to the fee recipient"
    );
}

#[test]
fn logs_are_numbered_through_the_block_and_in_its_bloom() {
    let (mut node, logger) = with_contract(LOGGER);
    let receipts = node.mine(vec![call(0, 0, logger, words(&[7])), call(1, 0, logger, words(&[8]))]);
    assert_eq!((receipts[0].first_log_index, receipts[1].first_log_index), (0, 1));
    assert_eq!(receipts[1].logs[0].topics(), [B256::from(U256::from(8))]);
    assert_eq!(receipts[1].logs[0].address, logger);
    let bloom = node.engine.finalised().1.logs_bloom;
    assert_eq!(bloom, receipts[0].logs_bloom() | receipts[1].logs_bloom());
}

#[test]
fn a_revert_costs_gas_and_changes_nothing_else() {
    let (mut node, reverter) = with_contract(REVERTER);
    let receipts = node.mine(vec![sign(0, eip1559(0, TxKind::Call(reverter), 5, Bytes::new()))]);
    assert!(!receipts[0].is_success && receipts[0].gas_used < 22_000);
    assert_eq!(node.account(reverter).balance, U256::ZERO);
    assert_eq!(node.account(wallet(0)).nonce, 1);
}

#[test]
fn gas_that_runs_out_is_all_used() {
    let (mut node, looper) = with_contract(LOOPER);
    let receipts = node.mine(vec![call(0, 0, looper, Bytes::new())]);
    assert_eq!((receipts[0].is_success, receipts[0].gas_used), (false, 300_000));
}

#[test]
fn slots_set_to_zero_leave_the_trie() {
    let (mut node, store) = with_contract(STORE);
    node.mine((0..40).map(|slot| call(0, slot, store, words(&[slot, slot + 1]))).collect());
    assert_eq!(node.state.slots_of(store).count(), 40);
    node.mine((0..39).map(|slot| call(1, slot, store, words(&[slot, 0]))).collect());
    assert_eq!(node.state.slots_of(store).count(), 1);
    node.mine(vec![call(2, 0, store, words(&[39, 0]))]);
    assert_eq!(node.account(store).storage_root, alloy_trie::EMPTY_ROOT_HASH);
}

#[test]
fn a_contract_destroyed_while_it_is_made_leaves_nothing() {
    let mut node = Node::new();
    let receipts = node.mine(vec![deploy(0, 0, Bytes::from_static(STILLBORN))]);
    let address = receipts[0].contract_address.unwrap();
    assert!(receipts[0].is_success);
    assert!(!node.state.accounts().any(|(account, _)| *account == address));
    assert_eq!(node.state.slots_of(address).count(), 0);
}

#[test]
fn an_account_is_gone_for_good_when_it_is_touched_empty() {
    let mut node = Node::new();
    let zero = sign(0, legacy(0, SOMEBODY, 0));
    node.mine(vec![zero]);
    assert!(!node.state.accounts().any(|(account, _)| *account == SOMEBODY));
}

fn refusals(candidates: Vec<RecoveredTransaction>) -> Vec<NotExecutable> {
    Node::new().build(candidates).refused.into_iter().map(|refused| refused.why).collect()
}

#[test]
fn a_builder_leaves_out_what_cannot_be_executed_and_says_why() {
    use revm::context::result::InvalidTransaction as Invalid;
    let why = |candidates| match refusals(candidates).remove(0) {
        NotExecutable::Refused(why) => why,
        other => panic!("{other}"),
    };
    assert_eq!(why(vec![transfer(0, 1, SOMEBODY, 1)]), Invalid::NonceTooHigh { tx: 1, state: 0 });
    assert_eq!(why(vec![transfer(0, 0, SOMEBODY, 1), transfer(0, 0, SOMEBODY, 2)]), Invalid::NonceTooLow { tx: 0, state: 1 });
    let mut dear = eip1559(0, TxKind::Call(SOMEBODY), 0, Bytes::new());
    dear.value = U256::from(10u128.pow(24));
    assert!(matches!(why(vec![sign(0, dear)]), Invalid::LackOfFundForMaxFee { .. }));
    let mut cheap = eip1559(0, TxKind::Call(SOMEBODY), 0, Bytes::new());
    (cheap.max_fee_per_gas, cheap.max_priority_fee_per_gas) = (1, 0);
    assert_eq!(why(vec![sign(0, cheap)]), Invalid::GasPriceLessThanBasefee);
}

#[test]
fn what_is_only_too_early_is_told_from_what_will_never_do() {
    assert!(refusals(vec![transfer(0, 1, SOMEBODY, 1)])[0].is_early());
    assert!(!refusals(vec![transfer(0, 0, SOMEBODY, 1), transfer(0, 0, SOMEBODY, 2)])[0].is_early());
}

#[test]
fn what_does_not_fit_waits_for_the_next_block() {
    let mut large = eip1559(0, TxKind::Call(SOMEBODY), 0, Bytes::new());
    large.gas_limit = 29_990_000;
    let node = Node::new();
    let built = node.build(vec![transfer(0, 0, SOMEBODY, 1), sign(1, large), transfer(2, 0, SOMEBODY, 1)]);
    assert_eq!(built.executed.receipts.len(), 2);
    assert_eq!(built.refused[0].why, NotExecutable::NoGasLeft { gas_limit: 29_990_000, left: 29_979_000 });
}

#[test]
fn a_full_block_asks_for_no_more() {
    let (node, looper) = with_contract(LOOPER);
    let mut all = eip1559(0, TxKind::Call(looper), 0, Bytes::new());
    all.gas_limit = 30_000_000;
    let mut candidates = vec![sign(0, all), transfer(1, 0, SOMEBODY, 1)].into_iter();
    let (parent, header, _) = node.engine.finalised();
    let built = node.engine.build(&parent, node.attributes(&header), &mut candidates, &crate::Cancel::default()).unwrap();
    assert_eq!(built.executed.gas_used(), 30_000_000);
    assert_eq!(candidates.len(), 1);
}

#[test]
fn more_contracts_than_are_kept_in_memory_keep_their_storage() {
    let mut node = Node::new();
    let receipts = node.mine((0..80).map(|nonce| deploy(0, nonce, init_code(STORE))).collect());
    let contracts: Vec<Address> = receipts.iter().map(|receipt| receipt.contract_address.unwrap()).collect();
    for block in 0..3u64 {
        let calls = (0..).zip(&contracts).map(|(index, contract)| call(1, block * 80 + index, *contract, words(&[block, index + 1])));
        node.mine(calls.collect());
    }
    assert!(contracts.iter().zip(1..).all(|(contract, value)| (0..3).all(|slot| node.slot(*contract, slot) == U256::from(value))));
}

/// Some transfers between the wallets and to new accounts, with the nonces they need.
fn transfers() -> impl Strategy<Value = Vec<Vec<(u8, u8, u64)>>> {
    prop::collection::vec(prop::collection::vec((0..WALLETS, any::<u8>(), 0..1_000_000u64), 0..12), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn storage_written_on_undecided_parents_has_the_root_of_a_rebuild(blocks in prop::collection::vec(prop::collection::vec((0..40u64, 0..3u64), 0..10), 1..6)) {
        let (mut node, store) = with_contract(STORE);
        let (mut nonce, mut unwritten) = (0, None);
        let mut parent = node.engine.finalised().0;
        for block in blocks {
            let calls = block.into_iter().map(|(slot, value)| {
                nonce += 1;
                call(0, nonce - 1, store, words(&[slot, value]))
            });
            let built = node.build_on(parent, calls.collect()).executed;
            parent = built.hash;
            // Each block is executed while its parent is decided and not yet written.
            if let Some(changes) = unwritten.take() {
                node.write(&changes);
            }
            unwritten = Some(node.decide(&built));
        }
    }

    #[test]
    fn what_one_engine_builds_another_finds_valid(blocks in transfers()) {
        let (mut one, mut other) = (Node::new(), Node::new());
        let mut nonces = [0u64; WALLETS as usize];
        for block in blocks {
            let transactions = block.into_iter().map(|(from, to, value)| {
                let to = if to < WALLETS { wallet(to) } else { Address::repeat_byte(to) };
                nonces[from as usize] += 1;
                transfer(from, nonces[from as usize] - 1, to, value)
            });
            let built = one.build(transactions.collect()).executed;
            let Verdict::Valid(judged) = other.validate(&built.body) else { panic!("refused") };
            prop_assert_eq!(judged.header().state_root, built.header().state_root);
            // Both check the root, and every stored node, against a rebuild.
            one.commit(&built);
            other.commit(&judged);
        }
    }
}
