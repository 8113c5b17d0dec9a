//! The least gas with which a call succeeds: a binary search, bounded and shortened as geth does it.

use alloy_primitives::U256;
use revm::context::result::{ExecutionResult, InvalidTransaction};

use crate::{CallError, CallRequest, Simulation, call::is_out_of_gas, execute::MIN_TRANSACTION_GAS};

/// What a call passes on with value, in gas (EIP-150 keeps 1/64 back, and a stipend is paid).
const CALL_STIPEND: u64 = 2_300;
/// The search ends when the bounds are within 15/1000 of each other.
const ERROR_RATIO: (u64, u64) = (15, 1_000);

impl Simulation<'_> {
    /// The gas limit with which a transaction like `request` succeeds: at most 1.5 % above the least.
    pub fn estimate_gas(&self, request: &CallRequest) -> Result<u64, CallError> {
        self.overridden(&request.overrides, |simulation| simulation.least_gas(request))?
    }

    fn least_gas(&self, request: &CallRequest) -> Result<u64, CallError> {
        let mut high = self.affordable(request)?;
        if high >= MIN_TRANSACTION_GAS
            && self.is_plain_transfer(request)?
            && matches!(self.run(request, MIN_TRANSACTION_GAS), Ok(ExecutionResult::Success { .. }))
        {
            return Ok(MIN_TRANSACTION_GAS);
        }
        let (used, refunded) = self.first_run(request, high)?;
        let mut low = used.saturating_sub(1);
        let optimistic = (used + refunded + CALL_STIPEND) * 64 / 63;
        if optimistic < high {
            match self.suffices(request, optimistic)? {
                true => high = optimistic,
                false => low = optimistic,
            }
        }
        while low + 1 < high && (high - low) * ERROR_RATIO.1 >= high * ERROR_RATIO.0 {
            // Most calls need little more than they use, so the middle is approached from below.
            let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
            match self.suffices(request, middle)? {
                true => high = middle,
                false => low = middle,
            }
        }
        Ok(high)
    }

    /// The bound that block, cap and the sender's balance put on the gas.
    fn affordable(&self, request: &CallRequest) -> Result<u64, CallError> {
        let most = self.most_gas(request);
        let price = self.price(request)?;
        if price == 0 {
            return Ok(most);
        }
        let address = request.from.unwrap_or_default();
        let have = self.state.account(&address)?.unwrap_or_default().balance;
        let left = have.checked_sub(request.value).ok_or(CallError::Funds { address, have, need: request.value })?;
        Ok(u64::try_from(left / U256::from(price)).unwrap_or(u64::MAX).min(most))
    }

    fn is_plain_transfer(&self, request: &CallRequest) -> Result<bool, CallError> {
        let Some(to) = request.to.filter(|_| request.data.is_empty() && request.authorization_list.is_empty()) else { return Ok(false) };
        Ok(self.state.account(&to)?.unwrap_or_default().code_hash == alloy_trie::KECCAK_EMPTY)
    }

    /// Gas used and refunded with the most gas there can be; if even that fails, why.
    fn first_run(&self, request: &CallRequest, gas: u64) -> Result<(u64, u64), CallError> {
        match self.run(request, gas) {
            Ok(ExecutionResult::Success { gas, .. }) => Ok((gas.tx_gas_used(), gas.final_refunded())),
            Ok(ExecutionResult::Revert { output, .. }) => Err(CallError::Reverted { output }),
            Ok(ExecutionResult::Halt { reason, .. }) if is_out_of_gas(&reason) => Err(CallError::Allowance { allowance: gas }),
            Ok(ExecutionResult::Halt { reason, .. }) => Err(CallError::Halted(reason)),
            Err(error) if is_too_little(&error) => Err(CallError::Allowance { allowance: gas }),
            Err(error) => Err(error),
        }
    }

    fn suffices(&self, request: &CallRequest, gas: u64) -> Result<bool, CallError> {
        match self.run(request, gas) {
            Ok(result) => Ok(result.is_success()),
            Err(error) if is_too_little(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_too_little(error: &CallError) -> bool {
    let CallError::Refused(why) = error else { return false };
    matches!(why, InvalidTransaction::CallGasCostMoreThanGasLimit { .. } | InvalidTransaction::GasFloorMoreThanGasLimit { .. })
}
