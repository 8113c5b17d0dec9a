//! Who sent which transaction: recovered once, remembered for a while.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256, map::HashMap};
use parking_lot::Mutex;
use primitives::{RecoveredTransaction, Transaction};

use crate::parallel;

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
        let unknown: Vec<&Transaction> = transactions.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(unknown, _)| unknown).collect();
        let found = parallel::map(&unknown, |transaction| recover(transaction));
        let mut generations = self.0.lock();
        for (transaction, sender) in unknown.iter().zip(&found) {
            if let Ok(sender) = sender {
                generations.insert(*transaction.tx_hash(), *sender);
            }
        }
        let mut found = found.into_iter();
        known.into_iter().map(|known| known.map_or_else(|| found.next().expect("one for each unknown sender"), Ok)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_sender_is_recovered_once() {
        let senders = Senders::default();
        let transaction = testing::transfer(3, 0, Address::ZERO, 1).into_inner();
        // A lie about the sender, to see that it is remembered and not recovered.
        senders.0.lock().insert(*transaction.tx_hash(), Address::repeat_byte(9));
        assert_eq!(senders.recover(&[transaction]), [Ok(Address::repeat_byte(9))]);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes() {
        let mut generations = Generations::default();
        let hash = |number: usize| B256::from(alloy_primitives::U256::from(number));
        for number in 0..=2 * MAX_SENDERS_PER_GENERATION {
            generations.insert(hash(number), Address::ZERO);
        }
        assert_eq!(generations.get(&hash(0)), None);
        assert!(generations.get(&hash(MAX_SENDERS_PER_GENERATION)).is_some());
        assert!(generations.young.len() + generations.old.len() <= 2 * MAX_SENDERS_PER_GENERATION);
    }
}
