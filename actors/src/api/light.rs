//! Light-client proofs from the ledger.

use api::BackendError;
use primitives::{Body, Height, ValidatorSet, light::Bundle};

use super::convert;
use crate::ledger::Ledger;

/// The proof of a committed height, whose set is `validators`. None where the ledger has no such block.
pub(super) fn proof(ledger: &Ledger, validators: &ValidatorSet, height: Height) -> Result<Option<Bundle>, BackendError> {
    if height == Height::GENESIS {
        return Err(BackendError::InvalidParams("block 0 has no certificate: its hash is the genesis hash".into()));
    }
    let (body, certificate) = (ledger.body(height).map_err(convert::read)?, ledger.certificate(height).map_err(convert::read)?);
    let Some((body, certificate)) = body.zip(certificate) else { return Ok(None) };
    let (block, metadata) = Body::open(&body).map_err(|error| BackendError::Internal(error.to_string()))?;
    // The validators of a network do not change yet, so both sets that the metadata names are this one.
    Ok(Some(Bundle { header: block.header, metadata, certificate, validators: Some(validators.clone()), next_validators: None }))
}
