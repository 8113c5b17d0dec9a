//! One life of a node: a host, a signer and a store on one disk, and the hands that carry out what the host wants.

mod bodies;
mod carry;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use consensus::{
    core::Crypto,
    host::{self, Action, Batch, Event, Host, Now, ProposedBlock, Recipient, Remembered, SigningState, Start, TimerId, Verdict},
    signer::{self, Incarnation, OnMissing, Signer},
};
use primitives::{Address, B256, Bytes, Certificate, Height, NodeId, Proposal, Round};
use rand::{Rng, RngCore, rngs::StdRng};

use crate::{
    block,
    fuse::{Fuse, FusedDisk},
    genesis::Genesis,
    oracle::{Kind, Oracle},
    packet::Packet,
    sabotage::{self, Sabotage},
    scenario::Proposer,
    store::{Decided, Store},
};

/// Bodies kept that came before their proposal.
const MAX_LOOSE_BODIES: usize = 16;
const PROPOSE_FLOOR: Duration = Duration::from_millis(40);
/// Between two tries at fetching what is missing, in milliseconds.
const FETCH_AGAIN_MS: u64 = 150;

/// The machine has stopped: this life is over.
#[derive(Debug)]
pub struct Stopped;

/// What the world gives a life to act with.
pub struct Hands<'a> {
    pub now: Duration,
    pub rng: &'a mut StdRng,
    pub oracle: &'a mut Oracle,
    /// To whom what is to be sent.
    pub sent: Vec<(Recipient, Packet)>,
    /// What is to be done by this life, and when.
    pub later: Vec<(Duration, Task)>,
    pub genesis: &'a Genesis,
    pub holders: &'a dyn Fn(&[u8]) -> u64,
}

/// Something that a life does later.
#[derive(Clone, Debug)]
pub enum Task {
    Timer(TimerId, u64),
    Tell(Box<Event>),
    Commit(Box<Certificate>),
    Judge(ProposedBlock),
    FetchBody(ProposedBlock),
    FetchBlock,
    RestartConsensus,
}

/// Does what `signing init --above 0` does for a key that was just made.
pub fn provision(us: &Identity, genesis: &Genesis, disk: &primitives::LossyDisk) {
    let disk = FusedDisk { disk: disk.clone(), fuse: Fuse::new(None) };
    let identity = signer::Identity { genesis: genesis.domain.genesis_hash, key: us.address };
    let made = Signer::open(Arc::new(disk), identity, B256::ZERO).and_then(|mut signer| signer.initialise(Height::GENESIS));
    made.expect("an empty memory disk takes a promise");
}

/// Tip of the ledger on `disk`.
pub fn tip_of(disk: &primitives::LossyDisk) -> Height {
    let disk = FusedDisk { disk: disk.clone(), fuse: Fuse::new(None) };
    Store::open(disk).map(|store| store.tip()).unwrap_or_default()
}

/// What a node is, over all its lives.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub index: usize,
    pub node: NodeId,
    pub address: Address,
    pub proposer: Proposer,
    pub is_byzantine: bool,
    /// Nobody has ever started it: there is no record of its key.
    pub is_fresh: bool,
    /// Its disk was replaced by an older copy.
    pub is_restored: bool,
    pub sabotage: Option<Sabotage>,
}

pub struct Life {
    us: Identity,
    fuse: Fuse,
    host: Host,
    signer: Signer,
    incarnation: Incarnation,
    store: Store,
    timers: BTreeMap<TimerId, u64>,
    generation: u64,
    accepted: BTreeMap<(Height, Round), ProposedBlock>,
    loose: VecDeque<Bytes>,
    /// Bodies that a file holds durably.
    synced: BTreeSet<B256>,
    questions: BTreeMap<u64, NodeId>,
    /// Others are at this height.
    target: Height,
    peers: BTreeMap<NodeId, Option<Address>>,
    events: VecDeque<Event>,
}

type Outcome = Result<(), Stopped>;

impl Life {
    /// Begins a life on what earlier ones left.
    pub fn begin(us: Identity, disk: FusedDisk, hands: &mut Hands<'_>) -> Result<Self, Stopped> {
        let fuse = disk.fuse.clone();
        let stopped = |error: &dyn std::fmt::Display, hands: &mut Hands<'_>| {
            if !fuse.is_out() {
                hands.oracle.report(Kind::Health, format!("node {} cannot start: {error}", us.index));
            }
            Stopped
        };
        let store = Store::open(disk.clone()).map_err(|error| stopped(&error, hands))?;
        let identity = signer::Identity { genesis: hands.genesis.domain.genesis_hash, key: us.address };
        let mut seed = B256::ZERO;
        hands.rng.fill_bytes(&mut seed[..]);
        let mut signer = Signer::open(Arc::new(disk), identity, seed).map_err(|error| stopped(&error, hands))?;
        sabotage::break_signer(&mut signer, us.sabotage);
        hands.oracle.started(us.index, store.tip());
        let incarnation = Incarnation(1);
        signer.take_over(incarnation).map_err(|error| stopped(&error, hands))?;
        let mut host = new_host(&us, incarnation, &store, Remembered::default(), hands);
        let actions = host.begin(now(hands.now));
        let synced = store.bodies.keys().copied().collect();
        let mut life = Self {
            us,
            fuse: fuse.clone(),
            host,
            signer,
            incarnation,
            store,
            timers: BTreeMap::new(),
            generation: 0,
            accepted: BTreeMap::new(),
            loose: VecDeque::new(),
            synced,
            questions: BTreeMap::new(),
            target: Height::GENESIS,
            peers: BTreeMap::new(),
            events: VecDeque::new(),
        };
        life.carry_all(actions, hands)?;
        life.drain(hands)?;
        Ok(life)
    }

    /// The last thing that will be done by this life is what it does next.
    pub fn fuse(&self) -> &Fuse {
        &self.fuse
    }

    pub fn tip(&self) -> Height {
        self.store.tip()
    }

    /// Something happened outside.
    pub fn tell(&mut self, event: Event, hands: &mut Hands<'_>) -> Outcome {
        self.events.push_back(event);
        self.drain(hands)
    }

    /// Does what it put off.
    pub fn perform(&mut self, task: Task, hands: &mut Hands<'_>) -> Outcome {
        match task {
            Task::Timer(id, generation) if self.timers.get(&id) == Some(&generation) => {
                self.timers.remove(&id);
                self.events.push_back(Event::Elapsed(id));
            }
            Task::Timer(..) => {}
            Task::Tell(event) => self.events.push_back(*event),
            Task::Commit(certificate) => self.commit(*certificate, hands)?,
            Task::Judge(block) => self.judge(block, hands),
            Task::FetchBody(block) => self.fetch_body(block, hands),
            Task::FetchBlock => self.fetch_block(hands),
            Task::RestartConsensus => self.restart_consensus(hands)?,
        }
        self.drain(hands)
    }

    fn drain(&mut self, hands: &mut Hands<'_>) -> Outcome {
        while let Some(event) = self.events.pop_front() {
            let actions = self.host.handle(event, now(hands.now));
            self.carry_all(actions, hands)?;
        }
        Ok(())
    }

    /// Drops the host and makes another from the same signer and store, as the tree does after a crash of the actor.
    fn restart_consensus(&mut self, hands: &mut Hands<'_>) -> Outcome {
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.timers.clear();
        self.events.clear();
        self.questions.clear();
        self.signer.take_over(self.incarnation).map_err(|error| self.failed(&error, hands))?;
        self.host = new_host(&self.us, self.incarnation, &self.store, self.host.remembered(), hands);
        let actions = self.host.begin(now(hands.now));
        for (node, validator) in &self.peers {
            self.events.push_back(Event::PeerUp { node: *node, validator: *validator });
        }
        self.carry_all(actions, hands)
    }

    /// An error that is no crash of the machine is a violation; either way this life is over.
    fn failed(&self, error: &dyn std::fmt::Display, hands: &mut Hands<'_>) -> Stopped {
        if !self.fuse.is_out() {
            hands.oracle.report(Kind::Health, format!("node {}: {error}", self.us.index));
        }
        Stopped
    }

    fn disk<T>(&self, outcome: io::Result<T>, hands: &mut Hands<'_>) -> Result<T, Stopped> {
        outcome.map_err(|error| self.failed(&error, hands))
    }
}

fn new_host(us: &Identity, incarnation: Incarnation, store: &Store, remembered: Remembered, hands: &Hands<'_>) -> Host {
    let key = hands.genesis.keys.iter().find(|key| key.address() == us.address).cloned();
    let start = Start {
        tip: store.decided.values().next_back().map(|decided| decided.certificate.clone()),
        tip_time_ms: now(hands.now).unix_ms,
        validators: hands.genesis.told(us.index),
        crypto: Crypto::new(key, hands.genesis.domain),
        first_ticket: incarnation.0 << 32,
        remembered,
    };
    let config = host::Config { parameters: hands.genesis.parameters.clone(), propose_floor: PROPOSE_FLOOR };
    Host::new(config, start)
}

fn now(since_start: Duration) -> Now {
    Now { monotonic: since_start, unix_ms: crate::genesis::EPOCH_MS + since_start.as_millis() as u64 }
}

fn soon(rng: &mut StdRng, least_us: u64, most_us: u64) -> Duration {
    Duration::from_micros(rng.random_range(least_us..=most_us))
}
