//! Which batches of a group are written, and where that takes the tip.

use primitives::{B256, Height};

use crate::{Batch, Refused, Tip};

/// What is to be written.
pub(crate) struct Plan<'a> {
    pub(crate) batches: Vec<&'a Batch>,
    /// Where the tip stands afterwards.
    pub(crate) tip: Option<Tip>,
    /// Batches that were committed before.
    pub(crate) repeated: usize,
}

/// Why a group cannot be committed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misplaced {
    WrongHeight { expected: Height, given: Height },
    Conflict { stored: Tip, given: Tip },
    Refused(Refused),
    Io(String),
}

impl<'a> Plan<'a> {
    /// Orders `batches` behind `tip`; `hash_at` knows what was committed before.
    pub(crate) fn of<E: ToString>(
        batches: &'a [Batch],
        tip: Option<Tip>,
        hash_at: impl Fn(Height) -> Result<Option<B256>, E>,
    ) -> Result<Self, Misplaced> {
        let mut plan = Self { batches: Vec::with_capacity(batches.len()), tip, repeated: 0 };
        for batch in batches {
            batch.check().map_err(Misplaced::Refused)?;
            match batch.tip() {
                Some(given) if plan.tip.is_some_and(|tip| given.height <= tip.height) => {
                    plan.check_repeated(given, &hash_at)?;
                    plan.repeated += 1;
                    continue;
                }
                Some(given) => plan.advance(given)?,
                None if batch.is_empty() => continue,
                None => {}
            }
            plan.batches.push(batch);
        }
        Ok(plan)
    }

    /// Whether a block is among what is written.
    pub(crate) fn moves_tip(&self) -> bool {
        self.batches.iter().any(|batch| batch.tip().is_some())
    }

    fn advance(&mut self, given: Tip) -> Result<(), Misplaced> {
        let expected = self.tip.map_or(Height::GENESIS, |tip| tip.height.next());
        if given.height != expected {
            return Err(Misplaced::WrongHeight { expected, given: given.height });
        }
        self.tip = Some(given);
        Ok(())
    }

    fn check_repeated<E: ToString>(&self, given: Tip, hash_at: impl Fn(Height) -> Result<Option<B256>, E>) -> Result<(), Misplaced> {
        let in_group = self.batches.iter().filter_map(|batch| batch.tip()).find(|tip| tip.height == given.height);
        let stored = match in_group {
            Some(tip) => Some(tip.hash),
            None => hash_at(given.height).map_err(|error| Misplaced::Io(error.to_string()))?,
        };
        let hash = stored.ok_or_else(|| Misplaced::Io(format!("the hash of height {} is missing", given.height)))?;
        if hash == given.hash { Ok(()) } else { Err(Misplaced::Conflict { stored: Tip { height: given.height, hash }, given }) }
    }
}
