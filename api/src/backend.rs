//! Everything the API asks of the node.

use std::{future::Future, sync::Arc};

use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, B256, Bytes, U256};
use primitives::{Certificate, Height, Metadata, light::Bundle};
use serde_json::value::RawValue;
use tokio::sync::{broadcast, watch};

use crate::{
    Accessed, AccountProof, AccountState, BackendError, BlockRef, Call, Contradiction, Criterion, DecidedBlock, ForkSchedule, Found, Happenings,
    Health, LogCriteria, PeersPage, PoolContent, SealedHeader, SyncStatus, Tracing, UnixSeconds, Validators,
};

/// The node behind the API. Cheap to clone; every method may be called from many requests at once.
///
/// Each question has its own time limit in the node; the API's request limit stands above them all. A block that is not there
/// is `Ok(None)` where the block itself is asked for, and [`BackendError::UnknownBlock`] where something is asked *of* it.
pub trait Backend: Clone + Send + Sync + 'static {
    fn chain_id(&self) -> u64;

    /// Name and version, for `web3_clientVersion`: `axolotl/v0.1.0/linux-x86_64`.
    fn client_version(&self) -> String;

    /// The blob parameters of the fork that is active at `timestamp` (Unix seconds).
    fn blob_params(&self, timestamp: u64) -> BlobParams;

    /// The forks of this chain and when each begins.
    fn forks(&self) -> ForkSchedule;

    /// The height of the last block decided since this process began; whoever wakes reads the blocks themselves.
    fn heads(&self) -> watch::Receiver<Height>;

    /// Hashes of transactions as they become executable. A receiver that falls behind is told how many it missed.
    fn pending(&self) -> broadcast::Receiver<B256>;

    /// The last decided block, from memory: this is asked more than anything else.
    fn head(&self) -> impl Future<Output = Result<SealedHeader, BackendError>> + Send;

    fn header(&self, block: BlockRef) -> impl Future<Output = Result<Option<SealedHeader>, BackendError>> + Send;

    /// Headers of the heights from `first` on, in order: `count` of them, or fewer where the chain ends.
    fn headers(&self, first: Height, count: u64) -> impl Future<Output = Result<Vec<SealedHeader>, BackendError>> + Send;

    fn block(&self, block: BlockRef) -> impl Future<Output = Result<Option<Arc<DecidedBlock>>, BackendError>> + Send;

    /// RLP of a block as it was decided.
    fn raw_block(&self, block: BlockRef) -> impl Future<Output = Result<Option<Bytes>, BackendError>> + Send;

    /// Proof that a block was decided, for a light client. Block 0 has none.
    fn light_proof(&self, block: BlockRef) -> impl Future<Output = Result<Option<Bundle>, BackendError>> + Send;

    /// What the block of `height` says about consensus; none of block 0.
    fn metadata(&self, height: Height) -> impl Future<Output = Result<Option<Metadata>, BackendError>> + Send;

    /// The proof that `height` was decided; none of block 0.
    fn certificate(&self, height: Height) -> impl Future<Output = Result<Option<Certificate>, BackendError>> + Send;

    /// Who decides `height`.
    fn validators(&self, height: Height) -> impl Future<Output = Result<Validators, BackendError>> + Send;

    /// Up to `max` of the contradictions that were seen.
    fn contradictions(&self, max: usize) -> impl Future<Output = Result<Vec<Contradiction>, BackendError>> + Send;

    /// Receipts of a decided block, one per transaction, in their order; none when nothing is decided at `height`.
    fn receipts(&self, height: Height) -> impl Future<Output = Result<Option<Arc<Vec<alloy_consensus::Receipt>>>, BackendError>> + Send;

    fn transaction(&self, hash: B256) -> impl Future<Output = Result<Option<Found>, BackendError>> + Send;

    fn account(&self, address: Address, at: BlockRef) -> impl Future<Output = Result<AccountState, BackendError>> + Send;

    /// The nonce after the last executable transaction of `address` in the pool; that of the account when there is none.
    fn pending_nonce(&self, address: Address) -> impl Future<Output = Result<u64, BackendError>> + Send;

    fn code(&self, address: Address, at: BlockRef) -> impl Future<Output = Result<Bytes, BackendError>> + Send;

    fn storage(&self, address: Address, slot: U256, at: BlockRef) -> impl Future<Output = Result<B256, BackendError>> + Send;

    /// Proves the account and its `slots` against the state root of the block.
    fn proof(&self, address: Address, slots: Vec<B256>, at: BlockRef) -> impl Future<Output = Result<AccountProof, BackendError>> + Send;

    /// Heights from `first` to `last`, in order, that may hold a log that is wanted; one that is left out holds none.
    fn log_heights(&self, wanted: LogCriteria, first: Height, last: Height) -> impl Future<Output = Result<Vec<Height>, BackendError>> + Send;

    /// Executes without effect; what the contract returned, or [`BackendError::Reverted`].
    fn call(&self, call: Call, at: BlockRef) -> impl Future<Output = Result<Bytes, BackendError>> + Send;

    /// The least gas limit with which `call` succeeds.
    fn estimate_gas(&self, call: Call, at: BlockRef) -> impl Future<Output = Result<u64, BackendError>> + Send;

    /// What `call` would read and write, and its gas when an access list names it; fails only where the call cannot be run at all.
    fn access_list(&self, call: Call, at: BlockRef) -> impl Future<Output = Result<Accessed, BackendError>> + Send;

    /// What each transaction of a decided block did, as the tracer's JSON, or that at `index` alone.
    /// [`BackendError::Timeout`] when its time is over, [`BackendError::LimitExceeded`] where it is too large.
    fn trace_block(
        &self,
        block: BlockRef,
        index: Option<u64>,
        tracing: Tracing,
    ) -> impl Future<Output = Result<Vec<Box<RawValue>>, BackendError>> + Send;

    /// The same of a call; one that reverts has a trace too.
    fn trace_call(&self, call: Call, at: BlockRef, tracing: Tracing) -> impl Future<Output = Result<Box<RawValue>, BackendError>> + Send;

    /// Transactions in the pool, of one sender or of all; [`BackendError::LimitExceeded`] where they are more than `max`.
    fn pool(&self, sender: Option<Address>, max: usize) -> impl Future<Output = Result<PoolContent, BackendError>> + Send;

    /// Takes a signed transaction in its EIP-2718 form, blobs beside it in either wrapper. It answers with the hash
    /// once the transaction is journalled and synced.
    fn submit(&self, raw: Bytes) -> impl Future<Output = Result<B256, BackendError>> + Send;

    /// The priority fee that gets a transaction into the next blocks, in wei per gas.
    fn suggested_tip(&self) -> impl Future<Output = Result<u128, BackendError>> + Send;

    fn sync_status(&self) -> impl Future<Output = Result<SyncStatus, BackendError>> + Send;

    fn peers(&self) -> impl Future<Output = Result<PeersPage, BackendError>> + Send;

    /// How the node is. It answers from memory while everything else is stuck.
    fn health(&self) -> impl Future<Output = Health> + Send;

    /// What must hold for the node to be ready, each with its state: every configured listener is bound, storage is open, the
    /// node is in sync, and so on.
    fn readiness(&self) -> impl Future<Output = Vec<Criterion>> + Send;

    /// The supervision tree, from atomics.
    fn actors(&self) -> supervision::Snapshot;

    /// What happens in the supervision tree; none until it runs.
    fn happenings(&self) -> Option<Happenings>;

    /// What time it is.
    fn now(&self) -> UnixSeconds;
}
