//! A node without a network: keys, contracts, and an engine whose every block is checked against a rebuild.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, map::HashMap};
use alloy_trie::{EMPTY_ROOT_HASH, root::state_root_unhashed};
use primitives::{
    Body, Certificate, CommitSignature, Genesis, Header, Height, Metadata, RecoveredTransaction, Round, SecretKey, Signed, Transaction, Validator,
    ValidatorSet,
};

use crate::{
    Account, Attributes, Built, Cancel, Changes, Committed, Embedded, Executed, MemoryState, Receipt, StateChanges, StateReader, Validators, Verdict,
    genesis_state,
    trie::{AccountUpdate, StateTrie},
};

pub(crate) const CHAIN_ID: u64 = 1337;
pub(crate) const WALLETS: u8 = 8;
/// Stores its second word at the slot named by its first.
pub(crate) const STORE: &[u8] = &[0x60, 0x20, 0x35, 0x60, 0x00, 0x35, 0x55, 0x00];
/// Logs its first word, as topic and as data.
pub(crate) const LOGGER: &[u8] = &[0x60, 0x00, 0x35, 0x80, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xa1, 0x00];
/// Reverts with the four bytes deadbeef.
pub(crate) const REVERTER: &[u8] = &[0x63, 0xde, 0xad, 0xbe, 0xef, 0x60, 0xe0, 0x1b, 0x60, 0x00, 0x52, 0x60, 0x04, 0x60, 0x00, 0xfd];
/// Burns all its gas.
pub(crate) const LOOPER: &[u8] = &[0x5b, 0x60, 0x00, 0x56];
/// Answers the balance of its caller.
pub(crate) const BALANCE: &[u8] = &[0x33, 0x31, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3];
/// As init code: writes a slot, then destroys the contract being made.
pub(crate) const STILLBORN: &[u8] = &[0x60, 0x01, 0x60, 0x00, 0x55, 0x33, 0xff];

/// Code that makes a contract with code `runtime`.
pub(crate) fn init_code(runtime: &[u8]) -> Bytes {
    let length = runtime.len() as u8;
    [&[0x60, length, 0x60, 0x0c, 0x60, 0x00, 0x39, 0x60, length, 0x60, 0x00, 0xf3][..], runtime].concat().into()
}

/// Calldata of some words.
pub(crate) fn words(words: &[u64]) -> Bytes {
    words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect::<Vec<u8>>().into()
}

fn validator_keys() -> Vec<SecretKey> {
    (101..=104).map(|byte| SecretKey::from_bytes([byte; 32]).unwrap()).collect()
}

pub(crate) fn genesis() -> Genesis {
    let validator = |key: SecretKey| Validator { address: key.address(), public_key: key.public_key(), power: 1 };
    let set = ValidatorSet::new(validator_keys().into_iter().map(validator).collect()).unwrap();
    let rich = GenesisAccount::default().with_balance(U256::from(10u128.pow(24)));
    let wallets = (0..WALLETS).map(|index| (wallet(index), rich.clone()));
    Genesis::development(CHAIN_ID, set).with(|genesis| genesis.alloc.extend(wallets)).unwrap()
}

/// The address of a funded account.
pub(crate) fn wallet(index: u8) -> Address {
    SecretKey::from_bytes([index + 1; 32]).unwrap().address()
}

pub(crate) fn sign<T: SignableTransaction<alloy_primitives::Signature>>(index: u8, transaction: T) -> RecoveredTransaction
where
    Transaction: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(B256::repeat_byte(index + 1), transaction.signature_hash()).unwrap();
    RecoveredTransaction::new_unchecked(Transaction::from(transaction.into_signed(signature)), wallet(index))
}

pub(crate) fn authorize(index: u8, address: Address, nonce: u64) -> SignedAuthorization {
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address, nonce };
    let signature = sign_message(B256::repeat_byte(index + 1), authorization.signature_hash()).unwrap();
    authorization.into_signed(signature)
}

pub(crate) fn eip1559(nonce: u64, to: TxKind, value: u64, input: Bytes) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 300_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::from(value),
        access_list: Default::default(),
        input,
    }
}

pub(crate) fn transfer(from: u8, nonce: u64, to: Address, value: u64) -> RecoveredTransaction {
    sign(from, TxEip1559 { gas_limit: 21_000, ..eip1559(nonce, TxKind::Call(to), value, Bytes::new()) })
}

pub(crate) fn call(from: u8, nonce: u64, to: Address, input: Bytes) -> RecoveredTransaction {
    sign(from, eip1559(nonce, TxKind::Call(to), 0, input))
}

pub(crate) fn deploy(from: u8, nonce: u64, init_code: Bytes) -> RecoveredTransaction {
    sign(from, eip1559(nonce, TxKind::Create, 0, init_code))
}

pub(crate) struct Node {
    pub genesis: Genesis,
    pub engine: Embedded,
    /// What is written.
    pub state: MemoryState,
}

impl Node {
    pub fn new() -> Self {
        Self::of(genesis())
    }

    pub fn of(genesis: Genesis) -> Self {
        let start = genesis_state(&genesis).unwrap();
        let mut state = MemoryState::default();
        state.apply(0, start.hash, &start.changes);
        let engine = Embedded::new(&genesis, Arc::new(state.clone()), start.header).unwrap();
        Self { genesis, engine, state }
    }

    /// The same state under a new engine, as after a restart.
    pub fn restarted(&self) -> Self {
        let (_, head, _) = self.engine.finalised();
        let engine = Embedded::new(&self.genesis, Arc::new(self.state.clone()), head).unwrap();
        Self { genesis: self.genesis.clone(), engine, state: self.state.clone() }
    }

    pub fn validators(&self) -> Validators {
        Validators::fixed(&self.genesis.validators)
    }

    pub fn metadata(&self, parent: &Header) -> Metadata {
        let hash = self.genesis.validators.hash();
        let certificate = (parent.number > 0).then(|| self.certify(parent));
        Metadata { parent_certificate: certificate, validators_hash: hash, next_validators_hash: hash }
    }

    fn certify(&self, header: &Header) -> Certificate {
        let mut certificate = Certificate { height: Height(header.number), round: Round(0), value: header.hash_slow(), signatures: vec![] };
        for key in &validator_keys()[..3] {
            let signed = Signed::new(certificate.vote_of(key.address()), key, &self.genesis.domain());
            certificate.signatures.push(CommitSignature { validator: key.address(), signature: signed.signature });
        }
        certificate.canonical()
    }

    pub fn attributes(&self, parent: &Header) -> Attributes {
        Attributes { timestamp: parent.timestamp + 1, metadata: self.metadata(parent), fee_recipient: Address::repeat_byte(0xfe) }
    }

    /// The header of a block of the tree, or of the last that is written.
    pub fn header(&self, hash: &B256) -> Header {
        self.engine.executed(hash).map_or_else(|| self.engine.finalised().1, |block| block.header().clone())
    }

    pub fn build_on(&self, parent: B256, transactions: Vec<RecoveredTransaction>) -> Built {
        let attributes = self.attributes(&self.header(&parent));
        self.engine.build(&parent, attributes, &mut transactions.into_iter(), &Cancel::default()).unwrap()
    }

    pub fn build(&self, transactions: Vec<RecoveredTransaction>) -> Built {
        self.build_on(self.engine.finalised().0, transactions)
    }

    pub fn validate(&self, body: &Body) -> Verdict {
        let now_ms = body.open().map_or(0, |(block, _)| block.header.timestamp * 1_000);
        self.engine.validate(body, &self.validators(), now_ms, &Cancel::default())
    }

    pub fn decide(&self, block: &Executed) -> Changes {
        let height = Height(block.number());
        match self.engine.commit_decided(height, block.hash, &block.body, &self.validators(), &Cancel::default()).unwrap() {
            Committed::Changes(changes) => changes,
            Committed::Already => panic!("block {height} is written already"),
        }
    }

    pub fn write(&mut self, changes: &Changes) {
        self.state.apply(changes.height.0, changes.hash, &changes.block.changes);
        self.engine.finalise(changes.hash, Arc::new(self.state.clone())).unwrap();
        self.check();
    }

    pub fn commit(&mut self, block: &Executed) -> Changes {
        let changes = self.decide(block);
        self.write(&changes);
        changes
    }

    /// Builds, commits and answers the receipts; every candidate must be executable.
    pub fn mine(&mut self, transactions: Vec<RecoveredTransaction>) -> Vec<Receipt> {
        let built = self.build(transactions);
        assert!(built.refused.is_empty(), "{:?}", built.refused);
        self.commit(&built.executed);
        built.executed.receipts.clone()
    }

    pub fn account(&self, address: Address) -> Account {
        self.state.account(&address).unwrap().unwrap_or_default()
    }

    pub fn slot(&self, address: Address, slot: u64) -> U256 {
        self.state.slot(&address, &B256::from(U256::from(slot))).unwrap()
    }

    /// The root is that of a rebuild from the flat state, and so is every stored trie node.
    pub fn check(&self) {
        let root = self.engine.finalised().1.state_root;
        let accounts: HashMap<Address, Account> = self.state.accounts().map(|(address, account)| (*address, *account)).collect();
        assert_eq!(root, state_root_unhashed(accounts));
        let updates = self.state.accounts().map(|(address, account)| AccountUpdate {
            address: *address,
            before: None,
            after: Some(*account),
            slots: self.state.slots_of(*address).collect(),
        });
        let mut rebuilt = StateChanges::default();
        let mut trie = StateTrie::open(EMPTY_ROOT_HASH);
        assert_eq!(trie.apply(0, updates.collect(), &MemoryState::default(), &mut rebuilt), Ok(root));
        let expected: BTreeMap<&[u8], &Bytes> = rebuilt.nodes.iter().filter_map(|(key, node)| Some((key.as_slice(), node.as_ref()?))).collect();
        assert_eq!(self.state.nodes().collect::<BTreeMap<_, _>>(), expected);
    }
}
