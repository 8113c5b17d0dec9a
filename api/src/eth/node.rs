//! Who and where we are.

use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use jsonrpsee::types::ErrorObjectOwned;
use serde::Serialize;

use super::quantity::quantity;
use crate::{Backend, SyncStatus, rpc::Params};

type Found<T> = Result<T, ErrorObjectOwned>;

pub(super) async fn chain_id<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    params.none()?;
    Ok(quantity(backend.chain_id()))
}

pub(super) async fn block_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    params.none()?;
    Ok(quantity(backend.head().await?.inner().number))
}

/// The node keeps no keys of users.
pub(super) async fn accounts<B: Backend>(_: &B, params: Params<'_>) -> Found<[Address; 0]> {
    params.none()?;
    Ok([])
}

/// `false`, or how far it has come.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Syncing {
    No(bool),
    #[serde(rename_all = "camelCase")]
    Yes {
        starting_block: U64,
        current_block: U64,
        highest_block: U64,
    },
}

pub(super) async fn syncing<B: Backend>(backend: &B, params: Params<'_>) -> Found<Syncing> {
    params.none()?;
    Ok(match backend.sync_status().await? {
        SyncStatus::Synced => Syncing::No(false),
        SyncStatus::Syncing { starting, current, highest } => {
            Syncing::Yes { starting_block: quantity(starting.0), current_block: quantity(current.0), highest_block: quantity(highest.0) }
        }
    })
}

pub(super) async fn network<B: Backend>(backend: &B, params: Params<'_>) -> Found<String> {
    params.none()?;
    Ok(backend.chain_id().to_string())
}

pub(super) async fn listening<B: Backend>(backend: &B, params: Params<'_>) -> Found<bool> {
    params.none()?;
    Ok(backend.health().await.chain.p2p.listening)
}

pub(super) async fn peer_count<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    params.none()?;
    Ok(quantity(backend.health().await.chain.p2p.peers))
}

pub(super) async fn client_version<B: Backend>(backend: &B, params: Params<'_>) -> Found<String> {
    params.none()?;
    Ok(backend.client_version())
}

pub(super) async fn keccak<B: Backend>(_: &B, params: Params<'_>) -> Found<B256> {
    let data: Bytes = params.named(&["data"])?.required(0)?;
    Ok(keccak256(data))
}
