//! What a transfer costs: blocks of 1,000 transfers among 20,000 accounts, built, judged by a second engine, committed.
//!
//! `cargo run --release -p execution --example transfers [blocks]`

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use execution::{Attributes, Cancel, Committed, Embedded, MemoryState, Validators, Verdict, admission, genesis_state};
use primitives::{Certificate, CommitSignature, Genesis, Height, Metadata, Round, SecretKey, Signed, Transaction, Validator, ValidatorSet};

const ACCOUNTS: u64 = 20_000;
const TRANSFERS: u64 = 1_000;
const CHAIN_ID: u64 = 1337;

/// Time spent in each step, over all blocks.
#[derive(Default)]
struct Spent {
    admit: Duration,
    build: Duration,
    validate: Duration,
    commit: Duration,
    /// Keys of the state that the proposer's blocks changed.
    accounts: usize,
    slots: usize,
    nodes: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let blocks: u64 = std::env::args().nth(1).map_or(Ok(20), |count| count.parse())?;
    let validator = SecretKey::from_bytes([1; 32])?;
    let keys: Vec<B256> = (0..ACCOUNTS).map(|account| keccak256(account.to_be_bytes())).collect();
    let addresses = keys.iter().map(|key| Ok(SecretKey::from_bytes(key.0)?.address())).collect::<Result<Vec<Address>, primitives::MalformedKey>>()?;
    let genesis = genesis(&validator, &addresses)?;
    let (mut proposer, mut follower) = (Node::new(&genesis)?, Node::new(&genesis)?);
    let mut spent = Spent::default();
    for number in 0..blocks {
        let raw = transfers(number, &keys, &addresses)?;
        round(&mut proposer, &mut follower, &genesis, &validator, &raw, &mut spent)?;
    }
    report(&spent, blocks);
    Ok(())
}

fn report(spent: &Spent, blocks: u64) {
    let each = |duration: Duration| duration.as_secs_f64() * 1e6 / (blocks * TRANSFERS) as f64;
    println!("us per transfer, {blocks} blocks of {TRANSFERS} among {ACCOUNTS} accounts");
    println!("admit (decode, recover)  {:6.1}", each(spent.admit));
    println!("build                    {:6.1}", each(spent.build));
    println!("validate (as a follower) {:6.1}", each(spent.validate));
    println!("commit (in memory)       {:6.1}", each(spent.commit));
    let each = |keys: usize| keys as f64 / (blocks * TRANSFERS) as f64;
    let [accounts, slots, nodes] = [spent.accounts, spent.slots, spent.nodes].map(each);
    println!("changed keys             {accounts:.2} accounts, {slots:.2} slots, {nodes:.2} trie nodes");
}

struct Node {
    engine: Embedded,
    state: MemoryState,
}

impl Node {
    fn new(genesis: &Genesis) -> Result<Self, Box<dyn Error>> {
        let start = genesis_state(genesis)?;
        let mut state = MemoryState::default();
        state.apply(0, start.hash, &start.changes);
        Ok(Self { engine: Embedded::new(genesis, Arc::new(state.clone()), start.header)?, state })
    }
}

fn genesis(validator: &SecretKey, addresses: &[Address]) -> Result<Genesis, Box<dyn Error>> {
    let set = ValidatorSet::new(vec![Validator { address: validator.address(), public_key: validator.public_key(), power: 1 }])?;
    let rich = GenesisAccount::default().with_balance(U256::from(10u128.pow(24)));
    Ok(Genesis::development(CHAIN_ID, set).with(|genesis| {
        genesis.gas_limit = 100_000_000;
        genesis.alloc.extend(addresses.iter().map(|address| (*address, rich.clone())));
    })?)
}

fn transfers(number: u64, keys: &[B256], addresses: &[Address]) -> Result<Vec<Bytes>, Box<dyn Error>> {
    let transfer = |index: u64| {
        let from = ((number * TRANSFERS + index) % ACCOUNTS) as usize;
        let to = keccak256((number * TRANSFERS + index).to_be_bytes());
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: number * TRANSFERS / ACCOUNTS,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(addresses[usize::from(u16::from_be_bytes([to[0], to[1]])) % addresses.len()]),
            value: U256::from(1),
            ..TxEip1559::default()
        };
        let signature = sign_message(keys[from], transaction.signature_hash())?;
        Ok(Transaction::from(transaction.into_signed(signature)).encoded_2718().into())
    };
    (0..TRANSFERS).map(transfer).collect()
}

fn round(
    proposer: &mut Node,
    follower: &mut Node,
    genesis: &Genesis,
    validator: &SecretKey,
    raw: &[Bytes],
    spent: &mut Spent,
) -> Result<(), Box<dyn Error>> {
    let (parent_hash, parent, _) = proposer.engine.finalised();
    let set = &genesis.validators;
    let mut certificate = Certificate { height: Height(parent.number), round: Round(0), value: parent_hash, signatures: vec![] };
    let signed = Signed::new(certificate.vote_of(validator.address()), validator, &genesis.domain());
    certificate.signatures.push(CommitSignature { validator: validator.address(), signature: signed.signature });
    let parent_certificate = (parent.number > 0).then_some(certificate);
    let metadata = Metadata { parent_certificate, validators_hash: set.hash(), next_validators_hash: set.hash() };
    let attributes = Attributes { timestamp: parent.timestamp + 1, metadata, fee_recipient: Address::ZERO };
    let validators = Validators::fixed(set);
    let cancel = Cancel::default();

    let start = Instant::now();
    let engine = &proposer.engine;
    let admitted = admission::admit(engine.chain(), engine.senders(), parent.timestamp, raw).into_iter().collect::<Result<Vec<_>, _>>()?;
    spent.admit += start.elapsed();
    // The follower admitted them too, when they were gossiped.
    admission::admit(engine.chain(), follower.engine.senders(), parent.timestamp, raw);

    let start = Instant::now();
    let built = engine.build(&parent_hash, attributes, &mut admitted.into_iter(), &cancel)?.executed;
    spent.build += start.elapsed();
    assert_eq!(built.receipts.len() as u64, TRANSFERS);

    let start = Instant::now();
    let verdict = follower.engine.validate(&built.body, &validators, u64::MAX, &cancel);
    spent.validate += start.elapsed();
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");

    spent.accounts += built.changes.accounts.len();
    spent.slots += built.changes.slots.len();
    spent.nodes += built.changes.nodes.len();
    for node in [proposer, follower] {
        let start = Instant::now();
        let height = Height(built.number());
        let Committed::Changes(changes) = node.engine.commit_decided(height, built.hash, &built.body, &validators, &cancel)? else {
            return Err("written already".into());
        };
        node.state.apply(built.number(), built.hash, &changes.block.changes);
        spent.commit += start.elapsed() / 2;
        node.engine.finalise(built.hash, Arc::new(node.state.clone()))?;
    }
    Ok(())
}
