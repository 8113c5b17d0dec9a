//! The life of execution.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_eips::eip2718::Encodable2718;
use execution::{Attributes, Cancel, Changes, CommitError, Committed, Embedded, ReadError, StateReader, Validators, Verdict};
use primitives::{Address, Clock, Genesis, Header, Height, Metadata, RecoveredTransaction, limits};
use storage::Retention;
use supervision::{ChildSpec, Context, Fault, Incarnation, Reply, answer};
use tracing::{Instrument, debug, error, info, warn};
use wire::{Message as Wire, Status};

use super::{BuiltBlock, CommitFailure, Decided, ExecutionMailbox, ExecutionMetrics, mailbox::Message, rows::rows};
use crate::{
    admission::Admission,
    heads::Heads,
    ledger::Ledger,
    mempool::{self, MempoolMailbox},
    p2p::Peers,
    proposals::ProposalsMailbox,
    room::Room,
    storage::{StorageError, StorageMailbox},
};

/// How long executing and writing one decided block may block a thread.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

/// What execution is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub genesis: Arc<Genesis>,
    pub ledger: Ledger,
    pub admission: Arc<Admission>,
    pub storage: StorageMailbox,
    pub room: Room,
    pub mempool: MempoolMailbox,
    pub proposals: ProposalsMailbox,
    pub peers: Peers,
    /// Told of every committed block.
    pub heads: Heads,
    pub clock: Arc<dyn Clock>,
    pub metrics: ExecutionMetrics,
    /// Who gets the tips of blocks built here.
    pub fee_recipient: Address,
    /// How much of the past state is kept.
    pub retention: Retention,
}

struct Execution {
    parts: Parts,
    engine: Arc<Embedded>,
    /// Verdicts under way, by number.
    running: BTreeMap<u64, (Height, Cancel)>,
    next_run: u64,
}

/// The child of the tree.
pub fn child(mailbox: &ExecutionMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("execution", mailbox.address.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move { Execution::on(parts) }
    })
}

impl supervision::Actor for Execution {
    type Message = Message;

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Build(height, reply) => {
                or_closed(self.follow_reopening())?;
                self.build(height, reply, context);
            }
            Message::Judge(body, reply) => {
                or_closed(self.follow_reopening())?;
                self.judge(body, reply, context);
            }
            Message::Commit(decided, reply) => {
                let outcome = or_closed(self.commit(*decided, context).await)?;
                answer(reply, outcome.unwrap_or(Err(CommitFailure::NoSpace)));
            }
        }
        Ok(())
    }
}

impl Execution {
    fn on(parts: Parts) -> Result<Self, Fault> {
        let engine = engine(&parts)?;
        Ok(Self { parts, engine, running: BTreeMap::new(), next_run: 0 })
    }

    /// A database that was reopened, because the disk had been full, leaves us on a state that is closed: we go on with the new
    /// one. Verdicts under way on the old one come to nothing.
    fn follow_reopening(&mut self) -> Result<(), Fault> {
        if self.is_closed() && self.parts.ledger.state().is_ok() {
            self.running.values().for_each(|(_, cancel)| cancel.cancel());
            self.running.clear();
            self.engine = engine(&self.parts)?;
            info!(height = %self.engine.head().1, "execution goes on with the reopened database");
        }
        Ok(())
    }

    /// Whether the state we stand on can be read no more.
    fn is_closed(&self) -> bool {
        let (_, head, state) = self.engine.finalised();
        state.block_hash(head.number) == Err(ReadError::Closed)
    }

    fn build(&self, height: Height, reply: Reply<Result<BuiltBlock, String>>, context: &Context<Message>) {
        let (parts, engine, span) = (self.parts.clone(), self.engine.clone(), context.span("build"));
        context.task("build", async move {
            let started = Instant::now();
            let outcome = build(&parts, &engine, height).instrument(span).await;
            parts.metrics.build_seconds.record(started.elapsed().as_secs_f64(), &[]);
            answer(reply, outcome);
        });
    }

    fn judge(&mut self, body: primitives::Body, reply: Reply<Verdict>, context: &Context<Message>) {
        let cancel = Cancel::default();
        let height = self.engine.head().1.next();
        // The oldest gives way: it is of the lowest round, or done.
        if limits::MAX_OVERLAYS_PER_HEIGHT <= self.running.len()
            && let Some((_, (_, oldest))) = self.running.pop_first()
        {
            oldest.cancel();
        }
        self.running.insert(self.next_run, (height, cancel.clone()));
        self.next_run += 1;
        let (parts, engine) = (self.parts.clone(), self.engine.clone());
        context.task("judge", async move {
            let started = Instant::now();
            let validators = validators(&parts.genesis);
            let verdict = tokio::task::block_in_place(|| engine.validate(&body, &validators, parts.clock.unix_ms(), &cancel));
            parts.metrics.judge_seconds.record(started.elapsed().as_secs_f64(), &[]);
            answer(reply, verdict);
        });
    }

    async fn commit(&mut self, decided: Decided, context: &mut Context<Message>) -> Result<Result<u64, CommitFailure>, Fault> {
        self.follow_reopening()?;
        let Decided { certificate, body } = decided;
        let (height, hash) = (certificate.height, certificate.value);
        let started = Instant::now();
        let validators = validators(&self.parts.genesis);
        let engine = self.engine.clone();
        let cancel = Cancel::default();
        let work = || engine.commit_decided(height, hash, &body, &validators, &cancel);
        let changes = match context.blocking(COMMIT_LIMIT, "commit", work).await? {
            Ok(Committed::Changes(changes)) => changes,
            Ok(Committed::Already) => return Ok(Ok(self.committed_time(height)?)),
            Err(error) => return refused(height, &error).map(Err),
        };
        let undecided = self.parts.ledger.undecided_up_to(height)?;
        let (before, retention) = (self.parts.ledger.view()?, self.parts.retention);
        let batch = context.blocking(COMMIT_LIMIT, "rows", || rows(&changes, &certificate, &undecided, &before, retention)).await??;
        drop(before);
        match self.parts.storage.commit(batch, COMMIT_LIMIT).await {
            Ok(()) => {}
            Err(StorageError::NoSpace) => return Ok(Err(CommitFailure::NoSpace)),
            Err(StorageError::Refused(reason)) => return Err(Fault::new(reason)),
            Err(error) => return Ok(Err(CommitFailure::Unavailable(error.to_string()))),
        }
        self.engine.certified(certificate.clone());
        self.engine.finalise(hash, Arc::new(self.parts.ledger.state()?))?;
        self.parts.metrics.commit_seconds.record(started.elapsed().as_secs_f64(), &[]);
        self.tell(&changes, &certificate).await;
        Ok(Ok(changes.block.header().timestamp.saturating_mul(1_000)))
    }

    fn committed_time(&self, height: Height) -> Result<u64, Fault> {
        let header = self.parts.ledger.header(height)?.ok_or_else(|| Fault::new("a committed header is missing"))?;
        Ok(header.timestamp.saturating_mul(1_000))
    }

    /// Lets everybody know who waits for a committed block. Whoever is away reads it from the ledger when it comes back.
    async fn tell(&mut self, changes: &Changes, certificate: &primitives::Certificate) {
        let (height, block) = (changes.height, &changes.block);
        let transactions = block.senders.len();
        info!(%height, round = certificate.round.0, txs = transactions, gas = block.gas_used(), hash = %changes.hash, "block committed");
        self.parts.metrics.height.record(height.0, &[]);
        self.parts.metrics.transactions.add(transactions as u64, &[]);
        self.parts.metrics.gas.add(block.gas_used(), &[]);
        self.running.retain(|_, (of, cancel)| {
            let is_over = *of <= height;
            if is_over {
                cancel.cancel();
            }
            !is_over
        });
        self.parts.heads.committed(height, self.parts.clock.monotonic());
        self.parts.peers.say(None, Wire::Status(Status { height, hash: changes.hash }));
        let told = [self.parts.proposals.committed(height).await, self.parts.mempool.committed(self.for_mempool(changes)).await];
        for error in told.into_iter().filter_map(Result::err) {
            debug!(%height, %error, "somebody was not told of a committed block and will read it from the ledger");
        }
        self.parts.mempool.offer(None, changes.dropped.iter().map(|transaction| transaction.inner().encoded_2718().into()).collect());
    }

    fn for_mempool(&self, changes: &Changes) -> mempool::Committed {
        let sender = |account: &Option<execution::Account>| {
            account.map_or(mempool::Sender::default(), |account| mempool::Sender { nonce: account.nonce, balance: account.balance })
        };
        mempool::Committed {
            accounts: changes.block.changes.accounts.iter().map(|(address, account)| (*address, sender(account))).collect(),
            included: changes.block.transaction_hashes().collect(),
            base_fee: self.engine.chain().next_base_fee(changes.block.header()),
        }
    }
}

/// None for what failed on a closed database: while storage lives, it is only being reopened, because the disk had been full.
fn or_closed<T>(outcome: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match outcome {
        Err(fault) if fault.cause() == Some(&storage::ReadError::Closed) || fault.cause() == Some(&ReadError::Closed) => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// A decided block that cannot be committed: evil, or our own affair.
fn refused(height: Height, reason: &CommitError) -> Result<CommitFailure, Fault> {
    match reason {
        CommitError::Rejected { .. } => {
            error!(%height, code = "E-EXEC-REJECT", %reason, "the validators decided a block that breaks a rule");
            Ok(CommitFailure::Rejected(reason.to_string()))
        }
        CommitError::Conflict { .. } | CommitError::OtherBody { .. } => Ok(CommitFailure::Rejected(reason.to_string())),
        CommitError::NoVerdict { .. } | CommitError::TooManyUnwritten | CommitError::Read(_) => {
            warn!(%height, %reason, "a decided block is not committed yet");
            Ok(CommitFailure::Unavailable(reason.to_string()))
        }
        CommitError::Gap { .. } => Err(Fault::new(reason.to_string())),
    }
}

/// An engine that stands on the newest committed state.
fn engine(parts: &Parts) -> Result<Arc<Embedded>, Fault> {
    let state = parts.ledger.state()?;
    let head = parts.ledger.header(state.height())?.ok_or_else(|| Fault::new("the header of the tip is missing"))?;
    Ok(Arc::new(Embedded::new(&parts.genesis, Arc::new(state), head)?.remembering(parts.admission.senders().clone())))
}

fn validators(genesis: &Genesis) -> Validators {
    let set = &genesis.validators;
    Validators { parent: set.clone(), current: set.hash(), next: set.hash() }
}

async fn build(parts: &Parts, engine: &Embedded, height: Height) -> Result<BuiltBlock, String> {
    let (parent, header, _) = engine.finalised();
    if Height(header.number).next() != height {
        return Err(format!("a block at height {height} is wanted, but the head is at {}", header.number));
    }
    let metadata = metadata(parts, height)?;
    let attributes = Attributes { timestamp: timestamp(parts, &header), metadata, fee_recipient: parts.fee_recipient };
    // A pool that is away costs the block its transactions, not the chain its block.
    let candidates = parts.mempool.best(parts.genesis.gas_limit).await.unwrap_or_else(|error| {
        warn!(%height, %error, "building an empty block: the mempool does not answer");
        Vec::new()
    });
    let mut candidates = candidates.iter().map(|transaction| RecoveredTransaction::clone(transaction));
    let built = tokio::task::block_in_place(|| engine.build(&parent, attributes, &mut candidates, &Cancel::default()));
    let built = built.map_err(|error| error.to_string())?;
    parts.mempool.discard(built.refused.iter().filter(|refused| !refused.why.is_early()).map(|refused| *refused.transaction.tx_hash()).collect());
    Ok(BuiltBlock { hash: built.executed.hash, body: built.executed.body.clone() })
}

fn metadata(parts: &Parts, height: Height) -> Result<Metadata, String> {
    let set = parts.genesis.validators.hash();
    let parent_certificate = match height.previous().filter(|parent| *parent > Height::GENESIS) {
        None => None,
        Some(parent) => {
            let certificate = parts.ledger.certificate(parent).map_err(|error| error.to_string())?;
            Some(certificate.ok_or_else(|| format!("the certificate of height {parent} is missing"))?)
        }
    };
    Ok(Metadata { parent_certificate, validators_hash: set, next_validators_hash: set })
}

/// Unix seconds: the clock's, but later than the parent's by the block interval in whole seconds.
fn timestamp(parts: &Parts, parent: &Header) -> u64 {
    let step = parts.genesis.consensus.block_interval.as_secs();
    (parts.clock.unix_ms() / 1_000).max(parent.timestamp + step)
}
