//! Its life: listens to peers, and writes what has changed.

use std::{sync::Arc, time::Duration};

use primitives::{Clock, NodeId};
use rand::{SeedableRng, rngs::StdRng, seq::IteratorRandom};
use supervision::{Actor, ChildSpec, Context, Fault, Incarnation};
use tracing::{Instrument, debug, info, warn};
use wire::{
    AddressRecord, MAX_RECORDS,
    message::{Addrs, Farewell, GetAddrs},
};

use super::{
    super::{
        Config, Door, Incoming, Peer, Peers,
        book::{Heard, PeerBook, Range},
    },
    NAME,
    mailbox::{Message, StoreMailbox},
    manners::Manners,
    own,
};
use crate::{
    ledger::Ledger,
    storage::{Batch, Keyspace, StorageError, StorageMailbox},
};

/// Time between two looks at what has changed; so often is written at most.
const TICK: Duration = Duration::from_secs(1);
/// Time between two notes that a peer is still there.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// Time between two questions whom somebody knows.
const ASK_EVERY: Duration = Duration::from_secs(120);
/// How long a write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Peers that are told of news.
const RELAY_TO: usize = 4;

/// Where the book lies.
#[derive(Clone)]
pub struct Keep {
    pub storage: StorageMailbox,
    pub ledger: Ledger,
}

/// What the store is made of.
#[derive(Clone)]
pub(in super::super) struct Parts {
    pub config: Arc<Config>,
    pub peers: Peers,
    pub book: PeerBook,
    pub door: Door,
    pub clock: Arc<dyn Clock>,
    /// None: nothing outlives the process.
    pub keep: Option<Keep>,
}

/// The child for the tree.
pub(in super::super) fn child(mailbox: &StoreMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new(NAME, mailbox.0.clone(), move |incarnation: Incarnation| {
        let random = StdRng::seed_from_u64(parts.config.seed ^ incarnation.0.rotate_left(32));
        let store = Store::new(parts.clone(), random);
        async move { store.read_back() }
    })
}

struct Store {
    parts: Parts,
    manners: Manners,
    random: StdRng,
    own: Option<AddressRecord>,
    is_writing: bool,
    /// Of the monotonic clock.
    noted_at: Duration,
    asked_at: Duration,
}

impl Actor for Store {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        context.every(TICK, || Message::Tick).detach();
        // What an earlier life was writing.
        self.parts.book.not_written();
        self.renew();
        // Whoever came while nobody listened here, or knew of its ban.
        for peer in self.parts.peers.list() {
            if self.parts.peers.conduct().is_kept_out(&peer.node(), self.parts.peers.has_seat(&peer)) {
                self.parts.peers.part(&peer, Farewell::Banned);
            } else {
                self.greet(&peer);
            }
        }
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Up(peer) => self.greet(&peer),
            Message::Proved(peer) => self.proved(&peer),
            Message::Asked(question) => self.answer(&question),
            Message::Told(word) => self.hear(word),
            Message::Tick => self.tick(context),
            Message::Written(by, outcome) if by == context.incarnation() => self.written(&outcome),
            // An earlier life's; this one began by writing it again.
            Message::Written(..) => {}
        }
        Ok(())
    }

    /// What waits to be written is written before the disk closes.
    async fn stopping(&mut self, _: &mut Context<Message>) {
        let Some(keep) = self.parts.keep.clone() else { return };
        // Writing it twice does no harm.
        self.parts.book.not_written();
        if let Some(batch) = self.batch()
            && let Err(error) = keep.storage.commit(batch, WRITE_LIMIT).await
        {
            self.parts.book.not_written();
            warn!(%error, "the latest about peers was not written at stop");
        }
    }
}

impl Store {
    fn new(parts: Parts, random: StdRng) -> Self {
        let now = parts.clock.monotonic();
        Self { parts, manners: Manners::new(), random, own: None, is_writing: false, noted_at: now, asked_at: now }
    }

    /// Once in the life of the process: later the shared book knows more than the disk.
    fn read_back(self) -> Result<Self, Fault> {
        if let Some(keep) = &self.parts.keep
            && !self.parts.book.is_read()
        {
            let rows = keep.ledger.peer_rows()?;
            self.parts.book.restore(rows.iter().map(|row| (&row.key[..], &row.value[..])));
            let nodes = self.parts.book.with(|book| book.entries().count());
            info!(nodes, added = self.parts.book.added().len(), bans = self.parts.book.conduct().bans().len(), "peer book read");
        }
        Ok(self)
    }

    fn tick(&mut self, context: &Context<Message>) {
        let (now, now_ms) = (self.parts.clock.monotonic(), self.parts.clock.unix_ms());
        if self.renew() {
            self.parts.peers.list().iter().for_each(|peer| self.introduce(peer));
        }
        if self.noted_at + NOTE_EVERY <= now {
            self.noted_at = now;
            let here = self.parts.peers.list();
            let scores: Vec<_> = here.iter().map(|peer| (peer.node(), self.parts.peers.score(peer).total())).collect();
            self.parts.book.with(|book| {
                for (node, score) in scores {
                    book.seen(&node, now_ms);
                    book.set_score(node, score);
                }
            });
            self.parts.book.note_conduct();
        }
        if self.asked_at + ASK_EVERY <= now {
            self.asked_at = now;
            if let Some(peer) = self.parts.peers.list().iter().choose(&mut self.random) {
                self.ask(peer);
            }
        }
        self.write(context);
    }

    /// Signs our own record anew if that is due; whether it did.
    fn renew(&mut self) -> bool {
        let Parts { config, door, clock, .. } = &self.parts;
        if config.is_private {
            return false;
        }
        let address = own::address(config.advertise, door.address());
        let renewed = own::renewed(self.own.as_ref(), address, config.services, &config.identity, clock.unix_ms());
        if let Some(record) = &renewed {
            info!(address = %record.address, "others are told to reach this node here");
            self.parts.book.set_own(record.clone());
        }
        let is_new = renewed.is_some();
        self.own = renewed.or(self.own.take());
        is_new
    }

    fn greet(&self, peer: &Peer) {
        if self.parts.config.is_private {
            return;
        }
        self.introduce(peer);
        self.ask(peer);
        if peer.validator().is_some() {
            self.proved(peer);
        }
    }

    fn introduce(&self, peer: &Peer) {
        if let Some(own) = self.own.clone() {
            self.say(peer, wire::Message::Addrs(Addrs { records: vec![own] }));
        }
    }

    fn ask(&self, peer: &Peer) {
        if !self.parts.config.is_private {
            self.say(peer, wire::Message::GetAddrs(GetAddrs { count: MAX_RECORDS as u32 }));
        }
    }

    /// A session without room for it learns of us another time.
    fn say(&self, peer: &Peer, message: wire::Message) {
        let _ = self.parts.peers.encode(message).map(|message| peer.send(&message));
    }

    fn proved(&self, peer: &Peer) {
        if let Some(validator) = peer.validator() {
            self.parts.book.with(|book| book.proved(&peer.node(), validator));
        }
    }

    fn answer(&mut self, Incoming { from, message }: &Incoming<GetAddrs>) {
        let Parts { config, book, clock, peers, .. } = &self.parts;
        if config.is_private {
            return;
        }
        if !self.manners.may_ask(from.node(), clock.monotonic()) {
            peers.metrics().dropped("get_addrs");
            return;
        }
        let count = (message.count as usize).min(MAX_RECORDS);
        let asker = from.node();
        let is_secret = |node: &NodeId| *node == asker || config.private_peers.contains(node) || book.conduct().is_kept_out(node, false);
        let random = &mut self.random;
        let records = book.with(|book| book.sample(count, is_local(from), is_secret, random));
        if !records.is_empty() {
            self.say(from, wire::Message::Addrs(Addrs { records }));
        }
    }

    fn hear(&mut self, Incoming { from, message: Addrs { records } }: Incoming<Addrs>) {
        let Parts { config, peers, clock, .. } = &self.parts;
        if config.is_private {
            return;
        }
        if MAX_RECORDS < records.len() || !self.manners.may_tell(from.node(), records.len(), clock.monotonic()) {
            debug!(peer = %from.node(), records = records.len(), "it tells of more nodes than anybody may");
            peers.metrics().dropped("addrs");
            return;
        }
        let news: Vec<_> = records.into_iter().filter(|record| self.learn(record, &from)).collect();
        if !news.is_empty() {
            self.relay(&from, news);
        }
    }

    /// Whether the record is news.
    fn learn(&self, record: &AddressRecord, from: &Peer) -> bool {
        let Parts { config, peers, book, clock, .. } = &self.parts;
        match record.check(config.identity.domain(), clock.unix_ms()) {
            Err(bad) => {
                debug!(peer = %from.node(), %bad, "a record is not believed");
                peers.metrics().dropped(bad.name());
                false
            }
            Ok(node) => {
                let heard = book.with(|book| book.hear(record.clone(), from.node(), is_local(from)));
                // Its proof may have come before its place.
                if heard == Heard::News
                    && let Some(peer) = peers.get(&node)
                {
                    self.proved(&peer);
                    book.with(|book| book.seen(&node, clock.unix_ms()));
                }
                heard == Heard::News
            }
        }
    }

    /// Passes news on to a few; each of them does so again as long as it is news to them.
    fn relay(&mut self, from: &Peer, mut news: Vec<AddressRecord>) {
        let Parts { config, peers, clock, .. } = &self.parts;
        news.retain(|record| !config.private_peers.contains(&record.node()));
        if news.is_empty() || !self.manners.may_relay(news.len(), clock.monotonic()) {
            return;
        }
        let others: Vec<_> = peers.list().into_iter().filter(|peer| peer.key() != from.key()).choose_multiple(&mut self.random, RELAY_TO);
        for peer in others {
            let of_use = |record: &&AddressRecord| record.node() != peer.node() && (is_local(&peer) || !Range::of(record.address.ip()).is_local());
            let records: Vec<_> = news.iter().filter(of_use).cloned().collect();
            if !records.is_empty() {
                self.say(&peer, wire::Message::Addrs(Addrs { records }));
            }
        }
    }

    fn batch(&self) -> Option<Batch> {
        let mut batch = Batch::loose();
        for subject in self.parts.book.take_subjects() {
            match self.parts.book.value(&subject) {
                Some(value) => batch.put(Keyspace::Peers, subject.key(), value),
                None => batch.remove(Keyspace::Peers, subject.key()),
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Starts the next write, unless one is under way.
    fn write(&mut self, context: &Context<Message>) {
        let Some(keep) = self.parts.keep.clone().filter(|_| !self.is_writing) else { return };
        let Some(batch) = self.batch() else { return };
        self.is_writing = true;
        let (address, by, span) = (context.address().clone(), context.incarnation(), context.span("write"));
        context.task("write", async move {
            let outcome = keep.storage.commit(batch, WRITE_LIMIT).instrument(span).await;
            // Refused only when this actor has stopped; the next life writes it again.
            let _ = address.send(Message::Written(by, outcome), WRITE_LIMIT).await;
        });
    }

    fn written(&mut self, outcome: &Result<(), StorageError>) {
        self.is_writing = false;
        match outcome {
            Ok(()) => self.parts.book.written(),
            Err(StorageError::NoSpace) => self.parts.book.not_written(),
            Err(error) => {
                self.parts.book.not_written();
                warn!(%error, "the peer book was not written; tried again");
            }
        }
    }
}

/// Whether a peer is in our own network.
fn is_local(peer: &Peer) -> bool {
    peer.remote().is_some_and(|remote| Range::of(remote.ip()).is_local())
}
