//! The embedded engine: builds, judges and commits blocks on revm.
//!
//! ```text
//! build / validate ---> Executed, kept in the tree (at most four a height)
//! commit_decided -----> Changes, to be written in one batch
//! finalise -----------> the tree moves up to what is written; losers go
//! ```
//!
//! Everything is synchronous and takes `&self`; locks are held for bookkeeping only, never while a block runs.

use std::{sync::Arc, time::Duration};

use alloy_primitives::B256;
use parking_lot::{Condvar, Mutex};
use primitives::{Block, Body, Certificate, Domain, Genesis, Header, Height, Metadata, RecoveredTransaction, limits};

use crate::{
    Attributes, BuildError, Built, Cancel, Chain, Executed, NoVerdict, Overlay, Rule, Senders, StateReader, Validators, Verdict,
    branches::{Branches, NoParent, Parent},
    execute::{self, Policy},
    executed::{blank_header, complete},
    rules,
};

/// How often somebody who waits for another's verdict looks whether he is still wanted.
const CANCEL_POLL: Duration = Duration::from_millis(20);
/// Bytes of a block that are neither transactions nor metadata, rounded up.
const MAX_HEADER_BYTES: usize = 2 << 10;

/// The engine. Share it by reference or in an `Arc`.
pub struct Embedded {
    chain: Chain,
    domain: Domain,
    senders: Arc<Senders>,
    certified: Mutex<Option<Arc<Certificate>>>,
    pub(crate) tree: Mutex<Tree>,
    /// Notified when a block stops being executed.
    settled: Condvar,
}

pub(crate) struct Tree {
    pub branches: Branches,
    /// Blocks being judged right now: nothing is executed twice at once either.
    running: Vec<B256>,
}

/// Why an engine cannot stand on a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the state stands at height {state}, but the head is block {head}")]
    OtherHeight { state: Height, head: u64 },
}

impl Embedded {
    /// An engine on `state`, whose last block is `head`.
    pub fn new(genesis: &Genesis, state: Arc<dyn StateReader>, head: Header) -> Result<Self, OpenError> {
        if state.height().0 != head.number {
            return Err(OpenError::OtherHeight { state: state.height(), head: head.number });
        }
        let hash = head.hash_slow();
        let tree = Tree { branches: Branches::new(state, head, hash), running: Vec::new() };
        let (chain, domain) = (Chain::from(genesis), genesis.domain());
        Ok(Self { chain, domain, senders: Arc::default(), certified: Mutex::default(), tree: Mutex::new(tree), settled: Condvar::new() })
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// With the memory of whoever admits transactions, so that senders are recovered once.
    pub fn remembering(self, senders: Arc<Senders>) -> Self {
        Self { senders, ..self }
    }

    /// Remembers who sent what; whoever admits transactions recovers through it, so that blocks need not.
    pub fn senders(&self) -> &Senders {
        &self.senders
    }

    /// `certificate` holds, and the next block brings one for the same decision: signatures they share are not checked again.
    pub fn certified(&self, certificate: Certificate) {
        *self.certified.lock() = Some(Arc::new(certificate));
    }

    /// The last block that is written, its hash, and the state after it.
    pub fn finalised(&self) -> (B256, Header, Arc<dyn StateReader>) {
        let tree = self.tree.lock();
        let (hash, header, state) = tree.branches.finalised();
        (hash, header.clone(), state.clone())
    }

    /// The best tip, decided or not: longest, then lowest hash.
    pub fn head(&self) -> (B256, Height) {
        let (hash, number) = self.tree.lock().branches.head();
        (hash, Height(number))
    }

    /// An executed block that is not yet written.
    pub fn executed(&self, hash: &B256) -> Option<Arc<Executed>> {
        self.tree.lock().branches.get(hash).cloned()
    }

    /// The state after a block that is not yet written, or after the last that is.
    pub fn state_after(&self, hash: &B256) -> Option<Overlay> {
        self.tree.lock().branches.state_after(hash)
    }

    /// A block on `parent` with those of `candidates` that can be executed, in their order. It pulls candidates until the
    /// block is full or there are none left.
    pub fn build(
        &self,
        parent: &B256,
        attributes: Attributes,
        candidates: &mut dyn Iterator<Item = RecoveredTransaction>,
        cancel: &Cancel,
    ) -> Result<Built, BuildError> {
        let place = self.place_on(parent)?;
        let header = blank_header(&self.chain, &place.header, place.hash, &attributes);
        let policy = Policy::Fitting { max_bytes: self.room_for_transactions(&header, &attributes.metadata) };
        let mut run = execute::run(&self.chain, &place.state, &header, candidates, policy, cancel)?;
        let refused = std::mem::take(&mut run.refused);
        let executed = complete(&self.chain, header, attributes.metadata, run, &place.state, place.trie);
        let executed = Arc::new(executed.map_err(|error| BuildError::Failed(error.to_string()))?);
        self.tree.lock().branches.insert(executed.clone(), false);
        Ok(Built { executed, refused })
    }

    /// Judges a proposed block at `now_ms`, Unix milliseconds. What was judged once is answered from memory.
    pub fn validate(&self, body: &Body, validators: &Validators, now_ms: u64, cancel: &Cancel) -> Verdict {
        self.judge(body, validators, Some(now_ms), cancel)
    }

    fn place_on(&self, parent: &B256) -> Result<Parent, BuildError> {
        let tree = self.tree.lock();
        let (root, header, _) = tree.branches.finalised();
        let number = match tree.branches.get(parent) {
            Some(block) => block.number(),
            None if *parent == root => header.number,
            None => return Err(BuildError::UnknownParent { parent: *parent }),
        };
        tree.branches.parent_of(parent, number + 1, None).map_err(|error| match error {
            NoParent::Unknown => BuildError::UnknownParent { parent: *parent },
            NoParent::Conflict => BuildError::ConflictsWithFinalized,
        })
    }

    fn room_for_transactions(&self, header: &Header, metadata: &Metadata) -> usize {
        let block = if self.chain.is_osaka(header.timestamp) { rules::MAX_OSAKA_BLOCK_BYTES } else { limits::MAX_BODY_BYTES };
        block.min(limits::MAX_BODY_BYTES - metadata.encode().len()).saturating_sub(MAX_HEADER_BYTES)
    }

    pub(crate) fn judge(&self, body: &Body, validators: &Validators, now_ms: Option<u64>, cancel: &Cancel) -> Verdict {
        let (block, metadata) = match rules::open(body) {
            Ok(opened) => opened,
            Err(rule) => return Verdict::Invalid(rule),
        };
        let hash = block.header.hash_slow();
        let claim = match self.claim(hash, cancel) {
            Ok(claim) => claim,
            Err(verdict) => return verdict,
        };
        let verdict = match self.judge_claimed(hash, block, metadata, body, validators, now_ms, cancel) {
            Ok(executed) => Verdict::Valid(executed),
            Err(verdict) => verdict,
        };
        match &verdict {
            Verdict::Valid(executed) => self.tree.lock().branches.insert(executed.clone(), true),
            Verdict::Invalid(rule) => self.tree.lock().branches.remember_broken(hash, rule.clone()),
            Verdict::None(_) => {}
        }
        drop(claim);
        verdict
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `judge`, cut out so that `?` can end it")]
    fn judge_claimed(
        &self,
        hash: B256,
        block: Block,
        metadata: Metadata,
        body: &Body,
        validators: &Validators,
        now_ms: Option<u64>,
        cancel: &Cancel,
    ) -> Result<Arc<Executed>, Verdict> {
        let header = &block.header;
        let place = self.place_of(&hash, header)?;
        rules::check_header(&self.chain, &place.header, header, &metadata)?;
        rules::check_size(&self.chain, header, body.block.len(), block.body.transactions.len())?;
        check_clock(header, now_ms)?;
        let known = self.certified.lock().clone();
        rules::check_metadata(&metadata, &place, known.as_deref(), validators, &self.domain)?;
        if let Some(executed) = self.executed(&hash) {
            return Ok(executed);
        }
        let claimed = header.clone();
        let transactions = self.senders.recover_all(block.body.transactions).map_err(|index| Rule::Signature { index })?;
        let run = execute::run(&self.chain, &place.state, &claimed, &mut transactions.into_iter(), Policy::All, cancel)?;
        let executed = complete(&self.chain, claimed.clone(), metadata, run, &place.state, place.trie);
        let executed = executed.map_err(|error| NoVerdict::Failed(error.to_string()))?;
        rules::check_results(&claimed, executed.header())?;
        Ok(Arc::new(executed))
    }

    fn place_of(&self, hash: &B256, header: &Header) -> Result<Parent, NoVerdict> {
        let tree = self.tree.lock();
        let parent = header.parent_hash;
        tree.branches.parent_of(&parent, header.number, Some(hash)).map_err(|error| match error {
            NoParent::Unknown => NoVerdict::UnknownParent { parent },
            NoParent::Conflict => NoVerdict::ConflictsWithFinalized,
        })
    }

    /// The right to judge `hash`; or the verdict that is known already, waiting for whoever is at it.
    fn claim(&self, hash: B256, cancel: &Cancel) -> Result<Claim<'_>, Verdict> {
        let mut tree = self.tree.lock();
        loop {
            if let Some(rule) = tree.branches.broken_rule(&hash) {
                return Err(Verdict::Invalid(rule.clone()));
            }
            if let Some(executed) = tree.branches.get(&hash).filter(|_| tree.branches.is_judged(&hash)) {
                return Err(Verdict::Valid(executed.clone()));
            }
            if !tree.running.contains(&hash) {
                tree.running.push(hash);
                return Ok(Claim { engine: self, hash });
            }
            if cancel.is_cancelled() {
                return Err(NoVerdict::Cancelled.into());
            }
            self.settled.wait_for(&mut tree, CANCEL_POLL);
        }
    }
}

/// The right to judge one block. Given back when dropped, also by a panic.
struct Claim<'a> {
    engine: &'a Embedded,
    hash: B256,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.engine.tree.lock().running.retain(|running| *running != self.hash);
        self.engine.settled.notify_all();
    }
}

fn check_clock(header: &Header, now_ms: Option<u64>) -> Result<(), NoVerdict> {
    let Some(now_ms) = now_ms else { return Ok(()) };
    let ahead_ms = header.timestamp.saturating_mul(1_000).saturating_sub(now_ms);
    match ahead_ms > limits::MAX_TIMESTAMP_AHEAD_MS {
        true => Err(NoVerdict::AheadOfClock { ahead_ms }),
        false => Ok(()),
    }
}
