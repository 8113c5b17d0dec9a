//! A node without a vote, in the test's own process, that says what the test wants said and remembers what it hears.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use actors::p2p::{self, Config, Incoming, P2p, PeerEvent, Peers, Route, Routes, Surroundings, TransactionsMessage};
use node::{genesis_file, network::Member};
use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};
use parking_lot::Mutex;
use primitives::{B256, Domain, Evidence, PeerAddress, SystemClock};
use supervision::{Running, Tree};
use wire::{Codec, Identity, Limits, Message, Tcp};

use super::{Testnet, eventually, secs};

#[derive(Default)]
struct Heard {
    evidence: Mutex<Vec<Evidence>>,
    /// Transactions that it was asked for.
    asked: Mutex<Vec<B256>>,
    was_left: AtomicBool,
}

/// Ends with the test.
pub struct Stranger {
    pub domain: Domain,
    peers: Peers,
    heard: Arc<Heard>,
    _tree: Running,
}

impl Stranger {
    /// Connects to one validator of `net`, and waits until it has.
    pub async fn at(net: &Testnet, index: usize) -> Self {
        let validator = &net.validators[index];
        let domain = genesis_file::load(&validator.home.join("config/genesis.json")).unwrap().domain();
        let peer = PeerAddress { node: Some(Member::development(index).node_id()), host: "127.0.0.1".into(), port: validator.p2p };
        let identity = Identity::new(Member::fresh(0).node_key, domain).unwrap();
        let mut config = Config::among_validators(identity, Limits::standard(vec![Codec::Msgpack]), ([127, 0, 0, 1], 0).into(), vec![peer], 7);
        let heard = Arc::<Heard>::default();
        let meter = NoopMeterProvider::new().meter("stranger");
        // It knows whom it was told of, and tells nobody of itself.
        config.is_private = true;
        let around = Surroundings { routes: routes(heard.clone()), keep: None, meter: meter.clone(), clock: Arc::new(SystemClock::new()) };
        let P2p { peers, children, .. } = p2p::build(Tcp::VALIDATOR, config, around);
        let tree = Tree::build("stranger", children, supervision::Config::new(meter)).unwrap().start().await;
        eventually("a stranger's session", secs(30), async || (!peers.list().is_empty()).then_some(())).await;
        Self { domain, peers, heard, _tree: tree }
    }

    pub fn say(&self, message: Message) {
        self.peers.say(None, message);
    }

    /// Evidence that it was told.
    pub fn evidence(&self) -> Vec<Evidence> {
        self.heard.evidence.lock().clone()
    }

    /// Waits until it is asked for a transaction.
    pub async fn is_asked_for(&self, hash: B256) {
        eventually("a question for a transaction", secs(30), async || self.heard.asked.lock().contains(&hash).then_some(())).await;
    }

    /// Waits until the validator has ended the session.
    pub async fn is_left(&self) {
        eventually("the end of a stranger's session", secs(30), async || self.heard.was_left.load(SeqCst).then_some(())).await;
    }
}

fn routes(heard: Arc<Heard>) -> Routes {
    let (told, asked) = (heard.clone(), heard.clone());
    Routes {
        consensus: deaf(),
        current: deaf(),
        standing: deaf(),
        parts: deaf(),
        transactions: Arc::new(move |Incoming { message, .. }| {
            if let TransactionsMessage::Get(get) = message {
                asked.asked.lock().extend(get.hashes);
            }
            Ok(())
        }),
        sync: deaf(),
        evidence: Arc::new(move |Incoming { message, .. }| {
            told.evidence.lock().push(message);
            Ok(())
        }),
        events: Arc::new(move |event| _ = heard.was_left.fetch_or(matches!(event, PeerEvent::Down(_)), SeqCst)),
    }
}

fn deaf<T: 'static>() -> Route<T> {
    Arc::new(|_| Ok(()))
}
