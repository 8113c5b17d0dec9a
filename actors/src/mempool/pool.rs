//! The rules of the pool: what is let in, what replaces what, what goes into a block first, what must leave.
//!
//! Transactions of one sender form a queue by nonce. The front of a queue is *executable* when its nonce is the sender's
//! next and its fee cap covers the base fee; what follows it without a gap is executable after it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use alloy_consensus::Transaction as _;
use primitives::{Address, B256, RecoveredTransaction, U256};

use super::rejected::Rejected;

/// How much the pool may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_transactions: usize,
    pub max_bytes: usize,
    pub max_per_sender: usize,
    /// How far a nonce may be ahead of the sender's next one.
    pub max_nonce_gap: u64,
}

/// What a replacement must pay more, in percent, of both the fee cap and the tip.
pub const REPLACEMENT_BUMP_PERCENT: u128 = 10;
/// Gas of a transaction that does nothing, and of a zero byte of its input.
const MIN_GAS: u64 = 21_000;
const MIN_GAS_OF_A_BYTE: u64 = 4;

/// A sender as the state has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Its next nonce.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
}

/// A transaction with what the pool needs to know of it.
#[derive(Clone, Debug)]
pub struct Pooled {
    pub transaction: Arc<RecoveredTransaction>,
    pub hash: B256,
    /// Length of its EIP-2718 form.
    pub bytes: usize,
}

/// What an insertion pushed out; none of it is in the pool any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displaced(pub Vec<B256>);

/// What waits, each sender's in order of nonce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Executable one after the other.
    pub pending: Vec<Arc<RecoveredTransaction>>,
    /// Waiting for an earlier nonce.
    pub queued: Vec<Arc<RecoveredTransaction>>,
}

/// More waits than one answer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} transactions wait, at most {max} are listed")]
pub struct TooMany {
    pub waiting: usize,
    pub max: usize,
}

/// What a place in a full pool is given for: to what can be executed before what waits for an earlier nonce, which may never come and
/// costs its sender nothing; then by tip.
type Worth = (bool, u128);

/// Transactions waiting for a block.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    queues: HashMap<Address, Queue>,
    by_hash: HashMap<B256, (Address, u64)>,
    bytes: usize,
    /// Number of the next one that comes.
    next_arrival: u64,
    /// Wei per gas of the next block.
    base_fee: u64,
    /// What the worst queue is worth, if nothing has changed since somebody found no room; so that a flood of cheap ones is not
    /// held against every queue again.
    floor: Option<Worth>,
}

#[derive(Debug, Default)]
struct Queue {
    sender: Sender,
    by_nonce: BTreeMap<u64, Entry>,
    /// Everything from the sender's next nonce up to but without this one waits, and was said to be executable.
    announced: u64,
}

#[derive(Debug)]
struct Entry {
    pooled: Pooled,
    /// Its number in the order of arrival.
    arrival: u64,
    /// Blocks that were made while this was executable and did not take it.
    passed_by: u32,
    /// Whether it was said to have become executable.
    is_announced: bool,
}

impl Pool {
    pub fn new(limits: Limits, base_fee: u64) -> Self {
        Self { limits, queues: HashMap::new(), by_hash: HashMap::new(), bytes: 0, next_arrival: 0, base_fee, floor: None }
    }

    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Bytes of all transactions.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn contains(&self, hash: &B256) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub fn get(&self, hash: &B256) -> Option<&Pooled> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        Some(&self.queues.get(sender)?.by_nonce.get(nonce)?.pooled)
    }

    /// Lets `pooled` in, or says why not. `sender` is the state of its sender at the head.
    pub fn insert(&mut self, pooled: Pooled, sender: Sender) -> Result<Displaced, Rejected> {
        self.admit(&pooled, sender)?;
        let (address, nonce) = (pooled.transaction.signer(), pooled.transaction.nonce());
        // Nothing leaves before it is certain that the new one comes in.
        let mut leaving = self.victims(&pooled, sender)?;
        leaving.insert(0, (address, nonce));
        let displaced = Displaced(leaving.iter().filter_map(|(sender, nonce)| self.remove(sender, *nonce)).map(|gone| gone.hash).collect());
        self.floor = None;
        self.bytes += pooled.bytes;
        self.by_hash.insert(pooled.hash, (address, nonce));
        let queue = self.queues.entry(address).or_default();
        queue.sender = sender;
        queue.announced = queue.announced.min(nonce);
        queue.by_nonce.insert(nonce, Entry { pooled, arrival: self.next_arrival, passed_by: 0, is_announced: false });
        self.next_arrival += 1;
        Ok(displaced)
    }

    /// What a block of `gas_limit` is filled from: by tip, then by arrival, each sender's in order of nonce. A block's gas is spent by
    /// what transactions use, which nobody knows yet, and not by their limits: so there are as many as fit if each uses the least it
    /// can, and none whose limit could not fit behind those before it.
    pub fn best(&self, gas_limit: u64) -> Vec<Arc<RecoveredTransaction>> {
        let mut fronts: BinaryHeap<Front> =
            self.queues.iter().filter_map(|(address, queue)| self.front(*address, queue, queue.sender.nonce)).collect();
        let mut gas_left = gas_limit;
        let mut best = Vec::new();
        while let Some(front) = fronts.pop() {
            let Some(queue) = self.queues.get(&front.sender) else { continue };
            let Some(entry) = queue.by_nonce.get(&front.nonce) else { continue };
            let transaction = &entry.pooled.transaction;
            if gas_left < transaction.gas_limit() {
                continue;
            }
            gas_left = gas_left.saturating_sub(least_gas(&entry.pooled));
            best.push(transaction.clone());
            fronts.extend(front.nonce.checked_add(1).and_then(|next| self.front(front.sender, queue, next)));
        }
        best
    }

    /// Whether some executable transaction waits that fewer than `patience` blocks have passed by.
    pub fn is_waiting(&self, patience: u32) -> bool {
        self.queues.values().any(|queue| self.waits(queue, patience))
    }

    /// The same of `sender` alone.
    pub fn is_waiting_of(&self, sender: &Address, patience: u32) -> bool {
        self.queues.get(sender).is_some_and(|queue| self.waits(queue, patience))
    }

    /// A block was committed: `senders` are the accounts it touched that wait here, `base_fee` that of the next block.
    /// Returns what can never be executed any more.
    pub fn committed(&mut self, senders: impl IntoIterator<Item = (Address, Sender)>, base_fee: u64) -> Vec<B256> {
        self.pass_by();
        (self.base_fee, self.floor) = (base_fee, None);
        let mut gone = Vec::new();
        for (address, sender) in senders {
            let Some(queue) = self.queues.get_mut(&address) else { continue };
            queue.sender = sender;
            let stale: Vec<u64> = queue.by_nonce.range(..sender.nonce).map(|(nonce, _)| *nonce).collect();
            let unpaid = queue.first_unpaid();
            gone.extend(stale.into_iter().chain(unpaid).filter_map(|nonce| self.remove(&address, nonce)).map(|pooled| pooled.hash));
        }
        gone
    }

    /// A sender whose account others say is different.
    pub fn refresh(&mut self, address: &Address, sender: Sender) {
        self.floor = None;
        if let Some(queue) = self.queues.get_mut(address) {
            queue.sender = sender;
        }
    }

    /// Takes out transactions that a builder found impossible to execute.
    pub fn discard(&mut self, hashes: &[B256]) -> Vec<B256> {
        let places: Vec<_> = hashes.iter().filter_map(|hash| self.by_hash.get(hash).copied()).collect();
        places.into_iter().filter_map(|(sender, nonce)| self.remove(&sender, nonce)).map(|pooled| pooled.hash).collect()
    }

    /// The nonce after the last one that waits without a gap, if any waits.
    pub fn pending_nonce(&self, sender: &Address) -> Option<u64> {
        Some(self.queues.get(sender)?.first_gap())
    }

    /// How many are executable one after the other, and how many wait for an earlier nonce.
    pub fn counts(&self) -> (usize, usize) {
        let pending = self.queues.values().map(Queue::executable).sum();
        (pending, self.len() - pending)
    }

    /// What waits, of `sender` or of everybody.
    pub fn content(&self, sender: Option<Address>, max: usize) -> Result<Content, TooMany> {
        let queues: Vec<&Queue> = match sender {
            Some(sender) => self.queues.get(&sender).into_iter().collect(),
            None => self.queues.values().collect(),
        };
        let waiting = queues.iter().map(|queue| queue.by_nonce.len()).sum();
        if max < waiting {
            return Err(TooMany { waiting, max });
        }
        let mut content = Content::default();
        for queue in queues {
            let first_gap = queue.first_gap();
            for (nonce, entry) in &queue.by_nonce {
                let part = if *nonce < first_gap { &mut content.pending } else { &mut content.queued };
                part.push(entry.pooled.transaction.clone());
            }
        }
        Ok(content)
    }

    /// Those of `sender` that have become executable, one after the other, since this was last asked.
    pub fn newly_executable(&mut self, sender: &Address) -> Vec<B256> {
        let Some(queue) = self.queues.get_mut(sender) else { return Vec::new() };
        queue.announced = queue.announced.max(queue.sender.nonce);
        let mut news = Vec::new();
        while let Some(entry) = queue.by_nonce.get_mut(&queue.announced) {
            let was_announced = std::mem::replace(&mut entry.is_announced, true);
            news.extend((!was_announced).then_some(entry.pooled.hash));
            queue.announced += 1;
        }
        news
    }

    /// Everybody of whom something waits.
    pub fn senders(&self) -> Vec<Address> {
        self.queues.keys().copied().collect()
    }

    fn admit(&self, pooled: &Pooled, sender: Sender) -> Result<(), Rejected> {
        let nonce = pooled.transaction.nonce();
        if self.contains(&pooled.hash) {
            return Err(Rejected::AlreadyKnown);
        }
        if nonce < sender.nonce {
            return Err(Rejected::NonceTooLow { next: sender.nonce, got: nonce });
        }
        if nonce - sender.nonce > self.limits.max_nonce_gap {
            return Err(Rejected::NonceTooHigh { next: sender.nonce, got: nonce, max_gap: self.limits.max_nonce_gap });
        }
        let queue = self.queues.get(&pooled.transaction.signer());
        let standing = queue.and_then(|queue| queue.by_nonce.get(&nonce));
        if let Some(standing) = standing {
            replaces(&standing.pooled, pooled)?;
        }
        let waiting = queue.map_or(0, |queue| queue.by_nonce.len());
        if standing.is_none() && waiting >= self.limits.max_per_sender {
            return Err(Rejected::SenderFull { max: self.limits.max_per_sender });
        }
        let others = queue.map_or(U256::ZERO, |queue| queue.cost_before(nonce, sender.nonce));
        let cost = cost(pooled).saturating_add(others);
        if sender.balance < cost {
            return Err(Rejected::InsufficientFunds { have: sender.balance, want: cost });
        }
        Ok(())
    }

    /// Who must leave so that `incoming` finds room: the last of the worst queues, each of which is worth less than it.
    fn victims(&mut self, incoming: &Pooled, sender: Sender) -> Result<Vec<(Address, u64)>, Rejected> {
        let (address, nonce) = (incoming.transaction.signer(), incoming.transaction.nonce());
        let replaced = self.queues.get(&address).and_then(|queue| queue.by_nonce.get(&nonce)).map_or((0, 0), |entry| (1, entry.pooled.bytes));
        let (mut count, mut bytes) = (self.by_hash.len() - replaced.0, self.bytes - replaced.1 + incoming.bytes);
        let is_full = |count: usize, bytes: usize| self.limits.max_transactions <= count || self.limits.max_bytes < bytes;
        if !is_full(count, bytes) {
            return Ok(Vec::new());
        }
        let queue = self.queues.get(&address);
        let next = queue.map_or(sender.nonce, |queue| queue.first_gap_from(sender.nonce));
        let front = queue.and_then(|queue| queue.front()).filter(|front| front.transaction.nonce() < nonce).unwrap_or(incoming);
        let offered = worth(nonce <= next, front, incoming, self.base_fee);
        if self.floor.is_some_and(|floor| offered <= floor) {
            return Err(Rejected::Full);
        }
        let last = |(sender, queue): (&Address, &Queue)| {
            let (nonce, entry) = queue.by_nonce.iter().next_back()?;
            Some(Reverse((queue.worth(self.base_fee)?, entry.pooled.hash, *sender, *nonce, entry.pooled.bytes)))
        };
        let others = self.queues.iter().filter(|(sender, _)| **sender != address);
        // Nearly always one leaves, so they are not put in order.
        let mut worst: BinaryHeap<_> = others.filter_map(last).filter(|Reverse(worst)| worst.0 < offered).collect();
        let mut victims = Vec::new();
        while is_full(count, bytes) {
            let Some(Reverse((_, _, sender, nonce, freed))) = worst.pop() else { break };
            (count, bytes) = (count - 1, bytes - freed);
            victims.push((sender, nonce));
        }
        if !is_full(count, bytes) {
            return Ok(victims);
        }
        self.floor = self.queues.values().filter_map(|queue| queue.worth(self.base_fee)).min();
        Err(Rejected::Full)
    }

    fn remove(&mut self, sender: &Address, nonce: u64) -> Option<Pooled> {
        self.floor = None;
        let queue = self.queues.get_mut(sender)?;
        let pooled = queue.by_nonce.remove(&nonce)?.pooled;
        queue.announced = queue.announced.min(nonce);
        if queue.by_nonce.is_empty() {
            self.queues.remove(sender);
        }
        self.by_hash.remove(&pooled.hash);
        self.bytes -= pooled.bytes;
        Some(pooled)
    }

    fn pass_by(&mut self) {
        let base_fee = self.base_fee;
        for queue in self.queues.values_mut() {
            let next = queue.sender.nonce;
            if let Some(front) = queue.by_nonce.get_mut(&next).filter(|front| covers(&front.pooled, base_fee)) {
                front.passed_by = front.passed_by.saturating_add(1);
            }
        }
    }

    fn front(&self, sender: Address, queue: &Queue, nonce: u64) -> Option<Front> {
        let entry = queue.by_nonce.get(&nonce).filter(|entry| self.pays(entry))?;
        Some(Front { tip: tip(&entry.pooled, self.base_fee), arrival: entry.arrival, sender, nonce })
    }

    fn waits(&self, queue: &Queue, patience: u32) -> bool {
        let front = queue.by_nonce.get(&queue.sender.nonce);
        front.is_some_and(|entry| self.pays(entry) && entry.passed_by < patience)
    }

    fn pays(&self, entry: &Entry) -> bool {
        covers(&entry.pooled, self.base_fee)
    }
}

impl Queue {
    /// The first nonce from the sender's next on that does not wait here.
    fn first_gap(&self) -> u64 {
        self.first_gap_from(self.sender.nonce)
    }

    fn first_gap_from(&self, mut next: u64) -> u64 {
        while self.by_nonce.contains_key(&next) {
            next += 1;
        }
        next
    }

    fn front(&self) -> Option<&Pooled> {
        self.by_nonce.first_key_value().map(|(_, entry)| &entry.pooled)
    }

    /// What its last transaction is worth to the pool.
    fn worth(&self, base_fee: u64) -> Option<Worth> {
        let (_, last) = self.by_nonce.last_key_value()?;
        Some(worth(self.is_gapless(), self.front()?, &last.pooled, base_fee))
    }

    /// Whether all of it is executable one after the other.
    fn is_gapless(&self) -> bool {
        let span = self.by_nonce.last_key_value().and_then(|(last, _)| last.checked_sub(self.sender.nonce));
        let is_clean = self.by_nonce.first_key_value().is_some_and(|(first, _)| *first == self.sender.nonce);
        is_clean && span.is_some_and(|span| span + 1 == self.by_nonce.len() as u64)
    }

    /// How many are executable one after the other.
    fn executable(&self) -> usize {
        if self.is_gapless() { self.by_nonce.len() } else { (self.first_gap() - self.sender.nonce) as usize }
    }

    /// What the transactions from `first` up to but without `nonce` may cost together.
    fn cost_before(&self, nonce: u64, first: u64) -> U256 {
        self.by_nonce.range(first..nonce).fold(U256::ZERO, |sum, (_, entry)| sum.saturating_add(cost(&entry.pooled)))
    }

    /// The front, if the sender cannot pay for it any more.
    fn first_unpaid(&self) -> Option<u64> {
        let entry = self.by_nonce.get(&self.sender.nonce)?;
        (self.sender.balance < cost(&entry.pooled)).then_some(self.sender.nonce)
    }
}

/// The next transaction of a sender; the greatest pays best. Of those that pay the same the first to come goes first.
struct Front {
    tip: u128,
    arrival: u64,
    sender: Address,
    nonce: u64,
}

impl Front {
    fn rank(&self) -> (u128, Reverse<u64>) {
        (self.tip, Reverse(self.arrival))
    }
}

impl PartialEq for Front {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Front {}

impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

fn covers(pooled: &Pooled, base_fee: u64) -> bool {
    pooled.transaction.max_fee_per_gas() >= u128::from(base_fee)
}

fn tip(pooled: &Pooled, base_fee: u64) -> u128 {
    pooled.transaction.effective_tip_per_gas(base_fee).unwrap_or(0)
}

/// What `last` is worth to the pool. What waits behind a `front` that nobody executes is worth no more than that front.
fn worth(is_gapless: bool, front: &Pooled, last: &Pooled, base_fee: u64) -> Worth {
    (is_gapless && covers(front, base_fee), tip(front, base_fee).min(tip(last, base_fee)))
}

/// The least a transaction can use: what every one does, and what each byte of its input costs at least.
fn least_gas(pooled: &Pooled) -> u64 {
    MIN_GAS + MIN_GAS_OF_A_BYTE * pooled.transaction.input().len() as u64
}

/// The most a transaction can cost its sender, in wei.
fn cost(pooled: &Pooled) -> U256 {
    let gas = U256::from(pooled.transaction.max_fee_per_gas()).saturating_mul(U256::from(pooled.transaction.gas_limit()));
    gas.saturating_add(pooled.transaction.value())
}

fn replaces(standing: &Pooled, incoming: &Pooled) -> Result<(), Rejected> {
    let needed = |paid: u128| paid.saturating_add(paid.saturating_mul(REPLACEMENT_BUMP_PERCENT).div_ceil(100)).max(1);
    let tip_of = |pooled: &Pooled| pooled.transaction.max_priority_fee_per_gas().unwrap_or_else(|| pooled.transaction.max_fee_per_gas());
    let fee_needed = needed(standing.transaction.max_fee_per_gas());
    let tip_needed = needed(tip_of(standing));
    if incoming.transaction.max_fee_per_gas() < fee_needed || tip_of(incoming) < tip_needed {
        return Err(Rejected::Underpriced { fee_needed, tip_needed });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
