//! The Ethereum methods, by name.
//!
//! `latest`, `safe`, `finalized` and, for state, `pending` are the last decided block: what is decided is final, and the
//! only pending things are transactions in the pool, which `eth_getTransactionCount` and `eth_getTransactionByHash` show.

mod block_id;
mod blocks;
mod call;
mod fees;
mod logs;
mod node;
mod quantity;
mod receipts;
mod state;
mod transactions;

use jsonrpsee::types::ErrorObjectOwned;

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
    ($($name:literal => $method:path),* $(,)?) => {
        /// Every method that is answered.
        pub(crate) const METHODS: &[&str] = &[$($name),*];

        /// Answers `method`; one that is not in the table exactly with -32601.
        pub(crate) async fn answer<B: Backend>(backend: &B, method: &str, params: Params<'_>) -> Answer {
            match method {
                $($name => write($method(backend, params).await),)*
                _ => Err(unknown(method)),
            }
        }
    };
}

methods! {
    "debug_getRawBlock" => blocks::raw_block,
    "debug_getRawHeader" => blocks::raw_header,
    "eth_accounts" => node::accounts,
    "eth_blobBaseFee" => fees::blob_base_fee,
    "eth_blockNumber" => node::block_number,
    "eth_call" => call::call,
    "eth_chainId" => node::chain_id,
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
    "eth_getLogs" => logs::logs,
    "eth_getStorageAt" => state::storage,
    "eth_getTransactionByBlockHashAndIndex" => transactions::by_block_hash,
    "eth_getTransactionByBlockNumberAndIndex" => transactions::by_block_number,
    "eth_getTransactionByHash" => transactions::by_hash,
    "eth_getTransactionCount" => state::transaction_count,
    "eth_getTransactionReceipt" => receipts::of_transaction,
    "eth_maxPriorityFeePerGas" => fees::priority_fee,
    "eth_sendRawTransaction" => transactions::submit,
    "eth_syncing" => node::syncing,
    "net_listening" => node::listening,
    "net_peerCount" => node::peer_count,
    "net_version" => node::network,
    "web3_clientVersion" => node::client_version,
    "web3_sha3" => node::keccak,
}

/// Our own copy of the name when `method` is one of ours.
pub(crate) fn known(method: &str) -> Option<&'static str> {
    METHODS.iter().copied().find(|name| *name == method)
}

fn unknown(method: &str) -> ErrorObjectOwned {
    let name: String = method.chars().take(MAX_METHOD_CHARS).collect();
    ErrorObjectOwned::owned(METHOD_NOT_FOUND, format!("the method {name} does not exist/is not available"), None::<()>)
}
