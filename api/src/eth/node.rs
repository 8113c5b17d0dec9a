//! Who and where we are.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use jsonrpsee::types::ErrorObjectOwned;
use serde::Serialize;

use super::{Caller, quantity::quantity};
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
pub(crate) enum Syncing {
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
    Ok(backend.sync_status().await?.into())
}

impl From<SyncStatus> for Syncing {
    fn from(status: SyncStatus) -> Self {
        match status {
            SyncStatus::Synced => Self::No(false),
            SyncStatus::Syncing { starting, current, highest } => {
                Self::Yes { starting_block: quantity(starting.0), current_block: quantity(current.0), highest_block: quantity(highest.0) }
            }
        }
    }
}

/// What subscribers of `syncing` hear: `false`, or that it began and how far it is.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum SyncNews {
    Over(bool),
    Begun { syncing: bool, status: Syncing },
}

pub(crate) fn sync_news(status: SyncStatus) -> SyncNews {
    match status {
        SyncStatus::Synced => SyncNews::Over(false),
        SyncStatus::Syncing { .. } => SyncNews::Begun { syncing: true, status: status.into() },
    }
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

/// The name spaces of the methods that are answered here, each with its version.
pub(super) async fn modules<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<BTreeMap<&'static str, &'static str>> {
    params.none()?;
    let offered = super::METHODS.iter().filter(|method| caller.offer.has_method(method));
    Ok(offered.filter_map(|method| method.split('_').next()).map(|space| (space, "1.0")).collect())
}

pub(super) async fn client_version<B: Backend>(backend: &B, params: Params<'_>) -> Found<String> {
    params.none()?;
    Ok(backend.client_version())
}

pub(super) async fn keccak<B: Backend>(_: &B, params: Params<'_>) -> Found<B256> {
    let data: Bytes = params.named(&["data"])?.hex(0)?;
    Ok(keccak256(data))
}
