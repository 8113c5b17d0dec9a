//! Calls that change nothing, and what may wait for a block.

use alloy_consensus::{TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use primitives::{Header, RecoveredTransaction, limits};

use crate::{
    CallError, CallOutcome, CallRequest, Cancel, Simulation,
    admission::{Inadmissible, admit, check_state},
    testing::*,
};

/// A node with all the contracts of these tests.
struct Contracts {
    node: Node,
    header: Header,
    store: Address,
    reverter: Address,
    looper: Address,
    balance: Address,
}

impl Contracts {
    fn new() -> Self {
        let mut node = Node::new();
        let runtimes = [STORE, REVERTER, LOOPER, BALANCE];
        let receipts = node.mine((0..).zip(runtimes).map(|(nonce, runtime)| deploy(7, nonce, init_code(runtime))).collect());
        let at = |index: usize| receipts[index].contract_address.unwrap();
        let header = node.engine.finalised().1;
        Self { header, store: at(0), reverter: at(1), looper: at(2), balance: at(3), node }
    }

    fn simulate<T>(&self, run: impl FnOnce(&Simulation<'_>) -> T) -> T {
        let cancel = Cancel::default();
        run(&Simulation { chain: self.node.engine.chain(), state: &self.node.state, header: &self.header, gas_cap: 50_000_000, cancel: &cancel })
    }

    fn call(&self, request: &CallRequest) -> Result<CallOutcome, CallError> {
        self.simulate(|simulation| simulation.call(request))
    }

    fn estimate(&self, request: &CallRequest) -> Result<u64, CallError> {
        self.simulate(|simulation| simulation.estimate_gas(request))
    }
}

fn to(to: Address) -> CallRequest {
    CallRequest { from: Some(wallet(0)), to: Some(to), ..CallRequest::default() }
}

#[test]
fn a_call_answers_output_or_revert_data_or_why_it_halted() {
    let contracts = Contracts::new();
    let Ok(CallOutcome::Success { output, .. }) = contracts.call(&to(contracts.balance)) else { panic!("no success") };
    assert_eq!(U256::from_be_slice(&output), U256::from(10u128.pow(24)));
    let Ok(CallOutcome::Revert { output, .. }) = contracts.call(&to(contracts.reverter)) else { panic!("no revert") };
    assert_eq!(output[..], [0xde, 0xad, 0xbe, 0xef]);
    let halted = contracts.call(&CallRequest { gas: Some(100_000), ..to(contracts.looper) });
    assert!(matches!(halted, Ok(CallOutcome::Halt { gas_used: 100_000, .. })), "{halted:?}");
}

#[test]
fn anybody_may_call_even_a_contract_and_without_funds() {
    let contracts = Contracts::new();
    for from in [None, Some(contracts.store), Some(Address::repeat_byte(0xbb))] {
        let outcome = contracts.call(&CallRequest { from, ..to(contracts.balance) });
        assert!(matches!(outcome, Ok(CallOutcome::Success { .. })), "{outcome:?}");
    }
}

#[test]
fn a_call_cannot_spend_what_its_sender_has_not() {
    let contracts = Contracts::new();
    let value = CallRequest { from: Some(Address::repeat_byte(0xbb)), value: U256::ONE, ..to(contracts.store) };
    assert!(matches!(contracts.call(&value), Err(CallError::Refused(_))));
    let two_prices = CallRequest { gas_price: Some(1), max_fee_per_gas: Some(1), ..to(contracts.store) };
    assert_eq!(contracts.call(&two_prices), Err(CallError::TwoPrices));
    let tip = CallRequest { max_priority_fee_per_gas: Some(u128::MAX), ..to(contracts.store) };
    assert!(matches!(contracts.call(&tip), Err(CallError::Refused(_))));
}

#[test]
fn a_call_changes_nothing() {
    let contracts = Contracts::new();
    contracts.call(&CallRequest { data: words(&[0, 5]), ..to(contracts.store) }).unwrap();
    assert_eq!(contracts.node.slot(contracts.store, 0), U256::ZERO);
}

#[test]
fn a_contract_can_be_made_in_a_call() {
    let contracts = Contracts::new();
    let request = CallRequest { to: None, data: init_code(STORE), ..to(contracts.store) };
    let Ok(CallOutcome::Success { output, .. }) = contracts.call(&request) else { panic!("no success") };
    assert_eq!(output[..], *STORE);
}

#[test]
fn an_authorization_without_a_target_is_answered() {
    let contracts = Contracts::new();
    let authorization_list = vec![authorize(1, contracts.store, 0)];
    let _ = contracts.call(&CallRequest { to: None, authorization_list: authorization_list.clone(), ..CallRequest::default() });
    let outcome = contracts.call(&CallRequest { authorization_list, data: words(&[1, 1]), ..to(wallet(1)) });
    assert!(matches!(outcome, Ok(CallOutcome::Success { .. })), "{outcome:?}");
}

#[test]
fn a_long_call_ends_when_nobody_waits_for_it() {
    let contracts = Contracts::new();
    let cancel = Cancel::default();
    let (chain, state) = (contracts.node.engine.chain(), &contracts.node.state);
    let outcome = std::thread::scope(|scope| {
        let simulation = Simulation { chain, state, header: &contracts.header, gas_cap: u64::MAX, cancel: &cancel };
        let running = scope.spawn(move || simulation.call(&to(contracts.looper)));
        cancel.cancel();
        running.join().unwrap()
    });
    assert_eq!(outcome, Err(CallError::Cancelled));
}

#[test]
fn a_plain_transfer_is_estimated_exactly() {
    let contracts = Contracts::new();
    assert_eq!(contracts.estimate(&CallRequest { value: U256::ONE, ..to(Address::repeat_byte(0xcc)) }), Ok(21_000));
}

#[test]
fn an_estimate_suffices_and_is_hardly_more_than_needed() {
    let mut contracts = Contracts::new();
    let request = CallRequest { data: words(&[0, 5]), ..to(contracts.store) };
    let estimate = contracts.estimate(&request).unwrap();
    let mut transaction = eip1559(0, TxKind::Call(contracts.store), 0, words(&[0, 5]));
    transaction.gas_limit = estimate;
    let receipts = contracts.node.mine(vec![sign(0, transaction)]);
    assert!(receipts[0].is_success);
    assert!(estimate <= receipts[0].gas_used * 1_015 / 1_000 + 1, "{estimate} for {}", receipts[0].gas_used);
}

#[test]
fn an_estimate_that_cannot_succeed_says_why() {
    let contracts = Contracts::new();
    assert_eq!(contracts.estimate(&to(contracts.reverter)), Err(CallError::Reverted { output: Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef]) }));
    assert_eq!(contracts.estimate(&to(contracts.looper)), Err(CallError::Allowance { allowance: 30_000_000 }));
    let poor = CallRequest { from: Some(Address::repeat_byte(0xbb)), gas_price: Some(2_000_000_000), value: U256::ONE, ..to(contracts.store) };
    assert!(matches!(contracts.estimate(&poor), Err(CallError::Funds { .. })));
    let unaffordable = CallRequest { value: U256::ZERO, ..poor };
    assert_eq!(contracts.estimate(&unaffordable), Err(CallError::Allowance { allowance: 0 }));
}

fn admitted(node: &Node, raw: Vec<u8>) -> Result<RecoveredTransaction, Inadmissible> {
    admit(node.engine.chain(), node.engine.senders(), node.genesis.timestamp, &[raw.into()]).remove(0)
}

fn refusal(transaction: RecoveredTransaction) -> Inadmissible {
    admitted(&Node::new(), transaction.encoded_2718()).unwrap_err()
}

#[test]
fn good_transactions_are_admitted_with_their_senders_in_order() {
    let node = Node::new();
    let raw: Vec<Bytes> =
        (0..WALLETS).map(|from| transfer(from, 0, Address::ZERO, 1).encoded_2718().into()).chain([Bytes::from_static(b"x")]).collect();
    let admitted = admit(node.engine.chain(), node.engine.senders(), node.genesis.timestamp, &raw);
    assert!(admitted[..WALLETS as usize].iter().zip(0..).all(|(result, from)| result.as_ref().unwrap().signer() == wallet(from)));
    assert!(matches!(admitted[WALLETS as usize], Err(Inadmissible::Malformed(_))));
}

#[test]
fn a_transaction_from_before_eip_155_is_admitted() {
    let old = TxLegacy { chain_id: None, gas_price: 10u128.pow(10), gas_limit: 21_000, to: TxKind::Call(Address::ZERO), ..TxLegacy::default() };
    assert!(admitted(&Node::new(), sign(0, old).encoded_2718()).is_ok());
}

#[test]
fn what_is_wrong_with_a_transaction_is_named() {
    let base = || eip1559(0, TxKind::Call(Address::ZERO), 0, Bytes::new());
    let change = |edit: fn(&mut alloy_consensus::TxEip1559)| {
        let mut transaction = base();
        edit(&mut transaction);
        refusal(sign(0, transaction))
    };
    assert_eq!(change(|tx| tx.chain_id = 1), Inadmissible::ChainId { expected: CHAIN_ID, found: 1 });
    assert_eq!(change(|tx| tx.gas_limit = 20_999), Inadmissible::IntrinsicGas { needed: 21_000, gas_limit: 20_999 });
    assert_eq!(change(|tx| tx.gas_limit = 30_000_001), Inadmissible::GasLimit { gas_limit: 30_000_001, max: 30_000_000 });
    assert!(matches!(change(|tx| tx.max_priority_fee_per_gas = u128::MAX), Inadmissible::TipAboveCap { .. }));
    assert_eq!(change(|tx| tx.nonce = u64::MAX), Inadmissible::NonceMax);
    assert!(matches!(change(|tx| (tx.to, tx.input) = (TxKind::Create, vec![0; 49_153].into())), Inadmissible::InitCode { bytes: 49_153, .. }));
    assert!(matches!(change(|tx| tx.input = vec![0; 131_072].into()), Inadmissible::TooLarge { max: limits::MAX_TRANSACTION_BYTES, .. }));
    let empty = TxEip7702 { chain_id: CHAIN_ID, gas_limit: 100_000, ..TxEip7702::default() };
    assert_eq!(refusal(sign(0, empty)), Inadmissible::NoAuthorization);
    assert_eq!(admitted(&Node::new(), vec![3, 0xc0]), Err(Inadmissible::Blob));
    let high_s = alloy_consensus::Signed::new_unhashed(base(), alloy_primitives::Signature::new(U256::ONE, U256::MAX, false));
    assert_eq!(admitted(&Node::new(), primitives::Transaction::from(high_s).encoded_2718()), Err(Inadmissible::Signature));
}

#[test]
fn calldata_has_a_floor_price_since_prague() {
    let mut transaction = eip1559(0, TxKind::Call(Address::ZERO), 0, vec![1; 1_000].into());
    transaction.gas_limit = 60_999;
    assert_eq!(refusal(sign(0, transaction)), Inadmissible::IntrinsicGas { needed: 61_000, gas_limit: 60_999 });
}

#[test]
fn a_fee_cap_below_the_base_fee_can_wait() {
    let mut transaction = eip1559(0, TxKind::Call(Address::ZERO), 0, Bytes::new());
    (transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas) = (1, 1);
    assert!(admitted(&Node::new(), sign(0, transaction).encoded_2718()).is_ok());
}

#[test]
fn the_state_can_forbid_what_looks_good() {
    let mut node = Node::new();
    node.mine(vec![transfer(0, 0, Address::ZERO, 1)]);
    let check = |transaction: &RecoveredTransaction| check_state(&node.state, transaction);
    assert_eq!(check(&transfer(0, 0, Address::ZERO, 1)), Err(Inadmissible::NonceTooLow { expected: 1, got: 0 }));
    assert_eq!(check(&transfer(0, 9, Address::ZERO, 1)), Ok(()));
    let poor = RecoveredTransaction::new_unchecked(transfer(0, 0, Address::ZERO, 1).into_inner(), Address::repeat_byte(0xbb));
    let need = U256::from(21_000u64 * 10_000_000_000 + 1);
    assert_eq!(check(&poor), Err(Inadmissible::Balance { have: U256::ZERO, need }));
}

#[test]
fn a_contract_cannot_send_but_a_delegating_account_can() {
    let genesis = genesis();
    let rich = |code: Vec<u8>| {
        alloy_genesis::GenesisAccount::default().with_balance(U256::from(10u128.pow(24))).with_nonce(Some(1)).with_code(Some(code.into()))
    };
    let delegation = [&[0xef, 0x01, 0x00][..], Address::ZERO.as_slice()].concat();
    let genesis = genesis.with(|genesis| genesis.alloc.extend([(wallet(0), rich(STORE.to_vec())), (wallet(1), rich(delegation))])).unwrap();
    let node = Node::of(genesis);
    assert_eq!(check_state(&node.state, &transfer(0, 1, Address::ZERO, 1)), Err(Inadmissible::SenderHasCode));
    assert_eq!(check_state(&node.state, &transfer(1, 1, Address::ZERO, 1)), Ok(()));
}

#[test]
fn an_access_list_names_what_a_call_touches_and_what_costs_to_touch() {
    let contracts = Contracts::new();
    let stored = contracts.simulate(|simulation| simulation.access_list(&to(contracts.store))).unwrap();
    let slots: Vec<_> = stored.list.0.iter().map(|item| (item.address, item.storage_keys.len())).collect();
    assert_eq!((slots, stored.failure), (vec![(contracts.store, 1)], None));
    let listed = CallRequest { access_list: Some(stored.list), ..to(contracts.store) };
    let Ok(CallOutcome::Success { gas_used, .. }) = contracts.call(&listed) else { panic!("no success") };
    assert_eq!(gas_used, stored.gas_used);
    let plain = contracts.simulate(|simulation| simulation.access_list(&to(Address::repeat_byte(5)))).unwrap();
    assert!(plain.list.0.is_empty() && plain.gas_used == 21_000, "{plain:?}");
}

#[test]
fn an_access_list_of_a_call_that_fails_says_why() {
    let contracts = Contracts::new();
    let reverted = contracts.simulate(|simulation| simulation.access_list(&to(contracts.reverter))).unwrap();
    assert_eq!((reverted.list.0.len(), reverted.failure.as_deref()), (0, Some("execution reverted")));
}
