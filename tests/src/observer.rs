//! A peer without a vote that remembers everything it hears validators sign, over all lives of their processes, and holds it
//! against each other. It shares nothing with the code that finds evidence inside a node.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actors::p2p::{self, Config, P2p, PeerEvent, Peers, Routes, Surroundings};
use anyhow::{Context, Result};
use node::network::Member;
use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};
use parking_lot::Mutex;
use primitives::{Address, B256, ConsensusMessage, Domain, Height, PeerAddress, SecretKey, SystemClock, VoteKind};
use supervision::{Running, Tree};
use wire::{Codec, Encoded, Identity, Limits, Message, Tcp, message::CurrentRequest};

use crate::wait::eventually;

const READY_LIMIT: Duration = Duration::from_secs(20);
/// A validator that comes back is heard from the start.
const REDIAL_CAP: Duration = Duration::from_millis(20);

/// What a validator may say once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Slot {
    validator: Address,
    height: u64,
    round: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Proposal,
    Prevote,
    Precommit,
}

/// What was said: the value, none for nil, and for a proposal the round of its polka.
type Content = (Option<B256>, Option<u32>);

#[derive(Debug, Default)]
struct Heard {
    said: HashMap<Slot, Content>,
    /// When the validator was first heard at each new height.
    fresh: HashMap<Address, Vec<(u64, Instant)>>,
    contradictions: Vec<String>,
    forged: u64,
}

/// A peer that listens.
pub struct Observer {
    tree: Running,
    peers: Peers,
    heard: Arc<Mutex<Heard>>,
}

impl Observer {
    /// Connects to `peers`, and stays connected whatever happens to them.
    pub async fn start(domain: Domain, peers: Vec<PeerAddress>, seed: u64) -> Result<Self> {
        let key = Member::fresh(0).node_key;
        let heard = Arc::<Mutex<Heard>>::default();
        let identity = Identity::new(key, domain).context("TLS")?;
        let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        let mut config = Config::among_validators(identity, Limits::standard(vec![Codec::Msgpack]), listen, peers, seed);
        config.redial.first = Duration::from_millis(5);
        config.redial.cap = REDIAL_CAP;
        let meter = NoopMeterProvider::new().meter("observer");
        // It hears those that it was told of, and tells nobody of itself.
        config.is_private = true;
        let around = Surroundings { routes: routes(&heard, domain), keep: None, meter: meter.clone(), clock: Arc::new(SystemClock::new()) };
        let P2p { peers, children, .. } = p2p::build(Tcp::VALIDATOR, config, around);
        let tree = Tree::build("observer", children, supervision::Config::new(meter)).context("the observer's tree")?;
        let tree = tree.start().await;
        tree.ready(READY_LIMIT).await.map_err(|error| anyhow::anyhow!("the observer is not ready: {:?}", error.children))?;
        Ok(Self { tree, peers, heard })
    }

    /// Waits until it hears `count` nodes.
    pub async fn hears(&self, count: usize, limit: Duration) -> Result<()> {
        eventually("the observer hears everybody", limit, async || (count <= self.peers.list().len()).then_some(())).await
    }

    /// When `validator` was first heard to sign something above `height`, not before `since`.
    pub fn signed_above(&self, validator: &Address, height: u64, since: Instant) -> Option<Instant> {
        let heard = self.heard.lock();
        heard.fresh.get(validator)?.iter().find(|(at, when)| height < *at && since <= *when).map(|(_, when)| *when)
    }

    /// Different proposals and votes that it heard.
    pub fn count(&self) -> usize {
        self.heard.lock().said.len()
    }

    /// Everything that contradicts something said before, or was signed by nobody.
    pub fn contradictions(&self) -> Vec<String> {
        let heard = self.heard.lock();
        let forged = (heard.forged > 0).then(|| format!("{} messages had a signature that is none", heard.forged));
        heard.contradictions.iter().cloned().chain(forged).collect()
    }

    pub async fn stop(self) {
        // The report says how long each actor took, which interests nobody here.
        let _ = self.tree.stop("the campaign is over").await;
    }
}

impl Heard {
    fn note(&mut self, slot: Slot, content: Content) {
        let first = *self.said.entry(slot).or_insert(content);
        if first != content {
            let Slot { validator, height, round, what } = slot;
            self.contradictions.push(format!("{validator} signed {what:?} {content:?} after {first:?} at height {height}, round {round}"));
        }
        let fresh = self.fresh.entry(slot.validator).or_default();
        if fresh.last().is_none_or(|(highest, _)| *highest < slot.height) {
            fresh.push((slot.height, Instant::now()));
        }
    }
}

fn routes(heard: &Arc<Mutex<Heard>>, domain: Domain) -> Routes {
    let heard = heard.clone();
    let keys: HashMap<Address, _> = development_keys().map(|key| (key.address(), key.public_key())).collect();
    let listen = move |message: ConsensusMessage| {
        let mut heard = heard.lock();
        let is_by = |who: &Address, check: &dyn Fn(&primitives::PublicKey) -> bool| keys.get(who).is_some_and(check);
        match message {
            ConsensusMessage::Vote(vote) if is_by(&vote.message.validator, &|key| vote.is_by(key, &domain)) => {
                let what = if vote.message.kind == VoteKind::Prevote { What::Prevote } else { What::Precommit };
                let (height, round) = (vote.message.height.0, vote.message.round.0);
                heard.note(Slot { validator: vote.message.validator, height, round, what }, (vote.message.value, None));
            }
            ConsensusMessage::Proposal(proposal) if is_by(&proposal.message.proposer, &|key| proposal.is_by(key, &domain)) => {
                let said = &proposal.message;
                let slot = Slot { validator: said.proposer, height: said.height.0, round: said.round.0, what: What::Proposal };
                heard.note(slot, (Some(said.value), said.pol_round.map(|round| round.0)));
            }
            ConsensusMessage::Vote(_) | ConsensusMessage::Proposal(_) => heard.forged += 1,
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => {}
        }
    };
    Routes {
        consensus: Arc::new(move |incoming| {
            listen(incoming.message);
            Ok(())
        }),
        current: Arc::new(|_| Ok(())),
        standing: Arc::new(|_| Ok(())),
        parts: Arc::new(|_| Ok(())),
        transactions: Arc::new(|_| Ok(())),
        sync: Arc::new(|_| Ok(())),
        evidence: Arc::new(|_| Ok(())),
        events: Arc::new(move |event| greet(&event, &domain)),
    }
}

/// Whoever asks for what is current hears the rest, too.
fn greet(event: &PeerEvent, domain: &Domain) {
    let PeerEvent::Up(peer) = event else { return };
    let request = Message::CurrentRequest(CurrentRequest { height: Height(1) });
    // A session that takes nothing is over already.
    let _ = Encoded::new(domain.chain_id, request, None).map(|request| peer.send(&request));
}

fn development_keys() -> impl Iterator<Item = SecretKey> {
    (0..node::development::MAX_VALIDATORS as u32).map(node::development::validator_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(height: u64, what: What) -> Slot {
        Slot { validator: Address::ZERO, height, round: 0, what }
    }

    #[test]
    fn saying_the_same_twice_is_none_and_anything_else_is_a_contradiction() {
        let mut heard = Heard::default();
        let value = |byte: u8| (Some(B256::repeat_byte(byte)), None);
        heard.note(slot(1, What::Prevote), value(1));
        heard.note(slot(1, What::Prevote), value(1));
        heard.note(slot(1, What::Precommit), (None, None));
        heard.note(slot(2, What::Prevote), value(2));
        assert!(heard.contradictions.is_empty());
        heard.note(slot(1, What::Precommit), value(1));
        heard.note(slot(1, What::Prevote), (None, None));
        assert_eq!(heard.contradictions.len(), 2);
    }
}
