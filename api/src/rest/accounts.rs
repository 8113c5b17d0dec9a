//! Accounts at the last block.

use alloy_primitives::{Address, B256, keccak256};
use axum::{extract::State as Extract, response::Response};
use serde::Serialize;

use super::{Found, Segment, answer, asked};
use crate::{Backend, BlockRef, http::State};

#[derive(Debug, Serialize)]
struct AccountPage {
    address: Address,
    /// Wei.
    balance: String,
    nonce: u64,
    /// The nonce after the last executable transaction in the pool.
    pending_nonce: u64,
    /// That of no code at all for an account without any.
    code_hash: B256,
    code_bytes: usize,
}

/// `GET /v1/accounts/{address}`
pub(crate) async fn account<B: Backend>(Extract(state): Extract<State<B>>, Segment(text): Segment) -> Response {
    answer(&state, "v1_account", one(&state.backend, &text)).await
}

async fn one<B: Backend>(backend: &B, text: &str) -> Found<AccountPage> {
    let address = asked::address(text)?;
    let account = backend.account(address, BlockRef::Latest).await?;
    let code = backend.code(address, BlockRef::Latest).await?;
    Ok(AccountPage {
        address,
        balance: account.balance.to_string(),
        nonce: account.nonce,
        pending_nonce: backend.pending_nonce(address).await?,
        code_hash: keccak256(&code),
        code_bytes: code.len(),
    })
}
