//! Calls on accounts and blocks that are not as they were decided.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{BlockOverrides, state::AccountOverride};

use crate::{CallError, CallOutcome, CallRequest, Cancel, OverrideError, Overrides, Simulation, StepOptions, Tracer, testing::*};

/// Answers the slot named by its first word.
const LOAD: &[u8] = &[0x60, 0x00, 0x35, 0x54, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3];
const IDENTITY: Address = Address::with_last_byte(4);
const ELSEWHERE: Address = Address::repeat_byte(0x99);
const POOR: Address = Address::repeat_byte(0xbb);

/// Answers what the opcode leaves on the stack.
fn answer_of(opcode: u8) -> Bytes {
    [&[opcode][..], &LOAD[4..]].concat().into()
}

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

/// A node with a contract whose slots 1 and 2 hold 11 and 22.
struct Stored {
    node: Node,
    contract: Address,
}

impl Stored {
    fn new() -> Self {
        let mut node = Node::new();
        let contract = node.mine(vec![deploy(7, 0, init_code(STORE))])[0].contract_address.unwrap();
        node.mine(vec![call(7, 1, contract, words(&[1, 11])), call(7, 2, contract, words(&[2, 22]))]);
        Self { node, contract }
    }

    fn simulate<T>(&self, run: impl FnOnce(&Simulation<'_>) -> T) -> T {
        let (cancel, header) = (Cancel::default(), self.node.engine.finalised().1);
        run(&Simulation { chain: self.node.engine.chain(), state: &self.node.state, header: &header, gas_cap: 50_000_000, cancel: &cancel })
    }

    fn call(&self, request: &CallRequest) -> Result<CallOutcome, CallError> {
        self.simulate(|simulation| simulation.call(request))
    }

    #[track_caller]
    fn output(&self, request: &CallRequest) -> Bytes {
        match self.call(request) {
            Ok(CallOutcome::Success { output, .. }) => output,
            other => panic!("no success: {other:?}"),
        }
    }

    /// What slots 1, 2 and 3 hold for a call with this override of the contract.
    fn slots(&self, account: AccountOverride) -> [U256; 3] {
        let overrides = accounts([(self.contract, account.with_code(LOAD.to_vec()))]);
        [1, 2, 3]
            .map(|slot| U256::from_be_slice(&self.output(&CallRequest { data: words(&[slot]), overrides: overrides.clone(), ..to(self.contract) })))
    }
}

fn to(to: Address) -> CallRequest {
    CallRequest { to: Some(to), ..CallRequest::default() }
}

fn accounts(accounts: impl IntoIterator<Item = (Address, AccountOverride)>) -> Overrides {
    Overrides { state: accounts.into_iter().collect(), ..Overrides::default() }
}

fn account() -> AccountOverride {
    AccountOverride::default()
}

#[test]
fn code_that_was_never_deployed_runs() {
    let stored = Stored::new();
    let overrides = accounts([(ELSEWHERE, account().with_code(REVERTER.to_vec()))]);
    let outcome = stored.call(&CallRequest { overrides, ..to(ELSEWHERE) });
    assert!(matches!(outcome, Ok(CallOutcome::Revert { .. })), "{outcome:?}");
    let without = accounts([(stored.contract, account().with_code(Bytes::new()))]);
    assert_eq!(stored.output(&CallRequest { overrides: without, ..to(stored.contract) }), Bytes::new());
    let twice = account().with_code(LOAD.to_vec()).with_state_diff([(word(1), word(5))]);
    let overrides = accounts([(ELSEWHERE, twice.clone()), (POOR, twice)]);
    assert_eq!(stored.output(&CallRequest { data: words(&[1]), overrides, ..to(POOR) }), words(&[5]));
}

#[test]
fn a_balance_that_is_overridden_can_be_spent() {
    let stored = Stored::new();
    let transfer = CallRequest { from: Some(POOR), value: U256::from(7), gas_price: Some(10_000_000_000), ..to(ELSEWHERE) };
    assert!(matches!(stored.simulate(|simulation| simulation.estimate_gas(&transfer)), Err(CallError::Funds { .. })));
    let rich = CallRequest { overrides: accounts([(POOR, account().with_balance(U256::from(10u128.pow(18))))]), ..transfer };
    assert_eq!(stored.simulate(|simulation| simulation.estimate_gas(&rich)), Ok(21_000));
    assert_eq!(stored.call(&CallRequest { gas: Some(21_000), ..rich }), Ok(CallOutcome::Success { output: Bytes::new(), gas_used: 21_000 }));
}

#[test]
fn a_nonce_that_is_overridden_decides_where_a_contract_is_made() {
    let stored = Stored::new();
    // Init code that makes its own address the code of the contract.
    let init_code = answer_of(0x30);
    let made = |overrides| stored.output(&CallRequest { from: Some(POOR), data: init_code.clone(), overrides, ..CallRequest::default() });
    assert_eq!(made(accounts([(POOR, account().with_nonce(41))]))[12..], POOR.create(41)[..]);
    assert_eq!(made(Overrides::default())[12..], POOR.create(0)[..]);
}

#[test]
fn a_state_diff_changes_one_slot_and_a_state_replaces_all() {
    let stored = Stored::new();
    let numbers = |slots: [u64; 3]| slots.map(U256::from);
    assert_eq!(stored.slots(account()), numbers([11, 22, 0]));
    assert_eq!(stored.slots(account().with_state_diff([(word(2), word(5))])), numbers([11, 5, 0]));
    assert_eq!(stored.slots(account().with_state_diff([(word(1), word(0)), (word(3), word(33))])), numbers([0, 22, 33]));
    assert_eq!(stored.slots(account().with_state([(word(3), word(33))])), numbers([0, 0, 33]));
    assert_eq!(stored.slots(account().with_state([])), numbers([0, 0, 0]));
    assert_eq!(stored.node.slot(stored.contract, 1), U256::from(11));
}

#[test]
fn an_access_list_and_a_trace_see_what_is_overridden() {
    let stored = Stored::new();
    let overrides = accounts([(ELSEWHERE, account().with_code(LOAD.to_vec()).with_state_diff([(word(9), word(99))]))]);
    let request = CallRequest { data: words(&[9]), overrides, ..to(ELSEWHERE) };
    let touched = stored.simulate(|simulation| simulation.access_list(&request)).unwrap();
    assert_eq!((touched.list.0[0].address, &touched.list.0[0].storage_keys), (ELSEWHERE, &vec![word(9)]));
    let trace = stored.simulate(|simulation| simulation.trace(&request, &Tracer::Steps(StepOptions::default()))).unwrap();
    assert!(trace.contains("SLOAD") && trace.contains(&format!("\"returnValue\":\"{:#x}\"", words(&[99]))), "{trace}");
}

#[test]
fn a_call_sees_the_block_that_is_overridden() {
    let stored = Stored::new();
    let block = BlockOverrides {
        number: Some(U256::from(1_000)),
        time: Some(2_000_000_000),
        gas_limit: Some(77),
        coinbase: Some(POOR),
        random: Some(word(5)),
        base_fee: Some(U256::from(8)),
        blob_base_fee: Some(U256::from(9)),
        ..BlockOverrides::default()
    };
    let beneficiary = U256::from_be_slice(POOR.as_slice());
    let seen = [(0x43, 1_000), (0x42, 2_000_000_000), (0x45, 77), (0x44, 5), (0x48, 8), (0x4a, 9)].map(|(opcode, value)| (opcode, U256::from(value)));
    for (opcode, value) in seen.into_iter().chain([(0x41, beneficiary)]) {
        let state = accounts([(ELSEWHERE, account().with_code(answer_of(opcode))), (POOR, account().with_balance(U256::MAX))]).state;
        let request = CallRequest { from: Some(POOR), gas_price: Some(8), overrides: Overrides { state, block: block.clone() }, ..to(ELSEWHERE) };
        assert_eq!(U256::from_be_slice(&stored.output(&request)), value, "opcode {opcode:#x}");
    }
}

#[test]
fn the_hash_of_a_block_that_is_not_there_is_zero_and_can_be_overridden() {
    let stored = Stored::new();
    // PUSH2 999 BLOCKHASH
    let code = [&[0x61, 0x03, 0xe7, 0x40][..], &LOAD[4..]].concat();
    let state = accounts([(ELSEWHERE, account().with_code(code))]).state;
    let hash = |block| stored.output(&CallRequest { overrides: Overrides { state: state.clone(), block }, ..to(ELSEWHERE) });
    let later = BlockOverrides::default().with_number(U256::from(1_000));
    assert_eq!(hash(later.clone())[..], B256::ZERO[..]);
    assert_eq!(hash(BlockOverrides { block_hash: Some([(999, word(5))].into()), ..later })[..], word(5)[..]);
}

#[test]
fn a_precompile_is_moved_and_leaves_room_for_code() {
    let stored = Stored::new();
    let moved = account().with_move_precompile_to_opt(Some(ELSEWHERE)).with_code(answer_of(0x30));
    let overrides = accounts([(IDENTITY, moved.clone())]);
    let output = |to_address| stored.output(&CallRequest { data: words(&[1, 2]), overrides: overrides.clone(), ..to(to_address) });
    assert_eq!((output(ELSEWHERE), &output(IDENTITY)[12..]), (words(&[1, 2]), &IDENTITY[..]));
    let refused =
        |state: &[(Address, AccountOverride)]| stored.call(&CallRequest { overrides: accounts(state.to_vec()), ..to(IDENTITY) }).unwrap_err();
    assert_eq!(refused(&[(POOR, moved.clone())]), OverrideError::NoPrecompile { account: POOR }.into());
    assert_eq!(refused(&[(IDENTITY, moved), (ELSEWHERE, account())]), OverrideError::Taken { account: IDENTITY, to: ELSEWHERE }.into());
}

#[test]
fn an_access_list_names_a_precompile_that_became_an_account_and_not_where_it_went() {
    let stored = Stored::new();
    // Asks for the sizes of the codes at 4 and at ELSEWHERE.
    let code = [&[0x60, 0x04, 0x3b, 0x73][..], &ELSEWHERE[..], &[0x3b, 0x00]].concat();
    let listed = |state: &[(Address, AccountOverride)]| -> Vec<Address> {
        let asking = [(POOR, account().with_code(code.clone()))];
        let request = CallRequest { overrides: accounts(asking.into_iter().chain(state.to_vec())), ..to(POOR) };
        let touched = stored.simulate(|simulation| simulation.access_list(&request)).unwrap();
        touched.list.0.into_iter().map(|item| item.address).collect()
    };
    assert_eq!(listed(&[]), [ELSEWHERE]);
    assert_eq!(listed(&[(IDENTITY, account().with_code(LOAD.to_vec()))]), [IDENTITY, ELSEWHERE]);
    assert_eq!(listed(&[(IDENTITY, account().with_move_precompile_to_opt(Some(ELSEWHERE)))]), [IDENTITY]);
}

#[test]
fn code_that_delegates_to_nothing_is_refused_by_name() {
    let stored = Stored::new();
    let overrides = accounts([(POOR, account().with_code(vec![0xef, 0x01, 0x00]))]);
    let error = stored.call(&CallRequest { overrides, ..to(POOR) }).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{POOR}.code: ")), "{error}");
}
