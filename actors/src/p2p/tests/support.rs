//! Nodes that have nothing but p2p.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use opentelemetry::metrics::{Meter, MeterProvider, noop::NoopMeterProvider};
use parking_lot::Mutex;
use primitives::{B256, ConsensusMessage, Domain, Height, PolkaCertificate, Round, SecretKey, SystemClock};
use supervision::{FaultInjection, FaultKind, Running, Strike, Tree};
use tokio::net::TcpStream;
use wire::{
    Codec, Identity, Limits, Listener, Message, Net, Tcp, TcpDoor,
    message::{CurrentRequest, Part},
};

use super::super::*;

pub const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };
const PATIENCE: Duration = Duration::from_secs(20);

/// TCP where `node:<i>` is wherever node i listens now, and whose doors can be jammed.
#[derive(Clone, Default)]
pub struct Net4(Arc<Places>);

#[derive(Default)]
struct Places {
    listed: Mutex<BTreeMap<u16, SocketAddr>>,
    /// Doors that were opened so far.
    opened: AtomicUsize,
    /// The doors up to this number accept nobody.
    jammed: AtomicUsize,
}

/// A door with a number.
pub struct NumberedDoor {
    door: TcpDoor,
    number: usize,
    places: Arc<Places>,
}

impl Net4 {
    /// From now on all doors that are open accept nobody.
    pub fn jam(&self) {
        self.0.jammed.store(self.0.opened.load(SeqCst), SeqCst);
    }
}

impl Net for Net4 {
    type Stream = TcpStream;
    type Listener = NumberedDoor;

    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let listed = self.0.listed.lock().get(&port).copied();
        match (host, listed) {
            ("node", Some(address)) => Tcp::VALIDATOR.connect(&address.ip().to_string(), address.port()).await,
            ("node", None) => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Tcp::VALIDATOR.connect(host, port).await,
        }
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<NumberedDoor> {
        let door = Tcp::VALIDATOR.listen(address).await?;
        Ok(NumberedDoor { door, number: self.0.opened.fetch_add(1, SeqCst) + 1, places: self.0.clone() })
    }

    fn remote(&self, stream: &TcpStream) -> Option<SocketAddr> {
        Tcp::VALIDATOR.remote(stream)
    }
}

impl Listener for NumberedDoor {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = self.door.accept().await;
        if self.number <= self.places.jammed.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        accepted
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.door.local_address()
    }
}

/// What a node heard.
#[derive(Default)]
pub struct Heard {
    pub consensus: AtomicUsize,
    pub parts: AtomicUsize,
    pub other: AtomicUsize,
    pub measured: AtomicUsize,
    /// Sessions that came and went.
    pub events: Mutex<Vec<String>>,
    /// How many consensus messages, and how many parts, are refused for want of room.
    pub refuse: AtomicUsize,
}

pub struct Node {
    pub identity: Identity,
    pub peers: Peers,
    pub door: Door,
    pub book: PeerBook,
    pub heard: Arc<Heard>,
    pub tree: Running,
    net: Net4,
    index: u16,
}

pub fn key(byte: u16) -> SecretKey {
    SecretKey::from_bytes([byte as u8; 32]).unwrap()
}

pub fn identity(index: u16) -> Identity {
    Identity::new(key(index), DOMAIN).unwrap()
}

pub fn limits() -> Limits {
    Limits::standard(vec![Codec::Msgpack])
}

pub fn config(index: u16, peers: &[u16]) -> Config {
    let peers = peers.iter().map(|peer| format!("node:{peer}").parse().unwrap()).collect();
    let listen = "127.0.0.1:0".parse().unwrap();
    Config {
        ping: Duration::from_millis(100),
        keepalive: Duration::from_millis(100),
        keepalive_misses: 3,
        self_dial: Duration::from_millis(50),
        // Tests say who dials whom.
        max_outbound: 0,
        ..Config::among_validators(identity(index), limits(), listen, peers, u64::from(index))
    }
}

fn meter() -> Meter {
    NoopMeterProvider::new().meter("test")
}

impl Node {
    /// Node `index`, which dials `peers`.
    pub async fn start(net: &Net4, index: u16, peers: &[u16]) -> Self {
        Self::start_with(net, index, config(index, peers)).await
    }

    pub async fn start_with(net: &Net4, index: u16, config: Config) -> Self {
        Self::start_measured(net, index, config, &meter()).await
    }

    pub async fn start_measured(net: &Net4, index: u16, config: Config, measured: &Meter) -> Self {
        let (identity, heard) = (config.identity.clone(), Arc::<Heard>::default());
        let around = Surroundings { routes: routes(&heard), keep: None, meter: measured.clone(), clock: Arc::new(SystemClock::new()) };
        let P2p { peers, door, book, children } = build(net.clone(), config, around);
        let tree = Tree::build("p2p", children, supervision::Config { chaos: true, ..supervision::Config::new(meter()) }).unwrap();
        let tree = tree.start().await;
        tree.ready(PATIENCE).await.unwrap();
        net.0.listed.lock().insert(index, door.address().unwrap());
        Self { identity, peers, door, book, heard, tree, net: net.clone(), index }
    }

    pub async fn stop(self) {
        self.net.0.listed.lock().remove(&self.index);
        let report = self.tree.stop("test").await;
        assert!(report.in_order, "{report:?}");
    }

    pub async fn has_peers(&self, count: usize) {
        until(|| self.peers.list().len() == count, || format!("node {} has {:?}", self.index, self.peers.list())).await;
    }

    pub fn is_connected(&self, other: &Self) -> bool {
        self.peers.is_connected(&other.identity.node())
    }

    pub fn session(&self, other: &Self) -> SessionKey {
        self.peers.get(&other.identity.node()).unwrap().key()
    }

    pub fn panic_at(&self, child: &str, message: &str) {
        let fault = FaultInjection { child: child.to_owned(), kind: FaultKind::Panic, on: Strike::Named(message.to_owned()) };
        self.tree.inject(fault).unwrap();
    }

    pub fn restarts(&self, child: &str) -> u64 {
        let snapshot = self.tree.snapshot();
        snapshot.children.iter().find(|row| row.name == child).unwrap().restarts
    }
}

fn routes(heard: &Arc<Heard>) -> Routes {
    let counting = |heard: &Arc<Heard>, which: fn(&Heard) -> &AtomicUsize| {
        let heard = heard.clone();
        move || {
            if heard.refuse.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(NoRoom);
            }
            which(&heard).fetch_add(1, SeqCst);
            Ok(())
        }
    };
    let consensus = counting(heard, |heard| &heard.consensus);
    let parts = counting(heard, |heard| &heard.parts);
    let other = counting(heard, |heard| &heard.other);
    let (current, standing, transactions, evidence, sync) = (other.clone(), other.clone(), other.clone(), other.clone(), other);
    let events = heard.clone();
    Routes {
        consensus: Arc::new(move |_| consensus()),
        current: Arc::new(move |_| current()),
        standing: Arc::new(move |_| standing()),
        parts: Arc::new(move |_| parts()),
        transactions: Arc::new(move |_| transactions()),
        sync: Arc::new(move |_| sync()),
        evidence: Arc::new(move |_| evidence()),
        events: Arc::new(move |event| note(&events, &event)),
    }
}

fn note(heard: &Heard, event: &PeerEvent) {
    let name = match event {
        PeerEvent::Up(_) => "up",
        PeerEvent::Validator(_) => "validator",
        PeerEvent::Down(_) => "down",
        PeerEvent::Measured(_) => {
            heard.measured.fetch_add(1, SeqCst);
            return;
        }
    };
    heard.events.lock().push(name.to_owned());
}

pub fn vote() -> Message {
    let polka = PolkaCertificate { height: Height(1), round: Round(0), value: B256::ZERO, signatures: vec![] };
    Message::Consensus(ConsensusMessage::Polka(polka))
}

pub fn part() -> Message {
    Message::Part(Part { height: Height(1), round: Round(0), value: B256::ZERO, index: 0, bytes: vec![7; 1_000].into() })
}

pub fn current() -> Message {
    Message::CurrentRequest(CurrentRequest { height: Height(1) })
}

/// Waits until it is so.
pub async fn until(mut is_so: impl FnMut() -> bool, describe: impl Fn() -> String) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("this should have happened by now: {}", describe());
    }
}

pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("this should have happened by now")
}

pub fn count(counter: &AtomicUsize) -> usize {
    counter.load(SeqCst)
}
