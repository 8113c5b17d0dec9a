//! What consensus decided, and with whom.

use api::{BackendError, Contradiction, Validators};
use consensus::core::Evidence;
use primitives::{Height, Metadata};

use super::{Sources, convert};
use crate::p2p::Peer;

pub(super) fn metadata(sources: &Sources, height: Height) -> Result<Option<Metadata>, BackendError> {
    let Some(body) = sources.ledger.body(height).map_err(convert::read)? else { return Ok(None) };
    Metadata::decode(&body.metadata).map(Some).map_err(|error| BackendError::Internal(error.to_string()))
}

/// One set decides every height: that of the genesis.
pub(super) fn validators(sources: &Sources) -> Validators {
    let set = sources.genesis.validators.clone();
    let own = sources.validator.filter(|address| set.get(address).is_some());
    let online = sources.peers.list().iter().filter_map(Peer::validator).chain(own).filter(|address| set.get(address).is_some()).collect();
    Validators { set, online, own }
}

pub(super) fn contradictions(sources: &Sources, max: usize) -> Result<Vec<Contradiction>, BackendError> {
    let evidence = sources.ledger.evidence(max).map_err(convert::read)?;
    Ok(evidence.into_iter().map(contradiction).collect())
}

fn contradiction(evidence: Evidence) -> Contradiction {
    match evidence {
        Evidence::Votes(first, second) => Contradiction::Votes { first, second },
        Evidence::Proposals(first, second) => Contradiction::Proposals { first, second },
    }
}
