//! Watches everything that leaves a validator and everything it decides, and knows nothing of how it came about.
//!
//! | what must hold                                                        | how it is seen                                      |
//! |-----------------------------------------------------------------------|-----------------------------------------------------|
//! | an honest key says one thing in one place: vote, proposal, parts        | every signature in everything published               |
//! | an honest key keeps its lock, and precommits on a polka only           | the prevotes that were published before              |
//! | two validators never decide differently                                | the value of each height                             |
//! | a decision is proved by more than 2/3 of the power                     | every signature of its certificate, with the true set |
//! | a decided body is durable with more than a third of the power          | the disks, as a power cut would leave them            |
//! | what leaves stands in the journal, and its height is promised         | the same                                              |
//! | a promise has its journal                                              | the same                                             |
//! | heights never go back, and none is left out                            | what each validator commits, over all its lives       |

mod disks;
mod signatures;
mod statements;

use std::collections::{BTreeMap, HashMap, HashSet};

use disks::may_leave;
pub use disks::{copy, holds_body, lacks_journal};
use primitives::{
    Address, B256, Bytes, Certificate, ConsensusMessage, Height, LossyDisk, Proposal, PublicKey, Round, Signature, Signed, Vote, VoteKind, keccak256,
};
use signatures::Signatures;
use statements::{Powers, Statements};

/// Something that must never happen did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Virtual time, in milliseconds.
    pub at_ms: u64,
    pub kind: Kind,
    pub what: String,
}

/// Which of the invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Equivocation,
    Agreement,
    Certificate,
    Durability,
    /// A message left before its journal and promise were durable.
    WriteOrder,
    PromiseOrder,
    HeightOrder,
    Progress,
    /// The machinery itself gave up where it should not: an unexpected error, or a guard that refused.
    Health,
}

/// A validator as the genesis names it.
#[derive(Clone, Debug)]
pub struct Member {
    pub address: Address,
    pub public_key: PublicKey,
    pub power: u64,
    /// Whether it may contradict itself.
    pub is_byzantine: bool,
}

/// The observer.
pub struct Oracle {
    members: HashMap<Address, Member>,
    powers: Powers,
    signatures: Signatures,
    statements: Statements,
    decided: BTreeMap<Height, B256>,
    /// Tip of each node as it was last told, over its lives.
    tips: HashMap<usize, Height>,
    bodies: BTreeMap<Height, Bytes>,
    pub violations: Vec<Violation>,
    pub now_ms: u64,
}

impl Oracle {
    pub fn new(members: Vec<Member>, chain_id: u64, genesis: B256) -> Self {
        let powers = Powers {
            of: members.iter().map(|member| (member.address, member.power)).collect(),
            total: members.iter().map(|member| member.power).sum(),
        };
        Self {
            members: members.into_iter().map(|member| (member.address, member)).collect(),
            powers,
            signatures: Signatures::new(chain_id, genesis),
            statements: Statements::default(),
            decided: BTreeMap::new(),
            tips: HashMap::new(),
            bodies: BTreeMap::new(),
            violations: Vec::new(),
            now_ms: 0,
        }
    }

    /// Something must never happen, and somebody else saw it.
    pub fn report(&mut self, kind: Kind, what: String) {
        self.violations.push(Violation { at_ms: self.now_ms, kind, what });
    }

    /// A validator with this key and disk let these leave, at once. The core hands over a precommit before the prevote that
    /// completed its polka.
    pub fn published(&mut self, by: Address, disk: &LossyDisk, messages: &[ConsensusMessage]) {
        for message in messages {
            let signature = match message {
                ConsensusMessage::Vote(signed) if signed.message.validator == by => signed.signature,
                ConsensusMessage::Proposal(signed) if signed.message.proposer == by => signed.signature,
                _ => continue,
            };
            if !may_leave(disk, message.height(), &signature.to_bytes()) {
                self.report(Kind::WriteOrder, format!("the {} of {by} at height {} left before it was durable", message.name(), message.height()));
            }
        }
        let is_precommit = |message: &&ConsensusMessage| message.name() == "precommit";
        messages.iter().filter(|message| !is_precommit(message)).for_each(|message| self.said(message));
        messages.iter().filter(is_precommit).for_each(|message| self.said(message));
    }

    fn said(&mut self, message: &ConsensusMessage) {
        match message {
            ConsensusMessage::Vote(signed) => self.vote(&signed.message, &signed.signature),
            ConsensusMessage::Proposal(signed) => self.proposal(signed),
            ConsensusMessage::Polka(polka) => {
                for signed in &polka.signatures {
                    let value = Some(polka.value);
                    let vote = Vote { kind: VoteKind::Prevote, height: polka.height, round: polka.round, value, validator: signed.validator };
                    self.vote(&vote, &signed.signature);
                }
            }
            ConsensusMessage::Round(certificate) => {
                for signed in &certificate.votes {
                    let vote = Vote {
                        kind: signed.kind,
                        height: certificate.height,
                        round: certificate.round,
                        value: signed.value,
                        validator: signed.validator,
                    };
                    self.vote(&vote, &signed.signature);
                }
            }
        }
    }

    /// A proposer sent the body of its own proposal.
    pub fn streamed(&mut self, height: Height, round: Round, proposer: Address, body: &[u8]) {
        let wrongs = self.statements.body(height, round, proposer, keccak256(body));
        self.blame(proposer, wrongs);
    }

    /// A node decided. `holders` says with what power honest validators hold a body on their disks at this moment.
    pub fn decided(&mut self, node: usize, certificate: &Certificate, body: Option<&Bytes>, holders: &dyn Fn(&[u8]) -> u64) {
        self.certificate(node, certificate);
        let before = *self.decided.entry(certificate.height).or_insert(certificate.value);
        if before != certificate.value {
            self.report(Kind::Agreement, format!("height {} is {before}, and {} for node {node}", certificate.height, certificate.value));
        }
        let Some(body) = body.filter(|_| !self.bodies.contains_key(&certificate.height)) else { return };
        self.holders(certificate.height, holders(body));
        self.bodies.insert(certificate.height, body.clone());
    }

    /// The run is over: every decided body is still where it must be.
    pub fn ended(&mut self, holders: &dyn Fn(&[u8]) -> u64) {
        for (height, body) in std::mem::take(&mut self.bodies) {
            self.holders(height, holders(&body));
        }
    }

    fn holders(&mut self, height: Height, power: u64) {
        if !self.powers.is_third(power) {
            self.report(Kind::Durability, format!("the body of height {height} is durable with power {power} of {} only", self.powers.total));
        }
    }

    /// A node's ledger holds this height now.
    pub fn committed(&mut self, node: usize, height: Height) {
        let before = self.tips.insert(node, height).unwrap_or_default();
        if height != before.next() {
            self.report(Kind::HeightOrder, format!("node {node} committed height {height} after {before}"));
        }
    }

    /// A node's disk was replaced by an older copy: it may begin anywhere.
    pub fn restored(&mut self, node: usize, tip: Height) {
        self.tips.insert(node, tip);
    }

    /// A node says that it saw this validator contradict itself.
    pub fn accused(&mut self, validator: Address, height: Height) {
        if self.members.get(&validator).is_some_and(|member| !member.is_byzantine) {
            self.report(Kind::Equivocation, format!("there is evidence against {validator} at height {height}"));
        }
    }

    /// A node began a new life with this tip.
    pub fn started(&mut self, node: usize, tip: Height) {
        let before = self.tips.get(&node).copied().unwrap_or_default();
        // A crash may come between the sync of a block and the word of it.
        if tip != before && tip != before.next() {
            self.report(Kind::HeightOrder, format!("node {node} restarted at height {tip}, but it was at {before}"));
        }
        self.tips.insert(node, tip);
    }

    fn vote(&mut self, vote: &Vote, signature: &Signature) {
        let Some(member) = self.members.get(&vote.validator) else { return };
        if self.signatures.holds_vote(vote, signature, &member.public_key) {
            let wrongs = self.statements.vote(vote, &self.powers);
            self.blame(vote.validator, wrongs);
        }
    }

    fn proposal(&mut self, signed: &Signed<Proposal>) {
        let Some(member) = self.members.get(&signed.message.proposer) else { return };
        if self.signatures.holds_proposal(&signed.message, &signed.signature, &member.public_key) {
            let wrongs = self.statements.proposal(&signed.message);
            self.blame(signed.message.proposer, wrongs);
        }
    }

    fn blame(&mut self, validator: Address, wrongs: Vec<String>) {
        let is_honest = self.members.get(&validator).is_some_and(|member| !member.is_byzantine);
        for wrong in wrongs.into_iter().filter(|_| is_honest) {
            self.report(Kind::Equivocation, wrong);
        }
    }

    fn certificate(&mut self, node: usize, certificate: &Certificate) {
        let Certificate { height, round, value, .. } = *certificate;
        let mut signers = HashSet::new();
        for signed in &certificate.signatures {
            let vote = Vote { kind: VoteKind::Precommit, height, round, value: Some(value), validator: signed.validator };
            let holds = match self.members.get(&signed.validator) {
                Some(member) => self.signatures.holds_vote(&vote, &signed.signature, &member.public_key),
                None => false,
            };
            if !holds || !signers.insert(signed.validator) {
                self.report(
                    Kind::Certificate,
                    format!("a signature of {} in node {node}'s certificate of height {height} does not count", signed.validator),
                );
                signers.remove(&signed.validator);
            }
        }
        let power = signers.iter().filter_map(|signer| self.powers.of.get(signer)).sum();
        if !self.powers.is_quorum(power) {
            self.report(Kind::Certificate, format!("node {node} decided height {height}, round {round} with power {power} of {}", self.powers.total));
        }
    }
}
