//! Every mailbox, view and child of a node, joined: who talks to whom.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actors::{
    admission::Admission,
    api::{ApiMailbox, Backend, Sources},
    consensus::{ConsensusMailbox, ConsensusMetrics, ConsensusView},
    evidence::{EvidenceMailbox, EvidenceMetrics},
    execution::{ExecutionMailbox, ExecutionMetrics},
    halt::Halter,
    heads::Heads,
    ledger::Ledger,
    mempool::{self, MempoolMailbox, MempoolMetrics},
    p2p::{self, Keep, P2p, PeerBook, Peers, Surroundings},
    proposals::ProposalsMailbox,
    room::Room,
    routes::{Destinations, routes},
    signer::SignerMailbox,
    storage::{StorageMailbox, StorageMetrics},
    sync::{SyncMailbox, SyncView},
};
use arc_swap::ArcSwapOption;
use consensus::signer::{Identity as SigningIdentity, OnMissing};
use opentelemetry::metrics::Meter;
use parking_lot::Mutex;
use primitives::{Address, B256, Clock, Filesystem, Genesis, SecretKey, SystemClock, limits::MAX_BODY_BYTES};
use storage::{CloseReport, Retention};
use supervision::{ChildSpec, Events, Group, Member, Snapshots};
use wire::{Codec, Identity, Limits, Services, Tcp, ValidatorProof};

use crate::{boot::Seen, config, door::OpenedTcp, exit::Failure, launch::Launch, patience, probes, tree};

/// How long a request under way may take after the stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
const MAX_CONNECTIONS: usize = 1_024;
const MAX_CALLS: usize = 256;
const CALL_LIMIT: Duration = Duration::from_secs(30);
const POOL: mempool::Limits = mempool::Limits { max_transactions: 65_536, max_bytes: 256 << 20, max_per_sender: 4_096, max_nonce_gap: 4_096 };

/// Every mailbox and view, made before the first actor.
pub(crate) struct Wiring {
    genesis: Arc<Genesis>,
    clock: Arc<dyn Clock>,
    meter: Meter,
    halter: Halter,
    closed: Arc<Mutex<Option<CloseReport>>>,
    admission: Arc<Admission>,
    ledger: Ledger,
    room: Room,
    storage: StorageMailbox,
    signer: SignerMailbox,
    execution: ExecutionMailbox,
    proposals: ProposalsMailbox,
    mempool: MempoolMailbox,
    waiting: mempool::Waiting,
    heads: Heads,
    sync: SyncMailbox,
    sync_view: SyncView,
    evidence: EvidenceMailbox,
    consensus: ConsensusMailbox,
    consensus_view: ConsensusView,
    p2p: Option<P2p>,
    pub snapshots: Arc<ArcSwapOption<Snapshots>>,
    pub events: Arc<ArcSwapOption<Events>>,
    pub seen: Seen,
    pub book: PeerBook,
}

impl Wiring {
    pub fn of(launch: &Launch, meter: &Meter, halter: Halter, closed: Arc<Mutex<Option<CloseReport>>>) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let genesis = launch.genesis.clone();
        let (ledger, consensus, proposals) = (Ledger::default(), ConsensusMailbox::new(), ProposalsMailbox::new());
        let (mempool, sync, evidence) = (MempoolMailbox::new(), SyncMailbox::new(), EvidenceMailbox::new());
        let destinations = Destinations {
            consensus: consensus.clone(),
            proposals: proposals.clone(),
            mempool: mempool.clone(),
            sync: sync.clone(),
            evidence: evidence.clone(),
            ledger: ledger.clone(),
            follows: follows(launch),
            chain_id: genesis.chain_id,
        };
        let storage = StorageMailbox::new();
        let around = Surroundings {
            routes: routes(&destinations),
            keep: Some(Keep { storage: storage.clone(), ledger: ledger.clone() }),
            meter: meter.clone(),
            clock: clock.clone(),
        };
        let p2p = connect(launch, around)?;
        let book = p2p.book.clone();
        let consensus_view = ConsensusView::default();
        let seen = Seen { ledger: ledger.clone(), peers: p2p.peers.clone(), consensus: consensus_view.clone() };
        Ok(Self {
            admission: Arc::new(Admission::new(&genesis, clock.clone())),
            genesis,
            clock,
            meter: meter.clone(),
            halter,
            closed,
            ledger,
            room: Room::default(),
            storage,
            signer: SignerMailbox::new(),
            execution: ExecutionMailbox::new(),
            proposals,
            mempool,
            waiting: mempool::Waiting::default(),
            heads: Heads::default(),
            sync,
            sync_view: SyncView::default(),
            evidence,
            consensus,
            consensus_view,
            p2p: Some(p2p),
            snapshots: Arc::default(),
            events: Arc::default(),
            seen,
            book,
        })
    }

    /// All children with their edges and their probes.
    pub fn children(mut self, launch: &Launch) -> Result<Vec<Member>, Failure> {
        let Some(P2p { peers, door, children, .. }) = self.p2p.take() else { return Ok(Vec::new()) };
        let data = launch.home.data(&launch.config.chain.name);
        let others = self.genesis.validators.len().saturating_sub(1);
        let specs = vec![
            ("storage", self.storage_child(launch)),
            ("mempool", self.mempool_child(&peers)),
            ("proposals", self.proposals_child(&peers)),
            ("execution", self.execution_child(&peers, launch)),
            ("sync", probes::catching_up(self.sync_child(&peers, follows(launch)), &self.ledger, &self.sync_view)),
            ("evidence", self.evidence_child(&peers)),
            ("consensus", probes::height(self.consensus_child(&peers, launch.validator_key.clone()), &self.heads, &self.genesis)),
            ("signer", self.signer_child(&peers, launch, data.clone())),
            ("api", self.api_child(&peers, door, launch, data)?),
        ];
        let propose = self.genesis.consensus.timeouts.propose;
        let place = |name, spec| tree::place(name, patience::give(name, spec, propose));
        let p2p = p2p::CHILDREN.into_iter().zip(children).map(|(name, spec)| match name {
            "p2p.dialer" => (name, probes::company(spec, &peers, others)),
            _ => (name, spec),
        });
        let p2p = p2p.fold(Group::new("p2p"), |group, (name, spec)| group.with(place(name, spec)));
        Ok(specs.into_iter().map(|(name, spec)| place(name, spec).into()).chain([p2p.into()]).collect())
    }

    fn storage_child(&self, launch: &Launch) -> ChildSpec {
        let config = storage::Config { cache_bytes: launch.config.storage.cache_bytes, ..storage::Config::default_for_validator() };
        let parts = actors::storage::Parts {
            directory: launch.home.database(&launch.config.chain.name),
            config,
            genesis: self.genesis.clone(),
            ledger: self.ledger.clone(),
            metrics: StorageMetrics::new(&self.meter),
            halter: self.halter.clone(),
            room: self.room.clone(),
            closed: self.closed.clone(),
        };
        actors::storage::child(&self.storage, parts)
    }

    fn mempool_child(&self, peers: &Peers) -> ChildSpec {
        let consensus = self.consensus.clone();
        let parts = mempool::Parts {
            limits: POOL,
            ledger: self.ledger.clone(),
            admission: self.admission.clone(),
            storage: self.storage.clone(),
            room: self.room.clone(),
            peers: peers.clone(),
            heads: self.heads.clone(),
            metrics: MempoolMetrics::new(&self.meter),
            waiting: self.waiting.clone(),
            wake: Arc::new(move |waiting| _ = consensus.transactions_waiting(waiting)),
            set: self.genesis.validators.clone(),
            clock: self.clock.clone(),
        };
        mempool::child(&self.mempool, parts)
    }

    fn proposals_child(&self, peers: &Peers) -> ChildSpec {
        let (consensus, signer) = (self.consensus.clone(), self.signer.clone());
        let told = consensus.clone();
        let parts = actors::proposals::Parts {
            domain: self.genesis.domain(),
            set: self.genesis.validators.clone(),
            ledger: self.ledger.clone(),
            peers: peers.clone(),
            arrived: Arc::new(move |arrived| _ = consensus.arrived(arrived)),
            forgot: Arc::new(move || _ = (told.recall(), signer.recall())),
        };
        actors::proposals::child(&self.proposals, parts)
    }

    fn execution_child(&self, peers: &Peers, launch: &Launch) -> ChildSpec {
        let parts = actors::execution::Parts {
            genesis: self.genesis.clone(),
            ledger: self.ledger.clone(),
            admission: self.admission.clone(),
            storage: self.storage.clone(),
            room: self.room.clone(),
            mempool: self.mempool.clone(),
            proposals: self.proposals.clone(),
            peers: peers.clone(),
            heads: self.heads.clone(),
            clock: self.clock.clone(),
            metrics: ExecutionMetrics::new(&self.meter),
            fee_recipient: fee_recipient(launch),
            retention: launch.config.history.state,
        };
        actors::execution::child(&self.execution, parts)
    }

    fn sync_child(&self, peers: &Peers, follows: bool) -> ChildSpec {
        let parts = actors::sync::Parts {
            domain: self.genesis.domain(),
            set: self.genesis.validators.clone(),
            ledger: self.ledger.clone(),
            peers: peers.clone(),
            consensus: self.consensus.clone(),
            clock: self.clock.clone(),
            view: self.sync_view.clone(),
            follows,
        };
        actors::sync::child(&self.sync, parts)
    }

    fn evidence_child(&self, peers: &Peers) -> ChildSpec {
        let parts = actors::evidence::Parts {
            domain: self.genesis.domain(),
            set: self.genesis.validators.clone(),
            ledger: self.ledger.clone(),
            storage: self.storage.clone(),
            peers: peers.clone(),
            metrics: EvidenceMetrics::new(&self.meter),
        };
        actors::evidence::child(&self.evidence, parts)
    }

    fn consensus_child(&self, peers: &Peers, key: Option<SecretKey>) -> ChildSpec {
        let parts = actors::consensus::Parts {
            genesis: self.genesis.clone(),
            key,
            ledger: self.ledger.clone(),
            storage: self.storage.clone(),
            signer: self.signer.clone(),
            execution: self.execution.clone(),
            proposals: self.proposals.clone(),
            sync: self.sync.clone(),
            evidence: self.evidence.clone(),
            peers: peers.clone(),
            clock: self.clock.clone(),
            metrics: ConsensusMetrics::new(&self.meter),
            view: self.consensus_view.clone(),
            waiting: self.waiting.clone(),
            remembered: Arc::default(),
        };
        actors::consensus::child(&self.consensus, parts)
    }

    /// A node without a validator key has a signer all the same, which nobody ever asks.
    fn signer_child(&self, peers: &Peers, launch: &Launch, data: PathBuf) -> ChildSpec {
        let key = launch.validator_key.as_ref().map_or(Address::ZERO, SecretKey::address);
        let parts = actors::signer::Parts {
            disk: Arc::new(Filesystem::at(data)),
            identity: SigningIdentity { genesis: self.genesis.hash(), key },
            on_missing: on_missing(launch),
            consensus: self.consensus.clone(),
            proposals: self.proposals.clone(),
            peers: peers.clone(),
            halter: self.halter.clone(),
            room: self.room.clone(),
            seed: Arc::new(|| B256::from(rand::random::<[u8; 32]>())),
        };
        actors::signer::child(&self.signer, parts)
    }

    fn api_child(&self, peers: &Peers, door: p2p::Door, launch: &Launch, data_directory: PathBuf) -> Result<ChildSpec, Failure> {
        let config = &launch.config;
        let listener = launch.listeners.rpc.try_clone().map_err(|error| Failure::runtime(format!("the RPC socket cannot be shared: {error}")))?;
        let sources = Sources {
            chain_name: config.chain.name.clone(),
            genesis: self.genesis.clone(),
            version: version(),
            validator: launch.validator_key.as_ref().map(SecretKey::address),
            ledger: self.ledger.clone(),
            room: self.room.clone(),
            admission: self.admission.clone(),
            mempool: self.mempool.clone(),
            heads: self.heads.clone(),
            peers: peers.clone(),
            door,
            consensus: self.consensus_view.clone(),
            sync: self.sync_view.clone(),
            clock: self.clock.clone(),
            snapshots: self.snapshots.clone(),
            events: self.events.clone(),
            meter: self.meter.clone(),
            data_directory,
            listeners: vec![("rpc", config.rpc.listen), ("p2p", config.p2p.listen), ("metrics", config.metrics.listen)],
        };
        let addresses = [
            ("JSON-RPC, WebSocket, health", format!("http://{}", config.rpc.listen)),
            ("P2P", config.p2p.listen.to_string()),
            ("metrics", format!("http://{}/metrics", config.metrics.listen)),
        ];
        let api = api::Config {
            hosts: config.rpc.hosts.clone(),
            origins: config.rpc.origins.clone(),
            max_connections: MAX_CONNECTIONS,
            max_calls: MAX_CALLS,
            limits: config.rpc.limits(),
            offer: config.rpc.offer(),
            call_limit: CALL_LIMIT,
            drain_limit: DRAIN_LIMIT,
            addresses: addresses.map(|(what, place)| (what.to_owned(), place)).to_vec(),
            meter: self.meter.clone(),
        };
        let parts = actors::api::Parts { listener: Arc::new(listener), backend: Backend::new(sources), config: api };
        Ok(actors::api::child(&ApiMailbox::new(), parts))
    }
}

/// The part that talks to peers; a validator introduces itself.
fn connect(launch: &Launch, around: Surroundings) -> Result<P2p, Failure> {
    let domain = launch.genesis.domain();
    let identity = match &launch.certificate {
        Some(certificate) => Identity::with_certificate(launch.node_key.clone(), domain, certificate),
        None => Identity::new(launch.node_key.clone(), domain),
    };
    let identity = identity.map_err(|error| Failure::runtime(format!("TLS cannot be set up: {error}")))?;
    let node = identity.node();
    let mut codecs = vec![Codec::Msgpack];
    if launch.config.offers_json(launch.genesis.network_kind) {
        codecs.push(Codec::Json);
    }
    let mut peers = launch.config.p2p.peers.clone();
    peers.extend(launch.genesis.bootstrap_peers.iter().filter(|peer| peer.node != Some(node)).cloned());
    let mut limits = Limits::standard(codecs);
    // The largest block that is served must fit at once: it is asked for as a whole.
    limits.queues.bulk = limits.queues.bulk.max(MAX_BODY_BYTES + (MAX_BODY_BYTES >> 2));
    let mut config = p2p::Config::among_validators(identity, limits, launch.config.p2p.listen, peers, rand::random());
    config.keepalive = launch.config.p2p.keepalive;
    config.max_strangers = launch.config.p2p.max_inbound;
    config.max_per_ip = launch.config.p2p.max_per_ip;
    config.stamp_bits = launch.config.p2p.pow_bits;
    config.validators = Some(launch.genesis.validators.clone());
    let given = &launch.config.p2p;
    (config.advertise, config.max_outbound, config.is_private) = (given.advertise, given.max_outbound, given.private);
    config.private_peers = given.private_peers.clone();
    if launch.config.history.state == Retention::Archive {
        config.services = config.services.and(Services::ARCHIVE);
    }
    let listener = launch.listeners.p2p.try_clone().map_err(|error| Failure::runtime(format!("the P2P socket cannot be shared: {error}")))?;
    let net = OpenedTcp::new(Tcp::VALIDATOR, listener).map_err(|error| Failure::runtime(format!("the P2P socket has no address: {error}")))?;
    let p2p = p2p::build(net, config, around);
    if let Some(key) = &launch.validator_key {
        let proof = ValidatorProof::new(key, &domain, node);
        p2p.peers.introduce(proof).map_err(|error| Failure::runtime(error.to_string()))?;
    }
    Ok(p2p)
}

/// Whether this node has no vote.
fn follows(launch: &Launch) -> bool {
    launch.validator_key.as_ref().is_none_or(|key| launch.genesis.validators.get(&key.address()).is_none())
}

fn fee_recipient(launch: &Launch) -> Address {
    launch.validator_key.as_ref().map_or(Address::ZERO, SecretKey::address)
}

fn on_missing(launch: &Launch) -> OnMissing {
    match launch.config.on_missing(launch.genesis.network_kind) {
        config::OnMissing::Refuse => OnMissing::Refuse,
        config::OnMissing::Observe => OnMissing::Observe,
        config::OnMissing::Recover => OnMissing::Recover,
    }
}

fn version() -> String {
    format!("axolotl/v{}/{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}
