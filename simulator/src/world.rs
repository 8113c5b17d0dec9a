//! Virtual time: what happens next, to whom, and the trouble in between.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use consensus::host::Recipient;
use primitives::{Address, Height, LossyDisk, NodeId, Survival};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    fuse::{Fuse, FusedDisk},
    genesis::Genesis,
    life::{self, Hands, Identity, Life, Stopped, Task},
    network::{Network, Weather},
    oracle::{self, Kind, Member, Oracle},
    packet::Packet,
    report::Report,
    sabotage::Sabotage,
    scenario::{Proposer, Scenario},
};

/// Whose disk is copied and restored.
const COPIED: usize = 2;
const PART_EVERY_MS: u64 = 1_500;
const RESTART_EVERY_MS: u64 = 700;
/// How long peers take to notice that somebody is gone, or back.
const NOTICE_MS: u64 = 20;
/// Occurrences of one run; more mean that it spins.
const MAX_OCCURRENCES: u64 = 2_000_000;
const MAX_VIOLATIONS: usize = 8;

#[derive(Debug)]
enum Occurrence {
    Arrives { from: usize, to: usize, packet: Packet },
    Due { node: usize, life: u64, task: Task },
    Begins { node: usize },
    Noticed { by: usize, life: u64, of: usize, is_up: bool },
    Parts,
    Joins,
    RestartsConsensus,
    Copies,
    Restores,
    Heals,
}

struct Node {
    identity: Identity,
    disk: LossyDisk,
    life: Option<Life>,
    /// Number of the current life, or of the last one.
    lives: u64,
}

/// One run.
pub struct World {
    scenario: Scenario,
    genesis: Genesis,
    rng: StdRng,
    now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    occurrences: HashMap<u64, Occurrence>,
    number: u64,
    nodes: Vec<Node>,
    network: Network,
    oracle: Oracle,
    has_healed: bool,
    /// A copy of a disk, made earlier.
    copy: Option<LossyDisk>,
    report: Report,
}

impl World {
    pub fn new(scenario: Scenario, seed: u64, sabotage: Option<Sabotage>) -> Self {
        let genesis = Genesis::new(scenario.validators, sabotage == Some(Sabotage::LowQuorum));
        let identities = identities(&scenario, &genesis, sabotage);
        let is_byzantine = |address: Address| identities.iter().any(|node| node.address == address && node.is_byzantine);
        let members = genesis.validators.iter().map(|validator| Member {
            address: validator.address,
            public_key: validator.public_key,
            power: validator.power,
            is_byzantine: is_byzantine(validator.address),
        });
        let oracle = Oracle::new(members.collect(), genesis.domain.chain_id, genesis.domain.genesis_hash);
        let nodes: Vec<Node> = identities.into_iter().map(|identity| Node { identity, disk: LossyDisk::new(), life: None, lives: 0 }).collect();
        Self {
            scenario,
            rng: StdRng::seed_from_u64(seed),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            occurrences: HashMap::new(),
            number: 0,
            network: Network::new(nodes.len(), scenario.weather),
            nodes,
            oracle,
            genesis,
            has_healed: false,
            copy: None,
            report: Report::default(),
        }
    }

    /// Runs to the end: trouble, healing, and the progress that must follow.
    pub fn run(mut self) -> Report {
        self.prepare();
        let (mut goal, mut healed_at) = (None, Duration::ZERO);
        let deadline = Duration::from_millis(self.scenario.trouble_ms + self.scenario.bound_ms);
        while let Some(Reverse((at, number))) = self.queue.pop() {
            let Some(occurrence) = self.occurrences.remove(&number) else { continue };
            if deadline < at || MAX_OCCURRENCES < self.report.occurrences || MAX_VIOLATIONS <= self.oracle.violations.len() {
                break;
            }
            self.now = at;
            self.oracle.now_ms = at.as_millis() as u64;
            self.report.occurrences += 1;
            self.happen(occurrence);
            if self.has_healed && goal.is_none() {
                goal = Some(Height(self.highest().0 + self.scenario.heights_after));
                healed_at = self.now;
            }
            if goal.is_some_and(|goal| self.lowest_honest() >= goal) {
                break;
            }
        }
        self.report.recovery_ms_max = self.now.saturating_sub(healed_at).as_millis() as u64;
        self.finish(goal)
    }

    fn prepare(&mut self) {
        for node in self.nodes.iter().filter(|node| !node.identity.is_fresh) {
            life::provision(&node.identity, &self.genesis, &node.disk);
        }
        for node in 0..self.nodes.len() {
            let after = self.random_ms(0, 50);
            self.later(after, Occurrence::Begins { node });
        }
        if self.scenario.parts {
            self.later(Duration::from_millis(PART_EVERY_MS), Occurrence::Parts);
        }
        if self.scenario.restarts_consensus {
            self.later(Duration::from_millis(RESTART_EVERY_MS), Occurrence::RestartsConsensus);
        }
        if self.scenario.restores_copy {
            let copied = self.random_ms(self.scenario.trouble_ms / 4, self.scenario.trouble_ms / 2);
            let restored = copied + self.random_ms(0, self.scenario.trouble_ms / 3);
            self.later(copied, Occurrence::Copies);
            self.later(restored, Occurrence::Restores);
        }
        self.later(Duration::from_millis(self.scenario.trouble_ms), Occurrence::Heals);
    }

    fn finish(mut self, goal: Option<Height>) -> Report {
        let lowest = self.lowest_honest();
        let is_done = goal.is_some_and(|goal| goal <= lowest);
        if !is_done && self.oracle.violations.len() < MAX_VIOLATIONS {
            let tips: Vec<u64> = self.nodes.iter().map(|node| node.life.as_ref().map_or(0, |life| life.tip().0)).collect();
            self.oracle.report(Kind::Progress, format!("wanted {goal:?}, the nodes are at {tips:?}"));
        }
        let nodes = &self.nodes;
        self.oracle.ended(&|body| holders(nodes, body));
        self.report.heights = self.highest().0;
        self.report.virtual_ms = self.now.as_millis() as u64;
        self.report.violations = std::mem::take(&mut self.oracle.violations);
        self.report
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrives { from, to, packet } => {
                let peer = self.nodes[from].identity;
                self.with_life(to, |life, hands| life.receive(peer.node, peer.address, packet, hands));
            }
            Occurrence::Due { node, life, task } => {
                if self.nodes[node].lives == life {
                    self.with_life(node, |life, hands| life.perform(task, hands));
                }
            }
            Occurrence::Begins { node } => self.begin(node),
            Occurrence::Noticed { by, life, of, is_up } => {
                let peer = self.nodes[of].identity;
                if self.nodes[by].lives == life {
                    self.with_life(by, |life, hands| life.peer(peer.node, peer.address, is_up, hands));
                }
            }
            Occurrence::Parts if !self.has_healed => {
                self.network.part(&mut self.rng);
                self.notice_all();
                let after = self.random_ms(100, 2 * PART_EVERY_MS);
                self.later(after, Occurrence::Joins);
            }
            Occurrence::Joins if !self.has_healed => {
                self.network.heal();
                self.notice_all();
                let after = self.random_ms(100, 2 * PART_EVERY_MS);
                self.later(after, Occurrence::Parts);
            }
            Occurrence::RestartsConsensus if !self.has_healed => {
                let node = self.rng.random_range(0..self.nodes.len());
                self.with_life(node, |life, hands| life.perform(Task::RestartConsensus, hands));
                let after = self.random_ms(50, 2 * RESTART_EVERY_MS);
                self.later(after, Occurrence::RestartsConsensus);
            }
            Occurrence::Parts | Occurrence::Joins | Occurrence::RestartsConsensus => {}
            Occurrence::Copies => self.copy = Some(oracle::copy(&self.nodes[COPIED].disk)),
            Occurrence::Restores => self.restore(),
            Occurrence::Heals => self.heal(),
        }
    }

    fn heal(&mut self) {
        self.has_healed = true;
        self.network.weather = Weather::FAIR;
        self.network.heal();
        for life in self.nodes.iter().filter_map(|node| node.life.as_ref()) {
            life.fuse().mend();
        }
        self.notice_all();
    }

    /// The machine is gone, and a copy of its disk runs in its place.
    fn restore(&mut self) {
        let Some(copy) = self.copy.take() else { return };
        self.crash(COPIED);
        self.nodes[COPIED].identity.is_restored = true;
        self.nodes[COPIED].disk = copy;
        self.oracle.restored(COPIED, life::tip_of(&self.nodes[COPIED].disk));
    }

    fn begin(&mut self, node: usize) {
        let operations = match self.scenario.crash_after {
            Some(mean) if !self.has_healed => Some(self.rng.random_range(1..=2 * mean)),
            _ => None,
        };
        let fuse = Fuse::new(operations);
        self.nodes[node].lives += 1;
        let disk = FusedDisk { disk: self.nodes[node].disk.clone(), fuse };
        let identity = self.nodes[node].identity;
        let begun = self.with_hands(node, |_, hands| Life::begin(identity, disk, hands));
        match begun {
            Ok(life) => self.nodes[node].life = Some(life),
            Err(Stopped) => self.crash(node),
        }
        self.notice(node);
    }

    fn crash(&mut self, node: usize) {
        let survival = match self.rng.random_range(0..3) {
            0 => Survival::SyncedOnly,
            1 => Survival::Everything,
            _ => Survival::Torn { bytes: self.rng.random_range(0..12_000) },
        };
        self.report.crashes += 1;
        self.nodes[node].life = None;
        self.nodes[node].lives += 1;
        self.nodes[node].disk.crash(survival);
        if let Some(height) = oracle::lacks_journal(&self.nodes[node].disk) {
            self.oracle.report(Kind::PromiseOrder, format!("node {node} promised height {height}, and its journal is not durable"));
        }
        self.notice(node);
        let after = self.random_ms(5, 1_500);
        self.later(after, Occurrence::Begins { node });
    }

    /// Everybody learns whether a session with this node is up, and it learns of theirs.
    fn notice(&mut self, node: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            let is_up = self.nodes[node].life.is_some() && self.nodes[other].life.is_some() && self.network.are_linked(node, other);
            for (by, of) in [(node, other), (other, node)] {
                let (life, after) = (self.nodes[by].lives, self.random_ms(1, NOTICE_MS));
                self.later(after, Occurrence::Noticed { by, life, of, is_up });
            }
        }
    }

    fn notice_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.notice(node);
        }
    }

    fn with_life(&mut self, node: usize, act: impl FnOnce(&mut Life, &mut Hands<'_>) -> Result<(), Stopped>) {
        let outcome = self.with_hands(node, |life, hands| match life.as_mut() {
            Some(life) => act(life, hands),
            None => Ok(()),
        });
        if let Err(Stopped) = outcome {
            self.crash(node);
        }
    }

    /// Lets a life act, then carries away what it sent and put off.
    fn with_hands<T>(&mut self, node: usize, act: impl FnOnce(&mut Option<Life>, &mut Hands<'_>) -> T) -> T {
        let mut life = self.nodes[node].life.take();
        let nodes = &self.nodes;
        let holders = |body: &[u8]| holders(nodes, body);
        let mut hands = Hands {
            now: self.now,
            rng: &mut self.rng,
            oracle: &mut self.oracle,
            sent: Vec::new(),
            later: Vec::new(),
            genesis: &self.genesis,
            holders: &holders,
        };
        let outcome = act(&mut life, &mut hands);
        let (sent, later) = (hands.sent, hands.later);
        self.nodes[node].life = life;
        for (to, packet) in sent {
            self.send(node, to, packet);
        }
        let life = self.nodes[node].lives;
        for (after, task) in later {
            self.later(after, Occurrence::Due { node, life, task });
        }
        outcome
    }

    fn send(&mut self, from: usize, to: Recipient, packet: Packet) {
        let recipients: Vec<usize> = match to {
            Recipient::Everybody => (0..self.nodes.len()).filter(|to| *to != from).collect(),
            Recipient::Peer(node) => self.nodes.iter().position(|other| other.identity.node == node).into_iter().collect(),
        };
        for to in recipients {
            self.report.messages += 1;
            for after in self.network.deliveries(from, to, &mut self.rng) {
                self.later(after, Occurrence::Arrives { from, to, packet: packet.clone() });
            }
        }
    }

    fn later(&mut self, after: Duration, occurrence: Occurrence) {
        self.number += 1;
        self.queue.push(Reverse((self.now + after, self.number)));
        self.occurrences.insert(self.number, occurrence);
    }

    fn random_ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(least..=most))
    }

    fn highest(&self) -> Height {
        self.nodes.iter().filter_map(|node| node.life.as_ref()).map(Life::tip).max().unwrap_or_default()
    }

    fn lowest_honest(&self) -> Height {
        let honest = self.nodes.iter().filter(|node| !node.identity.is_byzantine);
        honest.map(|node| node.life.as_ref().map(Life::tip).unwrap_or_default()).min().unwrap_or_default()
    }
}

/// The power of the honest validators whose disks hold `body`.
fn holders(nodes: &[Node], body: &[u8]) -> u64 {
    nodes.iter().filter(|node| !node.identity.is_byzantine && oracle::holds_body(&node.disk, body)).count() as u64
}

fn identities(scenario: &Scenario, genesis: &Genesis, sabotage: Option<Sabotage>) -> Vec<Identity> {
    let nodes = scenario.validators + usize::from(scenario.has_twin);
    let identity = |index: usize| {
        let is_twin = scenario.has_twin && (index == 0 || index == scenario.validators);
        let proposer = if index == 1 { scenario.proposer } else { Proposer::Honest };
        Identity {
            index,
            node: NodeId(Address::with_last_byte(index as u8 + 1)),
            address: genesis.keys[index % scenario.validators].address(),
            proposer,
            is_byzantine: is_twin || proposer == Proposer::WrongBody,
            is_fresh: scenario.is_fresh,
            is_restored: false,
            sabotage,
        }
    };
    (0..nodes).map(identity).collect()
}
