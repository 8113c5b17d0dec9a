//! What a call would touch.

use alloy_eips::eip2930::{AccessList, AccessListResult};
use alloy_primitives::U256;
use jsonrpsee::types::ErrorObjectOwned;

use super::{block_id, call};
use crate::{Accessed, Backend, rpc::Params};

pub(super) async fn create<B: Backend>(backend: &B, params: Params<'_>) -> Result<AccessListResult, ErrorObjectOwned> {
    let (call, block) = call::read(backend, params)?;
    let Accessed { list: AccessList(mut items), gas_used, failure } = backend.access_list(call, block_id::by_id(block)).await?;
    items.sort_unstable_by_key(|item| item.address);
    items.iter_mut().for_each(|item| item.storage_keys.sort_unstable());
    Ok(AccessListResult { access_list: AccessList(items), gas_used: U256::from(gas_used), error: failure })
}
