//! The node at a glance.

use alloy_primitives::{Address, B256};
use axum::{extract::State as Extract, response::Response};
use primitives::Height;
use serde::Serialize;
use tokio::time::timeout;

use super::{Found, answer};
use crate::{Backend, BackendError, BlockRef, ConsensusHealth, MempoolHealth, Status, SyncHealth, UnixSeconds, config::STATUS_LIMIT, http::State};

#[derive(Debug, Serialize)]
struct StatusPage {
    version: String,
    chain_id: u64,
    genesis_hash: B256,
    /// As in `/health`.
    status: Status,
    latest: Latest,
    sync: SyncHealth,
    consensus: ConsensusHealth,
    mempool: MempoolHealth,
    peers: u64,
    /// The validator that this node is.
    validator: Option<Address>,
}

#[derive(Debug, Serialize)]
struct Latest {
    number: Height,
    hash: B256,
    time: UnixSeconds,
}

/// `GET /v1/status`
pub(crate) async fn status<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    answer(&state, "v1_status", now(&state.backend)).await
}

async fn now<B: Backend>(backend: &B) -> Found<StatusPage> {
    let health = timeout(STATUS_LIMIT, backend.health()).await.map_err(|_| BackendError::Timeout)?;
    let genesis = backend.header(BlockRef::Height(Height::GENESIS)).await?.ok_or(BackendError::UnknownBlock)?;
    let head = backend.head().await?;
    let number = Height(head.inner().number);
    Ok(StatusPage {
        version: backend.client_version(),
        chain_id: backend.chain_id(),
        genesis_hash: genesis.hash(),
        status: health.status,
        latest: Latest { number, hash: head.hash(), time: UnixSeconds(head.inner().timestamp) },
        sync: health.chain.sync,
        consensus: health.chain.consensus,
        mempool: health.chain.mempool,
        peers: health.chain.p2p.peers,
        validator: backend.validators(number.next()).await?.own,
    })
}
