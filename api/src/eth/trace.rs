//! What transactions and calls did, step by step or frame by frame.

use std::time::Duration;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use jsonrpsee::types::ErrorObjectOwned;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use super::{block_id, call, overrides};
use crate::{
    Backend, BackendError, BlockRef, Call, CallOptions, Found, Overrides, PrestateOptions, StepOptions, Tracer, Tracing, config, go_duration,
    rpc::{Named, Params},
};

type Answered<T> = Result<T, ErrorObjectOwned>;

/// The options of a trace. Those of the struct logger stand beside the others, as with geth; what geth does not know is passed over.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    #[serde(flatten)]
    steps: StepOptions,
    tracer: Option<String>,
    tracer_config: Map<String, Value>,
    timeout: Option<String>,
    state_overrides: Map<String, Value>,
    block_overrides: Map<String, Value>,
    /// Nobody's name; who writes it means one of the two above.
    overrides: Option<Value>,
    tx_index: Option<Value>,
}

/// One transaction of a block.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traced {
    tx_hash: B256,
    result: Box<RawValue>,
}

pub(super) async fn transaction<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Box<RawValue>> {
    let params = params.named(&["transactionHash", "config"])?;
    let hash: B256 = params.hex(0)?;
    let tracing = options(&params, 1)?;
    let unknown = || BackendError::NotExecutable("transaction not found".into());
    let Some(Found::Decided { height, index }) = backend.transaction(hash).await? else { return Err(unknown().into()) };
    let mut traces = within(tracing.limit, backend.trace_block(BlockRef::Height(height), Some(index), tracing).await)?;
    Ok(traces.pop().ok_or_else(unknown)?)
}

pub(super) async fn block_by_number<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Vec<Traced>> {
    let params = params.named(&["block", "config"])?;
    let block = block_id::by_number(params.required::<BlockNumberOrTag>(0)?);
    block_traces(backend, block, options(&params, 1)?).await
}

pub(super) async fn block_by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Vec<Traced>> {
    let params = params.named(&["blockHash", "config"])?;
    let block = BlockRef::Hash(params.hex(0)?);
    block_traces(backend, block, options(&params, 1)?).await
}

async fn block_traces<B: Backend>(backend: &B, block: BlockRef, tracing: Tracing) -> Answered<Vec<Traced>> {
    let block = backend.block(block).await?.ok_or(BackendError::UnknownBlock)?;
    let traces = within(tracing.limit, backend.trace_block(BlockRef::Hash(block.hash), None, tracing).await)?;
    let hashes = block.block.body.transactions.iter().map(|transaction| *transaction.tx_hash());
    Ok(hashes.zip(traces).map(|(tx_hash, result)| Traced { tx_hash, result }).collect())
}

pub(super) async fn call<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Box<RawValue>> {
    let params = params.named(&["transaction", "block", "config"])?;
    let call = call::parse(params.required(0)?, backend.chain_id())?;
    let block = block_id::by_id(params.optional::<BlockId>(1)?);
    let (tracing, overrides) = call_options(&params, 2)?;
    let call = Call { overrides, ..call };
    within(tracing.limit, backend.trace_call(call, block, tracing).await)
}

/// Says which time was over, and what to do about it.
fn within<T>(limit: Duration, traced: Result<T, BackendError>) -> Answered<T> {
    Ok(traced.map_err(|error| match error {
        BackendError::Timeout => {
            let most = config::MAX_TRACE_LIMIT;
            BackendError::LimitExceeded(format!("execution timeout: the trace took longer than {limit:?}; a timeout may be up to {most:?}"))
        }
        other => other,
    })?)
}

/// The options at `index`, which may be left out.
fn options(params: &Named<'_>, index: usize) -> Answered<Tracing> {
    let (tracing, overrides) = call_options(params, index)?;
    match overrides == Overrides::default() {
        true => Ok(tracing),
        false => Err(params.refuse(index, "what was decided is not traced with overrides; use debug_traceCall")),
    }
}

/// The same with what the traced call overrides.
fn call_options(params: &Named<'_>, index: usize) -> Answered<(Tracing, Overrides)> {
    let mut options: Options = without_nulls(params.optional(index)?.unwrap_or_default()).map_err(|reason| params.refuse(index, reason))?;
    if options.overrides.is_some() {
        return Err(params.refuse(index, "overrides: no such option; use stateOverrides or blockOverrides"));
    }
    let overrides = overrides(&mut options).map_err(|reason| params.refuse(index, reason))?;
    if options.tx_index.is_some() {
        return Err(params.refuse(index, "txIndex is not supported by this node"));
    }
    let limit = limit(options.timeout.as_deref()).map_err(|reason| params.refuse(index, reason))?;
    let tracer = tracer(options).map_err(|reason| params.refuse(index, reason))?;
    Ok((Tracing { tracer, limit }, overrides))
}

fn overrides(options: &mut Options) -> Result<Overrides, String> {
    let state = overrides::state(std::mem::take(&mut options.state_overrides)).map_err(|reason| format!("stateOverrides: {reason}"))?;
    let block = overrides::block(std::mem::take(&mut options.block_overrides)).map_err(|reason| format!("blockOverrides: {reason}"))?;
    Ok(Overrides { state, block })
}

fn tracer(options: Options) -> Result<Tracer, String> {
    match options.tracer.as_deref() {
        None => Ok(Tracer::Steps(options.steps)),
        Some("callTracer") => Ok(Tracer::Calls(tracer_config::<CallOptions>(options.tracer_config)?)),
        Some("prestateTracer") => {
            let options = tracer_config::<PrestateOptions>(options.tracer_config)?;
            if options.diff_mode && options.include_empty {
                return Err("tracerConfig: cannot use diffMode with includeEmpty".into());
            }
            Ok(Tracer::Prestate(options))
        }
        Some(other) => Err(format!("no such tracer: {other:.32}; there are callTracer and prestateTracer, and the struct logger when none is named")),
    }
}

fn tracer_config<T: DeserializeOwned>(config: Map<String, Value>) -> Result<T, String> {
    without_nulls(config).map_err(|error| format!("tracerConfig: {error}"))
}

/// What is `null` is left out.
fn without_nulls<T: DeserializeOwned>(mut options: Map<String, Value>) -> Result<T, serde_json::Error> {
    options.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(options))
}

/// How long a trace may take: what the client says, up to our own bound.
fn limit(timeout: Option<&str>) -> Result<Duration, String> {
    let Some(text) = timeout else { return Ok(config::TRACE_LIMIT) };
    match go_duration::parse(text) {
        Some(limit) if !limit.is_zero() => Ok(limit.min(config::MAX_TRACE_LIMIT)),
        _ => Err(format!("timeout: {text:.32} is no duration above 0, as 5s or 300ms")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn read(config: Value) -> Result<Tracing, String> {
        let text = json!([config]).to_string();
        let params = Params(Some(&text)).named(&["config"]).unwrap();
        options(&params, 0).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn without_a_tracer_there_are_steps() {
        let steps = |steps| Tracing { tracer: Tracer::Steps(steps), limit: config::TRACE_LIMIT };
        assert_eq!(read(Value::Null), Ok(steps(StepOptions::default())));
        // What geth passes over is passed over.
        assert_eq!(read(json!({ "reexec": 128, "tracer": null, "tracerConfig": { "a": 1 } })), Ok(steps(StepOptions::default())));
        let all = json!({ "enableMemory": true, "disableStack": true, "disableStorage": true, "enableReturnData": true, "limit": 7 });
        let expected = StepOptions { enable_memory: true, disable_stack: true, disable_storage: true, enable_return_data: true, limit: 7 };
        assert_eq!(read(all), Ok(steps(expected)));
    }

    #[test]
    fn a_tracer_has_its_own_options() {
        let calls = read(json!({ "tracer": "callTracer", "tracerConfig": { "onlyTopCall": true, "withLog": true } })).unwrap();
        assert_eq!(calls.tracer, Tracer::Calls(CallOptions { only_top_call: true, with_log: true }));
        let plain = read(json!({ "tracer": "callTracer", "tracerConfig": null })).unwrap();
        assert_eq!(plain.tracer, Tracer::Calls(CallOptions::default()));
        let prestate = read(json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true, "disableCode": true } })).unwrap();
        assert_eq!(prestate.tracer, Tracer::Prestate(PrestateOptions { diff_mode: true, disable_code: true, ..PrestateOptions::default() }));
    }

    #[test]
    fn a_timeout_is_honoured_up_to_a_bound() {
        let limit = |text: &str| read(json!({ "timeout": text })).unwrap().limit;
        assert_eq!([limit("300ms"), limit("10s"), limit("2h")], [Duration::from_millis(300), Duration::from_secs(10), config::MAX_TRACE_LIMIT]);
    }

    #[test]
    fn what_is_wrong_with_the_options_is_named() {
        for (config, reason) in [
            (json!({ "tracer": "{fault:" }), "no such tracer: {fault:; there are callTracer"),
            (json!({ "tracer": "" }), "no such tracer: ; there are"),
            (json!({ "tracer": 1 }), "invalid type"),
            (json!({ "timeout": "soon" }), "timeout: soon is no duration above 0"),
            (json!({ "timeout": "0s" }), "timeout: 0s is no duration above 0"),
            (json!({ "enableMemory": 1 }), "invalid type"),
            (json!({ "tracer": "callTracer", "tracerConfig": { "withLog": 1 } }), "tracerConfig: invalid type"),
            (
                json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true, "includeEmpty": true } }),
                "cannot use diffMode with includeEmpty",
            ),
            (json!({ "stateOverrides": { "0x": {} } }), "stateOverrides: 0x: invalid"),
            (json!({ "blockOverrides": { "number": "0x1" } }), "use debug_traceCall"),
            (json!({ "overrides": {} }), "overrides: no such option; use stateOverrides"),
            (json!({ "blockOverrides": { "timestmp": "0x1" } }), "blockOverrides: timestmp: no such key"),
            (json!({ "txIndex": "0x0" }), "txIndex is not supported"),
            (json!("callTracer"), "invalid type"),
        ] {
            let message = read(config.clone()).unwrap_err();
            assert!(message.starts_with("invalid argument 0 (config): ") && message.contains(reason), "{config}: {message}");
        }
    }
}
