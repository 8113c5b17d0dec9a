//! The loads whose cost is measured, and what is expected of them.

use super::{P50, P99, RATE};
use crate::report::Goal;

/// One load on one kind of network.
pub(super) struct Case {
    pub name: &'static str,
    pub on: On,
    pub arguments: &'static [&'static str],
    /// What is looked at: these figures of a sample, each with its goal.
    pub goals: &'static [(&'static str, Goal)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Validators(Chain),
    Anvil,
}

/// What a network of ours is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub validators: usize,
    /// Of a block; none: the usual one.
    pub gas_limit: Option<u64>,
    /// Accounts that are there from the start.
    pub inhabitants: u64,
}

const FOUR: Chain = Chain { validators: 4, gas_limit: None, inhabitants: 0 };
const ONE: Chain = Chain { validators: 1, ..FOUR };
/// Anvil mines each transaction at once, and stops mining when thousands wait.
const ANVIL_WINDOW: &str = "500";
const TRANSFER_GAS: u64 = 21_000;

pub(super) const CASES: [Case; 13] = [
    Case {
        name: "4 validators, 100 transfers a second",
        on: On::Validators(FOUR),
        arguments: &["--tx-rate", "100"],
        goals: &[(P50, Goal::AtMost(10.0)), (P99, Goal::AtMost(25.0))],
    },
    Case {
        name: "4 validators, transfers in batches of 100",
        on: On::Validators(FOUR),
        arguments: &["--tx-rate", "max", "--batch", "100"],
        goals: &[(RATE, Goal::AtLeast(3_000.0))],
    },
    Case { name: "4 validators, transfers one by one", on: On::Validators(FOUR), arguments: &["--tx-rate", "max"], goals: &[] },
    Case {
        name: "4 validators, ERC-20 in batches of 100",
        on: On::Validators(FOUR),
        arguments: &["--tx-rate", "max", "--batch", "100", "--kind", "erc20"],
        goals: &[],
    },
    Case {
        name: "4 validators, blocks of at most 1,000",
        on: On::Validators(Chain { gas_limit: Some(1_000 * TRANSFER_GAS), ..FOUR }),
        arguments: &["--tx-rate", "max", "--batch", "100", "--window", "6000"],
        goals: &[],
    },
    Case {
        name: "4 validators, blocks of at most 5,000",
        on: On::Validators(Chain { gas_limit: Some(5_000 * TRANSFER_GAS), ..FOUR }),
        arguments: &["--tx-rate", "max", "--batch", "100", "--window", "12000"],
        goals: &[],
    },
    Case {
        name: "4 validators, to 20,000 accounts",
        on: On::Validators(Chain { inhabitants: 20_000, ..FOUR }),
        arguments: &["--tx-rate", "max", "--batch", "100", "--recipients", "20000"],
        goals: &[],
    },
    Case {
        name: "4 validators, to 1,000,000 accounts",
        on: On::Validators(Chain { inhabitants: 1_000_000, ..FOUR }),
        arguments: &["--tx-rate", "max", "--batch", "100", "--recipients", "1000000"],
        goals: &[],
    },
    Case {
        name: "1 validator, transfers in batches of 100",
        on: On::Validators(ONE),
        arguments: &["--tx-rate", "max", "--batch", "100"],
        goals: &[(RATE, Goal::AtLeast(11_000.0))],
    },
    Case { name: "1 validator, transfers one by one", on: On::Validators(ONE), arguments: &["--tx-rate", "max"], goals: &[] },
    Case {
        name: "1 validator, to 1,000,000 accounts",
        on: On::Validators(Chain { inhabitants: 1_000_000, ..ONE }),
        arguments: &["--tx-rate", "max", "--batch", "100", "--recipients", "1000000"],
        goals: &[],
    },
    Case {
        name: "anvil, transfers in batches of 100",
        on: On::Anvil,
        arguments: &["--tx-rate", "max", "--batch", "100", "--window", ANVIL_WINDOW],
        goals: &[],
    },
    Case { name: "anvil, transfers one by one", on: On::Anvil, arguments: &["--tx-rate", "max", "--window", ANVIL_WINDOW], goals: &[] },
];
