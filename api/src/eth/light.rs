//! Proof that a block was decided, for those who trust no node.

use alloy_eips::BlockId;
use jsonrpsee::types::ErrorObjectOwned;
use primitives::light::Bundle;

use super::block_id;
use crate::{Backend, BackendError, rpc::Params};

/// The last decided block when none is named. Block 0 has no certificate: whoever trusts a network trusts its hash.
pub(super) async fn proof<B: Backend>(backend: &B, params: Params<'_>) -> Result<Bundle, ErrorObjectOwned> {
    let at = block_id::by_id(params.named(&["block"])?.optional::<BlockId>(0)?);
    Ok(backend.light_proof(at).await?.ok_or(BackendError::UnknownBlock)?)
}
