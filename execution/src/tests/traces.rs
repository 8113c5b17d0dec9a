//! Traces of decided blocks and of calls, held against receipts and state.

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use primitives::{Header, RecoveredTransaction};
use serde_json::{Value, json};

use crate::{
    CallOptions, CallRequest, Cancel, MAX_TRACE_BYTES, MemoryState, PrestateOptions, Receipt, Replay, Simulation, StepOptions, TraceError, Tracer,
    testing::*,
};

/// Calls the address in its first word with the rest of its input, and does not care how that ends.
const FORWARD: &[u8] = &hex!("60203603806020600037600060008260006000600035 5af100");
/// Makes a contract with its input as init code.
const FACTORY: &[u8] = &hex!("3660006000373660006000f000");
/// Reverts with its input.
const ECHO_REVERT: &[u8] = &hex!("36600060003736 6000fd");
/// Calls its own code without end, so that frames pile up until the gas is spent.
const RECURSE: &[u8] = &hex!("5b60006000600060006000305af1600056");
/// Calls itself with all its gas.
const ONCE: &[u8] = &hex!("60006000600060006000305af100");
/// Error("no")
const REASON: &[u8] = &hex!(
    "08c379a0 0000000000000000000000000000000000000000000000000000000000000020
     0000000000000000000000000000000000000000000000000000000000000002
     6e6f000000000000000000000000000000000000000000000000000000000000"
);

const STEPS: Tracer = Tracer::Steps(StepOptions { memory: false, without_stack: false, without_storage: false, return_data: false, limit: 0 });
const CALLS: Tracer = Tracer::Calls(CallOptions { only_top_call: false, with_log: true });
const PRESTATE: PrestateOptions = PrestateOptions { diff: false, without_code: false, without_storage: false, include_empty: false };
const DIFF: Tracer = Tracer::Prestate(PrestateOptions { diff: true, ..PRESTATE });

/// A node with the contracts, and its last block.
struct Scene {
    node: Node,
    store: Address,
    logger: Address,
    forward: Address,
    factory: Address,
    echo: Address,
    recurse: Address,
    once: Address,
}

/// A block and what it stood on.
struct Mined {
    before: MemoryState,
    header: Header,
    transactions: Vec<RecoveredTransaction>,
    receipts: Vec<Receipt>,
}

impl Scene {
    fn new() -> Self {
        let mut node = Node::new();
        let runtimes = [STORE, LOGGER, FORWARD, FACTORY, ECHO_REVERT, RECURSE, ONCE];
        let receipts = node.mine((0..).zip(runtimes).map(|(nonce, runtime)| deploy(7, nonce, init_code(runtime))).collect());
        let at = |index: usize| receipts[index].contract_address.unwrap();
        Self { store: at(0), logger: at(1), forward: at(2), factory: at(3), echo: at(4), recurse: at(5), once: at(6), node }
    }

    fn mine(&mut self, transactions: Vec<RecoveredTransaction>) -> Mined {
        let before = self.node.state.clone();
        let receipts = self.node.mine(transactions.clone());
        Mined { before, header: self.node.engine.finalised().1, transactions, receipts }
    }

    /// The only transaction of a block of its own, traced.
    fn trace(&mut self, transaction: RecoveredTransaction, tracer: &Tracer) -> (Value, Receipt) {
        let mut mined = self.mine(vec![transaction]);
        (mined.trace(&self.node, 0, tracer), mined.receipts.remove(0))
    }

    fn trace_call(&self, request: &CallRequest, tracer: &Tracer, cancel: &Cancel) -> Result<String, TraceError> {
        let header = self.node.engine.finalised().1;
        Simulation { chain: self.node.engine.chain(), state: &self.node.state, header: &header, gas_cap: 50_000_000, cancel }.trace(request, tracer)
    }
}

impl Mined {
    fn replay<T>(&self, node: &Node, run: impl FnOnce(&Replay<'_>) -> T) -> T {
        let (chain, cancel) = (node.engine.chain(), Cancel::default());
        run(&Replay { chain, state: &self.before, header: &self.header, transactions: &self.transactions, cancel: &cancel })
    }

    fn trace(&self, node: &Node, index: usize, tracer: &Tracer) -> Value {
        parse(&self.replay(node, |replay| replay.trace_one(index, tracer)).unwrap())
    }
}

fn parse(trace: &str) -> Value {
    serde_json::from_str(trace).unwrap_or_else(|error| panic!("{error}: {trace}"))
}

/// Calldata for [`FORWARD`].
fn forwarded(to: Address, input: &[u8]) -> Bytes {
    [to.into_word().as_slice(), input].concat().into()
}

fn quantity(number: u64) -> Value {
    json!(U256::from(number))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ops(trace: &Value) -> Vec<&str> {
    trace["structLogs"].as_array().unwrap().iter().map(|step| step["op"].as_str().unwrap()).collect()
}

#[test]
fn a_transfer_is_one_frame_and_no_step() {
    let mut scene = Scene::new();
    let to = Address::repeat_byte(0xaa);
    let mined = scene.mine(vec![transfer(0, 0, to, 5)]);
    let gas = quantity(21_000);
    let frame = mined.trace(&scene.node, 0, &CALLS);
    assert_eq!(frame, json!({ "type": "CALL", "from": wallet(0), "to": to, "value": "0x5", "gas": gas, "gasUsed": gas, "input": "0x" }));
    let steps = mined.trace(&scene.node, 0, &STEPS);
    assert_eq!(steps, json!({ "gas": 21_000, "failed": false, "returnValue": "0x", "structLogs": [] }));
}

#[test]
fn every_transaction_of_a_block_uses_the_gas_of_its_receipt() {
    let mut scene = Scene::new();
    let forward = |nonce, to, input: &[u8]| call(0, nonce, scene.forward, forwarded(to, input));
    let mined = scene.mine(vec![
        transfer(1, 0, wallet(2), 1),
        forward(0, scene.store, &words(&[1, 2])),
        forward(1, scene.echo, REASON),
        // The slot is cleared again, which is refunded.
        forward(2, scene.store, &words(&[1, 0])),
        deploy(1, 1, init_code(BALANCE)),
        deploy(1, 2, LOOPER.to_vec().into()),
        call(1, 3, scene.factory, init_code(STORE)),
    ]);
    let used: Vec<u64> = mined.receipts.iter().map(|receipt| receipt.gas_used).collect();
    let all = |tracer| mined.replay(&scene.node, |replay| replay.trace_all(&tracer)).unwrap();
    let frames: Vec<Value> = all(CALLS).iter().map(|trace| parse(trace)["gasUsed"].clone()).collect();
    assert_eq!(frames, used.iter().map(|used| quantity(*used)).collect::<Vec<_>>());
    let steps: Vec<u64> = all(STEPS).iter().map(|trace| parse(trace)["gas"].as_u64().unwrap()).collect();
    assert_eq!(steps, used);
    let failed: Vec<bool> = all(STEPS).iter().map(|trace| parse(trace)["failed"].as_bool().unwrap()).collect();
    assert_eq!(failed, mined.receipts.iter().map(|receipt| !receipt.is_success).collect::<Vec<_>>());
    assert_eq!(all(CALLS)[3], mined.replay(&scene.node, |replay| replay.trace_one(3, &CALLS)).unwrap());
}

#[test]
fn a_call_within_a_call_is_a_frame_within_a_frame() {
    let mut scene = Scene::new();
    let input = words(&[1, 2]);
    let (frame, receipt) = scene.trace(call(0, 0, scene.forward, forwarded(scene.store, &input)), &CALLS);
    let inner = &frame["calls"][0];
    assert_eq!((&inner["type"], &inner["from"], &inner["to"]), (&json!("CALL"), &json!(scene.forward), &json!(scene.store)));
    assert_eq!((&inner["input"], &inner["value"]), (&json!(input), &json!("0x0")));
    assert!(receipt.is_success && inner.get("error").is_none(), "{frame}");
    let (top, _) =
        scene.trace(call(0, 1, scene.forward, forwarded(scene.store, &input)), &Tracer::Calls(CallOptions { only_top_call: true, with_log: true }));
    assert_eq!(keys(&top), ["from", "gas", "gasUsed", "input", "to", "type", "value"]);
}

#[test]
fn a_reverted_frame_says_why() {
    let mut scene = Scene::new();
    let (frame, _) = scene.trace(call(0, 0, scene.forward, forwarded(scene.echo, REASON)), &CALLS);
    let inner = &frame["calls"][0];
    assert!(frame.get("error").is_none(), "{frame}");
    assert_eq!(
        (&inner["error"], &inner["revertReason"], &inner["output"]),
        (&json!("execution reverted"), &json!("no"), &json!(Bytes::from(REASON)))
    );
    let (steps, _) = scene.trace(call(0, 1, scene.echo, REASON.into()), &STEPS);
    assert_eq!((&steps["failed"], &steps["returnValue"]), (&json!(true), &json!(Bytes::from(REASON))));
}

#[test]
fn a_frame_without_gas_says_so() {
    let mut scene = Scene::new();
    let (frame, receipt) = scene.trace(deploy(0, 0, LOOPER.to_vec().into()), &CALLS);
    assert_eq!((&frame["error"], &frame["gasUsed"]), (&json!("out of gas"), &quantity(receipt.gas_used)));
    assert_eq!((receipt.gas_used, frame.get("to")), (300_000, None));
    let (steps, _) = scene.trace(deploy(0, 1, LOOPER.to_vec().into()), &STEPS);
    assert_eq!((&steps["failed"], &steps["returnValue"]), (&json!(true), &json!("0x")));
    assert_eq!(steps["structLogs"].as_array().unwrap().last().unwrap()["error"], "out of gas");
}

#[test]
fn a_made_contract_is_a_frame_of_its_own_kind() {
    let mut scene = Scene::new();
    let (frame, receipt) = scene.trace(deploy(0, 0, init_code(STORE)), &CALLS);
    assert_eq!((&frame["type"], &frame["to"]), (&json!("CREATE"), &json!(receipt.contract_address)));
    assert_eq!(frame["output"], json!(Bytes::from(STORE)));
    let (frame, _) = scene.trace(call(0, 1, scene.factory, init_code(STORE)), &CALLS);
    let made = scene.factory.create(1);
    assert_eq!((&frame["calls"][0]["type"], &frame["calls"][0]["to"]), (&json!("CREATE"), &json!(made)));
    assert!(scene.node.account(made).code_hash == keccak256(STORE));
}

#[test]
fn what_destroys_itself_names_its_heir() {
    let mut scene = Scene::new();
    let (frame, receipt) = scene.trace(deploy(0, 0, STILLBORN.to_vec().into()), &CALLS);
    let made = receipt.contract_address;
    let end = json!({ "type": "SELFDESTRUCT", "from": made, "to": wallet(0), "value": "0x0", "gas": "0x0", "gasUsed": "0x0", "input": "0x" });
    assert_eq!(frame["calls"], json!([end]));
}

#[test]
fn logs_are_numbered_as_in_the_block() {
    let mut scene = Scene::new();
    let forward = |nonce, to, input: &[u8]| call(0, nonce, scene.forward, forwarded(to, input));
    let log = |nonce| call(1, nonce, scene.logger, words(&[7]));
    let nested = forwarded(scene.logger, &words(&[8]));
    let mined = scene.mine(vec![log(0), forward(0, scene.forward, &nested), log(1)]);
    let frame = mined.trace(&scene.node, 1, &CALLS);
    let word = B256::with_last_byte(8);
    let expected = json!([{ "address": scene.logger, "topics": [word], "data": word, "index": "0x1", "position": "0x0" }]);
    assert_eq!(frame["calls"][0]["calls"][0]["logs"], expected);
    assert_eq!((mined.receipts[1].first_log_index, mined.receipts[1].logs.len()), (1, 1));
    let silent = mined.trace(&scene.node, 1, &Tracer::Calls(CallOptions::default()));
    assert!(!silent.to_string().contains("\"logs\""), "{silent}");
}

#[test]
fn a_step_shows_stack_storage_and_cost_in_the_words_of_geth() {
    let mut scene = Scene::new();
    let (trace, receipt) = scene.trace(call(0, 0, scene.store, words(&[1, 2])), &STEPS);
    assert_eq!(keys(&trace), ["failed", "gas", "returnValue", "structLogs"]);
    assert_eq!(ops(&trace), ["PUSH1", "CALLDATALOAD", "PUSH1", "CALLDATALOAD", "SSTORE", "STOP"]);
    let steps = trace["structLogs"].as_array().unwrap();
    assert_eq!(steps[1], json!({ "pc": 2, "op": "CALLDATALOAD", "gas": steps[1]["gas"], "gasCost": 3, "depth": 1, "stack": ["0x20"] }));
    let slots = json!({ B256::with_last_byte(1).to_string(): B256::with_last_byte(2) });
    assert_eq!((&steps[4]["gasCost"], &steps[4]["storage"], &steps[4]["stack"]), (&json!(22_100), &slots, &json!(["0x2", "0x1"])));
    let cost: u64 = steps.iter().map(|step| step["gasCost"].as_u64().unwrap()).sum();
    // 21,000, and calldata: 62 zeros at 4 and two others at 16.
    assert_eq!(cost + 21_000 + 62 * 4 + 2 * 16, receipt.gas_used);
}

#[test]
fn steps_of_a_call_within_stand_between_those_around_it() {
    let mut scene = Scene::new();
    let options = StepOptions { memory: true, return_data: true, ..StepOptions::default() };
    let (trace, _) = scene.trace(call(0, 0, scene.forward, forwarded(scene.echo, &words(&[9]))), &Tracer::Steps(options));
    let steps = trace["structLogs"].as_array().unwrap();
    let depths: Vec<u64> = steps.iter().map(|step| step["depth"].as_u64().unwrap()).collect();
    let deepest = depths.iter().filter(|depth| **depth == 2).count();
    assert_eq!((depths[0], deepest, depths[steps.len() - 1]), (1, 7, 1));
    let last = &steps[steps.len() - 1];
    assert_eq!(
        (&last["op"], &last["memory"], &last["returnData"]),
        (&json!("STOP"), &json!([B256::with_last_byte(9)]), &json!(B256::with_last_byte(9)))
    );
    assert!(steps[0].get("memory").is_none() && steps[0].get("returnData").is_none(), "{}", steps[0]);
}

#[test]
fn what_a_creation_hands_on_is_no_cost_and_what_a_call_hands_on_is() {
    let mut scene = Scene::new();
    let (trace, _) = scene.trace(call(0, 0, scene.factory, Bytes::new()), &STEPS);
    let create = trace["structLogs"].as_array().unwrap().iter().find(|step| step["op"] == "CREATE").unwrap();
    assert_eq!(create["gasCost"], 32_000);
    let (trace, _) = scene.trace(call(0, 1, scene.forward, forwarded(scene.store, &words(&[1, 2]))), &STEPS);
    let steps = trace["structLogs"].as_array().unwrap();
    let at = steps.iter().position(|step| step["op"] == "CALL").unwrap();
    assert_eq!(steps[at]["gasCost"].as_u64().unwrap(), steps[at + 1]["gas"].as_u64().unwrap() + 2_600);
}

#[test]
fn a_refund_is_counted_over_all_frames() {
    let mut scene = Scene::new();
    scene.mine(vec![call(0, 0, scene.store, words(&[1, 2]))]);
    let (trace, _) = scene.trace(call(0, 1, scene.forward, forwarded(scene.store, &words(&[1, 0]))), &STEPS);
    let refunds: Vec<&Value> = trace["structLogs"].as_array().unwrap().iter().filter_map(|step| step.get("refund")).collect();
    assert_eq!(refunds, [&json!(4_800), &json!(4_800)]);
}

#[test]
fn an_unknown_opcode_is_named_by_its_number() {
    let mut scene = Scene::new();
    let (trace, _) = scene.trace(deploy(0, 0, vec![0x0c].into()), &STEPS);
    assert_eq!((ops(&trace), &trace["failed"]), (vec!["opcode 0xc not defined"], &json!(true)));
}

#[test]
fn a_struct_log_holds_what_it_is_asked_for() {
    let mut scene = Scene::new();
    let mined = scene.mine(vec![call(0, 0, scene.store, words(&[1, 2]))]);
    let trace = |options| mined.trace(&scene.node, 0, &Tracer::Steps(options));
    let bare = trace(StepOptions { without_stack: true, without_storage: true, ..StepOptions::default() });
    assert_eq!(keys(&bare["structLogs"][4]), ["depth", "gas", "gasCost", "op", "pc"]);
    assert_eq!(ops(&trace(StepOptions { limit: 1, ..StepOptions::default() })), ["PUSH1"]);
}

#[test]
fn the_prestate_is_what_was_touched_as_it_was() {
    let mut scene = Scene::new();
    scene.mine(vec![call(0, 0, scene.store, words(&[1, 2]))]);
    let mined = scene.mine(vec![transfer(0, 1, wallet(3), 1), call(0, 2, scene.store, words(&[1, 3]))]);
    let before = mined.trace(&scene.node, 1, &Tracer::Prestate(PRESTATE));
    let contract = &before[scene.store.to_string().to_lowercase()];
    let slots = json!({ B256::with_last_byte(1).to_string(): B256::with_last_byte(2) });
    let expected = json!({ "balance": "0x0", "nonce": 1, "code": Bytes::from(STORE), "codeHash": keccak256(STORE), "storage": slots });
    assert_eq!(contract, &expected);
    // As it was after the transaction before it.
    assert_eq!(before[wallet(0).to_string().to_lowercase()]["nonce"], 2);
    let bare = PrestateOptions { without_code: true, without_storage: true, ..PRESTATE };
    let bare = mined.trace(&scene.node, 1, &Tracer::Prestate(bare));
    assert_eq!(keys(&bare[scene.store.to_string().to_lowercase()]), ["balance", "codeHash", "nonce"]);
    let to = Address::repeat_byte(0x77);
    let mined = scene.mine(vec![transfer(0, 3, to, 1)]);
    let all = mined.trace(&scene.node, 0, &Tracer::Prestate(PrestateOptions { include_empty: true, ..PRESTATE }));
    let few = mined.trace(&scene.node, 0, &Tracer::Prestate(PRESTATE));
    assert_eq!((&all[to.to_string().to_lowercase()], few.get(to.to_string().to_lowercase())), (&json!({ "balance": "0x0" }), None));
}

#[test]
fn a_difference_is_what_changed_and_nothing_else() {
    let mut scene = Scene::new();
    scene.mine(vec![call(0, 0, scene.store, words(&[1, 2]))]);
    let (difference, _) = scene.trace(call(0, 1, scene.store, words(&[1, 0])), &DIFF);
    let store = scene.store.to_string().to_lowercase();
    let slots = json!({ B256::with_last_byte(1).to_string(): B256::with_last_byte(2) });
    assert_eq!((&difference["pre"][&store]["storage"], &difference["post"][&store]), (&slots, &json!({})));
    let sender = wallet(0).to_string().to_lowercase();
    assert_eq!((&difference["pre"][&sender]["nonce"], &difference["post"][&sender]["nonce"]), (&json!(1), &json!(2)));
    let balance = scene.node.account(wallet(0)).balance;
    assert_eq!(difference["post"][&sender]["balance"], json!(balance));
}

#[test]
fn a_new_contract_is_in_what_is_after_alone() {
    let mut scene = Scene::new();
    let (difference, receipt) = scene.trace(deploy(0, 0, init_code(STORE)), &DIFF);
    let made = receipt.contract_address.unwrap().to_string().to_lowercase();
    assert_eq!(difference["post"][&made], json!({ "nonce": 1, "code": Bytes::from(STORE), "codeHash": keccak256(STORE) }));
    assert!(difference["pre"].get(&made).is_none(), "{difference}");
    let (difference, receipt) = scene.trace(deploy(0, 1, STILLBORN.to_vec().into()), &DIFF);
    let gone = receipt.contract_address.unwrap().to_string().to_lowercase();
    assert!(difference["post"].get(&gone).is_none() && difference["pre"].get(&gone).is_none(), "{difference}");
}

#[test]
fn a_call_is_traced_without_being_signed() {
    let scene = Scene::new();
    let request = CallRequest { from: Some(wallet(0)), to: Some(scene.store), data: words(&[1, 2]), gas: Some(90_000), ..CallRequest::default() };
    let frame = parse(&scene.trace_call(&request, &CALLS, &Cancel::default()).unwrap());
    assert_eq!((&frame["to"], &frame["gas"], &frame["gasUsed"]), (&json!(scene.store), &quantity(90_000), &quantity(21_280 + 22_112)));
    let broke = CallRequest { value: U256::MAX, ..request };
    assert!(matches!(scene.trace_call(&broke, &CALLS, &Cancel::default()), Err(TraceError::Call(_))));
}

/// Every call keeps a 64th of its gas back, so that no gas reaches the limit of 1024.
#[test]
fn frames_nest_as_deep_as_gas_goes() {
    let scene = Scene::new();
    let once = CallRequest { to: Some(scene.once), ..CallRequest::default() };
    let trace = scene.trace_call(&once, &CALLS, &Cancel::default()).unwrap();
    assert!(500 < trace.matches("\"calls\"").count(), "{}", trace.len());
    // Whoever passes it on does not descend.
    assert!(serde_json::value::RawValue::from_string(trace).is_ok());
}

#[test]
fn a_trace_that_is_too_large_is_refused_before_it_is_made() {
    let scene = Scene::new();
    let too_large = TraceError::TooLarge { max: MAX_TRACE_BYTES };
    let endless = CallRequest { to: Some(scene.recurse), ..CallRequest::default() };
    assert_eq!(scene.trace_call(&endless, &STEPS, &Cancel::default()), Err(too_large.clone()));
    let mut init = vec![0x5b, 0x60, 0x00];
    init.extend(hex!("6000600060006000 30 5a f1 50 6000 56"));
    let calls = CallRequest { data: init.into(), ..CallRequest::default() };
    assert_eq!(scene.trace_call(&calls, &CALLS, &Cancel::default()), Err(too_large));
    let top = Tracer::Calls(CallOptions { only_top_call: true, with_log: false });
    assert!(scene.trace_call(&calls, &top, &Cancel::default()).is_ok());
}

#[test]
fn a_trace_that_nobody_waits_for_ends() {
    let scene = Scene::new();
    let cancel = Cancel::default();
    cancel.cancel();
    let request = CallRequest { data: LOOPER.to_vec().into(), ..CallRequest::default() };
    for tracer in [STEPS, CALLS, DIFF] {
        assert_eq!(scene.trace_call(&request, &tracer, &cancel), Err(TraceError::Cancelled));
    }
}

#[test]
fn a_transaction_that_the_block_does_not_have_is_named() {
    let mut scene = Scene::new();
    let mined = scene.mine(vec![transfer(0, 0, wallet(1), 1)]);
    for index in [1, usize::MAX] {
        assert_eq!(mined.replay(&scene.node, |replay| replay.trace_one(index, &CALLS)), Err(TraceError::NoTransaction { index }));
    }
}
