//! Who sent which transaction: recovered once, remembered for a while.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256, map::HashMap};
use parking_lot::Mutex;
use primitives::{RecoveredTransaction, Transaction};
use rayon::prelude::*;

/// Senders in each of two generations. When the young one is full, the old one is forgotten.
const MAX_SENDERS_PER_GENERATION: usize = 1 << 15;

/// Remembers senders by transaction hash. The hash covers the signature, so what is remembered cannot be wrong.
#[derive(Debug, Default)]
pub struct Senders(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<B256, Address>,
    old: HashMap<B256, Address>,
}

/// The signature belongs to nobody, or is not in its canonical (low `s`) form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

impl Senders {
    /// The sender of each transaction, in order; unknown ones are recovered on all cores (40 us each).
    pub fn recover(&self, transactions: &[Transaction]) -> Vec<Result<Address, BadSignature>> {
        let known: Vec<Option<Address>> = {
            let generations = self.0.lock();
            transactions.iter().map(|transaction| generations.get(transaction.tx_hash())).collect()
        };
        let senders: Vec<_> =
            transactions.par_iter().zip(&known).map(|(transaction, known)| known.map_or_else(|| recover(transaction), Ok)).collect();
        let mut generations = self.0.lock();
        for ((transaction, known), sender) in transactions.iter().zip(&known).zip(&senders) {
            if let (None, Ok(sender)) = (known, sender) {
                generations.insert(*transaction.tx_hash(), *sender);
            }
        }
        senders
    }

    /// Each transaction with its sender; or the index of the first that has none.
    pub fn recover_all(&self, transactions: Vec<Transaction>) -> Result<Vec<RecoveredTransaction>, usize> {
        let senders = self.recover(&transactions);
        let pairs = transactions.into_iter().zip(senders).enumerate();
        pairs.map(|(index, (transaction, sender))| Ok(RecoveredTransaction::new_unchecked(transaction, sender.map_err(|_| index)?))).collect()
    }
}

impl Generations {
    fn get(&self, hash: &B256) -> Option<Address> {
        self.young.get(hash).or_else(|| self.old.get(hash)).copied()
    }

    fn insert(&mut self, hash: B256, sender: Address) {
        if self.young.len() >= MAX_SENDERS_PER_GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, sender);
    }
}

fn recover(transaction: &Transaction) -> Result<Address, BadSignature> {
    transaction.recover_signer().map_err(|_| BadSignature)
}
