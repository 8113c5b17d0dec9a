//! The traitor at work: one link to each honest validator, dialled again when it is cut.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use node::development;
use parking_lot::Mutex;
use primitives::{Address, B256, ConsensusMessage, Height, NodeId, Proposal, Round, Signed, Vote, VoteKind};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};
use wire::{Message, ValidatorProof};

use super::{
    mind::{Ground, Mind},
    tricks::{Cheat, Trick},
};
use crate::{
    network::Network,
    stranger::{Ear, Polite, Target},
};

const REDIAL: Duration = Duration::from_millis(200);
/// Proposals of others between two floods, and votes of one.
const FLOOD_EVERY: usize = 25;
const FLOOD_VOTES: u64 = 4_000;
/// What may wait for a link that is down.
const MAX_UNSAID: usize = 16_384;

/// A validator without honour.
pub struct Traitor {
    shared: Arc<Shared>,
    // Ends everything with it.
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    mind: Mutex<Mind>,
    played: Mutex<BTreeMap<Trick, usize>>,
    sessions: AtomicUsize,
}

impl Traitor {
    /// Takes the place of validator `index` among the others of `network`.
    pub fn start(network: &Network, index: usize) -> Self {
        let (key, node_key) = (development::validator_key(index as u32), development::node_key(index as u32));
        let (domain, set) = (network.genesis.domain(), network.genesis.validators.clone());
        let shared = Arc::<Shared>::default();
        let (hear, heard) = mpsc::unbounded_channel::<Message>();
        let (say, _) = broadcast::channel::<Message>(MAX_UNSAID);
        let mut tasks = JoinSet::new();
        for honest in &network.validators {
            let node = development::node_key(honest.index as u32).public_key();
            let target = Target { port: honest.ports.p2p, domain, validators: set.clone(), node, from: Ipv4Addr::LOCALHOST };
            let (hear, say, shared, node_key) = (hear.clone(), say.clone(), shared.clone(), node_key.clone());
            let proof = ValidatorProof::new(&key, &domain, NodeId::from(node_key.public_key()));
            tasks.spawn(async move {
                loop {
                    let hear = hear.clone();
                    let ear: Ear = Arc::new(move |message| drop(hear.send(message.clone())));
                    if let Ok(link) = Polite::connect(&target, &node_key, ear).await {
                        shared.sessions.fetch_add(1, Relaxed);
                        let _ = link.say(Message::ValidatorProof(proof.clone()));
                        speak(&link, say.subscribe()).await;
                    }
                    tokio::time::sleep(REDIAL).await;
                }
            });
        }
        let scheme = Scheme { cheat: Cheat { key, domain, set }, shared: shared.clone(), say, tricks: 0, proposals: 0 };
        tasks.spawn(scheme.run(heard));
        Self { shared, _tasks: tasks }
    }

    /// How often each trick was played.
    pub fn played(&self) -> BTreeMap<Trick, usize> {
        self.shared.played.lock().clone()
    }

    /// Links that it has had so far.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Relaxed)
    }

    pub fn stop(self) {}
}

/// Says everything that is to be said, until the link is cut.
async fn speak(link: &Polite, mut say: broadcast::Receiver<Message>) {
    while !link.is_over() {
        match tokio::time::timeout(REDIAL, say.recv()).await {
            // One that finds no room is one lie less.
            Ok(Ok(message)) => drop(link.say(message)),
            Ok(Err(broadcast::error::RecvError::Closed)) => return,
            Ok(Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => {}
        }
    }
}

struct Scheme {
    cheat: Cheat,
    shared: Arc<Shared>,
    say: broadcast::Sender<Message>,
    tricks: usize,
    proposals: usize,
}

impl Scheme {
    async fn run(mut self, mut heard: mpsc::UnboundedReceiver<Message>) {
        let mut latest = (Height(0), Round(0));
        while let Some(message) = heard.recv().await {
            let ground = self.shared.mind.lock().hear(&message, &self.cheat.set);
            if let Some(ground) = ground {
                self.take_turn(&ground);
            }
            if let Message::Consensus(ConsensusMessage::Proposal(signed)) = message {
                let at = (signed.message.height, signed.message.round);
                // Each honest validator passes it on.
                if latest < at {
                    latest = at;
                    self.betray(&signed.message);
                }
            }
        }
    }

    fn take_turn(&mut self, ground: &Ground) {
        let us = self.cheat.key.address();
        let height = Height(ground.parent.number + 1);
        if self.cheat.set.proposer(height, Round(0)).address != us {
            return;
        }
        let trick = Trick::ALL[self.tricks % Trick::ALL.len()];
        self.tricks += 1;
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        self.cheat.play(trick, ground, now).into_iter().for_each(|message| self.tell(message));
        *self.shared.played.lock().entry(trick).or_default() += 1;
    }

    /// Two votes in each step of the round, votes for what does not exist, and now and then far more than anybody may say.
    fn betray(&mut self, proposal: &Proposal) {
        let Proposal { height, round, value, .. } = *proposal;
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            for value in [Some(value), Some(B256::repeat_byte(0x55)), None] {
                self.vote(kind, height, round, value);
            }
            self.vote(kind, height, Round(round.0 + 7), Some(B256::repeat_byte(0x56)));
            self.vote(kind, Height(height.0 + 1_000_000), round, Some(value));
        }
        self.proposals += 1;
        if self.proposals.is_multiple_of(FLOOD_EVERY) {
            (0..FLOOD_VOTES).for_each(|number| self.vote(VoteKind::Prevote, height, Round(number as u32), Some(value)));
        }
    }

    fn vote(&self, kind: VoteKind, height: Height, round: Round, value: Option<B256>) {
        let validator: Address = self.cheat.key.address();
        let vote = Vote { kind, height, round, value, validator };
        self.tell(Message::Consensus(ConsensusMessage::Vote(Signed::new(vote, &self.cheat.key, &self.cheat.domain))));
    }

    fn tell(&self, message: Message) {
        // With no link there is nobody to lie to.
        let _ = self.say.send(message);
    }
}
