//! The life of consensus.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use consensus::{
    core::Crypto,
    host::{Event, Host, NotReleased, Now, ProposedBlock, Remembered, Start, TimerId},
};
use parking_lot::Mutex;
use primitives::{Address, B256, Bytes, Clock, Genesis, Height, NodeId, Proposal, Round, SecretKey, Signed, limits};
use storage::{ReadError, Undecided};
use supervision::{ChildSpec, Context, Fault, Incarnation, Timer};
use wire::message::{StandingAnswer, StandingRequest};

use super::{ConsensusMailbox, ConsensusMetrics, ConsensusView, mailbox::Message, questions::Questions, tasks, under_way::UnderWay};
use crate::{
    evidence::EvidenceMailbox,
    execution::{BuiltBlock, Decided, ExecutionMailbox},
    ledger::Ledger,
    mempool::Waiting,
    p2p::Peers,
    proposals::{Arrived, ProposalsMailbox},
    signer::SignerMailbox,
    storage::StorageMailbox,
    sync::SyncMailbox,
};

/// The shortest wait for a proposer that is likely to be away.
const PROPOSE_FLOOR: Duration = Duration::from_millis(10);
/// How long a release rests that found no room on the disk.
const NO_SPACE_PAUSE: Duration = Duration::from_secs(1);
/// Blocks of the height after the current one that are kept until it begins.
const MAX_EARLY_BLOCKS: usize = 16;

/// What consensus is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub genesis: Arc<Genesis>,
    /// None: this node follows.
    pub key: Option<SecretKey>,
    pub ledger: Ledger,
    pub storage: StorageMailbox,
    pub signer: SignerMailbox,
    pub execution: ExecutionMailbox,
    pub proposals: ProposalsMailbox,
    pub sync: SyncMailbox,
    pub evidence: EvidenceMailbox,
    pub peers: Peers,
    pub clock: Arc<dyn Clock>,
    pub metrics: ConsensusMetrics,
    pub view: ConsensusView,
    /// Whether transactions wait.
    pub waiting: Waiting,
    /// What one incarnation leaves to the next in this process.
    pub remembered: Arc<Mutex<Remembered>>,
}

impl Parts {
    /// Whether our key is one of those that decide.
    pub(super) fn votes(&self) -> bool {
        self.key.as_ref().is_some_and(|key| self.genesis.validators.get(&key.address()).is_some())
    }
}

pub(super) struct Consensus {
    pub(super) parts: Parts,
    pub(super) host: Host,
    pub(super) height: Height,
    pub(super) timers: HashMap<TimerId, Timer>,
    /// Blocks that may be decided, by height and hash.
    pub(super) bodies: BTreeMap<(Height, B256), Bytes>,
    /// Those of them that were handed to execution, or made by it.
    pub(super) examined: BTreeSet<(Height, B256)>,
    /// Verified proposals of others whose blocks were asked for.
    pub(super) accepted: BTreeMap<(Height, Round), Signed<Proposal>>,
    /// Blocks of the next height.
    early: Vec<Arrived>,
    pub(super) under_way: UnderWay,
    pub(super) questions: Questions,
    /// Goes out with our own question, so that an answer to an older life is not taken for ours.
    pub(super) nonce: u64,
    pub(super) moved_unix_ms: u64,
}

/// As long as storage may take to open.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Between two looks whether the database is open.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The child of the tree.
pub fn child(mailbox: &ConsensusMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("consensus", mailbox.address.clone(), move |incarnation: Incarnation| {
        let parts = parts.clone();
        async move {
            // Storage may be long at opening or mending its database; that is no failure of ours to pay for.
            while !parts.ledger.is_open() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Consensus::at_tip(parts, incarnation)
        }
    })
    .start_limit(START_LIMIT)
}

impl supervision::Actor for Consensus {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        self.parts.signer.take_over(context.incarnation());
        let actions = self.host.begin(Now::of(&*self.parts.clock));
        self.carry_out(actions, context)?;
        self.tell(Event::TransactionsWaiting(self.parts.waiting.get()), context)?;
        for peer in self.parts.peers.list() {
            let up = Event::PeerUp { node: peer.node(), validator: peer.validator() };
            self.tell(up, context)?;
        }
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Happened(event) => self.happened(*event, context),
            // What an older life asked is answered to nobody.
            Message::Signed(life, _) if life != context.incarnation() => Ok(()),
            Message::Signed(_, event) => self.happened(*event, context),
            Message::Arrived(arrived) => self.arrived(*arrived, context),
            Message::Built(height, round, built) => self.built(height, round, built, context),
            Message::Fetched(decided) => self.fetched(*decided, context),
            Message::Asked(peer, request) => self.asked(peer, request, context),
            Message::Answered(peer, answer) => self.answered(peer, *answer, context),
            Message::Recall => {
                self.recall();
                Ok(())
            }
        }
    }
}

impl Consensus {
    fn at_tip(parts: Parts, incarnation: Incarnation) -> Result<Self, Fault> {
        let head = parts.ledger.head()?;
        let tip = Height(head.header.number);
        let start = Start {
            tip: parts.ledger.certificate(tip)?,
            tip_time_ms: head.header.timestamp.saturating_mul(1_000),
            validators: parts.genesis.validators.clone(),
            crypto: Crypto::new(parts.key.clone(), parts.genesis.domain()),
            remembered: parts.remembered.lock().clone(),
            // No two lives share a ticket.
            first_ticket: incarnation.0 << 32,
        };
        let config = consensus::host::Config { parameters: parts.genesis.consensus.clone(), propose_floor: PROPOSE_FLOOR };
        let moved_unix_ms = parts.clock.unix_ms();
        Ok(Self {
            host: Host::new(config, start),
            height: tip.next(),
            timers: HashMap::new(),
            bodies: BTreeMap::new(),
            examined: BTreeSet::new(),
            accepted: BTreeMap::new(),
            early: Vec::new(),
            under_way: UnderWay::default(),
            questions: Questions::default(),
            nonce: moved_unix_ms.wrapping_mul(1_000).wrapping_add(incarnation.0),
            moved_unix_ms,
            parts,
        })
    }

    /// The address we sign with.
    pub(super) fn us(&self) -> Option<Address> {
        self.parts.key.as_ref().map(SecretKey::address)
    }

    /// Tells the host, and does what it wants done.
    pub(super) fn tell(&mut self, event: Event, context: &mut Context<Message>) -> Result<(), Fault> {
        let actions = self.host.handle(event, Now::of(&*self.parts.clock));
        self.carry_out(actions, context)
    }

    fn happened(&mut self, event: Event, context: &mut Context<Message>) -> Result<(), Fault> {
        let event = match event {
            Event::RoundTrip(measured) => Event::RoundTrip(measured.max(self.slowest_round_trip())),
            event => event,
        };
        match &event {
            Event::Committed { height, .. } => self.committed(*height),
            Event::Uncommitted { height, .. } => self.under_way.failed(*height),
            Event::Elapsed(timer) => drop(self.timers.remove(timer)),
            Event::NotReleased { why: NotReleased::NoSpace, .. } => {
                context.after(NO_SPACE_PAUSE, Message::Happened(Box::new(Event::Retry))).detach();
            }
            _ => {}
        }
        let is_commit = matches!(event, Event::Committed { .. });
        self.tell(event, context)?;
        if is_commit {
            for arrived in std::mem::take(&mut self.early) {
                self.arrived(arrived, context)?;
            }
            if let Some(decided) = self.under_way.take_kept() {
                self.fetched(decided, context)?;
            }
        }
        Ok(())
    }

    /// The keeper of proposals knows nothing of this height any more: what it was given is given again, and what it was to get it
    /// asks for itself. Of our own proposals the signer reminds it, once they have left.
    fn recall(&self) {
        let (proposals, status) = (&self.parts.proposals, self.host.status());
        proposals.round_started(status.height, status.round);
        for ((height, value), body) in &self.bodies {
            proposals.keep(*height, *value, body.clone());
        }
        for ((height, _), proposal) in &self.accepted {
            match self.bodies.contains_key(&(*height, proposal.message.value)) {
                true => proposals.note(proposal.clone()),
                false => proposals.accept(proposal.clone()),
            };
        }
    }

    fn slowest_round_trip(&self) -> Duration {
        let validators = self.parts.peers.list().into_iter().filter(|peer| peer.validator().is_some());
        validators.filter_map(|peer| peer.round_trip()).max().unwrap_or_default()
    }

    fn committed(&mut self, height: Height) {
        let now = self.parts.clock.unix_ms();
        self.parts.metrics.height_seconds.record(now.saturating_sub(self.moved_unix_ms) as f64 / 1_000.0, &[]);
        self.moved_unix_ms = now;
        self.height = self.height.max(height.next());
        self.under_way.committed(height);
        self.bodies.retain(|(of, _), _| height < *of);
        self.examined.retain(|(of, _)| height < *of);
        self.accepted.retain(|(of, _), _| height < *of);
        self.parts.signer.committed(height);
        self.parts.sync.committed(height);
    }

    /// A proposed block is whole: it is made durable and judged, both before the host hears of a value.
    pub(super) fn arrived(&mut self, arrived: Arrived, context: &mut Context<Message>) -> Result<(), Fault> {
        let proposal = &arrived.proposal.message;
        let (height, round, value) = (proposal.height, proposal.round, proposal.value);
        if height == self.height.next() && self.early.len() < MAX_EARLY_BLOCKS {
            self.early.push(arrived);
            return Ok(());
        }
        if height != self.height {
            return Ok(());
        }
        let block = ProposedBlock { height, round, pol_round: proposal.pol_round, proposer: proposal.proposer, value };
        self.bodies.insert((height, value), arrived.body.clone());
        self.examined.insert((height, value));
        tasks::judge(&self.parts, context, block, &arrived.body);
        self.keep(height, round, value, arrived.body, context)
    }

    fn built(&mut self, height: Height, round: Round, built: BuiltBlock, context: &mut Context<Message>) -> Result<(), Fault> {
        let (value, body) = (built.hash, built.body.encode());
        if height != self.height {
            return Ok(());
        }
        self.bodies.insert((height, value), body.clone());
        self.examined.insert((height, value));
        self.parts.proposals.keep(height, value, body.clone());
        self.tell(Event::Built { height, round, value }, context)?;
        self.keep(height, round, value, body, context)
    }

    /// A small body rides in the journal's own group, a large one is synced by itself.
    fn keep(&mut self, height: Height, round: Round, value: B256, body: Bytes, context: &mut Context<Message>) -> Result<(), Fault> {
        if body.len() <= limits::MAX_JOURNALLED_BODY_BYTES {
            return self.tell(Event::BodyDurable { height, round, value, body: Some(body) }, context);
        }
        tasks::keep(&self.parts, context, Undecided { height, round, hash: value }, body);
        Ok(())
    }

    fn fetched(&mut self, decided: Decided, context: &mut Context<Message>) -> Result<(), Fault> {
        let Decided { certificate, body } = decided;
        // Committed while an older life of ours was busy with it: only a fresh start reads the new tip. What this life has committed it
        // may not have heard yet, when it is busy.
        // A database that is just being reopened says nothing; the block comes again.
        let tip = match self.parts.ledger.tip() {
            Err(ReadError::Closed) => return Ok(()),
            tip => tip?,
        };
        if self.height < certificate.height && self.height <= tip {
            if !self.under_way.is_awaited(self.height, self.parts.clock.monotonic()) {
                return Err(Fault::new(format!("the ledger has passed height {}", self.height)));
            }
            self.under_way.keep(Decided { certificate, body });
            return Ok(());
        }
        if self.height <= certificate.height {
            self.bodies.insert((certificate.height, certificate.value), body.encode());
        }
        self.tell(Event::Synced(certificate), context)
    }

    /// Only who has proved to be that validator is told what we hold of it.
    fn asked(&mut self, peer: NodeId, request: StandingRequest, context: &mut Context<Message>) -> Result<(), Fault> {
        let proved = self.parts.peers.get(&peer).and_then(|peer| peer.validator());
        if proved != Some(request.validator) {
            return Ok(());
        }
        let question = self.questions.ask(peer, request.nonce);
        self.tell(Event::StandingAsked { question, by: request.validator }, context)
    }

    fn answered(&mut self, peer: NodeId, answer: StandingAnswer, context: &mut Context<Message>) -> Result<(), Fault> {
        let by = self.parts.peers.get(&peer).and_then(|peer| peer.validator());
        match by.filter(|_| answer.nonce == self.nonce) {
            Some(by) => self.tell(Event::StandingAnswered { by, standing: answer.standing }, context),
            None => Ok(()),
        }
    }
}
