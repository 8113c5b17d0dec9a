//! What to record of a transaction, and how long that may take.

use std::time::Duration;

use serde::Deserialize;

/// A trace as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracing {
    pub tracer: Tracer,
    pub limit: Duration,
}

/// One of geth's tracers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracer {
    /// Every opcode; what geth does when no tracer is named.
    Steps(StepOptions),
    /// `callTracer`
    Calls(CallOptions),
    /// `prestateTracer`
    Prestate(PrestateOptions),
}

/// What the struct logger records of each opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepOptions {
    pub enable_memory: bool,
    pub disable_stack: bool,
    pub disable_storage: bool,
    pub enable_return_data: bool,
    /// Bytes of JSON after which no more opcodes are recorded; 0 is without limit.
    pub limit: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallOptions {
    pub only_top_call: bool,
    pub with_log: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PrestateOptions {
    pub diff_mode: bool,
    pub disable_code: bool,
    pub disable_storage: bool,
    pub include_empty: bool,
}
