//! The life of the mempool: rows in storage follow the pool, and whoever submitted waits for the row.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use alloy_eips::eip2718::Encodable2718;
use opentelemetry::KeyValue;
use primitives::{Address, B256, Bytes, Clock, NodeId, ValidatorSet};
use storage::ReadError;
use supervision::{ChildSpec, Context, Fault, Incarnation, Reply, answer};
use tokio::sync::Semaphore;
use tracing::{Instrument, info, warn};

use super::{
    Counts, Limits, MempoolMailbox, MempoolMetrics, Pooled, Rejected, Sender, Waiting,
    gossip::{Gossip, Raw},
    mailbox::{Committed, Message},
    pool::Pool,
};
use crate::{
    admission::Admission,
    heads::Heads,
    ledger::Ledger,
    p2p::{Deed, Offence, Peers},
    room::Room,
    storage::{Batch, DATABASE, Keyspace, StorageError, StorageMailbox},
};

/// How long a group of rows may take to reach the disk.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// What waits longer than this is announced to peers again: those who proposed meanwhile do not seem to have it.
const REMIND_EVERY: Duration = Duration::from_secs(2);
/// How much is announced again at a time, in gas: some full blocks.
const REMIND_GAS: u64 = 120_000_000;
/// How often late answers are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Reading back recovers every sender.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Offers of peers whose senders are being recovered, or wait for that. What comes on top is dropped, and offered again.
const MAX_EXAMINED: usize = 64;
/// How many of them are at work at a time; each takes a thread.
const MAX_EXAMINING: usize = 4;
/// Rows examined at once, on all cores.
const ROWS_AT_ONCE: usize = 4_096;
/// How long a proposer's turns may pass a transaction by before it wakes the chain no more, in rounds of all validators.
const PATIENCE_TURNS: u32 = 2;

/// What the mempool is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub limits: Limits,
    pub ledger: Ledger,
    pub admission: Arc<Admission>,
    pub storage: StorageMailbox,
    pub room: Room,
    pub peers: Peers,
    /// Told of transactions as they become executable.
    pub heads: Heads,
    pub metrics: MempoolMetrics,
    /// Shows whether some executable transaction waits.
    pub waiting: Waiting,
    /// Told when that changes.
    pub wake: Arc<dyn Fn(bool) + Send + Sync>,
    pub set: ValidatorSet,
    pub clock: Arc<dyn Clock>,
}

/// The mempool of one chain.
struct Mempool {
    parts: Parts,
    pool: Pool,
    gossip: Gossip,
    /// Room for offers that are examined, and among them for those at work.
    examined: Arc<Semaphore>,
    examining: Arc<Semaphore>,
    /// Not on disk yet: what goes into the next write.
    unwritten: Vec<Pooled>,
    /// Rows that the next write removes.
    unremoved: Vec<B256>,
    /// On their way to the disk.
    writing: Option<Write>,
    writes: u64,
    submitters: HashMap<B256, Vec<Reply<Result<B256, Rejected>>>>,
    /// Whether an executable one waits, and whether consensus was told so.
    is_waiting: bool,
    was_waiting: bool,
    /// Something left the pool or became old, so only a look over all of it tells whether an executable one waits.
    is_unsure: bool,
    /// What was executable at the last look.
    lingering: HashSet<B256>,
}

/// A group of rows on its way.
struct Write {
    number: u64,
    pooled: Vec<Pooled>,
    removed: Vec<B256>,
}

/// The child of the tree.
pub fn child(mailbox: &MempoolMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("mempool", mailbox.address.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move { tokio::task::block_in_place(|| Mempool::restored(parts)) }
    })
    .start_limit(START_LIMIT)
}

impl supervision::Actor for Mempool {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        self.writes = context.incarnation().0 << 32;
        context.every(REMIND_EVERY, || Message::Remind).detach();
        context.every(LOOK_EVERY, || Message::Look).detach();
        self.write(context);
        self.tell();
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Submit(pooled, reply) => self.submit(pooled, reply)?,
            Message::Offer(from, transactions) => self.examine(from, transactions, context),
            // Nothing can be kept now; whoever has it announces it again.
            Message::Announced(..) if !self.parts.room.is_there_for(DATABASE) => {}
            Message::Announced(from, hashes) => self.gossip.announced(from, hashes, |hash| self.pool.contains(hash)),
            Message::Asked(from, hashes) => self.gossip.asked(from, hashes, |hash| Some(encoded(self.pool.get(hash)?))),
            Message::Look => self.gossip.look(),
            Message::Admit(offered) => offered.into_iter().try_for_each(|pooled| self.admit(pooled).map(drop))?,
            Message::Remind => self.remind(),
            Message::Written(number, outcome) => self.written(number, outcome),
            Message::Best(gas_limit, reply) => answer(reply, self.pool.best(gas_limit)),
            Message::Discard(hashes) => self.discard(&hashes)?,
            Message::Committed(committed) => self.committed(committed),
            Message::Find(hash, reply) => answer(reply, self.pool.get(&hash).cloned()),
            Message::Count(reply) => answer(reply, self.counts()),
            Message::NextNonce(sender, reply) => answer(reply, self.pool.pending_nonce(&sender)),
            Message::Content(sender, max, reply) => answer(reply, self.pool.content(sender, max)),
        }
        self.write(context);
        self.tell();
        Ok(())
    }

    /// What waits to be written is written before the disk closes.
    async fn stopping(&mut self, _: &mut Context<Message>) {
        let (batch, _, _) = self.group();
        if !batch.is_empty()
            && let Err(error) = self.parts.storage.commit(batch, WRITE_LIMIT).await
        {
            warn!(%error, "transactions that nobody was told about were not written at stop");
        }
    }
}

impl Mempool {
    /// Reads back what was acknowledged. Rows that can never be executed any more are removed.
    fn restored(parts: Parts) -> Result<Self, Fault> {
        let head = parts.ledger.head()?;
        let mut mempool = Self {
            pool: Pool::new(parts.limits, parts.admission.next_base_fee(&head)),
            gossip: Gossip::new(parts.peers.clone(), parts.set.clone(), parts.clock.clone()),
            parts,
            examined: Arc::new(Semaphore::new(MAX_EXAMINED)),
            examining: Arc::new(Semaphore::new(MAX_EXAMINING)),
            unwritten: Vec::new(),
            unremoved: Vec::new(),
            writing: None,
            writes: 0,
            submitters: HashMap::new(),
            is_waiting: false,
            was_waiting: false,
            is_unsure: true,
            lingering: HashSet::new(),
        };
        let rows = mempool.parts.ledger.pooled()?;
        for chunk in rows.chunks(ROWS_AT_ONCE) {
            let raw: Vec<Bytes> = chunk.iter().map(|(_, bytes)| bytes.clone()).collect();
            for pooled in mempool.parts.admission.examine_all(&raw) {
                // One that is refused is found below.
                let _ = mempool.insert(pooled)?;
            }
        }
        let gone = rows.iter().map(|(hash, _)| *hash).filter(|hash| !mempool.pool.contains(hash));
        mempool.unremoved = gone.collect();
        // They were news in an earlier life.
        mempool.pool.senders().iter().for_each(|sender| drop(mempool.pool.newly_executable(sender)));
        info!(transactions = mempool.pool.len(), removed = mempool.unremoved.len(), "mempool read back");
        Ok(mempool)
    }

    fn submit(&mut self, pooled: Pooled, reply: Reply<Result<B256, Rejected>>) -> Result<(), Fault> {
        let hash = pooled.hash;
        if !self.parts.room.is_there_for(DATABASE) {
            answer(reply, Err(Rejected::NoSpace));
            return Ok(());
        }
        match self.admit(pooled)? {
            Ok(()) => self.submitters.entry(hash).or_default().push(reply),
            Err(rejected) => answer(reply, Err(rejected)),
        }
        Ok(())
    }

    /// Recovers the senders of what is new, beside the messages.
    fn examine(&mut self, from: Option<NodeId>, transactions: Vec<Bytes>, context: &Context<Message>) {
        // Those who offer them do so again until they are in a block.
        if !self.parts.room.is_there_for(DATABASE) {
            return;
        }
        // Signatures cost more to check than to make up: whoever sends more than we check shall not take all threads. What is turned away here has
        // not been seen.
        let Ok(place) = self.examined.clone().try_acquire_owned() else { return self.parts.metrics.unexamined.add(1, &[]) };
        let came = self.gossip.came(from, transactions).into_iter();
        let new: Vec<Bytes> = came.filter(|raw| !self.pool.contains(&raw.hash)).map(|raw| raw.bytes).collect();
        if new.is_empty() {
            return;
        }
        let (admission, address, peers) = (self.parts.admission.clone(), context.address().clone(), self.parts.peers.clone());
        let examining = self.examining.clone();
        context.task("recover", async move {
            let (_place, _turn) = (place, examining.acquire_owned().await);
            let (examined, nonsense) = tokio::task::block_in_place(|| admission.examine_each(&new));
            from.into_iter().for_each(|from| judge(&peers, &from, examined.len(), nonsense));
            // A full mailbox drops them; whoever has them announces them again.
            let _ = address.try_send(Message::Admit(examined));
        });
    }

    fn admit(&mut self, pooled: Pooled) -> Result<Result<(), Rejected>, Fault> {
        let inserted = self.insert(pooled.clone())?;
        match &inserted {
            Ok(()) => {
                self.is_waiting |= self.pool.is_waiting_of(&pooled.transaction.signer(), self.patience());
                self.parts.metrics.admitted.add(1, &[]);
                self.unwritten.push(pooled);
            }
            Err(_) => self.parts.metrics.rejected.add(1, &[]),
        }
        Ok(inserted)
    }

    fn insert(&mut self, pooled: Pooled) -> Result<Result<(), Rejected>, Fault> {
        let sender = match self.sender(&pooled.transaction.signer()) {
            // Just being reopened, because the disk had been full.
            Err(ReadError::Closed) => return Ok(Err(Rejected::NoSpace)),
            sender => sender?,
        };
        Ok(self.pool.insert(pooled, sender).map(|displaced| {
            self.is_unsure |= !displaced.0.is_empty();
            self.remove(displaced.0, "displaced");
        }))
    }

    fn sender(&self, address: &Address) -> Result<Sender, ReadError> {
        Ok(self.parts.ledger.account(address)?.map_or(Sender::default(), |account| Sender { nonce: account.nonce, balance: account.balance }))
    }

    /// A builder found these impossible, so what the pool believes of their senders may be old.
    fn discard(&mut self, hashes: &[B256]) -> Result<(), Fault> {
        let senders: HashSet<Address> = hashes.iter().filter_map(|hash| self.pool.get(hash)).map(|pooled| pooled.transaction.signer()).collect();
        let gone = self.pool.discard(hashes);
        self.is_unsure = true;
        self.remove(gone, "impossible");
        for address in senders {
            match self.sender(&address) {
                // The next builder finds out again.
                Err(ReadError::Closed) => {}
                sender => self.pool.refresh(&address, sender?),
            }
        }
        Ok(())
    }

    /// Rows of included transactions left with the block; the others' rows leave with the next write.
    fn committed(&mut self, committed: Committed) {
        self.gossip.included(committed.included.iter());
        let touched: Vec<Address> = committed.accounts.iter().map(|(address, _)| *address).collect();
        let gone = self.pool.committed(committed.accounts, committed.base_fee);
        self.is_unsure = true;
        self.announce(touched);
        let (included, others): (Vec<_>, Vec<_>) = gone.into_iter().partition(|hash| committed.included.contains(hash));
        // Rows that were written beside the block left with nobody.
        let beside = self.writing.iter().flat_map(|write| &write.pooled).filter(|pooled| committed.included.contains(&pooled.hash));
        self.unremoved.extend(beside.map(|pooled| pooled.hash));
        self.parts.metrics.removed.add(included.len() as u64, &[KeyValue::new("reason", "included")]);
        self.remove(others, "impossible");
        self.parts.metrics.transactions.record(self.pool.len() as u64, &[]);
        self.parts.metrics.bytes.record(self.pool.bytes() as u64, &[]);
    }

    fn remove(&mut self, gone: Vec<B256>, reason: &'static str) {
        self.parts.metrics.removed.add(gone.len() as u64, &[KeyValue::new("reason", reason)]);
        self.unremoved.extend(gone);
    }

    fn counts(&self) -> Counts {
        let (pending, queued) = self.pool.counts();
        Counts { pending, queued }
    }

    /// Starts the next write, unless one is under way: all that came meanwhile goes together. On a full disk it waits; the next
    /// message after there is room, at the latest the next reminder, begins it.
    fn write(&mut self, context: &Context<Message>) {
        if self.writing.is_some() || !self.parts.room.is_there_for(DATABASE) || (self.unwritten.is_empty() && self.unremoved.is_empty()) {
            return;
        }
        let (batch, pooled, removed) = self.group();
        self.writes += 1;
        let number = self.writes;
        self.writing = Some(Write { number, pooled, removed });
        let (storage, address, span) = (self.parts.storage.clone(), context.address().clone(), context.span("write"));
        context.task("write", async move {
            let outcome = storage.commit(batch, WRITE_LIMIT).instrument(span).await;
            // Refused only when this actor has stopped; then nobody waits any more.
            let _ = address.send(Message::Written(number, outcome), WRITE_LIMIT).await;
        });
    }

    fn group(&mut self) -> (Batch, Vec<Pooled>, Vec<B256>) {
        let mut batch = Batch::loose();
        let (writing, removed) = (std::mem::take(&mut self.unwritten), std::mem::take(&mut self.unremoved));
        for hash in &removed {
            batch.remove(Keyspace::Mempool, hash.as_slice());
        }
        for pooled in writing.iter().filter(|pooled| self.pool.contains(&pooled.hash)) {
            batch.put(Keyspace::Mempool, pooled.hash.as_slice(), encoded(pooled));
        }
        (batch, writing, removed)
    }

    /// A write is over: tell who waited, and the peers.
    fn written(&mut self, number: u64, outcome: Result<(), StorageError>) {
        // Of an older life, perhaps: then nobody here waits for it.
        let Some(Write { pooled: written, removed, .. }) = self.writing.take_if(|write| write.number == number) else { return };
        if let Err(error) = &outcome {
            self.unremoved.extend(removed);
            self.is_unsure = true;
            if *error != StorageError::NoSpace {
                warn!(%error, transactions = written.len(), "transactions were not written and are not acknowledged");
            }
            self.pool.discard(&written.iter().map(|pooled| pooled.hash).collect::<Vec<_>>());
        }
        let answered = outcome.clone().map_err(|error| match error {
            StorageError::NoSpace => Rejected::NoSpace,
            error => Rejected::Unavailable(error.to_string()),
        });
        let (mut ours, mut relayed) = (Vec::new(), Vec::new());
        for pooled in &written {
            let submitters = self.submitters.remove(&pooled.hash).unwrap_or_default();
            match submitters.is_empty() {
                true => relayed.push(pooled.hash),
                false => ours.push(Raw { hash: pooled.hash, bytes: encoded(pooled) }),
            }
            submitters.into_iter().for_each(|reply| answer(reply, answered.clone().map(|()| pooled.hash)));
        }
        if outcome.is_ok() {
            self.announce(written.iter().map(|pooled| pooled.transaction.signer()));
            // Just being reopened: whose turn it is hardly matters then.
            let next = self.parts.ledger.tip().unwrap_or_default().next();
            self.gossip.spread(&ours, &relayed, next);
        }
    }

    /// What became executable, now that something happened to `senders`.
    fn announce(&mut self, senders: impl IntoIterator<Item = Address>) {
        for sender in senders.into_iter().collect::<HashSet<_>>() {
            self.parts.heads.executable(self.pool.newly_executable(&sender));
        }
    }

    /// Announces again what was executable at the last look already. It is said once, and a peer that was away, or had no room,
    /// would never propose what only this node has.
    fn remind(&mut self) {
        let best = self.pool.best(REMIND_GAS);
        let before = std::mem::replace(&mut self.lingering, best.iter().map(|transaction| *transaction.inner().tx_hash()).collect());
        let hashes: Vec<B256> = best.iter().map(|transaction| *transaction.inner().tx_hash()).filter(|hash| before.contains(hash)).collect();
        self.gossip.remind(&hashes);
    }

    /// Lets consensus know when the first executable transaction came or the last one went.
    fn tell(&mut self) {
        if std::mem::take(&mut self.is_unsure) {
            self.is_waiting = self.pool.is_waiting(self.patience());
        }
        if self.is_waiting != self.was_waiting {
            self.was_waiting = self.is_waiting;
            self.parts.waiting.set(self.is_waiting);
            (self.parts.wake)(self.is_waiting);
        }
    }

    /// How many blocks may pass a transaction by before it wakes nobody.
    fn patience(&self) -> u32 {
        PATIENCE_TURNS * self.parts.set.len() as u32
    }
}

/// What a peer's transactions say of it.
fn judge(peers: &Peers, from: &NodeId, good: usize, nonsense: usize) {
    peers.useful(from, Deed::Transaction, good as u64);
    // As soon as its session ends nothing more needs to be said.
    let _ = (0..nonsense).find(|_| peers.offence(from, Offence::BadTransaction, "a transaction in no state"));
}

fn encoded(pooled: &Pooled) -> Bytes {
    pooled.transaction.inner().encoded_2718().into()
}
