//! Hosts, signers and disks in one loop with virtual time, for the tests of this module.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use primitives::{
    Address, B256, Certificate, CommitSignature, ConsensusMessage, Domain, Height, LossyDisk, NodeId, Proposal, Round, SecretKey, Signed, Survival,
    Validator, ValidatorSet, Vote, VoteKind, genesis::ConsensusParameters, keccak256,
};

use super::{Action, Config, Event, Host, NotReleased, Now, ProposedBlock, Recipient, Remembered, Start, TimerId, Verdict, judge_signing};
use crate::{
    core::Crypto,
    signer::{Identity, Incarnation, OnMissing, Signer},
};

pub const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };

pub fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32]).unwrap()
}

pub fn crypto(byte: u8) -> Crypto {
    Crypto::new(Some(key(byte)), DOMAIN)
}

pub fn set(count: u8) -> ValidatorSet {
    let validator = |byte| Validator { address: key(byte).address(), public_key: key(byte).public_key(), power: 1 };
    ValidatorSet::new((1..=count).map(validator).collect()).unwrap()
}

pub fn vote(byte: u8, kind: VoteKind, height: u64, round: u32, value: Option<B256>) -> Signed<Vote> {
    let vote = Vote { kind, height: Height(height), round: Round(round), value, validator: key(byte).address() };
    Signed::new(vote, &key(byte), &DOMAIN)
}

pub fn proposal(height: u64, round: u32, value: B256, set: &ValidatorSet) -> Signed<Proposal> {
    let proposer = set.proposer(Height(height), Round(round)).address;
    let byte = (1..=20).find(|byte| key(*byte).address() == proposer).unwrap();
    Signed::new(Proposal { height: Height(height), round: Round(round), value, pol_round: None, proposer }, &key(byte), &DOMAIN)
}

pub fn certificate(height: u64, value: u8, signers: &[u8]) -> Certificate {
    let mut certificate = Certificate { height: Height(height), round: Round(0), value: B256::repeat_byte(value), signatures: vec![] };
    for byte in signers {
        let signed = Signed::new(certificate.vote_of(key(*byte).address()), &key(*byte), &DOMAIN);
        certificate.signatures.push(CommitSignature { validator: key(*byte).address(), signature: signed.signature });
    }
    certificate.canonical()
}

pub fn node_id(node: usize) -> NodeId {
    NodeId(Address::repeat_byte(node as u8))
}

/// A node: what survives it, and what is running.
pub struct Node {
    key: Option<SecretKey>,
    pub disk: LossyDisk,
    pub chain: Vec<Certificate>,
    pub signer: Option<Signer>,
    pub host: Option<Host>,
    remembered: Remembered,
    incarnation: u64,
    /// This life of consensus was fed the journal.
    has_replayed: bool,
    timers: BTreeMap<TimerId, u64>,
    sync_to: Height,
    /// Everything the host wanted, for questions about it.
    pub wanted: Vec<Action>,
    /// Everything that left.
    pub said: Vec<ConsensusMessage>,
    /// What the signer answers instead of releasing, if anything.
    pub refuses: Option<NotReleased>,
    /// Verdicts on blocks here, if not valid.
    pub verdicts: HashMap<B256, Verdict>,
}

/// Nodes with a network between them.
pub struct World {
    pub now_ms: u64,
    pub parameters: ConsensusParameters,
    pub set: ValidatorSet,
    pub nodes: Vec<Node>,
    pub policy: OnMissing,
    /// Links that carry nothing.
    pub cut: BTreeSet<(usize, usize)>,
    /// One of so many messages is lost; 0 loses none.
    pub loses_one_of: u64,
    queue: BTreeMap<(u64, u64), (usize, Event)>,
    sequence: u64,
    /// Who said what, to find contradictions.
    oracle: HashMap<(Address, Height, Round, &'static str), Option<B256>>,
}

/// From this many heights on a node fetches blocks instead of waiting for consensus.
const FAR_BEHIND: u64 = 2;
const DELAY_MS: u64 = 1;

impl World {
    /// `count` validators that make blocks as fast as they can, not begun yet.
    pub fn of(count: u8) -> Self {
        let parameters = ConsensusParameters { block_interval: Duration::ZERO, empty_block_interval: Duration::ZERO, ..Default::default() };
        let mut world = Self {
            now_ms: 0,
            parameters,
            set: set(count),
            nodes: vec![],
            policy: OnMissing::Refuse,
            cut: BTreeSet::new(),
            loses_one_of: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            oracle: HashMap::new(),
        };
        (1..=count).for_each(|byte| world.add(Some(key(byte))));
        world
    }

    pub fn started(count: u8) -> Self {
        let mut world = Self::of(count);
        (0..world.nodes.len()).for_each(|node| world.start(node));
        world
    }

    pub fn add(&mut self, key: Option<SecretKey>) {
        self.nodes.push(Node {
            key,
            disk: LossyDisk::new(),
            chain: vec![],
            signer: None,
            host: None,
            remembered: Remembered::default(),
            incarnation: 0,
            has_replayed: false,
            timers: BTreeMap::new(),
            sync_to: Height(0),
            wanted: vec![],
            said: vec![],
            refuses: None,
            verdicts: HashMap::new(),
        });
    }

    fn now(&self) -> Now {
        Now { monotonic: Duration::from_millis(self.now_ms), unix_ms: 1_700_000_000_000 + self.now_ms }
    }

    /// The process of `node` starts.
    pub fn start(&mut self, node: usize) {
        let this = &mut self.nodes[node];
        this.remembered = Remembered::default();
        if let Some(key) = &this.key {
            let identity = Identity { genesis: DOMAIN.genesis_hash, key: key.address() };
            this.signer = Some(Signer::open(Arc::new(this.disk.clone()), identity, B256::repeat_byte(this.incarnation as u8)).unwrap());
        }
        self.start_host(node);
        for other in self.others(node) {
            let validator = |node: usize| self.nodes[node].key.as_ref().map(SecretKey::address);
            let (mine, theirs) = (validator(node), validator(other));
            self.post(other, 0, Event::PeerUp { node: node_id(node), validator: mine });
            self.post(node, 0, Event::PeerUp { node: node_id(other), validator: theirs });
        }
    }

    /// A new incarnation of consensus in a process that goes on.
    pub fn start_host(&mut self, node: usize) {
        let parameters = self.parameters.clone();
        let this = &mut self.nodes[node];
        this.incarnation += 1;
        this.has_replayed = false;
        if let Some(signer) = &mut this.signer {
            signer.take_over(Incarnation(this.incarnation)).unwrap();
        }
        this.timers.clear();
        let start = Start {
            tip: this.chain.last().cloned(),
            tip_time_ms: 0,
            validators: self.set.clone(),
            crypto: Crypto::new(this.key.clone(), DOMAIN),
            first_ticket: this.incarnation << 32,
            remembered: this.remembered.clone(),
        };
        let host = Host::new(Config { parameters, propose_floor: Duration::from_millis(150) }, start);
        this.host = Some(host);
        let now = self.now();
        let actions = self.nodes[node].host.as_mut().unwrap().begin(now);
        self.carry_out(node, actions);
    }

    /// Kills the consensus actor and starts another.
    pub fn restart_consensus(&mut self, node: usize) {
        self.nodes[node].remembered = self.nodes[node].host.as_ref().unwrap().remembered();
        self.queue.retain(|_, (to, event)| *to != node || matches!(event, Event::Message { .. }));
        self.start_host(node);
    }

    /// The process dies, and the machine keeps what `survival` says.
    pub fn crash(&mut self, node: usize, survival: Survival) {
        let this = &mut self.nodes[node];
        (this.host, this.signer) = (None, None);
        this.timers.clear();
        this.disk.crash(survival);
        self.queue.retain(|_, (to, _)| *to != node);
        for other in self.others(node) {
            self.post(other, 0, Event::PeerDown { node: node_id(node) });
        }
    }

    fn others(&self, node: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|other| *other != node && self.nodes[*other].host.is_some()).collect()
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to)) || self.cut.contains(&(to, from))
    }

    /// Tells `node` of `event` after `delay_ms`.
    pub fn post(&mut self, node: usize, delay_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + delay_ms, self.sequence), (node, event));
    }

    fn send(&mut self, from: usize, to: usize, event: Event) {
        let is_lost = self.loses_one_of > 0 && u64::from(keccak256(self.sequence.to_be_bytes())[0]).is_multiple_of(self.loses_one_of);
        if self.nodes[to].host.is_none() || self.is_cut(from, to) || (is_lost && matches!(event, Event::Message { .. })) {
            self.sequence += 1;
            return;
        }
        self.post(to, DELAY_MS, event);
    }

    /// Lets one thing happen: the next event or timer.
    pub fn step(&mut self) {
        let event = self.queue.first_key_value().map(|(key, _)| *key);
        let timers = self.nodes.iter().enumerate().flat_map(|(node, this)| this.timers.iter().map(move |(timer, at)| (*at, node, *timer)));
        let timer = timers.min();
        if let Some((at, node, timer)) = timer.filter(|(at, ..)| event.is_none_or(|(time, _)| *at < time)) {
            self.now_ms = self.now_ms.max(at);
            self.nodes[node].timers.remove(&timer);
            return self.tell(node, Event::Elapsed(timer));
        }
        let key = event.expect("the world stands still");
        let (node, event) = self.queue.remove(&key).unwrap();
        self.now_ms = self.now_ms.max(key.0);
        self.tell(node, event);
    }

    /// Tells `node` now.
    pub fn tell(&mut self, node: usize, event: Event) {
        let now = self.now();
        self.nodes[node].has_replayed |= matches!(event, Event::JournalOpened { .. });
        let Some(host) = self.nodes[node].host.as_mut() else { return };
        let actions = host.handle(event, now);
        self.carry_out(node, actions);
    }

    /// Runs until `done`, or fails after `limit_ms` of virtual time.
    pub fn until(&mut self, limit_ms: u64, done: impl Fn(&World) -> bool) {
        let end = self.now_ms + limit_ms;
        while !done(self) {
            assert!(
                self.now_ms <= end,
                "not within {limit_ms} ms: {:#?}",
                self.nodes.iter().filter_map(|node| Some(node.host.as_ref()?.status())).collect::<Vec<_>>()
            );
            self.step();
        }
    }

    /// Runs for `ms` of virtual time.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        self.post(0, ms, Event::RoundTrip(Duration::ZERO));
        while self.now_ms < end {
            self.step();
        }
    }

    pub fn height(&self, node: usize) -> u64 {
        self.nodes[node].chain.len() as u64
    }

    pub fn all_at(&self, height: u64) -> bool {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].host.is_some()).all(|node| height <= self.height(node))
    }

    pub fn host(&self, node: usize) -> &Host {
        self.nodes[node].host.as_ref().unwrap()
    }

    fn carry_out(&mut self, node: usize, actions: Vec<Action>) {
        for action in actions {
            self.nodes[node].wanted.push(action.clone());
            self.do_one(node, action);
        }
    }

    fn do_one(&mut self, node: usize, action: Action) {
        let now_ms = self.now_ms;
        let incarnation = Incarnation(self.nodes[node].incarnation);
        match action {
            Action::Release(batch) => {
                let this = &mut self.nodes[node];
                assert!(this.has_replayed, "a new life of node {node} speaks before it has seen its journal: {batch:?}");
                if let Some(why) = this.refuses {
                    return self.post(node, 0, Event::NotReleased { ticket: batch.ticket, why });
                }
                let signer = this.signer.as_mut().unwrap();
                batch.entries.iter().for_each(|entry| signer.append(incarnation, entry).unwrap());
                let messages = signer.release(incarnation, batch.messages).unwrap();
                self.nodes[node].said.extend(messages.iter().cloned());
                for message in messages {
                    self.observe(&message);
                    for other in self.others(node) {
                        if batch.to == Recipient::Everybody || batch.to == Recipient::Peer(node_id(other)) {
                            self.send(node, other, Event::Message { from: node_id(node), message: message.clone() });
                        }
                    }
                }
                self.post(node, 0, Event::Released { ticket: batch.ticket });
            }
            Action::Schedule { timer, after } => {
                self.nodes[node].timers.insert(timer, now_ms + after.as_millis() as u64);
            }
            Action::Cancel(timer) => {
                self.nodes[node].timers.remove(&timer);
            }
            Action::GetValue { height, round } => {
                let value = keccak256([height.to_be_bytes(), u64::from(round.0).to_be_bytes(), [node as u8; 8], now_ms.to_be_bytes()].concat());
                self.post(node, 0, Event::BodyDurable { height, round, value, body: Some(value.to_vec().into()) });
                self.post(node, 0, Event::Built { height, round, value });
            }
            Action::Accept(signed) => {
                let Proposal { height, round, value, pol_round, proposer } = signed.message;
                let block = ProposedBlock { height, round, pol_round, proposer, value };
                let verdict = self.nodes[node].verdicts.get(&value).cloned().unwrap_or(Verdict::Valid);
                self.post(node, DELAY_MS, Event::BodyDurable { height, round, value, body: Some(value.to_vec().into()) });
                self.post(node, DELAY_MS, Event::Judged { block, verdict });
            }
            Action::Commit { certificate, .. } => {
                let height = certificate.height;
                assert_eq!(certificate.verify(&self.set, &DOMAIN), Ok(()));
                if self.nodes[node].chain.len() as u64 + 1 == height.0 {
                    self.nodes[node].chain.push(certificate);
                }
                let block_time_ms = self.now().unix_ms / 1_000 * 1_000;
                self.post(node, 0, Event::Committed { height, validators: self.set.clone(), block_time_ms });
                if height < self.nodes[node].sync_to {
                    self.fetch(node);
                }
                self.tell_tip(node, height);
            }
            Action::AskStandings => {
                let Some(by) = self.nodes[node].key.as_ref().map(SecretKey::address) else { return };
                self.others(node).into_iter().for_each(|other| self.send(node, other, Event::StandingAsked { question: node as u64, by }));
            }
            Action::Answer { question, standing } => {
                if let Some(by) = self.nodes[node].key.as_ref().map(SecretKey::address) {
                    self.send(node, question as usize, Event::StandingAnswered { by, standing });
                }
            }
            Action::JudgeSigning { tip, highest_tip, claims } => {
                let policy = (self.policy, 100);
                let verdict = judge_signing(self.nodes[node].signer.as_mut().unwrap(), policy, tip, highest_tip, &claims).unwrap();
                self.post(node, 0, Event::SigningVerdict(verdict));
            }
            Action::OpenJournal { height } => {
                let signer = self.nodes[node].signer.as_mut().unwrap();
                signer.committed(height.previous().unwrap());
                signer.start_height(incarnation, height).unwrap();
                let (entries, speaks) = (signer.entries().unwrap(), signer.may_speak(height));
                self.post(node, 0, Event::JournalOpened { height, entries, speaks });
            }
            Action::MakeJournal { .. } => self.nodes[node].signer.as_mut().unwrap().prepare(incarnation).unwrap(),
            Action::InitialiseSigning { above } => self.nodes[node].signer.as_mut().unwrap().initialise(above).unwrap(),
            Action::AskRound => self.others(node).into_iter().for_each(|other| self.send(node, other, Event::RoundAsked { by: node_id(node) })),
            Action::AnnounceTip { to } => {
                let to = (0..self.nodes.len()).find(|other| node_id(*other) == to).unwrap();
                let tip = self.nodes[node].chain.len() as u64;
                self.nodes[to].sync_to = self.nodes[to].sync_to.max(Height(tip));
                self.fetch(to);
            }
            Action::Sync { height } => {
                self.nodes[node].sync_to = self.nodes[node].sync_to.max(height);
                self.fetch(node);
            }
            Action::Fault { .. } => self.restart_consensus(node),
            Action::RoundStarted { .. } | Action::Stream { .. } | Action::Restore(_) | Action::Evidence(_) | Action::SigningChanged(_) => {}
            // Everybody here is honest, however late and often things arrive.
            Action::Misconduct { by } => panic!("node {node} accuses {by}"),
        }
    }

    /// Whoever hears that others are far ahead fetches what it lacks.
    fn tell_tip(&mut self, node: usize, tip: Height) {
        for other in self.others(node) {
            let is_far_behind = self.nodes[other].chain.len() as u64 + FAR_BEHIND <= tip.0 && self.nodes[other].sync_to < tip;
            if is_far_behind && !self.is_cut(node, other) {
                self.nodes[other].sync_to = tip;
                self.fetch(other);
            }
        }
    }

    fn fetch(&mut self, node: usize) {
        let next = self.nodes[node].chain.len();
        let holder = self.others(node).into_iter().find(|other| next < self.nodes[*other].chain.len() && !self.is_cut(node, *other));
        if let Some(holder) = holder {
            let certificate = self.nodes[holder].chain[next].clone();
            self.post(node, 2 * DELAY_MS, Event::Synced(certificate));
        }
    }

    fn observe(&mut self, message: &ConsensusMessage) {
        let (author, value) = match message {
            ConsensusMessage::Vote(signed) => (signed.message.validator, signed.message.value),
            ConsensusMessage::Proposal(signed) => (signed.message.proposer, Some(signed.message.value)),
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => return,
        };
        let before = self.oracle.insert((author, message.height(), message.round(), message.name()), value);
        assert!(before.is_none_or(|before| before == value), "two different signatures: {message:?}");
    }

    /// Every chain is a prefix of the longest.
    pub fn agrees(&self) -> bool {
        let longest = self.nodes.iter().map(|node| &node.chain).max_by_key(|chain| chain.len()).unwrap();
        self.nodes.iter().all(|node| node.chain.iter().zip(longest).all(|(a, b)| a.value == b.value))
    }
}

/// Another disk with the same files.
pub fn copy(disk: &LossyDisk) -> LossyDisk {
    use std::path::Path;

    use crate::signer::{JOURNAL_DIRECTORY, PROMISE_DIRECTORY};
    use primitives::Disk;
    let copied = LossyDisk::new();
    for directory in [JOURNAL_DIRECTORY, PROMISE_DIRECTORY].map(Path::new) {
        for name in disk.list(directory).unwrap() {
            let path = directory.join(name);
            let mut file = copied.open(&path).unwrap();
            file.write_at(0, &disk.read(&path).unwrap().unwrap()).unwrap();
            file.sync().unwrap();
        }
        copied.sync_directory(directory).unwrap();
    }
    copied
}
