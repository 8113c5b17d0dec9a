//! What a transaction offers for its gas.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub const GWEI: u128 = 1_000_000_000;
/// Offered to the proposer, in wei per gas.
const TIP: u128 = GWEI;
/// The cap at the start is at least this.
const LOWEST_CAP: u128 = 100 * GWEI;
/// How many times the base fee the cap is at the start: a base fee that rises with every block gets there after 39 of them.
const START_FACTOR: u128 = 100;
/// How many times the latest base fee the cap is at least: 19 full blocks may lie between signing and execution.
const FACTOR: u128 = 10;

/// Fees that follow the chain.
#[derive(Debug)]
pub struct Fees {
    /// Wei per gas.
    start_cap: u128,
    /// The user's own, which follows nothing.
    is_fixed: bool,
    base_fee: AtomicU64,
}

impl Fees {
    /// `cap`, or one that suits `base_fee`.
    pub fn new(cap: Option<u128>, base_fee: u128) -> Self {
        let start_cap = cap.unwrap_or(LOWEST_CAP.max(base_fee.saturating_mul(START_FACTOR)));
        Self { start_cap, is_fixed: cap.is_some(), base_fee: AtomicU64::new(u64::try_from(base_fee).unwrap_or(u64::MAX)) }
    }

    /// Takes note of a block's base fee.
    pub fn follow(&self, base_fee: u64) {
        self.base_fee.store(base_fee, Relaxed);
    }

    /// The most that a transaction signed now pays.
    pub fn cap(&self) -> u128 {
        let rising = u128::from(self.base_fee.load(Relaxed)) * FACTOR;
        if self.is_fixed { self.start_cap } else { self.start_cap.max(rising) }
    }

    /// The cap of the first transaction, for which accounts are funded.
    pub fn start_cap(&self) -> u128 {
        self.start_cap
    }

    pub fn tip(&self) -> u128 {
        TIP.min(self.cap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_follows_a_rising_base_fee_and_never_falls_below_that_of_the_start() {
        let fees = Fees::new(None, 2 * GWEI);
        assert_eq!(fees.cap(), 200 * GWEI);
        fees.follow(50 * GWEI as u64);
        assert_eq!(fees.cap(), 500 * GWEI);
        fees.follow(7);
        assert_eq!((fees.cap(), fees.tip()), (200 * GWEI, GWEI));
        assert_eq!(Fees::new(None, 7).cap(), LOWEST_CAP);
    }

    #[test]
    fn a_cap_of_the_users_own_stays_and_the_tip_fits_under_it() {
        let fees = Fees::new(Some(3), 2 * GWEI);
        fees.follow(50 * GWEI as u64);
        assert_eq!((fees.cap(), fees.tip()), (3, 3));
    }
}
