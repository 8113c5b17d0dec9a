//! What a transaction should offer.

use execution::Receipt;

/// Offered where recent blocks say nothing: 1 gwei.
const DEFAULT_TIP: u128 = 1_000_000_000;
/// More is never suggested: 500 gwei.
const MAX_TIP: u128 = 500_000_000_000;
const PERCENTILE: usize = 60;

/// A tip, in wei per gas, that most recent transactions did not exceed. `blocks` are receipts with the base fee they paid.
pub(super) fn suggested_tip(blocks: &[(Vec<Receipt>, u64)]) -> u128 {
    let tip = |receipt: &Receipt, base_fee: &u64| receipt.effective_gas_price.saturating_sub(u128::from(*base_fee));
    let mut tips: Vec<u128> = blocks.iter().flat_map(|(receipts, base_fee)| receipts.iter().map(move |receipt| tip(receipt, base_fee))).collect();
    if tips.is_empty() {
        return DEFAULT_TIP;
    }
    tips.sort_unstable();
    tips[(tips.len() - 1) * PERCENTILE / 100].clamp(1, MAX_TIP)
}

#[cfg(test)]
mod tests {
    use primitives::{Address, B256};

    use super::*;

    fn paying(prices: &[u128]) -> Vec<Receipt> {
        let receipt = |price: &u128| Receipt {
            transaction_hash: B256::ZERO,
            transaction_type: 2,
            is_success: true,
            sender: Address::ZERO,
            to: None,
            contract_address: None,
            gas_used: 21_000,
            cumulative_gas_used: 21_000,
            effective_gas_price: *price,
            first_log_index: 0,
            logs: Vec::new(),
        };
        prices.iter().map(receipt).collect()
    }

    #[test]
    fn the_tip_follows_what_was_paid_above_the_base_fee() {
        assert_eq!(suggested_tip(&[(paying(&[110, 120, 130, 140, 200]), 100)]), 30);
    }

    #[test]
    fn an_idle_chain_suggests_one_gwei_and_a_wild_one_at_most_500() {
        assert_eq!(suggested_tip(&[(vec![], 7)]), DEFAULT_TIP);
        assert_eq!(suggested_tip(&[(paying(&[u128::MAX]), 7)]), MAX_TIP);
    }
}
