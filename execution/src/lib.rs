//! Execution: what a block does to the state, and whether it may.
//!
//! [`Embedded`] hosts revm through alloy-evm. It is handed transactions, a committed state to stand on and a flag to stop
//! by; it has no runtime, opens nothing and asks nobody.
//! Recovering senders and hashing large changes is spread over all cores by rayon's threads, which engines share.

mod access_list;
pub mod admission;
mod branches;
mod call;
mod cancel;
mod chain;
mod changes;
mod commit;
mod database;
mod engine;
mod estimate;
mod execute;
mod executed;
mod genesis;
mod memory;
mod overlay;
mod overrides;
mod parallel;
mod proof;
mod reader;
mod receipt;
mod rules;
mod senders;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trace;
mod trie;
mod verdict;

pub use access_list::AccessListOutcome;
pub use call::{CallError, CallOutcome, CallRequest, Simulation};
pub use cancel::Cancel;
pub use chain::Chain;
pub use changes::{NodeChanges, StateChanges};
pub use commit::{Changes, CommitError, Committed, FinaliseError, MAX_UNWRITTEN_HEIGHTS};
pub use engine::{Embedded, OpenError};
pub use execute::{NotExecutable, Refused};
pub use executed::{Attributes, Executed};
pub use genesis::{GenesisError, GenesisState, genesis_state};
pub use memory::MemoryState;
pub use overlay::Overlay;
pub use overrides::{OverrideError, Overrides};
pub use proof::{AccountProof, SlotProof, prove};
pub use reader::{Account, ReadError, StateReader};
pub use receipt::{Receipt, decode_receipts, encode_receipts};
pub use rules::{MAX_EXTRA_DATA_BYTES, MAX_OSAKA_BLOCK_BYTES, Rule, Validators};
pub use senders::{BadSignature, Senders};
pub use trace::{CallOptions, MAX_TRACE_BYTES, PrestateOptions, Replay, StepOptions, TraceError, Tracer};
pub use trie::TrieError;
pub use verdict::{BuildError, Built, NoVerdict, Verdict};
