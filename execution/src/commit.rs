//! From a decided block to what is written, in two steps: the changes first, and once they are on disk the tree moves up.

use std::sync::Arc;

use alloy_primitives::B256;
use primitives::{Body, Height, RecoveredTransaction};

use crate::{Cancel, Embedded, Executed, NoVerdict, ReadError, Rule, StateReader, Validators, Verdict, branches::Branches};

/// Heights that may be decided and not yet written.
pub const MAX_UNWRITTEN_HEIGHTS: usize = 128;

/// What committing a decided block came to.
#[derive(Clone, Debug)]
pub enum Committed {
    /// Write these in one batch, then call [`Embedded::finalise`].
    Changes(Changes),
    /// It was written before.
    Already,
}

/// Everything that a decided block writes.
#[derive(Clone, Debug)]
pub struct Changes {
    pub height: Height,
    pub hash: B256,
    /// The block, its receipts, and its state changes.
    pub block: Arc<Executed>,
    /// Transactions of losing blocks that the decided one does not hold; they wait again.
    pub dropped: Vec<RecoveredTransaction>,
}

/// Why a decided block was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A certificate decides a block that breaks a rule: safety is in doubt.
    #[error("the decided block {hash} breaks a rule: {rule}")]
    Rejected { hash: B256, rule: Rule },
    #[error("the decided block {hash} could not be executed: {reason}")]
    NoVerdict { hash: B256, reason: NoVerdict },
    #[error("height {height} is decided as {decided}, not as {asked}")]
    Conflict { height: Height, decided: B256, asked: B256 },
    #[error("height {height} cannot be committed before height {expected}")]
    Gap { height: Height, expected: Height },
    #[error("the body is that of block {found} at height {height}")]
    OtherBody { height: Height, found: B256 },
    #[error("{MAX_UNWRITTEN_HEIGHTS} decided heights are not written yet")]
    TooManyUnwritten,
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why the tree did not move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinaliseError {
    #[error("block {0} is not decided")]
    NotDecided(B256),
    #[error("the state stands at height {state}, but the block is at height {block}")]
    OtherHeight { state: Height, block: Height },
}

impl Embedded {
    /// What the decided block `hash` at `height` writes; executes it first where that has not happened.
    ///
    /// The one entry for live decisions, sync and replay. Asked again, it answers the same; a height that is written
    /// answers [`Committed::Already`]. Several heights may be decided before the first is written.
    pub fn commit_decided(
        &self,
        height: Height,
        hash: B256,
        body: &Body,
        validators: &Validators,
        cancel: &Cancel,
    ) -> Result<Committed, CommitError> {
        if self.is_written(height, hash)? {
            return Ok(Committed::Already);
        }
        check_turn(&self.tree.lock().branches, height, hash)?;
        if !self.tree.lock().branches.is_judged(&hash) {
            self.execute_decided(height, hash, body, validators, cancel)?;
        }
        let mut tree = self.tree.lock();
        let block = tree.branches.get(&hash).cloned().ok_or(CommitError::NoVerdict { hash, reason: NoVerdict::Dropped })?;
        check_place(&tree.branches, height, &block)?;
        tree.branches.decide(hash);
        let dropped = tree.branches.dropped_by(&block);
        Ok(Committed::Changes(Changes { height, hash, block, dropped }))
    }

    /// The changes of `hash` are on disk: from now on `state` is what blocks stand on. Losing branches are dropped.
    pub fn finalise(&self, hash: B256, state: Arc<dyn StateReader>) -> Result<(), FinaliseError> {
        let mut tree = self.tree.lock();
        if tree.branches.finalised().0 == hash {
            return Ok(());
        }
        let block = tree.branches.get(&hash).filter(|_| tree.branches.is_decided(&hash)).ok_or(FinaliseError::NotDecided(hash))?;
        let block = Height(block.number());
        if state.height() != block {
            return Err(FinaliseError::OtherHeight { state: state.height(), block });
        }
        tree.branches.finalise(hash, state);
        Ok(())
    }

    /// Whether the block is decided and written. Anything else at that height is a conflict.
    fn is_written(&self, height: Height, hash: B256) -> Result<bool, CommitError> {
        let tree = self.tree.lock();
        let (root_hash, root, state) = tree.branches.finalised();
        if height.0 > root.number {
            return Ok(false);
        }
        let written = match height.0 == root.number {
            true => root_hash,
            false => state.block_hash(height.0)?.ok_or_else(|| ReadError::Missing(format!("hash of block {height}")))?,
        };
        match written == hash {
            true => Ok(true),
            false => Err(CommitError::Conflict { height, decided: written, asked: hash }),
        }
    }

    fn execute_decided(&self, height: Height, hash: B256, body: &Body, validators: &Validators, cancel: &Cancel) -> Result<(), CommitError> {
        match self.judge(body, validators, None, cancel) {
            Verdict::Valid(executed) if executed.hash == hash => Ok(()),
            Verdict::Valid(executed) => Err(CommitError::OtherBody { height, found: executed.hash }),
            Verdict::Invalid(rule) => Err(CommitError::Rejected { hash, rule }),
            Verdict::None(reason) => Err(CommitError::NoVerdict { hash, reason }),
        }
    }
}

/// Heights are decided one after the other, and each once.
fn check_turn(branches: &Branches, height: Height, hash: B256) -> Result<(), CommitError> {
    if let Some(decided) = branches.decided_at(height.0) {
        return if decided == hash { Ok(()) } else { Err(CommitError::Conflict { height, decided, asked: hash }) };
    }
    let expected = Height(branches.last_decided().1).next();
    if height != expected {
        return Err(CommitError::Gap { height, expected });
    }
    if branches.unwritten() >= MAX_UNWRITTEN_HEIGHTS {
        return Err(CommitError::TooManyUnwritten);
    }
    Ok(())
}

/// A decided block stands on the last decided one.
fn check_place(branches: &Branches, height: Height, block: &Executed) -> Result<(), CommitError> {
    check_turn(branches, height, block.hash)?;
    if block.number() != height.0 {
        return Err(CommitError::OtherBody { height, found: block.hash });
    }
    let (decided, number) = branches.last_decided();
    if !branches.is_decided(&block.hash) && block.header().parent_hash != decided {
        let asked = block.header().parent_hash;
        return Err(CommitError::Conflict { height: Height(number), decided, asked });
    }
    Ok(())
}
