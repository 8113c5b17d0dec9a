//! The door for transactions: decoded, checked without state, senders recovered, once.

use std::sync::Arc;

use execution::{
    Chain, Senders,
    admission::{Inadmissible, admit},
};
use primitives::{B256, Bytes, Clock, Genesis, RecoveredTransaction};

use crate::{ledger::Head, mempool::Pooled};

/// What admission needs to know; shared by the API, the mempool and execution.
pub struct Admission {
    chain: Chain,
    senders: Arc<Senders>,
    clock: Arc<dyn Clock>,
}

impl Admission {
    pub fn new(genesis: &Genesis, clock: Arc<dyn Clock>) -> Self {
        Self { chain: Chain::from(genesis), senders: Arc::default(), clock }
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Who sent what, so that a block's senders are not recovered again.
    pub fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    /// Reads one raw transaction and recovers who sent it (40 us).
    pub fn examine(&self, raw: &Bytes) -> Result<Pooled, Inadmissible> {
        let mut admitted = admit(&self.chain, &self.senders, self.now(), std::slice::from_ref(raw));
        let transaction = admitted.pop().unwrap_or(Err(Inadmissible::Malformed("nothing".into())))?;
        Ok(pooled(raw, transaction))
    }

    /// Those of `raw` that are good, on all cores.
    pub fn examine_all(&self, raw: &[Bytes]) -> Vec<Pooled> {
        self.examine_each(raw).0
    }

    /// The same, and how many of the others are transactions in no state, on no fork: no honest node passes them on.
    pub fn examine_each(&self, raw: &[Bytes]) -> (Vec<Pooled>, usize) {
        let admitted = admit(&self.chain, &self.senders, self.now(), raw);
        let nonsense = admitted.iter().filter(|examined| examined.as_ref().is_err_and(is_nonsense)).count();
        let good = raw.iter().zip(admitted).filter_map(|(raw, transaction)| Some(pooled(raw, transaction.ok()?)));
        (good.collect(), nonsense)
    }

    /// Wei per gas of the block after `head`.
    pub fn next_base_fee(&self, head: &Head) -> u64 {
        self.chain.next_base_fee(&head.header)
    }

    /// Unix seconds: which forks are active.
    fn now(&self) -> u64 {
        self.clock.unix_ms() / 1_000
    }
}

fn is_nonsense(refused: &Inadmissible) -> bool {
    use Inadmissible::{ChainId, Malformed, NoAuthorization, Signature, TipAboveCap, TooLarge};
    matches!(refused, Malformed(_) | TooLarge { .. } | ChainId { .. } | Signature | TipAboveCap { .. } | NoAuthorization)
}

fn pooled(raw: &Bytes, transaction: RecoveredTransaction) -> Pooled {
    let hash: B256 = *transaction.tx_hash();
    Pooled { transaction: Arc::new(transaction), hash, bytes: raw.len() }
}
