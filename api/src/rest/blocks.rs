//! Blocks, one or a page of them.

use alloy_consensus::constants::EMPTY_ROOT_HASH;
use alloy_primitives::{Address, B256, Bytes};
use axum::{extract::State as Extract, response::Response};
use primitives::{Certificate, Header, Height, Metadata, Round};
use serde::{Deserialize, Serialize};

use super::{
    Asked, Found, Refusal, Segment, answer,
    asked::{self, MAX_HEIGHT},
};
use crate::{
    Backend, BackendError, SealedHeader, UnixSeconds,
    config::{MAX_PAGE_BLOCKS, PAGE_BLOCKS},
    http::State,
};

/// How a block was decided; nothing of it for block 0.
#[derive(Debug, Default, Serialize)]
struct Decision {
    /// The round that decided it.
    round: Option<Round>,
    /// Who proposed in that round.
    proposer: Option<Address>,
}

#[derive(Debug, Serialize)]
struct BlockPage {
    #[serde(flatten)]
    summary: Summary,
    size_bytes: u64,
    transactions_count: usize,
    transactions: Vec<B256>,
    header: HeaderFields,
    metadata: Option<MetadataFields>,
}

#[derive(Debug, Serialize)]
struct Summary {
    number: u64,
    hash: B256,
    parent_hash: B256,
    time: UnixSeconds,
    gas_used: u64,
    /// Whether it holds no transaction.
    is_empty: bool,
    #[serde(flatten)]
    decision: Decision,
}

/// What of the header the summary does not say.
#[derive(Debug, Serialize)]
struct HeaderFields {
    state_root: B256,
    transactions_root: B256,
    receipts_root: B256,
    withdrawals_root: Option<B256>,
    parent_beacon_block_root: Option<B256>,
    requests_hash: Option<B256>,
    mix_hash: B256,
    fee_recipient: Address,
    extra_data: Bytes,
    gas_limit: u64,
    /// Wei per gas.
    base_fee_per_gas: Option<String>,
    blob_gas_used: Option<u64>,
    excess_blob_gas: Option<u64>,
    /// Unix seconds.
    timestamp: u64,
}

/// The consensus metadata, whose hash is the header's `parent_beacon_block_root`.
#[derive(Debug, Serialize)]
struct MetadataFields {
    hash: B256,
    validators_hash: B256,
    next_validators_hash: B256,
    /// The round in which the parent was decided, as the proposer of this block saw it.
    parent_round: Option<Round>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    from: Option<u64>,
    count: Option<u64>,
}

#[derive(Debug, Serialize)]
struct BlocksPage {
    blocks: Vec<Summary>,
    /// Where the next page begins; none when this one ends with the last block.
    next: Option<Height>,
    /// Height of the last block.
    latest: Height,
}

/// `GET /v1/blocks/{block}`
pub(crate) async fn block<B: Backend>(Extract(state): Extract<State<B>>, Segment(text): Segment) -> Response {
    answer(&state, "v1_block", one(&state.backend, &text)).await
}

/// `GET /v1/blocks?from=&count=`
pub(crate) async fn blocks<B: Backend>(Extract(state): Extract<State<B>>, Asked(page): Asked<Page>) -> Response {
    answer(&state, "v1_blocks", several(&state.backend, page)).await
}

async fn one<B: Backend>(backend: &B, text: &str) -> Found<BlockPage> {
    let block = backend.block(asked::block(text)?).await?.ok_or_else(|| unknown(text))?;
    let height = Height(block.block.header.number);
    let header = SealedHeader::new_unchecked(block.block.header.clone(), block.hash);
    let transactions: Vec<B256> = block.block.body.transactions.iter().map(|transaction| *transaction.tx_hash()).collect();
    Ok(BlockPage {
        summary: summary(backend, &header).await?,
        size_bytes: block.size_bytes,
        transactions_count: transactions.len(),
        transactions,
        header: fields(header.inner()),
        metadata: backend.metadata(height).await?.map(metadata),
    })
}

async fn several<B: Backend>(backend: &B, page: Page) -> Found<BlocksPage> {
    let count = page.count.unwrap_or(PAGE_BLOCKS);
    if !(1..=MAX_PAGE_BLOCKS).contains(&count) {
        return Err(Refusal::malformed(format!("count = {count}: a page has 1 to {MAX_PAGE_BLOCKS} blocks")));
    }
    let latest = backend.head().await?.inner().number;
    let first = page.from.unwrap_or((latest + 1).saturating_sub(count));
    if MAX_HEIGHT < first {
        return Err(Refusal::malformed(format!("from = {first}: no height exceeds {MAX_HEIGHT}")));
    }
    let headers = backend.headers(Height(first), count).await?;
    let mut blocks = Vec::with_capacity(headers.len());
    for header in &headers {
        blocks.push(summary(backend, header).await?);
    }
    let next = first + blocks.len() as u64;
    Ok(BlocksPage { next: (next <= latest && !blocks.is_empty()).then_some(Height(next)), latest: Height(latest), blocks })
}

async fn summary<B: Backend>(backend: &B, header: &SealedHeader) -> Result<Summary, BackendError> {
    let fields = header.inner();
    let decision = match backend.certificate(Height(fields.number)).await? {
        Some(certificate) => decision(backend, &certificate).await?,
        None => Decision::default(),
    };
    Ok(Summary {
        number: fields.number,
        hash: header.hash(),
        parent_hash: fields.parent_hash,
        time: UnixSeconds(fields.timestamp),
        gas_used: fields.gas_used,
        is_empty: fields.transactions_root == EMPTY_ROOT_HASH,
        decision,
    })
}

async fn decision<B: Backend>(backend: &B, certificate: &Certificate) -> Result<Decision, BackendError> {
    let validators = backend.validators(certificate.height).await?;
    let proposer = validators.set.proposer(certificate.height, certificate.round).address;
    Ok(Decision { round: Some(certificate.round), proposer: Some(proposer) })
}

fn fields(header: &Header) -> HeaderFields {
    HeaderFields {
        state_root: header.state_root,
        transactions_root: header.transactions_root,
        receipts_root: header.receipts_root,
        withdrawals_root: header.withdrawals_root,
        parent_beacon_block_root: header.parent_beacon_block_root,
        requests_hash: header.requests_hash,
        mix_hash: header.mix_hash,
        fee_recipient: header.beneficiary,
        extra_data: header.extra_data.clone(),
        gas_limit: header.gas_limit,
        base_fee_per_gas: header.base_fee_per_gas.map(|wei| wei.to_string()),
        blob_gas_used: header.blob_gas_used,
        excess_blob_gas: header.excess_blob_gas,
        timestamp: header.timestamp,
    }
}

fn metadata(metadata: Metadata) -> MetadataFields {
    MetadataFields {
        hash: metadata.hash(),
        validators_hash: metadata.validators_hash,
        next_validators_hash: metadata.next_validators_hash,
        parent_round: metadata.parent_certificate.map(|certificate| certificate.round),
    }
}

fn unknown(text: &str) -> Refusal {
    Refusal::not_found(format!("there is no block {text}"))
}
