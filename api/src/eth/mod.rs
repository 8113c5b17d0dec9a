//! The Ethereum methods, by name.
//!
//! `latest`, `safe`, `finalized` and, for state, `pending` are the last decided block: what is decided is final, and the
//! only pending things are transactions in the pool, which `eth_getTransactionCount` and `eth_getTransactionByHash` show.

mod access_list;
mod block_id;
mod blocks;
mod call;
mod caller;
mod fees;
mod filters;
mod fork_config;
mod light;
mod logs;
mod node;
mod overrides;
mod proof;
mod quantity;
mod raw;
mod receipts;
mod state;
mod submit;
mod subscribe;
mod trace;
mod transactions;
mod txpool;
mod uncles;

use jsonrpsee::types::ErrorObjectOwned;

pub(crate) use blocks::new_block;
pub(crate) use caller::{Caller, Socket};
pub(crate) use node::sync_news;
pub(crate) use transactions::pending;

use crate::{
    Backend,
    rpc::{Answer, Params, write},
};

/// JSON-RPC: method not found. Clients fall back to older methods on exactly this code.
const METHOD_NOT_FOUND: i32 = -32601;
/// Characters of an unknown method that are repeated to the client.
const MAX_METHOD_CHARS: usize = 64;

/// Declares the table of methods once, so that the list and the dispatch cannot differ.
macro_rules! methods {
    (backend { $($name:literal => $method:path),* $(,)? } caller { $($standing_name:literal => $standing_method:path),* $(,)? }) => {
        /// Every method that is answered.
        pub const METHODS: &[&str] = &[$($name,)* $($standing_name),*];

        /// Answers `method`; one that is not in the table exactly with -32601.
        pub(crate) async fn answer<B: Backend>(caller: &Caller<B>, method: &str, params: Params<'_>) -> Answer {
            match method {
                _ if !caller.offer.has_method(method) => Err(withheld(method)),
                $($name => write($method(&caller.backend, params).await),)*
                $($standing_name => write($standing_method(caller, params).await),)*
                _ => Err(unknown(method)),
            }
        }
    };
}

methods! {
    backend {
        "axolotl_getLightProof" => light::proof,
        "debug_getBadBlocks" => raw::bad_blocks,
        "debug_getRawBlock" => raw::block,
        "debug_getRawHeader" => raw::header,
        "debug_getRawReceipts" => raw::receipts,
        "debug_getRawTransaction" => raw::transaction,
        "debug_traceBlockByHash" => trace::block_by_hash,
        "debug_traceBlockByNumber" => trace::block_by_number,
        "debug_traceCall" => trace::call,
        "debug_traceTransaction" => trace::transaction,
        "eth_accounts" => node::accounts,
        "eth_baseFee" => fees::base_fee,
        "eth_blobBaseFee" => fees::blob_base_fee,
        "eth_blockNumber" => node::block_number,
        "eth_call" => call::call,
        "eth_chainId" => node::chain_id,
        "eth_config" => fork_config::config,
        "eth_createAccessList" => access_list::create,
        "eth_estimateGas" => call::estimate_gas,
        "eth_feeHistory" => fees::history,
        "eth_gasPrice" => fees::gas_price,
        "eth_getBalance" => state::balance,
        "eth_getBlockByHash" => blocks::by_hash,
        "eth_getBlockByNumber" => blocks::by_number,
        "eth_getBlockReceipts" => receipts::of_block,
        "eth_getBlockTransactionCountByHash" => blocks::transaction_count_by_hash,
        "eth_getBlockTransactionCountByNumber" => blocks::transaction_count_by_number,
        "eth_getCode" => state::code,
        "eth_getHeaderByHash" => blocks::header_by_hash,
        "eth_getHeaderByNumber" => blocks::header_by_number,
        "eth_getLogs" => logs::logs,
        "eth_getRawTransactionByBlockHashAndIndex" => raw::by_block_hash,
        "eth_getRawTransactionByBlockNumberAndIndex" => raw::by_block_number,
        "eth_getRawTransactionByHash" => raw::transaction,
        "eth_getProof" => proof::proof,
        "eth_getStorageAt" => state::storage,
        "eth_getStorageValues" => state::storage_values,
        "eth_getTransactionByBlockHashAndIndex" => transactions::by_block_hash,
        "eth_getTransactionByBlockNumberAndIndex" => transactions::by_block_number,
        "eth_getTransactionByHash" => transactions::by_hash,
        "eth_getTransactionCount" => state::transaction_count,
        "eth_getTransactionReceipt" => receipts::of_transaction,
        "eth_getUncleByBlockHashAndIndex" => uncles::by_hash,
        "eth_getUncleByBlockNumberAndIndex" => uncles::by_number,
        "eth_getUncleCountByBlockHash" => uncles::count_by_hash,
        "eth_getUncleCountByBlockNumber" => uncles::count_by_number,
        "eth_maxPriorityFeePerGas" => fees::priority_fee,
        "eth_sendRawTransaction" => submit::submit,
        "eth_syncing" => node::syncing,
        "net_listening" => node::listening,
        "net_peerCount" => node::peer_count,
        "net_version" => node::network,
        "txpool_content" => txpool::content,
        "txpool_contentFrom" => txpool::content_from,
        "txpool_inspect" => txpool::inspect,
        "txpool_status" => txpool::status,
        "web3_clientVersion" => node::client_version,
        "web3_sha3" => node::keccak,
    }
    // These leave something behind, wait, or depend on the listener.
    caller {
        "eth_getFilterChanges" => filters::changes,
        "eth_getFilterLogs" => filters::all_logs,
        "eth_newBlockFilter" => filters::blocks,
        "eth_newFilter" => filters::logs,
        "eth_newPendingTransactionFilter" => filters::pending,
        "eth_sendRawTransactionSync" => submit::submit_and_wait,
        "eth_subscribe" => subscribe::subscribe,
        "eth_uninstallFilter" => filters::uninstall,
        "eth_unsubscribe" => subscribe::unsubscribe,
        "rpc_modules" => node::modules,
    }
}

/// Our own copy of the name when `method` is one of ours.
pub(crate) fn known(method: &str) -> Option<&'static str> {
    METHODS.iter().copied().find(|name| *name == method)
}

fn unknown(method: &str) -> ErrorObjectOwned {
    not_found(method, "does not exist/is not available")
}

/// To a client it is as if the method did not exist; what opens it is the operator's business and stands in the documentation.
fn withheld(method: &str) -> ErrorObjectOwned {
    not_found(method, "is not available on a public listener")
}

fn not_found(method: &str, why: &str) -> ErrorObjectOwned {
    let name: String = method.chars().take(MAX_METHOD_CHARS).collect();
    ErrorObjectOwned::owned(METHOD_NOT_FOUND, format!("the method {name} {why}"), None::<()>)
}
