//! JSON-RPC without a transport: calls, batches and notifications in, responses out.

mod params;
mod service;

use jsonrpsee::types::ErrorObjectOwned;
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use params::{Named, Params, invalid};
pub(crate) use service::{Outcome, Service};

use crate::BackendError;

/// What a method answers, already as JSON.
pub(crate) type Answer = Result<Box<RawValue>, ErrorObjectOwned>;

/// Writes what a method found.
pub(crate) fn write<T: Serialize>(found: Result<T, ErrorObjectOwned>) -> Answer {
    serde_json::value::to_raw_value(&found?).map_err(|error| BackendError::Internal(error.to_string()).into())
}
