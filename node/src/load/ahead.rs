//! Transactions signed shortly before they are needed, on threads of their own.
//!
//! ```text
//!   thread 0   chunk 0   chunk 2   chunk 4 ...  --\
//!                                                  >-- in order, at most a few chunks ahead
//!   thread 1   chunk 1   chunk 3   chunk 5 ...  --/
//! ```

use std::{collections::VecDeque, sync::Arc, thread};

use tokio::sync::mpsc;

use super::signing::{Ready, Recipe};
use crate::exit::Failure;

/// Transactions that one thread signs before it hands them over.
const CHUNK: u64 = 128;
/// Chunks that each thread may be ahead.
const CHUNKS_AHEAD: usize = 8;
const MAX_THREADS: usize = 16;

/// The transactions of a run in order.
pub struct Ahead {
    lanes: Vec<mpsc::Receiver<Vec<Ready>>>,
    turn: usize,
    ready: VecDeque<Ready>,
}

impl Ahead {
    /// Begins to sign the first `total`, or for as long as somebody takes them. The first are ready when this returns.
    pub async fn begin(recipe: Recipe, total: Option<u64>) -> Result<Self, Failure> {
        let recipe = Arc::new(recipe);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let mut lanes = Vec::new();
        for lane in 0..threads {
            let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
            let recipe = recipe.clone();
            // The thread ends by itself once nobody takes from its lane.
            let spawned = thread::Builder::new().name(format!("sign-{lane}")).spawn(move || sign_lane(&recipe, lane, threads, total, &sender));
            spawned.map_err(|error| Failure::runtime(format!("no thread to sign with: {error}")))?;
            lanes.push(receiver);
        }
        let mut ahead = Self { lanes, turn: 0, ready: VecDeque::new() };
        ahead.refill().await;
        Ok(ahead)
    }

    /// The next `count`, fewer at the end.
    pub async fn take(&mut self, count: usize) -> Vec<Ready> {
        while self.ready.len() < count && self.refill().await {}
        self.ready.drain(..count.min(self.ready.len())).collect()
    }

    async fn refill(&mut self) -> bool {
        // A lane without a further chunk is at its end, and so is the order.
        let Some(chunk) = self.lanes[self.turn].recv().await else { return false };
        self.turn = (self.turn + 1) % self.lanes.len();
        self.ready.extend(chunk);
        true
    }
}

fn sign_lane(recipe: &Recipe, lane: usize, lanes: usize, total: Option<u64>, sender: &mpsc::Sender<Vec<Ready>>) {
    let total = total.unwrap_or(u64::MAX);
    for chunk in (lane as u64..).step_by(lanes) {
        let first = chunk * CHUNK;
        if total <= first {
            return;
        }
        let signed = (first..total.min(first + CHUNK)).map(|number| recipe.sign(number)).collect();
        if sender.blocking_send(signed).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::load::{
        accounts::Accounts,
        fees::Fees,
        plan::{Kind, Order},
    };

    #[tokio::test]
    async fn threads_hand_over_in_order_and_as_many_as_are_wanted() {
        let recipe = Recipe {
            chain_id: 1,
            order: Order { nodes: 1, accounts: 2, batch: 1 },
            senders: Arc::new(Accounts::development(2).senders),
            nonces: vec![0; 2],
            recipients: None,
            kind: Kind::Transfer,
            token: None,
            gas: 21_000,
            fees: Arc::new(Fees::new(None, 1)),
        };
        let total = 3 * CHUNK + 5;
        let mut ahead = Ahead::begin(recipe.clone(), Some(total)).await.unwrap();
        let mut taken = Vec::new();
        loop {
            let some = ahead.take(100).await;
            if some.is_empty() {
                break;
            }
            taken.extend(some.into_iter().map(|ready| ready.hash));
        }
        let expected: Vec<_> = (0..total).map(|number| recipe.sign(number).hash).collect();
        assert_eq!(taken, expected);
    }
}
