//! How many heights a second four validators decide on one thread: hosts, signers and journals in memory, no network, no wait.
//!
//! `cargo run --release -p consensus --example heights -- 2000`

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use consensus::{
    core::Crypto,
    host::{Action, Config, Event, Host, Now, ProposedBlock, Start, Verdict, judge_signing},
    signer::{Identity, Incarnation, OnMissing, Signer},
};
use primitives::{Address, B256, Domain, LossyDisk, NodeId, SecretKey, Validator, ValidatorSet, genesis::ConsensusParameters, keccak256};

const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
const LIFE: Incarnation = Incarnation(1);

struct Node {
    address: Address,
    host: Host,
    signer: Signer,
    decided: u64,
}

/// Nodes that hand each other everything at once.
struct Ring {
    set: ValidatorSet,
    nodes: Vec<Node>,
    queue: VecDeque<(usize, Event)>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let heights = std::env::args().nth(1).map_or(Ok(1_000), |argument| argument.parse())?;
    let mut ring = Ring::of(4)?;
    let started = Instant::now();
    while ring.nodes.iter().any(|node| node.decided < heights) {
        let (node, event) = ring.queue.pop_front().ok_or("nothing left to do")?;
        ring.tell(node, event)?;
    }
    let elapsed = started.elapsed();
    println!("{heights} heights by four validators in {elapsed:.2?}: {:.0} heights/s", heights as f64 / elapsed.as_secs_f64());
    Ok(())
}

impl Ring {
    fn of(count: u8) -> Result<Self, Box<dyn std::error::Error>> {
        let keys = (1..=count).map(|byte| SecretKey::from_bytes([byte; 32])).collect::<Result<Vec<_>, _>>()?;
        let validators = keys.iter().map(|key| Validator { address: key.address(), public_key: key.public_key(), power: 1 });
        let set = ValidatorSet::new(validators.collect())?;
        let mut ring = Self { set: set.clone(), nodes: vec![], queue: VecDeque::new() };
        for key in keys {
            let identity = Identity { genesis: DOMAIN.genesis_hash, key: key.address() };
            let mut signer = Signer::open(Arc::new(LossyDisk::new()), identity, B256::ZERO)?;
            signer.take_over(LIFE)?;
            let parameters = ConsensusParameters { block_interval: Duration::ZERO, empty_block_interval: Duration::ZERO, ..Default::default() };
            let config = Config { parameters, propose_floor: Duration::from_millis(150) };
            let start = Start {
                tip: None,
                tip_time_ms: 0,
                validators: set.clone(),
                crypto: Crypto::new(Some(key.clone()), DOMAIN),
                first_ticket: 1,
                remembered: Default::default(),
            };
            ring.nodes.push(Node { address: key.address(), host: Host::new(config, start), signer, decided: 0 });
        }
        for node in 0..ring.nodes.len() {
            let actions = ring.nodes[node].host.begin(Now::default());
            ring.carry_out(node, actions)?;
        }
        Ok(ring)
    }

    fn tell(&mut self, node: usize, event: Event) -> Result<(), Box<dyn std::error::Error>> {
        let actions = self.nodes[node].host.handle(event, Now::default());
        self.carry_out(node, actions)
    }

    fn others(&mut self, node: usize, event: &Event) {
        let count = self.nodes.len();
        self.queue.extend((0..count).filter(|other| *other != node).map(|other| (other, event.clone())));
    }

    fn carry_out(&mut self, node: usize, actions: Vec<Action>) -> Result<(), Box<dyn std::error::Error>> {
        for action in actions {
            let this = &mut self.nodes[node];
            match action {
                Action::Release(batch) => {
                    for entry in &batch.entries {
                        this.signer.append(LIFE, entry)?;
                    }
                    let from = NodeId(this.address);
                    for message in this.signer.release(LIFE, batch.messages)? {
                        self.others(node, &Event::Message { from, message });
                    }
                    self.queue.push_back((node, Event::Released { ticket: batch.ticket }));
                }
                Action::GetValue { height, round } => {
                    let value = keccak256([height.to_be_bytes(), u64::from(round.0).to_be_bytes()].concat());
                    self.queue.push_back((node, Event::BodyDurable { height, round, value, body: None }));
                    self.queue.push_back((node, Event::Built { height, round, value }));
                }
                Action::Accept(signed) => {
                    let primitives::Proposal { height, round, value, pol_round, proposer } = signed.message;
                    let block = ProposedBlock { height, round, pol_round, proposer, value };
                    self.queue.push_back((node, Event::BodyDurable { height, round, value, body: None }));
                    self.queue.push_back((node, Event::Judged { block, verdict: Verdict::Valid }));
                }
                Action::Commit { certificate, .. } => {
                    this.decided = certificate.height.0;
                    let committed = Event::Committed { height: certificate.height, validators: self.set.clone(), block_time_ms: 0 };
                    self.queue.push_back((node, committed));
                }
                Action::OpenJournal { height } => {
                    this.signer.committed(height.previous().unwrap_or_default());
                    this.signer.start_height(LIFE, height)?;
                    let (entries, speaks) = (this.signer.entries()?, this.signer.may_speak(height));
                    self.queue.push_back((node, Event::JournalOpened { height, entries, speaks }));
                }
                Action::AskStandings => {
                    let by = this.address;
                    self.others(node, &Event::StandingAsked { question: node as u64, by });
                }
                Action::Answer { question, standing } => {
                    let by = this.address;
                    self.queue.push_back((question as usize, Event::StandingAnswered { by, standing }));
                }
                Action::JudgeSigning { tip, highest_tip, claims } => {
                    let verdict = judge_signing(&mut this.signer, (OnMissing::Refuse, 100), tip, highest_tip, &claims)?;
                    self.queue.push_back((node, Event::SigningVerdict(verdict)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
