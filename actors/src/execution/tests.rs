//! The rows of real blocks on a real database: what was, can be told.
#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256};
use execution::{
    Attributes, CallOutcome, CallRequest, Cancel, Changes, Committed, Embedded, Executed, MemoryState, Simulation, StateReader, Validators,
    genesis_state, prove,
};
use primitives::{
    Certificate, CommitSignature, Genesis, Height, Metadata, RecoveredTransaction, Round, SecretKey, Signed, Transaction, Validator, ValidatorSet,
};
use storage::{Config, LogQuery, Retention, Writer};
use tempfile::TempDir;

use super::rows::rows;
use crate::{changes::genesis_batch, ledger::Ledger};

/// The key of the first development account.
const RICH: B256 = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const GAS_CAP: u64 = 1_000_000;
/// Without calldata it answers slot 0; with calldata it stores the first word there and logs it as a topic.
const CELL: &[u8] = &[
    0x36, 0x60, 0x0f, 0x57, 0x60, 0x00, 0x54, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3, 0x5b, 0x60, 0x00, 0x35, 0x60, 0x00, 0x55, 0x60, 0x00,
    0x35, 0x60, 0x00, 0x60, 0x00, 0xa1, 0x00,
];
/// As init code: writes a slot, then destroys the contract being made.
const STILLBORN: &[u8] = &[0x60, 0x01, 0x60, 0x00, 0x55, 0x33, 0xff];

/// A chain of one validator, and a copy of its state after every height.
struct Chain {
    genesis: Genesis,
    key: SecretKey,
    engine: Embedded,
    ledger: Ledger,
    writer: Writer,
    retention: Retention,
    nonce: u64,
    copies: Vec<MemoryState>,
    _directory: TempDir,
}

impl Chain {
    fn new(retention: Retention) -> Self {
        let key = SecretKey::from_bytes([1; 32]).unwrap();
        let validator = Validator { address: key.address(), public_key: key.public_key(), power: 1 };
        let genesis = Genesis::development(1337, ValidatorSet::new(vec![validator]).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let (mut writer, _) = Writer::open(directory.path(), Config::default_for_validator()).unwrap();
        writer.commit(&[genesis_batch(&genesis).unwrap()]).unwrap();
        let ledger = Ledger::default();
        ledger.opened(writer.leases().lease("test"));
        let start = genesis_state(&genesis).unwrap();
        let mut copy = MemoryState::default();
        copy.apply(0, start.hash, &start.changes);
        let engine = Embedded::new(&genesis, Arc::new(ledger.state().unwrap()), start.header).unwrap();
        Self { genesis, key, engine, ledger, writer, retention, nonce: 0, copies: vec![copy], _directory: directory }
    }

    fn send(&mut self, to: TxKind, value: u64, input: impl Into<Bytes>) -> RecoveredTransaction {
        let transaction = TxEip1559 {
            chain_id: 1337,
            nonce: self.nonce,
            gas_limit: 200_000,
            max_fee_per_gas: 10_000_000_000,
            to,
            value: U256::from(value),
            input: input.into(),
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let signature = sign_message(RICH, transaction.signature_hash()).unwrap();
        Recovered::new_unchecked(Transaction::from(transaction.into_signed(signature)), SecretKey::from_bytes(RICH.0).unwrap().address())
    }

    fn certify(&self, height: Height, value: B256) -> Certificate {
        let mut certificate = Certificate { height, round: Round(0), value, signatures: vec![] };
        let signed = Signed::new(certificate.vote_of(self.key.address()), &self.key, &self.genesis.domain());
        certificate.signatures.push(CommitSignature { validator: self.key.address(), signature: signed.signature });
        certificate
    }

    fn mine(&mut self, transactions: Vec<RecoveredTransaction>) -> Arc<Executed> {
        let (parent, header, _) = self.engine.finalised();
        let set = self.genesis.validators.hash();
        let parent_certificate = (header.number > 0).then(|| self.certify(Height(header.number), parent));
        let metadata = Metadata { parent_certificate, validators_hash: set, next_validators_hash: set };
        let attributes = Attributes { timestamp: header.timestamp + 1, metadata, fee_recipient: Address::repeat_byte(0xfe) };
        let built = self.engine.build(&parent, attributes, &mut transactions.into_iter(), &Cancel::default()).unwrap();
        assert!(built.refused.is_empty(), "{:?}", built.refused);
        let (block, height) = (built.executed, Height(header.number).next());
        let validators = Validators::fixed(&self.genesis.validators);
        let committed = self.engine.commit_decided(height, block.hash, &block.body, &validators, &Cancel::default()).unwrap();
        let Committed::Changes(changes) = committed else { panic!("height {height} is written already") };
        self.write(&changes);
        block
    }

    fn write(&mut self, changes: &Changes) {
        let certificate = self.certify(changes.height, changes.hash);
        let batch = rows(changes, &certificate, &[], &self.ledger.view().unwrap(), self.retention).unwrap();
        self.writer.commit(&[batch]).unwrap();
        self.engine.finalise(changes.hash, Arc::new(self.ledger.state().unwrap())).unwrap();
        let mut copy = self.copies.last().unwrap().clone();
        copy.apply(changes.height.0, changes.hash, &changes.block.changes);
        self.copies.push(copy);
    }

    /// Everything that anyone can ask of the state after `height` is as in the copy, and can be proved.
    fn check(&self, height: u64) {
        let (state, copy) = (self.ledger.state_at(Height(height)).unwrap(), &self.copies[height as usize]);
        let root = self.ledger.header(Height(height)).unwrap().unwrap().state_root;
        assert_eq!((state.height(), state.block_hash(height + 1)), (Height(height), Ok(None)));
        assert_eq!(state.block_hash(height), copy.block_hash(height));
        for (address, _) in self.copies.last().unwrap().accounts() {
            let slots: Vec<B256> = self.copies.iter().flat_map(|copy| copy.slots_of(*address).map(|(slot, _)| slot)).take(40).collect();
            let proof = prove(&state, root, address, &slots).unwrap();
            assert_eq!(proof.account, copy.account(address).unwrap(), "{address} after {height}");
            assert_eq!(proof.account, state.account(address).unwrap());
            for (slot, proof) in slots.iter().zip(proof.slots) {
                assert_eq!(Ok(proof.value), copy.slot(address, slot), "slot {slot} of {address} after {height}");
                assert_eq!(Ok(proof.value), state.slot(address, slot));
            }
        }
        let nodes = self.copies.iter().flat_map(MemoryState::nodes);
        assert!(nodes.into_iter().all(|(key, _)| state.node(key) == copy.node(key)), "a trie node after {height}");
    }

    fn call(&self, height: u64, to: Address) -> U256 {
        let (state, header) = (self.ledger.state_at(Height(height)).unwrap(), self.ledger.header(Height(height)).unwrap().unwrap());
        let simulation = Simulation { chain: self.engine.chain(), state: &state, header: &header, gas_cap: GAS_CAP, cancel: &Cancel::default() };
        match simulation.call(&CallRequest { to: Some(to), ..CallRequest::default() }).unwrap() {
            CallOutcome::Success { output, .. } => U256::try_from_be_slice(&output).unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }
}

/// Code that makes a contract with code `runtime`.
fn init_code(runtime: &[u8]) -> Vec<u8> {
    let length = runtime.len() as u8;
    [&[0x60, length, 0x60, 0x0c, 0x60, 0x00, 0x39, 0x60, length, 0x60, 0x00, 0xf3][..], runtime].concat()
}

fn word(number: u64) -> Vec<u8> {
    B256::from(U256::from(number)).to_vec()
}

#[test]
fn state_calls_and_proofs_at_every_kept_height_are_as_they_were() {
    const HEIGHTS: u64 = 24;
    const KEPT: u64 = 15;
    let mut chain = Chain::new(Retention::Heights(KEPT));
    let deployment = chain.send(TxKind::Create, 0, init_code(CELL));
    let cell = chain.mine(vec![deployment]).receipts[0].contract_address.unwrap();
    for height in 2..=HEIGHTS {
        let mut transactions = vec![chain.send(TxKind::Call(Address::repeat_byte(height as u8)), height, vec![])];
        match height % 4 {
            0 => transactions.clear(),
            1 => transactions.push(chain.send(TxKind::Call(cell), 0, word(0))),
            2 => transactions.push(chain.send(TxKind::Create, 0, STILLBORN)),
            _ => transactions.push(chain.send(TxKind::Call(cell), 0, word(height))),
        }
        chain.nonce -= u64::from(transactions.is_empty());
        chain.mine(transactions);
    }
    for height in HEIGHTS - KEPT..=HEIGHTS {
        chain.check(height);
        let stored = (2..=height).rev().find(|height| height % 2 == 1).filter(|height| height % 4 == 3).unwrap_or_default();
        assert_eq!(chain.call(height, cell), U256::from(stored), "after {height}");
    }
    let error = chain.ledger.state_at(Height(HEIGHTS - KEPT - 1)).err().unwrap();
    assert_eq!(error.to_string(), "the state at height 8 is not kept; kept are 9 to 24; an archive node has it");
}

#[test]
fn the_heights_of_a_log_are_found_by_what_it_says() {
    let mut chain = Chain::new(Retention::Heights(0));
    let deployment = chain.send(TxKind::Create, 0, init_code(CELL));
    let cell = chain.mine(vec![deployment]).receipts[0].contract_address.unwrap();
    for height in 2..40 {
        let transaction = chain.send(TxKind::Call(cell), 0, word(height % 10));
        chain.mine(vec![transaction]);
    }
    let query = LogQuery { addresses: vec![cell], topics: [vec![B256::from_slice(&word(7))], vec![], vec![], vec![]] };
    let heights = chain.ledger.log_heights(&query, Height(1), Height(39)).unwrap();
    assert_eq!(heights, [7, 17, 27, 37].map(Height));
    assert!(chain.ledger.state_at(Height(38)).is_err());
}
