//! What became of every transaction that left.
//!
//! ```text
//!   leaves -> waits --accepted--> waits --in a block--> final
//!               \--in a block, its answer late or lost--> final (and so accepted)
//!               \--refused--> gone
//! ```

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use primitives::B256;
use tokio::sync::Semaphore;

use super::{errors::Errors, following::SeenBlock, histogram::Histogram};
use crate::client::ClientError;

/// Final transactions whose receipts are looked at in the end.
const SAMPLES: usize = 100;
/// Every so many final transactions, one is kept for that.
const SAMPLE_EVERY: u64 = 37;

/// Shared by those who send and the one who follows the chain.
#[derive(Debug)]
pub struct Tally {
    state: Mutex<State>,
    /// One place for each transaction that may wait.
    places: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    waiting: HashMap<B256, Waiting>,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub submitted: u64,
    pub accepted: u64,
    pub finalised: u64,
    /// Given up because a node said why it will never do.
    pub refused: u64,
    /// Left and neither refused nor final, among them those without an answer.
    pub waiting: u64,
    /// By kind; an attempt that was repeated is counted too.
    pub errors: Errors,
    /// From when a transaction was due until the block with it was seen.
    pub latency: Histogram,
    /// The furthest that a request left behind its time.
    pub lag: Duration,
    pub blocks: Blocks,
    pub first: Option<Instant>,
    pub last_final: Option<Instant>,
    /// Some of those that are final.
    pub samples: Vec<B256>,
}

/// The blocks since the start.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    pub first: Option<u64>,
    pub last: Option<u64>,
    pub seen: u64,
    /// With a transaction of this run.
    pub used: u64,
    /// The most transactions of this run in one.
    pub ours_max: u64,
    /// Transactions of others.
    pub others: u64,
    pub gas_used: u128,
    pub gas_limit: u128,
    /// Blocks that do not continue the one before, as after a reorganisation.
    pub breaks: u64,
    last_hash: Option<B256>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Instant,
    is_accepted: bool,
}

impl Tally {
    pub fn new(max_waiting: usize) -> Self {
        Self { state: Mutex::default(), places: Semaphore::new(max_waiting) }
    }

    /// Waits until `count` more may leave.
    pub async fn room_for(&self, count: usize) {
        if let Ok(places) = self.places.acquire_many(count as u32).await {
            // Each comes back when its transaction is final or refused.
            places.forget();
        }
    }

    /// These leave `now`, and should have left when they were `due`.
    pub fn leave(&self, hashes: impl ExactSizeIterator<Item = B256>, due: Instant, now: Instant) {
        let State { counts, waiting } = &mut *self.state.lock();
        counts.submitted += hashes.len() as u64;
        counts.lag = counts.lag.max(now.saturating_duration_since(due));
        counts.first.get_or_insert(now);
        waiting.extend(hashes.map(|hash| (hash, Waiting { due, is_accepted: false })));
    }

    pub fn accept(&self, hash: B256) {
        let State { counts, waiting } = &mut *self.state.lock();
        if let Some(waiting) = waiting.get_mut(&hash) {
            counts.accepted += u64::from(!waiting.is_accepted);
            waiting.is_accepted = true;
        }
    }

    /// An attempt that failed, and will be repeated or not.
    pub fn fail(&self, error: &ClientError) {
        self.state.lock().counts.errors.count(error);
    }

    /// This one will never be final.
    pub fn refuse(&self, hash: B256) {
        let State { counts, waiting } = &mut *self.state.lock();
        if waiting.remove(&hash).is_some() {
            counts.refused += 1;
            self.places.add_permits(1);
        }
    }

    /// A block that was seen `at` this moment, in order.
    pub fn include(&self, block: &SeenBlock, at: Instant) {
        let State { counts, waiting } = &mut *self.state.lock();
        let mut ours = 0;
        for hash in &block.transactions {
            if let Some(waiting) = waiting.remove(hash) {
                counts.finalise(*hash, &waiting, at);
                ours += 1;
            }
        }
        counts.blocks.add(block, ours);
        self.places.add_permits(ours as usize);
    }

    pub fn counts(&self) -> Counts {
        let state = self.state.lock();
        Counts { waiting: state.waiting.len() as u64, ..state.counts.clone() }
    }

    /// How many have left and are neither refused nor final.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub fn is_waiting(&self, hash: &B256) -> bool {
        self.state.lock().waiting.contains_key(hash)
    }
}

impl Counts {
    fn finalise(&mut self, hash: B256, waiting: &Waiting, at: Instant) {
        self.accepted += u64::from(!waiting.is_accepted);
        if self.finalised.is_multiple_of(SAMPLE_EVERY) && self.samples.len() < SAMPLES {
            self.samples.push(hash);
        }
        self.finalised += 1;
        self.latency.add(at.saturating_duration_since(waiting.due));
        self.last_final = Some(at);
    }

    /// From the first that left to the last that became final.
    pub fn took(&self) -> Duration {
        let between = self.first.zip(self.last_final);
        between.map_or(Duration::ZERO, |(first, last)| last.saturating_duration_since(first))
    }

    /// Final transactions a second over [`Counts::took`].
    pub fn final_rate(&self) -> f64 {
        let took = self.took().as_secs_f64();
        if took == 0.0 { 0.0 } else { self.finalised as f64 / took }
    }
}

impl Blocks {
    fn add(&mut self, block: &SeenBlock, ours: u64) {
        self.first.get_or_insert(block.number);
        self.last = Some(block.number);
        self.breaks += u64::from(self.last_hash.is_some_and(|hash| hash != block.parent));
        self.last_hash = Some(block.hash);
        self.seen += 1;
        self.used += u64::from(0 < ours);
        self.ours_max = self.ours_max.max(ours);
        self.others += block.transactions.len() as u64 - ours;
        self.gas_used += u128::from(block.gas_used);
        self.gas_limit += u128::from(block.gas_limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> B256 {
        B256::repeat_byte(number)
    }

    fn block(number: u64, parent: u8, transactions: &[u8]) -> SeenBlock {
        let transactions = transactions.iter().map(|number| hash(*number)).collect();
        SeenBlock { number, hash: hash(number as u8), parent: hash(parent), base_fee: 0, gas_used: 5, gas_limit: 10, transactions }
    }

    #[test]
    fn a_transaction_is_final_once_and_only_if_it_is_ours() {
        let (tally, now) = (Tally::new(10), Instant::now());
        tally.leave([hash(1), hash(2)].into_iter(), now, now + Duration::from_millis(3));
        tally.accept(hash(1));
        tally.accept(hash(1));
        tally.include(&block(7, 6, &[1, 99]), now + Duration::from_millis(50));
        tally.include(&block(8, 7, &[1]), now + Duration::from_millis(90));
        let counts = tally.counts();
        assert_eq!((counts.submitted, counts.accepted, counts.finalised, counts.waiting), (2, 1, 1, 1));
        assert_eq!((counts.latency.max(), counts.lag), (Duration::from_millis(50), Duration::from_millis(3)));
        let blocks = &counts.blocks;
        assert_eq!((blocks.first, blocks.last, blocks.seen, blocks.used, blocks.ours_max, blocks.others), (Some(7), Some(8), 2, 1, 1, 2));
    }

    #[test]
    fn a_transaction_in_a_block_was_accepted_whatever_its_answer() {
        let (tally, now) = (Tally::new(10), Instant::now());
        tally.leave([hash(1)].into_iter(), now, now);
        tally.include(&block(7, 6, &[1]), now);
        tally.accept(hash(1));
        tally.refuse(hash(1));
        let counts = tally.counts();
        assert_eq!((counts.accepted, counts.finalised, counts.refused, tally.waiting()), (1, 1, 0, 0));
    }

    #[tokio::test]
    async fn the_places_of_final_and_refused_transactions_are_free_again() {
        let (tally, now) = (Tally::new(2), Instant::now());
        tally.room_for(2).await;
        tally.leave([hash(1), hash(2)].into_iter(), now, now);
        assert_eq!(tally.places.available_permits(), 0);
        tally.refuse(hash(1));
        tally.include(&block(7, 6, &[2]), now);
        assert_eq!(tally.places.available_permits(), 2);
    }

    #[test]
    fn a_block_that_does_not_continue_the_last_is_noticed() {
        let tally = Tally::new(1);
        for block in [block(7, 6, &[]), block(8, 7, &[]), block(9, 1, &[])] {
            tally.include(&block, Instant::now());
        }
        assert_eq!(tally.counts().blocks.breaks, 1);
    }

    #[test]
    fn the_rate_is_over_the_time_from_the_first_that_left_to_the_last_that_is_final() {
        let (tally, now) = (Tally::new(10), Instant::now());
        tally.leave([hash(1), hash(2), hash(3)].into_iter(), now, now);
        tally.include(&block(7, 6, &[1, 2]), now + Duration::from_millis(500));
        assert_eq!(tally.counts().final_rate(), 4.0);
        assert_eq!(Tally::new(1).counts().final_rate(), 0.0);
    }
}
