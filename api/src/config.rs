//! What `serve` has to be told, and the limits nobody needs to change.

use std::time::Duration;

use opentelemetry::metrics::Meter;

use crate::{Offer, RateLimits};

/// Bytes of one request body or WebSocket message.
pub const MAX_BODY_BYTES: usize = 5 << 20;
/// Bytes of one response.
pub const MAX_RESPONSE_BYTES: usize = 32 << 20;
/// Calls in one batch: what geth takes and viem sends.
pub const MAX_BATCH: u32 = 1_000;
/// Calls of one batch, or of one WebSocket, that are answered at the same time.
pub const MAX_CALLS_IN_FLIGHT: usize = 16;
/// Blocks that one `eth_getLogs` may span.
pub const MAX_LOG_BLOCKS: u64 = 10_000;
/// Logs that one `eth_getLogs` may answer.
pub const MAX_LOGS: usize = 10_000;
/// Addresses, and values of one topic, that one filter may name.
pub const MAX_FILTER_VALUES: usize = 1_000;
/// Filters that stand at the same time, over all clients.
pub const MAX_FILTERS: usize = 1_024;
/// Addresses and topics that all standing filters may name together.
pub const MAX_STANDING_VALUES: usize = 100_000;
/// A filter that nobody polls for this long is removed.
pub const FILTER_LIFETIME: Duration = Duration::from_secs(300);
/// Blocks, or waiting transactions, that one poll of a filter covers; the next poll goes on behind them.
pub const MAX_POLLED: u64 = 10_000;
/// Subscriptions of one WebSocket.
pub const MAX_SUBSCRIPTIONS: usize = 64;
/// Addresses and topics that all subscriptions of one WebSocket may name together.
pub const MAX_SUBSCRIBED_VALUES: usize = 5_000;
/// A subscriber that is this many blocks behind is cut.
pub const MAX_BLOCKS_BEHIND: u64 = 128;
/// How often a subscriber of `syncing` is looked after.
pub const SYNC_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long one trace may take when the client does not say, as with geth.
pub const TRACE_LIMIT: Duration = Duration::from_secs(5);
/// The longest that a client may ask for; less than a call may take.
pub const MAX_TRACE_LIMIT: Duration = Duration::from_secs(20);
/// How long `eth_sendRawTransactionSync` waits for the receipt when the client does not say.
pub const RECEIPT_WAIT: Duration = Duration::from_secs(2);
/// The longest it waits; less than a call may take.
pub const MAX_RECEIPT_WAIT: Duration = Duration::from_secs(20);
/// Clients that wait for a receipt at the same time.
pub const MAX_RECEIPT_WAITS: usize = 64;
/// Slots that one `eth_getStorageValues` reads, over all accounts.
pub const MAX_STORAGE_SLOTS: usize = 1_024;
/// Transactions that one `txpool_content` or `txpool_inspect` lists.
pub const MAX_POOL_LISTED: usize = 10_000;
/// Accounts that one call may override.
pub const MAX_OVERRIDDEN_ACCOUNTS: usize = 1_024;
/// Slots that one call may override, over all accounts.
pub const MAX_OVERRIDDEN_SLOTS: usize = 16_384;
/// Hashes of blocks that one call may override: as many as BLOCKHASH looks back.
pub const MAX_OVERRIDDEN_HASHES: usize = 256;
/// Slots that one `eth_getProof` may name, as in geth.
pub const MAX_PROOF_SLOTS: usize = 1_024;
/// Blocks that one `eth_feeHistory` covers.
pub const MAX_FEE_HISTORY_BLOCKS: u64 = 1_024;
/// The same when percentiles of rewards are wanted: every block and its receipts are read for them.
pub const MAX_REWARD_BLOCKS: u64 = 128;
/// Blocks on one page of `/v1/blocks`, and how many it has when the client does not say.
pub const MAX_PAGE_BLOCKS: u64 = 100;
pub const PAGE_BLOCKS: u64 = 20;
/// Contradictions that `/v1/evidence` lists.
pub const MAX_CONTRADICTIONS: usize = 1_000;
/// Clients that follow `/v1/events` at the same time.
pub const MAX_EVENT_READERS: usize = 16;
/// A comment is sent to them when nothing has happened for this long.
pub const EVENTS_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that `/v1/actors/{path}` shows, the last ones.
pub const MAX_ACTOR_EVENTS: usize = 50;
/// A connection on which no request begins for this long is closed.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// The body of a request must be here after this long.
pub const RECEIVE_LIMIT: Duration = Duration::from_secs(10);
/// A response that a client does not read is given up after this long.
pub const SEND_LIMIT: Duration = Duration::from_secs(10);
/// A page that tells how the node is waits this long for the node.
pub const STATUS_LIMIT: Duration = Duration::from_secs(2);
/// A silent WebSocket is pinged this often and closed after two missed answers.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Bodies of more than [`LARGE_BODY_BYTES`], or of unknown length, that are received at the same time.
pub const MAX_LARGE_BODIES: usize = 16;
/// A body of at most this many bytes is always received.
pub const LARGE_BODY_BYTES: u64 = 256 << 10;

/// Settings of one API listener.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host names, besides the loopback ones and any IP address, under which browsers may reach us; `*` is any.
    pub hosts: Vec<String>,
    /// Origins (`https://app.example`) whose pages may call us; `*` is any.
    pub origins: Vec<String>,
    /// Open connections; more wait in the listener's own queue.
    pub max_connections: usize,
    /// Calls that are answered at the same time, over all connections; more are refused with -32005.
    pub max_calls: usize,
    /// What one client may ask; none on a listener that is not public.
    pub limits: Option<RateLimits>,
    /// What is answered besides the usual; everything on a listener that is not public.
    pub offer: Offer,
    /// How long one call may take.
    pub call_limit: Duration,
    /// How long `serve` waits for requests under way once it was told to stop.
    pub drain_limit: Duration,
    /// Other addresses of this node for `GET /`: what it is, and where.
    pub addresses: Vec<(String, String)>,
    /// Where requests are counted.
    pub meter: Meter,
}
