//! What a call touches: `eth_createAccessList`.

use std::collections::{BTreeMap, BTreeSet};

use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256};
use revm::{
    context::result::ExecutionResult,
    precompile::{PrecompileSpecId, Precompiles},
    state::EvmState,
};

use crate::{CallError, CallRequest, Simulation};

/// A list can change what a call does, for it changes its gas; after so many runs the last one counts.
const MAX_RUNS: usize = 8;

type Touched = BTreeMap<Address, BTreeSet<B256>>;

/// What a call touches, and how it ends when it says so beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessListOutcome {
    pub list: AccessList,
    pub gas_used: u64,
    /// Why it fails, if it does.
    pub failure: Option<String>,
}

impl Simulation<'_> {
    /// The access list of `request`, beginning with the one it brings, and its gas with that list.
    pub fn access_list(&self, request: &CallRequest) -> Result<AccessListOutcome, CallError> {
        self.overridden(&request.overrides, |simulation| simulation.touched(request))?
    }

    fn touched(&self, request: &CallRequest) -> Result<AccessListOutcome, CallError> {
        let gas = request.gas.unwrap_or(self.gas_cap).min(self.gas_cap);
        let free = self.free_addresses(request)?;
        let mut request = request.clone();
        let mut listed = request.access_list.as_ref().map(read).unwrap_or_default();
        let mut runs = 0;
        loop {
            request.access_list = Some(write(&listed));
            let outcome = self.transact(&request, gas)?;
            let before = listed.clone();
            add(&mut listed, &outcome.state, &free);
            runs += 1;
            if listed == before || runs == MAX_RUNS {
                return Ok(describe(write(&listed), outcome.result));
            }
        }
    }

    /// Addresses that cost nothing to touch: the caller, whom it calls or makes, the block's beneficiary, and the precompiles
    /// where the call finds them.
    fn free_addresses(&self, request: &CallRequest) -> Result<BTreeSet<Address>, CallError> {
        let caller = request.from.unwrap_or_default();
        let callee = match request.to {
            Some(to) => to,
            None => caller.create(self.nonce(request)?),
        };
        let spec = PrecompileSpecId::from_spec_id(self.chain.spec(self.header.timestamp));
        let mut free: BTreeSet<Address> = Precompiles::new(spec).addresses().copied().collect();
        let overridden = &request.overrides.state;
        free.retain(|address| !overridden.contains_key(address));
        free.extend(overridden.values().filter_map(|account| account.move_precompile_to));
        free.extend([caller, callee, self.header.beneficiary]);
        Ok(free)
    }
}

/// Adds what was loaded: slots of anybody, and accounts unless they are `free`.
fn add(listed: &mut Touched, state: &EvmState, free: &BTreeSet<Address>) {
    for (address, account) in state {
        if account.storage.is_empty() && free.contains(address) {
            continue;
        }
        listed.entry(*address).or_default().extend(account.storage.keys().map(|slot| B256::from(*slot)));
    }
}

fn read(list: &AccessList) -> Touched {
    let mut touched = Touched::new();
    for item in &list.0 {
        touched.entry(item.address).or_default().extend(&item.storage_keys);
    }
    touched
}

fn write(touched: &Touched) -> AccessList {
    let item = |(address, slots): (&Address, &BTreeSet<B256>)| AccessListItem { address: *address, storage_keys: slots.iter().copied().collect() };
    AccessList(touched.iter().map(item).collect())
}

fn describe(list: AccessList, result: ExecutionResult) -> AccessListOutcome {
    let (gas, failure) = match result {
        ExecutionResult::Success { gas, .. } => (gas, None),
        ExecutionResult::Revert { gas, .. } => (gas, Some("execution reverted".to_owned())),
        ExecutionResult::Halt { reason, gas, .. } => (gas, Some(reason.to_string())),
    };
    AccessListOutcome { list, gas_used: gas.tx_gas_used(), failure }
}
