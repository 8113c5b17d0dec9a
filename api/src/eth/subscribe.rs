//! Subscriptions over a WebSocket.

use std::sync::Arc;

use alloy_rpc_types_eth::Filter;
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use super::{Caller, METHOD_NOT_FOUND, caller::Socket, filters, logs};
use crate::{
    Backend, SyncStatus,
    error::{LIMIT_EXCEEDED, SERVER_ERROR},
    identifier::Identifier,
    rpc::{Named, Params},
    subscriptions::Topic,
};

const NAMES: &[&str] = &["subscription", "options"];
/// Characters of an unknown subscription that are repeated to the client.
const MAX_NAME_CHARS: usize = 64;

type Found<T> = Result<T, ErrorObjectOwned>;

pub(super) async fn subscribe<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Identifier> {
    let socket = socket(caller)?;
    let params = params.named(NAMES)?;
    let name: String = params.required(0)?;
    let topic = match name.as_str() {
        "newHeads" => Topic::Heads { told: alone(&params, head(caller)).await? },
        "logs" => Topic::Logs { filter: Arc::new(filter(&params)?), told: head(caller).await? },
        "newPendingTransactions" => Topic::Pending { is_full: params.optional(1)?.unwrap_or_default() },
        "syncing" => Topic::Syncing { was: alone(&params, is_syncing(caller)).await? },
        _ => return Err(unknown(&name)),
    };
    let id = Identifier::random();
    socket.subscriptions().open(id, topic).map_err(|error| ErrorObjectOwned::owned(LIMIT_EXCEEDED, error.to_string(), None::<()>))?;
    socket.opens(id);
    Ok(id)
}

pub(super) async fn unsubscribe<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<bool> {
    let socket = socket(caller)?;
    let id = params.named(&["subscription"])?.required(0)?;
    match socket.subscriptions().close(&id) {
        true => Ok(true),
        false => Err(ErrorObjectOwned::borrowed(SERVER_ERROR, "subscription not found", None)),
    }
}

fn socket<B>(caller: &Caller<B>) -> Found<&Socket> {
    caller.socket.as_ref().ok_or_else(|| ErrorObjectOwned::borrowed(METHOD_NOT_FOUND, "notifications not supported", None))
}

/// The answer to a question about the node, for a subscription that has no options.
async fn alone<T>(params: &Named<'_>, question: impl Future<Output = Found<T>>) -> Found<T> {
    match params.optional::<serde::de::IgnoredAny>(1)? {
        Some(_) => Err(params.refuse(1, "this subscription has no options")),
        None => question.await,
    }
}

/// Which logs; all of them when nothing is said. Blocks make no sense here and are left aside, as geth does.
fn filter(params: &Named<'_>) -> Found<Filter> {
    let filter: Filter = params.optional(1)?.unwrap_or_default();
    logs::check(&filter)?;
    filters::first(&filter)?;
    Ok(filter)
}

async fn head<B: Backend>(caller: &Caller<B>) -> Found<Height> {
    Ok(Height(caller.backend.head().await?.inner().number))
}

async fn is_syncing<B: Backend>(caller: &Caller<B>) -> Found<bool> {
    Ok(caller.backend.sync_status().await? != SyncStatus::Synced)
}

fn unknown(name: &str) -> ErrorObjectOwned {
    let name: String = name.chars().take(MAX_NAME_CHARS).collect();
    ErrorObjectOwned::owned(METHOD_NOT_FOUND, format!("no \"{name}\" subscription in eth namespace"), None::<()>)
}
