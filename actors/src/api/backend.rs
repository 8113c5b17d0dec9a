//! The node as the API sees it.

use std::sync::Arc;

use alloy_consensus::{Sealable, Transaction as _, transaction::SignerRecoverable};
use alloy_eips::eip7840::BlobParams;
use api::{
    Accessed, AccountProof, AccountState, BackendError, BlockRef, Call, Contradiction, Criterion, DecidedBlock, Fork, ForkSchedule, Found,
    Happenings, Health, LogCriteria, PeersPage, PoolContent, Rejection, SealedHeader, SyncStatus, Tracing, UnixSeconds, Validators,
};
use arc_swap::ArcSwapOption;
use execution::{CallOutcome, Simulation, StateReader};
use opentelemetry::metrics::Meter;
use primitives::{Address, B256, Block, Body, Bytes, Certificate, Clock, Genesis, Height, Metadata, U256, light::Bundle};
use serde_json::value::RawValue;
use supervision::{Events, Snapshots};
use tokio::sync::{broadcast, watch};

use super::{
    convert, decisions, fees, health, light, peers,
    readiness::Readiness,
    restarts::Restarts,
    state::{Simulator, state_at},
};
use crate::{
    admission::Admission,
    consensus::ConsensusView,
    heads::Heads,
    ledger::Ledger,
    mempool::MempoolMailbox,
    p2p::{Door, Peers},
    room::Room,
    sync::SyncView,
};

/// Blocks looked at for a suggested tip.
const TIP_BLOCKS: u64 = 20;

/// Where the answers come from.
#[derive(Clone)]
pub struct Sources {
    pub chain_name: String,
    pub genesis: Arc<Genesis>,
    pub version: String,
    /// The validator that this node is.
    pub validator: Option<Address>,
    pub ledger: Ledger,
    pub room: Room,
    pub admission: Arc<Admission>,
    pub mempool: MempoolMailbox,
    pub heads: Heads,
    pub peers: Peers,
    pub door: Door,
    pub consensus: ConsensusView,
    pub sync: SyncView,
    pub clock: Arc<dyn Clock>,
    /// Filled in when the tree runs.
    pub snapshots: Arc<ArcSwapOption<Snapshots>>,
    /// The same.
    pub events: Arc<ArcSwapOption<Events>>,
    /// Where the criteria of readiness are shown.
    pub meter: Meter,
    /// Where the disk's free space is looked up.
    pub data_directory: std::path::PathBuf,
    /// Addresses this node must listen on, by what they are for.
    pub listeners: Vec<(&'static str, std::net::SocketAddr)>,
}

/// Answers the API from ledger, pool and views. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    pub(super) sources: Sources,
    simulator: Simulator,
    restarts: Restarts,
    readiness: Readiness,
}

impl Backend {
    pub fn new(sources: Sources) -> Self {
        let readiness = Readiness::default();
        readiness.observe(&sources.meter, &sources);
        Self { simulator: Simulator::new(&sources), restarts: Restarts::default(), readiness, sources }
    }

    fn ledger(&self) -> &Ledger {
        &self.sources.ledger
    }

    fn height(&self, block: BlockRef) -> Result<Option<Height>, BackendError> {
        let tip = self.ledger().tip().map_err(convert::read)?;
        match block {
            BlockRef::Latest => Ok(Some(tip)),
            BlockRef::Height(height) => Ok((height <= tip).then_some(height)),
            BlockRef::Hash(hash) => self.ledger().height_of(&hash).map_err(convert::read),
        }
    }

    fn header_at(&self, height: Height) -> Result<Option<SealedHeader>, BackendError> {
        Ok(self.ledger().header(height).map_err(convert::read)?.map(Sealable::seal_slow))
    }

    /// The block and the bytes of its RLP. Block 0 has no stored body.
    fn opened(&self, height: Height) -> Result<Option<(Block, Bytes)>, BackendError> {
        if height == Height::GENESIS {
            let block = genesis_block(&self.sources.genesis);
            let bytes = alloy_rlp::encode(&block).into();
            return Ok(Some((block, bytes)));
        }
        let Some(body) = self.ledger().body(height).map_err(convert::read)? else { return Ok(None) };
        let (block, _) = Body::open(&body).map_err(|error| BackendError::Internal(error.to_string()))?;
        Ok(Some((block, body.block)))
    }
}

fn genesis_block(genesis: &Genesis) -> Block {
    let body = alloy_consensus::BlockBody { withdrawals: Some(Default::default()), ..Default::default() };
    Block { header: genesis.header().clone(), body }
}

impl api::Backend for Backend {
    fn chain_id(&self) -> u64 {
        self.sources.genesis.chain_id
    }

    fn client_version(&self) -> String {
        self.sources.version.clone()
    }

    fn blob_params(&self, timestamp: u64) -> BlobParams {
        self.sources.admission.chain().blob_params(timestamp)
    }

    fn forks(&self) -> ForkSchedule {
        let genesis = &self.sources.genesis;
        let later = [(Fork::Prague, genesis.forks.prague), (Fork::Osaka, genesis.forks.osaka)];
        let forks = later.into_iter().filter_map(|(fork, activation)| Some((fork, activation?)));
        ForkSchedule { genesis: genesis.hash(), genesis_time: genesis.timestamp, forks: std::iter::once((Fork::Cancun, 0)).chain(forks).collect() }
    }

    fn heads(&self) -> watch::Receiver<Height> {
        self.sources.heads.heights()
    }

    fn pending(&self) -> broadcast::Receiver<B256> {
        self.sources.heads.pending()
    }

    async fn head(&self) -> Result<SealedHeader, BackendError> {
        let head = self.ledger().head().map_err(convert::read)?;
        Ok(SealedHeader::new_unchecked(head.header, head.hash))
    }

    async fn header(&self, block: BlockRef) -> Result<Option<SealedHeader>, BackendError> {
        self.height(block)?.map_or(Ok(None), |height| self.header_at(height))
    }

    async fn headers(&self, first: Height, count: u64) -> Result<Vec<SealedHeader>, BackendError> {
        let tip = self.ledger().tip().map_err(convert::read)?;
        let end = first.0.saturating_add(count).min(tip.0.saturating_add(1));
        (first.0..end).map(|height| self.header_at(Height(height))?.ok_or(BackendError::UnknownBlock)).collect()
    }

    async fn block(&self, block: BlockRef) -> Result<Option<Arc<DecidedBlock>>, BackendError> {
        let Some(height) = self.height(block)? else { return Ok(None) };
        let Some((block, bytes)) = self.opened(height)? else { return Ok(None) };
        let receipts = self.ledger().receipts(height).map_err(convert::read)?;
        let senders = match receipts {
            Some(receipts) => receipts.iter().map(|receipt| receipt.sender).collect(),
            None => block.body.transactions.iter().filter_map(|transaction| transaction.recover_signer().ok()).collect(),
        };
        Ok(Some(Arc::new(DecidedBlock { hash: block.header.hash_slow(), size_bytes: bytes.len() as u64, block, senders })))
    }

    async fn raw_block(&self, block: BlockRef) -> Result<Option<Bytes>, BackendError> {
        let Some(height) = self.height(block)? else { return Ok(None) };
        Ok(self.opened(height)?.map(|(_, bytes)| bytes))
    }

    async fn light_proof(&self, block: BlockRef) -> Result<Option<Bundle>, BackendError> {
        match self.height(block)? {
            Some(height) => light::proof(self.ledger(), &self.sources.genesis.validators, height),
            None => Ok(None),
        }
    }

    async fn metadata(&self, height: Height) -> Result<Option<Metadata>, BackendError> {
        decisions::metadata(&self.sources, height)
    }

    async fn certificate(&self, height: Height) -> Result<Option<Certificate>, BackendError> {
        self.ledger().certificate(height).map_err(convert::read)
    }

    async fn validators(&self, _: Height) -> Result<Validators, BackendError> {
        Ok(decisions::validators(&self.sources))
    }

    async fn contradictions(&self, max: usize) -> Result<Vec<Contradiction>, BackendError> {
        decisions::contradictions(&self.sources, max)
    }

    async fn receipts(&self, height: Height) -> Result<Option<Arc<Vec<alloy_consensus::Receipt>>>, BackendError> {
        if height == Height::GENESIS {
            return Ok(Some(Arc::default()));
        }
        let receipts = self.ledger().receipts(height).map_err(convert::read)?;
        Ok(receipts.map(|receipts| Arc::new(receipts.into_iter().map(plain).collect())))
    }

    async fn transaction(&self, hash: B256) -> Result<Option<Found>, BackendError> {
        let decided = || {
            let location = self.ledger().location(&hash).map_err(convert::read)?;
            Ok::<_, BackendError>(location.map(|(height, index)| Found::Decided { height, index: u64::from(index) }))
        };
        if let Some(decided) = decided()? {
            return Ok(Some(decided));
        }
        match self.sources.mempool.find(hash).await.map_err(convert::asked)? {
            Some(pooled) => Ok(Some(Found::Waiting(Box::new((*pooled.transaction).clone())))),
            // It may have left the pool for a block between the two questions.
            None => decided(),
        }
    }

    async fn account(&self, address: Address, at: BlockRef) -> Result<AccountState, BackendError> {
        let account = state_at(self.ledger(), at)?.account(&address).map_err(convert::state)?.unwrap_or_default();
        Ok(AccountState { balance: account.balance, nonce: account.nonce })
    }

    async fn pending_nonce(&self, address: Address) -> Result<u64, BackendError> {
        // In this order: what leaves the pool for a block is in the ledger before, so one of the two has it.
        let pending = self.sources.mempool.next_nonce(address).await.map_err(convert::asked)?;
        let account = self.ledger().account(&address).map_err(convert::read)?.unwrap_or_default();
        Ok(pending.unwrap_or_default().max(account.nonce))
    }

    async fn code(&self, address: Address, at: BlockRef) -> Result<Bytes, BackendError> {
        let state = state_at(self.ledger(), at)?;
        let account = state.account(&address).map_err(convert::state)?.unwrap_or_default();
        Ok(state.code(&account.code_hash).map_err(convert::state)?.unwrap_or_default())
    }

    async fn storage(&self, address: Address, slot: U256, at: BlockRef) -> Result<B256, BackendError> {
        let value = state_at(self.ledger(), at)?.slot(&address, &B256::from(slot)).map_err(convert::state)?;
        Ok(B256::from(value))
    }

    async fn proof(&self, address: Address, slots: Vec<B256>, at: BlockRef) -> Result<AccountProof, BackendError> {
        let prove = move |simulation: &Simulation<'_>| execution::prove(simulation.state, simulation.header.state_root, &address, &slots);
        self.simulator.run(at, prove).await?.map(convert::proof).map_err(convert::trie)
    }

    async fn log_heights(&self, wanted: LogCriteria, first: Height, last: Height) -> Result<Vec<Height>, BackendError> {
        let (ledger, query) = (self.ledger().clone(), convert::wanted(wanted));
        self.simulator.blocking(move |_| ledger.log_heights(&query, first, last)).await?.map_err(convert::read)
    }

    async fn call(&self, call: Call, at: BlockRef) -> Result<Bytes, BackendError> {
        let request = convert::call(call);
        match self.simulator.run(at, move |simulation| simulation.call(&request)).await?.map_err(convert::call_error)? {
            CallOutcome::Success { output, .. } => Ok(output),
            CallOutcome::Revert { output, .. } => Err(BackendError::Reverted { data: output }),
            CallOutcome::Halt { reason, .. } => Err(BackendError::Halted(reason.to_string())),
        }
    }

    async fn estimate_gas(&self, call: Call, at: BlockRef) -> Result<u64, BackendError> {
        let request = convert::call(call);
        self.simulator.run(at, move |simulation| simulation.estimate_gas(&request)).await?.map_err(convert::call_error)
    }

    async fn access_list(&self, call: Call, at: BlockRef) -> Result<Accessed, BackendError> {
        let request = convert::call(call);
        let outcome = self.simulator.run(at, move |simulation| simulation.access_list(&request)).await?.map_err(convert::call_error)?;
        Ok(Accessed { list: outcome.list, gas_used: outcome.gas_used, failure: outcome.failure })
    }

    async fn trace_block(&self, block: BlockRef, index: Option<u64>, tracing: Tracing) -> Result<Vec<Box<RawValue>>, BackendError> {
        let height = self.height(block)?.ok_or(BackendError::UnknownBlock)?;
        self.simulator.trace_block(height, index, tracing).await
    }

    async fn trace_call(&self, call: Call, at: BlockRef, tracing: Tracing) -> Result<Box<RawValue>, BackendError> {
        self.simulator.trace_call(call, at, tracing).await
    }

    async fn pool(&self, sender: Option<Address>, max: usize) -> Result<PoolContent, BackendError> {
        let content = self.sources.mempool.content(sender, max).await.map_err(convert::asked)?;
        let content = content.map_err(|many| BackendError::LimitExceeded(format!("{many}; ask for one sender with txpool_contentFrom")))?;
        Ok(PoolContent { pending: content.pending, queued: content.queued })
    }

    async fn submit(&self, raw: Bytes) -> Result<B256, BackendError> {
        let pooled = self.sources.admission.examine(&raw).map_err(convert::inadmissible)?;
        if pooled.transaction.chain_id().is_none() {
            return Err(Rejection::Unprotected.into());
        }
        if self.ledger().location(&pooled.hash).map_err(convert::read)?.is_some() {
            return Err(convert::rejected(crate::mempool::Rejected::AlreadyKnown));
        }
        execution::admission::check_state(&self.ledger().state().map_err(convert::read)?, &pooled.transaction).map_err(convert::inadmissible)?;
        self.sources.mempool.submit(pooled).await.map_err(convert::rejected)
    }

    async fn suggested_tip(&self) -> Result<u128, BackendError> {
        let tip = self.ledger().tip().map_err(convert::read)?;
        let mut blocks = Vec::new();
        for height in (1..=tip.0).rev().take(TIP_BLOCKS as usize).map(Height) {
            let header = self.ledger().header(height).map_err(convert::read)?.ok_or(BackendError::UnknownBlock)?;
            if header.gas_used > 0 {
                let receipts = self.ledger().receipts(height).map_err(convert::read)?.unwrap_or_default();
                blocks.push((receipts, header.base_fee_per_gas.unwrap_or_default()));
            }
        }
        Ok(fees::suggested_tip(&blocks))
    }

    async fn sync_status(&self) -> Result<SyncStatus, BackendError> {
        let current = self.ledger().tip().map_err(convert::read)?;
        Ok(self.sources.sync.status(current))
    }

    async fn peers(&self) -> Result<PeersPage, BackendError> {
        Ok(peers::page(&self.sources))
    }

    async fn health(&self) -> Health {
        health::health(&self.sources, &self.restarts).await
    }

    async fn readiness(&self) -> Vec<Criterion> {
        self.readiness.criteria(&self.sources).await
    }

    fn actors(&self) -> supervision::Snapshot {
        health::actors(&self.sources)
    }

    fn happenings(&self) -> Option<Happenings> {
        let events = Events::clone(&*self.sources.events.load_full()?);
        let began_unix_ms = self.sources.clock.unix_ms().saturating_sub(events.age().as_millis() as u64);
        Some(Happenings { events, began_unix_ms })
    }

    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.sources.clock.unix_ms() / 1_000)
    }
}

/// A receipt without what only the node keeps beside it.
fn plain(receipt: execution::Receipt) -> alloy_consensus::Receipt {
    alloy_consensus::Receipt { status: receipt.is_success.into(), cumulative_gas_used: receipt.cumulative_gas_used, logs: receipt.logs }
}
