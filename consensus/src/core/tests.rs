#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;

use primitives::{B256, Certificate, ConsensusMessage, Domain, Height, Round, SecretKey, Validator, ValidatorSet, VoteKind, keccak256};

use super::*;
use crate::{
    Entry,
    entry::{JudgedEntry, Step},
};

const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32]).unwrap()
}

fn set(count: u8) -> ValidatorSet {
    let validator = |byte| Validator { address: key(byte).address(), public_key: key(byte).public_key(), power: 1 };
    ValidatorSet::new((1..=count).map(validator).collect()).unwrap()
}

fn block(height: Height, round: Round) -> B256 {
    keccak256([height.to_be_bytes(), u64::from(round.0).to_be_bytes()].concat())
}

/// A core with its journal and what it said.
struct Node {
    core: Core,
    crypto: Crypto,
    journal: Vec<Entry>,
    said: Vec<ConsensusMessage>,
    decided: Option<Certificate>,
    /// Blocks are asked for while a height starts, before the journal is replayed: such a question is held.
    answers: bool,
}

impl Node {
    fn start(byte: u8, set: &ValidatorSet, journal: Vec<Entry>, net: &mut VecDeque<ConsensusMessage>) -> Self {
        let mut crypto = Crypto::new(Some(key(byte)), DOMAIN);
        let start = Start { height: Height(1), validators: set.clone(), votes: true, entries: &journal };
        let (core, effects) = Core::start(start, &mut crypto).unwrap();
        let answers = journal.is_empty();
        let mut node = Self { core, crypto, journal, said: vec![], decided: None, answers };
        node.carry(effects, net);
        node
    }

    fn feed(&mut self, input: Input, net: &mut VecDeque<ConsensusMessage>) {
        let effects = self.core.step(input, &mut self.crypto).unwrap();
        self.carry(effects, net);
    }

    fn carry(&mut self, effects: Vec<Effect>, net: &mut VecDeque<ConsensusMessage>) {
        for effect in effects {
            match effect {
                Effect::Append(entry) => self.journal.push(entry),
                Effect::Publish(message) => {
                    let message = message.content().clone();
                    self.said.push(message.clone());
                    net.push_back(message);
                }
                Effect::GetValue { height, round } if self.answers => self.feed(Input::Propose { height, round, value: block(height, round) }, net),
                Effect::Decide(certificate) => self.decided = Some(certificate),
                _ => {}
            }
        }
    }

    fn hear(&mut self, message: &ConsensusMessage, net: &mut VecDeque<ConsensusMessage>) {
        if self.decided.is_some() {
            return;
        }
        self.feed(Input::Message(message.clone()), net);
        if let ConsensusMessage::Proposal(signed) = message {
            let proposal = &signed.message;
            let (height, round, pol_round, value) = (proposal.height, proposal.round, proposal.pol_round, proposal.value);
            let judged = JudgedEntry { height, round, pol_round, proposer: proposal.proposer, value, is_valid: true };
            self.feed(Input::Judged(judged), net);
        }
    }
}

fn run(nodes: &mut [Node], net: &mut VecDeque<ConsensusMessage>) {
    while let Some(message) = net.pop_front() {
        nodes.iter_mut().for_each(|node| node.hear(&message, net));
    }
}

fn four(set: &ValidatorSet, net: &mut VecDeque<ConsensusMessage>) -> Vec<Node> {
    (1..=4).map(|byte| Node::start(byte, set, vec![], net)).collect()
}

#[test]
fn four_cores_decide_the_same_block_with_a_canonical_certificate() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut nodes = four(&set, &mut net);
    run(&mut nodes, &mut net);
    for node in &nodes {
        let certificate = node.decided.clone().unwrap();
        assert_eq!(certificate.value, block(Height(1), Round(0)));
        assert_eq!(certificate.verify(&set, &DOMAIN), Ok(()));
    }
}

#[test]
fn one_validator_alone_decides_while_its_height_starts_and_proposes() {
    let (set, mut net) = (set(1), VecDeque::new());
    let node = Node::start(1, &set, vec![], &mut net);
    assert!(node.decided.is_some());
}

#[test]
fn a_journal_cut_anywhere_leads_to_the_same_messages_again() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut nodes = four(&set, &mut net);
    run(&mut nodes, &mut net);
    for (node, byte) in nodes.iter().zip(1..) {
        for cut in 0..=node.journal.len() {
            let again = Node::start(byte, &set, node.journal[..cut].to_vec(), &mut VecDeque::new());
            for message in &again.said {
                assert!(node.said.contains(message), "{message:?}");
            }
        }
        let again = Node::start(byte, &set, node.journal.clone(), &mut VecDeque::new());
        assert_eq!(again.journal, node.journal, "nothing is appended twice");
        assert_eq!(again.decided.map(|certificate| certificate.value), node.decided.as_ref().map(|certificate| certificate.value));
    }
}

#[test]
fn a_journal_that_leads_elsewhere_is_fatal() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut nodes = four(&set, &mut net);
    run(&mut nodes, &mut net);
    let us = key(1).address();
    let forged = nodes[0].journal.iter().map(|entry| match entry {
        Entry::Vote(signed) if signed.message.validator == us && signed.message.kind == VoteKind::Prevote => {
            let nil = primitives::Vote { value: None, ..signed.message.clone() };
            Entry::Vote(primitives::Signed::new(nil, &key(1), &DOMAIN))
        }
        entry => entry.clone(),
    });
    let forged: Vec<Entry> = forged.collect();
    let start = Start { height: Height(1), validators: set, votes: true, entries: &forged };
    let Err(unrecoverable) = Core::start(start, &mut Crypto::new(Some(key(1)), DOMAIN)) else { panic!("it recovered") };
    assert!(matches!(unrecoverable.fatal, Fatal::Diverged { .. }));
}

#[test]
fn without_a_key_it_follows_and_says_nothing() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut nodes = four(&set, &mut net);
    let mut crypto = Crypto::new(None, DOMAIN);
    let (core, _) = Core::start(Start { height: Height(1), validators: set, votes: true, entries: &[] }, &mut crypto).unwrap();
    let observer = Node { core, crypto, journal: vec![], said: vec![], decided: None, answers: false };
    nodes.push(observer);
    run(&mut nodes, &mut net);
    assert!(nodes[4].decided.is_some() && nodes[4].said.is_empty());
}

#[test]
fn a_contradiction_is_given_as_evidence() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut node = Node::start(1, &set, vec![], &mut net);
    for value in [None, Some(B256::repeat_byte(9))] {
        let vote = primitives::Vote { kind: VoteKind::Prevote, height: Height(1), round: Round(0), value, validator: key(2).address() };
        node.feed(Input::Message(ConsensusMessage::Vote(primitives::Signed::new(vote, &key(2), &DOMAIN))), &mut net);
    }
    let evidence = node.core.take_evidence();
    assert!(matches!(&evidence[..], [Evidence::Votes(..)]) && evidence[0].validator() == key(2).address());
}

#[test]
fn forged_votes_and_other_heights_change_nothing() {
    let (set, mut net) = (set(4), VecDeque::new());
    let mut node = Node::start(1, &set, vec![], &mut net);
    let before = node.journal.len();
    let vote = primitives::Vote { kind: VoteKind::Prevote, height: Height(1), round: Round(0), value: None, validator: key(2).address() };
    let forged = primitives::Signed::new(vote.clone(), &key(3), &DOMAIN);
    let elsewhere = primitives::Signed::new(primitives::Vote { height: Height(2), ..vote }, &key(2), &DOMAIN);
    node.feed(Input::Message(ConsensusMessage::Vote(forged)), &mut net);
    node.feed(Input::Message(ConsensusMessage::Vote(elsewhere)), &mut net);
    node.feed(Input::Elapsed(Timer { height: Height(2), round: Round(0), wait: Wait::Step(Step::Propose) }), &mut net);
    assert_eq!(node.journal.len(), before);
}
