//! Merkle proofs of accounts and slots (EIP-1186).

use alloy_eips::BlockId;
use alloy_primitives::Address;
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_serde::JsonStorageKey;
use jsonrpsee::types::ErrorObjectOwned;

use super::block_id;
use crate::{AccountProof, Backend, SlotProof, config::MAX_PROOF_SLOTS, rpc::Params};

pub(super) async fn proof<B: Backend>(backend: &B, params: Params<'_>) -> Result<EIP1186AccountProofResponse, ErrorObjectOwned> {
    let params = params.named(&["address", "storageKeys", "block"])?;
    let address: Address = params.required(0)?;
    let keys: Vec<JsonStorageKey> = params.required(1)?;
    let at = block_id::by_id(params.optional::<BlockId>(2)?);
    if MAX_PROOF_SLOTS < keys.len() {
        return Err(params.refuse(1, format!("{} keys, want at most {MAX_PROOF_SLOTS}", keys.len())));
    }
    let proof = backend.proof(address, keys.iter().map(JsonStorageKey::as_b256).collect(), at).await?;
    Ok(show(address, keys, proof))
}

/// Keys are shown as they were asked for: whole, or as a number.
fn show(address: Address, keys: Vec<JsonStorageKey>, proof: AccountProof) -> EIP1186AccountProofResponse {
    let slot = |(key, SlotProof { value, nodes })| EIP1186StorageProof { key, value, proof: nodes };
    EIP1186AccountProofResponse {
        address,
        balance: proof.state.balance,
        code_hash: proof.code_hash,
        nonce: proof.state.nonce,
        storage_hash: proof.storage_root,
        account_proof: proof.nodes,
        storage_proof: keys.into_iter().zip(proof.slots).map(slot).collect(),
    }
}
